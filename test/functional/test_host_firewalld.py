"""firewalld, as its package has it: in the container, with a bus, and another machine in a network namespace."""

import contextlib
import os
import subprocess

import pytest

from haproxy_ha_host import waiting
from support.pillars import changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("firewalld", "dbus-daemon", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]

PRIVATE, PEER, ANCHOR = "10.132.20.10", "10.132.20.11", "10.17.1.18"
FIREWALLD = {"firewall": {"enabled": True, "backend": "firewalld"}}


def firewall(*options, command="firewall-cmd"):
    done = subprocess.run([command, *options], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


def rules(*options, command="firewall-cmd"):
    listed = firewall(*options, "--policy=haproxy_ha", "--list-rich-rules", command=command)
    return set(filter(None, listed.splitlines()))


@contextlib.contextmanager
def started(*argv):
    process = subprocess.Popen(argv)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def active():
    """firewalld runs, and another machine is on the private network: a network namespace."""
    os.makedirs("/run/dbus", exist_ok=True)
    network = f"""
        ip netns add peer
        ip link add here type veth peer name there netns peer
        ip address add {PRIVATE}/24 dev here && ip link set here up
        ip -n peer address add {PEER}/24 dev there && ip -n peer link set there up
        ip address add {ANCHOR}/32 dev here && ip -n peer route add {ANCHOR} via {PRIVATE}
    """
    with (
        started("dbus-daemon", "--system", "--nofork", "--nopidfile"),
        started("firewalld", "--nofork", "--nopid"),
    ):
        assert waiting.wait_for(lambda: firewall("--state"), 60)
        subprocess.run(["sh", "-ec", network], check=True)
        yield
        subprocess.run(["ip", "netns", "delete", "peer"], check=True)
        subprocess.run(["ip", "link", "delete", "here"], check=False, stderr=subprocess.DEVNULL)


def reaches(port):
    """Whether the other machine gets an answer from the anchor IP."""
    script = f"import socket; socket.create_connection(('{ANCHOR}', {port}), 3)"
    done = subprocess.run(["ip", "netns", "exec", "peer", "python3", "-c", script], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.usefixtures("active")
def test_firewalld_lets_pass_what_the_system_needs_and_nothing_else(single):
    pillar = changed(FIREWALLD)
    theirs = firewall("--permanent", "--list-all-zones")
    with started("python3", "-m", "http.server", "80", "--bind", ANCHOR), started(
        "python3", "-m", "http.server", "81", "--bind", ANCHOR
    ):
        dry = single("haproxy_ha.firewall", "x", pillar, test=True)
        assert dry["result"] is None and not rules() and not reaches(80)
        live = single("haproxy_ha.firewall", "x", pillar)
        assert (live["result"], live["changes"]) == (True, dry["changes"]), live["comment"]
        assert "not active" not in live["comment"]
        assert rules() == rules("--permanent") == {*dry["changes"]["rules"]["new"]}
        assert waiting.wait_for(lambda: reaches(80), 30) and not reaches(81)
        assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}

        moved = changed({**FIREWALLD, "cluster:port": 5505})
        assert single("haproxy_ha.firewall", "x", moved)["result"] is True
        assert rules() == rules("--permanent") and "5505" in str(rules()) and "5405" not in str(rules())
        firewall("--reload")
        assert reaches(80) and single("haproxy_ha.firewall", "x", moved)["changes"] == {}

        gone = single("haproxy_ha.firewall_absent", "x", moved)
        assert gone["result"] is True and gone["changes"]
        assert not rules() and "haproxy_ha" not in firewall("--permanent", "--get-policies") and not reaches(80)
    assert firewall("--permanent", "--list-all-zones") == theirs
    assert single("haproxy_ha.firewall_absent", "x", moved)["changes"] == {}


@pytest.mark.usefixtures("active")
def test_another_firewall_than_the_one_that_is_active_is_told(single):
    state = single("haproxy_ha.firewall", "x", changed({"firewall": {"enabled": True, "backend": "ufw"}}), test=True)
    said = "firewalld is active, and drops what ufw lets pass: haproxy_ha:firewall:backend: firewalld"
    assert state["comment"].endswith(said)


def test_rules_for_a_firewalld_that_does_not_run_wait_for_it(single):
    pillar = changed(FIREWALLD)
    dry = single("haproxy_ha.firewall", "x", pillar, test=True)
    live = single("haproxy_ha.firewall", "x", pillar)
    assert (dry["result"], live["result"], live["changes"]) == (None, True, dry["changes"]), live["comment"]
    assert live["comment"].endswith("the firewall is not active")
    assert rules(command="firewall-offline-cmd") == {*dry["changes"]["rules"]["new"]}
    assert single("haproxy_ha.firewall", "x", pillar)["changes"] == {}
    assert single("haproxy_ha.firewall_absent", "x", pillar)["changes"]
    assert "haproxy_ha" not in firewall("--get-policies", command="firewall-offline-cmd")
