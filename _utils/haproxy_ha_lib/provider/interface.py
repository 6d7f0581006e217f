"""
What the rest of the formula may ask of whoever moves the address. What is not here does not depend on who that is.

Pure, and free of the rest of the formula: an implementation is its facts, and texts made of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

Params = dict[str, Any]
"""Parameters of an agent."""

Ask = Callable[..., Any]
"""Calls a function of an execution module: its name without the module's, then its arguments."""

RESOURCE = "FloatIP"
"""The resource that is the address; of several, how their names begin."""


@dataclass(frozen=True)
class FloatingIP:
    """
    Pillar's ``floating_ip`` over the defaults, or one of its ``floating_ips``, with the API's settings of the former.
    addresses: those that move together; none where pillar has none. name: None for ``floating_ip``. stays_with: the
    name of the one that it is to be with. prefers: the load balancer on which it starts if it can. foreign_token:
    whether something else than this formula writes the token's file.
    """

    addresses: tuple[str, ...]
    replaces: str | None
    provider: str | None
    agent: str | None
    params: Mapping[str, Any]
    api_url: str
    metadata_url: str
    ca_file: str
    token_file: str
    foreign_token: bool = False
    name: str | None = None
    stays_with: str | None = None
    prefers: str | None = None

    @property
    def address(self) -> str | None:
        """The first of its addresses."""
        return next(iter(self.addresses), None)

    @property
    def resource(self) -> str:
        """Pacemaker's name for it."""
        return resource(self.name)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> FloatingIP:
        """Return the record of what pillar has, or :meth:`as_dict` returned; the token is no part of it."""
        rest = {one.name: plain[one.name] for one in fields(cls) if one.name in plain}
        first = (plain["address"],) if plain["address"] else ()
        return cls(**{**rest, "addresses": (*first, *(one for one in plain["addresses"] if one not in first))})

    def as_dict(self) -> dict[str, Any]:
        """Return it in pillar's form."""
        rest = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**rest, "address": self.address, "addresses": list(self.addresses[1:])}


def resource(name: str | None) -> str:
    """Return the resource of a floating IP, by its name in pillar; None for ``floating_ip``."""
    return RESOURCE if name is None else f"{RESOURCE}-{name}"


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


class API(ABC):
    """
    An API that says, before a run and in verification, where the address is and what is in its way. It is asked through
    an execution module; what that raises ends the question.
    """

    module: str
    """The execution module."""
    settings: tuple[str, ...]
    """What of a floating IP in pillar its answers depend on, beside the token."""

    def __init__(self, ask: Ask, floating_ip: FloatingIP) -> None:
        self._ask, self.floating_ip = ask, floating_ip

    @abstractmethod
    def machine(self) -> int:
        """What it calls this machine."""

    @abstractmethod
    def hostname(self) -> str | None:
        """The name that it has for this machine."""

    @abstractmethod
    def obstacles(self, timeout: float) -> list[str]:
        """Why the address would never come to this machine."""

    @abstractmethod
    def owner(self) -> tuple[bool, str]:
        """Whether this machine has the address, and who has it, in words."""

    @abstractmethod
    def notes(self, balancers: Mapping[str, str | None], machine: int | None) -> list[str]:
        """
        What people should know before the first run. balancers: the private address of each load balancer. machine:
        this one; None where that is unknown.
        """

    @abstractmethod
    def fencing(self, plugs: Mapping[str, str], name: str, machine: int | None) -> tuple[list[str], str]:
        """
        (what is wrong with powering nodes off, what nobody knows of it). plugs: what is switched for each node; name,
        machine: this node, and what the API calls it.
        """


@dataclass(frozen=True)
class Provider(ABC):
    """Whoever moves the address."""

    name: str | None
    """What pillar calls it; None: pillar names the agent instead."""
    doc: str = ""
    """What people are told of it."""
    needs_address: bool = True
    """Whether nothing moves without an address in pillar."""
    several: bool = False
    """Whether its agent moves several addresses together."""
    one_of_a_family: bool = False
    """Whether a machine holds one address of each family at most."""
    needs_anchor: bool = False
    """Whether a load balancer has an anchor IP of it, which HAProxy binds in place of the address."""
    marks: bool = False
    """Whether its agent tells the cluster by node attributes where an address is to be, and is told their names."""
    token: str = ""
    """What the token in pillar must be, which each load balancer then has in a file; empty: it needs none."""
    api_url: str = ""
    """Where its API is, unless pillar says otherwise."""
    api: type[API] | None = None
    """Whom to ask whether the address can come, and where it is; None: nobody knows."""
    fence: Fence | None = None
    """How it powers load balancers off; None: it does not."""

    @abstractmethod
    def agent(self, floating_ip: FloatingIP) -> tuple[str, Params]:
        """The agent that moves the address, and its parameters without those of pillar."""

    @abstractmethod
    def binds_address(self, anchor_ip: str | None, address: str) -> bool:
        """Whether HAProxy binds an address itself, on a load balancer with this anchor IP, or without one."""

    def allowed(self, address: str) -> str:
        """Which address would do instead of this one; empty for one that does."""
        return ""

    def is_routed(self, floating_ip: FloatingIP) -> bool:
        """Whether all packets to it come to another machine from one moment on, those of open connections too."""
        return False

    def announces(self, floating_ip: FloatingIP) -> str | None:
        """The URL at which a machine is told, in one word, which maintenance of it is announced; None: at none."""
        return None

    def holds_address(self, floating_ip: FloatingIP) -> str | None:
        """
        A command that succeeds where the address is: of two halves of a cluster, the quorum helper prefers the one that
        has it. None: nothing tells.
        """
        return None
