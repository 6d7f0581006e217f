"""
Whoever moves the address: DigitalOcean, Pacemaker's own agent on a LAN, or any other agent.

Everything that depends on who that is stands in this package; the rest asks :func:`of`. A further one is a module
beside these, and an entry in ``NAMED``.
"""

from __future__ import annotations

from haproxy_ha_lib.provider.custom import CUSTOM
from haproxy_ha_lib.provider.digitalocean import DIGITALOCEAN
from haproxy_ha_lib.provider.interface import API, RESOURCE, Fence, FloatingIP, Provider
from haproxy_ha_lib.provider.ipaddr2 import IPADDR2

__all__ = ["ALL", "API", "FENCES", "NAMED", "RESOURCE", "Fence", "FloatingIP", "Provider", "documentation", "of"]

NAMED: dict[str, Provider] = {one.name: one for one in (DIGITALOCEAN, IPADDR2) if one.name}
"""Those that pillar names."""
ALL: tuple[Provider, ...] = (*NAMED.values(), CUSTOM)
FENCES: dict[str, Fence] = {one.fence.agent: one.fence for one in ALL if one.fence}
"""Their fence agents, by name."""


def of(floating_ip: FloatingIP) -> Provider:
    """Return who moves the address. An agent in pillar counts more than a name."""
    return NAMED[floating_ip.provider] if floating_ip.provider and not floating_ip.agent else CUSTOM


def documentation() -> str:
    """Return what people are told of those that pillar names."""
    return ", or ".join(f"{name}: {one.doc}" if one.doc else name for name, one in NAMED.items())
