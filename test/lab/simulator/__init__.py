"""A simulator of the part of DigitalOcean, and of Hetzner Cloud, that a floating IP needs.

The metadata service v1 (plain tree and JSON, answering by the client's source address) and the API v2 (reserved IPs,
their actions, the old `floating_ips` spelling, droplets) over HTTPS with bearer tokens, scopes and rate limits.
Assigning an address runs a command, so that the lab moves the traffic before the action is reported as completed.
Delays and faults are set at run time through a control socket; every call is counted.

    python3 -m lab.simulator --config FILE

    model      droplets, reserved IPs, actions: what DigitalOcean knows
    faults     what can be made to go wrong, and when
    wire       HTTP: one server class, answers, and the faults that happen below HTTP
    metadata   the metadata service
    api        the API
    hetzner    the same for Hetzner Cloud, of the same model
    control    the control service, and its client for tests

The shapes are those of DigitalOcean's OpenAPI specification and of its metadata documentation.
"""
