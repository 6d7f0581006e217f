"""
The machine that the formula works on: its commands, files, sockets and daemons. It knows nothing of pillar; what is
decided is decided in ``haproxy_ha_lib``, and asked for by the execution module ``haproxy_ha``.
"""
