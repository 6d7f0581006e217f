"""Several addresses of a pair: where they are, and what their clients see."""

from __future__ import annotations

import contextlib
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lab import audit
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import BALANCERS
from lab.traffic import Record, ask, probe

from .fault import INTERVAL_MS, STEADY, Fault, Scene


@dataclass(frozen=True)
class Clients:
    """Those who ask some addresses, from one host."""

    source: str
    addresses: tuple[str, ...]

    @contextlib.contextmanager
    def asking(self) -> Iterator[list[Record]]:
        """A record for each address, while the block runs."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(probe(INTERVAL_MS, address, source=self.source)) for address in self.addresses]

    def are_served(self) -> bool:
        """Whether each address answers."""
        return all(ask(address, source=self.source)[0] == 200 for address in self.addresses)


def serves(record: Record, since: float) -> bool:
    """Whether the last requests were answered well, all of them after a moment (seconds since the epoch)."""
    last = record.samples[-STEADY:]
    return all(sample["status"] == 200 and sample["start"] > since for sample in last)


@dataclass(frozen=True)
class Places:
    """Where the address of each resource is, and where HAProxy runs."""

    addresses: dict[str, list[str]] = field(default_factory=dict)
    haproxy: list[str] = field(default_factory=list)


def places(host: str) -> Places:
    """The same as a load balancer's crm_mon sees it; nowhere while one is off, or its cluster does not answer."""
    view = audit.status(host) if all(machine(name).leader() for name in BALANCERS) else None
    return Places() if view is None else places_of(view)


def places_of(view: ET.Element) -> Places:
    """The same by crm_mon's XML."""
    found: dict[str, list[str]] = {}
    for resource in view.iter("resource"):
        on = [node.get("name", "") for node in resource.findall("node")]
        found.setdefault(resource.get("id", ""), []).extend(on)
    addresses = {name: nodes for name, nodes in found.items() if name.partition("-")[0] == "FloatIP"}
    return Places(addresses, found.get("haproxy", []))


def both_run(host: str) -> bool:
    """HAProxy, and it reaches the same on both: an address would leave one that reaches less at once."""
    if len(places(host).haproxy) != 2:
        return False
    reached = audit.attribute("haproxy_ha-reach") or {}
    return len(reached) == 2 and len(set(reached.values())) == 1


def settle(host: str, clients: Clients, where: Callable[[dict], bool], timeout: float = 150) -> dict[str, list[str]]:
    """Wait until the addresses are where they should be, HAProxy runs on both, and clients are served.

    Args:
        host (str): The load balancer that is asked.
        where (callable): Whether {resource: nodes} is as it should be.

    Returns:
        dict: {resource: nodes}.
    """
    found: dict[str, list[str]] = {}

    def well() -> bool:
        seen = places(host)
        found.clear()
        found.update(seen.addresses)
        return bool(found) and where(found) and len(seen.haproxy) == 2 and clients.are_served()

    wait_for("the addresses in their places", well, timeout, 0.5)
    return found


def strike(fault: Fault, scene: Scene, struck: list[Record]) -> None:
    """Have a fault happen, wait until clients of what it strikes are served again, and mend it."""
    try:
        fault.inject(scene)
        began = time.time()
        over = began + fault.hold
        wait_for(f"{fault.name} to be over for clients", lambda: all(serves(one, over) for one in struck), 60)
    finally:
        fault.mend(scene)
    wait_for("both balancers", lambda: both_run(scene.passive), 150, 0.5)
