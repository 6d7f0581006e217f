"""In an existing estate: highstate beside other states, two environments, no master, a previous nginx, a firewall."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import yaml

from lab import audit, cloud, lab, outcome, salt, snapshot
from lab.formula import newer_haproxy
from lab.machine import Machine, machine
from lab.shell import run, wait_for
from lab.topology import BALANCERS, HOSTS, MINIONS, SECOND_FLOATING_IP
from lab.traffic import ask
from support import REPOSITORY, file_roots

EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]


def dump(tree: dict) -> str:
    return yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False)


def part(balancer: dict, app: dict, address: str, **more) -> dict:
    """A small system of one balancer and one app server."""
    return {
        **EXAMPLE,
        "load_balancers": balancer,
        "app_servers": app,
        "floating_ip": {**EXAMPLE["floating_ip"], "address": address},
        **more,
    }


STAGING = part(
    {"primary": EXAMPLE["load_balancers"]["primary"]},
    {"app-1": EXAMPLE["app_servers"]["app-1"]},
    EXAMPLE["floating_ip"]["address"],
)
# No address at all: each machine's own come from its metadata service, the others' from the mine.
PRODUCTION = part(
    {"secondary": None},
    {"app-2": None},
    SECOND_FLOATING_IP,
    mine=True,
)
MINE = "mine_functions:\n  haproxy_ha.addresses: []\n"
NEWER = "+99.lab"  # what the repository's HAProxy has after the distribution's version


def set_environments(**staging) -> None:
    """The pillar of the two environments; staging with further keys."""
    production = {**PRODUCTION, "haproxy": {"repository": newer_haproxy()}}
    machine("master").write("/srv/pillar/staging.sls", dump({**STAGING, **staging}), 0o600)
    machine("master").write("/srv/pillar/production.sls", dump(production) + MINE, 0o600)


@pytest.fixture(scope="module")
def bare():
    """Bare hosts of this module's own: staging is primary and app-1, production secondary and app-2."""
    lab.up()
    salt.sync()
    master = machine("master")
    master.write("/srv/salt/motd.sls", "/etc/motd:\n  file.managed:\n    - contents: An estate of its own.\n")
    master.write("/srv/salt/top.sls", "base:\n  '*':\n    - motd\n    - haproxy_ha\n")
    master.write(
        "/srv/pillar/top.sls",
        "base:\n  'primary or app-1':\n    - match: compound\n    - staging\n"
        "  'secondary or app-2':\n    - match: compound\n    - production\n",
    )
    set_environments()
    salt.call("saltutil.refresh_pillar", "wait=True")
    salt.call("mine.update")
    yield
    lab.down()


WRONG = {
    "an unknown key": ("*", {"load_balancer": {}}, "haproxy_ha:load_balancer: unknown key, did you mean"),
    "an address that the API does not know": (
        "primary",
        {"floating_ip": {**EXAMPLE["floating_ip"], "address": "203.0.113.77"}},
        "floating IP 203.0.113.77",
    ),
    "a token that the API refuses": (
        "primary",
        {"floating_ip": {**EXAMPLE["floating_ip"], "api_token": "dop_v1_" + "0" * 64}},
        "the API refuses the token: HTTP 401",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pillar_leaves_a_bare_host_bare(bare, case):
    target, wrong, said = WRONG[case]
    for name, tree in (("staging", STAGING), ("production", PRODUCTION)):
        machine("master").write(f"/srv/pillar/{name}.sls", dump({**tree, **wrong}), 0o600)
    try:
        before = snapshot.take()
        for more in ([], ["test=True"]):
            returned = salt.call("state.apply", "haproxy_ha", *more, target=target)
            for name in returned:
                assert said in "\n".join(outcome.failed({name: returned[name]}))
            assert outcome.changed(returned) == []
        assert snapshot.difference(before, snapshot.take()) == []
    finally:
        set_environments()


def test_a_port_that_another_program_holds_is_one_clear_error_before_anything_is_touched(bare):
    machine("primary").run("apt-get", "-qq", "update")
    machine("primary").run("apt-get", "-qq", "install", "--no-install-recommends", "nginx")
    before = snapshot.take(idle=True)
    returned = salt.call("state.apply", "haproxy_ha", target="primary")
    first = outcome.failed(returned)[0]
    assert "nginx" in first and "port 80" in first and "remove_nginx" in first, first
    assert outcome.changed(returned) == []
    assert snapshot.difference(before, snapshot.take(idle=True)) == []


@pytest.fixture
def cluster_of_the_package(bare):
    """The package's own one-node cluster, with a node of its own name, runs on secondary."""
    host = machine("secondary")
    host.run("apt-get", "-qq", "update")
    host.run("apt-get", "-qq", "install", "--no-install-recommends", "pacemaker", "pacemaker-cli-utils")
    wait_for("it to be online", lambda: "Online: [ node1 ]" in host.run("crm_mon", "-1", check=False).stdout, 60)


def test_two_environments_by_highstate_beside_another_formula(cluster_of_the_package):
    """Staging loses its previous nginx; production has addresses from the mine and HAProxy from a repository."""
    set_environments(haproxy={"remove_nginx": True})
    assert outcome.failed(salt.call("state.highstate", "test=True")) == []
    assert outcome.failed(salt.call("state.highstate")) == []
    assert outcome.changed(salt.call("state.highstate")) == []
    assert "node1" not in machine("secondary").run("cibadmin", "--query").stdout
    assert {ask()[1] for _ in range(4)} == {"Droplet: app-1, IP Address: 203.0.113.31"}
    assert {ask(SECOND_FLOATING_IP)[1] for _ in range(4)} == {"Droplet: app-2, IP Address: 203.0.113.32"}
    for minion in MINIONS:
        assert machine(minion).read("/etc/motd") == "An estate of its own.\n"
    assert not (machine("primary").root / "etc/nginx").exists()
    assert list((machine("primary").root / "var/lib/haproxy_ha").rglob("nginx.conf"))  # the backup
    versions = {name: machine(name).run("haproxy", "-v").stdout for name in ("primary", "secondary")}
    installed = machine("secondary").run("dpkg-query", "-W", "-f", "${Version}", "haproxy").stdout
    assert installed.endswith(NEWER), (installed, versions)


MASTERLESS = {
    **EXAMPLE,
    "firewall": {"enabled": True},
    "cluster": {**EXAMPLE["cluster"], "expected_timeout": 10},
}


def install_formula(target: Machine) -> None:
    """The formula and its pillar on a host's own disk, for salt-call --local."""
    for name in file_roots.PARTS:
        shutil.copytree(REPOSITORY / name, target.root / "srv/salt" / name, dirs_exist_ok=True)
    target.write("/srv/pillar/top.sls", "base:\n  '*':\n    - haproxy_ha\n")
    target.write("/srv/pillar/haproxy_ha.sls", dump(MASTERLESS), 0o600)


@pytest.fixture(scope="module")
def masterless():
    """Four bare hosts behind a firewall, with the formula on their own disks."""
    lab.up()
    for name in MINIONS:
        machine(name).run("apt-get", "-qq", "update")
        machine(name).run("apt-get", "-qq", "install", "--no-install-recommends", "ufw")
        machine(name).run("ufw", "--force", "enable")
        install_formula(machine(name))
        machine(name).run("salt-call", "--local", "saltutil.sync_all")
    yield
    lab.down()


def local_apply(*hosts: str, sls: str = "haproxy_ha") -> dict:
    """state.apply by salt-call --local on hosts at the same moment."""
    argv = ["salt-call", "--local", "--out=json", "state.apply", sls]
    processes = {
        name: subprocess.Popen(machine(name).command(*argv), stdout=subprocess.PIPE, text=True) for name in hosts
    }
    return {name: json.loads(process.communicate(timeout=600)[0])["local"] for name, process in processes.items()}


def test_masterless_behind_a_firewall_one_balancer_after_the_other(masterless):
    """The first one can only say who is missing; the second one completes the cluster; the next run finishes."""
    assert outcome.failed(local_apply("app-1", "app-2")) == []
    for _ in range(2):
        [failure, *_] = outcome.failed(local_apply("primary"))
        assert "haproxy_ha-cluster-membership" in failure and "secondary" in failure
    assert outcome.failed(local_apply("secondary")) == []
    assert outcome.failed(local_apply(*MINIONS)) == []
    assert outcome.changed(local_apply(*MINIONS)) == []
    assert len({ask()[1] for _ in range(4)}) == 2
    assert audit.problems() == []
    assert ask(HOSTS["app-1"].private, source="master")[1].startswith("curl: (28)")  # dropped, not refused by nginx


def test_clean_takes_a_machine_out_the_cluster_first_and_apply_takes_it_in_again(masterless):
    done = local_apply("primary", "app-1", sls="haproxy_ha.clean")
    assert outcome.failed(done) == []
    assert cloud.api_token() not in json.dumps(done)
    assert outcome.changed(local_apply("primary", "app-1", sls="haproxy_ha.clean")) == []
    wait_for("the check of app-1 to fail", lambda: {ask()[1][:14] for _ in range(4)} == {"Droplet: app-2"}, 30)
    assert audit.active() == "secondary"
    for package in ("pacemaker", "corosync", "haproxy"):
        assert run(machine("primary").command("dpkg-query", "-W", package), check=False).returncode != 0
    assert run(machine("app-1").command("dpkg-query", "-W", "nginx"), check=False).returncode != 0
    assert not (machine("primary").root / "etc/haproxy_ha/token").exists()
    assert "haproxy_ha" not in machine("primary").run("ufw", "show", "added").stdout
    assert HOSTS["secondary"].name in machine("secondary").run("crm_mon", "-1").stdout

    assert outcome.failed(local_apply("primary", "app-1")) == []
    assert outcome.changed(local_apply(*MINIONS)) == []
    assert audit.settle() == "secondary"


@pytest.mark.slow
@pytest.mark.parametrize("release", ["3006"])
def test_an_older_salt(release):
    lab.up(release)
    try:
        salt.sync()
        assert outcome.failed(salt.call("state.apply", "haproxy_ha", "test=True")) == []
        assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []
        assert outcome.changed(salt.call("state.apply", "haproxy_ha")) == []
        assert audit.settle() in BALANCERS
        versions = salt.call("test.version")
        assert {version.partition(".")[0] for version in versions.values()} == {release}
    finally:
        lab.down()
