"""The agent `hetznerip`, where Hetzner's ways are others than DigitalOcean's: the interface, and who is asked."""

import http.server
import threading

import pytest

from lab.simulator import control
from support import cmap
from support.floatip import AGENTS, CONFIGURED, DEGRADED, GENERIC, NOT_RUNNING, OK
from support.place import in_container, requires_tools
from support.simulated_cloud import ADDRESS, PRIMARY, SECONDARY, TOKEN, simulator

pytestmark = [
    pytest.mark.parametrize("provider", ["hetzner"], indirect=True),
    requires_tools("ip"),
    pytest.mark.skipif(not in_container(), reason="its agent changes an interface"),
]

FORMER, OF_SIX = "203.0.113.11", "2001:db8:99::7"


def test_the_address_is_on_the_interface_while_it_is_here(floatip, cloud):
    cloud.assign(SECONDARY)
    assert (floatip("monitor").code, floatip.is_on_interface()) == (NOT_RUNNING, False)
    assert (floatip("start").code, floatip.is_on_interface()) == (OK, True)
    assert (floatip("stop").code, floatip.is_on_interface()) == (OK, True)  # test_leaving.py


def test_it_is_there_before_it_comes(floatip, cloud):
    """Whoever is sent here the moment the action takes effect is served."""
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=1.5)
    process = floatip.start_process("start")
    while not cloud.counts()["writes"]:
        assert process.poll() is None
    assert (floatip.is_on_interface(), cloud.owner()) == (True, SECONDARY)
    assert process.wait(20) == OK


def test_one_that_was_taken_off_is_put_there_again(holding, cloud):
    holding.take_off()
    calls = cloud.counts()["calls"]
    run = holding.monitor()
    assert (run.code, holding.is_on_interface()) == (OK, True)
    assert "is on no interface any more, and is put there again" in run.output
    assert cloud.counts()["calls"] == calls


def test_one_that_cannot_be_put_there_is_told_before_it_moves(floatip, cloud):
    cloud.assign(SECONDARY)
    run = floatip("start", interface="eth7")
    assert (run.code, cloud.owner()) == (5, SECONDARY)
    assert run.reason == "interface: this machine has no 'eth7'"


def test_one_that_moved_is_taken_off(holding, cloud):
    cloud.assign(SECONDARY)
    assert (holding.monitor().code, holding.is_on_interface()) == (OK, True)  # until the API is asked
    run = holding.monitor(api_check_interval="0")
    assert (run.code, holding.is_on_interface()) == (NOT_RUNNING, False)
    assert f"held by server {SECONDARY}, not by this one ({PRIMARY})" in run.reason


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "status", "status": 503}, {"kind": "reset"}])
def test_an_api_that_is_silent_takes_nothing_off(holding, cloud, fault):
    cloud.fault(**fault)
    assert (holding.monitor(api_check_interval="0", timeout=5).code, holding.is_on_interface()) == (DEGRADED, True)
    assert (holding("stop").code, holding.is_on_interface()) == (OK, True)


def test_another_address_by_a_reload_leaves_nothing_of_the_former(installed, provider, tmp_path):
    with simulator(tmp_path, cloud=provider, reserved_ips=[{"ip": FORMER}, {"ip": ADDRESS}]) as cloud:
        agent = AGENTS[provider](installed, cloud, tmp_path)
        try:
            assert (agent("start", address=FORMER).code, agent.is_on_interface(FORMER)) == (OK, True)
            assert agent("reload-agent").code == OK
            assert (agent.is_on_interface(FORMER), agent.is_on_interface()) == (False, True)
            assert cloud.state()["owners"] == {FORMER: PRIMARY, ADDRESS: PRIMARY}
        finally:
            agent.take_off(FORMER)
            agent.close()


def test_an_address_of_a_floating_ipv6(installed, provider, tmp_path):
    network = "2001:db8:99::/64"
    with simulator(tmp_path, cloud=provider, reserved_ips=[{"ip": network, "droplet_id": SECONDARY}]) as cloud:
        agent = AGENTS[provider](installed, cloud, tmp_path)
        agent.parameters["address"] = OF_SIX
        try:
            assert (agent("start").code, agent.is_on_interface()) == (OK, True)
            assert cloud.state()["owners"] == {network: PRIMARY}
            assert (agent.monitor(api_check_interval="0").code, agent("monitor").code) == (OK, OK)
            cloud.fault("status")
            assert agent.monitor(api_check_interval="0").code == DEGRADED
            assert (agent("stop").code, agent.is_on_interface()) == (OK, True)
        finally:
            agent.close()


def test_one_of_many_is_found_by_its_address(installed, provider, tmp_path):
    """The API gives them in pages, and cannot be asked for an address."""
    many = [{"ip": f"198.51.100.{number}"} for number in range(1, 121)]
    with simulator(tmp_path, cloud=provider, reserved_ips=[*many, {"ip": ADDRESS}]) as cloud:
        agent = AGENTS[provider](installed, cloud, tmp_path)
        assert (agent("start").code, cloud.owner()) == (OK, PRIMARY)
        assert cloud.counts()["calls"] == 6  # three pages, and from there one
        assert agent.monitor(api_check_interval="0").code == OK
        assert cloud.counts()["calls"] == 7
        agent.close()


def test_a_read_only_token_cannot_take_it(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.tokens({"token": TOKEN, "scopes": ["read"]})
    run = floatip("start")
    assert (run.code, cloud.owner()) == (GENERIC, SECONDARY)
    assert "HTTP 403, token_readonly" in run.reason
    assert run.seconds < 5


@pytest.mark.parametrize(("fault", "code", "reason"), [
    ({"kind": "owner_absent"}, GENERIC, "holds a floating IP without an id, an address or a server"),
    ({"kind": "status", "method": "POST", "status": 409, "id": "conflict", "times": 1}, OK, ""),
    ({"kind": "status", "method": "POST", "status": 423, "id": "locked", "times": 1}, OK, ""),
    ({"kind": "status", "method": "POST", "status": 422, "id": "floating_ip_assigned", "times": 1}, OK, ""),
    ({"kind": "status", "status": 429, "id": "rate_limit_exceeded", "headers": {"ratelimit-reset": "9999999999"},
      "times": 2}, OK, ""),
    ({"kind": "errored"}, GENERIC, "accepted and had no effect: Action failed; no time is left"),
])  # fmt: skip
def test_start_and_hetzners_own_answers(floatip, cloud, fault, code, reason):
    cloud.assign(SECONDARY)
    cloud.fault(**fault)
    run = floatip("start", timeout=5)
    assert (run.code, reason in run.reason) == (code, True), run.output
    assert cloud.owner() == (PRIMARY if code == OK else SECONDARY)


def test_an_action_that_stays_under_way_is_not_waited_for_for_ever(floatip, cloud):
    """The address is here, and the action says that it still runs."""
    floatip.knows(4711)
    cloud.assign(SECONDARY)
    cloud.fault("stuck")
    process = floatip.start_process("start", timeout=60)
    while not cloud.counts()["writes"]:
        assert process.poll() is None
    cloud.assign(PRIMARY)
    assert process.wait(60) == OK


@pytest.mark.parametrize(("address", "code"), [("203.0.113", CONFIGURED), ("2001:db8::/64", CONFIGURED)])
def test_what_is_no_address(floatip, address, code):
    run = floatip("start", address=address)
    assert run.code == code
    assert run.reason == f"address: found {address!r}, allowed: an IPv4 address, or one of a floating IPv6"


def test_whoever_stands_by_does_not_answer_itself(floatip, cloud):
    """An address that is left on an interface, as of the system's own configuration, would look served for ever."""
    cloud.assign(SECONDARY)
    with http.server.HTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler) as here:
        threading.Thread(target=here.serve_forever, daemon=True).start()
        program = floatip.programs / "corosync-cmapctl"
        program.write_text(cmap.stand_in({"here": "member", "there": "lost"}))
        program.chmod(0o755)
        floatip.put_on()
        run = floatip("start", port=here.server_address[1])
        here.shutdown()
    assert (run.code, cloud.owner()) == (OK, PRIMARY), run.output


def test_of_several_addresses_of_a_server_one_looks_for_all(installed, provider, tmp_path):
    """Each of ten would ask once a minute, and a project may ask 3600 times an hour."""
    several = [f"203.0.113.{last}" for last in range(100, 110)]
    here = [{"ip": one, "droplet_id": PRIMARY} for one in several]
    with simulator(tmp_path, cloud=provider, reserved_ips=here) as cloud:
        agent = AGENTS[provider](installed, cloud, tmp_path)
        try:
            resources = [{"address": one, "instance": f"FloatIP-{number}"} for number, one in enumerate(several)]
            for one in resources:
                assert agent("start", **one).code == OK
            before = cloud.counts()["calls"]
            for one in resources:
                assert agent.monitor(api_check_interval="1s", **one).code == OK
            assert cloud.counts()["calls"] - before <= 3
            control.assign(cloud.socket, several[4], SECONDARY)
            lost = [one["address"] for one in resources if agent.monitor(api_check_interval="0", **one).code != OK]
            assert lost == [several[4]]
        finally:
            for one in several:
                agent.take_off(one)
