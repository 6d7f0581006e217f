"""The lab as a whole: up, down, what is there."""

from __future__ import annotations

import fcntl
import os

from . import cloud, image, network, preflight, salt
from .machine import MACHINES, STATE, Machine, machine
from .shell import LabError, run, say
from .topology import REALM

_held = []  # the lock, for as long as this process lives


def claim() -> None:
    """Keep the lab for this process; a LabError names the process that has it."""
    if _held:
        return
    image.CACHE.mkdir(parents=True, exist_ok=True)
    lock = open(image.CACHE / f".lab-{REALM}", "a+", encoding="ascii")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise LabError(f"process {lock.read().strip()} is using the lab {REALM}") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    _held.append(lock)


def up(salt_release: str = image.SALT, debian: str = image.DEBIAN) -> None:
    """Bring the lab up on fresh disks; what an earlier lab left, whole or in pieces, is cleared away first."""
    preflight.require()
    claim()
    if network.is_up():
        say("replacing the lab that is up")
    built = image.build(debian, salt_release)
    down()
    try:
        say("starting the networks and the cloud")
        network.up()
        cloud.up(built)
        say(f"booting {', '.join(MACHINES)}")
        _boot(built)
        say("waiting for the minions")
        salt.wait_minions()
    except BaseException:
        down()
        raise


def _boot(built: image.Image) -> None:
    for target in MACHINES.values():
        _install(target, built)
    for target in MACHINES.values():
        target.wait_booted()


def _install(target: Machine, built: image.Image) -> None:
    target.prepare(built)
    binds = salt.prepare(target)
    _lab_settings(target)
    target.power_on(*binds)


def replace(name: str) -> None:
    """Put a fresh machine in the place of one that this process has started: the same name and addresses, no data."""
    target = machine(name)
    built = target.image
    target.power_off()
    target.destroy()
    _install(target, built)
    target.wait_booted()


def _lab_settings(target) -> None:
    """What a host of the lab needs: packages, trust in the API's certificate, and to leave the machine alone."""
    for stale in (target.root / "etc/apt/sources.list.d").glob("*"):
        stale.unlink()
    target.write("/etc/apt/sources.list", "deb [trusted=yes] http://archive.lab/ ./\n")
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    target.write(bundle, target.read(bundle) + cloud.certificate_authority())
    target.write("/etc/default/chrony", 'DAEMON_OPTS="-F 1 -x"\n')  # the clock is the machine's: keep hands off it


def down() -> None:
    """Take everything away that a lab makes, in whatever state it is."""
    claim()
    for target in MACHINES.values():
        target.destroy()
    cloud.down()
    network.down()
    run(["rm", "-rf", "--one-file-system", str(STATE)])


def is_up() -> bool:
    """Whether a lab is there with every host running."""
    return network.is_up() and all(target.leader() for target in MACHINES.values())


def require_up() -> None:
    """Raise a LabError when there is no lab."""
    if not network.is_up():
        raise LabError("the lab is not up: make lab")
