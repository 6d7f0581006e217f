"""Class 8: what a host lacks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

from lab.machine import machine
from lab.shell import LabError

from .fault import Fault, Scene
from .haproxy import on

HOST = "the host"
AGENTS = "/usr/lib/ocf/resource.d/haproxy_ha"
_BUSY: list[subprocess.Popen] = []


def _starve(scene: Scene) -> None:
    """Twice as many busy processes as there are cores."""
    count = 2 * (os.cpu_count() or 1)
    _BUSY.extend(subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count))


def _busy(scene: Scene) -> bool:
    return all(process.poll() is None for process in _BUSY)


def _relieve(scene: Scene) -> None:
    while _BUSY:
        with contextlib.suppress(ProcessLookupError):
            _BUSY[-1].kill()
        _BUSY.pop().wait()


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
    Fault("state-directory-full", HOST, "the directory of the agents' state is full, active balancer",
          _fill("/run/resource-agents"), _empty("/run/resource-agents"), gap=1.0, moves=2, hold=12.0),
    Fault("tmp-full", HOST, "/tmp is full, active balancer", _fill("/tmp"), _empty("/tmp"), gap=0.3, hold=12.0),
    Fault("agents-not-executable-passive", HOST, "the agents are not executable, passive balancer",
          _chmod("passive", "0644"), _agents_back, gap=0.3, moves=0, hold=12.0, operator="apply again, clean up"),
]  # fmt: skip
