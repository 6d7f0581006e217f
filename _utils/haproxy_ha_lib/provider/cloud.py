"""What clouds have in common whose API moves an address: agents of ours, a metadata service, power by the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haproxy_ha_lib.provider.interface import API, Fence, FloatingIP, Params

METADATA_URL = "http://169.254.169.254"

CLAIM = "/run/resource-agents/haproxy_ha-floatip-"
"""Where the agents keep their claim on an address, before the resource's name."""
HELD = "checked "
"""How a line of it begins unless the resource only stands by."""


def defaults(api_url: str) -> dict[str, str]:
    """Return what the agents take where they are told nothing; only what differs goes into the CIB."""
    return {
        "api_url": api_url,
        "metadata_url": METADATA_URL,
        "ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "token_file": "/etc/haproxy_ha/token",
    }


def differing(floating_ip: FloatingIP, usual: Mapping[str, str], *keys: str) -> Params:
    """Return what pillar has of these and the agents' defaults have otherwise."""
    return {key: getattr(floating_ip, key) for key in keys if getattr(floating_ip, key) != usual[key]}


def claimed(floating_ip: FloatingIP) -> str:
    """Return a command that succeeds where an address is, by the claim on it."""
    return f'/bin/grep -qs "^{HELD}" {CLAIM}{floating_ip.resource}'


class Power(Fence):
    """
    Power through the API: a node is the machine of its name, or the one that a parameter has for it.

    agent
        The fence agent's name.
    machines
        That parameter.
    usual
        The agent's defaults.
    """

    def __init__(self, agent: str, machines: str, usual: Mapping[str, str]) -> None:
        self.agent, self._machines, self._usual = agent, machines, usual

    def params(self, floating_ip: FloatingIP, plugs: Mapping[str, Any]) -> Params:
        named = {self._machines: _written(plugs)} if plugs else {}
        return {"ca_file": floating_ip.ca_file, **differing(floating_ip, self._usual, "api_url", "token_file"), **named}

    def plugs(self, params: Mapping[str, Any]) -> dict[str, str]:
        return _pairs(params.get(self._machines))

    def told(self, params: Mapping[str, Any]) -> Params:
        """Pacemaker keeps `pcmk_host_map` to itself; the agent, which looks for each node's machine, needs it too."""
        pairs = _pairs(params.get("pcmk_host_map"))
        return {self._machines: _written(pairs)} if pairs and self._machines not in params else {}


def _written(plugs: Mapping[str, Any]) -> str:
    return ";".join(f"{node}:{plug}" for node, plug in plugs.items())


def _pairs(text: object) -> dict[str, str]:
    """What `node:machine;node:machine` says, in Pacemaker's way to write it."""
    pairs = [pair.partition(":") for pair in str(text or "").replace(";", " ").split()]
    return {node: plug for node, colon, plug in pairs if colon}


class CloudAPI(API):
    """The API, and the metadata service, which knows this machine."""

    settings = ("address", "api_url", "ca_file")
    kind: str
    """What the cloud calls a machine."""

    def machine(self) -> int:
        return int(self._metadata()[f"{self.kind}_id"])

    def hostname(self) -> str | None:
        return self._metadata().get("hostname")

    def _metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("metadata", self.floating_ip.metadata_url)
        return found

    def _held_by(self, owner: int | None) -> tuple[bool, str]:
        is_here = owner == self.machine()
        return is_here, f"{self.kind} {owner}, {'this' if is_here else 'another'} machine"

    def _taken_from(self, holder: Mapping[str, Any], address: str) -> str:
        who = f"{self.kind} {holder['id']} ({holder['name']}), which is none of the load balancers"
        return f"{address} is taken from {who}"

    def fencing(self, plugs: Mapping[str, str], name: str, machine: int | None) -> tuple[list[str], str]:
        found = self._ask("fencing", plugs, timeout=20)
        problems, this = list(found["problems"]), found[f"{self.kind}s"].get(name)
        if this and machine and this["id"] != machine:
            other = f"{self.kind} {this['id']}"
            problems.append(f"{name} is {self.kind} {machine}, and fencing would power off {other} for it")
        return [f"{text}; see docs/{self.module}.md" for text in problems], found["unknown"]
