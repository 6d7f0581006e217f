"""An address that comes as it is, from a machine that serves: nothing that is under way is reset for a moment."""

import contextlib
import socket
import subprocess
import time

import pytest

from support import two_nodes
from support.floatip import OK, cluster_state
from support.place import in_container, requires_tools
from support.simulated_cloud import SECONDARY

pytestmark = [
    pytest.mark.parametrize("provider", ["digitalocean-ipv6", "hetzner"], indirect=True),
    requires_tools("ip", "nft"),
    pytest.mark.skipif(not in_container(), reason="its agent changes an interface"),
]

REPAIR = 19  # TCP_REPAIR of linux/tcp.h; when it ends, the other side is asked for its window


@pytest.fixture(autouse=True)
def flushed():
    """The next one finds no rules."""
    yield
    subprocess.run(["nft", "flush", "ruleset"], check=True)


@contextlib.contextmanager
def stray(address):
    """A connection that began elsewhere, and has just sent something: this machine knows of none."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
        connection.connect((address, 80))
        connection.setsockopt(socket.IPPROTO_TCP, REPAIR, 0)
        with contextlib.suppress(ConnectionResetError):
            connection.send(b"x")
        yield connection


def is_reset(connection, seconds):
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True


def rules():
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def tables():
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def start_slowly(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=2.0)
    process = floatip.start_process("start")
    deadline = time.monotonic() + 10
    while not cloud.counts()["writes"]:
        assert process.poll() is None and time.monotonic() < deadline
    return process


def test_what_is_under_way_is_not_reset_while_the_address_comes(floatip, cloud):
    cluster_state(floatip, "member", "member")
    process = start_slowly(floatip, cloud)
    with stray(floatip.parameters["address"]) as connection:
        assert not is_reset(connection, 0.5)
        assert process.wait(20) == OK
        assert is_reset(connection, 20)  # what is sent again, which takes twice as long each time
    with stray(floatip.parameters["address"]) as connection:
        assert is_reset(connection, 0.2)


def test_a_refusal_is_no_such_reset(floatip, cloud):
    cluster_state(floatip, "member", "member")
    process = start_slowly(floatip, cloud)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((floatip.parameters["address"], 80), timeout=1)
    assert process.wait(20) == OK


def test_from_a_machine_that_is_lost_nothing_is_under_way(floatip, cloud):
    cluster_state(floatip, "member", "lost")
    cloud.assign(SECONDARY)
    assert (floatip("start", port=1).code, tables()) == (OK, "")


def test_a_start_that_fails_holds_nothing_back(floatip, cloud):
    cluster_state(floatip, "member", "member")
    cloud.assign(SECONDARY)
    cloud.fault("errored")
    assert floatip("start", timeout=4).code != OK
    two_nodes.wait_for("the rule's end", lambda: f"{floatip.parameters['address']} timeout" not in rules(), 5)
    with stray(floatip.parameters["address"]) as connection:
        assert is_reset(connection, 0.2)


def test_the_rules_go_when_their_time_is_over(floatip, cloud):
    cluster_state(floatip, "member", "member")
    cloud.assign(SECONDARY)
    assert floatip("start").code == OK
    there = "haproxy_ha_resets"
    mark = floatip.directory / "state" / "haproxy_ha-rules"
    floatip.haproxy_takes_off()
    assert there in tables() and mark.exists()
    mark.write_text("0.000\n")
    floatip.haproxy_takes_off()
    assert (tables(), mark.exists()) == ("", False)
    mark.write_text("0.000\n")  # somebody has flushed all
    floatip.haproxy_takes_off()
    assert (tables(), mark.exists()) == ("", False)


def test_one_that_comes_again_adds_nothing(floatip, cloud):
    cluster_state(floatip, "member", "member")
    for _ in range(2):
        cloud.assign(SECONDARY)
        assert floatip("start").code == OK
        assert floatip("stop").code == OK
    assert rules().count(" drop\n") == 1
    floatip.haproxy_takes_off(at_once=True)
    assert tables() == ""


def test_without_nft_the_address_comes_all_the_same(floatip, cloud):
    cluster_state(floatip, "member", "member")
    (floatip.programs / "nft").write_text("#!/bin/sh\necho 'Operation not permitted' >&2; exit 1\n")
    (floatip.programs / "nft").chmod(0o755)
    cloud.assign(SECONDARY)
    run = floatip("start")
    assert run.code == OK
    assert "may be reset: nft: Operation not permitted" in run.output
