"""Class 9: Salt's own faults. The next run converges, and no daemon is left with a configuration that it refuses."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence

from lab import formula, network, salt
from lab.machine import machine
from lab.shell import LabError, run, wait_for
from lab.topology import ARCHIVE_ADDRESS, BALANCERS, HOSTS, MINIONS

from . import inspection
from .fault import Fault, Scene
from .haproxy import owned_by_other

SALT = "Salt"
_NUMBERS = itertools.count(1)
MOMENTS = random.Random(0)  # when a run is interrupted; the soak seeds it
LONGEST_RUN = 12.0  # seconds; an interruption that falls behind a shorter run's end is tried again in half the time


def change_pillar() -> None:
    """Something new to apply: HAProxy's configuration, and the cluster's."""
    number = next(_NUMBERS)
    cluster = {"operation_defaults": {"record-pending": True}, "token": 300 + 10 * (number % 20)}
    formula.set_pillar(cluster, (f"http-response set-header X-Revision {number}",))


class Run:
    """A state.apply that runs while something happens to it."""

    def __init__(self, target: str = "*"):
        self.returned: dict = {}
        self._thread = threading.Thread(target=self._apply, args=(target,), daemon=True)
        self._thread.start()

    def _apply(self, target: str) -> None:
        self.returned = salt.call("state.apply", "haproxy_ha", target=target, timeout=60)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout: float = 130) -> None:
        """Wait for its end."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise LabError(f"a state.apply has not ended within {timeout:g} s")


def _interrupted(hosts: Callable[[Scene], Sequence[str]]):
    """A run whose minions are killed, with the jobs that they run, at a moment that is a part of its length."""

    def inject(scene: Scene) -> None:
        applying = _killed_in_time(MOMENTS.random(), hosts(scene))
        refused = inspection.refused()
        _minions_answer()
        applying.wait()
        if refused:
            raise LabError("; ".join(refused))

    return inject


def _killed_in_time(part: float, hosts: Sequence[str]) -> Run:
    """Kill the minions of a run; earlier in the next one where this one had ended before."""
    length = LONGEST_RUN
    while True:
        change_pillar()
        applying = Run()
        begun = wait_for("the run to begin", lambda: applying.ended or all(map(_job_runs, hosts)), 60, 0.05)
        end = time.monotonic() + part * length
        wait_for("the moment of the kill", lambda end=end: time.monotonic() > end, length + 5, 0.05)
        if begun and all(map(_job_runs, hosts)):
            for host in hosts:
                machine(host).run("pkill", "-KILL", "-f", "salt-minion")
            return applying
        applying.wait()
        length /= 2


def _minions_answer() -> None:
    for host in MINIONS:
        machine(host).run("systemctl", "reset-failed", "salt-minion", check=False)
        machine(host).run("systemctl", "start", "salt-minion")
    salt.wait_minions(120)


def _converge(scene: Scene) -> None:
    """What an operator does after anything: apply again."""
    _minions_answer()
    formula.apply()


def _different_pillars(scene: Scene) -> None:
    """Both balancers apply at once, each with a pillar of its own."""
    change_pillar()
    first = Run(BALANCERS[0])
    wait_for("the first run", lambda: first.ended or _job_runs(BALANCERS[0]), 30)
    change_pillar()
    second = Run(BALANCERS[1])
    if first.ended:
        raise LabError("the first run had ended before the second began")
    first.wait()
    second.wait()


def _job_runs(host: str) -> bool:
    return any(machine(host).run("find", "/var/cache/salt/minion/proc", "-type", "f", check=False).stdout.split())


def _apply_on(role: str):
    def inject(scene: Scene) -> None:
        change_pillar()
        Run(getattr(scene, role)).wait()

    return inject


def _apply_partitioned(scene: Scene) -> None:
    """The balancers do not see each other: nothing of the cluster's configuration may be written."""
    network.set_path(*BALANCERS, "down")
    wait_for("the partition", lambda: _alone(scene.active), 30, 0.5)
    change_pillar()
    Run(",".join(BALANCERS)).wait(300)


def _alone(host: str) -> bool:
    return machine(host).run("crm_node", "-p", check=False).stdout.split() == [host]


def _heal_and_converge(scene: Scene) -> None:
    network.set_path(*BALANCERS, "up")
    wait_for("the balancers to meet", lambda: not _alone(scene.active), 60, 0.5)
    _converge(scene)


def _apply_during_failover(scene: Scene) -> None:
    change_pillar()
    applying = Run()
    wait_for("the run", lambda: applying.ended or _job_runs(scene.active), 30)
    machine(scene.active).run("crm", "node", "standby", scene.active)
    if applying.ended:
        raise LabError("the run had ended before the address moved")
    applying.wait()


def _online_and_converge(scene: Scene) -> None:
    machine(scene.active).run("crm", "node", "online", scene.active)
    _converge(scene)


def _without_archive(verb: str):
    def act() -> None:
        for host in MINIONS:
            namespace = HOSTS[host].namespace
            run(["ip", "-n", namespace, "route", verb, "blackhole", f"{ARCHIVE_ADDRESS}/32"])

    return act


def _apply_without_archive(scene: Scene) -> None:
    _without_archive("replace")()
    change_pillar()
    formula.apply()


def _archive_back(scene: Scene) -> None:
    _without_archive("delete")()
    _converge(scene)


def _wrong_pillar(scene: Scene) -> None:
    """A line that HAProxy refuses: the run fails, and nothing changes."""
    formula.set_pillar(options=("no-such-keyword at all",))
    applying = Run(",".join(BALANCERS))
    applying.wait()
    if not all("no-such-keyword" in str(applying.returned.get(host)) for host in BALANCERS):
        raise LabError(f"the line is not what the run complains of: {applying.returned}")
    refused = inspection.refused()
    if refused:
        raise LabError("; ".join(refused))


def _right_pillar(scene: Scene) -> None:
    change_pillar()
    _converge(scene)


def _kill_master(scene: Scene) -> None:
    change_pillar()
    applying = Run()
    wait_for("the run", lambda: applying.ended or _job_runs(BALANCERS[0]), 30)
    if applying.ended:
        raise LabError("the run had ended before the master was killed")
    machine("master").run("pkill", "-KILL", "-f", "salt-master")
    machine("master").run("systemctl", "restart", "salt-master")
    applying.wait()


def _salt(name: str, title: str, inject, mend=_converge, **bounds) -> Fault:
    return Fault(f"salt-{name}", SALT, title, inject, mend, **{"gap": 1.0, "calls": 400, **bounds})


FAULTS = [
    _salt("minions-killed", "every minion killed at a random moment of a run",
          _interrupted(lambda scene: MINIONS), operator="apply again"),
    _salt("active-killed", "the active balancer's run killed at a random moment",
          _interrupted(lambda scene: [scene.active]), operator="apply again"),
    _salt("different-pillars", "both balancers apply different pillars at once", _different_pillars,
          operator="apply again"),
    _salt("one-node", "applied on the active balancer only", _apply_on("active"), operator="apply on the other too"),
    _salt("partitioned", "applied while the balancers do not see each other", _apply_partitioned, _heal_and_converge,
          operator="apply again"),
    _salt("during-failover", "applied while the address moves", _apply_during_failover, _online_and_converge, moves=1,
          after=owned_by_other),
    _salt("without-archive", "applied while the package archive is away", _apply_without_archive, _archive_back),
    _salt("refused-line", "pillar has a line that HAProxy refuses", _wrong_pillar, _right_pillar,
          operator="mend pillar"),
    _salt("master-killed", "the master is killed during a run", _kill_master, operator="apply again"),
]  # fmt: skip
