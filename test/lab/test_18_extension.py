"""From the two wheels alone, as a new user installs them: minions without a sync, salt-ssh to hosts without Salt."""

from __future__ import annotations

import json

import pytest

from lab import audit, cloud, lab, outcome, salt, wheels
from lab.machine import Machine, machine
from lab.topology import BALANCERS, HOSTS, MINIONS

pytestmark = pytest.mark.slow

ROSTER = "".join(f"{name}:\n  host: {HOSTS[name].private}\n  user: root\n" for name in MINIONS)


@pytest.fixture(scope="module")
def archive():
    return wheels.built()


@pytest.fixture
def bare():
    lab.up()
    yield
    lab.down()


def serve_what_the_wheel_has(archive: bytes) -> None:
    """The master's file server has the SLS files of the extension, and no other."""
    master = machine("master")
    wheels.install(master, archive)
    roots = json.dumps({"file_roots": {"base": [wheels.formula_of(master)]}})
    master.write("/etc/salt/master.d/z.conf", roots + "\n")


def is_built_by(apply) -> None:
    """A dry run, a live one, and one that changes nothing; then the whole system serves."""
    assert outcome.failed(apply("test=True")) == []
    live = apply()
    assert outcome.failed(live) == [] and outcome.changed(live)
    second = apply()
    assert outcome.failed(second) == [] and outcome.changed(second) == []
    assert {name: len(outcome.states(second, name)) > 8 for name in MINIONS} == dict.fromkeys(MINIONS, True)
    assert audit.settle() in BALANCERS


def test_minions_need_no_sync(bare, archive):
    serve_what_the_wheel_has(archive)
    for name in MINIONS:
        wheels.install(machine(name), archive)
        machine(name).run("systemctl", "restart", "salt-minion")
    machine("master").run("systemctl", "restart", "salt-master")
    salt.wait_minions()
    is_built_by(lambda *options: salt.call("state.apply", "haproxy_ha", *options))
    extensions = [machine(name).root / "var/cache/salt/minion/extmods/modules" for name in MINIONS]
    assert [path for path in extensions if path.exists() and list(path.iterdir())] == []


def open_by_ssh(archive: bytes, *hosts: str) -> None:
    """A master with the extensions and a key, and hosts without Salt that it opens."""
    master = machine("master")
    serve_what_the_wheel_has(archive)
    install(master, "openssh-client")
    master.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
    master.write("/etc/salt/roster", ROSTER)
    for host in map(machine, hosts):
        host.run("systemctl", "disable", "--now", "salt-minion")
        host.run("rm", "-r", "/opt/salt", "/etc/salt")
        install(host, "openssh-server")
        host.write("/root/.ssh/authorized_keys", master.read("/root/.ssh/id_ed25519.pub"), 0o600)


def install(target: Machine, package: str) -> None:
    target.run("apt-get", "-qq", "update")
    target.run("apt-get", "-qq", "install", "--no-install-recommends", package)


def by_ssh(target: str, *arguments: str) -> tuple[int, dict]:
    """The exit code of salt-ssh, and what came from each target."""
    argv = ["salt-ssh", "--ignore-host-keys", "--priv=/root/.ssh/id_ed25519", "--out=json", "--static"]
    said = machine("master").run(*argv, target, *arguments, check=False)
    assert said.stdout.startswith("{"), said.stdout + said.stderr
    assert cloud.api_token() not in said.stdout + said.stderr
    return said.returncode, json.loads(said.stdout)


def over_ssh(*arguments: str, target: str = "*") -> dict:
    code, told = by_ssh(target, *arguments)
    assert code == 0, told
    return told


def test_salt_ssh_builds_it_on_hosts_without_salt(bare, archive):
    open_by_ssh(archive, *MINIONS)
    is_built_by(lambda *options: over_ssh("state.apply", "haproxy_ha", *options))
    assert over_ssh("haproxy_ha.roles", target="primary") == {"primary": ["load_balancer"]}
    told = over_ssh("haproxy_ha.verify")
    assert {name: told[name]["failed"] for name in told} == dict.fromkeys(MINIONS, [])
    [old] = over_ssh("haproxy_ha.status", target="primary")["primary"]["active"]
    moved = over_ssh("haproxy_ha.failover", target="primary")["primary"]
    assert moved["old"] == old != moved["new"] == audit.settle()
    jobs = machine("master").root / "var/cache/salt/master/jobs"
    kept = b"".join(path.read_bytes() for path in jobs.rglob("*") if path.is_file())
    assert kept and cloud.api_token().encode() not in kept


@pytest.mark.parametrize("release", ["3006", "3007"])
def test_salt_ssh_of_an_older_salt_is_refused(release, archive):
    lab.up(release)
    try:
        open_by_ssh(archive, "app-1")
        for options in ([], ["test=True"]):
            code, returned = by_ssh("app-1", "state.apply", "haproxy_ha", *options)
            [state] = outcome.states(returned, "app-1")
            assert code and state["result"] is False and "salt-ssh needs Salt 3008 or later" in state["name"]
        code, returned = by_ssh("app-1", "haproxy_ha.roles")
        assert code and f"salt-ssh of Salt 3008 or later is needed; this is {release}" in returned["app-1"]
    finally:
        lab.down()
