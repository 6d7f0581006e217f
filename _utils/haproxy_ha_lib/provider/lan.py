"""A LAN: addresses on an interface, several together, by an agent of ours that takes away nothing that serves."""

from __future__ import annotations

from haproxy_ha_lib.provider.interface import FloatingIP, Params, Provider
from haproxy_ha_lib.provider.ipaddr2 import on_interface


class Lan(Provider):
    """The neighbours are told where an address is. A standby lacks it."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        more = {"addresses": " ".join(floating_ip.addresses[1:])} if len(floating_ip.addresses) > 1 else {}
        return "ocf:haproxy_ha:lanip", {"address": floating_ip.address, **more}

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return True

    def is_routed(self, floating_ip: FloatingIP) -> bool:
        return True

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return on_interface(floating_ip.addresses[0])


LAN = Lan(
    name="lan",
    doc="one address of a LAN or several together",
    several=True,
    marks=True,
)
