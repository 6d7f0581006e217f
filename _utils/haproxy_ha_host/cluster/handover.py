"""
The mark of a planned failover: a transient attribute of the nodes that give the address away, which a rule of the
cluster's configuration obeys (``haproxy_ha_lib.cluster.objects``).

Its value says whose it is and until when, so that one which a killed run has left is told from one at work, and from
that of the agent floatip, which has another value.
"""

from __future__ import annotations

import time

from haproxy_ha_host import commands, files, processes
from haproxy_ha_host.cluster import attributes
from haproxy_ha_lib.cluster import objects

_OURS = "failover"


def value(timeout: float) -> str:
    """What the nodes are marked with by this process, whose failover ends within ``timeout`` seconds."""
    return f"{_OURS}:{_boot()}:{processes.mark()}:{int(time.time() + timeout) + 10}"


def put(node: str, marked: str) -> None:
    """Mark a node."""
    _update(node, f"--update={marked}")


def take(node: str) -> None:
    """Take the mark of a node away, if it has one."""
    _update(node, "--delete")


def _update(node: str, change: str) -> None:
    commands.succeed("attrd_updater", f"--name={objects.HANDOVER_ATTRIBUTE}", change, f"--node={node}")


def stray() -> list[str]:
    """The nodes with a mark whose failover has ended without taking it away (list of str); none without a cluster."""
    marks = attributes.of_all(objects.HANDOVER_ATTRIBUTE)  # the cluster does not answer: nothing moves either
    return [node for node, marked in marks.items() if _has_ended(marked)]


def _has_ended(marked: str) -> bool:
    kind, *parts = marked.split(":")
    if kind != _OURS or len(parts) != 3:
        return False
    boot, who, until = parts
    return not processes.lives(who) if boot == _boot() else until.isdigit() and time.time() > int(until)


def _boot() -> str:
    return (files.text("/proc/sys/kernel/random/boot_id") or "").strip()
