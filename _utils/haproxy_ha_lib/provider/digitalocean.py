"""
DigitalOcean: a reserved IP, which the agent floatip assigns to a droplet. How its API is asked and what its answers
mean is in ``haproxy_ha_lib.digitalocean``, which the agents share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haproxy_ha_lib.provider.interface import API, Fence, FloatingIP, Params, Provider

DEFAULTS = {
    "api_url": "https://api.digitalocean.com",
    "metadata_url": "http://169.254.169.254",
    "ca_file": "/etc/ssl/certs/ca-certificates.crt",
    "token_file": "/etc/haproxy_ha/token",
}
"""What the agents take where they are told nothing; only what differs goes into the CIB."""

CLAIM = "/run/resource-agents/haproxy_ha-floatip-"
"""Where floatip keeps its claim on the address, before the resource's name."""
HELD = "checked "
"""How a line of it begins unless the resource only stands by."""


class Droplets(Fence):
    """Power through the API: a node is the droplet of its name, or the one that ``droplets`` has for it."""

    agent = "stonith:fence_haproxy_ha_digitalocean"

    def params(self, floating_ip: FloatingIP, plugs: Mapping[str, Any]) -> Params:
        named = {"droplets": written(plugs)} if plugs else {}
        return {"ca_file": floating_ip.ca_file, **differing(floating_ip, DEFAULTS, "api_url", "token_file"), **named}

    def plugs(self, params: Mapping[str, Any]) -> dict[str, str]:
        return pairs_of(params.get("droplets"))

    def told(self, params: Mapping[str, Any]) -> Params:
        """Pacemaker keeps `pcmk_host_map` to itself; the agent, which looks for each node's droplet, needs it too."""
        pairs = pairs_of(params.get("pcmk_host_map"))
        return {"droplets": written(pairs)} if pairs and "droplets" not in params else {}


class ReservedIPs(API):
    """The API, and the metadata service, which knows this droplet."""

    module = "digitalocean"
    settings = ("address", "api_url", "ca_file")

    def machine(self) -> int:
        return int(self._metadata()["droplet_id"])

    def hostname(self) -> str | None:
        return self._metadata().get("hostname")

    def _metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("metadata", self.floating_ip.metadata_url)
        return found

    def obstacles(self, timeout: float) -> list[str]:
        wanted = (self.floating_ip.address, self.floating_ip.replaces)
        return list(self._ask("obstacles", *wanted, timeout=timeout))

    def owner(self) -> tuple[bool, str]:
        owner = self._ask("reserved_ip", self.floating_ip.address)["droplet_id"]
        is_here = owner == self.machine()
        return is_here, f"droplet {owner}, {'this' if is_here else 'another'} machine"

    def notes(self, balancers: Mapping[str, str | None], machine: int | None) -> list[str]:
        address = self._ask("reserved_ip", self.floating_ip.address, timeout=10)
        notes = [f"{address['address']} has a pending action"] if address["locked"] else []
        if address["droplet_id"] not in (None, machine):
            holder = self._ask("droplet", address["droplet_id"], timeout=10)
            if holder["name"] not in balancers and holder["private_ip"] not in balancers.values():
                who = f"droplet {holder['id']} ({holder['name']}), which is none of the load balancers"
                notes.append(f"{address['address']} is taken from {who}")
        return notes

    def fencing(self, plugs: Mapping[str, str], name: str, machine: int | None) -> tuple[list[str], str]:
        found = self._ask("fencing", plugs, timeout=20)
        problems, this = list(found["problems"]), found["droplets"].get(name)
        if this and machine and this["id"] != machine:
            problems.append(f"{name} is droplet {machine}, and fencing would power off droplet {this['id']} for it")
        return [f"{text}; see docs/digitalocean.md" for text in problems], found["unknown"]


class DigitalOcean(Provider):
    """An IPv4 address is routed to a droplet's anchor IP, by the API alone; an IPv6 one comes as it is."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        replaces = {"replaces": floating_ip.replaces} if floating_ip.replaces else {}
        return "ocf:haproxy_ha:floatip", {
            "address": floating_ip.address, **differing(floating_ip, DEFAULTS, *DEFAULTS), **replaces,
        }  # fmt: skip

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return ":" in address

    def announces(self, floating_ip: FloatingIP) -> str | None:
        return f"{floating_ip.metadata_url.rstrip('/')}/v1/maintenance_event"

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        return f'/bin/grep -qs "^{HELD}" {CLAIM}{floating_ip.resource}'


def differing(floating_ip: FloatingIP, defaults: Mapping[str, str], *keys: str) -> Params:
    """Return what pillar has of these and the agents' defaults have otherwise."""
    return {key: getattr(floating_ip, key) for key in keys if getattr(floating_ip, key) != defaults[key]}


def written(plugs: Mapping[str, Any]) -> str:
    """Return what is switched for each node, as a fence agent reads it."""
    return ";".join(f"{node}:{plug}" for node, plug in plugs.items())


def pairs_of(text: object) -> dict[str, str]:
    """What `node:droplet;node:droplet` says, in Pacemaker's way to write it."""
    pairs = [pair.partition(":") for pair in str(text or "").replace(";", " ").split()]
    return {node: plug for node, colon, plug in pairs if colon}


DIGITALOCEAN = DigitalOcean(
    name="digitalocean",
    one_of_a_family=True,
    needs_anchor=True,
    marks=True,
    api_url=DEFAULTS["api_url"],
    token="a token of DigitalOcean's API that may read and write reserved IPs",
    api=ReservedIPs,
    fence=Droplets(),
)
