"""A host has booted with a wrong clock, which is what all of its services have (lab/clock.c)."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import audit, formula, salt
from lab.image import CLOCK
from lab.machine import machine
from lab.shell import LabError, wait_for

from .fault import Fault, Scene
from .salt_faults import SALT, change_pillar, converge, fails

DAY = 86400  # seconds
SETTING = "/etc/systemd/system.conf.d/clock.conf"


def _boots_with(offset: int, apply: Callable[[Scene], object]):
    """The active balancer boots with a wrong clock; then a run has something to do."""

    def inject(scene: Scene) -> None:
        target = machine(scene.active)
        target.run("mkdir", "-p", SETTING.rpartition("/")[0])
        target.write(SETTING, f"[Manager]\nDefaultEnvironment=LD_PRELOAD={CLOCK} CLOCK_OFFSET={offset}\n")
        _reboot(scene)
        found = _clock(scene.active) - time.time()
        if abs(found - offset) > 60:
            raise LabError(f"the clock of {scene.active} is {found:+.0f} s off, expected: {offset:+d}")
        change_pillar()
        apply(scene)

    return inject


def _clock(host: str) -> int:
    """The time that what a minion starts has, in seconds since 1970."""
    return int(salt.call("cmd.run_stdout", "date +%s", target=host)[host])


def _set_right(scene: Scene) -> None:
    machine(scene.active).run("rm", SETTING)
    _reboot(scene)
    converge(scene)


def _reboot(scene: Scene) -> None:
    target = machine(scene.active)
    target.wait_rebooted(target.reboot())
    salt.wait_minions()
    wait_for(f"{scene.active} to be back in the cluster", lambda: not audit.problems(), 60, 0.5)


def _applied(scene: Scene) -> None:
    formula.apply()


def _refuses_certificate(scene: Scene) -> None:
    fails("certificate is not yet valid.*; by this machine's clock it is", [scene.active])


FAULTS = [
    Fault(f"clock-{name}", SALT, f"applied on a balancer that has booted with its clock a day {name}{so}",
          _boots_with(offset, apply), _set_right, gap=0.5, moves=1, calls=100, operator="set the clock, apply again")
    for name, so, offset, apply in (
        ("ahead", "", DAY, _applied),
        ("behind", ": the API's certificate is not valid yet", -DAY, _refuses_certificate),
    )
]  # fmt: skip
