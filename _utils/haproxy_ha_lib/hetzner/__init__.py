"""The rules of Hetzner Cloud's API, without I/O: whose a floating IP is, how it is assigned, what is retried.

Procedures as in `haproxy_ha_lib.cloud`.

Sources: Hetzner's API reference (https://docs.hetzner.cloud/: errors, pagination, rate limits, actions, floating IPs,
servers, metadata). A token is of one project and sees all of that; a read-only one may make GET requests alone. An
action is asked for its status; the address's owner is the truth, once no action is under way. 3600 requests an hour
are allowed for a project, one more each second.
"""
