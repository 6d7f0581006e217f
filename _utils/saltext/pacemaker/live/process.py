"""
Commands as processes of this machine. They are started here alone: those of the engine by ``machine``, and those of
whoever has the engine in its house.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, TypeAlias

# The PATH of who calls may lack the directories of daemons.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Process: TypeAlias = "subprocess.Popen[str]"

Late = subprocess.TimeoutExpired
"""What ``communicate`` raises of a process that does not end in time."""


def find(program: str) -> str | None:
    """Return where a program is; None if it is not installed."""
    return shutil.which(program, path=PATH)


def start(
    command: Sequence[str], environment: Mapping[str, str], stdin: IO[str] | None = None, together: bool = False
) -> Process:
    """
    Start a command and return its process; FileNotFoundError if it is not installed.

    command
        The program and its arguments; no shell.
    environment
        Its variables, but for PATH and LC_ALL, which every command here has alike.
    stdin : ``None``
        The file that it reads; None: it reads nothing.
    together : ``False``
        True: what it says of errors is part of its output.

    It has no terminal, not even the one that Salt was called from (setsid(2)): whatever wants to ask for a passphrase
    fails at once.
    """
    return subprocess.Popen(
        command,
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        env={**environment, "PATH": PATH, "LC_ALL": "C"},
        start_new_session=True,
    )


def inherited(*prefixes: str) -> dict[str, str]:
    """Return the variables of this process without those that begin with one of the prefixes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def end(process: Process) -> None:
    """Kill a command that has not ended, with all that it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
