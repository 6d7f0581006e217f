"""
What the rest of the formula may ask of whoever moves the address. What is not here does not depend on who that is.

Pure, and free of the rest of the formula: an implementation is its facts, and texts made of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FloatingIP = Mapping[str, Any]
"""Pillar's ``floating_ip`` over the defaults."""
Params = dict[str, Any]
"""Parameters of an agent."""

RESOURCE = "FloatIP"
"""The resource that is the address."""


class Fence(ABC):
    """The agent that powers load balancers off for the cluster."""

    agent: str
    """Its name, as Pacemaker has it."""

    @abstractmethod
    def params(self, floating_ip: FloatingIP, plugs: Mapping[str, Any]) -> Params:
        """The parameters of the device. plugs: what is switched for a node, where that has another name."""

    @abstractmethod
    def plugs(self, params: Mapping[str, Any]) -> dict[str, str]:
        """What a device with these parameters switches for a node, where that has another name."""

    @abstractmethod
    def told(self, params: Mapping[str, Any]) -> Params:
        """The parameters that the agent needs besides, of what these tell Pacemaker alone."""


@dataclass(frozen=True)
class Provider(ABC):
    """Whoever moves the address."""

    name: str | None
    """What pillar calls it; None: pillar names the agent instead."""
    doc: str = ""
    """What people are told of it."""
    needs_address: bool = True
    """Whether nothing moves without an address in pillar."""
    needs_anchor: bool = False
    """Whether a load balancer has an anchor IP of it, which HAProxy binds in place of the address."""
    token: str = ""
    """What the token in pillar must be, which each load balancer then has in a file; empty: it needs none."""
    module: str | None = None
    """The execution module that asks its API: ``metadata``, ``reserved_ip``, ``obstacles``, ``droplet``, ``fencing``.
    None: there is nobody to ask before a run whether the address can come, and in verification where it is."""
    fence: Fence | None = None
    """How it powers load balancers off; None: it does not."""

    @abstractmethod
    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        """The agent that moves the address, and its parameters without those of pillar."""

    @abstractmethod
    def binds_address(self, anchor_ip: str | None) -> bool:
        """Whether HAProxy binds the address itself, on a load balancer with this anchor IP, or without one."""

    def allowed(self, address: str) -> str:
        """Which address would do instead of this one; empty for one that does."""
        return ""

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        """
        A command that succeeds where the address is: of two halves of a cluster, the quorum helper prefers the one that
        has it. None: nothing tells.
        """
        return None
