"""
Whoever moves the address: DigitalOcean, Hetzner Cloud, Pacemaker's own agent on a LAN, or any other agent.

Everything that depends on who that is stands in this package; the rest asks :func:`of`. A further one is a module
beside these, and an entry in ``NAMED``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haproxy_ha_lib.provider.custom import CUSTOM
from haproxy_ha_lib.provider.digitalocean import DIGITALOCEAN, ReservedIPs
from haproxy_ha_lib.provider.hetzner import HETZNER
from haproxy_ha_lib.provider.interface import API, RESOURCE, Fence, FloatingIP, Provider, resource
from haproxy_ha_lib.provider.ipaddr2 import IPADDR2
from haproxy_ha_lib.provider.lan import LAN

__all__ = [
    "ALL", "API", "FENCES", "NAMED", "RESOURCE", "Fence", "FloatingIP", "Provider", "api_url", "arrives_at_anchor",
    "documentation", "fencing", "metadata_module", "moving", "of", "resource",
]  # fmt: skip

NAMED: dict[str, Provider] = {one.name: one for one in (DIGITALOCEAN, HETZNER, IPADDR2, LAN) if one.name}
"""Those that pillar names."""
ALL: tuple[Provider, ...] = (*NAMED.values(), CUSTOM)
FENCES: dict[str, Fence] = {one.fence.agent: one.fence for one in ALL if one.fence}
"""Their fence agents, by name."""


def of(floating_ip: FloatingIP) -> Provider:
    """Return who moves the address. An agent in pillar counts more than a name."""
    return NAMED[floating_ip.provider] if floating_ip.provider and not floating_ip.agent else CUSTOM


def moving(short: FloatingIP, named: Mapping[str, FloatingIP]) -> tuple[FloatingIP, ...]:
    """
    Return all that move, one at least: ``floating_ip``, which beside named ones may only say how the API is asked, and
    ``floating_ips``.
    """
    return (*((short,) if short.addresses or short.agent or not named else ()), *named.values())


def arrives_at_anchor(floating_ip: FloatingIP) -> bool:
    """Return whether its requests come to an anchor IP of each load balancer; those of an IPv6 address do not."""
    return of(floating_ip).needs_anchor and not all(":" in one for one in floating_ip.addresses or ("",))


def fencing(those: Iterable[FloatingIP]) -> tuple[Fence, FloatingIP] | None:
    """Return the fence agent of whoever moves them, and the first that it moves; None: nobody fences."""
    return next(((fence, one) for one in those if (fence := of(one).fence)), None)


def api_url(name: str | None) -> str:
    """Return where the API of a provider is, by its name, where pillar does not say; empty for one that has none."""
    return NAMED[name].api_url if name in NAMED else ""


def metadata_module(tree: object) -> str:
    """
    Return the execution module that asks a machine's metadata service, by pillar's tree as it is given: that of the
    first provider with an API, else DigitalOcean's.
    """
    given = tree if isinstance(tree, dict) else {}
    named = given.get("floating_ips")
    for entry in (given.get("floating_ip"), *(named.values() if isinstance(named, dict) else ())):
        name = entry.get("provider") if isinstance(entry, dict) else None
        one = NAMED.get(name) if isinstance(name, str) else None
        if one and one.api:
            return one.api.module
    return ReservedIPs.module


def documentation() -> str:
    """Return what people are told of those that pillar names."""
    return ", or ".join(f"{name}: {one.doc}" if one.doc else name for name, one in NAMED.items())
