"""The power of servers of Hetzner Cloud."""

import power

from haproxy_ha_lib.hetzner.servers import SERVERS


class Servers(power.Cloud):
    """The servers that the options' token sees, by what the cluster calls them."""

    rules = SERVERS
    called = "servers"
    has_power = "running"
