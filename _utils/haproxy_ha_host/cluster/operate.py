"""Who is who in the cluster, and the planned moves of floating IPs."""

from __future__ import annotations

from collections.abc import Sequence

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, units, waiting
from haproxy_ha_host.cluster import attributes, handover
from haproxy_ha_host.cluster.handover import Mark
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.cluster import addresses, objects, standing
from haproxy_ha_lib.types import Tree

_INTERVAL = 0.2


def status(minion: Minion) -> Tree:
    """Return who is who, what operators have set, and what is wrong; see ``standing.overview`` (dict)."""
    if not commands.program("crm_mon"):
        note = standing.without_cluster(minion.shown_settings()["roles"])
        return {**dict.fromkeys(standing.OVERVIEW, []), "addresses": {}, "notes": [note]}
    seen = overview(minion, minion.salt["pacemaker.status"]())
    return {**seen, "notes": [*standing.announced(_announced()), *seen["notes"]]}


def _announced() -> dict[str, str]:
    """Which maintenance of which nodes is announced."""
    return attributes.of_all(objects.MAINTENANCE_ATTRIBUTE)


def overview(minion: Minion, cluster: Tree) -> Tree:
    """Return the same of a cluster whose status is known: of this node, by HAProxy's service."""
    return standing.overview(cluster, minion.salt["pacemaker.node_name"](), units.running(minion.haproxy_unit()))


def failover(minion: Minion, to: str | None, timeout: float, address: str | None = None) -> dict[str, str | None]:
    """
    Move the floating IPs, and return when they are there: {"old": node, "new": node}.

    to
        The load balancer that shall have them (str); None: one that has not, and runs HAProxy.
    timeout
        For how many seconds at most.
    address : ``None``
        Which one moves, by its name in pillar (str); None: all.

    Raises CommandExecutionError; at once where the cluster will not move one.
    """
    cluster = minion.salt["pacemaker.status"]()
    before = overview(minion, cluster)
    moves = standing.plan_moves(cluster, before, to, address, _announced())
    _carry_out(minion, before, moves, timeout, together=address is None)
    new = moves[0].new
    left = dict.fromkeys(move.old for move in moves if move.old and move.old != new)
    return {"old": ", ".join(filter(None, left)) or moves[0].old, "new": new}


def spread(minion: Minion, timeout: float, test: bool = False) -> dict[str, dict[str, str | None]]:
    """
    Move each floating IP to the load balancer that it prefers, and return when all are there: {name: {"old", "new"}}.

    timeout
        For how many seconds at most.
    test : ``False``
        True: only tell what would move.

    Raises CommandExecutionError if none prefers any, and where the cluster will not move one.
    """
    preferences = {one.resource: one.prefers for one in minion.valid_settings().moving if one.prefers}
    if not preferences:
        raise CommandExecutionError("no floating IP prefers a load balancer (haproxy_ha:cluster:spread, and prefers)")
    cluster = minion.salt["pacemaker.status"]()
    before = overview(minion, cluster)
    moves = standing.plan_spread(cluster, before, preferences, _announced())
    if not test:
        _carry_out(minion, before, moves, timeout, together=False)
    return {standing.named(move.resource): {"old": move.old, "new": move.new} for move in moves}


def _carry_out(minion: Minion, before: Tree, moves: Sequence[standing.Move], timeout: float, together: bool) -> None:
    """Make moves at the same time. ``together``: they are all there are, and have one target."""
    if refused := [move.refusal for move in moves if move.refusal]:
        raise CommandExecutionError("\n".join(refused))
    due = [move for move in moves if move.new not in (None, move.old)]
    several = len(before["addresses"]) > 1 and not together
    marks = dict.fromkeys(
        Mark(node, addresses.handover_of(move.resource, several))
        for move in due for node in before["haproxy"] if node != move.new
    )  # fmt: skip
    marked = handover.value(timeout)
    try:
        for move in due:
            Mark(str(move.new), addresses.handover_of(move.resource, several)).take()
        for mark in marks:
            mark.put(marked)
        _wait(minion, due, timeout)
    finally:
        for mark in marks:
            mark.take()


def _wait(minion: Minion, moves: Sequence[standing.Move], timeout: float) -> None:
    def away() -> list[str]:
        cluster = minion.salt["pacemaker.status"]()
        held = {move: standing.on(cluster, move.resource) for move in moves}
        return [f"{standing.spoken(move.resource)} is not on {move.new}, but on {', '.join(nodes) or 'no node'}"
                for move, nodes in held.items() if nodes != [move.new]]  # fmt: skip

    if moves and not waiting.wait_for(lambda: not away(), timeout, _INTERVAL):
        raise CommandExecutionError(f"after {timeout} s {'; '.join(away())}")
