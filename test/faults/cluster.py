"""Class 3: Corosync, Pacemaker and its daemons, and whole hosts."""

from __future__ import annotations

import time
from dataclasses import replace

from lab import audit, formula, network, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.simulator import control
from lab.topology import BALANCERS

from .fault import Fault, Scene
from .haproxy import on, online, owned_by_other, standby

DAEMONS, HOSTS_DOWN = "Corosync and Pacemaker", "whole hosts"
PACEMAKER = ("based", "controld", "execd", "attrd", "schedulerd", "fenced")
TAKEOVER = 2.5  # a loss of power: detection, Pacemaker, the agent
DELAY = 2  # seconds by which the one with the address is spared
BOTH_SHOOT = 5  # the same where each shoots: what the API takes is to be over by then
# If it was the DC, a new one may be there before the operator's fencing has succeeded, and fences once more, delayed.
FENCED = TAKEOVER + DELAY


def power_on(*roles: str):
    """Those that are off are on again."""
    def mend(scene: Scene) -> None:
        hosts = [getattr(scene, role) for role in roles]
        for host in hosts:
            if not machine(host).leader():
                machine(host).power_on()
        for host in hosts:
            machine(host).wait_booted()

    return mend


def _power_off(*roles: str):
    def inject(scene: Scene) -> None:
        for role in roles:
            machine(getattr(scene, role)).power_off()

    return inject


_LEADERS: dict[str, int | None] = {}


def _reboot(role: str):
    def inject(scene: Scene) -> None:
        host = getattr(scene, role)
        _LEADERS[host] = machine(host).reboot()

    def mend(scene: Scene) -> None:
        host = getattr(scene, role)
        machine(host).wait_rebooted(_LEADERS.pop(host))

    return inject, mend


def _both_lost_one_returns(scene: Scene) -> None:
    _power_off("active", "passive")(scene)
    machine(scene.passive).power_on()


def _cold_boot(scene: Scene) -> None:
    _power_off("active", "passive")(scene)
    for host in BALANCERS:
        machine(host).power_on()


CHANGES = "for value in $(seq 60); do attrd_updater --name=fault --update=$value; done"


def _standby_amid_changes(scene: Scene) -> None:
    """Each change of an attribute overtakes the plan by which Pacemaker moves the address."""
    machine(scene.passive).run("systemd-run", "--quiet", "--remain-after-exit", "--unit=changes", "sh", "-c", CHANGES)
    standby(scene)


def _end_changes(scene: Scene) -> None:
    machine(scene.passive).run("systemctl", "stop", "changes")
    machine(scene.passive).run("attrd_updater", "--name=fault", "--delete")
    online(scene)


def takeovers() -> dict[str, str]:
    """The nodes that draw the address, as they took it from a lost one."""
    return audit.attribute("haproxy_ha-takeover") or {}


def _move_after_return(scene: Scene) -> None:
    """The node that has taken over is left, as soon as the lost one is back, and while its takeover still counts."""
    _power_off("active")(scene)
    wait_for("the takeover", lambda: owned_by_other(scene), 10, 0.05)
    power_on("active")(scene)
    if audit.settle() != scene.passive or list(takeovers()) != [scene.passive]:
        raise LabError(f"found a takeover by {takeovers()}, expected one by {scene.passive}")
    control.delay(str(CONTROL), assign_seconds=11.0)
    standby(back(scene))


def _end_move(scene: Scene) -> None:
    control.delay(str(CONTROL))
    online(back(scene))
    wait_for("the end of the takeover", lambda: not takeovers(), 2, 0.1)


STILL = 2.0  # seconds: more than token and consensus


def _stand_still(scene: Scene) -> None:
    machine(scene.active).stand_still(STILL)


def _stand_still_in_turn(scene: Scene) -> None:
    """Then the one that has taken over, while that counts; it comes back with what it had been told before."""
    _stand_still(scene)
    wait_for("the takeover", lambda: owned_by_other(scene), 10, 0.05)
    if audit.settle() != scene.passive or list(takeovers()) != [scene.passive]:
        raise LabError(f"found a takeover by {takeovers()}, expected one by {scene.passive}")
    _stand_still(back(scene))


NOTED = "/run/resource-agents/haproxy_ha-degraded-FloatIP"


def _maintain_after_degraded(scene: Scene) -> None:
    """Pacemaker takes what it remembers for the monitor itself, and would run none any more."""
    active = machine(scene.active)
    for fault in ({"service": "metadata", "status": 500}, {"status": 503}):
        control.fault(str(CONTROL), kind="status", **fault)
    wait_for("a degraded address", lambda: any("503" in reason for reason in audit.reasons(scene.active)), 150, 0.5)
    control.clear(str(CONTROL))
    noted = active.run("stat", "--format=%Y", NOTED).stdout
    wait_for("a monitor", lambda: active.run("stat", "--format=%Y", NOTED).stdout != noted, 30, 0.5)
    active.run("crm_attribute", "--name=maintenance-mode", "--update=true")
    wait_for("the maintenance", lambda: "unmanaged" in active.run("crm_mon", "--one-shot").stdout, 30, 0.5)
    active.run("crm_attribute", "--name=maintenance-mode", "--delete")
    ended = time.time()
    wait_for("a monitor after the maintenance", lambda: _noted_at(scene.active) > ended, 90, 0.5)


def _noted_at(host: str) -> float:
    """When a monitor of the address came last; it notes that once it was degraded."""
    found = machine(host).run("stat", "--format=%.9Y", NOTED, check=False).stdout.strip()
    return float(found or 0)


def back(scene: Scene) -> Scene:
    """The scene after a move."""
    return replace(scene, active=scene.passive, passive=scene.active)


def _stop_cluster(role: str):
    return on(role, "systemctl", "stop", "pacemaker", "corosync")


def _start_cluster(role: str):
    return on(role, "systemctl", "start", "corosync", "pacemaker")


def _restart_one_after_the_other(scene: Scene) -> None:
    """As a person does for a setting that no reload takes."""
    for host in (scene.passive, scene.active):
        machine(host).run("systemctl", "stop", "pacemaker", "corosync")
        machine(host).run("systemctl", "start", "corosync", "pacemaker")
        wait_for("both balancers in the cluster", lambda: not audit.problems(), 60, 0.5)


def _lose_cib_manager(role: str):
    """As it is when pacemakerd waits for a Corosync that never went: nobody starts the CIB manager again."""

    def inject(scene: Scene) -> None:
        on(role, "pkill", "-STOP", "-x", "pacemakerd")(scene)
        on(role, "pkill", "-KILL", "-x", "pacemaker-based")(scene)

    return inject


def _has_cib_manager(role: str):
    running = ("pgrep", "--runstates", "R,S,D", "-x", "pacemaker-based")
    return lambda scene: machine(getattr(scene, role)).run(*running, check=False).returncode == 0


def _with_fencing(scene: Scene, delay: int = DELAY) -> None:
    """It is off by default."""
    formula.set_pillar({"fencing": {"enabled": True, "delay": delay}})
    formula.apply(target=",".join(BALANCERS))
    audit.settle()
    for name in BALANCERS:
        _LEADERS[name] = machine(name).leader()


def _hang_fenced(scene: Scene) -> None:
    _with_fencing(scene)
    machine(scene.active).run("pkill", "-STOP", "-x", "corosync")


def _fence(action: str):
    """An operator has the active balancer fenced from the other one."""

    def inject(scene: Scene) -> None:
        _with_fencing(scene)
        machine(scene.passive).run("stonith_admin", f"--{action}", scene.active, "--timeout=60")

    return inject


def _cut_peers_fenced(scene: Scene) -> None:
    """The one with the address is spared for a while; the other one is not to fence it, once that has booted."""
    _with_fencing(scene, BOTH_SHOOT)
    network.set_path(*BALANCERS, "down")


def _mend_peers(scene: Scene) -> None:
    network.set_path(*BALANCERS, "up")
    if machine(scene.active).leader() != _LEADERS[scene.active]:
        raise LabError(f"{scene.active}, which served, was powered off")
    _without_fencing(scene, fenced=scene.passive)


def _cut_private_fenced(scene: Scene) -> None:
    """The one with the address, which is spared for a while, is the one that is cut off, from its servers too."""
    _with_fencing(scene, BOTH_SHOOT)
    network.set_link(scene.active, "private", "down")


def _mend_private(scene: Scene) -> None:
    network.set_link(scene.active, "private", "up")
    if machine(scene.passive).leader() != _LEADERS[scene.passive]:
        raise LabError(f"{scene.passive}, which could serve, was powered off")
    _without_fencing(scene)


def _cut_blink_fenced(scene: Scene) -> None:
    """Only the other one decides before the cut is over: its request waits, to spare the one that serves."""
    _with_fencing(scene, BOTH_SHOOT)
    machine(scene.active).run("pkill", "-STOP", "-x", "pacemaker-sched")
    network.set_path(*BALANCERS, "down")
    wait_for("a request to fence the one that serves", lambda: _is_requested(scene.passive, scene.active), 10, 0.1)
    network.set_path(*BALANCERS, "up")
    machine(scene.active).run("pkill", "-CONT", "-x", "pacemaker-sched")


def _is_requested(by: str, target: str) -> bool:
    said = machine(by).run("stonith_admin", "--history", "*", "--verbose").stdout
    return any("pending" in line and f"of {target} " in line for line in said.splitlines())


def _is_refused(scene: Scene) -> bool:
    return "failed" in machine(scene.passive).run("stonith_admin", "--history", scene.active, "--verbose").stdout


def _forget_refused(scene: Scene) -> None:
    """Nobody has lost power."""
    if (found := {name: machine(name).leader() for name in BALANCERS}) != _LEADERS:
        raise LabError(f"powered off: {', '.join(name for name in found if found[name] != _LEADERS[name])}")
    machine(scene.passive).run("stonith_admin", "--cleanup", "--history", scene.active)
    _LEADERS.clear()
    formula.set_pillar()
    formula.apply()


def _is_off(scene: Scene) -> bool:
    return owned_by_other(scene) and not machine(scene.active).leader()


def _was_rebooted(role: str):
    def rebooted(scene: Scene) -> bool:
        host = getattr(scene, role)
        return machine(host).leader() not in (None, _LEADERS[host])

    return rebooted


def _unfence(scene: Scene) -> None:
    machine(scene.passive).run("stonith_admin", "--unfence", scene.active, "--timeout=60")
    _without_fencing(scene)


def _fenced(scene: Scene) -> bool:
    counts = control.state(str(CONTROL))["counts"]
    return owned_by_other(scene) and counts.get("power_off", 0) > scene.counts.get("power_off", 0)


def _without_fencing(scene: Scene, fenced: str = "") -> None:
    """The host (the active one, unless it is named), which fencing has started again, is back; then fencing is off."""
    host = fenced or scene.active
    machine(host).wait_rebooted(_LEADERS.pop(host))
    salt.wait_minions()
    audit.settle()
    formula.set_pillar()
    formula.apply()


FAULTS = [
    *(
        Fault(
            f"pacemaker-{daemon}-kill-{role}", DAEMONS, f"SIGKILL of pacemaker-{daemon}, {role} balancer",
            on(role, "pkill", "-KILL", "-f", f"/pacemaker-{daemon}"), gap=5.0, moves=1, hold=5.0,
        )
        for daemon in PACEMAKER for role in ("active", "passive")
    ),
    *(
        Fault(
            f"{daemon}-kill-{role}", DAEMONS, f"SIGKILL of {daemon}, {role} balancer",
            on(role, "pkill", "-KILL", "-x", daemon), gap=5.0, moves=1, hold=5.0,
        )
        for daemon in ("pacemakerd", "corosync") for role in ("active", "passive")
    ),
    *(
        Fault(
            f"pacemaker-based-lost-{role}", DAEMONS, f"pacemaker-based killed and not started again, {role} balancer",
            _lose_cib_manager(role), gap=TAKEOVER, moves=1, after=_has_cib_manager(role), within=60.0,
        )
        for role in ("active", "passive")
    ),
    Fault(
        "corosync-hang-active", DAEMONS, "SIGSTOP of corosync for 5 s, active balancer",
        on("active", "pkill", "-STOP", "-x", "corosync"), on("active", "pkill", "-CONT", "-x", "corosync"), gap=5.0,
        moves=1, hold=5.0,
    ),
    Fault(
        "corosync-hang-fenced", DAEMONS, "SIGSTOP of corosync, active balancer, with fencing (`delay` 2 s)",
        _hang_fenced, _without_fencing, gap=15.0, moves=1, calls=400, after=_fenced, within=60.0,
    ),
    Fault(
        "fence-reboot", DAEMONS, "`stonith_admin --reboot`, active balancer", _fence("reboot"), _without_fencing,
        gap=FENCED, moves=1, calls=400, after=lambda scene: owned_by_other(scene) and _was_rebooted("active")(scene),
        within=60.0,
    ),
    Fault(
        "cut-peers-fenced", DAEMONS, "path between the balancers for half a minute, with fencing", _cut_peers_fenced,
        _mend_peers, gap=0.5, calls=400, after=_was_rebooted("passive"), within=60.0, hold=30.0,
    ),
    Fault(
        "cut-private-fenced", DAEMONS, "private link of the active balancer, with fencing", _cut_private_fenced,
        _mend_private, gap=TAKEOVER + BOTH_SHOOT + 2, moves=1, calls=400, after=_was_rebooted("active"), within=60.0,
        hold=20.0,
    ),
    Fault(
        "cut-blink-fenced", DAEMONS, "path between the balancers until one of them asks for fencing, which has a delay",
        _cut_blink_fenced, _forget_refused, gap=0.5, calls=400, after=_is_refused, within=60.0, hold=10.0,
        operator="`stonith_admin --cleanup`, that the refusal no longer stands in `crm_mon`",
    ),
    Fault(
        "fence-off", DAEMONS, "`stonith_admin --fence`, active balancer, and `--unfence`", _fence("fence"), _unfence,
        gap=FENCED, moves=1, calls=400, after=_is_off, within=60.0, operator="`stonith_admin --unfence`, when it may",
    ),
    Fault(
        "cluster-stop-active", DAEMONS, "`systemctl stop pacemaker corosync`, active balancer",
        _stop_cluster("active"), _start_cluster("active"), gap=0.5, moves=1, after=owned_by_other,
    ),
    Fault(
        "cluster-stop-passive", DAEMONS, "`systemctl stop pacemaker corosync`, passive balancer",
        _stop_cluster("passive"), _start_cluster("passive"), gap=0.3,
    ),
    Fault(
        "cluster-restart", DAEMONS, "Corosync and Pacemaker restarted, one balancer after the other",
        _restart_one_after_the_other, gap=0.5, moves=1,
    ),
    Fault(
        "standby", DAEMONS, "`crm_standby`, active balancer", standby, online, gap=0.5, moves=1, after=owned_by_other,
    ),
    Fault(
        "standby-amid-changes", DAEMONS, "`crm_standby`, active balancer, while a node attribute keeps changing",
        _standby_amid_changes, _end_changes, gap=TAKEOVER, moves=1, after=owned_by_other, within=15.0,
    ),
    Fault(
        "power-loss-active", HOSTS_DOWN, "loss of power, active balancer", _power_off("active"), power_on("active"),
        gap=TAKEOVER, moves=1, after=owned_by_other,
    ),
    Fault(
        "power-loss-then-move", HOSTS_DOWN,
        "loss of power, active balancer; it returns, and at once the other one is on standby (the assign takes 11 s)",
        _move_after_return, _end_move, gap=TAKEOVER, moves=1, strikes=2,
        after=lambda scene: owned_by_other(back(scene)), within=25.0,
    ),
    Fault(
        "maintenance-after-degraded", DAEMONS,
        "the cluster in maintenance and back, after the address was degraded once",
        _maintain_after_degraded, gap=0.3, calls=200,
    ),
    Fault(
        "stands-still-active", HOSTS_DOWN, f"the machine stands still for {STILL:g} s, active balancer", _stand_still,
        gap=TAKEOVER, moves=1, after=owned_by_other,
    ),
    Fault(
        "stands-still-in-turn", HOSTS_DOWN,
        f"the machine stands still for {STILL:g} s, active balancer, and soon after it the one that took over",
        _stand_still_in_turn, gap=TAKEOVER, moves=1, strikes=2, after=lambda scene: owned_by_other(back(scene)),
        hold=12.0,
    ),
    Fault(
        "power-loss-passive", HOSTS_DOWN, "loss of power, passive balancer", _power_off("passive"),
        power_on("passive"), gap=0.3,
    ),
    Fault("reboot-active", HOSTS_DOWN, "reboot, active balancer", *_reboot("active"), gap=0.5, moves=1,
          after=owned_by_other),
    Fault("reboot-passive", HOSTS_DOWN, "reboot, passive balancer", *_reboot("passive"), gap=0.3),
    Fault(
        "power-loss-both", HOSTS_DOWN, "both balancers lose power, the passive one returns alone",
        _both_lost_one_returns, power_on("active", "passive"), gap=45.0, moves=1, after=owned_by_other, within=60.0,
    ),
    Fault(
        "cold-boot", HOSTS_DOWN, "both balancers lose power and boot at the same moment", _cold_boot,
        power_on("active", "passive"), gap=45.0, moves=1,
    ),
]  # fmt: skip
