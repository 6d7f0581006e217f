"""Class 8: what a host lacks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from lab.machine import machine
from lab.shell import LabError, wait_for

from .fault import Fault, Scene
from .haproxy import on, online, owned_by_other, standby

HOST = "the host"
AGENTS = "/usr/lib/ocf/resource.d/haproxy_ha"
_BUSY: list[subprocess.Popen] = []


def _occupy(per_core: int, *weight: str) -> None:
    """So many busy processes for each core."""
    count = per_core * (os.cpu_count() or 1)
    _BUSY.extend(subprocess.Popen([*weight, sys.executable, "-c", "while True: pass"]) for _ in range(count))


def _starve(scene: Scene) -> None:
    _occupy(2)


def _standby_under_load(scene: Scene) -> None:
    """They take next to no time from others, and count for the load average, by which Pacemaker slows down."""
    _occupy(40, "chrt", "--idle", "0")
    wait_for("a load average of 15 a core", lambda: os.getloadavg()[0] > 15 * (os.cpu_count() or 1), 90)
    standby(scene)


def _busy(scene: Scene) -> bool:
    return all(process.poll() is None for process in _BUSY)


def _relieve(scene: Scene) -> None:
    while _BUSY:
        with contextlib.suppress(ProcessLookupError):
            _BUSY[-1].kill()
        _BUSY.pop().wait()


def _relieve_and_return(scene: Scene) -> None:
    _relieve(scene)
    online(scene)


def _fill(directory: str):
    def inject(scene: Scene) -> None:
        target = machine(scene.active)
        target.run("mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "tmpfs", directory)
        said = target.run("dd", "if=/dev/zero", f"of={directory}/full", check=False).stderr
        if "No space left" not in said:
            raise LabError(f"{directory} is not full: {said}")

    return inject


def _empty(directory: str):
    return on("active", "umount", "--lazy", directory)


def _chmod(role: str, mode: str):
    return on(role, "chmod", mode, f"{AGENTS}/floatip", f"{AGENTS}/haproxy")


def _agents_back(scene: Scene) -> None:
    _chmod("passive", "0755")(scene)
    machine(scene.passive).run("crm_resource", "--cleanup")


FAULTS = [
    Fault("cpu-starved", HOST, "four busy processes beside everything for 20 s", _starve, _relieve, gap=1.0, hold=20.0,
          after=_busy),
    Fault("standby-under-load", HOST, "`crm_standby`, active balancer, at a load average of 15 a core",
          _standby_under_load, _relieve_and_return, gap=0.5, moves=1, after=owned_by_other),
    Fault("state-directory-full", HOST, "the directory of the agents' state is full, active balancer",
          _fill("/run/resource-agents"), _empty("/run/resource-agents"), gap=1.0, moves=2, hold=12.0),
    Fault("tmp-full", HOST, "/tmp is full, active balancer", _fill("/tmp"), _empty("/tmp"), gap=0.3, hold=12.0),
    Fault("agents-not-executable-passive", HOST, "the agents are not executable, passive balancer",
          _chmod("passive", "0644"), _agents_back, gap=0.3, moves=0, hold=12.0, operator="apply again, clean up"),
]  # fmt: skip
