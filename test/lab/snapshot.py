"""Proof that nothing was written: what a host has changed of its image, and what the cluster and the cloud count."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from . import cloud
from .machine import MACHINES, Machine
from .simulator import control
from .topology import BALANCERS, MINIONS

# What Salt itself, and the journal of what it runs, write on a minion, whatever a state does.
SALT = ("var/cache/salt", "var/log/salt", "etc/salt/pki", "var/run/salt", "var/log/journal")
# What a host writes while it idles.
IDLE = (
    "var/log",
    "var/lib/systemd",
    "var/lib/pacemaker/pengine",
    "var/lib/pacemaker/blackbox",
    "var/lib/chrony",
    "var/lib/corosync",
    "var/lib/nginx",
    "var/lib/haproxy",
    "var/lib/apt/daily_lock",
    "tmp",
    "run",
    "var/tmp/systemd-",
)


def take(*, idle: bool = False) -> dict[str, str]:
    """One line per fact, by name: every path of every minion that differs from the image, the version of the CIB, the
    number of writes that the cloud has seen. ``idle`` leaves out what running daemons write by themselves."""
    ignored = SALT + (IDLE if idle else ())
    facts = {f"{name}:/{path}": what for name in MINIONS for path, what in _changed(MACHINES[name], ignored)}
    facts |= {f"{name}: CIB": _cib_version(MACHINES[name]) for name in BALANCERS}
    facts["cloud: writes"] = str(control.state(str(cloud.CONTROL))["counts"]["writes"])
    return facts


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The facts that changed, in words."""
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _changed(target: Machine, ignored: tuple[str, ...]):
    for directory, names, files in os.walk(target.upper):
        for name in [*names, *files]:
            path = Path(directory, name)
            relative = path.relative_to(target.upper)
            if str(relative).startswith(ignored):
                continue
            what = _describe(path)
            if path.is_dir() and not path.is_symlink() and what == _lower(target, relative):
                continue  # copied up because of something inside, and equal
            yield relative, what


def _lower(target: Machine, relative: Path) -> str | None:
    for layer in target.image.layers:
        if (layer / relative).is_dir():
            return _describe(layer / relative)
    return None


def _describe(path: Path) -> str:
    status = path.lstat()
    owner = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{owner} -> {os.readlink(path)}"
    if stat.S_ISREG(status.st_mode):
        return f"{owner} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    return owner


def _cib_version(target: Machine) -> str:
    """admin_epoch and epoch, which count changes of the configuration; no cluster, no version."""
    if not target.leader():
        return "host is off"
    done = target.run("sh", "-c", "command -v cibadmin >/dev/null && cibadmin --query --no-children", check=False)
    words = [word for word in done.stdout.split() if word.startswith(("admin_epoch=", "epoch="))]
    return " ".join(sorted(words)) or "no cluster"
