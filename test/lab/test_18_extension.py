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


def install_ssh(target: Machine, package: str) -> None:
    target.run("apt-get", "-qq", "update")
    target.run("apt-get", "-qq", "install", "--no-install-recommends", package)


@pytest.fixture
def reached_by_ssh(bare, archive):
    """Hosts without Salt, with the master's key, and a master with the extensions."""
    master = machine("master")
    serve_what_the_wheel_has(archive)
    install_ssh(master, "openssh-client")
    master.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
    master.write("/etc/salt/roster", ROSTER)
    for name in MINIONS:
        machine(name).run("systemctl", "disable", "--now", "salt-minion")
        machine(name).run("rm", "-r", "/opt/salt", "/etc/salt")
        install_ssh(machine(name), "openssh-server")
        machine(name).write("/root/.ssh/authorized_keys", master.read("/root/.ssh/id_ed25519.pub"), 0o600)


def over_ssh(*arguments: str, target: str = "*") -> dict:
    """What salt-ssh prints, with the key that its master was given for the purpose."""
    argv = ["salt-ssh", "--ignore-host-keys", "--priv=/root/.ssh/id_ed25519", "--out=json", "--static"]
    said = machine("master").run(*argv, target, *arguments, check=False)
    assert said.stdout.startswith("{"), said.stdout + said.stderr
    assert cloud.api_token() not in said.stdout + said.stderr
    return json.loads(said.stdout)


def test_salt_ssh_builds_it_on_hosts_without_salt(reached_by_ssh):
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
