"""Who is who in the cluster, and the planned move of the floating IP."""

from __future__ import annotations

from collections.abc import Sequence

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, units, waiting
from haproxy_ha_host.cluster import attributes, handover
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.cluster import objects, standing
from haproxy_ha_lib.types import Tree

_INTERVAL = 0.2


def status(minion: Minion) -> Tree:
    """Return who is who, what operators have set, and what is wrong; see ``standing.overview`` (dict)."""
    if not commands.program("crm_mon"):
        note = standing.without_cluster(minion.shown_settings()["roles"])
        return {**dict.fromkeys(standing.OVERVIEW, []), "notes": [note]}
    seen = overview(minion, minion.salt["pacemaker.status"]())
    return {**seen, "notes": [*standing.announced(_announced()), *seen["notes"]]}


def _announced() -> dict[str, str]:
    """Which maintenance of which nodes is announced."""
    return attributes.of_all(objects.MAINTENANCE_ATTRIBUTE)


def overview(minion: Minion, cluster: Tree) -> Tree:
    """Return the same of a cluster whose status is known: of this node, by HAProxy's service."""
    return standing.overview(cluster, minion.salt["pacemaker.node_name"](), units.running(minion.haproxy_unit()))


def failover(minion: Minion, to: str | None, timeout: float) -> dict[str, str | None]:
    """
    Move the floating IP, and return when it is there: {"old": node, "new": node}.

    to
        The load balancer that shall have it (str); None: one that has not, and runs HAProxy.
    timeout
        For how many seconds at most.

    Raises CommandExecutionError; at once where the cluster will not move it.
    """
    cluster = minion.salt["pacemaker.status"]()
    before = overview(minion, cluster)
    move = standing.plan_move(cluster, before, to, _announced())
    if move.refusal:
        raise CommandExecutionError(move.refusal)
    if move.new is not None and move.new != move.old:
        _move(minion, move.new, [node for node in before["haproxy"] if node != move.new], timeout)
    return {"old": move.old, "new": move.new}


def _move(minion: Minion, target: str, others: Sequence[str], timeout: float) -> None:
    marked = handover.value(timeout)
    try:
        handover.take(target)
        for node in others:
            handover.put(node, marked)
        if not waiting.wait_for(lambda: _holders(minion) == [target], timeout, _INTERVAL):
            where = ", ".join(_holders(minion)) or "no node"
            raise CommandExecutionError(f"after {timeout} s the floating IP is not on {target}, but on {where}")
    finally:
        for node in others:
            handover.take(node)


def _holders(minion: Minion) -> list[str]:
    """The nodes that have the floating IP."""
    return standing.on(minion.salt["pacemaker.status"](), standing.ADDRESS)
