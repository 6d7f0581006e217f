"""
An engine for the configuration of any Pacemaker cluster as data: read it, compare it with what is desired, foretell
what the scheduler would make of a change, and commit it.

``cib``: the model, the diff, the plan. ``scheduler``: what Pacemaker would do, and how much that disturbs. ``status``:
how a cluster stands. ``request``: what is asked for, and what is in its way. These know neither Salt nor this machine.
``live``: the commands, the commit, what operators do.
"""

__version__ = "0.9.0"
"""Of the engine and of all that is released with it: FORMULA, both extensions, ``haproxy_ha.version``."""
