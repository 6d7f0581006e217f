"""An operator at the keyboard: types what a section of a document says, on the host for which it is meant."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.documents import Command

from . import cloud
from .machine import machine
from .shell import run

FILLED = {
    "source: client": "source: app-1",
    "limit: 1}": "limit: 60}",
    "salt client ": "salt app-1 ",
    "drill client ": "drill app-1 ",
    "salt helper ": "salt app-1 ",
    "salt tertiary ": "salt app-2 ",
    "<node>": "secondary",
    "'db*'": "primary",
    "salt db1 ": "salt primary ",
    " db1": " primary",
    "ip=192.0.2.102": "ip=10.132.20.102",
}
"""What documents have for the reader's own, and what the lab has in its place; its machine may be busy."""
MASTER = ("salt", "salt-run", "salt-key", "salt-ssh", "gpg")
HERE = ("make", "git", "python3")
HERE_ENVIRONMENT = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""The distribution's programs: what test/prepare installs."""
UNTOLD = re.compile(r"Traceback \(most recent|Minion did not return|Passed invalid arguments|is not available")
ASKS = ("salt-key", "apt ")
"""Commands that ask whether they may, and get a yes."""
WATCHED = "{} </dev/null & read -r _; kill $!; wait $!"


def filled(line: str) -> str:
    """A line with what the lab has in place of the reader's own."""
    for text, own in {**FILLED, "DIGITALOCEAN_TOKEN=...": f"DIGITALOCEAN_TOKEN={cloud.api_token()}"}.items():
        line = line.replace(text, own)
    return line


def shown(said: str) -> str:
    """Of a printed run the states that failed; of anything else the end."""
    red = [state for state in said.split("----------\n") if "Result: False" in state]
    return "\n".join(red) or said[-6000:]


class Page:
    """The commands of one section, as they are typed; ``left`` are those that nobody has typed yet."""

    def __init__(self, place: str, commands: list[Command], checkout: Path):
        self._place, self.checkout = place, checkout
        self.heading = place.partition(", ")[2]
        self.left = [command.typed for command in commands]

    def __call__(
        self, line: str, host: str | None = None, code: int = 0, logs: bool = False, told: Sequence[str] = ()
    ) -> str:
        """
        What a command of the section prints, and on standard error if it fails; its exit code has to be ``code``.

        logs
            Salt may log there what it finds wrong, with a traceback.
        told
            What the page says that it prints: then no word of it is one that should not be there.
        """
        done = self._typed(self._taken(line), host)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{self._place}: {line}: exit code {done.returncode}\n{shown(said)}"
        untold = [word for word in UNTOLD.findall(done.stdout if logs else said) if word not in "\n".join(told)]
        assert not untold, f"{self._place}: {line}\n{shown(said)}"
        return said if code else done.stdout

    def rest(self) -> None:
        """Type what is left, in the document's order."""
        for line in list(self.left):
            self(line)

    @contextlib.contextmanager
    def watching(self, line: str, host: str | None = None) -> Iterator[list[str]]:
        """A command that goes on until somebody ends it, while the block runs; the list has what it prints."""
        argv = self._argv(WATCHED.format(self._taken(line)), host)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
            told: list[str] = []
            reader = threading.Thread(target=lambda: told.extend(watcher.stdout), daemon=True)
            reader.start()
            try:
                yield told
            finally:
                watcher.stdin.close()
                reader.join()

    def _taken(self, line: str) -> str:
        assert line in self.left, f"{self._place} has no {line!r}; it has {self.left}"
        self.left.remove(line)
        return filled(line)

    def _typed(self, line: str, host: str | None) -> subprocess.CompletedProcess:
        answers = {"input": "y\n"} if any(word in line for word in ASKS) else {}
        argv = self._argv(line, host)
        return run(argv, check=False, timeout=900, cwd=self.checkout, env=HERE_ENVIRONMENT, **answers)

    def _argv(self, line: str, host: str | None) -> list[str]:
        host = host or _host(line)
        shell = ["sh", "-c", line]
        return machine(host).command(*shell) if host else shell


def _host(line: str) -> str | None:
    """Where a command is typed that stands without a place; None for this machine, in a checkout."""
    program = next(word for word in line.split() if "=" not in word and word not in ("sudo", "exec"))
    if program in HERE or program.startswith("./"):
        return None
    return {"nginx": "app-1"}.get(program) or ("master" if program in MASTER else "primary")
