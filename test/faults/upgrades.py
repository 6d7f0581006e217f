"""Class 12: packages are installed again and upgraded, by hand and by what does it unattended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from lab import audit, salt
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.topology import APP_SERVERS, BALANCERS

from .fault import Fault, Scene, nothing

UPGRADES = "package upgrades"
CLUSTER = ("corosync", "pacemaker")
PACKAGES = ("haproxy", *CLUSTER)
SOURCE = "/etc/apt/sources.list.d/upgrades.list"
SETTINGS = "/etc/apt/apt.conf.d/99lab"
UNATTENDED = """\
APT::Periodic::Enable "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Origins-Pattern { "site=archive.lab"; };
"""
APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-o", "Dpkg::Options::=--force-confold")
NEWER = "+99.upgrade"
Where = Callable[[Scene], tuple[str, ...]]
WHERE: dict[str, tuple[str, Where]] = {
    "active": ("active balancer", lambda scene: (scene.active,)),
    "passive": ("passive balancer", lambda scene: (scene.passive,)),
    "in-turn": ("one balancer after the other", lambda scene: (scene.passive, scene.active)),
    "both": ("both balancers at the same moment", lambda scene: BALANCERS),
}


def _apt(host: str, *argv: str) -> str:
    return machine(host).run(*APT, *argv).stdout


def _each(act: Callable[[str], object], hosts: Iterable[str], at_once: bool) -> None:
    """On all hosts at once, or on one after the other, each once the system is well again."""
    if at_once:
        with ThreadPoolExecutor() as pool:
            list(pool.map(act, hosts))
        return
    for host in hosts:
        wait_for("a healthy system", lambda: not audit.problems(), 60, 0.5)
        act(host)


def _versions(host: str, names: Iterable[str]) -> dict[str, str]:
    shown = machine(host).run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *names).stdout
    return dict(line.split() for line in shown.splitlines())


def _again(name: str):
    def act(host: str) -> None:
        said = _apt(host, "install", "--reinstall", name)
        if f"Setting up {name}" not in said:
            raise LabError(f"{name} was not installed again on {host}: {said}")

    return act


def _upgrade(*names: str):
    def act(host: str) -> None:
        _apt(host, "install", "--only-upgrade", *names)
        _require_newer(host, names)

    return act


def _is_newer(host: str, names: Iterable[str]) -> bool:
    return all(version.endswith(NEWER) for version in _versions(host, names).values())


def _require_newer(host: str, names: Iterable[str]) -> None:
    if not _is_newer(host, names):
        raise LabError(f"not upgraded on {host}: {_versions(host, names)}")


def _offer(host: str) -> None:
    """The archive has newer packages."""
    machine(host).write(SOURCE, "deb [trusted=yes] http://archive.lab/upgrades ./\n")
    _apt(host, "update")


def _take_back(names: tuple[str, ...]):
    """The packages of before, on the passive balancer first, and an archive without newer ones."""

    def mend(scene: Scene) -> None:
        servers = names == ("nginx",)
        active = audit.settle(150)
        for host in APP_SERVERS if servers else (audit.passive_of(active), active):
            machine(host).run("rm", "-f", SOURCE, SETTINGS)
            old = [f"{name}={version.removesuffix(NEWER)}" for name, version in _versions(host, names).items()]
            _apt(host, "install", "--allow-downgrades", *old)
            _apt(host, "update")
            audit.settle(150)

    return mend


def _install_again(name: str, where: str):
    return lambda scene: _each(_again(name), WHERE[where][1](scene), where == "both")


def _install_newer(where: str, *names: str):
    def inject(scene: Scene) -> None:
        hosts = WHERE[where][1](scene)
        for host in hosts:
            _offer(host)
        _each(_upgrade(*names), hosts, where == "both")

    return inject


def _by_salt(scene: Scene) -> None:
    """As people upgrade all their machines."""
    for host in BALANCERS:
        _offer(host)
    salt.call("pkg.upgrade", target=",".join(BALANCERS))
    for host in BALANCERS:
        _require_newer(host, PACKAGES)


def _in_maintenance(scene: Scene) -> None:
    """The way out of somebody who has nobody to wait for."""
    machine(scene.active).run("crm_attribute", "--name", "maintenance-mode", "--update", "true")
    _each(_again("pacemaker"), BALANCERS, at_once=True)


def _out_of_maintenance(scene: Scene) -> None:
    wait_for("both balancers in the cluster", lambda: sorted(audit.members(scene.active)) == sorted(BALANCERS), 90, 0.5)
    machine(scene.active).run("crm_attribute", "--name", "maintenance-mode", "--delete")


def _equip(hosts: Iterable[str], *names: str) -> None:
    for host in hosts:
        _apt(host, "update")
        _apt(host, "install", "--no-install-recommends", *names)


def _unattended(scene: Scene) -> None:
    """Both timers strike at the same moment, with everything to upgrade."""
    _equip(BALANCERS, "unattended-upgrades")
    for host in BALANCERS:
        _offer(host)
        machine(host).write(SETTINGS, UNATTENDED)
        machine(host).run("sh", "-c", "rm -f /var/lib/apt/periodic/*")
    _each(_daily_upgrade, BALANCERS, at_once=True)


def _daily_upgrade(host: str) -> None:
    machine(host).run("systemctl", "start", "apt-daily-upgrade.service", timeout=900)


def _one_was_upgraded(scene: Scene) -> bool:
    """That whose day it is, as a whole."""
    newer = [name for host in BALANCERS for name, version in _versions(host, PACKAGES).items() if NEWER in version]
    return sorted(newer) == sorted(PACKAGES)


def _unattended_by_hand(scene: Scene) -> None:
    """Whatever the day is, and the others are."""
    _equip(BALANCERS, "unattended-upgrades")
    for host in BALANCERS:
        _offer(host)
        machine(host).write(SETTINGS, UNATTENDED)
    _each(lambda host: machine(host).run("unattended-upgrade", timeout=900), BALANCERS, at_once=True)
    for host in BALANCERS:
        _require_newer(host, PACKAGES)


def _restart_outdated(*hosts: str):
    """libc is new, and needrestart restarts by itself what uses the old one."""

    def inject(scene: Scene) -> None:
        _equip(hosts, "needrestart")
        _each(_again("libc6"), hosts, at_once=True)
        before = {host: _started(host) for host in hosts}
        _each(lambda host: machine(host).run("needrestart", "-q", "-r", "a"), hosts, at_once=True)
        for host in hosts:
            _require_executed_anew(host, before[host])

    return inject


SERVING = ("haproxy", "nginx")


def _started(host: str) -> str:
    """Which starts of what serves systemd knows; a restart is another one, and refuses clients meanwhile."""
    return machine(host).run("systemctl", "show", "--property=InvocationID", *SERVING).stdout


def _require_executed_anew(host: str, before: str) -> None:
    """What serves has the new library, and was not restarted for it."""
    due = machine(host).run("needrestart", "-b").stdout
    stale = [unit for unit in SERVING if f"NEEDRESTART-SVC: {unit}.service" in due]
    if stale:
        raise LabError(f"{', '.join(stale)} has the old libc on {host}")
    if _started(host) != before:
        raise LabError(f"what serves was restarted on {host}")


def _unequip(*hosts: str):
    def mend(scene: Scene) -> None:
        for host in hosts:
            _apt(host, "purge", "needrestart")

    return mend


def _bounds(where: str, *names: str) -> dict:
    """Only a stop of the cluster moves the address, and nothing loses a request."""
    if not set(names) & set(CLUSTER):
        return {"gap": 0.3, "moves": 0}
    return {"gap": 0.3 if where == "passive" else 0.5, "moves": {"passive": 0, "both": 2}.get(where, 1)}


def _back(bounds: dict, *names: str) -> dict:
    """The way back is an upgrade of one balancer after the other."""
    return {**bounds, "moves": bounds["moves"] + bool(set(names) & set(CLUSTER)), "gap": max(bounds["gap"], 0.5)}


FAULTS = [
    *(
        Fault(f"reinstall-{name}-{where}", UPGRADES, f"`apt-get install --reinstall {name}`, {words}",
              _install_again(name, where), **_bounds(where, name))
        for name in (*PACKAGES, "libc6") for where, (words, _) in WHERE.items()
    ),
    *(
        Fault(f"upgrade-{name}-{where}", UPGRADES, f"`apt-get install --only-upgrade {name}`, {words}, and back",
              _install_newer(where, name), _take_back((name,)), calls=120, **_back(_bounds(where, name), name))
        for name in PACKAGES for where, (words, _) in WHERE.items()
    ),
    Fault("upgrade-all-both", UPGRADES, "HAProxy, Corosync and Pacemaker upgraded in one step, both balancers at the"
          " same moment, and back", _install_newer("both", *PACKAGES), _take_back(PACKAGES), calls=120, gap=0.5,
          moves=3),
    Fault("upgrade-by-salt-both", UPGRADES, "`salt '*' pkg.upgrade`: HAProxy, Corosync and Pacemaker, both balancers at"
          " the same moment, and back", _by_salt, _take_back(PACKAGES), calls=120, gap=0.5, moves=3),
    Fault("reinstall-pacemaker-maintenance", UPGRADES, "`apt-get install --reinstall pacemaker`, both balancers at the"
          " same moment, in maintenance", _in_maintenance, _out_of_maintenance, gap=0.3),
    Fault("reinstall-nginx-both", UPGRADES, "`apt-get install --reinstall nginx`, both app servers at the same moment",
          lambda scene: _each(_again("nginx"), APP_SERVERS, at_once=True), nothing, gap=0.3),
    Fault("upgrade-nginx-both", UPGRADES, "nginx upgraded, both app servers at the same moment, and back",
          lambda scene: (_each(_offer, APP_SERVERS, True), _each(_upgrade("nginx"), APP_SERVERS, True)),
          _take_back(("nginx",)), gap=0.3),
    Fault("unattended-both", UPGRADES, "unattended-upgrades by its timer, everything newer, both balancers at the same"
          " moment, and back", _unattended, _take_back(PACKAGES), gap=0.5, moves=2, calls=200,
          after=_one_was_upgraded, long=True),
    Fault("unattended-by-hand-both", UPGRADES, "`unattended-upgrade` by hand, everything newer, both balancers at the"
          " same moment, and back", _unattended_by_hand, _take_back(PACKAGES), gap=0.5, moves=3, strikes=2, calls=300,
          long=True),
    Fault("needrestart-both", UPGRADES, "a new libc, then `needrestart -r a`, both balancers at the same moment",
          _restart_outdated(*BALANCERS), _unequip(*BALANCERS), gap=0.3,
          operator="restart one balancer after the other, when it suits: Corosync and Pacemaker use the old libc"
          " until then"),
    Fault("needrestart-app-both", UPGRADES, "a new libc, then `needrestart -r a`, both app servers at the same moment",
          _restart_outdated(*APP_SERVERS), _unequip(*APP_SERVERS), gap=0.3),
]  # fmt: skip
