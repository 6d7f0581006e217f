"""Any other agent, of which nothing is known but its name."""

from __future__ import annotations

from haproxy_ha_lib.provider.interface import FloatingIP, Params, Provider


class Custom(Provider):
    """Pillar has the agent, its parameters, and perhaps an anchor IP for each load balancer."""

    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        return floating_ip.agent or "", {}

    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        return not anchor_ip


CUSTOM = Custom(name=None, needs_address=False)
