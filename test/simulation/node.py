"""A load balancer: its clock, its files, HAProxy, its agents, and the executor that runs them as Pacemaker's does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulation import commands, haproxy
from simulation.cloud import FIRST_DROPLET, TOKEN
from simulation.executor import Executor
from simulation.files import Files
from simulation.network import ROUTES
from simulation.processes import Process, handed_in
from simulation.programs import Programs, Texts, today
from simulation.watching import Program, Watcher

if TYPE_CHECKING:
    from simulation.cluster import Partition
    from simulation.scheduler import Config
    from simulation.world import World

STATE = "/run/resource-agents"
SEEN = 0.01


class Node:
    """One of two or three."""

    def __init__(self, world: World, number: int, config: Config) -> None:
        self.world, self.number, self.name = world, number, f"node-{number}"
        self.droplet = FIRST_DROPLET + number - 1
        self.power = self.corosync = self.pacemaker = True
        self.losses = 0  # of its power
        self.paused = self.listens = self.deaf = False
        self.leaving = self.left_clean = self.gone = False
        self.rate, self.wrong_by = 1.0, 0.0
        self._read = (world.kernel.now, 1000.0)
        self.attrd_down = self.erased = self.crashed = self.forgotten = False
        self.config = config
        self.known = set(config.nodes)
        self.attrd: dict[str, dict[str, str]] = {name: {} for name in config.nodes}
        self.attributes: dict[str, dict[str, str]] = {name: {} for name in config.nodes}
        self.partition: Partition | None = None
        # What this node's cluster knows of lost ones: what ran there, and which are powered off.
        self.remembered: dict[str, Any] = {}
        self.down: set[str] = set()
        self.fresh = self.waits = True
        self.files = Files(self.step)
        self.files.write("/etc/haproxy_ha/token", f"{TOKEN}\n")
        self.files.make_directories(STATE)
        self.files.write("/proc/net/route", ROUTES)
        self.watcher: Any = None
        self.install(today())
        self.executor = Executor(self)
        self._cut_from_servers: float | None = None

    def install(self, texts: Texts) -> None:
        """Agents: what has begun goes on with those it began with."""
        edits = self.world.setting.edits if texts is today() else {}
        self.programs = Programs(*handed_in(self), edits, texts)
        self._watch()

    def _watch(self) -> None:
        """Begins to watch, with the agents that are installed."""
        self._watch_no_more()
        if self.power and self.programs.has("watch"):
            self.watcher = Watcher(self, STATE)

    def _watch_no_more(self) -> None:
        if self.watcher:
            self.watcher.end()
            self.watcher = None

    def begin(self, command: list[str]) -> Program:
        """A command that the watcher does not wait for."""
        return Program(self, command)

    # Its clock: only differences count, so a rate is all that can be wrong with the monotonic one

    def monotonic(self) -> float:
        moment, read = self._read
        return read + (self.world.kernel.now - moment) * self.rate

    def go_at(self, rate: float) -> None:
        """Its clock goes so many times as fast as the true one."""
        self._read = (self.world.kernel.now, self.monotonic())
        self.rate = rate

    def wall(self) -> float:
        return 1_700_000_000 + self.world.kernel.now + self.wrong_by

    def true_seconds(self, seconds: float) -> float:
        return seconds / self.rate

    def sleep(self, seconds: float) -> None:
        """For a process: waits by this machine's clock."""
        self.world.kernel.sleep(self.true_seconds(seconds))

    def step(self) -> None:
        task = self.world.kernel.current
        if task and isinstance(task.owner, Process):
            task.owner.step()

    def command(self, command: list[str], patience: float) -> tuple[int, str, str] | None:
        return commands.answer(self, command, patience)

    @property
    def works(self) -> bool:
        """Whether Pacemaker does anything here."""
        return self.pacemaker and not self.paused

    # HAProxy

    @property
    def answers(self) -> bool:
        return self.power and self.listens and not self.paused

    @property
    def knows_down(self) -> bool:
        """HAProxy has noticed that it does not reach its servers."""
        since = self._cut_from_servers
        return since is not None and self.world.kernel.now - since >= haproxy.CHECKS

    def servers_changed(self) -> None:
        reaches = self.world.network.both_ways(self.name, "servers")
        self._cut_from_servers = None if reaches else self._cut_from_servers or self.world.kernel.now

    # Power, daemons

    def lose_power(self) -> None:
        self.losses += 1
        self.power = self.corosync = self.pacemaker = self.listens = self.paused = False
        self.left_clean = False
        self._watch_no_more()
        self._end()
        self.files.remove_below(STATE)
        self.world.cluster.look()

    def _end(self) -> None:
        self.executor.end()
        self._leave_the_others()

    def _leave_the_others(self) -> None:
        if self.partition:
            self.partition.lose(self)
        self.partition = None
        for values in (*self.attrd.values(), *self.attributes.values(), self.remembered, self.down):
            values.clear()

    def leave(self) -> None:
        """Pacemaker has stopped all that it ran here, and goes."""
        self.corosync = self.pacemaker = self.leaving = False
        self.left_clean = True
        self._end()
        self.world.cluster.look()

    def boot(self) -> None:
        if self.gone:
            return
        self.power = True
        self._read = (self.world.kernel.now, 0.0)
        self.waits = True
        self._watch()
        self.start_cluster()

    def crash(self, daemon: str) -> None:
        """A daemon of the cluster's ends. What it ran goes on, and nobody hears of it."""
        if daemon == "attrd":
            self.attrd_down = True
            if self.partition:
                self.partition.erase(self)
            return
        self.corosync = self.pacemaker = False
        self.crashed = True
        self.erased = daemon != "corosync"
        own = dict(self.attrd[self.name]) if self.erased else {}
        self.executor.abandon(heard=daemon == "controld")
        self._leave_the_others()
        self.attrd[self.name].update(own)
        if self.erased:
            self.world.kernel.after(SEEN, self.world.cluster.form)  # Corosync tells who leaves it
        self.world.cluster.look()

    def respawn(self, daemon: str) -> None:
        """Whoever watches over the daemons starts them again."""
        self.attrd_down = False
        if daemon != "attrd" and self.power and not (self.pacemaker or self.left_clean or self.gone):
            self.waits = self.waits or daemon == "corosync"
            self.start_cluster()

    def start_cluster(self) -> None:
        self.corosync = self.pacemaker = True
        self.left_clean = False
        self.executor = Executor(self)
        self.fresh = True
        self.world.cluster.look()

    def pause(self, paused: bool) -> None:
        """The whole machine stands still, as one that is migrated does."""
        self.paused = paused
        watching = [self.watcher.process] if self.watcher else []
        for process in (*self.executor.processes, *watching):
            for task in process.tasks:
                task.freeze(paused)
        self.executor.pause(paused)
        self.world.cluster.look()

    # Agents

    def handlers(self, resource: str) -> tuple[Any, dict[str, Callable[..., Any]]]:
        """An agent's description and actions."""
        if resource == "FloatIP":
            floatip = self.programs.program("floatip")
            return floatip.DESCRIPTION, floatip.HANDLERS
        return haproxy.description(self), haproxy.handlers(self)

    def claims(self) -> str | None:
        return self.files.text(f"{STATE}/haproxy_ha-floatip-FloatIP")
