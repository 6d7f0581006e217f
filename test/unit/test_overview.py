"""One screen about a load balancer: what an operator reads of what was found."""

import pytest

from haproxy_ha_lib import overview

NOW = 1_780_000_000  # 2026-05-28 20:26:40 UTC
WELL = {
    "minion": "primary", "version": "1.2.3", "time": NOW, "roles": ["load_balancer"], "address": "203.0.113.10",
    "addresses": {"FloatIP": ["203.0.113.10"]}, "services": {},
    "cluster": {"active": ["primary"], "addresses": {"FloatIP": ["primary"]},
                "haproxy": ["primary", "secondary"], "offline": [], "standby": [], "maintenance": [],
                "failures": [], "notes": []},
    "nodes": ["primary", "secondary"],
    "since": {"FloatIP": {"primary": NOW - 3 * 86_400 - 7_300}, "haproxy": {"primary": NOW - 60, "secondary": NOW}},
    "haproxy": {"version": "2.6.12", "uptime": 3_700, "connections": 7},
    "servers": [], "certificates": [], "api": "answers: the address is here", "fencing": "",
    "changed": None, "written": "", "notes": [],
}  # fmt: skip


def server(backend, name, status="UP", seconds=0, check=""):
    return {"backend": backend, "server": name, "status": status, "seconds": seconds, "check": check}


def rows(**found):
    """The screen's lines, without what they begin with."""
    return [line.strip() for line in overview.lay_out({**WELL, **found}).splitlines()]


def test_a_pair_that_is_well_is_one_screen():
    assert overview.lay_out(WELL) == """\
primary, 2026-05-28 20:26:40 UTC, haproxy_ha 1.2.3

  Role        load balancer
  Address     203.0.113.10 is on primary since 2026-05-25 18:25:00 UTC (3 d 2 h)
  Nodes       primary: online, HAProxy runs since 2026-05-28 20:25:40 UTC (1 min)
              secondary: online, HAProxy runs since 2026-05-28 20:26:40 UTC (0 s)
  HAProxy     here: 2.6.12, up 1 h 1 min, 7 connections
  API         answers: the address is here

All is well."""


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 s"), (-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3_601, "1 h"), (90_061, "1 d 1 h"),
])
def test_a_span_of_time_has_two_units_at_most(seconds, text):
    assert overview.span(seconds) == text


def test_an_address_that_nobody_has_is_told():
    assert "Address     203.0.113.10 is on no node" in rows(cluster={**WELL["cluster"], "addresses": {}})


def test_each_of_several_addresses_has_a_line():
    addresses = {"FloatIP-web": ["10.132.20.100", "fd00::100"], "FloatIP-x": [f"10.132.21.{one}" for one in range(50)]}
    held = {**WELL["cluster"], "addresses": {"FloatIP-web": ["primary"], "FloatIP-x": ["secondary"]}}
    found = rows(addresses=addresses, cluster=held, since={"FloatIP-web": {"primary": NOW - 60}})
    assert "Address     10.132.20.100, fd00::100 is on primary since 2026-05-28 20:25:40 UTC (1 min)" in found
    assert any("10.132.21.4, ... and 45 more is on secondary" in line for line in found)


def test_a_node_is_shown_as_the_cluster_sees_it():
    cluster = {**WELL["cluster"], "offline": ["secondary"], "standby": ["secondary"], "haproxy": ["primary"]}
    assert "secondary: offline, standby, no HAProxy" in rows(cluster=cluster)


def test_where_the_cluster_does_not_tell_nothing_is_said_in_its_place():
    said = rows(cluster={"notes": ["it is ill"]}, since={})
    assert not [row for row in said if row.startswith(("Nodes", "Address"))]


def test_servers_are_counted_and_those_that_are_ill_are_told():
    servers = [server("app", "a"), server("app", "b", "DOWN", 125, "L4CON Connection refused"), server("api", "c")]
    lines = rows(servers=servers)
    assert "Servers     app: 1 of 2 up" in lines
    assert "api: 1 of 1 up" in lines
    assert "b is DOWN for 2 min 5 s in app (L4CON Connection refused)" in lines


def test_three_hundred_servers_of_one_machine_are_one_line():
    servers = [server(f"pool-{number}", "a", "DOWN", 9, "L4TOUT") for number in range(300)]
    told = [line for line in rows(servers=servers) if line.startswith("a is")]
    assert told == ["a is DOWN for 9 s in pool-0, pool-1, pool-2, ... and 297 more (L4TOUT)"]


def test_what_the_last_run_changed_is_told_by_part():
    changed = {"time": NOW - 120, "process": 1, "parts": {"files:haproxy": ["/etc/haproxy/haproxy.cfg"], "agents": []}}
    text = "here by the run of 2026-05-28 20:24:40 UTC (2 min ago): files:haproxy (/etc/haproxy/haproxy.cfg), agents"
    assert text in " ".join(rows(changed=changed))
    changed["parts"]["agents"] = ["a", "b", "c"]
    assert "agents (3 changes)" in " ".join(rows(changed=changed))


def test_what_is_to_be_done_is_counted_and_stands_at_the_end():
    lines = rows(notes=["secondary is offline: start it", "x " * 80])
    at = lines.index("2 to look at:")
    assert lines[at + 1] == "- secondary is offline: start it"
    assert "All is well." not in lines


def test_no_line_is_wider_than_a_terminal():
    text = overview.lay_out({**WELL, "notes": ["word " * 200], "api": "long " * 100})
    assert max(map(len, text.splitlines())) <= 110


def test_of_a_pair_what_both_say_stands_once():
    note = "secondary is offline: start it"
    text = overview.together({"a": {**WELL, "notes": [note]}, "b": "no answer", "c": {**WELL, "notes": [note, "own"]},
                              "d": {**WELL, "notes": [note]}})  # fmt: skip
    assert text.count(note) == 1
    assert "1 to look at:\n- own" in text
    assert "b\n\n  no answer" in text
    assert text.endswith("What is to be looked at stands above.")
    assert "All is well" not in text


def test_of_those_that_answer_the_load_balancers_are_told_and_who_is_silent():
    app = {**WELL, "minion": "app-1", "roles": ["app_server"], "nodes": []}
    pair = overview.of_pair({"primary": WELL, "app-1": app, "old": "'haproxy_ha.overview' is not available."})
    assert pair == {"primary": WELL, "secondary": "does not answer", "old": "'haproxy_ha.overview' is not available."}


def test_where_nobody_answers_that_is_said():
    assert overview.together(overview.of_pair({})) == "no load balancer has answered"


@pytest.mark.parametrize(("answers", "awaited"), [
    ({}, {"primary", "secondary", "app", "other"}),
    ({"primary": WELL}, {"secondary", "app", "other"}),
    ({"primary": "no pillar"}, {"secondary", "app", "other"}),
    ({"primary": {**WELL, "servers": [server("pool", "app"), server("pool", "secondary")]}}, {"secondary", "other"}),
    ({"primary": {**WELL, "cluster": {"offline": ["secondary"]}}}, {"app", "other"}),
    ({"primary": {**WELL, "cluster": {"notes": ["it is ill"]}}}, {"secondary", "app", "other"}),
])  # fmt: skip
def test_who_is_said_to_be_off_or_an_app_server_is_not_waited_for(answers, awaited):
    assert overview.awaited(["primary", "secondary", "app", "other"], answers) == awaited
