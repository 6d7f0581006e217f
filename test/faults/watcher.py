"""The resident watcher: without it, or with one that lies, everything works all the same, slower."""

from __future__ import annotations

from lab import audit
from lab.machine import HAPROXY, machine
from lab.shell import wait_for

from .fault import Fault, Scene
from .haproxy import MONITOR, owned_by_other
from .links import UNREACHED, dropped_public, passed_public

WATCHER = "the resident watcher"
UNIT, ATTRIBUTE = "haproxy_ha-watch", "haproxy_ha-cut-off"
HEALED = 75.0  # seconds: it tells what it knows once a minute

_PIDS: dict[str, str] = {}


def _pid(host: str) -> str:
    return machine(host).run("systemctl", "show", "--property=MainPID", "--value", UNIT).stdout.strip()


def _is_active(host: str) -> bool:
    return machine(host).run("systemctl", "--quiet", "is-active", UNIT, check=False).returncode == 0


def _signal(name: str, host: str) -> None:
    machine(host).run("systemctl", "kill", f"--signal={name}", UNIT)


def _kill(scene: Scene) -> None:
    _PIDS[scene.active] = _pid(scene.active)
    _signal("KILL", scene.active)


def _is_anew(scene: Scene) -> bool:
    return _pid(scene.active) not in ("0", _PIDS[scene.active])


def _stop_and_hang(scene: Scene) -> None:
    _PIDS[scene.active] = _pid(scene.active)
    _signal("STOP", scene.active)
    machine(scene.active).run("pkill", "-STOP", *HAPROXY)


def _wait_active(scene: Scene) -> None:
    """Its own watchdog has ended it, and systemd has started it anew."""
    wait_for("the watcher", lambda: _is_anew(scene) and _is_active(scene.active), 30, 0.3)


def _off_and_drop(scene: Scene) -> None:
    machine(scene.active).run("systemctl", "stop", UNIT)
    dropped_public(scene)


def _on_and_pass(scene: Scene) -> None:
    passed_public(scene)
    machine(scene.active).run("systemctl", "start", UNIT)


def _lie(scene: Scene) -> None:
    machine(scene.active).run("attrd_updater", f"--name={ATTRIBUTE}", "--update=-1000")


def _wait_healed(scene: Scene) -> None:
    wait_for("the end of the lie", lambda: (audit.attribute(ATTRIBUTE) or {}).get(scene.active) == "0", HEALED, 0.5)


FAULTS = [
    Fault("watcher-killed", WATCHER, "SIGKILL, active balancer", _kill, gap=0.3, after=_is_anew),
    Fault(
        "watcher-stopped-then-hang", WATCHER, "SIGSTOP, active balancer, then SIGSTOP of HAProxy", _stop_and_hang,
        _wait_active, gap=MONITOR + 2, hold=MONITOR + 2,
    ),
    Fault(
        "watcher-off-then-drop-public", WATCHER, "stopped by hand, active balancer, then its public link is dropped",
        _off_and_drop, _on_and_pass, gap=UNREACHED, moves=1, after=owned_by_other,
    ),
    Fault(
        "watcher-lies", WATCHER, "the active balancer is told to be cut off, and is not", _lie, _wait_healed, gap=0.3,
        moves=1, after=owned_by_other,
    ),
]  # fmt: skip
