"""Kill the salt-minion of this host in the midst of a run; runs inside a host, with the standard library alone.

    killer.py STATE SECONDS

Waits, by the minion's log, for the STATE-th state of the next run to begin (from 1), then SECONDS more. Prints
``watching`` once it waits, then ``killed NAME`` with the state that ran, or ``missed`` where the run had ended before.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

LOG = Path("/var/log/salt/minion")
JOBS = Path("/var/cache/salt/minion/proc")
BEGINS = "Running state ["
PATIENCE = 120.0  # seconds until a run has begun


def runs():
    """Whether the minion has a job."""
    return JOBS.is_dir() and any(JOBS.iterdir())


def follow(number, seconds):
    """Read the log until that moment; the state that runs then, or None."""
    begun, name, due, end = 0, None, None, time.monotonic() + PATIENCE
    with LOG.open(encoding="utf-8", errors="replace") as log:
        log.seek(0, os.SEEK_END)
        print("watching", flush=True)
        while time.monotonic() < (due or end):
            line = log.readline()
            if BEGINS in line:
                begun, name = begun + 1, line.partition(BEGINS)[2].partition("]")[0]
                due = due or (time.monotonic() + seconds if begun == number else None)
            elif begun and not runs():
                return None
            elif not line:
                time.sleep(0.002)
    return name if due and runs() else None


def minion():
    """The processes of the minion and of the jobs that it runs."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").split()  # a renamed process has blanks
        except OSError:
            continue
        if any(word.endswith(b"/salt-minion") for word in words):
            found.add(int(process.name))
    return found


def signal_all(processes, number):
    """Send a signal to those that are still there."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def kill():
    """SIGKILL for all of them, stopped before: a parent would put another process in a killed one's place."""
    stopped = set()
    while new := minion() - stopped:
        signal_all(new, signal.SIGSTOP)
        stopped |= new
    signal_all(stopped, signal.SIGKILL)


if __name__ == "__main__":
    state = follow(int(sys.argv[1]), float(sys.argv[2]))
    if state:
        kill()
    print(f"killed {state}" if state else "missed")
