"""
This machine as the engine meets it: its commands and its clock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TypeAlias

from saltext.pacemaker.errors import Failed, NoEnd
from saltext.pacemaker.live import process

log = logging.getLogger(__name__)

Result: TypeAlias = tuple[int, str, str]
"""The exit code of a command, its output, its errors."""

COMMAND_SECONDS = 120

# Exit codes of Pacemaker's tools (crm_error -l -X).
INTERNAL = 70
OLD_DATA = 103
TIMEOUT = 124
# With these cibadmin has certainly written nothing.
REFUSALS = (64, 65, 66, 76, 77, 78, 105, 106)
_MEANINGS = {
    77: "no permission: Pacemaker's tools need root",
    78: "Pacemaker refuses the configuration: it breaks the schema or refers to something that is not there",
    76: "the CIB's feature set is newer than the tools on this node",
    102: "Pacemaker is not running on this node",
    105: "no such object",
    106: "the cluster has no quorum",
    124: "the cluster did not answer in time",
}


class Machine:
    """Every external command of the engine is started here, and everything waits by this clock; tests replace it."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def run(self, *command: str, stdin: str | None = None, timeout: float = COMMAND_SECONDS) -> Result:
        """Run a command; return (exit code, standard output, errors)."""
        [done] = self.run_together((command, stdin), timeout=timeout)
        return done

    def run_together(
        self, *given: tuple[tuple[str, ...], str | None], timeout: float = COMMAND_SECONDS
    ) -> list[Result]:
        """
        Run several (command, standard input) at the same time; return [(exit code, standard output, errors)] in their
        order. NoEnd if one does not end in time.
        """
        deadline = time.monotonic() + timeout
        with contextlib.ExitStack() as stack:
            processes = []
            for command, stdin in given:
                processes.append(stack.enter_context(self.start(command, stdin)))
                stack.callback(process.end, processes[-1])
            try:
                texts = [one.communicate(timeout=max(0.0, deadline - time.monotonic())) for one in processes]
            except process.Late as problem:
                raise NoEnd(f"{os.path.basename(problem.cmd[0])} did not end within {timeout:.0f} s") from None
            return [(one.returncode, *both) for one, both in zip(processes, texts, strict=True)]

    def start(self, command: tuple[str, ...], stdin: str | None = None) -> process.Process:
        """
        Start a command and return its process.

        Nothing is logged but the name: input and output may hold the whole CIB. The input is a file in memory, so that
        the command reads it while others are being started.
        """
        if not self.has(command[0]):
            raise Failed(f"{command[0]} is not installed on this machine (package pacemaker-cli-utils)")
        log.debug("Running %s", command[0])
        with open(os.memfd_create("input"), "w+", encoding="utf-8") as file:
            file.write(stdin or "")
            file.seek(0)
            return process.start(command, process.inherited("LD_", "CIB_"), file)

    def has(self, command: str) -> bool:
        """Whether a command is installed."""
        return process.find(command) is not None

    def do(self, what: str, *command: str) -> None:
        """Run a command that has to succeed."""
        code, _, _ = self.run(*command)
        if code:
            raise failed(what, code)


HERE = Machine()
"""The machine that the functions of the engine's callers work on."""


def failed(what: str, code: int) -> Failed:
    """An error for a command that failed, without its output."""
    return Failed(f"{what}: {meaning(code)}")


def meaning(code: int) -> str:
    """An exit code of Pacemaker's tools in words."""
    return _MEANINGS.get(code, f"exit code {code}")
