"""Class 9: Salt's own faults. The next run converges, and no daemon is left with a configuration that it refuses."""

from __future__ import annotations

import base64
import itertools
import operator
import random
import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import formula, network, outcome, salt
from lab.machine import machine
from lab.shell import LabError, run, say, wait_for
from lab.topology import ARCHIVE_ADDRESS, BALANCERS, HOSTS, MINIONS

from . import inspection
from .fault import Fault, Scene
from .haproxy import online, owned_by_other, standby

SALT = "Salt"
_NUMBERS = itertools.count(1)
MOMENTS = random.Random(0)  # when a run is interrupted; the soak seeds it


def change_pillar() -> None:
    """Something new to apply for every daemon."""
    number = next(_NUMBERS)
    cluster = {"properties": {"pe-input-series-max": 4000 + number}, "token": 300 + 10 * (number % 20)}
    nginx = {"options": [f"client_body_timeout {60 + number % 60}s;"]}
    formula.set_pillar(cluster, (f"http-response set-header X-Revision {number}",), nginx)


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
    """A run whose minions are killed, with the jobs that they run, each at a moment of its own."""

    def inject(scene: Scene) -> None:
        while not _killed_at_random(hosts(scene)):
            say("  every minion had ended its run")

    return inject


KILLER = Path(__file__).with_name("killer.py").read_text(encoding="utf-8")
KILLS = 100
Moments = dict[str, tuple[int, float]]  # host -> the state, from 1, and the seconds after its beginning


def _kill_at_each_state(scene: Scene) -> None:
    """Each state of a minion is killed once, at some point of it; a balancer's on one of the two."""
    durations = _converged()
    for number in range(1, max(map(len, durations.values())) + 1, len(BALANCERS)):
        numbers = {host: number + BALANCERS.index(host) if host in BALANCERS else number // 2 + 1 for host in MINIONS}
        _killed_run({
            host: (state, MOMENTS.uniform(0, durations[host][state - 1]))
            for host, state in numbers.items() if state <= len(durations[host])
        })  # fmt: skip
        _converged()


def _kill_at_random(scene: Scene) -> None:
    """Every minion is killed at a moment of its own, run after run."""
    killed = 0
    while killed < KILLS:
        killed += _killed_at_random(MINIONS)


def _killed_at_random(hosts: Sequence[str]) -> int:
    """A run that is killed on these hosts, after one that succeeded and says how long it takes."""
    lengths = {host: sum(durations) for host, durations in _converged().items()}
    return _killed_run({host: (1, MOMENTS.uniform(0, lengths[host])) for host in hosts})


def _killed_run(moments: Moments) -> int:
    """A run with something to do, on all, whose minions are killed; how many were. A LabError names a daemon that
    refuses what the run has left."""
    change_pillar()
    killers = {host: _killer(host, *moment) for host, moment in moments.items()}
    for killer in killers.values():
        killer.stdout.readline()  # it watches
    salt.start("state.apply", "haproxy_ha")
    said = {host: killer.communicate(timeout=240)[0].strip() for host, killer in killers.items()}
    say(f"  {said}")
    refused = inspection.refused()
    if refused:
        raise LabError(f"{'; '.join(refused)} after {said}")
    killed = [host for host, text in said.items() if text.startswith("killed")]
    wait_for("the other runs to end", lambda: not any(_job_runs(host) for host in MINIONS if host not in killed), 120)
    return len(killed)


def _killer(host: str, state: int, seconds: float) -> subprocess.Popen:
    argv = machine(host).command("python3", "-c", KILLER, str(state), str(seconds))
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _converged() -> dict[str, list[float]]:
    """The next run succeeds; how long each of its states took, in seconds."""
    _minions_answer()
    return {
        host: [state["duration"] / 1000 for state in sorted(run.values(), key=operator.itemgetter("__run_num__"))]
        for host, run in formula.apply().items()
    }


def _minions_answer() -> None:
    for host in MINIONS:
        machine(host).run("systemctl", "reset-failed", "salt-minion", check=False)
        machine(host).run("systemctl", "start", "salt-minion")
    salt.wait_minions(120)


def converge(scene: Scene) -> None:
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
    converge(scene)


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
    converge(scene)


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
    fails("Failed to fetch", [scene.passive])


def _archive_back(scene: Scene) -> None:
    _archive("delete")
    converge(scene)


def fails(pattern: str, hosts: Sequence[str]) -> None:
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
    fails("no-such-keyword", BALANCERS)


def _right_pillar(scene: Scene) -> None:
    change_pillar()
    converge(scene)


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
    fails("authkey: differs", BALANCERS)
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
    fails("No space left", [scene.active])


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
        if set(SALTS_OWN) & set(directories):  # a minion without room for its log does not answer any more
            machine(scene.active).run("systemctl", "restart", "salt-minion")
            salt.wait_minions()
        converge(scene)

    return mend


def _salt(name: str, title: str, inject, mend=converge, **bounds) -> Fault:
    return Fault(f"salt-{name}", SALT, title, inject, mend, **{"gap": 1.0, "calls": 400, **bounds})


FAULTS = [
    _salt("minions-killed", "every minion killed at a random moment of a run",
          _interrupted(lambda scene: MINIONS), operator="apply again"),
    _salt("active-killed", "the active balancer's run killed at a random moment",
          _interrupted(lambda scene: [scene.active]), operator="apply again"),
    _salt("killed-each-state", "the minions killed at each state of a run", _kill_at_each_state, calls=2000, long=True,
          operator="apply again"),
    _salt("killed-random", f"the minions killed at {KILLS} random moments of runs", _kill_at_random, calls=2000,
          long=True, operator="apply again"),
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
          _apply_without_room_for_salt, _room_and_converge(*SYSTEM, *SALTS_OWN),
          operator="make room, restart the minion, apply again"),
    _salt("corosync-changed", "pillar has another token of Corosync's", _change_token, after=_token_in_force),
    _salt("authkey-changed", "pillar has another key of Corosync's", _change_authkey, _restore_authkey,
          after=_has_new_key, gap=0.3, operator="as the run says: maintenance, stop the cluster, apply"),
    _salt("refused-line", "pillar has a line that HAProxy refuses", _wrong_pillar, _right_pillar,
          operator="mend pillar"),
    _salt("master-killed", "the master is killed during a run", _kill_master, operator="apply again"),
]  # fmt: skip
