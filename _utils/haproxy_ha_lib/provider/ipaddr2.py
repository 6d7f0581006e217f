"""IPaddr2, the agent of the resource-agents for an address on an interface."""

from __future__ import annotations

import ipaddress

from haproxy_ha_lib.provider.interface import FloatingIP, Params, Provider


class IPaddr2(Provider):
    """A virtual IP on a LAN. A standby lacks it."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        return "ocf:heartbeat:IPaddr2", {"ip": floating_ip.address}

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return True

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return on_interface(floating_ip.addresses[0])


def on_interface(text: str) -> str:
    """Return a command that succeeds where an address is: the kernel's tables, as proc(5) has them."""
    address = ipaddress.ip_address(text)
    if address.version == 6:
        return f"/bin/grep -qs ^{int(address):032x} /proc/net/if_inet6"
    return f"/bin/grep -qsFw {address} /proc/net/fib_trie"


IPADDR2 = IPaddr2(name="ipaddr2", doc="a virtual IP on a LAN")
