"""Commands and waits of the lab: one way to run a command, one way to wait for a condition."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

QUIET = 5.0  # seconds


class LabError(Exception):
    """What went wrong in the lab, in a sentence for the person at the keyboard."""


def run(argv: Sequence[str], *, check: bool = True, timeout: float = 600, **kwargs) -> subprocess.CompletedProcess:
    """Run a command with its output captured; with ``check`` a failure is a LabError that quotes it."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    if "input" in kwargs:
        del kwargs["stdin"]
    try:
        done = subprocess.run(argv, text=True, capture_output=True, timeout=timeout, **kwargs)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout:g} s: {' '.join(argv)}") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"exit {done.returncode}: {' '.join(argv)}\n{said}")
    return done


def wait_for(what: str, condition: Callable[[], object], timeout: float, interval: float = 0.1) -> object:
    """
    Poll ``condition`` until it is true and return its value; a LabError names ``what`` after ``timeout`` seconds. What
    takes long is told meanwhile.
    """
    deadline = time.monotonic() + timeout
    tell = time.monotonic() + QUIET
    while True:
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > deadline:
            raise LabError(f"waited {timeout:g} s in vain for {what}")
        if now > tell:
            say(f"waiting, for {deadline - now:.0f} s at most, for {what}")
            tell = now + QUIET
        time.sleep(interval)


_started = time.monotonic()


def say(text: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"[{time.monotonic() - _started:6.1f} s] {text}", file=sys.stderr, flush=True)
