"""What a process of the agents has of its machine: clock, files, commands, sockets. All wait in virtual time."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import types
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulation.kernel import Task

if TYPE_CHECKING:
    from simulation.node import Node


class Process:
    """One run of an agent, with its threads; who kills it kills them all."""

    def __init__(self, node: Node, what: str) -> None:
        self.node, self.what = node, what
        self.said: list[str] = []
        self.tasks: list[Task] = []
        self.code: int | None = None
        self.steps = 0
        self.die_at: int | None = None
        self.heard = True

    def spawn(self, function: Any) -> Task:
        task = self.node.world.kernel.spawn(function, self)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        # The one that runs ends last: to kill it is to leave this function.
        for task in sorted(self.tasks, key=lambda task: task is self.node.world.kernel.current):
            task.kill()

    def step(self) -> None:
        """Each point at which a process may be killed, or be late."""
        self.steps += 1
        if self.steps == self.die_at:
            self.node.world.tell(f"{self.node.name}: {self.what} is killed at its step {self.steps}")
            self.kill()

    @property
    def reason(self) -> str:
        reasons = [line.partition(":")[2] for line in self.said if line.startswith("ocf-exit-reason:")]
        return reasons[-1] if reasons else ""


ARP_SECONDS = 0.3


def nobody_answers(node: Node) -> bool:
    """On the private link, as far as a machine waits for it."""
    silent = not node.world.network.hears_anybody(node)
    if silent:
        node.sleep(ARP_SECONDS)
    return silent


def handed_in(node: Node) -> tuple[dict[str, Any], dict[str, Any]]:
    """Modules and built-in functions for a machine's programs."""
    kernel = node.world.kernel
    files_os = node.files.as_os(4711)
    http, client = types.ModuleType("http"), http_client(node)
    http.client = client  # type: ignore[attr-defined]
    modules = {
        "os": files_os,
        "sys": SimpleNamespace(path=[], stdout=None, stderr=None, argv=["/agent"]),
        "time": SimpleNamespace(
            monotonic=node.monotonic, time=node.wall, sleep=lambda seconds: node.sleep(seconds),
            strftime=lambda form, moment: "now", gmtime=lambda moment: moment,
        ),
        "subprocess": SimpleNamespace(
            run=lambda command, **options: run(node, command, **options), DEVNULL=subprocess.DEVNULL,
            Popen=lambda command, **options: node.begin(command),
            TimeoutExpired=subprocess.TimeoutExpired, CompletedProcess=subprocess.CompletedProcess,
        ),
        "threading": SimpleNamespace(Thread=lambda target, daemon: Thread(node, target)),
        "random": SimpleNamespace(random=node.world.random.random),
        "ssl": SimpleNamespace(create_default_context=lambda cafile: object()),
        "socket": SimpleNamespace(create_connection=lambda address, timeout: Connection(node, address, timeout)),
        "local": SimpleNamespace(
            places=lambda address: [SimpleNamespace(index=1)],  # former agents
            link_of=lambda address: 1, has_carrier=lambda index: True,
            nobody_answers=lambda index: nobody_answers(node),
        ),
        "http": http,
        "http.client": client,
    }  # fmt: skip

    files_os.getppid = lambda: 1000 if not kernel.current or kernel.current.owner.heard else 1

    def say(text: str, file: Any = None) -> None:
        if not kernel.current:
            return  # the watcher: what it says is for the journal
        process = kernel.current.owner
        if not process.heard:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        process.said.append(text)

    return modules, {"open": node.files.open, "print": say}


class Thread:
    """A thread beside the one that made it."""

    def __init__(self, node: Node, target: Any) -> None:
        self._kernel, self._target = node.world.kernel, target
        self._owner = self._kernel.current.owner  # type: ignore[union-attr]
        self._clock = node

    def start(self) -> None:
        self._task = self._owner.spawn(self._target)

    def join(self, timeout: float | None = None) -> None:
        current = self._kernel.current
        assert current
        current.join(self._task, None if timeout is None else self._clock.true_seconds(timeout))


def run(node: Node, command: list[str], timeout: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command, which takes its time, or does not answer at all."""
    node.step()
    answer = node.command(command, node.true_seconds(timeout))
    if answer is None:
        raise subprocess.TimeoutExpired(command, timeout)
    code, out, err = answer
    return subprocess.CompletedProcess(command, code, out, err)


class Connection:
    """A TCP connection to the metadata service, or to whoever has the address."""

    def __init__(self, node: Node, address: tuple[str, int], timeout: float) -> None:
        node.step()
        self._node, self._timeout = node, timeout
        self._service = node.world.network.connect(node, address[0], timeout)
        self._answer: bytes | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def sendall(self, data: bytes) -> None:
        self._node.step()
        self._request = data

    def recv(self, size: int) -> bytes:
        self._node.step()
        if self._answer is None:
            self._answer = self._service(self._request, self._timeout)
        part, self._answer = self._answer[:size], self._answer[size:]
        return part


def http_client(node: Node) -> types.ModuleType:
    """http.client, whose connections end in the cloud's API."""
    module = types.ModuleType("http.client")

    class HTTPSConnection:
        sock = None

        def __init__(self, host: str, timeout: float, context: object = None) -> None:
            self._timeout = timeout

        def connect(self) -> None:
            node.step()

        def request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> None:
            node.step()
            self._answer = node.world.cloud.ask(node, method, path, body, headers, self._timeout)
            node.step()

        def getresponse(self) -> Any:
            return self._answer

    module.HTTPSConnection = module.HTTPConnection = HTTPSConnection  # type: ignore[attr-defined]
    module.BadStatusLine = type("BadStatusLine", (Exception,), {})  # type: ignore[attr-defined]
    module.RemoteDisconnected = type("RemoteDisconnected", (Exception,), {})  # type: ignore[attr-defined]
    return module


def drawn(source: random.Random, least: float, most: float) -> float:
    return least + (most - least) * source.random()
