"""The agent `floatip` with a reserved IPv6 address, which comes to the droplet as it is: on the loopback interface."""

import subprocess

import pytest

from support.floatip import DEGRADED, NOT_RUNNING, OK, ReservedIPv6
from support.place import in_container, requires_tools
from support.simulated_cloud import ADDRESS, IPV6, PRIMARY, SECONDARY, TOKEN, simulator

pytestmark = [
    pytest.mark.parametrize("provider", ["digitalocean-ipv6"], indirect=True),
    requires_tools("ip"),
    pytest.mark.skipif(not in_container(), reason="its agent changes an interface"),
]

FORMER = "2001:db8:10::9"


def test_it_is_on_the_interface_while_it_is_here(floatip, cloud):
    cloud.assign(SECONDARY)
    assert (floatip("monitor").code, floatip.is_on_interface()) == (NOT_RUNNING, False)
    assert (floatip("start").code, floatip.is_on_interface()) == (OK, True)
    assert cloud.state()["owners"] == {ADDRESS: PRIMARY, IPV6: PRIMARY}
    assert (floatip("stop").code, floatip.is_on_interface()) == (OK, True)  # test_leaving.py


def test_no_connection_of_the_machine_s_own_begins_with_it(holding):
    """It is deprecated (RFC 4862): what the droplet asks for goes on to come from its own address."""
    said = subprocess.run(["ip", "-6", "address", "show", "dev", "lo"], capture_output=True, text=True).stdout
    [line] = [line for line in said.splitlines() if IPV6 in line]
    assert line.split()[-1] == "deprecated"


def test_it_is_there_before_it_comes(floatip, cloud):
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=1.5)
    process = floatip.start_process("start")
    while not cloud.counts()["writes"]:
        assert process.poll() is None
    assert (floatip.is_on_interface(), cloud.owner()) == (True, SECONDARY)
    assert process.wait(20) == OK


def test_one_that_was_taken_off_is_put_there_again(holding, cloud):
    holding.take_off()
    run = holding.monitor()
    assert (run.code, holding.is_on_interface()) == (OK, True)
    assert "is on no interface any more, and is put there again" in run.output


def test_one_that_moved_is_taken_off(holding, cloud):
    cloud.assign(SECONDARY)
    assert (holding.monitor().code, holding.is_on_interface()) == (NOT_RUNNING, False)


def test_an_ipv4_address_that_leaves_is_another_matter(holding, cloud):
    cloud._replace(address=ADDRESS).assign(SECONDARY)
    assert holding.monitor(api_check_interval="0").code == OK


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "status", "status": 503}, {"kind": "reset"}])
def test_an_api_that_is_silent_takes_nothing_off(holding, cloud, fault):
    cloud.fault(**fault)
    assert (holding.monitor(api_check_interval="0", timeout=5).code, holding.is_on_interface()) == (DEGRADED, True)
    assert (holding("stop").code, holding.is_on_interface()) == (OK, True)


def test_a_token_that_sees_no_actions_waits_a_little_longer(floatip, cloud):
    """Where an assign has no effect, as docs/digitalocean.md has it."""
    cloud.assign(SECONDARY)
    cloud.tokens({"token": TOKEN, "scopes": ["reserved_ip:read", "reserved_ip:update", "droplet:read"]})
    cloud.delay(assign_seconds=1.0)
    assert (floatip("start").code, cloud.owner()) == (OK, PRIMARY)
    cloud.assign(SECONDARY)
    cloud.delay(assign_seconds=0.0)
    cloud.fault("errored", times=1)
    assert (floatip("start").code, cloud.owner()) == (OK, PRIMARY)


@pytest.mark.parametrize("action", ["start", "reload-agent"])
def test_another_address_leaves_nothing_of_the_former(installed, provider, tmp_path, action):
    with simulator(tmp_path, reserved_ips=[{"ip": FORMER}, {"ip": IPV6}]) as cloud:
        agent = ReservedIPv6(installed, cloud._replace(address=IPV6), tmp_path)
        try:
            assert (agent("start", address=FORMER).code, agent.is_on_interface(FORMER)) == (OK, True)
            assert agent(action, replaces=FORMER).code == OK
            assert (agent.is_on_interface(FORMER), agent.is_on_interface()) == (False, True)
            assert cloud.state()["owners"] == {FORMER: None, IPV6: PRIMARY}
        finally:
            agent.take_off(FORMER)
            agent.close()
