"""The rules of DigitalOcean's API: what is asked, what is retried, and when it is given up."""

import json
import re
import subprocess
import sys

import pytest

from haproxy_ha_lib.agents import SHARED, shared_module
from haproxy_ha_lib.digitalocean import answers, calls, droplets, reserved
from haproxy_ha_lib.digitalocean.calls import Call, Reply
from support import REPOSITORY
from support.imports import imported

ADDRESS = "203.0.113.10"
ME, OTHER = 1001, 1002
READ = f"/v2/reserved_ips/{ADDRESS}"
ASSIGN = f"{READ}/actions"


class Script:
    """Answers with the given replies in order, the last one for ever; keeps the calls and the time that passed."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.calls = []
        self.timeouts = []
        self.now = 100.0
        self.waits = []

    def send(self, call, timeout):
        self.calls.append(call)
        self.timeouts.append(timeout)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def run(self, steps, timeout=60.0):
        return calls.drive(steps, self.send, self.now + timeout, lambda: self.now, self.sleep)

    @property
    def posts(self):
        return [call for call in self.calls if call.method == "POST"]


def reply(document=None, status=200, **headers):
    body = b"" if document is None else json.dumps(document).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def shows(owner, locked=False):
    entry = {"ip": ADDRESS, "droplet": {"id": owner} if owner else None, "locked": locked, "region": {"slug": "nyc3"}}
    return reply({"reserved_ip": entry})


def error(status, id="server_error", message="no", **headers):
    return reply({"id": id, "message": message}, status, **headers)


def action(status="in-progress", http=200):
    return reply({"action": {"id": 7, "status": status}}, http)


HTML = Reply(502, {}, b"<html>502 Bad Gateway</html>")
RESET = Reply(0, {}, b"", "connection reset by peer")
HIDDEN = reply({"reserved_ip": {"ip": ADDRESS, "locked": False}})
ACCEPTED = action(http=201)
PENDING = error(422, "unprocessable_entity", "The floating IP already has a pending event.")


@pytest.mark.parametrize("path", SHARED)
def test_what_the_agents_share_needs_the_standard_library_and_itself_alone(path):
    """It is installed beside them, on machines that have no Salt."""
    shared = {shared_module(path) for path in SHARED}
    modules = {name for name in imported(REPOSITORY / path) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in modules if name not in shared and name.rpartition(".")[0] not in shared} == set()


def test_what_the_agents_share_starts_without_what_is_slow():
    """typing alone takes 5 ms of CPU, and a monitor has 60."""
    imports = "".join(f"import {shared_module(path)}\n" for path in SHARED)
    program = f"import sys\nsys.path.insert(0, {str(REPOSITORY / '_utils')!r})\n{imports}print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-IS", "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"dataclasses", "inspect", "typing"} & set(loaded.split())


# Reading


def test_read_reserved_ip():
    script = Script(shows(OTHER, locked=True))
    assert script.run(reserved.read(ADDRESS, ME)) == reserved.ReservedIP(ADDRESS, OTHER, True, True, "nyc3")
    assert script.calls == [Call("GET", READ)]


def test_old_spelling():
    script = Script(reply({"floating_ip": {"ip": ADDRESS, "droplet": {"id": ME}}}))
    assert script.run(reserved.read(ADDRESS, spelling="floating_ips")).droplet_id == ME
    assert script.calls[0].path == f"/v2/floating_ips/{ADDRESS}"


@pytest.mark.parametrize(
    ("replies", "visible", "asked"),
    [
        ([shows(None), reply({"droplet": {"id": ME}})], True, 2),  # a token that sees droplets: nobody owns it
        ([shows(None), error(403, "forbidden")], False, 2),  # null, and droplets are not to be seen
        ([HIDDEN], False, 1),  # the droplet left out
    ],
)
def test_nobody_is_told_from_an_owner_out_of_sight(replies, visible, asked):
    script = Script(*replies)
    found = script.run(reserved.read(ADDRESS, ME))
    assert (found.droplet_id, found.visible, len(script.calls)) == (None, visible, asked)


@pytest.mark.parametrize(
    "bad", [error(500), HTML, RESET, Reply(200, {}, b'{"reserved'), Reply(200, {}, b"[]"), Reply(200, {}, b"")]
)
def test_read_is_repeated_after_what_passes(bad):
    script = Script(bad, bad, shows(ME))
    assert script.run(reserved.read(ADDRESS)).droplet_id == ME
    assert len(script.waits) == 2
    assert script.waits[1] > script.waits[0] / 2


def test_one_try_is_one_call():
    script = Script(RESET)
    with pytest.raises(calls.Unavailable, match="connection reset by peer"):
        script.run(reserved.read(ADDRESS, tries=1))
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    ("answer", "exception"),
    [
        (error(401, "unauthorized", "Unable to authenticate you"), calls.TokenRefused),
        (error(403, "forbidden"), calls.TokenRefused),
        (error(404, "not_found"), calls.NotFound),
        (error(400, "bad_request"), calls.Refused),
        (reply(None, 301), calls.Refused),
    ],
)
def test_what_no_retry_mends_is_told_at_once(answer, exception):
    for steps in (reserved.read(ADDRESS), reserved.assign(ADDRESS, ME)):
        script = Script(answer)
        with pytest.raises(exception):
            script.run(steps)
        assert (len(script.calls), script.waits) == (1, [])


def test_an_unreadable_body_names_what_is_missing():
    with pytest.raises(calls.Unavailable, match="holds no reserved_ip"):
        Script(reply({"other": 1})).run(reserved.read(ADDRESS))


# Time


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (error(429, "too_many_requests", retry_after="7"), 7.0),
        (error(503, retry_after="3"), 3.0),
        (error(429, "too_many_requests", ratelimit_reset="4600"), None),
        (error(429, "too_many_requests", retry_after="soon"), None),
    ],
)
def test_the_api_s_own_hint_is_followed(answer, waits):
    script = Script(answer, shows(ME))
    script.run(reserved.read(ADDRESS))
    if waits:
        assert script.waits == [waits]
    else:
        assert 0 < script.waits[0] <= calls.FIRST_RETRY


def test_a_hint_beyond_the_deadline_gives_up_at_once_and_says_what_was_waited_for():
    script = Script(error(429, "too_many_requests", "API Rate limit exceeded.", retry_after="61"))
    with pytest.raises(calls.Unavailable, match="API Rate limit exceeded"):
        script.run(reserved.read(ADDRESS), timeout=60)
    assert script.waits == []


@pytest.mark.parametrize("answer", [RESET, HTML, error(500), PENDING])
def test_every_wait_ends_before_the_deadline(answer):
    script = Script(shows(OTHER), answer) if answer is PENDING else Script(answer)
    with pytest.raises(calls.APIError):
        script.run(reserved.assign(ADDRESS, ME), timeout=20)
    assert script.now < 120
    assert len(script.calls) < 30


def test_one_silent_connection_leaves_time_for_another():
    script = Script(RESET, shows(ME))
    script.run(reserved.read(ADDRESS), timeout=20)
    assert script.timeouts[0] < 20 / 2
    long = Script(shows(ME))
    long.run(reserved.read(ADDRESS), timeout=600)
    assert long.timeouts == [10.0]


def test_back_off_doubles_is_bounded_and_never_runs_in_step():
    assert [calls.backoff(number, 1.0) for number in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert calls.backoff(1000, 0.0) == calls.LONGEST_RETRY / 2
    assert calls.backoff(3, 0.0) < calls.backoff(3, 0.5) < calls.backoff(3, 1.0)


# Assigning


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


# Droplets, metadata, words


def test_droplets_come_from_all_pages_and_by_their_whole_name():
    first = {"droplets": [{"id": 1, "name": "lb"}], "links": {"pages": {"next": "https://x"}}}
    second = {"droplets": [{"id": 2, "name": "lb-2"}], "links": {}}
    script = Script(reply(first), reply(second))
    assert [entry["id"] for entry in script.run(droplets.read_all("lb"))] == [1]
    assert [call.path for call in script.calls] == [
        f"/v2/droplets?page={number}&per_page=200&name=lb" for number in (1, 2)
    ]


METADATA = {
    "droplet_id": ME,
    "hostname": "primary",
    "region": "nyc3",
    "interfaces": {
        "public": [{"ipv4": {"ip_address": "203.0.113.21"}, "anchor_ipv4": {"ip_address": "10.17.1.18"}}],
        "private": [{"ipv4": {"ip_address": "10.132.20.10"}}],
    },
    "reserved_ip": {"ipv4": {"active": True, "ip_address": ADDRESS}},
}


def test_metadata():
    assert answers.normalise_metadata(METADATA) == {
        "droplet_id": ME,
        "hostname": "primary",
        "region": "nyc3",
        "public_ip": "203.0.113.21",
        "private_ip": "10.132.20.10",
        "anchor_ip": "10.17.1.18",
        "reserved_ip": {"active": True, "ip": ADDRESS},
    }
    assert answers.normalise_metadata([METADATA]) == answers.normalise_metadata(METADATA)


def test_metadata_of_a_bare_droplet():
    found = answers.normalise_metadata({"droplet_id": ME})
    assert found["reserved_ip"] == {"active": False, "ip": None}
    assert {found[key] for key in ("public_ip", "private_ip", "anchor_ip")} == {None}


def test_metadata_in_the_old_spelling():
    old = {"droplet_id": ME, "floating_ip": {"ipv4": {"active": True, "ip_address": ADDRESS}}}
    assert answers.normalise_metadata(old)["reserved_ip"] == {"active": True, "ip": ADDRESS}


@pytest.mark.parametrize("document", [None, [], "x", {}, {"droplet_id": "1"}, [{"droplet_id": 1}, {"droplet_id": 2}]])
def test_no_metadata(document):
    with pytest.raises(ValueError, match="droplet_id"):
        answers.normalise_metadata(document)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (error(422, "unprocessable_entity", "a\n b"), "HTTP 422, unprocessable_entity: a b"),
        (HTML, "HTTP 502, no JSON"),
        (Reply(500, {}, b""), "HTTP 500, no body"),
        (RESET, "connection reset by peer"),
    ],
)
def test_replies_in_words(answer, text):
    assert calls.describe(answer) == text


@pytest.mark.parametrize(
    ("failure", "more"),
    [
        ("certificate verify failed: certificate is not yet valid (_ssl.c:992)", True),
        ("certificate verify failed: certificate has expired (_ssl.c:1000)", True),
        ("certificate verify failed: self-signed certificate (_ssl.c:992)", False),
        ("Connection refused", False),
    ],
)
def test_a_certificate_of_another_time_is_shown_with_the_clock(failure, more):
    found = calls.with_clock(failure, 1_000_000_000.9)
    assert found == failure + ("; by this machine's clock it is 2001-09-09 01:46 UTC" if more else "")


@pytest.mark.parametrize(
    ("token", "good"),
    [("dop_v1_0a", True), ("", False), ("two words", False), ("line\n", False), ("ümlaut", False), ("nul\0", False)],
)
def test_tokens(token, good):
    problem = calls.token_problem(token)
    assert (problem == "") is good
    assert not token or token not in problem


@pytest.mark.parametrize("said", ["0", "²", "soon", ""])
def test_a_pause_that_is_none_is_our_own(said):
    refused = error(429, "too_many_requests", retry_after=said)
    assert calls.retry_delay(refused, 1, 0.0) == calls.backoff(1, 0.0) > 0


@pytest.mark.parametrize("droplet", [{}, {"id": None}, {"id": "1001"}, "primary", []])
def test_an_owner_without_an_id_is_unknown_not_nobody(droplet):
    script = Script(reply({"reserved_ip": {"ip": ADDRESS, "droplet": droplet}}))
    with pytest.raises(calls.Unavailable, match="a droplet without an id"):
        script.run(reserved.read(ADDRESS))


# Any shape, any size


def nested(depth):
    return Reply(200, {}, b"[" * depth + b"]" * depth)


def entry(**fields):
    return reply({"reserved_ip": {"ip": ADDRESS, "droplet": {"id": ME}, "locked": False, **fields}})


DISORDER = [
    nested(100_000), Reply(200, {}, b'{"reserved_ip":' * 5_000 + b"1" + b"}" * 5_000), entry(droplet={"id": True}),
    entry(droplet={"id": 10**400}), entry(droplet={"id": 0}), entry(droplet={"id": -1}), entry(droplet={"id": 1.0}),
    Reply(200, {}, b'{"reserved_ip": {"droplet": {"id": NaN}}}'), entry(droplet=[[]]), entry(ip="198.51.100.1"),
    entry(ip=[]), Reply(200, {}, b'{"reserved_ip": {"droplet": {"id": ' + b"9" * 5_000 + b"}}}"),
    Reply(200, {}, b"\x1f\x8b\x08\x00" + b"\0" * 50), Reply(200, {}, b"\xff\xfe{\0}\0"), reply({"reserved_ip": []}),
]  # fmt: skip


@pytest.mark.parametrize("bad", DISORDER, ids=range(len(DISORDER)))
def test_an_answer_of_another_shape_is_no_answer(bad):
    with pytest.raises(calls.Unavailable) as error:
        Script(bad).run(reserved.read(ADDRESS, tries=1))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("field", "value"), [("locked", [1]), ("locked", "false"), ("region", [{}]), ("region", {"slug": {"a": 1}})]
)
def test_what_is_beside_the_point_may_be_anything(field, value):
    found = Script(entry(**{field: value})).run(reserved.read(ADDRESS))
    assert (found.droplet_id, found.locked, found.region) == (ME, False, None)


@pytest.mark.parametrize(
    "document",
    [
        {"droplets": {}}, {"droplets": None}, {"droplets": ["x"]}, {"droplets": [{"id": "1"}]}, {"droplets": [{}]},
        {"droplets": [{"id": True, "name": "lb"}]}, [], {"links": 1},
    ],
)  # fmt: skip
def test_a_list_of_another_shape_is_no_answer(document):
    with pytest.raises(calls.Unavailable):
        Script(reply(document)).run(droplets.read_all(tries=1))


def test_a_droplet_of_odd_fields_is_read_as_far_as_it_goes():
    odd = {"id": 7, "name": "a\n\ud800b", "networks": {"v4": [None, {"type": [], "ip_address": 3}]}, "tags": 5,
           "region": "nyc3", "status": None}  # fmt: skip
    assert droplets.summary(odd) == {
        "id": 7, "name": "a??b", "status": None, "region": None, "tags": [], "public_ip": None, "private_ip": None,
    }  # fmt: skip


def test_a_list_without_an_end_ends():
    script = Script(reply({"droplets": [], "links": {"pages": {"next": "https://x"}}}))
    with pytest.raises(calls.Unavailable, match="more than 50 pages"):
        script.run(droplets.read_all())
    assert len(script.calls) == calls.MOST_PAGES


def test_an_answer_about_another_droplet_is_none():
    with pytest.raises(calls.Unavailable, match="is not about it"):
        Script(reply({"droplet": {"id": OTHER, "status": "off"}})).run(droplets.set_power(ME, "off"))


@pytest.mark.parametrize(
    "document",
    [
        {"interfaces": {"public": {}}}, {"interfaces": []}, {"interfaces": {"public": [[]], "private": [None]}},
        {"interfaces": {"public": [{"ipv4": "x", "anchor_ipv4": []}]}}, {"reserved_ip": [], "floating_ip": {"ipv4": 3}},
        {"reserved_ip": {"ipv4": {"active": "true", "ip_address": 7}}}, {"hostname": {}, "region": 5},
    ],
)  # fmt: skip
def test_metadata_of_odd_shapes_is_read_as_far_as_it_goes(document):
    found = answers.normalise_metadata({"droplet_id": ME, **document})
    assert (found.pop("droplet_id"), found.pop("reserved_ip")) == (ME, {"active": False, "ip": None})
    assert set(found.values()) == {None}


@pytest.mark.parametrize("found", [True, 0, -1, 2**63, 1.5, "1", None, [1]])
def test_metadata_without_a_droplet_s_id(found):
    with pytest.raises(ValueError, match="droplet_id"):
        answers.normalise_metadata({"droplet_id": found})


def test_a_name_is_escaped_on_its_way():
    script = Script(reply({"droplets": []}))
    script.run(droplets.read_all("a b#&c\n"))
    assert script.calls[0].path == "/v2/droplets?page=1&per_page=200&name=a%20b%23%26c%0A"


# What no retry will get through, and what fencing needs

LB = {"id": ME, "name": "lb1", "region": {"slug": "nyc3"}, "networks": {"v4": []}}


class Account:
    """Answers by the path, as an account with these addresses and droplets would; refuses every assign."""

    def __init__(self, addresses=(), droplets=(LB,), switch=404):
        self.addresses, self.droplets, self.switch, self.calls, self.now = addresses, droplets, switch, [], 0.0

    def send(self, call, timeout):
        self.calls.append(call)
        path, _, query = call.path.partition("?")
        if path == f"/v2/droplets/{droplets.NO_DROPLET}/actions":
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
    problems, unknown, _ = account.run(droplets.fencing_problems(plugs))
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
    problems, unknown, _ = Account(switch=switch).run(droplets.fencing_problems({"lb1": "lb1"}))
    assert (problems, f"is unknown: HTTP {switch}" in unknown) == ([], True)
