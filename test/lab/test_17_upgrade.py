"""A running pair gets a newer formula, with minions that keep running and under traffic: no request is lost, and the
second run changes nothing. From the commit that CHANGELOG.md names, and by LAB_UPGRADE_FROM from any other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from lab import audit, formula, lab, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS, MINIONS
from lab.traffic import probe
from support import REPOSITORY, file_roots

OLD = "/srv/before"
CONFIG = "/etc/salt/master.d/lab.conf"


def former() -> str:
    """The commit that is upgraded from."""
    named = re.search(r"tested from the commit `([0-9a-f]{7,40})`", (REPOSITORY / "CHANGELOG.md").read_text())
    return os.environ.get("LAB_UPGRADE_FROM") or named[1]


def archive(commit: str) -> bytes:
    """The formula of a commit, which may lack parts of today's."""
    there = git("ls-tree", "--name-only", commit).decode().split()
    return git("archive", commit, *sorted({*file_roots.PARTS, "pillar.example"} & set(there)))


def git(*command: str) -> bytes:
    return subprocess.run(["git", "-C", str(REPOSITORY), *command], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def before():
    """A lab whose master serves the former formula."""
    lab.up()
    master = machine("master")
    (master.root / OLD.lstrip("/")).mkdir()
    subprocess.run(["tar", "-x", "-C", master.root / OLD.lstrip("/")], input=archive(former()), check=True)
    shutil.rmtree(master.root / "srv/salt/haproxy_ha", ignore_errors=True)  # this checkout's list of modules
    serve(OLD)
    salt.call("saltutil.sync_all")
    formula.set_pillar()
    formula.apply()
    audit.settle()
    yield
    lab.down()


def serve(root: str) -> None:
    """The master's files are those below this directory."""
    master = machine("master")
    text = re.sub(r"(?m)^file_roots: .*$", f"file_roots: {{base: [/srv/salt, {root}]}}", master.read(CONFIG))
    master.write(CONFIG, text)
    master.run("systemctl", "restart", "salt-master")
    salt.wait_minions()


def started(host: str) -> str:
    """When a host's minion has been started."""
    shown = machine(host).run("systemctl", "show", "salt-minion", "--property=ExecMainStartTimestampMonotonic")
    return shown.stdout


@pytest.mark.slow
def test_an_upgrade_under_traffic_loses_nothing_and_a_second_run_changes_nothing(before):
    minions = {name: started(name) for name in MINIONS}
    active = audit.active()
    with probe(20) as record:
        serve(salt.FORMULA_ROOT)
        salt.sync()
        first = salt.call("state.apply", "haproxy_ha")
        second = salt.call("state.apply", "haproxy_ha")
    assert outcome.failed(first) == []
    assert outcome.failed(second) == []
    changed = {name: [state["name"] for state in outcome.states(second, name) if state["changes"]] for name in MINIONS}
    assert changed == {name: [] for name in MINIONS}
    assert record.failed == []
    assert audit.settle() == active
    assert {name: started(name) for name in MINIONS} == minions


@pytest.mark.slow
def test_an_address_beside_it_restarts_and_moves_nothing_of_what_runs(before):
    """The short form stays what it is: the same resource, with the same operations."""
    active, ran = audit.active(), what_runs()
    with probe(20) as record:
        formula.set_pillar(floating_ips={"web": {"provider": "lan", "address": "10.132.20.100"}})
        formula.apply()
        audit.settle()
        second = salt.call("state.apply", "haproxy_ha")
    assert outcome.changed(second) == []
    assert (record.failed, audit.active(), what_runs()) == ([], active, ran)


def what_runs() -> dict[str, list[str]]:
    """The starts and stops of the address and HAProxy that the cluster has asked each load balancer for.

    A reload, which is what another one of its attributes' names needs, stands in the CIB as a start.
    """
    asked = "execution of (start|stop) operation for (FloatIP|haproxy) on"
    command = ("journalctl", "--unit=pacemaker", "--output=cat", f"--grep={asked}")
    return {host: machine(host).run(*command, check=False).stdout.splitlines() for host in BALANCERS}
