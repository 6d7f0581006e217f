"""Classes 1 and 2: HAProxy's processes, and what it needs to start."""

from __future__ import annotations

from collections.abc import Callable

from lab import audit, stuck
from lab.machine import HAPROXY, machine
from lab.shell import LabError, wait_for
from lab.topology import HOSTS
from lab.traffic import ask

from .fault import Fault, Scene, nothing

PROCESS, START = "HAProxy's processes", "what HAProxy needs to start"
MONITOR = 5.0  # seconds between two looks of the cluster
HUNG = 4.0  # for the resident watcher to find one that hangs, and systemd to start it anew
CONFIG = "/etc/haproxy/haproxy.cfg"
ROLES = ("active", "passive")


def on(role: str, *argv: str) -> Callable[[Scene], None]:
    """A command on the balancer that has this role at the moment of the fault."""
    return lambda scene: machine(getattr(scene, role)).run(*argv) and None


def owned_by_other(scene: Scene) -> bool:
    """The address has moved."""
    return audit.cloud_owner() == scene.passive


def standby(scene: Scene) -> None:
    """The active balancer is to be left, as Pacemaker's own tool says it: crmsh's writes back a status that it read
    before, and what an action has come to meanwhile is lost."""
    machine(scene.active).run("crm_standby", "--node", scene.active, "--update", "on")


def online(scene: Scene) -> None:
    """It can be used again."""
    machine(scene.active).run("crm_standby", "--node", scene.active, "--delete")


def signalled(name: str, role: str, *which: str) -> Callable[[Scene], None]:
    """A signal to HAProxy: to all of its processes, or with ``-n`` to the worker."""
    return on(role, "pkill", f"-{name}", *which, *HAPROXY)


def _gap(role: str, seconds: float) -> float:
    """Clients notice only what strikes the active one."""
    return seconds if role == "active" else 0.3


def _stop(role: str) -> Callable[[Scene], None]:
    """systemd cancels what the cluster does not want, and says so."""

    def inject(scene: Scene) -> None:
        said = machine(getattr(scene, role)).run("systemctl", "stop", "haproxy", check=False).stderr
        if "canceled" not in said:
            raise LabError(f"found {said!r}, expected that the stop was canceled")

    return inject


def _processes(role: str) -> list[Fault]:
    restarted = _gap(role, 1.0)
    found = _gap(role, HUNG)
    return [
        Fault(f"haproxy-kill-{role}", PROCESS, f"SIGKILL, {role} balancer", signalled("KILL", role), gap=restarted),
        Fault(f"haproxy-term-{role}", PROCESS, f"SIGTERM, {role} balancer", signalled("TERM", role), gap=restarted),
        Fault(
            f"haproxy-worker-kill-{role}", PROCESS, f"SIGKILL of the worker, {role} balancer",
            signalled("KILL", role, "-n"), gap=restarted,
        ),
        Fault(
            f"haproxy-hang-{role}", PROCESS, f"SIGSTOP, {role} balancer", signalled("STOP", role), gap=found,
            hold=MONITOR + 2,
        ),
        Fault(
            f"haproxy-worker-hang-{role}", PROCESS, f"SIGSTOP of the worker, {role} balancer",
            signalled("STOP", role, "-n"), gap=found, hold=MONITOR + 2,
        ),
        Fault(
            f"haproxy-stop-{role}", PROCESS, f"`systemctl stop haproxy`, {role} balancer",
            _stop(role), gap=restarted, hold=MONITOR + 2,
        ),
    ]  # fmt: skip


def _spoil_config(scene: Scene) -> None:
    target = machine(scene.active)
    _KEPT[scene.active] = target.read(CONFIG)
    target.write(CONFIG, _KEPT[scene.active] + "\nfrontend spoilt\n    bnd :81\n", 0o640)


_KEPT: dict[str, str] = {}


def _restore_config(scene: Scene) -> None:
    machine(scene.active).write(CONFIG, _KEPT.pop(scene.active), 0o640)


def _spoil_config_and_kill(scene: Scene) -> None:
    _spoil_config(scene)
    signalled("KILL", "active")(scene)


def _restart_with_spoilt_config(scene: Scene) -> None:
    _spoil_config(scene)
    if machine(scene.active).run("systemctl", "reload", "haproxy", check=False).returncode == 0:
        raise LabError("HAProxy was reloaded, spoilt as its configuration is")


def _take_port(scene: Scene) -> None:
    """Somebody else has the port, and answers nobody, when HAProxy is to start: after a stop in maintenance."""
    target = machine(scene.active)
    script = f"import signal, socket; it = socket.create_server(({_anchor(scene)!r}, 80)); signal.pause()"
    target.run("crm_attribute", "--name", "maintenance-mode", "--update", "true")
    target.run("systemctl", "stop", "haproxy")
    target.run("systemd-run", "--quiet", "--unit=squatter", "python3", "-c", script)
    target.run("crm_attribute", "--name", "maintenance-mode", "--delete")


def _free_port(scene: Scene) -> None:
    machine(scene.active).run("systemctl", "stop", "squatter", check=False)


def _anchor(scene: Scene) -> str:
    return HOSTS[scene.active].anchor


def _anchor_away(scene: Scene) -> None:
    machine(scene.active).run("ip", "address", "del", f"{_anchor(scene)}/16", "dev", "eth0")


def _anchor_back(scene: Scene) -> None:
    machine(scene.active).run("ip", "address", "add", f"{_anchor(scene)}/16", "dev", "eth0", check=False)


def _empty_pid_file(scene: Scene) -> None:
    machine(scene.active).run("truncate", "--size=0", "/run/haproxy.pid")
    machine(scene.active).run("systemctl", "restart", "haproxy")


def _give_up_unit(scene: Scene) -> None:
    """So many crashes in a row that systemd restarts it no more."""
    target = machine(scene.active)

    def given_up() -> bool:
        target.run("systemctl", "kill", "--signal=SIGKILL", "haproxy", check=False)
        shown = target.run("systemctl", "show", "haproxy", "--property=ActiveState", "--value").stdout
        return shown.strip() == "failed"

    wait_for("systemd to give HAProxy up", given_up, 20)


def _hang_again(scene: Scene) -> None:
    """As often as the watcher ends it within a minute, and the cluster then tries again in the same place."""
    for _ in range(6):
        wait_for("an answer", lambda: ask()[0] == 200, 30)
        before = _pids(scene.active)
        if owned_by_other(scene):
            return
        signalled("STOP", "active")(scene)
        wait_for("an end of what hangs", lambda before=before: not before & _pids(scene.active), 15)
        wait_for("HAProxy, or the address elsewhere", lambda: _pids(scene.active) or owned_by_other(scene), 15)


def _stuck(how: str) -> dict:
    """What has threads come to no end, and what mends it."""

    workers: dict[str, str] = {}

    def inject(scene: Scene) -> None:
        stuck.prepare(scene.active, stuck.by_systemd)
        workers[scene.active] = _worker(scene.active)
        stuck.strike(scene.active, how)

    return {
        "inject": inject,
        "after": lambda scene: _worker(scene.active) not in ("", workers[scene.active]),
        "mend": lambda scene: stuck.mend(scene.active, stuck.by_systemd),
    }


def _worker(host: str) -> str:
    """The id of its newest process; "" without one."""
    return machine(host).run("pgrep", "-n", *HAPROXY, check=False).stdout.strip()


def _pids(host: str) -> set[str]:
    return set(machine(host).run("pgrep", *HAPROXY, check=False).stdout.split())


FAULTS = [
    *(fault for role in ROLES for fault in _processes(role)),
    Fault(
        "haproxy-crash-loop", PROCESS, "crashes until systemd gives up", _give_up_unit, gap=MONITOR + 5,
        hold=MONITOR + 2,
    ),
    Fault(
        "haproxy-threads-blocked", PROCESS, "all threads are blocked in a call, active balancer",
        **_stuck(stuck.BLOCK), gap=HUNG, hold=MONITOR,
    ),
    Fault(
        "haproxy-thread-spins", PROCESS, "a thread comes to no end, active balancer; HAProxy's own watchdog ends it",
        **_stuck(stuck.SPIN), gap=HUNG, hold=MONITOR,
    ),
    Fault(
        "haproxy-hang-again", PROCESS, "SIGSTOP six times within a minute, active balancer", _hang_again,
        gap=MONITOR + 2, moves=1, after=owned_by_other, operator="nothing; it is used again two minutes later",
    ),
    Fault(
        "haproxy-config-spoilt", START, "haproxy.cfg is spoilt, then HAProxy crashes", _spoil_config_and_kill,
        _restore_config, gap=25.0, moves=1, after=owned_by_other, operator="mend the file, or apply again",
    ),
    Fault(
        "haproxy-reload-spoilt", START, "haproxy.cfg is spoilt, then reloaded by hand", _restart_with_spoilt_config,
        _restore_config, gap=0.3, operator="mend the file, or apply again",
    ),
    Fault(
        "haproxy-port-taken", START, "HAProxy is stopped in maintenance, and another program takes the port",
        _take_port, _free_port,
        gap=25.0, moves=1, after=owned_by_other, operator="end the other program",
    ),
    Fault(
        "haproxy-anchor-away", START, "the anchor IP goes from the active balancer's interface", _anchor_away,
        _anchor_back, gap=MONITOR + 20, moves=1, after=owned_by_other, operator="give the interface its address back",
    ),
    Fault("haproxy-pid-file", START, "an empty pid file, then a restart by hand", _empty_pid_file, nothing, gap=1.0),
]  # fmt: skip
