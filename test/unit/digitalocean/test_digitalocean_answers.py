"""Droplets, metadata and words of the API, and answers of any shape."""

import pytest

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Reply
from haproxy_ha_lib.digitalocean import metadata, reserved
from haproxy_ha_lib.digitalocean.droplets import DROPLETS
from support.scripted_api import ADDRESS, HTML, ME, OTHER, RESET, Script, error, reply


def test_droplets_come_from_all_pages_and_by_their_whole_name():
    first = {"droplets": [{"id": 1, "name": "lb"}], "links": {"pages": {"next": "https://x"}}}
    second = {"droplets": [{"id": 2, "name": "lb-2"}], "links": {}}
    script = Script(reply(first), reply(second))
    assert [entry["id"] for entry in script.run(DROPLETS.read_all("lb"))] == [1]
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
    assert metadata.normalised(METADATA) == {
        "droplet_id": ME,
        "hostname": "primary",
        "region": "nyc3",
        "public_ip": "203.0.113.21",
        "private_ip": "10.132.20.10",
        "anchor_ip": "10.17.1.18",
        "public_ipv6": None,
        "reserved_ip": {"active": True, "ip": ADDRESS},
        "reserved_ipv6": {"active": False, "ip": None},
    }
    assert metadata.normalised([METADATA]) == metadata.normalised(METADATA)


def test_metadata_of_a_bare_droplet():
    found = metadata.normalised({"droplet_id": ME})
    assert found["reserved_ip"] == {"active": False, "ip": None}
    assert {found[key] for key in ("public_ip", "private_ip", "anchor_ip")} == {None}


def test_metadata_of_a_droplet_with_ipv6():
    public = {"ipv6": {"ip_address": "2001:db8:21::21", "cidr": 64, "gateway": "2001:db8:21::1"}}
    reserved = {"ipv4": {"active": False}, "ipv6": {"active": True, "ip_address": "2001:db8:10::10"}}
    found = metadata.normalised({"droplet_id": ME, "interfaces": {"public": [public]}, "reserved_ip": reserved})
    assert found["public_ipv6"] == "2001:db8:21::21"
    assert not found["reserved_ip"]["active"]
    assert found["reserved_ipv6"] == {"active": True, "ip": "2001:db8:10::10"}


def test_metadata_in_the_old_spelling():
    old = {"droplet_id": ME, "floating_ip": {"ipv4": {"active": True, "ip_address": ADDRESS}}}
    assert metadata.normalised(old)["reserved_ip"] == {"active": True, "ip": ADDRESS}


@pytest.mark.parametrize("document", [None, [], "x", {}, {"droplet_id": "1"}, [{"droplet_id": 1}, {"droplet_id": 2}]])
def test_no_metadata(document):
    with pytest.raises(ValueError, match="droplet_id"):
        metadata.normalised(document)


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
        Script(reply(document)).run(DROPLETS.read_all(tries=1))


def test_a_droplet_of_odd_fields_is_read_as_far_as_it_goes():
    odd = {"id": 7, "name": "a\n\ud800b", "networks": {"v4": [None, {"type": [], "ip_address": 3}]}, "tags": 5,
           "region": "nyc3", "status": None}  # fmt: skip
    assert DROPLETS.summary(odd) == {
        "id": 7, "name": "a??b", "status": None, "locked": False, "region": None, "tags": [],
        "public_ip": None, "private_ip": None,
    }  # fmt: skip


def test_a_list_without_an_end_ends():
    script = Script(reply({"droplets": [], "links": {"pages": {"next": "https://x"}}}))
    with pytest.raises(calls.Unavailable, match="more than 50 pages"):
        script.run(DROPLETS.read_all())
    assert len(script.calls) == calls.MOST_PAGES


def test_an_answer_about_another_droplet_is_none():
    with pytest.raises(calls.Unavailable, match="is not about it"):
        Script(reply({"droplet": {"id": OTHER, "status": "off"}})).run(DROPLETS.set_power(ME, "off"))


@pytest.mark.parametrize(
    "document",
    [
        {"interfaces": {"public": {}}}, {"interfaces": []}, {"interfaces": {"public": [[]], "private": [None]}},
        {"interfaces": {"public": [{"ipv4": "x", "anchor_ipv4": []}]}}, {"reserved_ip": [], "floating_ip": {"ipv4": 3}},
        {"reserved_ip": {"ipv4": {"active": "true", "ip_address": 7}}}, {"hostname": {}, "region": 5},
    ],
)  # fmt: skip
def test_metadata_of_odd_shapes_is_read_as_far_as_it_goes(document):
    found = metadata.normalised({"droplet_id": ME, **document})
    assert found.pop("droplet_id") == ME
    assert [found.pop(name) for name in ("reserved_ip", "reserved_ipv6")] == [{"active": False, "ip": None}] * 2
    assert set(found.values()) == {None}


@pytest.mark.parametrize("found", [True, 0, -1, 2**63, 1.5, "1", None, [1]])
def test_metadata_without_a_droplet_s_id(found):
    with pytest.raises(ValueError, match="droplet_id"):
        metadata.normalised({"droplet_id": found})


def test_a_name_is_escaped_on_its_way():
    script = Script(reply({"droplets": []}))
    script.run(DROPLETS.read_all("a b#&c\n"))
    assert script.calls[0].path == "/v2/droplets?page=1&per_page=200&name=a%20b%23%26c%0A"
