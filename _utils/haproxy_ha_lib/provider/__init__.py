"""
Whoever moves the address: DigitalOcean, Pacemaker's own agent on a LAN, or any other agent.

Everything that depends on who that is stands in this package; the rest asks :func:`of`. A further one is a module
beside these, and an entry in ``NAMED``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haproxy_ha_lib.provider.custom import CUSTOM
from haproxy_ha_lib.provider.digitalocean import DIGITALOCEAN
from haproxy_ha_lib.provider.interface import API, RESOURCE, Fence, FloatingIP, Provider, resource
from haproxy_ha_lib.provider.ipaddr2 import IPADDR2

__all__ = [
    "ALL", "API", "FENCES", "NAMED", "RESOURCE", "Fence", "FloatingIP", "Provider", "arrives_at_anchor",
    "documentation", "fencing", "moving", "of", "resource",
]  # fmt: skip

NAMED: dict[str, Provider] = {one.name: one for one in (DIGITALOCEAN, IPADDR2) if one.name}
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


def documentation() -> str:
    """Return what people are told of those that pillar names."""
    return ", or ".join(f"{name}: {one.doc}" if one.doc else name for name, one in NAMED.items())
