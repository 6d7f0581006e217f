"""
Hetzner Cloud: a floating IP, which the agent hetznerip assigns to a server and puts on an interface there. How its API
is asked and what its answers mean is in ``haproxy_ha_lib.hetzner``, which the agents share.
"""

from __future__ import annotations

from collections.abc import Mapping

from haproxy_ha_lib.provider import cloud
from haproxy_ha_lib.provider.interface import FloatingIP, Params, Provider

DEFAULTS = cloud.defaults("https://api.hetzner.cloud")


class FloatingIPs(cloud.CloudAPI):
    """The metadata service knows nothing of floating IPs."""

    module, kind = "hetzner", "server"

    def obstacles(self, timeout: float) -> list[str]:
        return list(self._ask("obstacles", self.floating_ip.address, timeout=timeout))

    def owner(self) -> tuple[bool, str]:
        return self._held_by(self._ask("floating_ip", self.floating_ip.address)["server_id"])

    def notes(self, balancers: Mapping[str, str | None], machine: int | None) -> list[str]:
        address, notes = str(self.floating_ip.address), []
        found = self._ask("floating_ip", address, timeout=10)
        if found["server_id"] not in (None, machine):
            holder = self._ask("server", found["server_id"], timeout=10)
            if holder["name"] not in balancers and not set(holder["private_ips"]).intersection(balancers.values()):
                notes.append(self._taken_from(holder, address))
        here = self._metadata().get("location") if machine else None
        if here and found["location"] not in (None, here):
            way = f"its traffic goes by way of {found['location']}"
            notes.append(f"{address} is of {found['location']}, and this server is in {here}: {way}")
        return notes


class Hetzner(Provider):
    """The address is routed to a server by the API, and HAProxy binds it there."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        return "ocf:haproxy_ha:hetznerip", {
            "address": floating_ip.address, **cloud.differing(floating_ip, DEFAULTS, *DEFAULTS),
        }  # fmt: skip

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return True

    def is_routed(self, floating_ip: FloatingIP) -> bool:
        return True

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return cloud.claimed(floating_ip)


HETZNER = Hetzner(
    name="hetzner",
    doc="a floating IP of Hetzner Cloud",
    token="a token of Hetzner Cloud's API that may read and write",
    marks=True,
    api_url=DEFAULTS["api_url"],
    api=FloatingIPs,
    fence=cloud.Power("stonith:fence_haproxy_ha_hetzner", "servers", DEFAULTS),
)
