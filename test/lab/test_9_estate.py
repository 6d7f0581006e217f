"""In an existing estate: highstate beside other states, two environments, no master, a previous nginx, a firewall."""

from __future__ import annotations

import shutil

import pytest
import yaml

from lab import cloud, lab, outcome, salt
from lab.cloud import REPOSITORY
from lab.machine import Machine, machine
from lab.shell import run
from lab.topology import HOSTS, MINIONS, SECOND_FLOATING_IP
from lab.traffic import ask

EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]


def dump(tree: dict) -> str:
    return yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False)


def part(balancer: str, app: str, address: str) -> dict:
    """A small system of one balancer and one app server."""
    return {
        **EXAMPLE,
        "load_balancers": {balancer: EXAMPLE["load_balancers"][balancer]},
        "app_servers": {app: EXAMPLE["app_servers"][app]},
        "floating_ip": {**EXAMPLE["floating_ip"], "address": address},
    }


@pytest.fixture(scope="module")
def bare():
    """Bare hosts of this module's own, after the main lab is gone."""
    lab.up()
    salt.sync()
    yield
    lab.down()


def test_two_environments_by_highstate_beside_another_formula(bare):
    master = machine("master")
    master.write("/srv/salt/motd.sls", "/etc/motd:\n  file.managed:\n    - contents: An estate of its own.\n")
    master.write("/srv/salt/top.sls", "base:\n  '*':\n    - motd\n    - haproxy_ha\n")
    master.write(
        "/srv/pillar/top.sls",
        "base:\n  'primary or app-1':\n    - match: compound\n    - staging\n"
        "  'secondary or app-2':\n    - match: compound\n    - production\n",
    )
    master.write("/srv/pillar/staging.sls", dump(part("primary", "app-1", EXAMPLE["floating_ip"]["address"])), 0o600)
    master.write("/srv/pillar/production.sls", dump(part("secondary", "app-2", SECOND_FLOATING_IP)), 0o600)
    first = salt.call("state.highstate")
    assert outcome.failed(first) == []
    assert outcome.changed(salt.call("state.highstate")) == []
    assert {ask()[1] for _ in range(4)} == {"Droplet: app-1, IP Address: 203.0.113.31"}
    assert {ask(SECOND_FLOATING_IP)[1] for _ in range(4)} == {"Droplet: app-2, IP Address: 203.0.113.32"}
    for minion in MINIONS:
        assert machine(minion).read("/etc/motd") == "An estate of its own.\n"


def install_formula(target: Machine) -> None:
    """The formula and its pillar on a host's own disk, for salt-call --local."""
    for name in salt.FORMULA_PARTS:
        shutil.copytree(REPOSITORY / name, target.root / "srv/salt" / name, dirs_exist_ok=True)
    target.write("/srv/pillar/top.sls", "base:\n  '*':\n    - haproxy_ha\n")
    shutil.copy(REPOSITORY / "pillar.example", target.root / "srv/pillar/haproxy_ha.sls")


@pytest.fixture(scope="module")
def masterless():
    """Four bare hosts that have the formula on their own disks."""
    lab.up()
    for name in MINIONS:
        install_formula(machine(name))
        machine(name).run("salt-call", "--local", "saltutil.sync_all")
    yield
    lab.down()


def local_apply() -> dict:
    """state.apply by salt-call --local on all four hosts at the same moment."""
    import json
    import subprocess

    argv = ["salt-call", "--local", "--out=json", "state.apply", "haproxy_ha"]
    processes = {
        name: subprocess.Popen(machine(name).command(*argv), stdout=subprocess.PIPE, text=True) for name in MINIONS
    }
    return {name: json.loads(process.communicate(timeout=600)[0])["local"] for name, process in processes.items()}


def test_masterless(masterless):
    assert outcome.failed(local_apply()) == []
    assert outcome.changed(local_apply()) == []
    assert len({ask()[1] for _ in range(4)}) == 2


def test_clean_takes_a_machine_out_the_cluster_first(masterless):
    done = {
        name: machine(name).run("salt-call", "--local", "--out=json", "state.apply", "haproxy_ha.clean", check=False)
        for name in ("primary", "app-1")
    }
    assert ask()[0] == 200  # the other balancer and the other app server serve
    import json

    for name, result in done.items():
        states = json.loads(result.stdout)["local"]
        assert outcome.failed({name: states}) == []
    for package in ("pacemaker", "corosync", "haproxy"):
        assert run(machine("primary").command("dpkg-query", "-W", package), check=False).returncode != 0
    assert run(machine("app-1").command("dpkg-query", "-W", "nginx"), check=False).returncode != 0
    assert cloud.api_token() not in done["primary"].stdout
    assert not (machine("primary").root / "etc/haproxy_ha/token").exists()
    assert HOSTS["secondary"].name in machine("secondary").run("crm_mon", "-1").stdout
