"""Pillar changes on the running system: good ones lose no request, bad ones change nothing."""

from __future__ import annotations

import copy
import json
import time

import pytest
import yaml

from lab import audit, outcome, salt, snapshot
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import BALANCERS, FLOATING_IP, HOSTS, MINIONS
from lab.traffic import ask, probe
from support import REPOSITORY

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")


def changed_pillar(change) -> str:
    pillar = yaml.safe_load(EXAMPLE)
    tree = copy.deepcopy(pillar["haproxy_ha"])
    return yaml.safe_dump({"haproxy_ha": change(tree) or tree}, sort_keys=False)


@pytest.fixture
def pillar(active):
    """Sets the pillar of all minions; the example's comes back, and is applied, after the test."""
    yield lambda change: salt.set_pillar(changed_pillar(change))
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []


def main_pid(balancer: str) -> str:
    return machine(balancer).run("systemctl", "show", "haproxy", "--property=MainPID", "--value").stdout.strip()


def test_an_app_server_leaves_and_comes_back_without_a_lost_request(pillar, active):
    before = {balancer: main_pid(balancer) for balancer in BALANCERS}
    with probe(20) as record:
        pillar(lambda tree: tree["app_servers"].pop("app-2") and None)
        gone = salt.call("state.apply", "haproxy_ha", target="primary,secondary")
        (outside,) = outcome.states(salt.call("state.apply", "haproxy_ha", target="app-2"), "app-2")
        only = {ask()[1][:14] for _ in range(20)}
        salt.set_pillar(EXAMPLE)
        back = salt.call("state.apply", "haproxy_ha", target="primary,secondary")
        both = {ask()[1][:14] for _ in range(20)}
    assert outcome.failed(gone) == outcome.failed(back) == []
    for run in (gone, back):
        for balancer in BALANCERS:
            changed = {state["__id__"] for state in outcome.states(run, balancer) if state["changes"]}
            assert changed == {"haproxy_ha-load-balancer-config"}
    assert only == {"Droplet: app-1"}
    # A minion without a part that still has the formula's nginx says so, and does nothing.
    assert (outside["result"], outside["changes"]) == (False, {})
    assert "app-2" in outside["comment"] and "haproxy_ha.clean" in outside["comment"]
    assert both == {"Droplet: app-1", "Droplet: app-2"}
    assert {balancer: main_pid(balancer) for balancer in BALANCERS} == before  # reloaded, not restarted
    assert record.failed == []
    assert len(record.samples) > 100


def put(*path, value):
    """A change that sets the value at a path of the tree."""

    def change(tree):
        for key in path[:-1]:
            tree = tree.setdefault(key, {})
        tree[path[-1]] = value

    return change


def drop(*path):
    """A change that removes what is at a path of the tree."""

    def change(tree):
        for key in path[:-1]:
            tree = tree[key]
        del tree[path[-1]]

    return change


WRONG = {
    "no tree": (lambda tree: {"": None}, "haproxy_ha"),
    "no load balancers": (drop("load_balancers"), "haproxy_ha:load_balancers"),
    "no app servers": (drop("app_servers"), "haproxy_ha:app_servers"),
    "empty app servers": (put("app_servers", value={}), "haproxy_ha:app_servers"),
    "list for a mapping": (put("app_servers", value=["app-1"]), "haproxy_ha:app_servers"),
    "mistyped key": (put("load_balancer", value={}), "haproxy_ha:load_balancer"),
    "unknown key deep": (put("app_servers", "app-1", "prot", value=80), "haproxy_ha:app_servers:app-1:prot"),
    "no floating address": (drop("floating_ip", "address"), "haproxy_ha:floating_ip:address"),
    "no api token": (drop("floating_ip", "api_token"), "haproxy_ha:floating_ip:api_token"),
    "no authkey": (drop("cluster", "authkey"), "generate_authkey"),
    "authkey not base64": (put("cluster", "authkey", value="not base64!"), "haproxy_ha:cluster:authkey"),
    "authkey too short": (put("cluster", "authkey", value="c2hvcnQ="), "haproxy_ha:cluster:authkey"),
    "impossible address": (
        put("app_servers", "app-1", "private_ip", value="10.132.20.300"),
        "haproxy_ha:app_servers:app-1:private_ip",
    ),
    "address of another family": (put("floating_ip", "address", value="localhost"), "haproxy_ha:floating_ip:address"),
    "duplicate private address": (
        put("load_balancers", "secondary", "private_ip", value="10.132.20.10"),
        "10.132.20.10",
    ),
    "duplicate node id": (
        lambda tree: [entry.update(node_id=7) for entry in tree["load_balancers"].values()] and None,
        "node_id",
    ),
    "nonsense port": (put("app_servers", "app-1", "port", value="eighty"), "haproxy_ha:app_servers:app-1:port"),
    "port out of range": (put("app_servers", "app-1", "port", value=70000), "haproxy_ha:app_servers:app-1:port"),
    "unknown provider": (put("floating_ip", "provider", value="digital-ocean"), "haproxy_ha:floating_ip:provider"),
    "bind without a port": (
        put("haproxy", "frontends", "http", "bind", value=["anchor"]),
        "haproxy_ha:haproxy:frontends:http:bind",
    ),
    "backend that is not there": (put("haproxy", "frontends", "http", "default_backend", value="pool"), "pool"),
    "line that breaks out": (
        put("haproxy", "defaults", value=["mode http\nlisten evil"]),
        "haproxy_ha:haproxy:defaults",
    ),
    "option that HAProxy refuses": (put("haproxy", "defaults", value=["mode httpp"]), "mode"),
    "string for a boolean": (put("nginx", "site", "enabled", value="maybe"), "haproxy_ha:nginx:site:enabled"),
    "unknown firewall": (put("firewall", "backend", value="iptablez"), "haproxy_ha:firewall:backend"),
    "dangling constraint": (
        put("cluster", "colocations", value={"x": {"resource": "FloatIP", "with": "ghost"}}),
        "ghost",
    ),
    "no anchor IP and no metadata service": (
        lambda tree: (
            [entry.pop("anchor_ip") for entry in tree["load_balancers"].values()]
            and tree["floating_ip"].update(metadata_url="http://203.0.113.99")
        ),
        "haproxy_ha:load_balancers:primary:anchor_ip",
    ),
    "unreachable API": (put("floating_ip", "api_url", value="https://203.0.113.99"), "203.0.113.99"),
    "refused token": (put("floating_ip", "api_token", value="dop_v1_" + "0" * 64), "401"),
    "address of somebody else": (put("floating_ip", "address", value="203.0.113.77"), "203.0.113.77"),
}


@pytest.fixture(scope="module")
def at_rest(first_run):
    """What the healthy system has written, to compare with; the example's pillar comes back."""
    audit.settle()
    yield snapshot.take(idle=True)
    salt.set_pillar(EXAMPLE)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pillar_says_what_is_wrong_and_changes_nothing(at_rest, case):
    change, message = WRONG[case]
    salt.set_pillar(changed_pillar(change))
    returned = salt.call("state.apply", "haproxy_ha")
    failures = outcome.failed(returned)
    assert any(message in failure for failure in failures), failures
    assert not any("Traceback" in failure for failure in failures)
    assert outcome.changed(returned) == []
    assert snapshot.difference(at_rest, snapshot.take(idle=True)) == []


MEMBERSHIP, PROVEN = "haproxy_ha-cluster-membership", "haproxy_ha-verified"
CONFIG = "haproxy_ha-load-balancer-config"


def on_port(port: int):
    """A change of haproxy.cfg: one more port."""
    return put("haproxy", "frontends", "http", "bind", value=["anchor:80", f"anchor:{port}"])


def overview():
    """What the master's runner prints of the pair."""
    master = machine("master")
    master.run("salt-run", "saltutil.sync_all")
    return json.loads(master.run("salt-run", "--out=json", "haproxy_ha.overview").stdout)


def test_one_balancer_down_is_said_at_once_and_an_emergency_change_is_proven(pillar, active):
    """The next run, with both, finishes."""
    active = audit.active()
    down = audit.passive_of(active)
    machine(down).power_off()
    try:
        wait_for(f"{down} to be missed", lambda: salt.call("haproxy_ha.status", target=active)[active]["offline"], 30)
        pillar(on_port(8081))
        began = time.monotonic()
        screen = overview()
        assert time.monotonic() - began < 20  # salt-run itself takes some
        assert f"{FLOATING_IP} is on {active} since" in screen
        assert f"{down}: offline, no HAProxy" in screen
        assert f"{down}\n\n  does not answer" in screen
        assert f"- {down} is offline: start it" in screen
        for arguments in (["test=True"], []):
            run = salt.call("state.apply", "haproxy_ha", *arguments, target=active)
            [failure] = outcome.failed(run)
            assert f"{down} is absent: its machine does not answer" in failure
            assert f"start {down}" in failure and "expected_timeout: 0" in failure
            assert sum(state["duration"] for state in outcome.states(run, active)) < 15_000
        assert outcome.by_id(run, active, CONFIG)["changes"]
        assert outcome.by_id(run, active, PROVEN)["result"] is True
        assert ask(HOSTS[active].anchor, port=8081, source=active)[0] == 200
        pillar(lambda tree: on_port(8082)(tree) or put("cluster", "expected_timeout", value=0)(tree))
        run = salt.call("state.apply", "haproxy_ha", target=active)
        assert outcome.failed(run) == []
        assert down in outcome.by_id(run, active, MEMBERSHIP)["comment"]
    finally:
        machine(down).power_on()
        machine(down).wait_booted()
        audit.settle(120)
        wait_for(f"the minion of {down}", lambda: set(salt.call("test.ping", timeout=10)) == set(MINIONS), 60)
    assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []


def test_a_run_on_a_balancer_in_standby_is_green_and_says_what_it_did_not_prove(pillar, active):
    node = audit.active()
    with probe(20) as record:
        salt.call("pacemaker.standby", target=node)
        try:
            pillar(on_port(8081))
            run = salt.call("state.apply", "haproxy_ha", target=node)
            status = salt.call("haproxy_ha.status", target=node)[node]
            verified = salt.call("haproxy_ha.verify", target=node)[node]
        finally:
            salt.call("pacemaker.online", target=node)
    assert outcome.failed(run) == []
    state = outcome.by_id(run, node, PROVEN)
    assert f"pacemaker.online {node} ends it" in state["comment"] and state["duration"] < 10_000
    assert outcome.by_id(run, node, CONFIG)["changes"]
    assert (status["standby"], status["active"], len(status["notes"])) == ([node], [audit.passive_of(node)], 1)
    # The pillar of this moment, without a refresh: the new port is looked at.
    assert any("port 8081: refused" in line for line in verified["passed"])
    assert record.failed == []


def test_a_service_that_was_stopped_and_disabled_runs_and_starts_at_boot_again(active):
    machine("app-1").run("systemctl", "disable", "--now", "nginx")

    def service(*arguments: str) -> tuple:
        run = salt.call("state.apply", "haproxy_ha.app.service", *arguments, target="app-1")
        state = outcome.by_id(run, "app-1", "haproxy_ha-app-service")
        return state["result"], state["changes"]

    change = {"nginx.service": {"old": "inactive, disabled", "new": "active, enabled"}}
    assert service("test=True") == (None, change)
    assert service() == (True, change)
    assert machine("app-1").run("systemctl", "is-active", "nginx").stdout == "active\n"
    assert machine("app-1").run("systemctl", "is-enabled", "nginx").stdout == "enabled\n"
    for arguments in (["test=True"], []):
        assert service(*arguments) == (True, {})
