"""Processes: this one, as what it may leave behind is marked with, and others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable


def mark() -> str:
    """Who this process is (str): its id and when it was started, which no later process has both."""
    return mark_of(os.getpid())


def mark_of(pid: int) -> str:
    """The same of another process."""
    return f"{pid}-{_started(pid)}"


def lives(marked: str) -> bool:
    """Whether the process that made a :func:`mark` is still there."""
    pid, _, started = marked.partition("-")
    return pid.isdigit() and started != "" and _started(pid) == started


def _started(pid: int | str) -> str:
    """When a process was started, in ticks since the boot (str); "" without it, or when it only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:
            fields = handle.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")


def command_line(pid: int) -> list[str]:
    """The words with which a process was started (list of str), empty if there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as handle:
        return handle.read().decode("utf-8", "replace").rstrip("\0").split("\0")
    return []


def directory(pid: int) -> str:
    """The directory that a process is in (str), the root's if nobody tells."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return "/"


def children(pid: int) -> set[int]:
    """The processes whose parent is ``pid`` (set of int)."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as handle:
                if int(handle.read().rpartition(b")")[2].split()[1]) == pid:
                    found.add(int(entry))
    return found


def socket_owners(inodes: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Who has sockets open: {inode: (pid, program)}."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners = {}
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inode = wanted.get(os.readlink(descriptor.path))
                    if inode is not None and inode not in owners:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as handle:
                            owners[inode] = (pid, handle.read().strip())
        if len(owners) == len(wanted):
            break
    return owners
