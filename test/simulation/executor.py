"""What runs a node's agents: one action of a resource at a time, recurring ones again and again, none for too long."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation import fencing
from simulation.kernel import Event
from simulation.processes import Process
from simulation.scheduler import CANCELLED, DONE, FAILED, PARAMETERS, PENDING, TIMED_OUT, Action, Operation

if TYPE_CHECKING:
    from simulation.node import Node

SPAWN = 0.03
"""Seconds until Python runs."""
Report = Callable[[Operation, str], None]


class Executor:
    """The history of a node, and what runs on it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.history: dict[str, dict[str, Operation]] = {}
        self._under_way: dict[tuple[str, str], Operation | None] = {}
        self.processes: list[Process] = []
        self._queues: dict[str, deque[Callable[[], None]]] = {}
        self._busy: set[str] = set()
        self._recurring: dict[tuple[str, int], int] = {}
        self._next_runs: dict[tuple[str, int], Event] = {}
        self._said: dict[tuple[str, int], tuple[int, int]] = {}
        self._overdue: list[Process] = []
        self._calls = 0
        self.registered = False  # the fence device, with the fencer
        self.fences: list[str] = []  # nodes that the fencer powers off, or is about to
        self._ended = self._paused = False

    # From outside

    def request(self, action: Action, report: Report) -> None:
        """Runs an action of a transition."""
        if action.task == "stop":
            self._cancel(action.resource)
        if action.interval:
            self.cancel(action.resource, action.interval)
        self._calls += 1
        operation = Operation(
            action.resource, action.task, action.interval, self._calls, 193, action.target, PENDING, self._now
        )
        if action.interval:
            self._recurring[action.resource, action.interval] = self._calls
        self._record(operation)
        self._enqueue(operation, action.timeout, report)

    def forget(self, resource: str) -> None:
        """As after a clean-up: nothing is known of a resource here."""
        self._cancel(resource)
        self.history.pop(resource, None)
        self._under_way = {key: before for key, before in self._under_way.items() if key[0] != resource}

    def join(self) -> None:
        """A controller that is new to this node hears what has ended here, and nothing of what is under way
        (build_active_RAs in Pacemaker's controld_execd.c)."""
        for (resource, name), before in self._under_way.items():
            entries = self.history.get(resource, {})
            entries.pop(name, None)
            if before:
                entries[name] = before
        self._under_way.clear()

    def forget_failure(self, resource: str) -> None:
        self.history.get(resource, {}).pop("last_failure_0", None)

    def cancel(self, resource: str, interval: int) -> None:
        """Ends a recurring action."""
        self._recurring.pop((resource, interval), None)
        event = self._next_runs.pop((resource, interval), None)
        if event:
            event.cancel()
        self._said.pop((resource, interval), None)
        self._under_way.pop((resource, f"monitor_{interval}"), None)
        self.history.get(resource, {}).pop(f"monitor_{interval}", None)

    def end(self) -> None:
        self._ended = True
        for event in self._next_runs.values():
            event.cancel()
        for process in list(self.processes):
            process.kill()

    def abandon(self, heard: bool) -> None:
        """Whoever asks this one ends, or (not `heard`) it ends itself: what runs here goes on, and tells nobody."""
        self._ended = True
        for event in self._next_runs.values():
            event.cancel()
        for process in self.processes:
            process.heard = heard

    def pause(self, paused: bool) -> None:
        self._paused = paused
        if not paused:
            overdue, self._overdue = self._overdue, []
            for process in overdue:
                process.kill()
            for resource in list(self._queues):
                self._next(resource)

    # One after the other

    @property
    def _now(self) -> float:
        return self._node.world.kernel.now

    def _enqueue(self, operation: Operation, timeout: float, report: Report) -> None:
        queue = self._queues.setdefault(operation.resource, deque())
        queue.append(lambda: self._run(operation, timeout, report))
        self._next(operation.resource)

    def _next(self, resource: str) -> None:
        queue = self._queues[resource]
        if resource not in self._busy and queue and not (self._ended or self._paused):
            self._busy.add(resource)
            queue.popleft()()

    def _run(self, operation: Operation, timeout: float, report: Report) -> None:
        self._node.world.action_begins(self._node, operation)
        process = Process(self._node, f"{operation.task} of {operation.resource}")
        process.die_at = self._node.world.doomed(self._node, operation)
        self.processes.append(process)
        task = process.spawn(lambda: self._act(process, operation, timeout))
        alarm = self._node.world.kernel.after(self._node.true_seconds(timeout), lambda: self._expire(process))
        task.when_ended(lambda: self._ended_process(process, operation, timeout, alarm, report))

    def _expire(self, process: Process) -> None:
        if self._paused:
            self._overdue.append(process)
        else:
            process.kill()

    def _act(self, process: Process, operation: Operation, timeout: float) -> None:
        node = self._node
        node.sleep(SPAWN)
        if operation.resource == fencing.RESOURCE:
            process.code = fencing.act(self, node, operation)
            return
        agent = node.programs.program("agent")
        description, handlers = node.handlers(operation.resource)
        environ = {
            "OCF_RESOURCE_INSTANCE": operation.resource, "OCF_RESKEY_CRM_meta_timeout": str(int(timeout * 1000)),
            "HA_RSCTMP": "/run/resource-agents",
            **{f"OCF_RESKEY_{name}": value for name, value in PARAMETERS[operation.resource].items()},
        }  # fmt: skip
        if operation.interval:
            environ["OCF_RESKEY_CRM_meta_interval"] = str(operation.interval)
        process.code = agent.main(description, handlers, ["agent", operation.task], environ)

    def _ended_process(
        self, process: Process, operation: Operation, timeout: float, alarm: Event, report: Report
    ) -> None:
        late = alarm.moment <= self._now
        alarm.cancel()
        self.processes.remove(process)
        self._busy.discard(operation.resource)
        if self._ended:
            return
        code, status = (process.code, DONE) if process.code is not None else (1, TIMED_OUT if late else FAILED)
        done = operation._replace(rc=code, status=status, when=self._now)
        self._node.world.action_ended(self._node, process, done)
        for task in process.tasks:
            task.kill()
        self._finish(done, timeout, process.reason, report)
        self._next(operation.resource)

    def _finish(self, done: Operation, timeout: float, reason: str, report: Report) -> None:
        key = (done.resource, done.interval)
        if done.interval:
            if self._recurring.get(key) != done.call:
                report(done._replace(status=CANCELLED), "")
                return
            self._next_runs[key] = self._node.world.kernel.after(
                self._node.true_seconds(done.interval / 1000), lambda: self._again(done, timeout)
            )
            before, self._said[key] = self._said.get(key), (done.rc, done.status)
            if before == (done.rc, done.status):
                return  # an unchanged result is not told
        self._record(done)
        report(done, reason)

    def _again(self, done: Operation, timeout: float) -> None:
        # Its result goes to whoever listens then: the transition that began it is over.
        self._enqueue(done, timeout, lambda done, reason: self._node.world.cluster.unasked(self._node, done, reason))

    # History

    def _record(self, operation: Operation) -> None:
        entries = self.history.setdefault(operation.resource, {})
        if operation.status == PENDING:
            self._under_way[operation.resource, name_of(operation)] = entries.get(name_of(operation))
        else:
            self._under_way.pop((operation.resource, name_of(operation)), None)
        if operation.task == "stop" and operation.status == DONE and operation.rc == 0:
            for name in [name for name in entries if name.startswith("monitor")]:
                del entries[name]
        if operation.failed:
            entries["last_failure_0"] = operation
        if not (operation.failed and operation.interval):
            entries[name_of(operation)] = operation
        elif name_of(operation) in entries and entries[name_of(operation)].status == PENDING:
            del entries[name_of(operation)]

    def _cancel(self, resource: str) -> None:
        for _, interval in [key for key in self._recurring if key[0] == resource]:
            self.cancel(resource, interval)


def name_of(operation: Operation) -> str:
    """The id of an entry, without the resource."""
    return f"{operation.task}_{operation.interval}" if operation.interval else "last_0"
