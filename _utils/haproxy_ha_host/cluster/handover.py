"""
The mark of a planned failover: a transient attribute of the nodes that give the address away, which a rule of the
cluster's configuration obeys (``haproxy_ha_lib.cluster.addresses``).

Its value says whose it is and until when, so that one which a killed run has left is told from one at work, and from
that of the agent floatip, which has another value.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from haproxy_ha_host import commands, files, processes, units
from haproxy_ha_host.cluster import attributes
from haproxy_ha_lib.cluster import addresses
from saltext.pacemaker.errors import Failed
from saltext.pacemaker.live import machine, reading

_OURS = "failover"


def value(timeout: float) -> str:
    """What the nodes are marked with by this process, whose failover ends within ``timeout`` seconds."""
    return f"{_OURS}:{_boot()}:{processes.mark()}:{int(time.time() + timeout) + 10}"


class Mark(NamedTuple):
    """A mark of a node. attribute: that of all floating IPs, or of one."""

    node: str
    attribute: str = addresses.HANDOVER_ATTRIBUTE

    def __str__(self) -> str:
        """Its node, and the attribute if it is of one floating IP alone."""
        return self.node if self.attribute == addresses.HANDOVER_ATTRIBUTE else ":".join(self)

    @classmethod
    def named(cls, text: str) -> Mark:
        """Return the mark of what :func:`str` made of one."""
        return cls(*text.split(":"))

    def put(self, marked: str) -> None:
        """Mark the node."""
        self._update(f"--update={marked}")

    def take(self) -> None:
        """Take the mark away, if it is there."""
        self._update("--delete")

    def _update(self, change: str) -> None:
        commands.succeed("attrd_updater", f"--name={self.attribute}", change, f"--node={self.node}")


def stray() -> list[Mark]:
    """The marks whose failover has ended without taking them away; none without a cluster."""
    if not commands.program("attrd_updater") or not units.running("pacemaker"):
        return []
    # A cluster that does not answer has none: nothing moves either.
    found = {name: attributes.of_all(name) for name in _attributes()}
    return [Mark(node, name) for name, marks in found.items() for node, mark in marks.items() if _has_ended(mark)]


def _attributes() -> list[str]:
    """The attribute of all floating IPs, and those of single ones that the cluster has."""
    try:
        cib = reading.tree(reading.text(machine.HERE))
    except Failed:
        return [addresses.HANDOVER_ATTRIBUTE]
    pairs = cib.iterfind("status/node_state/transient_attributes//nvpair")
    names = [addresses.HANDOVER_ATTRIBUTE, *(pair.get("name", "") for pair in pairs)]
    return [*dict.fromkeys(name for name in names if name.startswith(addresses.HANDOVER_ATTRIBUTE))]


def _has_ended(marked: str) -> bool:
    kind, *parts = marked.split(":")
    if kind != _OURS or len(parts) != 3:
        return False
    boot, who, until = parts
    return not processes.lives(who) if boot == _boot() else until.isdigit() and time.time() > int(until)


def _boot() -> str:
    return (files.text("/proc/sys/kernel/random/boot_id") or "").strip()
