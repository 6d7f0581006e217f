"""Several addresses that move: what is wrong in pillar, and where HAProxy hears each."""

import pytest

from support.pillars import REMOVED, build, valid

LAN = {"floating_ip:provider": "ipaddr2", "floating_ip:address": REMOVED, "floating_ip:api_token": REMOVED}


def errors(named, **short):
    changes = {**LAN, **{f"floating_ip:{key}": value for key, value in short.items()}, "floating_ips": named}
    return build(changes).errors


WEB = {"address": "10.132.20.100"}
PATH = "haproxy_ha:floating_ips"


@pytest.mark.parametrize(("named", "message"), [
    ({"web": {}}, f"{PATH}:web:address: missing: the address that moves"),
    ({"floating_ip": WEB}, f"{PATH}:floating_ip: found 'floating_ip' (a string), allowed: a name of 1 to 32 letters"),
    ({"9": WEB}, f"{PATH}:9: found '9' (a string), allowed: a name of 1 to 32 letters"),
    ({"web": WEB, "mail": WEB}, f"{PATH}:mail:address: 10.132.20.100 is {PATH}:web:address too"),
    ({"web": {"addresses": ["10.132.20.1", "10.132.20.2"]}},
     f"{PATH}:web:addresses: found some, allowed with provider lan"),
    ({"web": {"address": "10.132.20.10"}}, "haproxy_ha:load_balancers:primary:private_ip: 10.132.20.10 is"),
    ({"web": WEB, "x": {"address": "10.132.20.101", "stays_with": "wbe"}},
     f"{PATH}:x:stays_with: there is no other wbe, did you mean web?"),
    ({"web": {**WEB, "stays_with": "web"}}, f"{PATH}:web:stays_with: there is no other web"),
    ({"a": WEB, "b": {"address": "10.132.20.101", "stays_with": "a"},
      "c": {"address": "10.132.20.102", "stays_with": "b"}},
     f"{PATH}:c:stays_with: found b, which stays with a itself"),
    ({"a": WEB, "b": {"address": "10.132.20.101", "stays_with": "a", "prefers": "primary"}},
     f"{PATH}:b:prefers: found beside stays_with"),
    ({"web": {**WEB, "prefers": "primry"}}, f"{PATH}:web:prefers: primry is no load balancer, did you mean primary?"),
    ({"web": {**WEB, "providr": "ipaddr2"}}, f"{PATH}:web:providr"),
])  # fmt: skip
def test_what_is_wrong_is_told_by_its_path(named, message):
    found = errors(named)
    assert len([text for text in found if text.startswith(message)]) == 1, found


def test_an_address_alone_is_missing_only_where_there_is_none():
    assert build(LAN).errors == ["haproxy_ha:floating_ip:address: missing: the address that moves"]
    assert errors({"web": WEB}) == []


def test_a_droplet_holds_one_address_of_a_family():
    named = {"web": {"address": "203.0.113.11"}}
    [text] = build({"floating_ips": named}).errors
    assert text.startswith(f"{PATH}:web:address: found 203.0.113.11, but haproxy_ha:floating_ip is of the same family")
    [text] = build({"floating_ip:addresses": ["203.0.113.11"]}).errors
    assert text.startswith("haproxy_ha:floating_ip:addresses: found some, allowed with provider lan")


def test_the_token_is_needed_if_any_moves_by_it():
    named = {"lan": {**WEB, "provider": "ipaddr2"}, "web": {"address": "203.0.113.11"}}
    without = {"floating_ip:address": REMOVED, "floating_ip:api_token": REMOVED}
    [text] = build({**without, "floating_ips": named}).errors
    assert text.startswith("haproxy_ha:floating_ip:api_token: missing")
    settings = valid({"floating_ip:address": REMOVED, "floating_ips": named})
    assert [one.resource for one in settings.moving] == ["FloatIP-lan", "FloatIP-web"]
    assert settings.as_dict()["floating_ip"]["needs_token"] and settings.as_dict()["floating_ip"]["pinged"] == [
        "203.0.113.11"
    ]
    assert type(settings).of(settings.as_dict()).moving == settings.moving


def test_those_are_pinged_that_are_looked_at_before_they_are_taken():
    lan = {"floating_ip:provider": "lan", "floating_ip:address": REMOVED, "floating_ip:api_token": REMOVED}
    named = {f"a{one}": {"address": f"10.132.21.{one}", "addresses": [f"10.132.22.{one}"]} for one in range(1, 50)}
    named = {"six": {"address": "fd00::100"}, **named}
    pinged = valid({**lan, "floating_ips": named}).as_dict()["floating_ip"]["pinged"]
    assert pinged == ["fd00::100", *(f"10.132.21.{one}" for one in range(1, 5))]
    assert valid({**lan, "floating_ip:provider": "ipaddr2", "floating_ips": {"a": WEB}}).as_dict()["floating_ip"][
        "pinged"
    ] == []


@pytest.mark.parametrize(
    ("changes", "routed"),
    [
        ({}, False),
        ({"floating_ips": {"six": {"address": "2001:db8::10"}}}, True),
        ({"floating_ip:provider": "hetzner", "load_balancers:primary:anchor_ip": REMOVED,
          "load_balancers:secondary:anchor_ip": REMOVED}, True),
        ({"floating_ip:provider": "lan", "floating_ip:address": "fd00::100", "floating_ip:api_token": REMOVED}, True),
        ({"floating_ip:provider": "ipaddr2", "floating_ip:api_token": REMOVED}, False),
    ],
)  # fmt: skip
def test_what_comes_as_it_is_comes_with_what_is_under_way(changes, routed):
    assert valid(changes).as_dict()["floating_ip"]["is_routed"] is routed


def heard(changes, *binds):
    """Where HAProxy of the primary listens, by its binds in pillar."""
    frontend = valid({**changes, "haproxy:frontends:http:bind": list(binds)}).haproxy["frontends"]["http"]
    return [f"{bind['address']} {bind['port']} {bind['options']}".strip() for bind in frontend["bind"]]


TWO = {"web": {"provider": "lan", "addresses": ["10.132.20.100", "fd00::100"]}, "mail": {"address": "10.132.20.101"}}


def test_anchor_is_where_all_arrive_and_a_name_where_that_one_does():
    lan = {**LAN, "floating_ips": TWO}
    assert heard(lan, "anchor:80 v4v6") == [
        "10.132.20.100 80 transparent v4v6", "fd00::100 80 transparent v4v6", "10.132.20.101 80 transparent v4v6",
    ]  # fmt: skip
    assert heard(lan, "floating:mail:25") == ["10.132.20.101 25 transparent"]
    beside = {"floating_ips": {"lan": {**WEB, "provider": "ipaddr2"}}}
    assert heard(beside, "anchor:80") == ["10.17.1.18 80", "10.132.20.100 80 transparent"]
    assert heard(beside, "floating:lan:80", "private:81") == ["10.132.20.100 80 transparent", "10.132.20.10 81"]


def test_an_unknown_name_in_a_bind_is_told():
    [text] = build({**LAN, "floating_ips": TWO, "haproxy:frontends:http:bind": ["floating:mial:80"]}).errors
    assert text == ("haproxy_ha:haproxy:frontends:http:bind:0: there is no floating IP floating:mial, did you mean "
                    "floating:mail?")


@pytest.mark.parametrize("binds", [["anchor:80", "floating:mail:80"], ["floating:mail:80", "10.132.20.101:80"]])
def test_two_binds_that_mean_one_address_are_told(binds):
    found = build({**LAN, "floating_ips": TWO, "haproxy:frontends:http:bind": binds}).errors
    assert [text for text in found if "haproxy:frontends:http:bind:1: " in text and "bound" in text], found
