"""The rules of DigitalOcean's API, without I/O: who owns a reserved IP, how it is assigned, what is retried.

A procedure is a generator: it yields what it needs next (a `Call` to make, a `Wait` to sleep) and is sent the `Reply`.
`calls.drive` runs one. The execution module and the agents, beside which these very files are installed, so follow one
set of rules. Standard library only.

Sources: DigitalOcean's OpenAPI specification (reserved_ips, actions, rate limits) and its metadata documentation.
What they leave out was seen by others: an action's status may be `done`, polling an action may answer 404 for ever, an
assign may answer 422 for the owner that the address already has. So the address's owner is the truth, an action a hint.

What comes back is input: whatever its shape, it is understood or it is no answer.
"""
