"""The pair in a deterministic simulation: the agents' own code, Pacemaker's own scheduler, a world drawn from a seed.

How to run, read and extend it: docs/simulation.md.
"""
