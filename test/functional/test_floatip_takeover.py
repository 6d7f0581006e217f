"""No tug-of-war: what whoever moves the address does while a node is lost, and when the cluster is whole again."""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from support.floatip import AGENTS, DEGRADED, GENERIC, NOT_RUNNING, OK, cluster_state
from support.place import in_container
from support.simulated_cloud import PRIMARY, SECONDARY, simulator

# An address of this machine, whoever owns it: all of 127/8 is. No IPv6 one stays there while the agent takes it off.
pytestmark = pytest.mark.parametrize("provider", ["digitalocean", "hetzner"], indirect=True)
LOCAL = "127.0.0.2"
DEGRADED_ONCE = "haproxy_ha-degraded-FloatIP"


def test_a_whole_cluster_takes_the_address_back_at_once(holding, cloud):
    cluster_state(holding, "member", "member")
    cloud.assign(1003)
    assert holding.look().code == NOT_RUNNING
    assert (holding("start").code, cloud.owner()) == (OK, PRIMARY)


def test_while_a_node_is_lost_the_address_is_not_taken_back_soon(holding, cloud):
    cluster_state(holding, "member", "lost")
    cloud.assign(SECONDARY)
    run = holding.look()
    assert (run.code, f"held by {holding.machine} {SECONDARY}" in run.reason) == (DEGRADED, True)
    run = holding.monitor()
    assert (run.code, "not taken back for" in run.reason) == (DEGRADED, True)
    assert cloud.owner() == SECONDARY
    assert holding.monitor(hold_off="0").code == NOT_RUNNING
    assert (holding("start", hold_off="0").code, cloud.owner()) == (OK, PRIMARY)


def remembered_by(agent):
    """What is left of an agent that holds nothing, as far as it was asked for yet."""
    return [name for name in [DEGRADED_ONCE, *agent.remembered] if name in agent.state]


def marked(floatip):
    """The changes of node attributes that the cluster would have got."""
    path = floatip.directory / "attributes"
    return path.read_text().splitlines() if path.exists() else []


class Owner:
    """Who answers at the address: a server that says one thing to everybody, after so many seconds."""

    def __init__(self, said, port=0, seconds=0.0):
        self._seconds = seconds
        self._socket = socket.create_server((LOCAL, port))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, args=(said,), daemon=True).start()

    def _serve(self, said):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    threading.Event().wait(self._seconds)
                    connection.sendall(said)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def beyond(installed, provider, tmp_path):
    """The agent while the other node is lost and the other machine owns the address, which is this one's here."""
    with simulator(tmp_path, cloud=provider, reserved_ips=[{"ip": LOCAL, "droplet_id": SECONDARY}]) as cloud:
        agent = AGENTS[provider](installed, cloud, tmp_path)
        agent.parameters |= {"address": LOCAL}
        agent.cloud = cloud
        agent.owner = lambda: cloud.state()["owners"][LOCAL]
        cluster_state(agent, "member", "lost")
        yield agent
        agent.close()


@pytest.mark.parametrize("said", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_while_a_node_is_lost_an_address_that_serves_is_not_taken(beyond, said):
    owner = Owner(said)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, SECONDARY)
    run = beyond.monitor(port=owner.port)
    assert run.code == DEGRADED
    assert run.reason.startswith(f"{LOCAL} answers on port {owner.port} while a cluster node is lost (bring back ")
    assert len(run.reason) <= 128  # what Pacemaker keeps of it
    probe = beyond("monitor", port=owner.port)
    assert (probe.code, beyond.state) == (NOT_RUNNING, remembered_by(beyond))  # nobody would stop it any more
    assert marked(beyond)[-1] == "--name=haproxy_ha-handover --delete"
    assert beyond("start", port=owner.port).code == OK
    owner.close()
    assert beyond.monitor(port=owner.port).code == NOT_RUNNING
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond)[0] == "--name=haproxy_ha-handover --update=1"
    assert marked(beyond)[-2:] == ["--name=haproxy_ha-handover --delete", TAKEN_OVER]


def test_whoever_stands_by_waits_for_an_answer_that_comes_late(beyond):
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert beyond("start", port=owner.port).code == OK
    late = Owner(b"HTTP/1.1 200 OK\r\n\r\n", seconds=0.7)
    assert (beyond.monitor(port=late.port).code, beyond.owner()) == (DEGRADED, SECONDARY)
    for one in (owner, late):
        one.close()


def test_what_a_majority_of_three_has_lost_serves_nothing(beyond):
    cluster_state(beyond, "member", "member", "lost")
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert beyond.monitor(port=owner.port).code == OK
    owner.close()


def pass_by(beyond, seconds):
    """Since the cluster was seen to be whole after a takeover."""
    path = beyond.directory / "state" / "haproxy_ha-floatip-FloatIP-takeover"
    attribute, since = path.read_text().split()
    path.write_text(f"{attribute} {float(since) - seconds:.3f}")


def test_of_three_the_latest_takeover_is_told_until_all_are_back(beyond):
    """What was lost may have stood still, and comes back with its claim."""
    cluster_state(beyond, "member", "member", "lost")
    (beyond.directory / "takeovers").write_text('name="haproxy_ha-takeover" host="another" value="1"\n')
    assert beyond("start", port=1).code == OK
    assert beyond.monitor(port=1).code == OK
    assert marked(beyond) == [f"{TAKEOVER_ENDED} --node=another", TAKEN_OVER]
    cluster_state(beyond, "member", "member", "member")
    assert beyond.monitor(port=1).code == OK
    pass_by(beyond, 10)
    assert beyond.monitor(port=1).code == OK
    assert marked(beyond)[2] == TAKEOVER_ENDED


def start_in_vain(beyond, port):
    """A start that has looked, and whose first assign the API did not take: it tries again in two seconds."""
    beyond.cloud.fault("status", method="POST", status=503, headers={"retry-after": "2"}, times=1)
    process = beyond.start_process("start", port=port)
    deadline = time.monotonic() + 10
    while not beyond.cloud.counts()["calls"]:
        assert time.monotonic() < deadline, "the API was not asked"
        time.sleep(0.02)
    return process


def test_the_owner_is_asked_anew_when_the_api_comes_late(beyond):
    """An isolated node that comes back must not take the address because nobody answered while it was isolated."""
    with socket.create_server((LOCAL, 0)) as reserved:
        port = reserved.getsockname()[1]
    process = start_in_vain(beyond, port)
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n", port)
    assert (process.wait(10), beyond.owner()) == (OK, SECONDARY)
    assert beyond.monitor(port=port).code == DEGRADED
    owner.close()


@pytest.mark.parametrize(
    ("fault", "code", "more"),
    [
        (None, OK, 0),
        ({"kind": "truncated"}, GENERIC, None),  # what is asked is done, and the answers are lost
        ({"kind": "status", "service": "metadata", "status": 500}, OK, 1),  # nobody says that it is elsewhere
    ],
)
def test_with_a_node_that_is_lost_the_first_call_is_the_assign(beyond, provider, fault, code, more):
    """Clients wait for it, and each call may take seconds."""
    assert beyond("validate-all", port=1, level=10).code == OK  # it knows its machine
    if provider == "hetzner":
        beyond.knows(4711)
        more = more and 0  # its metadata service says nothing of addresses
    if fault:
        beyond.cloud.fault(**fault)
    assert (beyond("start", port=1, timeout=5).code, beyond.owner()) == (code, PRIMARY)
    assert more is None or beyond.cloud.counts().get("reads before a write", 0) == more


def test_a_partition_that_ends_while_the_address_is_being_taken(beyond):
    process = start_in_vain(beyond, port=1)
    cluster_state(beyond, "member", "member")
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, beyond.owner()) == (OK, SECONDARY)
    assert "stands by: the cluster is whole again, and decides anew" in output
    assert beyond.monitor(port=1).code == NOT_RUNNING


@pytest.fixture
def whole_for(tmp_path):
    """Says since how many seconds the cluster has been whole: by when Corosync has written the ring's number."""
    rings = Path("/var/lib/corosync")
    if not in_container():
        pytest.skip("Corosync's directory is another one's here")
    rings.mkdir(exist_ok=True)
    ring = rings / "ringid_7"

    def write(seconds):
        ring.write_bytes(b"")
        os.utime(ring, (time.time() - seconds,) * 2)

    yield write
    ring.unlink(missing_ok=True)


def test_what_a_partition_asked_for_that_is_over_is_left_to_the_cluster(beyond, whole_for):
    """The start is late: the other one is back, and serves."""
    cluster_state(beyond, "member", "member")
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    whole_for(0)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, SECONDARY)
    assert marked(beyond) == ["--name=haproxy_ha-handover --update=1"]
    assert beyond.monitor(port=owner.port).code == DEGRADED
    owner.close()


def test_such_a_start_takes_what_nobody_serves_and_says_so(beyond, whole_for):
    cluster_state(beyond, "member", "member")
    whole_for(0)
    assert (beyond("start", port=1).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond) == [TAKEN_OVER]


def test_of_three_such_a_start_is_a_takeover(beyond, whole_for):
    """Else Pacemaker, which finds two claims, stops the later one."""
    cluster_state(beyond, "member", "member", "member")
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    whole_for(0)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond) == [TAKEN_OVER]
    owner.close()


@pytest.mark.parametrize("seconds", [1.0, -3600.0])
def test_a_start_of_a_cluster_that_was_whole_takes_the_address(beyond, whole_for, seconds):
    """As it does where the clock was set back since: of that nothing can be told."""
    cluster_state(beyond, "member", "member")
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    whole_for(seconds)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond) == []
    owner.close()


def test_a_loss_is_forgotten_with_the_partition(holding, cloud):
    """Else the next loss of a node, which may be for good, would be waited for."""
    cluster_state(holding, "member", "lost")
    cloud.assign(SECONDARY)
    assert holding.look().code == DEGRADED
    cluster_state(holding, "member", "member")
    assert holding("stop").code == OK
    cluster_state(holding, "member", "lost")
    assert (holding("start").code, cloud.owner()) == (OK, PRIMARY)


def test_a_stop_that_nobody_hears_gives_the_claim_up(beyond):
    """Pacemaker's executor, who reads what an agent says, has died."""
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert beyond("start", port=owner.port).code == OK
    (beyond.programs / "attrd_updater").write_text("#!/bin/sh\nexit 1\n")
    process = beyond.start_process("stop")
    process.stdout.close()
    assert process.wait(20) == OK
    assert "haproxy_ha-floatip-FloatIP" not in beyond.state
    owner.close()


def test_when_the_cluster_is_whole_again_what_stands_by_says_whose_the_address_is(beyond):
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert beyond("start", port=owner.port).code == OK
    cluster_state(beyond, "member", "member")
    for _ in range(2):
        run = beyond.monitor(port=owner.port)
        assert (run.code, "the cluster, which is whole again, decides" in run.reason) == (DEGRADED, True)
        assert len(run.reason) <= 128
    path = beyond.directory / "state" / "haproxy_ha-floatip-FloatIP"
    claim, moment = path.read_text().rsplit(" ", 1)
    path.write_text(f"{claim} {float(moment) - 10:.3f}\n")
    run = beyond.monitor(port=owner.port)
    assert (run.code, f"held by {beyond.machine} {SECONDARY}" in run.reason) == (NOT_RUNNING, True)
    assert beyond.state == remembered_by(beyond)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    owner.close()


TAKEN_OVER, TAKEOVER_ENDED = (f"--name=haproxy_ha-takeover {change}" for change in ("--update=1", "--delete"))


def taken_over_and_whole(beyond, seconds):
    """The address is taken from a lost node, which is back since some seconds."""
    assert (beyond("start", port=1).code, beyond.owner()) == (OK, PRIMARY)
    cluster_state(beyond, "member", "member")
    assert beyond.monitor(port=1).code == OK
    pass_by(beyond, seconds)


@pytest.mark.parametrize(("seconds", "changes"), [(5, [TAKEN_OVER]), (10, [TAKEN_OVER, TAKEOVER_ENDED])])
def test_a_takeover_is_told_until_the_cluster_has_been_whole_for_a_while(beyond, seconds, changes):
    taken_over_and_whole(beyond, seconds)
    assert beyond("monitor", port=1).code == OK  # a probe
    assert marked(beyond) == [TAKEN_OVER]
    for _ in range(2):
        assert beyond.monitor(port=1).code == OK
        assert marked(beyond) == changes


def test_when_a_takeover_ends_so_does_that_of_a_node_that_stood_still(beyond):
    taken_over_and_whole(beyond, 10)
    (beyond.directory / "takeovers").write_text('name="haproxy_ha-takeover" host="another" value="1"\n')
    assert beyond.monitor(port=1).code == OK
    assert marked(beyond) == [TAKEN_OVER, TAKEOVER_ENDED, f"{TAKEOVER_ENDED} --node=another"]


def test_a_node_that_is_lost_again_is_waited_for_anew(beyond):
    taken_over_and_whole(beyond, 10)
    cluster_state(beyond, "member", "lost")
    assert beyond.monitor(port=1).code == OK
    cluster_state(beyond, "member", "member")
    for _ in range(2):
        assert beyond.monitor(port=1).code == OK
    assert marked(beyond) == [TAKEN_OVER]


def test_one_that_is_taken_over_anew_counts_though_the_former_did_not(beyond):
    """The watcher has disowned that, as this machine stood still."""
    left = beyond.directory / "state" / "haproxy_ha-undone-haproxy_ha-takeover"
    left.parent.mkdir(exist_ok=True)
    left.write_text("")
    assert (beyond("start", port=1).code, left.exists()) == (OK, False)


def test_a_stop_changes_no_attribute(beyond):
    """Pacemaker would start the address elsewhere only after HAProxy's stop here, which waits for that."""
    taken_over_and_whole(beyond, 5)
    assert beyond("stop").code == OK
    assert marked(beyond) == [TAKEN_OVER]
    assert "haproxy_ha-undone-haproxy_ha-takeover" in beyond.state  # HAProxy's monitor ends it


def test_a_start_of_a_whole_cluster_ends_every_takeover(beyond):
    taken_over_and_whole(beyond, 5)
    assert beyond("stop").code == OK
    told = ("one", "1"), ("two", "1"), ("three", "")
    text = "".join(f'name="haproxy_ha-takeover" host="{host}" value="{value}"\n' for host, value in told)
    (beyond.directory / "takeovers").write_text(text)
    assert beyond("start", port=1).code == OK
    ended = [f"{TAKEOVER_ENDED} --node={host}" for host in ("one", "two")]
    assert marked(beyond) == [TAKEN_OVER, *ended]
    assert beyond.state == sorted([*beyond.remembered, "haproxy_ha-floatip-FloatIP"])


def test_a_takeover_whose_end_cannot_be_told_is_ended_by_the_next_monitor(beyond):
    taken_over_and_whole(beyond, 10)
    attributes = beyond.programs / "attrd_updater"
    working = attributes.read_text()
    attributes.write_text("#!/bin/sh\nexit 1\n")
    assert beyond.monitor(port=1).code == OK
    attributes.write_text(working)
    for _ in range(2):
        assert beyond.monitor(port=1).code == OK
        assert marked(beyond) == [TAKEN_OVER, TAKEOVER_ENDED]


def test_a_takeover_of_which_nobody_could_be_asked_is_ended_later(beyond):
    """Another node may have one from before, and draws the address there."""
    attributes = beyond.programs / "attrd_updater"
    working = attributes.read_text()
    cluster_state(beyond, "member", "member")
    attributes.write_text("#!/bin/sh\nexit 102\n")
    assert beyond("start", port=1).code == OK
    attributes.write_text(working)
    (beyond.directory / "takeovers").write_text('name="haproxy_ha-takeover" host="another" value="1"\n')
    assert beyond.monitor(port=1).code == OK
    pass_by(beyond, 10)
    assert beyond.monitor(port=1).code == OK
    assert marked(beyond)[-1] == f"{TAKEOVER_ENDED} --node=another"


def test_while_no_node_is_lost_a_start_is_no_takeover(beyond):
    cluster_state(beyond, "member", "member")
    assert (beyond("start", port=1).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond) == []


@pytest.mark.parametrize("said", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", None])
def test_an_owner_that_does_not_serve_loses_the_address(beyond, said):
    port = Owner(said).port if said else 1
    run = beyond("start", port=port)
    assert (run.code, beyond.owner()) == (OK, PRIMARY)
    assert run.seconds < 2
