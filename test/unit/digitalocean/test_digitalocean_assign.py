"""An address is assigned, and an account is asked what would stand in the way."""

import re

import pytest

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Call, Reply
from haproxy_ha_lib.cloud.machines import NOBODY
from haproxy_ha_lib.digitalocean import reserved
from haproxy_ha_lib.digitalocean.droplets import DROPLETS
from support.scripted_api import (
    ACCEPTED,
    ADDRESS,
    ASSIGN,
    HIDDEN,
    HTML,
    ME,
    OTHER,
    PENDING,
    RESET,
    Script,
    action,
    error,
    reply,
    shows,
)


def test_an_address_that_is_here_needs_one_call():
    script = Script(shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert script.posts == []


def test_assign_returns_when_the_address_shows_the_owner():
    script = Script(shows(OTHER), ACCEPTED, shows(OTHER, locked=True), shows(OTHER, locked=True), shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert script.posts == [Call("POST", ASSIGN, {"type": "assign", "droplet_id": ME})]
    assert script.waits == [0.05, 0.1]


@pytest.mark.parametrize(
    ("story", "posts"),
    [
        pytest.param([shows(OTHER), PENDING, shows(ME)], 1, id="422 for the owner that it has"),
        pytest.param([shows(OTHER), PENDING, shows(OTHER), ACCEPTED, shows(ME)], 2, id="422 pending, then accepted"),
        pytest.param([shows(OTHER, locked=True), shows(OTHER), ACCEPTED, shows(ME)], 1, id="locked first"),
        pytest.param([shows(OTHER), RESET, shows(ME)], 1, id="reset, and yet done"),
        pytest.param([shows(OTHER), HTML, shows(OTHER), ACCEPTED, shows(ME)], 2, id="HTML, then accepted"),
        pytest.param([shows(OTHER), ACCEPTED, shows(OTHER), action("done"), shows(ME)], 1, id="status done"),
        pytest.param([shows(OTHER), ACCEPTED, shows(OTHER), error(404), shows(ME)], 1, id="the action answers 404"),
        pytest.param(
            [shows(OTHER), ACCEPTED, shows(OTHER), action("errored"), shows(OTHER), ACCEPTED, shows(ME)], 2,
            id="errored, then accepted",
        ),
        pytest.param([shows(OTHER), Reply(200, {}, b""), shows(ME)], 1, id="200 without a body"),
    ],
)  # fmt: skip
def test_assign_gets_there(story, posts):
    script = Script(*story)
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert len(script.posts) == posts


@pytest.mark.parametrize(
    ("story", "text"),
    [
        pytest.param([shows(OTHER), ACCEPTED, shows(OTHER, locked=True)], "is being assigned", id="stuck"),
        pytest.param([shows(OTHER, locked=True)], "has a pending action", id="locked for ever"),
        pytest.param([shows(OTHER), PENDING, shows(OTHER), PENDING] * 50, "pending event", id="422 for ever"),
    ],
)
def test_assign_gives_up_and_says_why(story, text):
    with pytest.raises(calls.Unavailable, match=text):
        Script(*story).run(reserved.assign(ADDRESS, ME), timeout=30)


def test_completed_without_effect_is_assigned_again():
    unchanged = [shows(OTHER), action("completed")] * (reserved.SETTLE_POLLS + 1)
    script = Script(shows(OTHER), ACCEPTED, *unchanged, shows(OTHER), ACCEPTED, shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert len(script.posts) == 2


def test_a_revoked_token_between_two_calls_is_told():
    with pytest.raises(calls.TokenRefused):
        Script(shows(OTHER), error(401)).run(reserved.assign(ADDRESS, ME))


@pytest.mark.parametrize(
    ("hints", "story", "posts"),
    [
        ([True], [HIDDEN], 0),  # here already, by the metadata service
        ([False, True], [HIDDEN, ACCEPTED, HIDDEN], 1),  # assigned, and the metadata service agrees
        # nobody tells: what the API completed is believed
        ([None, None, None], [HIDDEN, ACCEPTED, HIDDEN, action("completed")], 1),
    ],
)
def test_an_owner_out_of_sight_is_taken_from_the_metadata(hints, story, posts):
    hints = iter(hints)
    script = Script(*story)
    script.run(reserved.assign(ADDRESS, ME, lambda: next(hints)))
    assert len(script.posts) == posts


def test_an_address_that_is_elsewhere_is_assigned_without_a_question():
    for story in ([ACCEPTED, shows(ME)], [error(422), shows(ME)], [error(503), shows(OTHER), ACCEPTED, shows(ME)]):
        assert Script(*story).run(reserved.assign(ADDRESS, ME, elsewhere=True)).droplet_id == ME


def test_the_metadata_never_outvotes_the_api():
    script = Script(shows(OTHER), ACCEPTED, shows(ME))
    script.run(reserved.assign(ADDRESS, ME, lambda: True))
    assert len(script.posts) == 1


# What no retry will get through, and what fencing needs

LB = {"id": ME, "name": "lb1", "region": {"slug": "nyc3"}, "networks": {"v4": []}}


class Account:
    """Answers by the path, as an account with these addresses and droplets would; refuses every assign."""

    def __init__(self, addresses=(), droplets=(LB,), switch=404):
        self.addresses, self.droplets, self.switch, self.calls, self.now = addresses, droplets, switch, [], 0.0

    def send(self, call, timeout):
        self.calls.append(call)
        path, _, query = call.path.partition("?")
        if path == f"/v2/droplets/{NOBODY}/actions":
            return error(self.switch, "x", "y")
        if call.body and call.body["type"] == "unassign":
            self.addresses = [{**one, "droplet": None} if one["ip"] in path else one for one in self.addresses]
            return action(http=201)
        if call.method == "POST":
            others = [one for one in self.addresses if one["droplet"] and one["ip"] not in path]
            mine = any(one["droplet"]["id"] == call.body["droplet_id"] for one in others)
            if mine or any(one["region"]["slug"] != "nyc3" for one in self.addresses if one["ip"] in path):
                return PENDING
            self.addresses = [{**one, "droplet": LB} if one["ip"] in path else one for one in self.addresses]
            return ACCEPTED
        if path == "/v2/droplets":
            name = query.rpartition("name=")[2]
            return reply({"droplets": [one for one in self.droplets if one["name"].lower() == name.lower()]})
        if path.startswith("/v2/droplets/"):
            found = [one for one in self.droplets if path.endswith(f"/{one['id']}")]
            return reply({"droplet": found[0]}) if found else error(404)
        if path == "/v2/reserved_ips":
            return reply({"reserved_ips": list(self.addresses)})
        return reply({"reserved_ip": next(one for one in self.addresses if path.endswith(one["ip"]))})

    def sleep(self, seconds):
        self.now += seconds

    def run(self, steps, timeout=60.0):
        return calls.drive(steps, self.send, self.now + timeout, lambda: self.now, self.sleep)


def address(ip, owner=None, region="nyc3"):
    return {"ip": ip, "droplet": {"id": owner} if owner else None, "region": {"slug": region}, "locked": False}


FORMER = "198.51.100.7"


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (Account([address(ADDRESS), address(FORMER, ME)]), f"holds {FORMER}, and a droplet can hold one"),
        (Account([address(ADDRESS, region="ams3")]), "belongs to the region ams3, and droplet 1001 is in nyc3"),
    ],
)
def test_an_assign_that_will_never_be_taken_says_so_soon(account, said):
    with pytest.raises(calls.Refused, match=said):
        account.run(reserved.assign(ADDRESS, ME))
    assert account.now < 1


def test_an_address_that_is_replaced_is_given_up_for_the_new_one():
    account = Account([address(ADDRESS), address(FORMER, ME)])
    assert account.run(reserved.assign(ADDRESS, ME, replaces=FORMER)).droplet_id == ME
    assert [one["droplet"] for one in account.addresses if one["ip"] == FORMER] == [None]
    assert account.now < 1


def test_what_is_to_be_replaced_and_is_elsewhere_is_left_there():
    account = Account([address(ADDRESS, OTHER), address(FORMER, OTHER)])
    assert account.run(reserved.assign(ADDRESS, ME, replaces=FORMER)).droplet_id == ME
    assert [one["droplet"]["id"] for one in account.addresses if one["ip"] == FORMER] == [OTHER]


@pytest.mark.parametrize(
    ("nodes", "there", "switch", "said"),
    [
        (["lb1.example.com"], [LB], 404, "node lb1.example.com cannot be fenced: 0 droplets have the name"),
        (["LB1"], [LB], 404, "0 droplets have the name 'LB1'"),
        (["lb1"], [LB, {**LB, "id": OTHER}], 404, "2 droplets have the name 'lb1'"),
        ({"lb1": "77"}, [LB], 404, "node lb1 cannot be fenced: the API does not know it"),
        ({"lb1": "lb1", "lb2": "1001"}, [LB], 404, "the nodes lb1, lb2 are said to be one and the same droplet"),
        (["lb1"], [LB], 403, r"no node can be fenced: the token may not switch droplets \(droplet:update\): HTTP 403"),
        (["lb1"], [LB], 404, None), (["lb1"], [LB], 422, None), ({"lb1.example.com": "lb1"}, [LB], 404, None),
    ],
)  # fmt: skip
def test_what_fencing_would_meet(nodes, there, switch, said):
    account = Account(droplets=there, switch=switch)
    plugs = nodes if isinstance(nodes, dict) else {node: node for node in nodes}
    problems, unknown, _ = account.run(DROPLETS.fencing_problems(plugs))
    assert unknown == ""
    if said:
        assert len(problems) == 1
        assert re.search(said, problems[0])
    else:
        assert problems == []
    posts = [call for call in account.calls if call.method != "GET"]
    assert posts == [Call("POST", f"/v2/droplets/{2**53 - 1}/actions", {"type": "power_on"})]


@pytest.mark.parametrize("switch", [200, 201, 429, 500, 503])
def test_a_power_that_is_not_known_is_told_in_words(switch):
    problems, unknown, _ = Account(switch=switch).run(DROPLETS.fencing_problems({"lb1": "lb1"}))
    assert (problems, f"is unknown: HTTP {switch}" in unknown) == ([], True)
