"""Programs, processes and units."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from salt.exceptions import CommandExecutionError

from saltext.pacemaker.live import machine

Found = TypeVar("Found")

# Salt's own PATH may lack the directories of daemons. The agents, which have nothing of this, have the same.
PATH = machine.PATH

STATE = "/var/lib/haproxy_ha"
"""What the formula has to remember about a machine; for root alone."""

# As the masks themselves, this is gone after a boot.
_HELD = "/run/haproxy_ha/held"

_RUNS = ("active", "reloading")


# This process, as what it may leave behind is marked with


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


# Programs


def program(name: str) -> str | None:
    """Where a program is (str), or None."""
    return shutil.which(name, path=PATH)


def run(argv: Sequence[str], timeout: float = 60, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """
    Run a program and return (exit code, output of both kinds).

    argv
        The program and its arguments (list of str); no shell.
    timeout : ``60``
        Seconds after which it is killed and counts as failed.
    env : ``None``
        Further variables (dict). HAProxy's own never pass from Salt's environment.

    It has no terminal, not even the one that Salt was called from (setsid(2)): whatever wants to ask for a passphrase
    fails at once. Raises CommandExecutionError if the program is not there or does not end in time.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAPROXY_")}
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**kept, "PATH": PATH, "LC_ALL": "C", **(env or {})},
        )
    except FileNotFoundError:
        raise CommandExecutionError(f"{argv[0]} is not installed") from None
    with process:
        try:
            output = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            raise CommandExecutionError(f"{' '.join(argv)} did not end within {timeout} s") from None
        finally:
            _end_session(process)
    return process.returncode, output.decode("utf-8", "replace")


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that has not ended, with all that it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def succeed(*argv: str, timeout: float = 60) -> str:
    """Run a program and return its output; CommandExecutionError with that output if it fails."""
    code, output = run(list(argv), timeout)
    if code:
        raise CommandExecutionError(f"{' '.join(argv)} failed: {output.strip() or f'exit code {code}'}")
    return output


def wait_for(condition: Callable[[], Found], timeout: float, interval: float = 0.1) -> Found:
    """Return the first true value of ``condition()``, or its last value when ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return found


# Units


def systemd() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def systemctl(*arguments: str, timeout: float = 120) -> str:
    """Run systemctl; CommandExecutionError with what it says if it fails."""
    return succeed("systemctl", *arguments, timeout=timeout)


def unit_property(unit: str, name: str) -> str:
    """A property of a service (str), as ``systemctl show`` prints it."""
    return run(["systemctl", "show", "--property", name, "--value", f"{unit}.service"])[1].strip()


def running(unit: str) -> bool:
    """Whether a service runs, or is reloading."""
    return systemd() and unit_property(unit, "ActiveState") in _RUNS


def settled(unit: str, timeout: float = 30) -> str:
    """A service's ActiveState (str), once systemd neither starts, stops nor reloads it; ``timeout`` in seconds."""
    if not systemd():
        return "inactive"
    states = []

    def at_rest() -> bool:
        states.append(unit_property(unit, "ActiveState"))
        return states[-1] not in ("activating", "deactivating", "reloading")

    wait_for(at_rest, timeout)
    return states[-1]


def running_of(units: Collection[str]) -> list[str]:
    """Those of several services (list of str) that run, asked at once."""
    if not systemd():
        return []
    states = run(["systemctl", "is-active", *(f"{unit}.service" for unit in units)])[1].splitlines()
    return [unit for unit, state in zip(units, states, strict=False) if state in _RUNS]


def unit(name: str) -> dict[str, Any]:
    """
    A service as systemd has it: {"active": ActiveState, "at_boot": UnitFileState, "stale": NeedDaemonReload}, the first
    two in systemd's words, the last a bool; empty without the service.
    """
    properties = ("UnitFileState", "ActiveState", "NeedDaemonReload")
    shown = run(["systemctl", "show", "--property", ",".join(properties), f"{name}.service"])[1] if systemd() else ""
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if not found.get("UnitFileState"):
        return {}
    at_boot, active, stale = (found.get(one, "") for one in properties)
    return {"active": active, "at_boot": at_boot, "stale": stale == "yes"}


def main_pid(unit: str) -> int:
    """The main process of a service (int), 0 if it has none, or systemd does not tell."""
    text = unit_property(unit, "MainPID") if systemd() else ""
    return int(text) if text.isdigit() else 0


def running_for(unit: str) -> float:
    """For how many seconds a service has been running (float), 0 if it does not."""
    since = unit_property(unit, "ActiveEnterTimestampMonotonic") if running(unit) else ""
    return time.monotonic() - int(since) / 1e6 if since.isdigit() else 0.0


def journal(unit: str, lines: int = 10) -> str:
    """The last lines that a service wrote to the journal."""
    return run(["journalctl", "--unit", unit, "--lines", str(lines), "--output", "cat", "--no-pager"])[1].strip()


def hold(units: Iterable[str]) -> list[str]:
    """
    Keep services from being started, until :func:`release` or the next boot; returns them. One that runs is left alone.

    A unit that is masked for this boot is what a package's scripts respect.
    """
    wanted = [unit for unit in units if systemd() and not running(unit)]
    if wanted:
        os.makedirs(_HELD, mode=0o700, exist_ok=True)
        for unit in wanted:
            with open(os.path.join(_HELD, unit), "w", encoding="ascii") as handle:
                handle.write(mark())
        systemctl("mask", "--runtime", *(f"{unit}.service" for unit in wanted))
    return wanted


def release() -> list[str]:
    """Let services be started again that :func:`hold` held, in this run or one that was killed; returns them."""
    units = [unit for unit, who in _holders().items() if who == mark() or not lives(who)]
    if units:
        systemctl("unmask", "--runtime", *(f"{unit}.service" for unit in units))
        for unit in units:
            keep_off(unit)
            os.unlink(os.path.join(_HELD, unit))
    return units


_HELPER = "/usr/bin/deb-systemd-helper"
_KNOWN = "/var/lib/systemd/deb-systemd-helper-enabled"


def upgrade_enables(unit: str) -> bool:
    """
    Whether the next upgrade of its package would have a service started at boot: Debian's scripts enable what they have
    not seen yet, and see nothing of a service that is held while it is installed.
    """
    return os.path.exists(_HELPER) and not os.path.exists(f"{_KNOWN}/{unit}.service.dsh-also")


def keep_off(unit: str) -> None:
    """Have upgrades leave it as it is whether a service is started at boot."""
    if upgrade_enables(unit):
        # As the package's own script calls it; it does nothing for anybody else.
        run([_HELPER, "update-state", f"{unit}.service"], env={"DPKG_MAINTSCRIPT_PACKAGE": unit})


def held() -> list[str]:
    """The services that a run which was killed keeps from being started."""
    return [unit for unit, who in _holders().items() if not lives(who)]


def _holders() -> dict[str, str]:
    """Who holds each service: {unit: mark}."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for unit in sorted(os.listdir(_HELD)):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(_HELD, unit), encoding="ascii") as handle:
                found[unit] = handle.read()
    return found


# Processes


def command_line(pid: int) -> list[str]:
    """The words with which a process was started (list of str), empty if there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as handle:
        return handle.read().decode("utf-8", "replace").rstrip("\0").split("\0")
    return []


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
