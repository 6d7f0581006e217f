"""What must hold, whatever happens: looked at when something moves or ends, once a second, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.disturbances import ALL, HERE, KINDS, MAJORITY, Disturbance
from simulation.processes import Process
from simulation.scheduler import DONE, FAILED, FAILURES_COUNT, PENDING, Operation
from simulation.world import Violation

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.world import World

EXCUSED = 60.0
"""Seconds for which a disturbance that has ended is still a reason to move the address."""
LOOK, BLIND = 1.5, 10.0
"""Seconds for which a look counts that was taken while a node was cut off, and for which what it did may be undone."""
STOOD, PATIENCE = 15.0, (0.2, 1.5)
"""Seconds after which a node that stands by has looked again; those that a start, and who stands by, waits for an
answer."""
SILENCE = 1.0
"""Seconds of delay beyond which a node is as one whose gateway is silent."""
CALM = 150.0
"""Seconds without a disturbance after which all must be well: failures count for two minutes."""
CALLS, MOVES = (30, 60, 6), (1, 3, 1)
"""At most so many calls of the API and moves, so many more for each disturbance, and for each time that a link comes or
goes."""
LONGEST_OUTAGE = 75
UNABLE = {
    "API", "cloud", "late requests", "token", "metadata", "stale metadata", "agent dies", "disk full", "deaf", "late",
    "loss",
}  # fmt: skip
"""While these go on, nobody need be able to take the address; and three failures of a start count for some time."""
API_UNABLE = {"API", "cloud", "late requests", "token"}
BANNED = 125.0
LOST = "-1000"
"""What the watcher tells of a node to which clients do not come."""
MARKS = ("haproxy_ha-handover", "haproxy_ha-takeover", "fail-count", "last-failure", "shutdown")


class Watch:
    """Raises Violation as soon as something does not hold.

    Args:
        world (World): What is watched.
        begin (float): When the first disturbance can begin: all before is a boot.
    """

    def __init__(self, world: World, begin: float) -> None:
        self._world, self._begin = world, begin
        self.active: list[Disturbance] = []
        self.past: list[tuple[float, Disturbance]] = []
        self._stopped: Node | None = None
        self._blind: tuple[float, Node | None] = (0.0, None)
        self._stood: dict[str, float] = {}
        self._starts: dict[str, tuple[float, float]] = {}
        self._ended: dict[str, float] = {}
        self.calls = self.moves = self._unserved = 0
        self.seen: set[tuple[str, str]] = set()
        world.watchers.append(self)
        world.kernel.after(begin, self._look)

    # What happens

    def began(self, one: Disturbance) -> None:
        self.seen.add((one.kind, self.state()))
        self.active.append(one)

    def over(self, one: Disturbance) -> None:
        self.active.remove(one)
        self.past.append((self._world.kernel.now, one))

    def state(self) -> str:
        """In a word what the pair does."""
        world = self._world
        claims = [node.claims() or "" for node in world.nodes]
        words = [
            "cut" if len(world.cluster.partitions) > 1 else "whole",
            "moves" if any(process.what == "start of FloatIP" for node in world.nodes
                           for process in node.executor.processes) else "stays",
            "stands by" if any("stands" in claim for claim in claims) else "",
            "two claims" if sum("checked" in claim for claim in claims) > 1 else "",
        ]  # fmt: skip
        return " ".join(filter(None, words))

    def called(self, node: Node, method: str) -> None:
        if not node.config.fencing:  # a fence device asks by itself, again and again
            self.calls += 1
        self._bound("calls of the API", self.calls, CALLS)

    def moved(self, before: Node | None, after: Node | None) -> None:
        if self._world.kernel.now < self._begin:
            return
        self.moves += 1
        self._bound("moves", self.moves, MOVES)
        stopped, self._stopped = self._stopped, None
        held = before and self._world.network.serves(before) and (before is stopped or self._claims(before))
        blindly = self._saw_nothing(before, after)
        undone = self._took_blindly(before) or self._nobody_knew(before, after)
        if before and held and not (blindly or undone or self._excuses(before)):
            self._violated(f"{before.name} serves, and the address is taken away without a reason")
        if blindly:
            self._blind = (self._world.kernel.now, after)

    def fenced(self, node: Node) -> None:
        """Nobody loses its power who serves, and to whom nothing has happened."""
        serves = self._world.cloud.owner_node() is node and self._world.network.serves(node) and self._claims(node)
        if serves and not (self._excuses(node) or self._took_blindly(node) or self._api_was_unable()):
            self._violated(f"{node.name} serves, and is powered off without a reason")

    def _api_was_unable(self) -> bool:
        """Of two that ask for each other's power it then does neither, until the one that is to wait has waited."""
        recent = [one for moment, one in self.past if self._world.kernel.now - moment < EXCUSED]
        return any(one.kind in API_UNABLE for one in (*self.active, *recent))

    def begins(self, node: Node, operation: Operation) -> None:
        if (operation.resource, operation.task) == ("FloatIP", "start"):
            self._starts[node.name] = operation.when, self._world.kernel.now
            self._ended.pop(node.name, None)
        stops = (operation.resource, operation.task) == ("FloatIP", "stop") and self._world.cloud.owner_node() is node
        if stops and self._claims(node) and not self._excuses(node) and not self._took_blindly(node):
            self._stopped = node  # a start at the same place takes nothing away

    def _took_blindly(self, node: Node | None) -> bool:
        """What a node did by a look that told nothing may be undone by the whole cluster."""
        moment, taker = self._blind
        return bool(node) and taker is node and self._world.kernel.now - moment < BLIND

    @staticmethod
    def _claims(node: Node) -> bool:
        return "checked" in (node.claims() or "")

    def _nobody_knew(self, node: Node | None, after: Node | None) -> bool:
        """Whether its start was asked for by a cluster that was over when it ended: the next one hears nothing of it
        until then (build_active_RAs in Pacemaker's controld_execd.c), and may have asked another node meanwhile."""
        if not (node and node.partition and after):
            return False
        now, (asked, _) = self._world.kernel.now, self._starts.get(node.name, (0.0, 0.0))
        ended, (asked_again, _) = self._ended.get(node.name, now), self._starts.get(after.name, (now, now))
        return asked < node.partition.since <= ended and asked_again < ended and now - ended < BLIND

    def ended(self, node: Node, process: Process, done: Operation) -> None:
        if (done.resource, done.task) == ("FloatIP", "start"):
            self._ended[node.name] = self._world.kernel.now
        if "stands" in (node.claims() or ""):
            self._stood[node.name] = self._world.kernel.now
        if node is self._stopped and done.task == "start" and self._claims(node):
            self._stopped = None
        if done.task == "stop" and done.failed and done.status != FAILED:
            self._violated(f"{node.name}: the stop of {done.resource} fails ({done.status}, {done.rc}): {process.said}")
        if any("unexpected" in line for line in process.said):
            self._violated(f"{node.name}: {done.task} of {done.resource} says {process.said}")

    # What must hold

    def _bound(self, what: str, found: int, bounds: tuple[int, int, int]) -> None:
        counts = (1, len(self.active) + len(self.past), self._world.flips)
        most = sum(bound * count for bound, count in zip(bounds, counts, strict=True))
        if found > most:
            self._violated(f"{found} {what} are more than {most}")

    def _excuses(self, owner: Node) -> list[str]:
        """What happened to a node, or to the whole pair, that is a reason to take the address from it."""
        now = self._world.kernel.now
        recent = [one for moment, one in self.past if now - moment < EXCUSED]
        partition = owner.partition
        alone = ["no quorum"] if partition and (partition.decided_alone or not partition.quorum) else []
        here = (HERE, MAJORITY) if self._world.expected > 2 or owner.config.fencing else (HERE,)
        return alone + [
            one.kind for one in (*self.active, *recent)
            if KINDS[one.kind].moves == ALL
            or (one.node == owner.number and (KINDS[one.kind].moves in here or is_silence(one)))
        ]  # fmt: skip

    def _saw_nothing(self, owner: Node | None, taker: Node | None) -> bool:
        """A node that has looked while it was cut off acts by that; so does one that speaks and hears nothing, or
        nothing in time."""
        now = self._world.kernel.now
        recent = [one for moment, one in self.past if now - moment < LOOK]
        comes_and_goes = any(one.kind == "flapping" for one in self.active)
        mended = any(one.kind.startswith("cut") or one.kind == "flapping" for one in recent)
        if comes_and_goes or mended or taker is None:
            return comes_and_goes or mended
        return not self._hears_in_time(taker, owner) or self._was_asked_before(taker)

    def _was_asked_before(self, taker: Node) -> bool:
        """Whether its start waited behind another one, and the cluster that asked for it is over since."""
        asked, began = self._starts.get(taker.name, (0.0, 0.0))
        return bool(taker.partition and asked < taker.partition.since <= began)

    def _hears_in_time(self, taker: Node, owner: Node | None) -> bool:
        """Whoever stands by, or is cut off from all machines, waits longer for an answer than any other start."""
        network, since = self._world.network, self._stood.get(taker.name, -STOOD)
        patience = PATIENCE[self._world.kernel.now - since < STOOD or not network.hears_anybody(taker)]
        recent = [one for moment, one in self.past if self._world.kernel.now - moment < STOOD]
        if any(one.kind == "loss" for one in (*self.active, *recent)):
            return False
        was_late = [one for moment, one in self.past if one.kind == "late" and self._world.kernel.now - moment < LOOK]
        if any(one.value > patience for one in was_late):
            return False  # as it looked
        return network.both_ways(taker.name, "clients") and not (owner and network.trip(taker, owner) > patience)

    def _look(self) -> None:
        self._world.kernel.after(1.0, self._look)
        self._served()
        last = max((moment for moment, _ in self.past), default=-CALM)
        if not self.active and self._world.kernel.now - last > CALM:
            self.well()

    def _served(self) -> None:
        """While somebody could serve, and nothing keeps the cluster from it, clients do not wait for long."""
        world = self._world
        owner = world.cloud.owner_node()
        recent = [one for moment, one in self.past if world.kernel.now - moment < BANNED]
        kept = {one.kind for one in (*self.active, *recent)} & UNABLE
        if kept or (owner and world.network.serves(owner)) or not any(self._could_serve(node) for node in world.nodes):
            self._unserved = 0
            return
        self._unserved += 1
        if self._unserved > LONGEST_OUTAGE:
            self._violated(f"clients have had no answer for {self._unserved} s, and somebody could serve")

    def _could_serve(self, node: Node) -> bool:
        config = node.config
        partition = node.partition
        held = bool(config.bans) or config.maintenance or node.name in config.standby or node.leaving
        return bool(partition and partition.quorum and node.works and self._world.network.serves(node) and not held)

    def well(self) -> None:
        """One owner that serves; nothing failed, nothing banned, no mark left."""
        world = self._world
        owner = world.cloud.owner_node()
        if not (owner and world.network.serves(owner)):
            self._violated(f"the address is at {owner.name if owner else 'nobody'}, who does not serve")
        assert owner
        for node in world.nodes:
            if not node.gone:
                self._well(node, node is owner)
        if len(world.cluster.partitions) != 1:
            self._violated("the cluster is in pieces")

    def _well(self, node: Node, owns: bool) -> None:
        name = node.name
        if ("checked" in (node.claims() or "")) != owns:
            self._violated(f"{name} {'owns the address and does not claim it' if owns else 'claims the address'}")
        if not owns and node.claims() is not None:
            self._violated(f"{name} still stands by")
        history = node.executor.history
        failed = [one for entries in history.values() for one in entries.values() if one.failed and self._counts(one)]
        if failed:
            self._violated(f"{name}: {failed[0].task} of {failed[0].resource} has failed ({failed[0].rc})")
        # Of failures before a crash only the attribute manager knows: they end, and are cleared by nobody.
        marks = [mark for mark in MARKS if not (node.crashed and "fail" in mark)]
        # Nor of those that are out of the CIB, as others took this node for lost.
        unseen = {mark for mark in node.attrd[name] if node.forgotten and "fail" in mark} - {*node.attributes[name]}
        left = [mark for mark, value in node.attrd[name].items()
                if mark not in unseen and (mark.startswith(tuple(marks)) or value == LOST)]  # fmt: skip
        if left:
            self._violated(f"{name} has the mark {left[0]}")
        if runs(node, "FloatIP") != owns:
            self._violated(f"{name}: FloatIP {'does not run' if owns else 'runs'} by the cluster's word")
        if not (runs(node, "haproxy") and node.answers):
            self._violated(f"{name}: HAProxy does not run")

    def _counts(self, one: Operation) -> bool:
        """A failure that is over stays in the history, where nobody counted it."""
        return self._world.kernel.now - one.when < FAILURES_COUNT[one.resource]

    def _violated(self, text: str) -> None:
        self._world.tell(f"VIOLATED: {text}")
        raise Violation(text)


def is_silence(one: Disturbance) -> bool:
    """Answers come so late that the watcher, for a while, hears none of the gateway."""
    return one.kind == "late" and one.value > SILENCE


def runs(node: Node, resource: str) -> bool:
    """Whether a resource is active on a node by the history of its operations."""
    entries = [one for one in node.executor.history.get(resource, {}).values() if one.status != PENDING]
    last = max(entries, key=lambda one: one.call, default=None)
    return bool(last and last.status == DONE and last.rc in (0, 190) and last.task != "stop")
