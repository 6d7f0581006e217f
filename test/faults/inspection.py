"""The audit after a fault, beyond lab.audit's: nothing is left behind, nothing leaks, pillar holds everywhere."""

from __future__ import annotations

import bz2
from dataclasses import dataclass
from pathlib import Path

from lab import formula, outcome
from lab.cloud import api_token
from lab.machine import HAPROXY, MACHINES, machine
from lab.shell import LabError, run, wait_for
from lab.topology import APP_SERVERS, BALANCERS, HOSTS, MINIONS

PLACES = """
/etc/haproxy /etc/corosync /etc/nginx /etc/haproxy_ha /usr/lib/haproxy_ha /usr/lib/ocf/resource.d /run/systemd/system
""".split()
AGENTS = "resource.d/haproxy_ha/(haproxy|floatip)"
CHECKS = {
    "haproxy": ("haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg"),
    "corosync": ("corosync", "-t"),
    "nginx": ("nginx", "-t", "-q"),
}


@dataclass
class Baseline:
    """The files of a healthy system, by host."""

    files: dict[str, list[str]]


def baseline() -> Baseline:
    """Of the system as it is now."""
    return Baseline({host: _files(host) for host in MINIONS})


def problems(before: Baseline, apply: bool) -> list[str]:
    """Everything that is wrong, in words."""
    found = [problem for host in MINIONS for problem in _left_behind(host, before)]
    found += [problem for host in BALANCERS for problem in _processes(host)]
    found += refused()
    found += [f"the token is in {path}" for path in sorted(_with_token() - _allowed())]
    return found + (_not_converged() if apply else [])


def refused() -> list[str]:
    """The hosts on which a daemon refuses its configuration."""
    daemons = dict.fromkeys(BALANCERS, ("haproxy", "corosync")) | dict.fromkeys(APP_SERVERS, ("nginx",))
    return [
        f"{daemon} refuses its configuration on {host}"
        for host, names in daemons.items()
        for daemon in names
        if machine(host).run(*CHECKS[daemon], check=False).returncode != 0
    ]


def _left_behind(host: str, before: Baseline) -> list[str]:
    now, then = set(_files(host)), set(before.files[host])
    found = [f"{host} has a new {path}" for path in sorted(now - then)]
    return found + [f"{host} lacks {path}" for path in sorted(then - now)]


def _files(host: str) -> list[str]:
    return machine(host).run("find", *PLACES, "-type", "f", check=False).stdout.splitlines()


def _processes(host: str) -> list[str]:
    """HAProxy is a master and a worker; no action of an agent runs for ever."""
    found = []
    try:
        wait_for(f"no action of an agent on {host}", lambda: not _running(host, "-f", AGENTS), 10)
        wait_for(f"one HAProxy on {host}", lambda: len(_running(host, *HAPROXY)) == 2, 10)
    except LabError as error:
        found.append(str(error))
    return found


def _running(host: str, *pattern: str) -> list[str]:
    return machine(host).run("pgrep", *pattern, check=False).stdout.split()


def _with_token() -> set[str]:
    token, roots = api_token(), [str(MACHINES[name].upper) for name in HOSTS]
    found = run(["grep", "-rlFa", "--devices=skip", token, *roots], check=False).stdout.split()
    packed = (path for root in roots for path in Path(root).rglob("pe-*.bz2"))
    return set(found) | {str(path) for path in packed if token.encode() in bz2.decompress(path.read_bytes())}


def _allowed() -> set[str]:
    """The token's file, the pillar, and the master's own cache of it."""
    master = MACHINES["master"].upper
    places = {MACHINES[name].upper / "etc/haproxy_ha/token" for name in BALANCERS}
    places |= {master / f"var/cache/salt/master/pillar/{name}.p" for name in MINIONS}
    return {str(place) for place in places | {master / "srv/pillar/haproxy_ha.sls"}}


def _not_converged() -> list[str]:
    try:
        return [f"a new state.apply changes {what[:500]}" for what in outcome.changed(formula.apply())]
    except LabError as error:
        return [f"a new state.apply fails: {str(error)[:1000]}"]
