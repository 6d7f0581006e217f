"""Corosync's memberships and, in each, what Pacemaker does: it asks its scheduler and carries out what that says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation import fencing, scheduler
from simulation.kernel import Event
from simulation.processes import drawn
from simulation.scheduler import CANCELLED, Action, Config, Member, Operation

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.world import World

LOST, LOST_OF_MORE, FOUND = (0.25, 0.5), (0.45, 0.75), (0.6, 1.2)
"""Seconds until a node is taken for lost, of two and of more, and until who sees each other again is one cluster."""
DELAY = 0.06
"""transition-delay."""
DEADTIME = 20.0
"""dc-deadtime, with fencing."""
ELECTION, JOIN = (0.05, 0.3), (0.3, 1.2)
MESSAGE = 0.002
UNNOTICED, FORGOTTEN = 1.5, (0.1, 0.2)
"""Seconds for which others may go on without a node that then learns of their loss and return at once, as knet gives a
link up after 2 s; those until it has taken their attributes out of the CIB."""
RINGS = "/var/lib/corosync"


class Cluster:
    """All memberships."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.partitions: list[Partition] = []

    def look(self) -> None:
        """Something may have changed: it is noticed later."""
        for least, most in (LOST if self.world.expected == 2 else LOST_OF_MORE, FOUND):
            self.world.kernel.after(drawn(self.world.random, least, most), self.form)

    def form(self) -> None:
        """Makes the memberships agree with who hears whom; a node that has left for good is in none."""
        groups = [tuple(group) for group in self._groups()]
        kept = [partition for partition in self.partitions if partition.is_whole and partition.members in groups]
        fresh = [group for group in groups if group not in [partition.members for partition in kept]]
        for partition in self.partitions:
            if partition not in kept:
                partition.alive = False
        self.partitions = kept + [Partition(self, group) for group in fresh]

    def _groups(self) -> list[list[Node]]:
        """Corosync agrees on memberships in which each hears each."""
        groups: list[list[Node]] = []
        for node in self.world.nodes:
            if not (node.corosync and node.pacemaker) or node.paused:
                continue
            home = next((group for group in groups if all(self._hear(node, other) for other in group)), None)
            if home is None:
                groups.append([node])
            else:
                home.append(node)
        return groups

    def _hear(self, node: Node, other: Node) -> bool:
        return self.world.network.both_ways(node.name, other.name)

    def unasked(self, node: Node, done: Operation, reason: str) -> None:
        """A recurring monitor has found something new."""
        if node.partition:
            node.partition.result(node, done, None, reason)


class Partition:
    """The nodes that see each other, and their controller."""

    def __init__(self, cluster: Cluster, members: tuple[Node, ...]) -> None:
        self.cluster, self.members, self.world = cluster, members, cluster.world
        self.alive, self.since = True, cluster.world.kernel.now
        self.decided_alone = False
        self._armed: Event | None = None
        self._transition: Transition | None = None
        self._recheck: Event | None = None
        before = {node.partition for node in members}
        missed = [other for node in members for other in members if self._misses(node.partition, other)]
        grows = len(before) > 1
        if grows or members[0] not in [partition.members[0] for partition in before if partition]:
            for node in members:
                node.executor.join()
        for node in members:
            node.partition = self
            node.files.write(f"{RINGS}/ringid_{node.number}", "", node.wall())
        if len(members) == self.world.expected or not all(node.waits for node in members):
            for node in members:
                node.waits = False
        self._remember(before)
        self._agree()
        if missed:
            self.world.kernel.after(drawn(self.world.random, *FORGOTTEN), lambda: self._forget(missed))
        self.world.tell(f"the cluster of {self.names} begins" + ("" if self.quorum else ", without a quorum"))
        self._arm(self._first_decision(grows))

    def _first_decision(self, grows: bool) -> float:
        """Seconds until it. Who boots waits for the others for a while, where lost ones are fenced."""
        alone = all(node.fresh for node in self.members) and len(self.members) < self.world.expected
        if alone and self.members[0].config.fencing:
            return DEADTIME
        return drawn(self.world.random, *(JOIN if grows else ELECTION))

    def _remember(self, before: set[Partition | None]) -> None:
        """What ran on those that are lost is known until they are fenced, or are back."""
        names = {node.name for node in self.members}
        lost = {node.name: {resource: dict(entries) for resource, entries in node.executor.history.items()}
                for partition in before if partition for node in partition.members}  # fmt: skip
        for node in self.members:
            lost |= node.remembered
        down = set[str]().union(*(node.down for node in self.members))
        for node in self.members:
            node.remembered = {name: history for name, history in lost.items() if name not in names}
            node.down = down - names

    @property
    def names(self) -> str:
        return ", ".join(node.name for node in self.members)

    @property
    def is_whole(self) -> bool:
        """Nobody has left it, if only for a moment."""
        return self.alive and all(node.partition is self for node in self.members)

    @property
    def quorum(self) -> bool:
        if self.world.expected != 2:
            return len(self.members) * 2 > self.world.expected
        first = self.members[0]
        return not (first.waits and first.config.fencing and self.world.setting.waits)

    def _agree(self) -> None:
        """The newest configuration counts; each node tells its own attributes; what is lost has none."""
        config = max((node.config for node in self.members), key=lambda config: config.version)
        own = {node.name: dict(node.attrd[node.name]) for node in self.members}
        erased = {node.name for node in self.members if node.erased}
        for node in self.members:
            node.config, node.erased = config, False
            for name in node.attrd:
                node.attrd[name] = dict(own.get(name, {}))
                node.attributes[name] = {} if name in erased else dict(own.get(name, {}))
            node.known |= {member.name for member in self.members}

    def _misses(self, former: Partition | None, other: Node) -> bool:
        """Whether a node, of a membership of before, went on without who was in that, for so short a time that it has
        not noticed."""
        if not (former and other.partition) or other.partition is former or other not in former.members:
            return False
        return self.since - other.partition.since < UNNOTICED

    def _forget(self, missed: list[Node]) -> None:
        """Who stood still learns of the others' loss and return at once; its controller takes their attributes away."""
        if self.alive and any(self.members[0].attributes[node.name] for node in missed):
            for node in missed:
                node.forgotten = True
                for member in self.members:
                    member.attributes[node.name].clear()
            self.changed()

    def lose(self, node: Node) -> None:
        """A member has gone: what was asked of it is not waited for."""
        if self._transition:
            self._transition.give_up(node)

    # What changes a CIB

    def erase(self, node: Node) -> None:
        """A node's attributes are lost."""
        for member in self.members:
            member.attrd[node.name].clear()
            member.attributes[node.name].clear()
        self.changed()

    def set_attribute(self, origin: Node, name_of_node: str, name: str, value: str | None, dampening: float) -> None:
        if origin.attrd[name_of_node].get(name) == value:
            return  # what it knows it does not write again, be it in the CIB or not
        for member in self.members:
            values = member.attrd[name_of_node]
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        if dampening:
            if origin.attributes[name_of_node].get(name) != value:
                self.world.kernel.after(dampening, lambda: self._write_later(origin, name))
        else:
            self.write(origin, name_of_node, name)

    @staticmethod
    def _write_later(origin: Node, name: str) -> None:
        """What every node has told of it meanwhile is written at once."""
        for name_of_node in origin.attrd if origin.partition else ():
            if origin.partition:
                origin.partition.write(origin, name_of_node, name)

    def write(self, origin: Node, name_of_node: str, name: str) -> None:
        value = origin.attrd[name_of_node].get(name)
        if origin.attributes[name_of_node].get(name) == value:
            return
        for member in self.members:
            values = member.attributes[name_of_node]
            values.pop(name, None)
            if value is not None:
                values[name] = value
        self.world.tell(f"{name_of_node}: {name} = {value}")
        self.changed()

    def configure(self, config: Config) -> None:
        """What an operator does, or a run of Salt."""
        for member in self.members:
            member.config = config._replace(version=max(node.config.version for node in self.members) + 1)
        self.changed()

    def result(self, node: Node, done: Operation, action: Action | None, reason: str) -> None:
        """An action has ended."""
        if done.failed:
            self.world.tell(f"{node.name}: {done.task} of {done.resource} fails ({done.rc}): {reason}")
            self._count_failure(node, done)
        transition = self._transition
        if transition and action and transition.took(action):
            transition.ended(action, ok=done.expected)
        elif done.status != CANCELLED:
            self.changed()  # of an earlier transition, or asked for by none
        if not done.expected and done.status != CANCELLED:
            self.changed()

    def _count_failure(self, node: Node, done: Operation) -> None:
        if done.task == "monitor" and not done.interval:
            return
        what = f"{done.resource}#{done.task}_{done.interval}"
        before = node.attrd[node.name].get(f"fail-count-{what}", "0")
        value = "INFINITY" if done.task == "stop" or before == "INFINITY" else str(int(before) + 1)
        self.set_attribute(node, node.name, f"fail-count-{what}", value, 0)
        self.set_attribute(node, node.name, f"last-failure-{what}", str(self.world.kernel.now), 0)

    def clear_failures(self, node: Node, resource: str) -> None:
        for name in list(node.attrd[node.name]):
            if name.startswith((f"fail-count-{resource}#", f"last-failure-{resource}#")):
                self.set_attribute(node, node.name, name, None, 0)
        node.executor.forget_failure(resource)
        self.changed()

    # Deciding

    def cib(self) -> str:
        config = self.members[0].config
        text = scheduler.configuration(config, len(self.world.nodes), self.world.setting.without)
        members = [self._member(node) for node in self.world.nodes if node.name in config.nodes]
        return scheduler.cib(text, members, self.members[0].number, self.quorum, self.world.kernel.now)

    def _member(self, node: Node) -> Member:
        online = node in self.members and not node.left_clean
        first = self.members[0]
        clean = node.left_clean or node.name in first.down
        known = first.remembered.get(node.name, {}) if first.config.fencing and not clean else {}
        attributes = first.attributes[node.name] if online else {}
        return Member(node.number, node.name, online, clean, node.executor.history if online else known, attributes)

    def fence(self, name: str, delay: float, report: Callable[[bool], None]) -> None:
        """Has a lost node powered off; a fencer goes on with that, whatever becomes of the cluster."""
        by = self.members[0]
        self.world.tell(f"the cluster of {self.names}: fence {name}" + (f", in {delay:g} s" if delay else ""))

        def done(fenced: bool) -> None:
            partition = by.partition
            self.world.tell(f"{name} is {'fenced' if fenced else 'not fenced'}, {by.name} says")
            for member in partition.members if partition and fenced else ():
                if member.name != name:
                    member.down.add(name)
                    member.remembered.pop(name, None)
            report(fenced)
            if partition:
                partition.changed()

        fencing.fence(by, name, delay, done)

    def changed(self) -> None:
        """The scheduler is to be asked again; what is under way ends before."""
        if self._transition:
            self._transition.aborted = True
        self._arm(DELAY)

    def _arm(self, seconds: float) -> None:
        if self.alive and not self._armed and not (self._transition and self._transition.busy):
            self._armed = self.world.kernel.after(seconds, self._decide)

    def _decide(self) -> None:
        self._armed = None
        for member in self.members:
            member.fresh = False
        if not self.alive or (self._transition and self._transition.busy):
            return
        if self.members[0].executor.fences:
            return  # who asked for it decides when it knows how that has ended
        if not self.members[0].works:
            self._arm(0.5)
            return
        self.decided_alone = not self.quorum
        actions, start_offset = scheduler.transition(self.cib())
        del start_offset  # 1: start-failure-is-fatal is false
        self._transition = Transition(self, actions)
        self._transition.go_on()
        self._expect_expiry()

    def _expect_expiry(self) -> None:
        """Failures end by themselves, and the scheduler is asked then."""
        now = self.world.kernel.now
        ends = [
            operation.when + scheduler.FAILURES_COUNT[operation.resource]
            for node in self.members for entries in node.executor.history.values() for operation in entries.values()
            if operation.failed
        ]  # fmt: skip
        later = [end for end in ends if end > now]
        if later:
            if self._recheck:
                self._recheck.cancel()
            self._recheck = self.world.kernel.after(min(later) - now + 0.01, self.changed)

    def transition_ended(self, again: bool) -> None:
        if again:
            self._arm(DELAY)

    @property
    def is_idle(self) -> bool:
        return not self._armed and not (self._transition and self._transition.busy)


class Transition:
    """A graph of actions, carried out in its order."""

    def __init__(self, partition: Partition, actions: dict[str, Action]) -> None:
        self._partition, self._actions = partition, actions
        self._begun: set[str] = set()
        self._done: set[str] = set()
        self._under_way: dict[str, Action] = {}
        self.aborted = False

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    def took(self, action: Action) -> bool:
        return self._under_way.get(action.id) is action

    def go_on(self) -> None:
        """Begins what can begin."""
        again = True
        while again and not self.aborted:
            again = False
            for action in self._actions.values():
                if action.id not in self._begun and all(one in self._done for one in action.inputs):
                    self._begun.add(action.id)
                    again = True
                    self._begin(action)
        if not self._under_way:
            self._partition.transition_ended(self.aborted)

    def _begin(self, action: Action) -> None:
        partition = self._partition
        node = next((member for member in partition.members if member.name == action.node), None)
        if action.kind == "pseudo_event":
            self._done.add(action.id)
        elif action.task == "cancel" and node:
            self._done.add(action.id)
            node.executor.cancel(action.resource, action.interval)
        elif action.task == "do_shutdown" and node:
            self._done.add(action.id)
            partition.world.kernel.after(MESSAGE, node.leave)
        elif action.task == "clear_failcount" and node:
            self._done.add(action.id)
            partition.world.kernel.after(MESSAGE, lambda: partition.clear_failures(node, action.resource))
        elif action.task == "stonith":
            self._under_way[action.id] = action
            partition.fence(action.node, action.delay, lambda fenced: self.fenced(action, fenced))
        elif action.kind == "rsc_op" and node:
            self._ask(node, action)
        else:
            raise LookupError(f"the simulation does not carry out {action}")

    def _ask(self, node: Node, action: Action) -> None:
        partition = self._partition
        self._under_way[action.id] = action
        if action.task != "monitor":
            partition.world.tell(f"the cluster of {partition.names}: {action.task} {action.resource} on {node.name}")

        def report(done: Operation, reason: str) -> None:
            if node.partition:
                node.partition.result(node, done, action, reason)

        executor = node.executor
        partition.world.kernel.after(MESSAGE, lambda: executor.request(action, report))

    def ended(self, action: Action, ok: bool) -> None:
        del self._under_way[action.id]
        if ok:
            self._done.add(action.id)
        self._partition.world.kernel.after(MESSAGE, self._look_on)

    def fenced(self, action: Action, fenced: bool) -> None:
        if self.took(action):
            self.ended(action, fenced)

    def _look_on(self) -> None:
        if self._partition.alive:
            self.go_on()

    def give_up(self, node: Node) -> None:
        for action in [action for action in self._under_way.values() if action.node == node.name]:
            del self._under_way[action.id]
        self.aborted = True
