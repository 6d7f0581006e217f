"""The rules of Hetzner Cloud's API: what is asked, what is retried, and when it is given up."""

import pytest

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Call
from haproxy_ha_lib.cloud.machines import NOBODY
from haproxy_ha_lib.hetzner import addresses, listed
from haproxy_ha_lib.hetzner.servers import SERVERS
from support.scripted_api import ADDRESS, HTML, ME, OTHER, Script, reply

ID = 4712
ASSIGN = Call("POST", f"/v1/floating_ips/{ID}/actions/assign", {"server": ME})


def entry(owner, ip=ADDRESS, number=ID, **more):
    return {"id": number, "ip": ip, "server": owner, "home_location": {"name": "fsn1"}, "blocked": False, **more}


def page(*entries, following=None, key="floating_ips"):
    return reply({key: list(entries), "meta": {"pagination": {"page": 1, "next_page": following}}})


def shows(owner, **more):
    return reply({"floating_ip": entry(owner, **more)})


def error(status, code, message="no"):
    return reply({"error": {"code": code, "message": message, "details": None}}, status)


def action(status="running", http=200, **more):
    return reply({"action": {"id": 7, "status": status, **more}}, http)


ACCEPTED = action(http=201)


# Reading


def test_one_is_found_by_its_address_on_any_page():
    script = Script(page(entry(OTHER, "203.0.113.9", 1), following=2), page(entry(ME)))
    assert script.run(addresses.read(ADDRESS)) == (ADDRESS, ID, ME, "fsn1", False)
    assert [call.path for call in script.calls] == [
        "/v1/floating_ips?page=1&per_page=50", "/v1/floating_ips?page=2&per_page=50",
    ]  # fmt: skip


@pytest.mark.parametrize("stale", [error(404, "not_found"), shows(ME, ip="203.0.113.9"), reply({"floating_ip": None})])
def test_what_is_remembered_is_believed_only_where_it_is_right(stale):
    script = Script(shows(ME))
    assert script.run(addresses.read(ADDRESS, ID)).server_id == ME
    assert [call.path for call in script.calls] == [f"/v1/floating_ips/{ID}"]
    script = Script(stale, page(entry(ME)))
    assert script.run(addresses.read(ADDRESS, ID)).server_id == ME


@pytest.mark.parametrize(("floating", "address", "is_one"), [
    (ADDRESS, ADDRESS, True), (ADDRESS, "203.0.113.1", False), ("2001:db8:99::/64", "2001:db8:99::7", True),
    ("2001:DB8:99::/64", "2001:db8:99:0:1::", True), ("2001:db8:99::/64", "2001:db8:98::7", False),
    ("2001:db8:99::/64", ADDRESS, False), ("nonsense:", "2001:db8:99::7", False), ("2001:db8:99::/64", "a:", False),
])  # fmt: skip
def test_an_address_is_one_of_a_floating_ip(floating, address, is_one):
    assert addresses.holds(floating, address) is is_one


def test_one_of_another_project_is_not_found():
    with pytest.raises(calls.NotFound, match=r"the token's project has no floating IP 203\.0\.113\.10"):
        Script(page()).run(addresses.read(ADDRESS))


@pytest.mark.parametrize("odd", [
    {"id": True}, {"id": "4712"}, {"ip": None}, {"ip": 7}, {"server": "x"}, {"server": False},
])  # fmt: skip
def test_what_makes_no_sense_says_nothing(odd):
    with pytest.raises(calls.Unavailable, match="a floating IP without"):
        Script(page({**entry(ME), **odd})).run(addresses.read(ADDRESS))
    without = entry(ME)
    del without["server"]
    with pytest.raises(calls.Unavailable, match="a floating IP without"):
        Script(page(without)).run(addresses.read(ADDRESS))


@pytest.mark.parametrize("document", [{}, {"floating_ips": None}, {"floating_ips": ["x"]}, {"floating_ips": {}}])
def test_what_is_no_list_says_nothing(document):
    with pytest.raises(calls.Unavailable, match="holds no list of floating_ips"):
        Script(reply(document)).run(addresses.read(ADDRESS))


def test_a_list_without_an_end_ends():
    script = Script(page(entry(ME, "203.0.113.9", 1), following=2))
    with pytest.raises(calls.Unavailable, match="more than 50 pages"):
        script.run(addresses.read(ADDRESS))
    assert len(script.calls) == calls.MOST_PAGES


# Assigning


def test_where_it_is_already_nothing_is_written():
    script = Script(page(entry(ME)))
    assert script.run(addresses.assign(ADDRESS, ME)).server_id == ME
    assert script.posts == []


def test_the_action_is_waited_for_and_the_address_looked_at():
    """It may show the new owner while the way to it is not there yet."""
    script = Script(page(entry(OTHER)), ACCEPTED, action(), action(), action("success"), shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME)).server_id == ME
    assert script.posts == [ASSIGN]
    assert [call.path for call in script.calls[2:]] == ["/v1/actions/7"] * 3 + [f"/v1/floating_ips/{ID}"]
    assert script.waits == [0.05, 0.1, 0.2]


def test_with_clients_waiting_the_first_call_is_the_assign():
    script = Script(action("success", http=201), shows(ME))
    script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True))
    assert script.calls == [ASSIGN, Call("GET", f"/v1/floating_ips/{ID}")]


def test_without_its_id_it_is_looked_for_first():
    script = Script(page(entry(OTHER)), action("success", http=201), shows(ME))
    script.run(addresses.assign(ADDRESS, ME, None, elsewhere=True))
    assert script.calls[1] == ASSIGN


@pytest.mark.parametrize("refusal", [error(423, "locked"), error(409, "conflict"), error(503, "unavailable"),
                                     error(429, "rate_limit_exceeded"), error(412, "x"), HTML])  # fmt: skip
def test_what_may_end_is_tried_again_and_the_owner_looked_at_before(refusal):
    script = Script(refusal, shows(OTHER), action("success", http=201), shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).server_id == ME
    assert script.posts == [ASSIGN, ASSIGN]


@pytest.mark.parametrize(("refusal", "kind"), [
    (error(401, "unauthorized"), calls.TokenRefused), (error(403, "token_readonly"), calls.TokenRefused),
    (error(400, "json_error"), calls.Refused), (error(405, "method"), calls.Refused),
])  # fmt: skip
def test_what_never_ends_is_told_at_once(refusal, kind):
    script = Script(refusal)
    with pytest.raises(kind, match=f"HTTP {refusal.status}, "):
        script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True))
    assert len(script.calls) == 1


def test_one_that_is_refused_as_assigned_is_taken_away_first():
    refused = error(422, "floating_ip_assigned")
    done = action("success", http=201)
    script = Script(page(entry(OTHER)), refused, shows(OTHER), ACCEPTED, shows(None), done, shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME)).server_id == ME
    assert [call.path.rpartition("/")[2] for call in script.posts] == ["assign", "unassign", "assign"]


def test_one_that_is_refused_as_it_is_here_already_is_here():
    script = Script(error(422, "floating_ip_assigned"), shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).server_id == ME
    assert script.posts == [ASSIGN]


def test_a_server_that_is_not_there_is_told_soon():
    script = Script(error(404, "not_found"), error(404, "not_found", "server with ID '1001' not found"))
    with pytest.raises(calls.NotFound, match="server with ID '1001' not found"):
        script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True))
    there, done = reply({"server": {"id": ME}}), action("success", http=201)
    script = Script(error(404, "not_found"), there, page(entry(OTHER, number=9)), done, shows(ME, number=9))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).id == 9


def test_an_action_that_fails_says_why_and_is_tried_again():
    failed = action("error", error={"code": "action_failed", "message": "Action failed"})
    script = Script(ACCEPTED, failed, failed, shows(OTHER))
    with pytest.raises(calls.Unavailable, match="accepted and had no effect: Action failed; no time is left"):
        script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True), timeout=0.12)


def test_an_action_that_stays_under_way_is_waited_for_only_so_long():
    script = Script(ACCEPTED, *[action()] * 9, shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).server_id == ME
    assert addresses.LONGEST_ACTION <= sum(script.waits) < addresses.LONGEST_ACTION + 1.5


def test_an_action_that_nobody_knows_leaves_the_address():
    script = Script(ACCEPTED, error(404, "not_found"), shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).server_id == ME


def test_an_action_without_effect_is_asked_for_anew():
    done = action("success", http=201)
    script = Script(done, *[shows(OTHER)] * (addresses.SETTLE_POLLS + 2), done, shows(ME))
    assert script.run(addresses.assign(ADDRESS, ME, ID, elsewhere=True)).server_id == ME
    assert script.posts == [ASSIGN, ASSIGN]


def test_what_is_in_the_way():
    found = addresses.floating_ip(entry(OTHER, blocked=True))
    assert addresses.obstacles(found) == [f"{ADDRESS} is blocked by Hetzner: its support says why"]
    assert addresses.obstacles(addresses.floating_ip(entry(OTHER))) == []
    assert Script(reply({"server": {"id": ME}})).run(SERVERS.strangers([ME])) == []
    assert Script(error(404, "not_found")).run(SERVERS.strangers([ME])) == [
        "server 1001 is not of the project of the token, whose floating IPs it cannot have",
    ]  # fmt: skip


# Servers

SERVER = {
    "id": ME, "name": "primary", "status": "running", "labels": {"role": "lb", "x": None},
    "public_net": {"ipv4": {"ip": "198.51.100.1"}}, "private_net": [{"ip": "10.0.0.2"}, "x"],
    "datacenter": {"location": {"name": "nbg1"}},
}  # fmt: skip


def test_what_matters_of_a_server():
    assert SERVERS.summary(SERVER) == {
        "id": ME, "name": "primary", "status": "running", "location": "nbg1", "labels": {"role": "lb", "x": ""},
        "locked": False, "public_ip": "198.51.100.1", "private_ips": ["10.0.0.2"],
    }  # fmt: skip
    assert SERVERS.summary({"id": ME, "location": {"name": "hel1"}})["location"] == "hel1"
    with pytest.raises(calls.Unavailable):
        SERVERS.summary({"name": "primary"})


def test_servers_are_asked_for_by_name_and_by_label():
    script = Script(page(SERVER, key="servers"))
    assert [one["id"] for one in script.run(SERVERS.read_all("primary", "role=lb"))] == [ME]
    assert script.calls[0].path == "/v1/servers?page=1&per_page=50&name=primary&label_selector=role%3Dlb"


def test_one_server_by_its_name_or_its_id():
    assert Script(page(SERVER, key="servers")).run(SERVERS.find("primary"))["id"] == ME
    assert Script(reply({"server": SERVER})).run(SERVERS.find(str(ME)))["name"] == "primary"
    with pytest.raises(calls.NotFound, match="the token's project has no server 'x'"):
        Script(page(key="servers")).run(SERVERS.find("x"))
    with pytest.raises(calls.Unavailable, match="not about it"):
        Script(reply({"server": SERVER})).run(SERVERS.find("7"))


@pytest.mark.parametrize(("answer", "problem", "unknown"), [
    (error(404, "not_found"), False, False), (error(422, "invalid_input"), False, False),
    (error(403, "token_readonly"), True, False), (error(401, "unauthorized"), True, False), (HTML, False, True),
])  # fmt: skip
def test_whether_the_token_may_switch_servers(answer, problem, unknown):
    script = Script(reply({"server": SERVER}), answer)
    problems, why, found = script.run(SERVERS.fencing_problems({"primary": str(ME)}))
    assert (bool(problems), bool(why), list(found)) == (problem, unknown, ["primary"])
    assert script.posts == [Call("POST", f"/v1/servers/{NOBODY}/actions/poweron", {})]


def test_nodes_that_cannot_be_fenced():
    found = page(SERVER, key="servers")
    script = Script(found, found, page(key="servers"), error(404, "not_found"))
    problems = script.run(SERVERS.fencing_problems({"a": "primary", "b": "primary", "c": "x"}))[0]
    assert problems == [
        "node c cannot be fenced: the token's project has no server 'x'",
        "the nodes a, b are said to be one and the same server",
    ]


def test_power_is_what_the_api_shows():
    on, off = (reply({"server": {**SERVER, "status": status}}) for status in ("running", "off"))
    script = Script(on, ACCEPTED, on, on, off)
    assert script.run(SERVERS.set_power(ME, "off"))["status"] == "off"
    assert script.posts == [Call("POST", f"/v1/servers/{ME}/actions/poweroff", {})]
    script = Script(off, error(423, "locked"), off, ACCEPTED, on)
    assert script.run(SERVERS.set_power(ME, "running"))["status"] == "running"
    script = Script(on, ACCEPTED, on)
    with pytest.raises(calls.Unavailable, match="is running, and is to be off; no time is left"):
        script.run(SERVERS.set_power(ME, "off"), timeout=20)
    with pytest.raises(calls.TokenRefused):
        Script(on, error(403, "token_readonly")).run(SERVERS.set_power(ME, "off"))


def test_a_lost_power_action_is_asked_for_anew():
    on = reply({"server": SERVER})
    script = Script(*[on, ACCEPTED, *[on] * 60])
    with pytest.raises(calls.APIError):
        script.run(SERVERS.set_power(ME, "off"), timeout=70)
    assert len(script.posts) >= 1


# Answers


def test_errors_are_told_by_their_code():
    answer = error(423, "locked", "floating IP\nis locked")
    assert calls.describe(answer) == "HTTP 423, locked: floating IP is locked"
    assert listed.error_code(answer) == "locked"
    assert listed.error_code(HTML) is None and listed.error_code(reply([1])) is None


@pytest.mark.parametrize(("answer", "found"), [
    (ACCEPTED, (7, "running")), (HTML, (None, "")), (reply({"action": {"id": "x", "status": 3}}), (None, "")),
    (reply({"action": 5}), (None, "")), (error(404, "not_found"), (None, "")),
])  # fmt: skip
def test_actions_are_read_or_are_none(answer, found):
    assert listed.action_of(answer) == found
