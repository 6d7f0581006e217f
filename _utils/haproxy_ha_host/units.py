"""Services of systemd, as they are, and held while their packages are installed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from typing import Any

from haproxy_ha_host import commands, processes, waiting

FILES = "/etc/systemd/system"
"""Where the units and drop-ins of a machine's own are."""

# As the masks themselves, this is gone after a boot.
HELD = "/run/haproxy_ha/held"

_RUNS = ("active", "reloading")
_TYPES = (".service", ".path")


def systemd() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def systemctl(*arguments: str, timeout: float = 120) -> str:
    """Run systemctl; CommandExecutionError with what it says if it fails."""
    return commands.succeed("systemctl", *arguments, timeout=timeout)


def full_name(unit: str) -> str:
    """The name of a unit, which is a service unless it says what it is (``NAME.path``)."""
    return unit if unit.endswith(_TYPES) else f"{unit}.service"


def unit_property(unit: str, name: str) -> str:
    """A property of a unit (str), as ``systemctl show`` prints it."""
    return commands.run(["systemctl", "show", "--property", name, "--value", full_name(unit)])[1].strip()


def unit_properties(unit: str, *names: str) -> dict[str, str]:
    """Several properties of a unit by their names, asked at once; one that has several values has a line for each."""
    found: dict[str, str] = {}
    for line in commands.run(["systemctl", "show", "--property", ",".join(names), full_name(unit)])[1].splitlines():
        name, _, value = line.partition("=")
        if name in names:
            found[name] = f"{found[name]}\n{value}" if name in found else value
    return found


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

    waiting.wait_for(at_rest, timeout)
    return states[-1]


def running_of(units: Collection[str]) -> list[str]:
    """Those of several services (list of str) that run, asked at once."""
    if not systemd():
        return []
    states = commands.run(["systemctl", "is-active", *(f"{unit}.service" for unit in units)])[1].splitlines()
    return [unit for unit, state in zip(units, states, strict=False) if state in _RUNS]


def unit(name: str) -> dict[str, Any]:
    """
    A service as systemd has it: {"active": ActiveState, "at_boot": UnitFileState, "stale": NeedDaemonReload}, the first
    two in systemd's words, the last a bool; empty without the service.
    """
    properties = ("UnitFileState", "ActiveState", "NeedDaemonReload")
    found = unit_properties(name, *properties) if systemd() else {}
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
    argv = ["journalctl", "--unit", unit, "--lines", str(lines), "--output", "cat", "--no-pager"]
    return commands.run(argv)[1].strip()


def hold(units: Iterable[str]) -> list[str]:
    """
    Keep services from being started, until :func:`release` or the next boot; returns them. One that runs is left alone.

    A unit that is masked for this boot is what a package's scripts respect.
    """
    wanted = [unit for unit in units if systemd() and not running(unit)]
    if wanted:
        os.makedirs(HELD, mode=0o700, exist_ok=True)
        for unit in wanted:
            with open(os.path.join(HELD, unit), "w", encoding="ascii") as handle:
                handle.write(processes.mark())
        systemctl("mask", "--runtime", *(f"{unit}.service" for unit in wanted))
    return wanted


def release() -> list[str]:
    """Let services be started again that :func:`hold` held, in this run or one that was killed; returns them."""
    units = [unit for unit, who in _holders().items() if who == processes.mark() or not processes.lives(who)]
    if units:
        systemctl("unmask", "--runtime", *(f"{unit}.service" for unit in units))
        for unit in units:
            keep_off(unit)
            os.unlink(os.path.join(HELD, unit))
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
        commands.run([_HELPER, "update-state", f"{unit}.service"], env={"DPKG_MAINTSCRIPT_PACKAGE": unit})


def held() -> list[str]:
    """The services that a run which was killed keeps from being started."""
    return [unit for unit, who in _holders().items() if not processes.lives(who)]


def _holders() -> dict[str, str]:
    """Who holds each service: {unit: mark}."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for unit in sorted(os.listdir(HELD)):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(HELD, unit), encoding="ascii") as handle:
                found[unit] = handle.read()
    return found
