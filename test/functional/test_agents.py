"""The OCF agents as Pacemaker runs them: `floatip` against the simulator, `haproxy` against a real HAProxy.

What needs systemd (starting and stopping the unit) is tested on the lab's hosts.
"""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import agentset
import pytest
from place import addresses
from simulated import ADDRESS, PRIMARY, SECONDARY, TOKEN, simulator

OK, GENERIC, ARGS, UNIMPLEMENTED, PERM, INSTALLED, CONFIGURED, NOT_RUNNING, DEGRADED = 0, 1, 2, 3, 4, 5, 6, 7, 190

needs_ocf_tester = pytest.mark.skipif(
    not (shutil.which("ocf-tester") and os.geteuid() == 0), reason="needs ocf-tester, and root"
)
needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The provider's directory as the formula installs it."""
    directory = tmp_path_factory.mktemp("haproxy_ha")
    directory.chmod(0o755)
    return Path(agentset.install(directory).link)


class Run:
    """What an action returned, said, and cost."""

    def __init__(self, process, code, output, seconds):
        self.code, self.output, self.seconds = code, output, seconds
        reasons = re.findall(r"^ocf-exit-reason:(.*)$", output, re.MULTILINE)
        assert len(reasons) <= 1, output
        assert "Traceback" not in output, output
        assert TOKEN not in output
        self.reason = reasons[0] if reasons else ""


class FloatIP:
    """The agent floatip on the droplet `primary`."""

    def __init__(self, installed, cloud, directory):
        self.directory, self.agent = directory, installed / "floatip"
        self.programs = directory / "programs"
        self.programs.mkdir()
        self.token_file = directory / "token"
        self.token_file.write_text(TOKEN + "\n")
        self.token_file.chmod(0o600)
        self.parameters = {
            "address": ADDRESS, "token_file": self.token_file, "api_url": cloud.api_url, "ca_file": cloud.ca_file,
            "metadata_url": cloud.metadata_url, "port": "0",
        }  # fmt: skip

    def start_process(self, action, timeout=20, interval=None, level=None, **parameters):
        environment = {
            "PATH": f"{self.programs}:/usr/bin:/bin", "OCF_RESOURCE_INSTANCE": "FloatIP", "OCF_ROOT": "/usr/lib/ocf",
            "HA_RSCTMP": str(self.directory / "state"), "OCF_RESKEY_CRM_meta_timeout": str(int(timeout * 1000)),
            **{f"OCF_RESKEY_{name}": str(value) for name, value in (self.parameters | parameters).items()},
        }  # fmt: skip
        if interval:
            environment["OCF_RESKEY_CRM_meta_interval"] = str(interval * 1000)
        if level:
            environment["OCF_CHECK_LEVEL"] = str(level)
        return subprocess.Popen(
            [self.agent, action], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __call__(self, action, **options):
        begin = time.monotonic()
        process = self.start_process(action, **options)
        output, _ = process.communicate()
        return Run(process, process.returncode, output, time.monotonic() - begin)

    def monitor(self, **options):
        """The recurring monitor."""
        return self("monitor", interval=10, **options)

    @property
    def state(self):
        return sorted(path.name for path in (self.directory / "state").iterdir())


@pytest.fixture
def floatip(installed, cloud, tmp_path):
    return FloatIP(installed, cloud, tmp_path)


@pytest.fixture
def holding(floatip, cloud):
    """The agent after a start: this droplet owns the address."""
    assert floatip("start").code == OK
    assert cloud.owner() == PRIMARY
    return floatip


# floatip: the life of a resource


def test_life(floatip, cloud):
    cloud.assign(SECONDARY)
    assert floatip("monitor").code == NOT_RUNNING
    assert floatip("start").code == OK
    assert cloud.owner() == PRIMARY
    assert floatip("start").code == OK
    assert (floatip.monitor().code, floatip("monitor").code) == (OK, OK)
    assert floatip("stop").code == OK
    assert (floatip.monitor().code, floatip("stop").code) == (NOT_RUNNING, OK)
    assert cloud.owner() == PRIMARY
    assert cloud.counts()["writes"] == 1
    assert floatip.state == ["haproxy_ha-droplet"]


def test_a_start_where_the_address_is_already_writes_nothing(floatip, cloud):
    assert floatip("start").code == OK
    assert cloud.counts()["writes"] == 0


def test_a_start_with_an_instant_api_takes_three_calls(floatip, cloud):
    """Who owns it, assign it, who owns it now."""
    cloud.assign(SECONDARY)
    assert floatip("start").code == OK
    assert cloud.counts()["calls"] == 3


def test_start_waits_for_the_owner(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=1.5)
    run = floatip("start")
    assert (run.code, cloud.owner()) == (OK, PRIMARY)
    assert run.seconds >= 1.5
    assert cloud.counts()["calls"] < 12


def test_a_monitor_asks_the_metadata_and_rarely_the_api(holding, cloud):
    calls = cloud.counts()["calls"]
    for _ in range(3):
        assert holding.monitor().code == OK
    assert cloud.counts()["calls"] == calls
    assert holding.monitor(api_check_interval="0s").code == OK
    assert cloud.counts()["calls"] == calls + 1


def test_a_monitor_is_cheap(holding):
    def cost():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    costs = []
    for _ in range(15):
        before = cost()
        assert holding.monitor().code == OK
        costs.append(cost() - before)
    print("CPU, ms:", *(round(cost * 1000) for cost in costs))
    # The middle: what else runs on the machine makes some of them dearer, by its use of the caches.
    assert sorted(costs)[7] <= 0.060


# floatip: what the API may do while the address is assigned. (faults, tokens, code, reason, owner afterwards)

REFUSED = {"kind": "status", "method": "POST", "status": 422, "id": "unprocessable_entity"}


@pytest.mark.parametrize(
    ("faults", "code", "reason", "owner"),
    [
        pytest.param([{"kind": "status", "status": 401, "id": "unauthorized", "message": "Unable to authenticate"}],
                     GENERIC, "refuses the token: HTTP 401, unauthorized: Unable to authenticate", SECONDARY, id="401"),
        pytest.param([{"kind": "status", "status": 403, "id": "forbidden", "method": "POST"}],
                     GENERIC, "refuses the token: HTTP 403, forbidden", SECONDARY, id="403"),
        pytest.param([{"kind": "status", "status": 404, "id": "not_found"}],
                     GENERIC, f"{ADDRESS}, droplet {PRIMARY}: .* HTTP 404, not_found", SECONDARY, id="404"),
        pytest.param([{"kind": "pending_ip", "times": 2}], OK, "", PRIMARY, id="422 address pending"),
        pytest.param([{"kind": "pending_droplet", "times": 2}], OK, "", PRIMARY, id="422 droplet pending"),
        pytest.param([REFUSED | {"message": "droplet already has an IP"}],
                     GENERIC, "droplet already has an IP; no time is left", SECONDARY, id="422 for ever"),
        pytest.param([{"kind": "status", "status": 429, "headers": {"retry-after": "1"}, "times": 1}],
                     OK, "", PRIMARY, id="429 retry-after"),
        pytest.param([{"kind": "status", "status": 429, "times": 2}], OK, "", PRIMARY, id="429 alone"),
        pytest.param([{"kind": "status", "status": 429, "id": "too_many_requests", "headers": {"retry-after": "60"}}],
                     GENERIC, "too_many_requests", SECONDARY, id="429 beyond the timeout"),
        pytest.param([{"kind": "html", "times": 2}], OK, "", PRIMARY, id="502 HTML"),
        pytest.param([{"kind": "html"}], GENERIC, "HTTP 502, no JSON; no time is left", SECONDARY, id="502 for ever"),
        pytest.param([{"kind": "status", "status": 503, "times": 1}], OK, "", PRIMARY, id="503"),
        pytest.param([{"kind": "hang", "times": 1}], OK, "", PRIMARY, id="hang once"),
        pytest.param([{"kind": "hang"}], GENERIC, "no answer within|timed out", SECONDARY, id="hang"),
        pytest.param([{"kind": "hang", "method": "POST"}],
                     GENERIC, "no answer within|timed out", SECONDARY, id="hang of the assign"),
        pytest.param([{"kind": "drip", "times": 1}], OK, "", PRIMARY, id="drip once"),
        pytest.param([{"kind": "drip"}], GENERIC, "no answer within", SECONDARY, id="drip"),
        pytest.param([{"kind": "reset", "times": 2}], OK, "", PRIMARY, id="reset"),
        pytest.param([{"kind": "reset", "method": "POST", "times": 1}], OK, "", PRIMARY, id="reset after the assign"),
        pytest.param([{"kind": "truncated", "times": 2}], OK, "", PRIMARY, id="truncated JSON"),
        pytest.param([{"kind": "invalid_json", "times": 2}], OK, "", PRIMARY, id="invalid JSON"),
        pytest.param([{"kind": "slow", "seconds": 0.5}], OK, "", PRIMARY, id="slow"),
        pytest.param([{"kind": "stuck"}], GENERIC, f"{ADDRESS} is being assigned to droplet {PRIMARY}; no time is left",
                     SECONDARY, id="stuck"),
        pytest.param([{"kind": "errored", "times": 1}], OK, "", PRIMARY, id="errored once"),
        pytest.param([{"kind": "errored"}], GENERIC, "accepted and had no effect", SECONDARY, id="errored"),
        pytest.param([{"kind": "done"}], OK, "", PRIMARY, id="done"),
        pytest.param([{"kind": "action_404"}], OK, "", PRIMARY, id="the action answers 404"),
        pytest.param([{"kind": "unchanged"}], GENERIC, "no time is left", SECONDARY, id="accepted, owner unchanged"),
        pytest.param([{"kind": "owner_absent"}], OK, "", PRIMARY, id="owner left out"),
    ],
)  # fmt: skip
def test_start_and_the_api(floatip, cloud, faults, code, reason, owner):
    cloud.assign(SECONDARY)
    for fault in faults:
        cloud.fault(**fault)
    run = floatip("start", timeout=5)
    assert (run.code, cloud.owner()) == (code, owner), run.output
    assert re.search(reason, run.reason), run.reason
    assert bool(run.reason) is (code != OK)
    assert run.seconds < 5
    assert ("haproxy_ha-floatip-FloatIP" in floatip.state) is (code == OK)
    assert cloud.counts()["calls"] < 40


def test_start_with_a_token_that_sees_no_droplets(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.tokens({"token": TOKEN, "scopes": ["reserved_ip:read", "reserved_ip:update"]})
    assert (floatip("start").code, cloud.owner()) == (OK, PRIMARY)
    assert floatip.monitor(api_check_interval="0").code == OK
    cloud.assign(SECONDARY)
    assert floatip.monitor().code == NOT_RUNNING


@pytest.mark.parametrize(
    ("parameters", "code", "reason"),
    [
        ({"api_url": "https://127.0.0.1:1"}, GENERIC, "Connection refused"),
        ({"api_url": "https://api.invalid"}, GENERIC, "api.invalid: .*; no time is left"),
        ({"ca_file": ""}, GENERIC, "CERTIFICATE_VERIFY_FAILED"),
        ({"ca_file": "/nonexistent"}, INSTALLED, "ca_file /nonexistent"),
        ({"metadata_url": "http://127.0.0.1:1"}, GENERIC, "droplet's id is unknown: http://127.0.0.1:1: no answer"),
        ({"address": "203.0.113.99"}, GENERIC, "203.0.113.99, droplet 1001: .* HTTP 404"),
        ({"address": ""}, CONFIGURED, "address: is required"),
        ({"address": "203.0.113"}, CONFIGURED, "address: found '203.0.113'"),
        ({"api_url": "http://127.0.0.1"}, CONFIGURED, "api_url: .* https://"),
        ({"token_file": "token"}, CONFIGURED, "token_file: .* absolute"),
        ({"token_file": "/nonexistent/token"}, INSTALLED, "token file /nonexistent/token: is missing"),
        ({"hold_off": "soon"}, CONFIGURED, "hold_off: found 'soon'"),
        ({"port": "http"}, CONFIGURED, "port: found 'http'"),
    ],
)
def test_start_and_its_parameters(floatip, cloud, parameters, code, reason):
    cloud.assign(SECONDARY)
    run = floatip("start", timeout=4, **parameters)
    assert (run.code, cloud.owner()) == (code, SECONDARY)
    assert re.search(reason, run.reason), run.reason


@pytest.mark.parametrize(
    ("content", "mode", "code", "reason"),
    [
        (TOKEN, 0o644, PERM, "mode 0644, others than root may use it"),
        (TOKEN, 0o640, PERM, "mode 0640"),
        ("", 0o600, INSTALLED, "is empty"),
        ("two words", 0o600, INSTALLED, "white space"),
    ],
)
def test_start_and_the_token_file(floatip, cloud, content, mode, code, reason):
    cloud.assign(SECONDARY)
    floatip.token_file.write_text(content)
    floatip.token_file.chmod(mode)
    run = floatip("start")
    assert (run.code, cloud.owner()) == (code, SECONDARY)
    assert reason in run.reason
    assert not content or content not in run.output


def test_an_unwritable_state_directory_is_told_before_the_address_moves(floatip, cloud):
    cloud.assign(SECONDARY)
    (floatip.directory / "state").write_text("a file where a directory must be")
    run = floatip("start")
    assert (run.code, cloud.owner()) == (GENERIC, SECONDARY)
    assert "cannot write" in run.reason


# floatip: what happens while it holds the address


@pytest.mark.parametrize("owner", [SECONDARY, 1003, None])
def test_an_address_that_moved_is_not_running(holding, cloud, owner):
    cloud.assign(owner)
    run = holding.monitor()
    assert run.code == NOT_RUNNING
    assert f"held by {f'droplet {owner}' if owner else 'no droplet'}" in run.reason
    assert holding.monitor().code == NOT_RUNNING


API_AWAY = [
    {"kind": "status", "status": 401}, {"kind": "status", "status": 403}, {"kind": "status", "status": 404},
    {"kind": "status", "status": 429}, {"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "hang"},
    {"kind": "reset"}, {"kind": "truncated"}, {"kind": "invalid_json"},
]  # fmt: skip


@pytest.mark.parametrize("fault", API_AWAY, ids=lambda fault: str(fault.get("status", fault["kind"])))
@pytest.mark.parametrize("metadata", ["agrees", "silent", "disagrees"])
def test_an_api_that_says_nothing_stops_no_serving_address(holding, cloud, fault, metadata):
    cloud.fault(**fault)
    if metadata == "silent":
        cloud.fault("status", service="metadata")
    if metadata == "disagrees":
        cloud.fault("stale", active=False)
    run = holding.monitor(timeout=5, api_check_interval="0s")
    assert run.code == DEGRADED
    assert ("here by the metadata service" if metadata == "agrees" else "still here is unknown") in run.reason
    assert run.seconds < 4
    cloud.clear()
    assert holding.monitor().code == OK


def test_metadata_that_is_stale_is_outvoted_by_the_api(holding, cloud):
    cloud.fault("stale", active=False)
    assert holding.monitor().code == OK
    cloud.clear()
    cloud.fault("stale", active=True)
    cloud.assign(SECONDARY)
    assert holding.monitor().code == OK  # both say what they say until the API is asked
    assert holding.monitor(api_check_interval="0s").code == NOT_RUNNING


@pytest.mark.parametrize("change", ["missing", "0644", "wrong"])
def test_a_bad_token_file_stops_no_serving_address(holding, change):
    if change == "missing":
        holding.token_file.unlink()
    elif change == "0644":
        holding.token_file.chmod(0o644)
    else:
        holding.token_file.write_text("dop_v1_revoked")
    assert holding.monitor(api_check_interval="0s").code == DEGRADED
    assert holding.monitor().code == OK
    assert holding("stop").code == OK


def test_a_rotated_token_needs_no_restart(holding, cloud):
    cloud.tokens("dop_v1_new")
    holding.token_file.write_text("dop_v1_new\n")
    assert holding("reload-agent").code == OK
    assert holding.monitor(api_check_interval="0s").code == OK


def test_a_probe_that_cannot_tell_does_not_claim_the_address(holding, cloud):
    cloud.fault("status")
    assert holding("monitor", api_check_interval="0s").code == DEGRADED
    cloud.fault("status", service="metadata")
    assert holding("monitor").code == NOT_RUNNING


def test_stop_needs_nobody(holding, cloud):
    holding.token_file.unlink()
    run = holding("stop", api_url="nonsense", metadata_url="nonsense", address="nonsense")
    assert run.code == OK
    assert run.seconds < 1


def test_a_hanging_metadata_service_is_bounded(holding, cloud):
    cloud.fault("hang", service="metadata")
    run = holding.monitor(timeout=10)
    assert run.code == OK  # the API tells
    assert run.seconds < 4


# floatip: another address, and answers in disorder

FORMER = "203.0.113.11"


@pytest.fixture
def renumbered(installed, tmp_path):
    """The agent on a droplet that holds the address from before."""
    with simulator(tmp_path, reserved_ips=[{"ip": FORMER, "droplet_id": PRIMARY}, {"ip": ADDRESS}]) as cloud:
        agent = FloatIP(installed, cloud, tmp_path)
        agent.cloud = cloud
        yield agent


def test_a_droplet_with_another_address_says_so_soon_and_keeps_it(renumbered):
    run = renumbered("start", timeout=60)
    assert (run.code, f"droplet {PRIMARY} holds {FORMER}" in run.reason) == (GENERIC, True)
    assert run.seconds < 5
    assert renumbered.cloud.state()["owners"] == {FORMER: PRIMARY, ADDRESS: None}


@pytest.mark.parametrize("owner", [None, SECONDARY])
def test_an_address_that_is_replaced_goes_as_the_new_one_comes(renumbered, owner):
    renumbered.cloud.assign(owner)
    renumbered.cloud.delay(assign_seconds=0.3)
    run = renumbered("start", timeout=60, replaces=FORMER)
    assert (run.code, renumbered.cloud.state()["owners"]) == (OK, {FORMER: None, ADDRESS: PRIMARY}), run.output
    assert run.seconds < 5
    assert renumbered.monitor(replaces=FORMER).code == OK


def test_an_address_of_another_region_says_so_soon(installed, tmp_path):
    with simulator(tmp_path, reserved_ips=[{"ip": ADDRESS, "region": "ams3"}]) as cloud:
        run = FloatIP(installed, cloud, tmp_path)("start", timeout=60)
    assert (run.code, "belongs to the region ams3, and droplet 1001 is in nyc3" in run.reason) == (GENERIC, True)
    assert run.seconds < 5


DISORDER = {
    "deep": {"kind": "body", "body": "[" * 200_000}, "big": {"kind": "body", "body": "x" * 20_000_000},
    "true for an id": {"kind": "body", "body": '{"reserved_ip": {"droplet": {"id": true}}}'},
    "about another": {"kind": "body", "body": '{"reserved_ip": {"ip": "198.51.100.1", "droplet": {"id": 1002}}}'},
    "headers": {"kind": "headers"}, "bare": {"kind": "bare"},
}  # fmt: skip


@pytest.mark.parametrize("service", ["api", "metadata"])
@pytest.mark.parametrize("case", DISORDER)
def test_disorder_stops_no_serving_address(holding, cloud, case, service):
    cloud.fault(service=service, **DISORDER[case])
    run = holding.monitor(api_check_interval="0s")
    assert run.code == (DEGRADED if service == "api" else OK), run.output
    assert len(run.reason) < 300
    assert holding("stop").code == OK


@pytest.mark.parametrize("there", ["a directory", "garbage", "a link to nowhere", "a pipe"])
def test_a_stop_succeeds_whatever_is_in_the_claim_s_place(holding, there):
    claim = holding.directory / "state" / "haproxy_ha-floatip-FloatIP"
    claim.unlink()
    if there == "a directory":
        (claim / "inside").mkdir(parents=True)
    elif there == "garbage":
        claim.write_bytes(os.urandom(500))
    elif there == "a pipe":
        os.mkfifo(claim)
    else:
        claim.symlink_to("/nonexistent")
    assert holding("stop").code == OK
    assert holding.monitor().code == NOT_RUNNING
    assert (holding("start").code, holding.monitor().code) == (OK, OK)


def test_a_stop_succeeds_where_nothing_can_be_removed(holding):
    """As on a file system that went read-only: the claim stays, and the log says so."""
    state = holding.directory / "state"
    read_only = subprocess.run(["mount", "--bind", "-o", "ro", state, state], capture_output=True).returncode == 0
    if not read_only:
        pytest.skip("needs to mount")
    try:
        assert holding("stop").code == OK
        assert holding.monitor().code in (OK, NOT_RUNNING)
    finally:
        subprocess.run(["umount", state], check=True)


def test_a_token_file_of_another_user_is_refused(floatip, cloud):
    cloud.assign(SECONDARY)
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(floatip.token_file, 12345, -1)
    run = floatip("start")
    assert (run.code, "belongs to the user 12345" in run.reason) == (PERM, True)


def test_a_token_file_that_is_a_pipe_is_not_waited_for(floatip, cloud):
    cloud.assign(SECONDARY)
    floatip.token_file.unlink()
    os.mkfifo(floatip.token_file, 0o600)
    run = floatip("start")
    assert (run.code, "is empty" in run.reason, run.seconds < 3) == (INSTALLED, True, True)


# floatip: no tug-of-war


def cluster_state(floatip, *states):
    """A crm_node that says what the cluster's would."""
    program = floatip.programs / "crm_node"
    members = "".join(f"echo '{number} x {state}'\n" for number, state in enumerate(states))
    program.write_text(f"#!/bin/sh\n{members}")
    program.chmod(0o755)
    attributes = floatip.programs / "attrd_updater"
    attributes.write_text(f'#!/bin/sh\necho "$*" >> {floatip.directory}/attributes\n')
    attributes.chmod(0o755)


def test_a_whole_cluster_takes_the_address_back_at_once(holding, cloud):
    cluster_state(holding, "member", "member")
    cloud.assign(1003)
    assert holding.monitor().code == NOT_RUNNING
    assert (holding("start").code, cloud.owner()) == (OK, PRIMARY)


def test_while_a_node_is_lost_the_address_is_not_taken_back_soon(holding, cloud):
    cluster_state(holding, "member", "lost")
    cloud.assign(SECONDARY)
    run = holding.monitor()
    assert (run.code, f"held by droplet {SECONDARY}" in run.reason) == (DEGRADED, True)
    assert holding("monitor").code == NOT_RUNNING  # a probe
    run = holding.monitor()
    assert (run.code, "not taken back for" in run.reason) == (DEGRADED, True)
    assert cloud.owner() == SECONDARY
    assert holding.monitor(hold_off="0").code == NOT_RUNNING
    assert (holding("start", hold_off="0").code, cloud.owner()) == (OK, PRIMARY)


def marked(floatip):
    """The changes of node attributes that the cluster would have got."""
    path = floatip.directory / "attributes"
    return path.read_text().splitlines() if path.exists() else []


class Owner:
    """Who answers at the address: a server that says one thing to everybody."""

    def __init__(self, said, port=0):
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, args=(said,), daemon=True).start()

    def _serve(self, said):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    connection.sendall(said)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def beyond(installed, tmp_path):
    """The agent while the other node is lost and the other droplet owns the address, which is this machine's here."""
    local = "127.0.0.1"
    with simulator(tmp_path, reserved_ips=[{"ip": local, "droplet_id": SECONDARY}]) as cloud:
        agent = FloatIP(installed, cloud, tmp_path)
        agent.parameters |= {"address": local}
        agent.cloud = cloud
        agent.owner = lambda: cloud.state()["owners"][local]
        cluster_state(agent, "member", "lost")
        yield agent


@pytest.mark.parametrize("said", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_while_a_node_is_lost_an_address_that_serves_is_not_taken(beyond, said):
    owner = Owner(said)
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, SECONDARY)
    run = beyond.monitor(port=owner.port)
    assert run.code == DEGRADED
    assert run.reason == f"127.0.0.1 answers on port {owner.port} while a cluster node is lost"
    assert beyond("monitor", port=owner.port).code == NOT_RUNNING  # a probe: it is not here
    assert beyond("start", port=owner.port).code == OK
    owner.close()
    assert beyond.monitor(port=owner.port).code == NOT_RUNNING
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert marked(beyond)[0] == "--name=haproxy_ha-handover --update=1"
    assert marked(beyond)[-2:] == ["--name=haproxy_ha-handover --delete", TAKEN_OVER]


def test_what_a_majority_of_three_has_lost_serves_nothing(beyond):
    cluster_state(beyond, "member", "member", "lost")
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    assert beyond.monitor(port=owner.port).code == OK
    owner.close()


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
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    process = start_in_vain(beyond, port)
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n", port)
    assert (process.wait(10), beyond.owner()) == (OK, SECONDARY)
    assert beyond.monitor(port=port).code == DEGRADED
    owner.close()


@pytest.mark.parametrize(
    ("fault", "code", "reads"),
    [
        (None, OK, 1),  # afterwards
        ({"kind": "truncated"}, GENERIC, None),  # what is asked is done, and the answers are lost
        ({"kind": "status", "service": "metadata", "status": 500}, OK, 2),  # nobody says that it is elsewhere
    ],
)
def test_with_a_node_that_is_lost_the_first_call_is_the_assign(beyond, fault, code, reads):
    """Clients wait for it, and each call may take seconds."""
    assert beyond("validate-all", port=1, level=10).code == OK  # it knows its droplet
    if fault:
        beyond.cloud.fault(**fault)
    assert (beyond("start", port=1, timeout=5).code, beyond.owner()) == (code, PRIMARY)
    counts = beyond.cloud.counts()
    assert reads in (None, counts["calls"] - counts["writes"])


def test_a_partition_that_ends_while_the_address_is_being_taken(beyond):
    process = start_in_vain(beyond, port=1)
    cluster_state(beyond, "member", "member")
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, beyond.owner()) == (OK, SECONDARY)
    assert "stands by: the cluster is whole again, and decides anew" in output
    assert beyond.monitor(port=1).code == NOT_RUNNING


def test_a_loss_is_forgotten_with_the_partition(holding, cloud):
    """Else the next loss of a node, which may be for good, would be waited for."""
    cluster_state(holding, "member", "lost")
    cloud.assign(SECONDARY)
    assert holding.monitor().code == DEGRADED
    cluster_state(holding, "member", "member")
    assert holding("stop").code == OK
    cluster_state(holding, "member", "lost")
    assert (holding("start").code, cloud.owner()) == (OK, PRIMARY)


def test_when_the_cluster_is_whole_again_what_stands_by_says_whose_the_address_is(beyond):
    owner = Owner(b"HTTP/1.1 200 OK\r\n\r\n")
    assert beyond("start", port=owner.port).code == OK
    cluster_state(beyond, "member", "member")
    run = beyond.monitor(port=owner.port)
    assert (run.code, f"held by droplet {SECONDARY}" in run.reason) == (NOT_RUNNING, True)
    assert beyond.state == ["haproxy_ha-droplet"]
    assert (beyond("start", port=owner.port).code, beyond.owner()) == (OK, PRIMARY)
    owner.close()


TAKEN_OVER, TAKEOVER_ENDED = (f"--name=haproxy_ha-takeover {change}" for change in ("--update=1", "--delete"))


def taken_over_and_whole(beyond, seconds):
    """The address is taken from a lost node, which is back since some seconds."""
    assert (beyond("start", port=1).code, beyond.owner()) == (OK, PRIMARY)
    cluster_state(beyond, "member", "member")
    assert beyond.monitor(port=1).code == OK
    path = beyond.directory / "state" / "haproxy_ha-floatip-FloatIP-takeover"
    path.write_text(f"{float(path.read_text()) - seconds:.3f}")


@pytest.mark.parametrize(("seconds", "changes"), [(5, [TAKEN_OVER]), (10, [TAKEN_OVER, TAKEOVER_ENDED])])
def test_a_takeover_is_told_until_the_cluster_has_been_whole_for_a_while(beyond, seconds, changes):
    taken_over_and_whole(beyond, seconds)
    assert beyond("monitor", port=1).code == OK  # a probe
    assert marked(beyond) == [TAKEN_OVER]
    for _ in range(2):
        assert beyond.monitor(port=1).code == OK
        assert marked(beyond) == changes


def test_a_node_that_is_lost_again_is_waited_for_anew(beyond):
    taken_over_and_whole(beyond, 10)
    cluster_state(beyond, "member", "lost")
    assert beyond.monitor(port=1).code == OK
    cluster_state(beyond, "member", "member")
    for _ in range(2):
        assert beyond.monitor(port=1).code == OK
    assert marked(beyond) == [TAKEN_OVER]


def test_a_stop_ends_a_takeover(beyond):
    assert beyond("start", port=1).code == OK
    assert beyond("stop").code == OK
    assert marked(beyond) == [TAKEN_OVER, TAKEOVER_ENDED]
    assert beyond.state == ["haproxy_ha-droplet"]


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


# floatip: secrets


def test_the_token_is_in_no_argument_and_no_environment(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=1)
    process = floatip.start_process("start")
    seen = set()
    while process.poll() is None:
        for directory in (f"/proc/{process.pid}", *(f"/proc/{pid}" for pid in children(process.pid))):
            for name in ("cmdline", "environ"):
                try:
                    seen.add(Path(directory, name).read_bytes())
                except OSError:
                    continue
        time.sleep(0.01)
    assert process.returncode == OK
    assert seen
    assert not any(TOKEN.encode() in content for content in seen)
    assert not any(TOKEN in path.read_text() for path in (floatip.directory / "state").iterdir())


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


# Both: the interface


@pytest.mark.parametrize("name", ["floatip", "haproxy"])
def test_interface(installed, name):
    def call(*arguments):
        return subprocess.run([installed / name, *arguments], env={}, capture_output=True, text=True)

    document = call("meta-data")
    assert document.returncode == OK
    assert f'<resource-agent name="{name}"' in document.stdout
    assert '<action name="start" timeout="' in document.stdout
    assert not re.search(r'(timeout|interval)="\d+"', document.stdout)
    assert call("promote").returncode == UNIMPLEMENTED
    assert call().returncode == ARGS
    assert "usage" in call("usage").stdout
    assert stat.S_IMODE((installed / name).stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("name", "required", "unique", "fixed"),
    [("floatip", ["address"], {"address": "address"}, ["address"]), ("haproxy", [], {"unit": "unit"}, ["unit"])],
)
def test_which_parameters_are_required_unique_or_need_a_restart(installed, name, required, unique, fixed):
    """A change of what is reloadable restarts nothing; two resources cannot have the same address, or unit."""
    document = subprocess.run([installed / name, "meta-data"], capture_output=True, check=True).stdout
    found = {entry.get("name"): entry for entry in ElementTree.fromstring(document).iter("parameter")}
    assert [key for key, entry in found.items() if entry.get("required") == "1"] == required
    assert {key: entry.get("unique-group") for key, entry in found.items() if entry.get("unique-group")} == unique
    assert [key for key, entry in found.items() if entry.get("reloadable") != "1"] == fixed


@pytest.mark.parametrize("name", ["floatip", "haproxy"])
@pytest.mark.skipif(not shutil.which("xmllint"), reason="needs xmllint")
def test_meta_data_conforms_to_the_distribution_s_dtd(installed, name):
    dtd = Path("/usr/share/resource-agents")
    if not (dtd / "ra-api-1.dtd").exists():
        pytest.skip("needs the DTD of resource-agents")
    document = subprocess.run([installed / name, "meta-data"], capture_output=True, check=True).stdout
    subprocess.run(["xmllint", "--valid", "--noout", "-"], input=document, cwd=dtd, check=True)


@needs_ocf_tester
def test_ocf_tester_passes_floatip(floatip, cloud):
    parameters = [word for name, value in floatip.parameters.items() for word in ("-o", f"{name}={value}")]
    for directory in [floatip.agent, *floatip.agent.parents][:-1]:
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        ["ocf-tester", "-n", "FloatIP", *parameters, floatip.agent], capture_output=True, text=True,
        env={**os.environ, "HA_RSCTMP": str(floatip.directory / "state")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed all tests" in done.stdout


# haproxy


@pytest.fixture(scope="session")
def haproxy(installed):
    """The agent haproxy as a module."""
    sys.path.insert(0, str(installed))
    try:
        loader = SourceFileLoader("agent_haproxy", str(installed / "haproxy"))
        module = module_from_spec(spec_from_loader("agent_haproxy", loader))
        loader.exec_module(module)
    finally:
        sys.path.remove(str(installed))
    return module


@pytest.mark.parametrize(
    ("gateway", "backends", "down", "score"),
    [
        (True, 1, 0, 2000), (False, 1, 0, 1000), (True, 1, 1, 1000), (False, 2, 2, 0), (True, 3, 1, 1666),
        (True, 0, 0, 2000),
    ],
)  # fmt: skip
def test_what_a_node_reaches_is_a_score(haproxy, gateway, backends, down, score):
    assert haproxy.reach.score(gateway, backends, down) == score


ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth1\t0000840A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t00000000\t017100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is of a little-endian machine")
def test_the_gateway_is_that_of_the_default_route(haproxy):
    assert haproxy.reach.default_gateway(ROUTES) == "203.0.113.1"
    assert haproxy.reach.default_gateway(ROUTES.replace("017100CB\t0003", "00000000\t0001")) == ""
    assert haproxy.reach.default_gateway("") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a raw socket")
def test_an_address_that_answers_a_ping(haproxy):
    assert haproxy.reach.answers_ping("127.0.0.1")
    begin = time.monotonic()
    assert not haproxy.reach.answers_ping("192.0.2.1")
    assert time.monotonic() - begin < 1.5


def test_what_is_reached_is_told_once_and_again_after_a_restart(haproxy, tmp_path, monkeypatch):
    told = tmp_path / "told"
    program = tmp_path / "attrd_updater"
    program.write_text(f'#!/bin/sh\necho "$*" >> {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    environ = {"HA_RSCTMP": str(tmp_path), "OCF_RESOURCE_INSTANCE": "haproxy"}
    env = haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "monitor")
    published = haproxy.reach.Published(env, env["reach_attribute"])
    for value in (2000, 2000, 1000, 1000):
        published.update(value)
    published.forget()
    published.update(1000)
    assert told.read_text().splitlines() == [
        f"--name haproxy_ha-reach --update-both {value} --delay 12s" for value in (2000, 1000, 1000)
    ]


def crm_mon(leaving="shutdown", other='role="Started"', address='role="Stopped"', address_on="", more=""):
    """crm_mon's XML on the node `one`, which is being vacated."""
    node = f'<node name="{address_on}"/>' if address_on else ""
    return f"""<pacemaker-result><nodes>
    <node name="one" online="true" {leaving}="true"/><node name="two" online="true"/></nodes><resources>
    <clone id="haproxy-clone"><resource id="haproxy" role="Stopping"><node name="one"/></resource>
    <resource id="haproxy" {other}><node name="two"/></resource></clone>
    <resource id="FloatIP" managed="true" {address} {more}>{node}</resource>
    </resources></pacemaker-result>"""


@pytest.fixture
def stopping(haproxy):
    """The environment of a stop of the instance on node `one`."""
    environ = {"OCF_RESOURCE_INSTANCE": "haproxy:0", "OCF_RESKEY_CRM_meta_timeout": "40000"}
    return haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "stop")


@pytest.mark.parametrize(
    ("view", "waits"),
    [
        (crm_mon(), True),
        (crm_mon("standby"), True),
        (crm_mon(other='role="Started" pending="Monitoring"'), True),
        (crm_mon(address='role="Starting"', address_on="two"), True),
        (crm_mon(address='role="Started"', address_on="one"), True),
        (crm_mon(address='role="Started"', address_on="two"), False),
        (crm_mon(address='role="Started" pending="Monitoring"', address_on="two"), False),
        (crm_mon(address='role="Started" failed="true"', address_on="two"), False),  # tried again after this stop
        (crm_mon("maintenance"), False),  # a restart in place
        (crm_mon(other='role="Stopped"'), False),  # nobody could have it
        (crm_mon(more='target_role="Stopped"'), False),
    ],
)
def test_haproxy_serves_while_the_address_has_yet_to_leave(haproxy, stopping, view, waits):
    assert haproxy.is_left_behind(stopping, "one", ElementTree.fromstring(view)) is waits


def test_a_cluster_that_does_not_answer_is_asked_again(haproxy, stopping, tmp_path, monkeypatch):
    answers = tmp_path / "answers"
    next_view = f"echo x >> {answers}; cat {answers}.$(wc -l < {answers})"
    for name, text in (("crm_node", "echo one"), ("crm_mon", next_view)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    for number, view in enumerate(["", "<cut", crm_mon(), crm_mon(address='role="Started"', address_on="two")], 2):
        (tmp_path / f"answers.{number}").write_text(view)
    monkeypatch.setattr(haproxy, "PATH", f"{tmp_path}:/usr/bin:/bin")
    haproxy.serve_until_moved(stopping)
    assert len(answers.read_text().split()) == 5  # no file, nothing, half, still here, moved


def test_a_cluster_that_never_answers_does_not_hold_up_a_stop(haproxy, stopping, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(haproxy, "PATH", str(tmp_path))
    monkeypatch.setattr(haproxy, "UNANSWERED", 0.3)
    haproxy.serve_until_moved(stopping)
    assert "the cluster cannot be asked, and clients may still be sent here: crm_node" in capsys.readouterr().err


def running(instance='role="Started" managed="true"', node="one"):
    """crm_mon's XML, with an instance that the cluster has on a node."""
    clone = f'<clone id="haproxy-clone"><resource id="haproxy" {instance}><node name="{node}"/></resource></clone>'
    return f"<pacemaker-result><resources>{clone}</resources></pacemaker-result>"


@pytest.mark.parametrize(
    ("result", "job", "clusters_own", "view", "again"),
    [
        ("success", "stop", False, running(), True),
        ("success", "stop", True, running(), False),
        ("success", "restart", False, running(), False),
        ("success", "", False, running(), False),  # it has ended by itself: systemd starts it again
        ("signal", "", False, running(), False),
        ("timeout", "stop", False, running(), False),
        ("success", "stop", False, running('role="Started" managed="false"'), False),
        ("success", "stop", False, running('role="Started" managed="true" pending="Monitoring"'), False),
        ("success", "stop", False, running('role="Stopped" managed="true"'), False),
        ("success", "stop", False, running(node="two"), False),
    ],
)
def test_what_somebody_stops_is_started_again_where_the_cluster_wants_it(
    haproxy, tmp_path, monkeypatch, result, job, clusters_own, view, again
):
    jobs = f"17 haproxy.service {job} running" if job else ""
    systemctl = f"[ $1 = list-jobs ] && echo '{jobs}' || echo $* > {tmp_path}/asked"
    for name, text in (("systemctl", systemctl), ("crm_node", "echo one"), ("crm_mon", f"echo '{view}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(haproxy, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SERVICE_RESULT", result)
    environ = {"OCF_RESOURCE_INSTANCE": "haproxy", "HA_RSCTMP": str(tmp_path)}
    if clusters_own:
        (tmp_path / "haproxy_ha-haproxy.stopping").touch()
    assert haproxy.agent.main(haproxy.DESCRIPTION, haproxy.HANDLERS, ["haproxy", "unit-stopped"], environ) == OK
    asked = (tmp_path / "asked").read_text() if (tmp_path / "asked").exists() else ""
    assert asked == ("start --no-block haproxy.service\n" if again else "")


@pytest.mark.parametrize(
    ("text", "binds"),
    [
        ("10.17.1.18:80", [("10.17.1.18", 80)]),
        (":80,*:443", [("127.0.0.1", 80), ("127.0.0.1", 443)]),
        ("0.0.0.0:8000-8010", [("127.0.0.1", 8000)]),
        (":::80", [("::1", 80)]),
        ("[2001:db8::1]:80", [("2001:db8::1", 80)]),
        ("ipv4@10.0.0.1:80", [("10.0.0.1", 80)]),
        ("ipv6@:80", [("::1", 80)]),
        ("/run/haproxy.sock", []),
        ("unix@/run/x.sock", []),
        ("abns@x", []),
        ("fd@3", []),
        ("quic4@:443", []),
        ("${ANCHOR}:80", []),
        ("10.0.0.1:${PORT}", []),
    ],
)
def test_bind_addresses(haproxy, text, binds):
    assert [(bind.address, bind.port) for bind in haproxy.addresses(text)] == binds


def test_configuration(haproxy):
    found = haproxy.parse_configuration("""
global
    stats socket ipv4@127.0.0.1:9999 level admin
    stats socket /run/haproxy/admin.sock mode 660
defaults
    mode http
frontend http # the site
    bind 10.17.1.18:80
    bind "10.17.1.18:443" ssl crt /etc/haproxy/certs/
    bind 10.17.1.18:81 accept-proxy
frontend off
    bind :90
    disabled
listen db
    mode tcp
    bind :3306
    bind :3306
backend app
    server a 10.0.0.1:80 check
defaults
frontend plain
    bind :70
""")
    assert found.stats_socket == "/run/haproxy/admin.sock"
    assert [tuple(bind) for bind in found.binds] == [
        ("10.17.1.18", 80, True, False),
        ("10.17.1.18", 443, False, False),
        ("10.17.1.18", 81, False, False),
        ("127.0.0.1", 3306, False, False),
        ("127.0.0.1", 70, False, False),
    ]


HAPROXY_CFG = """
global
    stats socket {directory}/admin.sock mode 600 level admin
    log 127.0.0.1:{log} local0
    maxconn {maxconn}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend http
    bind 127.0.0.1:{port} {bind}
    {limit}
    default_backend app_pool
frontend tcp
    mode tcp
    bind 127.0.0.1:{tcp}
    default_backend app_pool_tcp
backend app_pool
    server app-1 127.0.0.1:{app} {check}
backend app_pool_tcp
    mode tcp
    server app-1 127.0.0.1:{app}
"""


class HAProxy:
    """A real HAProxy, with a socket that takes its log and an app server that counts requests."""

    def __init__(self, module, directory):
        self.module, self.directory = module, directory
        self.config = directory / "haproxy.cfg"
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.app = socket.create_server(("127.0.0.1", 0))
        self.app.settimeout(0.2)
        self.log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.log.bind(("127.0.0.1", 0))
        self.log.settimeout(0.2)
        self.ports = [entry.getsockname()[1] for entry in (*self.sockets, self.app)]
        self.process = None

    def write(self, maxconn=100, check="", bind="", limit=""):
        self.config.write_text(
            HAPROXY_CFG.format(
                directory=self.directory,
                log=self.log.getsockname()[1],
                port=self.ports[0],
                tcp=self.ports[1],
                app=self.ports[2],
                maxconn=maxconn,
                check=check,
                bind=bind,
                limit=limit,
            )  # fmt: skip
        )

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.run()

    def start(self, **options):
        self.write(**options)
        for entry in self.sockets:
            entry.close()
        self.run()

    def run(self):
        self.process = subprocess.Popen(["haproxy", "-f", self.config, "-db"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while self.judge(timeout="200ms").code == GENERIC:
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.02)

    def judge(self, timeout="1s"):
        environ = {
            "OCF_RESKEY_config": str(self.config), "OCF_RESKEY_answer_timeout": timeout,
            "OCF_RESKEY_CRM_meta_timeout": "10000",
        }  # fmt: skip
        agent = self.module.agent
        return self.module.judge(agent.Environment(self.module.DESCRIPTION, environ, "monitor"))

    def until(self, code, **options):
        """The first verdict with this code."""
        deadline = time.monotonic() + 5
        while (verdict := self.judge(**options)).code != code:
            assert time.monotonic() < deadline, verdict
            time.sleep(0.02)
        return verdict

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        for entry in (*self.sockets, self.app, self.log):
            entry.close()


@pytest.fixture
def server(haproxy, tmp_path):
    server = HAProxy(haproxy, tmp_path)
    yield server
    server.close()


@needs_haproxy
def test_judge_a_healthy_haproxy_and_leave_no_trace_of_the_question(server):
    server.start()
    while True:  # what the start itself logged
        try:
            server.log.recv(4096)
        except TimeoutError:
            break
    for _ in range(3):
        assert server.judge() == (OK, "")
    with pytest.raises(TimeoutError):
        server.log.recv(4096)
    with pytest.raises(TimeoutError):
        server.app.accept()
    rows = server.module.ask_socket(f"{server.directory}/admin.sock", "show stat", time.monotonic() + 2).splitlines()
    columns = rows[0].split(",")
    http = next(row.split(",") for row in rows if row.startswith("http,FRONTEND"))
    assert (http[columns.index("ereq")], http[columns.index("req_tot")]) == ("0", "0")


@needs_haproxy
def test_judge_a_stopped_process(server):
    server.start()
    server.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    verdict = server.judge(timeout="300ms")
    assert (verdict.code, "does not answer" in verdict.reason) == (GENERIC, True)
    assert time.monotonic() - begin < 1
    assert server.module.frozen([server.process.pid]) == [server.process.pid]
    server.process.send_signal(signal.SIGCONT)
    assert server.judge().code == OK


@needs_haproxy
def test_judge_backends_without_a_server(server):
    server.app.close()
    server.start(check="check inter 100ms fall 1")
    deadline = time.monotonic() + 5
    while server.judge() != (DEGRADED, "no server is up in app_pool"):
        assert time.monotonic() < deadline, server.judge()
        time.sleep(0.05)


@needs_haproxy
def test_judge_a_frontend_that_is_paused_by_its_own_limit(server):
    server.start(limit="maxconn 4")
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(6)]
    verdict = server.until(DEGRADED, timeout="300ms")
    assert verdict.reason == "frontend http is at its limit of 4 connections"
    for connection in crowd:
        connection.close()


@needs_haproxy
def test_judge_a_listener_that_is_paused_by_a_limit_that_no_statistics_show(server):
    server.start(bind="maxconn 2")
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(4)]
    verdict = server.until(DEGRADED, timeout="300ms")
    assert verdict.reason == f"127.0.0.1:{server.ports[0]} accepts nobody now"
    for connection in crowd:
        connection.close()


@pytest.mark.parametrize("only_tcp", [False, True])
@needs_haproxy
def test_judge_a_busy_stats_socket(server, only_tcp):
    server.start()
    path = f"{server.directory}/admin.sock"
    if only_tcp:
        server.config.write_text(server.config.read_text().replace("mode http", "mode tcp"))
    with contextlib.ExitStack() as crowd:
        for _ in range(12):  # 10 are all that HAProxy serves at a time
            crowd.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        verdict = server.judge(timeout="300ms")
        assert verdict == (DEGRADED, f"{path}: does not answer, so the servers' states are not known")
        server.process.send_signal(signal.SIGSTOP)
        assert server.judge(timeout="300ms") == (GENERIC, f"HAProxy does not answer on {path}")
        server.process.send_signal(signal.SIGCONT)
    assert server.until(OK).reason == ""


@needs_haproxy
def test_judge_a_full_haproxy(server):
    server.start(maxconn=10)
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(12)]
    assert server.until(DEGRADED, timeout="300ms").reason == "HAProxy is at its limit of 10 connections"
    for connection in crowd:
        connection.close()


@needs_haproxy
@pytest.mark.parametrize("kept", [True, False], ids=["beside another listener", "in place of all listeners"])
def test_judge_a_configuration_that_is_not_loaded_yet(server, kept):
    server.start()
    text = server.config.read_text().replace("frontend tcp", "    bind 127.0.0.1:1\nfrontend tcp")
    stats = f"global\n stats socket {server.directory}/admin.sock\n"
    alone = f"{stats}defaults\n mode http\nfrontend http\n bind 127.0.0.1:1\n"
    server.config.write_text(text if kept else alone)
    verdict = server.judge()
    assert (verdict.code, "not loaded yet" in verdict.reason) == (DEGRADED, True)
    old = time.time() - 3600
    os.utime(server.config, (old, old))
    assert server.judge() == (GENERIC, "nothing listens on 127.0.0.1:1")


@needs_haproxy
def test_judge_a_listener_that_is_gone_from_the_configuration_by_now(server, monkeypatch):
    """A reload comes in between what a monitor reads and what it asks."""
    server.start()
    whole = server.config.read_text()
    old = time.time() - 3600
    texts = iter([whole.replace("frontend tcp", "    bind 127.0.0.1:1\nfrontend tcp")])
    read = server.module.agent.read_file
    monkeypatch.setattr(
        server.module.agent, "read_file",
        lambda path: next(texts, whole) if path == str(server.config) else read(path),
    )  # fmt: skip
    os.utime(server.config, (old, old))
    assert server.judge() == (OK, "")


@needs_haproxy
@pytest.mark.parametrize(("address", "bind"), [("192.0.2.7", "192.0.2.7:8099"), ("2001:db8::7", "[2001:db8::7]:8099")])
def test_judge_a_listener_on_an_address_that_is_elsewhere_now(server, address, bind):
    """A virtual IP, which the standby binds too: nobody must be asked who only has it now."""
    server.start()
    text = server.config.read_text()
    server.config.write_text(text.replace("frontend tcp", f"    bind {bind} transparent\nfrontend tcp"))
    old = time.time() - 3600
    os.utime(server.config, (old, old))
    assert server.judge() == (GENERIC, f"nothing listens on {bind}")
    server.restart()
    assert server.judge() == (OK, "")
    assert not server.module.is_local(address)
    assert server.module.is_local("127.0.0.1")


@needs_haproxy
def test_judge_an_address_that_has_left_this_machine(server):
    """HAProxy keeps the socket, so that only who asks for the address notices."""
    with addresses("192.0.2.8"):
        server.start(bind="\n    bind 192.0.2.8:8098")
        assert server.judge() == (OK, "")
    assert server.judge() == (GENERIC, "this machine has no longer the address of 192.0.2.8:8098")


@needs_haproxy
def test_judge_without_a_stats_socket(server):
    server.start()
    (server.directory / "admin.sock").unlink()
    verdict = server.judge()
    assert (verdict.code, "servers' states are not known" in verdict.reason) == (DEGRADED, True)


def test_judge_nobody(server):
    server.write()
    for entry in server.sockets:
        entry.close()
    verdict = server.judge()
    assert (verdict.code, verdict.reason.startswith("nothing listens on 127.0.0.1:")) == (GENERIC, True)


SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {directory}/asked
[ "$1" = show ] || exit 0
state=$(head -n 1 {directory}/states)
[ "$(wc -l < {directory}/states)" = 1 ] || sed -i 1d {directory}/states
printf 'LoadState=loaded\\nResult=success\\nControlGroup=\\nActiveState=%s\\nJob=%s\\n' ${{state%:*}} ${{state#*:}}
"""


class Unit:
    """A real HAProxy, of which a stand-in for systemd tells what it is told to: `state:job`, one after the other."""

    def __init__(self, server, monkeypatch):
        self.server, self.module, self.monkeypatch = server, server.module, monkeypatch
        self.programs = server.directory / "programs"
        self.programs.mkdir()
        script = self.programs / "systemctl"
        script.write_text(SYSTEMCTL.format(directory=server.directory))
        script.chmod(0o755)
        monkeypatch.setattr(server.module, "PATH", f"{self.programs}:/usr/sbin:/usr/bin:/sbin:/bin")
        monkeypatch.setattr(server.module, "RUNTIME_UNITS", str(server.directory / "units"))

    def states(self, *states):
        (self.server.directory / "states").write_text("\n".join(states) + "\n")

    @property
    def asked(self):
        """What systemd was asked to do."""
        asked = self.server.directory / "asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        return [line for line in lines if not line.startswith("show ")]

    def __call__(self, action, interval=5, **parameters):
        environ = {
            "OCF_RESKEY_config": str(self.server.config), "OCF_RESKEY_CRM_meta_timeout": "20000",
            "OCF_RESKEY_CRM_meta_interval": str(interval * 1000), "OCF_RESKEY_gateway": "none",
            "OCF_RESKEY_binary": shutil.which("haproxy"), "HA_RSCTMP": str(self.server.directory),
            "OCF_RESOURCE_INSTANCE": "haproxy",
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }  # fmt: skip
        return self.module.agent.main(self.module.DESCRIPTION, self.module.HANDLERS, ["haproxy", action], environ)

    @contextlib.contextmanager
    def away(self):
        """HAProxy is gone, and back before a second look, which comes later here: a busy machine starts it slowly."""
        self.monkeypatch.setattr(self.module, "MOMENT", 2.0)
        self.server.process.kill()
        self.server.process.wait()
        back = threading.Timer(0.1, self.server.run)
        back.start()
        yield
        back.join()


@pytest.fixture
def unit(server, monkeypatch):
    server.start()
    unit = Unit(server, monkeypatch)
    unit.states("active:")
    return unit


@needs_haproxy
@pytest.mark.parametrize("interval", [0, 5])
def test_a_monitor_that_meets_the_moment_without_a_listener_looks_again(unit, interval):
    with unit.away():
        assert unit("monitor", interval) == OK


@needs_haproxy
def test_a_monitor_in_the_middle_of_a_restart_waits_for_it(unit):
    """Between the stop and the start of a restart, systemd calls the unit inactive, with a job that waits."""
    unit.states("inactive:17", "inactive:17", "activating:17", "active:")
    assert unit("monitor") == OK
    unit.states("inactive:")
    assert unit("monitor") == NOT_RUNNING


@needs_haproxy
def test_a_haproxy_that_is_gone_is_found_soon(unit, capfd):
    unit.server.process.kill()
    unit.server.process.wait()
    begin = time.monotonic()
    assert unit("monitor") == GENERIC
    assert time.monotonic() - begin < 2
    assert "nothing listens on" in capfd.readouterr().err


@needs_haproxy
@pytest.mark.parametrize("states", [
    ["activating:17", "active:"], ["inactive:17", "active:"], ["deactivating:17", "activating:18", "active:"],
    ["inactive:", "active:"],  # somebody starts it at this very moment
])  # fmt: skip
def test_a_start_that_meets_another_start_adopts_what_it_started(unit, states):
    unit.states(*states)
    assert unit("start") == OK
    assert f"start {unit.module.UNIT}" not in unit.asked


@needs_haproxy
@pytest.mark.parametrize(("missing", "code", "reason"), [
    ({"binary": "/nonexistent/haproxy"}, INSTALLED, "/nonexistent/haproxy: is missing"),
    ({"config": "/nonexistent/haproxy.cfg"}, INSTALLED, "/nonexistent/haproxy.cfg: is missing"),
    ({"config": "haproxy.cfg"}, CONFIGURED, "config: found 'haproxy.cfg', allowed: an absolute path"),
    ({"unit": "haproxy"}, CONFIGURED, "unit: found 'haproxy', allowed: the name of a .service unit"),
    ({"gateway": "here"}, CONFIGURED, "gateway: found 'here', allowed: auto, none or an IPv4 address"),
    ({"answer_timeout": "soon"}, CONFIGURED, "answer_timeout: found 'soon', allowed: seconds, such as 10 or 10s"),
])  # fmt: skip
def test_what_a_start_lacks_is_told_in_one_line(unit, capfd, missing, code, reason):
    unit.states("inactive:")
    assert unit("start", **missing) == code
    assert capfd.readouterr().err == f"ocf-exit-reason:{reason}\n"
    assert f"start {unit.module.UNIT}" not in unit.asked


@needs_haproxy
def test_a_directory_that_cannot_be_written_is_told_at_a_start_and_stops_nothing_later(unit, capfd):
    (unit.server.directory / "units").write_text("a file where a directory must be")
    assert unit("monitor") == OK
    assert unit("start") == GENERIC
    assert f"ocf-exit-reason:cannot write {unit.server.directory}/units/" in capfd.readouterr().err


@needs_haproxy
def test_a_start_that_meets_a_reload_looks_again(unit):
    with unit.away():
        assert unit("start") == OK


@needs_haproxy
def test_a_stop_that_meets_a_reload_kills_nothing_and_waits_for_the_address(unit, monkeypatch):
    unit.states("active:", "inactive:")
    waited = []
    monkeypatch.setattr(unit.module, "serve_until_moved", waited.append)
    with unit.away():
        assert unit("stop") == OK
    assert len(waited) == 1
    assert not [line for line in unit.asked if line.startswith("kill ")]


@needs_haproxy
def test_a_stop_that_meets_a_restart_takes_its_start_back(unit):
    unit.states("inactive:17", "inactive:")
    assert unit("stop") == OK
    assert " ".join((*unit.module.STOP, unit.module.UNIT)) in unit.asked


@needs_haproxy
def test_judge_a_configuration_that_is_not_loaded_yet_with_an_address_that_is_not_there(server):
    """As before a reload that HAProxy will refuse: what serves has nothing to do with it."""
    server.start()
    text = server.config.read_text()
    server.config.write_text(text.replace("frontend tcp", "    bind 192.0.2.8:8098\nfrontend tcp"))
    verdict = server.judge()
    assert (verdict.code, "not loaded yet" in verdict.reason) == (DEGRADED, True)


@needs_haproxy
def test_judge_a_listener_that_is_gone_from_a_configuration_that_was_loaded_in_the_second_of_its_writing(server):
    deadline = time.monotonic() + 5
    while time.time() % 1 > 0.2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.write()
    for entry in server.sockets:
        entry.close()
    time.sleep(0.05)  # a process's start is known to 10 ms
    server.run()
    server.module.ask_socket(f"{server.directory}/admin.sock", "disable frontend http", time.monotonic() + 2)
    assert server.judge() == (GENERIC, f"nothing listens on 127.0.0.1:{server.ports[0]}")


def test_an_answer_that_ends_early_is_none(haproxy, tmp_path):
    """HAProxy dies, or a reload ends the old worker, in the middle of its statistics."""
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            connection.recv(100)
            connection.sendall(b"# pxname,svname,status\nhttp,FRONT")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError):
            haproxy.ask_socket(path, "show stat", time.monotonic() + 2)
        thread.join()


def test_the_holder_of_a_port_is_named(haproxy):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert haproxy.holder(port).endswith(f"(process {os.getpid()})")


@needs_haproxy
def test_a_refused_configuration_is_refused_in_haproxy_s_words(haproxy, tmp_path):
    config = tmp_path / "haproxy.cfg"
    config.write_text("frontend x\n    bnd :80\n")
    environ = {"OCF_RESKEY_config": str(config), "OCF_RESKEY_binary": shutil.which("haproxy")}
    env = haproxy.agent.Environment(haproxy.DESCRIPTION, environ, "start")
    with pytest.raises(haproxy.agent.Failure) as failure:
        haproxy.check_configuration(env)
    assert failure.value.code == ARGS
    assert "unknown keyword 'bnd'" in failure.value.reason
