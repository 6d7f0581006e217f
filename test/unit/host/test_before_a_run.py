"""What is in the way of a run on this machine, and what is remembered once nothing was."""

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import preflight, provider
from haproxy_ha_lib.cloud.calls import Unavailable
from support.pillars import EXAMPLE, changed
from support.told import minion

NODE = {"online": True, "remote": False}


def no_answer(*_, **__):
    try:
        raise Unavailable("no answer within 10 s")
    except Unavailable as exc:
        raise CommandExecutionError(str(exc))  # noqa: B904  what the module digitalocean raises has it as its context


def refused(*_, **__):
    raise CommandExecutionError("HTTP 401")


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """Nobody listens, and nothing is remembered."""
    monkeypatch.setattr(preflight.net, "listeners", list)
    monkeypatch.setattr(preflight.log, "warning", lambda *_: None)  # Salt writes it once pytest has closed the streams
    monkeypatch.setattr(provider.files, "STATE", str(tmp_path))


def balancer(obstacles, tree=EXAMPLE, **nodes):
    known = {
        "pacemaker.status": lambda: {"nodes": nodes},
        "digitalocean.metadata": lambda *_: {"droplet_id": 3164444},
        "digitalocean.obstacles": obstacles,
        "digitalocean.reserved_ip": lambda *_, **__: {"droplet_id": None, "locked": False},
    }
    return minion(tree, functions=known)


def test_nothing_is_in_the_way_of_a_load_balancer_that_is_well():
    assert preflight.find_problems(balancer(lambda *_, **__: []), []) == []


def test_all_that_is_in_the_way_is_told_at_once():
    told = preflight.find_problems(balancer(lambda *_, **__: ["it is in ams3"], primary=NODE, old=NODE), ["cluster"])
    assert [text.split()[0] for text in told] == ["this", "old", "floating"]
    assert told[-1] == f"floating IP {EXAMPLE['floating_ip']['address']}: it is in ams3"


def test_an_outage_of_the_api_stops_only_what_has_never_worked():
    down = balancer(no_answer)
    assert preflight.find_problems(down, []) == [
        f"floating IP {EXAMPLE['floating_ip']['address']}: no answer within 10 s"
    ]
    preflight.find_notes(down, remember=True)
    assert preflight.find_problems(down, []) == []
    other = balancer(no_answer, changed({"floating_ip:api_token": "dop_v1_" + "0" * 64}))
    assert len(preflight.find_problems(other, [])) == 1


def test_a_no_of_the_api_stops_what_has_worked_before():
    preflight.find_notes(balancer(refused), remember=True)
    assert preflight.find_problems(balancer(refused), []) == [
        f"floating IP {EXAMPLE['floating_ip']['address']}: HTTP 401"
    ]


def test_notes_are_told_until_it_has_worked_and_a_dry_run_remembers_nothing(tmp_path):
    well = balancer(lambda *_, **__: [])
    preflight.find_notes(well)
    assert not provider.is_checked(well, well.valid_settings())
    preflight.find_notes(well, remember=True)
    assert provider.is_checked(well, well.valid_settings())
    assert EXAMPLE["floating_ip"]["api_token"] not in (tmp_path / "floating_ip_checked").read_text(encoding="ascii")


@pytest.mark.parametrize("routed", [True, False])
def test_a_load_balancer_without_a_way_for_its_ipv6_address_is_told_so(monkeypatch, routed):
    monkeypatch.setattr(preflight.net, "has_ipv6_default_route", lambda: routed)
    both = changed({"floating_ips": {"ipv6": {"address": "2001:db8::10", "stays_with": "floating_ip"}}})
    told = preflight.find_notes(balancer(lambda *_, **__: [], both))
    assert [text for text in told if "default route" in text] == ([] if routed else [
        "floating IP 2001:db8::10: this machine has no default route of IPv6, so it may answer nobody there: turn IPv6 "
        "on for it, or add the route"
    ])  # fmt: skip


def test_an_app_server_asks_neither_cluster_nor_api():
    assert preflight.find_problems(minion(EXAMPLE, id="app-1"), []) == []
