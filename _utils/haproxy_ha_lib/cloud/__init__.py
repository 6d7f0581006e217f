"""What the APIs of clouds have in common, without I/O: how one is asked, and how an answer is read.

A procedure is a generator: it yields what it needs next (a `Call` to make, a `Wait` to sleep) and is sent the `Reply`.
`calls.drive` runs one. The execution modules and the agents, beside which these very files are installed, so follow one
set of rules. Standard library only.

What comes back is input: whatever its shape, it is understood or it is no answer.
"""
