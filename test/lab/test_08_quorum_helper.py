"""A third machine that votes: of two load balancers that lose sight of each other, the one that serves goes on."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
import yaml

from lab import audit, network, outcome, salt
from lab.cloud import CONTROL
from lab.machine import HAPROXY, machine
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import BALANCERS
from lab.traffic import ask
from lab.watch import watch
from support import REPOSITORY

pytestmark = pytest.mark.slow

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
HELPER = "app-1"
CUT_SECONDS = 20


def converge(certificates: dict | None) -> dict:
    """The formula applied everywhere; with the helper in pillar, and its certificates, or without."""
    document = yaml.safe_load(EXAMPLE)
    if certificates:
        document["haproxy_ha"]["quorum_helper"] = {HELPER: {}}
        document["haproxy_ha"]["cluster"]["quorum_device"] = certificates
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
    returned = salt.call("state.apply", "haproxy_ha")
    assert outcome.failed(returned) == []
    return returned


@pytest.fixture(scope="module")
def helped(first_run):
    """The running pair gets the helper, and loses it again: nothing moves, and no request is lost."""
    made = machine(HELPER).run("salt-call", "--local", "--out=json", "haproxy_ha.generate_quorum_certificates").stdout
    certificates = json.loads(made)["local"]
    audit.settle()
    with watch("a quorum helper added to the running pair") as seen:
        converge(certificates)
    assert (seen.failed, seen.moves) == ([], [])
    yield certificates
    holder = audit.settle(120)
    with watch("the quorum helper taken away again") as seen:
        converge(None)
    assert (seen.failed, seen.moves) == ([], [])
    assert audit.settle() == holder
    for host in BALANCERS:
        assert votes(host) == (2, 2)
        assert "2Node" in quorum(host)
        unit = machine(host).run("systemctl", "status", "corosync-qdevice", check=False).stdout
        assert "Active: inactive" in unit and "disabled" in unit, unit
    assert outcome.changed(converge(None)) == []
    removed = salt.call("haproxy_ha.remove", "quorum_helper", target=HELPER)[HELPER]
    assert removed["changes"]["corosync-qnetd"] == {"old": "installed", "new": None}
    assert salt.call("haproxy_ha.remains", "quorum_helper", target=HELPER)[HELPER] == {}
    assert outcome.changed(converge(None)) == []


@pytest.fixture
def serving(helped) -> str:
    """All three vote; the value is the active balancer."""
    holder = audit.settle(120)
    for host in BALANCERS:
        wait_for(f"all votes at {host}", lambda host=host: votes(host) == (3, 3), 30)
    return holder


def quorum(host: str) -> str:
    return machine(host).run("corosync-quorumtool", "-s", check=False).stdout


def votes(host: str) -> tuple[int, ...]:
    """Votes that are there, and that there could be, as a balancer counts them."""
    text = quorum(host)
    return tuple(int(re.search(rf"{words} votes: +(\d+)", text)[1]) for words in ("Total", "Expected"))


def quorate(host: str) -> bool:
    return bool(re.search(r"^Quorate: +Yes", quorum(host), re.MULTILINE))


def test_the_helper_is_the_third_vote_and_a_second_run_changes_nothing(helped, serving):
    assert outcome.changed(converge(helped)) == []
    verified = salt.call("haproxy_ha.verify", target=",".join(BALANCERS))
    for host in BALANCERS:
        assert "votes of the quorum: 3 of 3" in verified[host]["passed"]


@contextlib.contextmanager
def cut(peers: bool, host: str):
    """The path between the balancers cut, or the private interface of one."""
    change = (lambda state: network.set_path(*BALANCERS, state)) if peers else (
        lambda state: network.set_link(host, "private", state)
    )
    change("down")
    try:
        yield
    finally:
        change("up")


@pytest.mark.parametrize("holder", BALANCERS)
def test_when_the_balancers_lose_sight_of_each_other_the_one_that_serves_goes_on(serving, holder):
    """Whichever node id is the lower one; the other one has no quorum, and stops its HAProxy."""
    if serving != holder:
        salt.call("haproxy_ha.failover", target=serving)
    other = audit.passive_of(holder)
    with watch(f"path between the peers cut, with a quorum helper, {holder} active") as seen:
        with cut(True, holder):
            wait_for("the other one to have no quorum", lambda: not quorate(other), 30)
            wait_for("the other one to stop HAProxy", lambda: not runs_haproxy(other), 30)
            assert quorate(holder)
            assert votes(holder) == (2, 3)
        assert audit.settle(120) == holder
    assert (seen.failed, seen.moves) == ([], [])


def runs_haproxy(host: str) -> bool:
    return bool(machine(host).run("pgrep", *HAPROXY, check=False).stdout)


def test_a_balancer_that_reaches_neither_peer_nor_helper_gives_up_the_address(serving):
    other = audit.passive_of(serving)
    with watch("private interface of the active cut, with a quorum helper") as seen:
        with cut(False, serving):
            wait_for(f"the address at {other}", lambda: audit.cloud_owner() == other, 30)
            wait_for("the one that is cut off to stop HAProxy", lambda: not runs_haproxy(serving), 30)
            assert quorate(other)
            assert not quorate(serving)
        assert audit.settle(120) == other
    assert len(seen.moves) == 1
    assert seen.longest_gap <= 15


def test_a_loss_of_power_is_taken_over_with_the_helper_s_vote(serving):
    other = audit.passive_of(serving)
    with watch("power loss of the active, with a quorum helper") as seen:
        machine(serving).power_off()
        wait_for("the other one to serve", lambda: audit.cloud_owner() == other and ask()[0] == 200, 30)
        machine(serving).power_on()
        machine(serving).wait_booted()
        assert audit.settle(120) == other
    assert len(seen.moves) == 1
    assert seen.longest_gap <= 10


@pytest.mark.parametrize(("away", "back"), [
    (("systemctl", "stop", "corosync-qnetd"), ("systemctl", "start", "corosync-qnetd")),
    (("pkill", "-STOP", "-x", "corosync-qnetd"), ("pkill", "-CONT", "-x", "corosync-qnetd")),
])
def test_without_the_helper_the_pair_has_quorum_still(serving, away, back):
    before = len(control.state(str(CONTROL))["moves"])
    with watch(f"quorum helper: {' '.join(away)}") as seen:
        machine(HELPER).run(*away)
        try:
            for host in BALANCERS:
                wait_for(f"{host} to miss the vote", lambda host=host: votes(host) == (2, 3), 30)
                assert quorate(host)
        finally:
            machine(HELPER).run(*back)
        assert audit.settle(120) == serving
    assert seen.failed == []
    assert len(control.state(str(CONTROL))["moves"]) == before
