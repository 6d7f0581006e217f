"""The rules of DigitalOcean's API, without I/O: who owns a reserved IP, how it is assigned, what is retried.

Procedures as in `haproxy_ha_lib.cloud`.

Sources: DigitalOcean's OpenAPI specification (reserved_ips, actions, rate limits) and its metadata documentation.
What they leave out was seen by others: an action's status may be `done`, polling an action may answer 404 for ever, an
assign may answer 422 for the owner that the address already has. So the address's owner is the truth, an action a hint.
"""
