"""What is certain to stop a run, in words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from haproxy_ha_lib.settings import minion
from haproxy_ha_lib.settings.types import Settings


def held_ports(daemon: str, holders: Iterable[Mapping[str, Any]], settings: Settings) -> list[str]:
    """
    Return who listens where a daemon has to.

    daemon
        Its name.
    holders
        Who listens there, as ``haproxy_ha_host.net.holders`` tells.
    settings
        What build.settings returned. With ``haproxy:remove_nginx`` nginx goes before it is in the way.
    """
    going = ["nginx"] if settings.haproxy["remove_nginx"] else []
    return [_held(daemon, holder) for holder in holders if holder["program"] not in (daemon, *going)]


def _held(daemon: str, holder: Mapping[str, Any]) -> str:
    program = holder["program"]
    who = f"{program} (process {holder['pid']})" if program else "another program"
    remedy = "; haproxy_ha:haproxy:remove_nginx: true removes it" if program == "nginx" else ""
    return (
        f"{who} listens on {holder['held']} port {holder['port']}; {daemon} has to listen on {holder['address']}"
        f"{remedy}"
    )


def stray_parts(parts: Sequence[str], minion_id: str) -> list[str]:
    """Return what a machine with another role still has of a load balancer; ``parts``: what is left over on it."""
    stray = [part for part in parts if minion.PARTS.get(part) == "load_balancers"]
    if not stray:
        return []
    calls = ", then ".join(f"salt '{minion_id}' haproxy_ha.remove {part}" for part in stray)
    names = ", ".join(part.replace("_", " ") for part in stray)
    return [f"this machine still has the formula's {names}, and is in no haproxy_ha:load_balancers: {calls}"]


def without_route(addresses: Iterable[str | None]) -> list[str]:
    """Return what is wrong with IPv6 addresses on a machine that has no default route of IPv6."""
    found = [address for address in addresses if address and ":" in address]
    if not found:
        return []
    remedy = "so it may answer nobody there: turn IPv6 on for it, or add the route"
    return [f"floating IP {', '.join(found)}: this machine has no default route of IPv6, {remedy}"]


def leaving_members(nodes: Mapping[str, Mapping[str, Any]], settings: Settings) -> list[str]:
    """
    Return who runs in this load balancer's cluster and is not in pillar: each of two clusters would take the address.

    nodes
        Those of ``pacemaker.status``. A cluster that does not know this machine is another one.
    """
    if settings.minion_id not in nodes:
        return []
    return [
        f"{name} runs in this cluster, and is in no haproxy_ha:load_balancers. Left out while it runs, it would be a "
        f"cluster of its own, and take the floating IP. First, there: salt '{name}' state.apply haproxy_ha.clean"
        for name, node in nodes.items()
        if node["online"] and not node["remote"] and name not in settings.load_balancers
    ]
