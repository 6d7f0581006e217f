"""The agents `floatip` and `hetznerip` as Pacemaker runs them, against the simulator: the life of the address, and what
goes wrong."""

import os
import re
import resource
import subprocess
import time
from pathlib import Path

import pytest

from support.floatip import CONFIGURED, DEGRADED, GENERIC, INSTALLED, NOT_RUNNING, OK, PERM, FloatIP
from support.simulated_cloud import ADDRESS, PRIMARY, SECONDARY, TOKEN, simulator

# What is IPv6's own, test_floatip_ipv6.py has.
IPV6 = pytest.param("digitalocean-ipv6", marks=pytest.mark.slow)
each_provider = pytest.mark.parametrize("provider", ["digitalocean", IPV6, "hetzner"], indirect=True)
of_digitalocean = pytest.mark.parametrize("provider", ["digitalocean", IPV6], indirect=True)
of_hetzner = pytest.mark.parametrize("provider", ["hetzner"], indirect=True)


def stopped(agent):
    """What is left after a stop. Here no cluster says that no takeover is left: HAProxy's monitor ends this node's."""
    return sorted([*agent.remembered, *agent.staying, "haproxy_ha-undone-haproxy_ha-takeover"])


# The life of a resource


@each_provider
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
    assert floatip.state == stopped(floatip)


@each_provider
def test_a_start_where_the_address_is_already_writes_nothing(floatip, cloud):
    assert floatip("start").code == OK
    assert cloud.counts()["writes"] == 0


@each_provider
def test_a_start_with_an_instant_api_takes_few_calls(floatip, cloud):
    cloud.assign(SECONDARY)
    assert floatip("start").code == OK
    assert cloud.counts()["calls"] == floatip.calls


@each_provider
def test_start_waits_for_the_owner(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=1.5)
    run = floatip("start")
    assert (run.code, cloud.owner()) == (OK, PRIMARY)
    assert run.seconds >= 1.5
    assert cloud.counts()["calls"] < 6 + 6 * floatip.look_calls


@each_provider
def test_a_monitor_asks_the_metadata_and_rarely_the_api(holding, cloud):
    calls = cloud.counts()["calls"]
    for _ in range(3):
        assert holding.monitor().code == OK
    assert cloud.counts()["calls"] == calls
    assert holding.monitor(api_check_interval="0s").code == OK
    assert cloud.counts()["calls"] == calls + 1


@each_provider
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


# What the API may do while the address is assigned. (faults, tokens, code, reason, owner afterwards)

REFUSED = {"kind": "status", "method": "POST", "status": 422, "id": "unprocessable_entity"}


@each_provider
@pytest.mark.parametrize(
    ("faults", "code", "reason", "owner"),
    [
        pytest.param([{"kind": "status", "status": 401, "id": "unauthorized", "message": "Unable to authenticate"}],
                     GENERIC, "refuses the token: HTTP 401, unauthorized: Unable to authenticate", SECONDARY, id="401"),
        pytest.param([{"kind": "status", "status": 403, "id": "forbidden", "method": "POST"}],
                     GENERIC, "refuses the token: HTTP 403, forbidden", SECONDARY, id="403"),
        pytest.param([{"kind": "status", "status": 404, "id": "not_found"}],
                     GENERIC, f"ADDRESS, MACHINE {PRIMARY}: .* HTTP 404, not_found", SECONDARY, id="404"),
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
        pytest.param([{"kind": "stuck"}], GENERIC, f"ADDRESS is being assigned to MACHINE {PRIMARY}; no time is left",
                     SECONDARY, id="stuck"),
        pytest.param([{"kind": "errored", "times": 1}], OK, "", PRIMARY, id="errored once"),
        pytest.param([{"kind": "errored"}], GENERIC, "accepted and had no effect", SECONDARY, id="errored"),
        pytest.param([{"kind": "done"}], OK, "", PRIMARY, id="done"),
        pytest.param([{"kind": "action_404"}], OK, "", PRIMARY, id="the action answers 404"),
        pytest.param([{"kind": "unchanged"}], GENERIC, "no time is left", SECONDARY, id="accepted, owner unchanged"),
    ],
)  # fmt: skip
def test_start_and_the_api(floatip, cloud, faults, code, reason, owner):
    cloud.assign(SECONDARY)
    for fault in faults:
        cloud.fault(**fault)
    run = floatip("start", timeout=5)
    reason = reason.replace("MACHINE", floatip.machine).replace("ADDRESS", floatip.parameters["address"])
    assert (run.code, cloud.owner()) == (code, owner), run.output
    assert re.search(reason, run.reason), run.reason
    assert bool(run.reason) is (code != OK)
    assert run.seconds < 5
    assert ("haproxy_ha-floatip-FloatIP" in floatip.state) is (code == OK)
    assert cloud.counts()["calls"] < 40


@of_digitalocean
def test_start_and_an_owner_that_is_left_out(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.fault("owner_absent")
    assert (floatip("start", timeout=5).code, cloud.owner()) == (OK, PRIMARY)


@of_digitalocean
def test_start_with_a_token_that_sees_no_droplets(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.tokens({"token": TOKEN, "scopes": ["reserved_ip:read", "reserved_ip:update"]})
    assert (floatip("start").code, cloud.owner()) == (OK, PRIMARY)
    assert floatip.monitor(api_check_interval="0").code == OK
    cloud.assign(SECONDARY)
    assert floatip.monitor().code == NOT_RUNNING


@each_provider
@pytest.mark.parametrize(
    ("parameters", "code", "reason"),
    [
        ({"api_url": "https://127.0.0.1:1"}, GENERIC, "Connection refused"),
        ({"api_url": "https://api.invalid"}, GENERIC, "api.invalid: .*; no time is left"),
        ({"ca_file": ""}, GENERIC, "CERTIFICATE_VERIFY_FAILED"),
        ({"ca_file": "/nonexistent"}, INSTALLED, "ca_file /nonexistent"),
        ({"metadata_url": "http://127.0.0.1:1"}, GENERIC, "this MACHINE's id is unknown: http://127.0.0.1:1: "),
        ({"address": "203.0.113.99"}, GENERIC, "203.0.113.99, MACHINE 1001: "),
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
    assert re.search(reason.replace("MACHINE", floatip.machine), run.reason), run.reason


@each_provider
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


@each_provider
def test_an_unwritable_state_directory_is_told_before_the_address_moves(floatip, cloud):
    cloud.assign(SECONDARY)
    (floatip.directory / "state").write_text("a file where a directory must be")
    run = floatip("start")
    assert (run.code, cloud.owner()) == (GENERIC, SECONDARY)
    assert "cannot write" in run.reason


@each_provider
def test_a_full_state_directory_is_told_before_the_address_moves(floatip, cloud):
    """Of a full tmpfs one gets an empty file."""
    cloud.assign(SECONDARY)
    state = floatip.directory / "state"
    state.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", state], capture_output=True).returncode:
        pytest.skip("needs to mount")
    try:
        (state / "full").write_bytes(bytes(4096))
        assert (floatip("start").code, cloud.owner()) == (GENERIC, SECONDARY)
    finally:
        subprocess.run(["umount", state], check=True)


# What happens while it holds the address


@each_provider
@pytest.mark.parametrize("owner", [SECONDARY, 1003, None])
def test_an_address_that_moved_is_not_running(holding, cloud, owner):
    cloud.assign(owner)
    run = holding.look()
    assert run.code == NOT_RUNNING
    assert f"held by {f'{holding.machine} {owner}' if owner else f'no {holding.machine}'}" in run.reason
    assert holding.monitor().code == NOT_RUNNING


API_AWAY = [
    {"kind": "status", "status": 401}, {"kind": "status", "status": 403}, {"kind": "status", "status": 404},
    {"kind": "status", "status": 429}, {"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "hang"},
    {"kind": "reset"}, {"kind": "truncated"}, {"kind": "invalid_json"},
]  # fmt: skip


@each_provider
@pytest.mark.parametrize("fault", API_AWAY, ids=lambda fault: str(fault.get("status", fault["kind"])))
@pytest.mark.parametrize("metadata", ["agrees", "silent", "disagrees"])
def test_an_api_that_says_nothing_stops_no_serving_address(holding, cloud, provider, fault, metadata):
    cloud.fault(**fault)
    if metadata == "silent":
        cloud.fault("status", service="metadata")
    if metadata == "disagrees":
        cloud.fault("stale", active=False)
    run = holding.monitor(timeout=5, api_check_interval="0s")
    assert run.code == DEGRADED
    is_near = metadata == "agrees" or provider == "hetzner"
    assert ("the API cannot confirm that it is here" if is_near else "still here is unknown") in run.reason
    assert run.seconds < 4
    cloud.clear()
    assert holding.monitor().code == OK


@of_digitalocean
def test_metadata_that_is_stale_is_outvoted_by_the_api(holding, cloud):
    cloud.fault("stale", active=False)
    assert holding.monitor().code == OK
    cloud.clear()
    cloud.fault("stale", active=True)
    cloud.assign(SECONDARY)
    assert holding.monitor().code == OK  # both say what they say until the API is asked
    assert holding.monitor(api_check_interval="0s").code == NOT_RUNNING


@each_provider
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


@each_provider
def test_a_rotated_token_needs_no_restart(holding, cloud):
    cloud.tokens("dop_v1_new")
    holding.token_file.write_text("dop_v1_new\n")
    assert holding("reload-agent").code == OK
    assert holding.monitor(api_check_interval="0s").code == OK


@each_provider
def test_a_probe_that_cannot_tell_does_not_claim_the_address(holding, cloud):
    cloud.fault("status")
    assert holding("monitor", api_check_interval="0s").code == DEGRADED
    holding.out_of_sight(cloud)
    assert holding("monitor").code == NOT_RUNNING


@each_provider
def test_stop_needs_nobody(holding, cloud):
    holding.token_file.unlink()
    run = holding("stop", api_url="nonsense", metadata_url="nonsense", address="nonsense")
    assert run.code == OK
    assert run.seconds < 1


@each_provider
def test_a_hanging_metadata_service_is_bounded(holding, cloud):
    cloud.fault("hang", service="metadata")
    run = holding.monitor(timeout=10)
    assert run.code == OK  # the API tells
    assert run.seconds < 4


# Another address, and answers in disorder

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


def test_another_address_comes_by_a_reload(renumbered):
    """No stop before it, after which the cluster could start the resource on another node."""
    assert renumbered("start", timeout=60, address=FORMER).code == OK
    run = renumbered("reload-agent", replaces=FORMER)
    assert (run.code, renumbered.cloud.state()["owners"]) == (OK, {FORMER: None, ADDRESS: PRIMARY}), run.output
    assert renumbered.monitor(replaces=FORMER).code == OK
    writes = renumbered.cloud.counts()["writes"]
    assert renumbered("reload-agent", replaces=FORMER).code == OK
    assert renumbered.cloud.counts()["writes"] == writes


def test_another_address_that_cannot_come_is_a_failed_reload(renumbered):
    assert renumbered("start", timeout=60, address=FORMER).code == OK
    run = renumbered("reload-agent")
    assert (run.code, f"droplet {PRIMARY} holds {FORMER}" in run.reason) == (GENERIC, True)
    assert renumbered.monitor().code == NOT_RUNNING
    assert (renumbered("stop").code, renumbered.state) == (OK, stopped(renumbered))
    assert renumbered.cloud.state()["owners"] == {FORMER: PRIMARY, ADDRESS: None}


def test_a_reload_where_the_resource_is_not_started_takes_nothing(renumbered):
    assert renumbered("reload-agent", replaces=FORMER).code == OK
    assert renumbered.cloud.counts()["writes"] == 0


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


@each_provider
@pytest.mark.parametrize("service", ["api", "metadata"])
@pytest.mark.parametrize("case", DISORDER)
def test_disorder_stops_no_serving_address(holding, cloud, case, service):
    cloud.fault(service=service, **DISORDER[case])
    run = holding.monitor(api_check_interval="0s")
    assert run.code == (DEGRADED if service == "api" else OK), run.output
    assert len(run.reason) < 300
    assert holding("stop").code == OK


@each_provider
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


@each_provider
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


@each_provider
def test_a_token_file_of_another_user_is_refused(floatip, cloud):
    cloud.assign(SECONDARY)
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(floatip.token_file, 12345, -1)
    run = floatip("start")
    assert (run.code, "belongs to the user 12345" in run.reason) == (PERM, True)


@each_provider
def test_a_token_file_that_is_a_pipe_is_not_waited_for(floatip, cloud):
    cloud.assign(SECONDARY)
    floatip.token_file.unlink()
    os.mkfifo(floatip.token_file, 0o600)
    run = floatip("start")
    assert (run.code, "is empty" in run.reason, run.seconds < 3) == (INSTALLED, True, True)


# Secrets


@each_provider
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
