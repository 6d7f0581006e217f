"""
DigitalOcean: a reserved IP, which the agent floatip assigns to a droplet. How its API is asked and what its answers
mean is in ``haproxy_ha_lib.digitalocean``, which the agents share.
"""

from __future__ import annotations

from collections.abc import Mapping

from haproxy_ha_lib.provider import cloud
from haproxy_ha_lib.provider.interface import FloatingIP, Params, Provider

DEFAULTS = cloud.defaults("https://api.digitalocean.com")


class ReservedIPs(cloud.CloudAPI):
    """The metadata service knows where the address is, too; the API is right."""

    module, kind = "digitalocean", "droplet"

    def obstacles(self, timeout: float) -> list[str]:
        wanted = (self.floating_ip.address, self.floating_ip.replaces)
        return list(self._ask("obstacles", *wanted, timeout=timeout))

    def owner(self) -> tuple[bool, str]:
        return self._held_by(self._ask("reserved_ip", self.floating_ip.address)["droplet_id"])

    def notes(self, balancers: Mapping[str, str | None], machine: int | None) -> list[str]:
        address = self._ask("reserved_ip", self.floating_ip.address, timeout=10)
        notes = [f"{address['address']} has a pending action"] if address["locked"] else []
        if address["droplet_id"] not in (None, machine):
            holder = self._ask("droplet", address["droplet_id"], timeout=10)
            if holder["name"] not in balancers and holder["private_ip"] not in balancers.values():
                notes.append(self._taken_from(holder, address["address"]))
        return notes


class DigitalOcean(Provider):
    """An IPv4 address is routed to a droplet's anchor IP, by the API alone; an IPv6 one comes as it is."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        replaces = {"replaces": floating_ip.replaces} if floating_ip.replaces else {}
        return "ocf:haproxy_ha:floatip", {
            "address": floating_ip.address, **cloud.differing(floating_ip, DEFAULTS, *DEFAULTS), **replaces,
        }  # fmt: skip

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return ":" in address

    def is_routed(self, floating_ip: FloatingIP) -> bool:
        return any(":" in address for address in floating_ip.addresses)

    def announces(self, floating_ip: FloatingIP) -> str | None:
        return f"{floating_ip.metadata_url.rstrip('/')}/v1/maintenance_event"

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return cloud.claimed(floating_ip)


DIGITALOCEAN = DigitalOcean(
    name="digitalocean",
    one_of_a_family=True,
    needs_anchor=True,
    marks=True,
    api_url=DEFAULTS["api_url"],
    token="a token of DigitalOcean's API that may read and write reserved IPs",
    api=ReservedIPs,
    fence=cloud.Power("stonith:fence_haproxy_ha_digitalocean", "droplets", DEFAULTS),
)
