"""Class 9: Salt's own faults. The next run converges, and no daemon is left with a configuration that it refuses."""

from __future__ import annotations

import base64
import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Sequence

from lab import formula, lab, network, outcome, salt
from lab.machine import machine
from lab.shell import LabError, run, wait_for
from lab.topology import ARCHIVE_ADDRESS, BALANCERS, HOSTS, MINIONS

from . import inspection
from .cluster import TAKEOVER
from .fault import Fault, Scene
from .haproxy import ROLES, online, owned_by_other, standby

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

    def __init__(self, target: str = "*", timeout: int = 60):
        self.returned: dict = {}
        self._thread = threading.Thread(target=self._apply, args=(target, timeout), daemon=True)
        self._thread.start()

    def _apply(self, target: str, timeout: int) -> None:
        self.returned = salt.call("state.apply", "haproxy_ha", target=target, timeout=timeout)

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
    while not _at_moment(applying := _changing_run(hosts), part * length, hosts):
        applying.wait()
        length /= 2
    for host in hosts:
        machine(host).run("pkill", "-KILL", "-f", "salt-minion")
    return applying


def _changing_run(hosts: Sequence[str]) -> Run:
    salt.call("saltutil.running")  # forgets the jobs of killed minions
    change_pillar()
    applying = Run()
    wait_for("the run to begin", lambda: applying.ended or all(map(_job_runs, hosts)), 60, 0.05)
    return applying


def _at_moment(applying: Run, seconds: float, hosts: Sequence[str]) -> bool:
    """Whether all of the hosts still run it so many seconds later."""
    end = time.monotonic() + seconds
    wait_for("the moment of the kill", lambda: applying.ended or time.monotonic() > end, seconds + 5, 0.05)
    return not applying.ended and all(map(_job_runs, hosts))


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
    Run(",".join(BALANCERS), timeout=290).wait(300)  # it waits for the other balancer, in vain


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
    standby(scene)
    if applying.ended:
        raise LabError("the run had ended before the address moved")
    applying.wait()


def _online_and_converge(scene: Scene) -> None:
    online(scene)
    _converge(scene)


def _archive(verb: str) -> None:
    for host in MINIONS:
        run(["ip", "-n", HOSTS[host].namespace, "route", verb, "blackhole", f"{ARCHIVE_ADDRESS}/32"])


def _apply_without_archive(scene: Scene) -> None:
    """Nothing is to be installed: nobody asks the archive."""
    _archive("replace")
    change_pillar()
    formula.apply()


def _apply_without_package(scene: Scene) -> None:
    machine(scene.passive).run("apt-get", "-qq", "purge", "crmsh")
    machine(scene.passive).run("apt-get", "clean")
    _archive("replace")
    change_pillar()
    _fails("Failed to fetch", [scene.passive])


def _archive_back(scene: Scene) -> None:
    _archive("delete")
    _converge(scene)


def _fails(pattern: str, hosts: Sequence[str]) -> None:
    """A run fails on these hosts, for this reason, and leaves no configuration that a daemon refuses."""
    applying = Run(",".join(hosts))
    applying.wait(300)
    for host in hosts:
        run_of_it = applying.returned.get(host)
        said = outcome.failed({host: run_of_it}) if isinstance(run_of_it, dict) else [str(run_of_it)]
        if not re.search(pattern, "\n".join(said)):
            raise LabError(f"found {said}, expected a failure that says {pattern}")
    refused = inspection.refused()
    if refused:
        raise LabError("; ".join(refused))


def _wrong_pillar(scene: Scene) -> None:
    """A line that HAProxy refuses: the run fails, and nothing changes."""
    formula.set_pillar(options=("no-such-keyword at all",))
    _fails("no-such-keyword", BALANCERS)


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


NEW_KEY = bytes(range(128))
TOKEN = 900  # milliseconds; none that change_pillar sets


def _change_token(scene: Scene) -> None:
    formula.set_pillar({"token": TOKEN})
    formula.apply()


def _token_in_force(scene: Scene) -> bool:
    shown = [machine(host).run("corosync-cmapctl", "-g", "runtime.config.totem.token").stdout for host in BALANCERS]
    return all(text.split()[-1] == str(TOKEN) for text in shown)


def _change_authkey(scene: Scene) -> None:
    formula.set_pillar({"authkey": base64.b64encode(NEW_KEY).decode()})
    _take_authkey()


def _restore_authkey(scene: Scene) -> None:
    formula.set_pillar()
    _take_authkey()
    formula.apply()


def _take_authkey() -> None:
    """A run refuses it while the cluster runs; then as that run says: the cluster stops, and what it runs goes on."""
    _fails("authkey: differs", BALANCERS)
    salt.call("pacemaker.maintenance", target=BALANCERS[0])
    for host in BALANCERS:
        machine(host).run("systemctl", "stop", "pacemaker", "corosync")
    formula.apply("haproxy_ha.cluster.service", target=",".join(BALANCERS))
    salt.call("pacemaker.maintenance", "False", target=BALANCERS[0])


def _has_new_key(scene: Scene) -> bool:
    return all((machine(host).root / "etc/corosync/authkey").read_bytes() == NEW_KEY for host in BALANCERS)


SYSTEM = ("/etc", "/usr", "/var/lib")
SALTS_OWN = ("/var/cache", "/var/log")
ROOM = "/run/full"


def _fill_disk(host: str, *directories: str) -> None:
    """No room for anything new below these directories; what is there can be read, and open files be written."""
    target = machine(host)
    target.run("mkdir", ROOM)
    target.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", ROOM)
    for directory in directories:
        name = directory.replace("/", "-")
        upper, work = f"{ROOM}/upper{name}", f"{ROOM}/work{name}"
        target.run("mkdir", "-p", upper, work)
        options = f"lowerdir={directory},upperdir={upper},workdir={work}"
        target.run("mount", "-t", "overlay", "full", "-o", options, directory)
    target.run("dd", "if=/dev/zero", f"of={ROOM}/full", check=False)
    said = target.run("dd", "if=/dev/zero", "of=/etc/full", "bs=64k", "count=1", check=False).stderr
    if "No space left" not in said:
        raise LabError(f"the disk is not full: {said}")


def _empty_disk(host: str, *directories: str) -> None:
    for directory in (*directories, ROOM):
        machine(host).run("umount", "--lazy", directory)
    machine(host).run("rmdir", ROOM)


def _apply_on_full_disk(scene: Scene) -> None:
    _fill_disk(scene.active, *SYSTEM)
    change_pillar()
    _fails("No space left", [scene.active])


def _apply_without_room_for_salt(scene: Scene) -> None:
    """A minion begins no job that it cannot note down."""
    _fill_disk(scene.active, *SYSTEM, *SALTS_OWN)
    change_pillar()
    applying = Run(scene.active, timeout=15)
    applying.wait()
    if isinstance(applying.returned.get(scene.active), dict):
        raise LabError(f"a run began without room for its job: {outcome.failed(applying.returned)}")


def _room_and_converge(*directories: str):
    def mend(scene: Scene) -> None:
        _empty_disk(scene.active, *directories)
        _converge(scene)

    return mend


def _replace(role: str):
    return lambda scene: lab.replace(getattr(scene, role))


def _join(role: str):
    """What an operator does about a fresh machine: its key is accepted in place of the old one's, and all apply. Its
    minion, whose key the master has refused, is on its way out by itself."""

    def mend(scene: Scene) -> None:
        host = getattr(scene, role)
        machine("master").run("salt-key", "--yes", "--delete", host)
        machine(host).run("systemctl", "restart", "salt-minion")
        salt.wait_minions(120)
        salt.sync()
        formula.apply()

    return mend


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
    _salt("package-missing", "a package is missing while the package archive is away", _apply_without_package,
          _archive_back, operator="apply again"),
    _salt("disk-full", "applied while the active balancer's disk is full, Salt's cache and log apart",
          _apply_on_full_disk, _room_and_converge(*SYSTEM), operator="make room, apply again"),
    _salt("disk-full-of-salt", "applied while the active balancer's disk is full: Salt begins no run",
          _apply_without_room_for_salt, _room_and_converge(*SYSTEM, *SALTS_OWN), operator="make room, apply again"),
    _salt("corosync-changed", "pillar has another token of Corosync's", _change_token, after=_token_in_force),
    _salt("authkey-changed", "pillar has another key of Corosync's", _change_authkey, _restore_authkey,
          after=_has_new_key, gap=0.3, operator="as the run says: maintenance, stop the cluster, apply"),
    *(
        _salt(f"replaced-{role}", f"a fresh machine in the {role} balancer's place", _replace(role), _join(role),
              gap=TAKEOVER if role == "active" else 0.3, moves=int(role == "active"),
              operator="delete the old machine's minion key, start the minion again, apply on all")
        for role in ROLES
    ),
    _salt("refused-line", "pillar has a line that HAProxy refuses", _wrong_pillar, _right_pillar,
          operator="mend pillar"),
    _salt("master-killed", "the master is killed during a run", _kill_master, operator="apply again"),
]  # fmt: skip
