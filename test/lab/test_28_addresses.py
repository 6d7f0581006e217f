"""Two addresses of a LAN, and both balancers at work: what strikes one is nothing to the clients of the other."""

from __future__ import annotations

import pytest

from faults import several
from faults.catalogue import FAULTS
from faults.fault import Scene
from faults.kinds import EXAMPLE, KINDS, MAIL, SPREAD, WEB
from lab import drill, formula, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS

BOTH = ",".join(BALANCERS)
KIND = KINDS["lan-spread"]
STRUCK = (
    "corosync-kill-active",
    *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "haproxy-kill-active", "haproxy-worker-hang-active", "standby", "reboot-active", "power-loss-active",
        "cluster-stop-active", "cut-private-active",
    )),
)  # fmt: skip
CLIENTS = KIND.clients


def settle(holders: dict[str, list[str]] = SPREAD) -> None:
    """Wait until each address is where it is wanted."""
    several.settle("secondary", CLIENTS, holders.__eq__)


@pytest.fixture(scope="module")
def spread(first_run):
    """The pair with two addresses, which are where they prefer to be; afterwards it is the tutorial's again."""
    with KIND.built():
        settle()
        yield


@pytest.fixture
def both(spread):
    settle()
    return Scene("primary", "secondary", {})


def test_a_second_run_changes_nothing_and_each_is_proven(spread):
    assert outcome.changed(formula.apply(target=BOTH)) == []
    verified = salt.call("haproxy_ha.verify", target=BOTH)
    assert [check for one in verified.values() for check in one["failed"]] == []
    listening = machine("primary").run("ss", "-Hltn").stdout
    assert f"{WEB}:80" in listening and f"{MAIL}:80" in listening


@pytest.mark.parametrize("name", STRUCK)
def test_what_strikes_one_is_nothing_to_the_clients_of_the_other(both, name):
    fault = FAULTS[name]
    with CLIENTS.asking() as (web, mail):
        several.strike(fault, both, [web])
        done = salt.call("haproxy_ha.spread", target="secondary")["secondary"]
        settle()
    print(f"{name}: web {web.longest_gap:.3f} s, {len(web.failed)} failed; mail {mail.longest_gap:.3f} s of "
          f"{len(mail.samples)}, {len(mail.failed)} failed; spread: {done}")  # fmt: skip
    assert isinstance(done, dict) and set(done) <= {"web"}
    assert web.longest_gap <= fault.gap
    assert mail.failed == []


def test_one_moves_and_comes_back_alone(both):
    with CLIENTS.asking() as (web, mail):
        moved = salt.call("haproxy_ha.failover", "address=web", target="primary")["primary"]
        assert moved == {"old": "primary", "new": "secondary"}
        settle({"FloatIP-web": ["secondary"], "FloatIP-mail": ["secondary"]})
        would = salt.call("haproxy_ha.spread", "test=True", target="primary")["primary"]
        assert would == {"web": {"old": "secondary", "new": "primary"}}
        assert salt.call("haproxy_ha.spread", target="primary")["primary"] == would
        settle()
    assert mail.failed == [] and web.longest_gap <= 0.3
    refused = salt.call("haproxy_ha.failover", target="primary")["primary"]
    assert "to: missing, since the floating IPs are on primary, secondary" in refused


@pytest.mark.slow
def test_a_rolling_run_moves_what_it_must(both):
    moved = salt.call("state.apply", "haproxy_ha.load_balancer.passive", target="primary")
    assert outcome.failed(moved) == []
    assert list(several.places("secondary").addresses.values()) == [["secondary"], ["secondary"]]
    salt.call("haproxy_ha.spread", target="primary")


@pytest.mark.slow
def test_a_drill_is_of_the_address_whose_clients_it_is_for(both):
    drill.prepare()
    with CLIENTS.asking() as (_, mail):
        state = drill.run(url=f"http://{WEB}/", limit=2, seconds=15, kinds=["failover", "kill"])
        settle()
    assert state["result"] is True, state
    assert "failover: primary to secondary" in drill.said(state) and "All is well." in drill.said(state)
    assert mail.failed == []


@pytest.mark.slow
def test_where_pillar_says_so_each_comes_back_by_itself(both):
    """After a loss of power, as soon as the load balancer can serve again, without a lost request to the other."""
    always = {**EXAMPLE["cluster"], "spread": "always"}
    fault = FAULTS["power-loss-active"]
    with formula.another_tree(**KIND.tree, cluster=always):
        settle()
        with CLIENTS.asking() as (web, mail):
            several.strike(fault, both, [web])
            settle()
    assert (web.longest_gap <= fault.gap, mail.failed) == (True, [])
