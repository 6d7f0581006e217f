"""The resident watcher of a node: its own code for the way of clients (watch.Look, way, told, seen, watched).

Echo requests and their answers are the network's, and the program that sets an attribute is a command of the node's.
What ends a HAProxy that hangs is not here: HAProxy is a flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation.cloud import ADDRESS
from simulation.processes import Process

if TYPE_CHECKING:
    from simulation.node import Node

RESOURCE = "haproxy"
STEP = 0.2
"""Seconds between two looks of former agents."""


class Watcher:
    """A service of a node, from its boot to its end.

    Args:
        node (Node): Whose.
        directory (str): Where the agents remember things.
    """

    def __init__(self, node: Node, directory: str) -> None:
        self._node = node
        self.process = Process(node, "the watcher")
        program = node.programs.program
        watched = program("watched").Watched(RESOURCE, directory)
        self._look = program("watch").Look(watched, [ADDRESS], Echoes(node))
        self._last = node.monotonic()
        self._ended = False
        self._again()

    def _again(self) -> None:
        if not self._ended:
            self._node.world.kernel.after(self._node.true_seconds(getattr(self._look, "pause", STEP)), self._once)

    def _once(self) -> None:
        if not self._ended and not self._node.paused:
            now = self._node.monotonic()
            self._look.at(now, now - self._last)
            self._last = now
        self._again()

    def end(self) -> None:
        self._ended = True
        self.process.kill()


class Echoes:
    """What `echoes.Echoes` is, without a socket."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.answered: dict[str, float] = {}

    def ask(self, addresses: set[str]) -> None:
        for address in sorted(addresses):
            seconds = self._node.world.network.echo(self._node, address)
            if seconds is None:
                continue
            if seconds < SOON:
                self._hear(address)
            else:
                self._node.world.kernel.after(seconds, lambda address=address: self._hear(address))

    def _hear(self, address: str) -> None:
        if self._node.power:
            self.answered[address] = self._node.monotonic()

    def hear(self, now: float) -> None:
        """What has come was taken as it came."""

    def stand_still(self, seconds: float) -> None:
        self.answered = {address: moment + seconds for address, moment in self.answered.items()}


class Program:
    """What subprocess.Popen is: a command of a node's that nobody waits for."""

    def __init__(self, node: Node, command: list[str]) -> None:
        self._code: int | None = None
        self._task = node.watcher.process.spawn(lambda: self._run(node, command))

    def _run(self, node: Node, command: list[str]) -> None:
        answer = node.command(command, LONGEST)
        self._code = answer[0] if answer else None

    def poll(self) -> int | None:
        return self._code

    def kill(self) -> None:
        self._task.kill()
        self._code = -9


SOON = 0.05
"""Seconds within which an answer is heard at the next look anyway."""
LONGEST = 60.0
"""Seconds after which a command that nobody hears ends by itself: nobody waits for it."""
