"""Reserved IPv6 addresses: a place of their own in the API, another shape, and no actions to look at."""

import pytest

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.calls import Call
from haproxy_ha_lib.digitalocean import reserved
from support.scripted_api import ACCEPTED, ME, OTHER, PENDING, Script, action, error, reply

ADDRESS = "2001:db8:10::10"
PLACE = f"/v2/reserved_ipv6/{ADDRESS}"
LONG = "2001:0db8:0010:0000:0000:0000:0000:0010"


def entry(owner, ip=ADDRESS, region="nyc3"):
    droplet = {"droplet": {"id": owner} if owner else None} if owner is not ... else {}
    return {"ip": ip, "region_slug": region, "reserved_at": "2026-01-01T00:00:00Z", **droplet}


def shows(owner, **fields):
    return reply({"reserved_ipv6": entry(owner, **fields)})


DROPLET = reply({"droplet": {"id": ME, "region": {"slug": "nyc3"}}})


def test_it_is_asked_for_at_its_own_place():
    script = Script(shows(OTHER))
    found = script.run(reserved.read(ADDRESS, ME))
    assert (found.droplet_id, found.visible, found.locked, found.region) == (OTHER, True, False, "nyc3")
    assert script.calls == [Call("GET", PLACE)]


@pytest.mark.parametrize("ip", [LONG, LONG.upper()])
def test_however_it_is_written_it_is_the_same(ip):
    assert Script(shows(ME, ip=ip)).run(reserved.read(ADDRESS)).droplet_id == ME


@pytest.mark.parametrize("ip", ["2001:db8:10::11", "203.0.113.10", "x", 7])
def test_another_one_is_no_answer(ip):
    with pytest.raises(calls.Unavailable, match="is about another address"):
        Script(shows(ME, ip=ip)).run(reserved.read(ADDRESS))


@pytest.mark.parametrize(("answer", "visible"), [(DROPLET, True), (error(403), False), (error(404), True)])
def test_without_an_owner_a_droplet_tells_whether_one_could_be_seen(answer, visible):
    found = Script(shows(None), answer).run(reserved.read(ADDRESS, ME))
    assert (found.droplet_id, found.visible) == (None, visible)


def test_what_is_left_out_the_metadata_service_tells():
    """The description's examples leave the droplet out where there is none, and for a token that may see none."""
    assert not Script(shows(...)).run(reserved.read(ADDRESS, ME)).visible
    script = Script(shows(...), ACCEPTED, shows(...), action(), shows(...))
    here = iter([False, False, True])
    assert not script.run(reserved.assign(ADDRESS, ME, lambda: next(here))).visible
    assert len(script.posts) == 1


def test_it_is_assigned():
    script = Script(shows(OTHER), ACCEPTED, shows(OTHER), action(), shows(OTHER), action(), shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert script.posts == [Call("POST", f"{PLACE}/actions", {"type": "assign", "droplet_id": ME})]
    assert {call.path for call in script.calls if call.method == "GET"} == {PLACE, "/v2/actions/7"}


def test_one_that_fails_is_asked_for_again():
    script = Script(shows(OTHER), ACCEPTED, shows(OTHER), action("errored"), shows(OTHER), ACCEPTED, shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert script.waits == [pytest.approx(0.15, abs=0.06)]


@pytest.mark.parametrize("status", [403, 404])
def test_one_that_nobody_may_see_is_asked_for_again(status):
    waits = [shows(OTHER), error(status)] * (reserved.SETTLE_POLLS + 1)
    script = Script(shows(OTHER), ACCEPTED, *waits, shows(OTHER), PENDING, shows(OTHER), ACCEPTED, shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME)).droplet_id == ME
    assert len(script.posts) == 3


def test_one_that_is_replaced_is_given_up_at_its_own_place():
    former = "2001:db8:10::9"
    held = reply({"reserved_ipv6": entry(ME, ip=former)})
    free = reply({"reserved_ipv6": entry(None, ip=former)})
    script = Script(shows(OTHER), PENDING, held, ACCEPTED, free, DROPLET, shows(OTHER), ACCEPTED, shows(ME))
    assert script.run(reserved.assign(ADDRESS, ME, replaces=former)).droplet_id == ME
    assert [call.path for call in script.posts] == [
        f"{PLACE}/actions", f"/v2/reserved_ipv6/{former}/actions", f"{PLACE}/actions",
    ]  # fmt: skip


def test_what_is_in_its_way():
    there = reserved.ReservedIP(ADDRESS, OTHER, True, False, "ams3")
    listed = reply({"reserved_ipv6s": [entry(OTHER), entry(ME, ip="2001:db8:10::9")], "links": {}})
    script = Script(listed)
    region, holds = script.run(reserved.obstacles(there, ME, "nyc3"))
    assert "belongs to the region ams3, and droplet 1001 is in nyc3" in region
    assert "droplet 1001 holds 2001:db8:10::9, and a droplet can hold one reserved IPv6 address" in holds
    assert script.calls == [Call("GET", "/v2/reserved_ipv6?page=1&per_page=200")]
    assert Script(listed).run(reserved.obstacles(there, ME, "ams3", replaces="2001:DB8:10::9")) == []
