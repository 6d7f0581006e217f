"""
Hetzner Cloud: a floating IP, which the agent hetznerip assigns to a server and puts on an interface there. How its API
is asked and what its answers mean is in ``haproxy_ha_lib.hetzner``, which the agents share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haproxy_ha_lib.provider import digitalocean
from haproxy_ha_lib.provider.digitalocean import CLAIM, HELD, differing, pairs_of, written
from haproxy_ha_lib.provider.interface import API, Fence, FloatingIP, Params, Provider

DEFAULTS = {**digitalocean.DEFAULTS, "api_url": "https://api.hetzner.cloud"}
"""What the agents take where they are told nothing; only what differs goes into the CIB."""


class Servers(Fence):
    """Power through the API: a node is the server of its name, or the one that ``servers`` has for it."""

    agent = "stonith:fence_haproxy_ha_hetzner"

    def params(self, floating_ip: FloatingIP, plugs: Mapping[str, Any]) -> Params:
        named = {"servers": written(plugs)} if plugs else {}
        return {"ca_file": floating_ip.ca_file, **differing(floating_ip, DEFAULTS, "api_url", "token_file"), **named}

    def plugs(self, params: Mapping[str, Any]) -> dict[str, str]:
        return pairs_of(params.get("servers"))

    def told(self, params: Mapping[str, Any]) -> Params:
        """Pacemaker keeps `pcmk_host_map` to itself; the agent, which looks for each node's server, needs it too."""
        pairs = pairs_of(params.get("pcmk_host_map"))
        return {"servers": written(pairs)} if pairs and "servers" not in params else {}


class FloatingIPs(API):
    """The API, and the metadata service, which knows this server and nothing of floating IPs."""

    module = "hetzner"
    settings = ("address", "api_url", "ca_file")

    def machine(self) -> int:
        return int(self._metadata()["server_id"])

    def hostname(self) -> str | None:
        return self._metadata().get("hostname")

    def _metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("metadata", self.floating_ip.metadata_url)
        return found

    def obstacles(self, timeout: float) -> list[str]:
        return list(self._ask("obstacles", self.floating_ip.address, timeout=timeout))

    def owner(self) -> tuple[bool, str]:
        owner = self._ask("floating_ip", self.floating_ip.address)["server_id"]
        is_here = owner == self.machine()
        return is_here, f"server {owner}, {'this' if is_here else 'another'} machine"

    def notes(self, balancers: Mapping[str, str | None], machine: int | None) -> list[str]:
        found, notes = self._ask("floating_ip", self.floating_ip.address, timeout=10), []
        address = self.floating_ip.address
        if found["server_id"] not in (None, machine):
            holder = self._ask("server", found["server_id"], timeout=10)
            if holder["name"] not in balancers and not set(holder["private_ips"]).intersection(balancers.values()):
                who = f"server {holder['id']} ({holder['name']}), which is none of the load balancers"
                notes.append(f"{address} is taken from {who}")
        here = self._metadata().get("location") if machine else None
        if here and found["location"] not in (None, here):
            way = f"its traffic goes by way of {found['location']}"
            notes.append(f"{address} is of {found['location']}, and this server is in {here}: {way}")
        return notes

    def fencing(self, plugs: Mapping[str, str], name: str, machine: int | None) -> tuple[list[str], str]:
        found = self._ask("fencing", plugs, timeout=20)
        problems, this = list(found["problems"]), found["servers"].get(name)
        if this and machine and this["id"] != machine:
            problems.append(f"{name} is server {machine}, and fencing would power off server {this['id']} for it")
        return [f"{text}; see docs/hetzner.md" for text in problems], found["unknown"]


class Hetzner(Provider):
    """The address is routed to a server by the API, and HAProxy binds it there."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        return "ocf:haproxy_ha:hetznerip", {
            "address": floating_ip.address, **differing(floating_ip, DEFAULTS, *DEFAULTS),
        }  # fmt: skip

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return True

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return f'/bin/grep -qs "^{HELD}" {CLAIM}{floating_ip.resource}'


HETZNER = Hetzner(
    name="hetzner",
    doc="a floating IP of Hetzner Cloud",
    token="a token of Hetzner Cloud's API that may read and write",
    marks=True,
    api_url=DEFAULTS["api_url"],
    api=FloatingIPs,
    fence=Servers(),
)
