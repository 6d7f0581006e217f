"""The objects of each of several floating IPs: apart from those of one, of which nothing may change."""

import pytest

from haproxy_ha_lib.cluster import addresses
from support.pillars import REMOVED, valid

LAN = {"floating_ip:provider": "ipaddr2", "floating_ip:address": REMOVED, "floating_ip:api_token": REMOVED}
TWO = {**LAN, "floating_ips": {"web": {"address": "10.132.20.100"}, "mail": {"address": "10.132.20.101"}}}


def configuration(changes):
    return valid(changes).cluster.configuration


def about(built, name):
    """What refers to a resource, by section, without its name."""
    sections = [built[section].items() for section in ("colocations", "orders", "locations")]
    return [[f"{key}: {one}".replace(name, "X") for key, one in found if name in key] for found in sections]


def test_one_by_its_name_is_what_the_short_form_is():
    short = configuration({**LAN, "floating_ip:address": "10.132.20.100"})
    named = configuration({**LAN, "floating_ips": {"web": {"address": "10.132.20.100"}}})
    assert named["primitives"]["FloatIP-web"] == short["primitives"]["FloatIP"]
    takeover = addresses.TAKEOVER_ATTRIBUTE
    expected = str(about(short, "FloatIP")).replace(takeover, f"{takeover}-X")
    expected = expected.replace(f"X-{takeover.removeprefix('haproxy_ha-')}-X", "X-takeover")
    assert str(about(named, "FloatIP-web")) == expected


def test_each_has_objects_of_its_own_and_prefers_the_next_load_balancer():
    built = configuration(TWO)
    assert list(built["primitives"]) == ["haproxy", "FloatIP-web", "FloatIP-mail"]
    assert built["primitives"]["FloatIP-mail"]["params"] == {"ip": "10.132.20.101"}
    assert {name: one for name, one in built["locations"].items() if name.endswith("-prefers")} == {
        "FloatIP-web-prefers": {"resource": "FloatIP-web", "node": "primary", "score": 10},
        "FloatIP-mail-prefers": {"resource": "FloatIP-mail", "node": "secondary", "score": 10},
    }
    assert built["resource_defaults"]["resource-stickiness"] > 10
    [rule] = built["locations"]["FloatIP-mail-handover"]["rules"]
    assert [one["expression"] for one in rule["expressions"]] == [
        {"attribute": "haproxy_ha-handover", "operation": "not_defined"},
        {"attribute": "haproxy_ha-handover-FloatIP-mail", "operation": "not_defined"},
    ]


@pytest.mark.parametrize(("spread", "scores"), [("start", [10, 10]), ("always", [200, 200]), ("never", [])])
def test_how_much_a_preference_counts_is_pillar_s(spread, scores):
    built = configuration({**TWO, "cluster:spread": spread})
    assert [one["score"] for name, one in built["locations"].items() if name.endswith("-prefers")] == scores


def test_pillar_may_say_what_each_prefers():
    named = {"web": {"address": "10.132.20.100", "prefers": "secondary"}, "mail": {"address": "10.132.20.101"}}
    built = configuration({**TWO, "floating_ips": named})
    assert [one["node"] for name, one in built["locations"].items() if "prefers" in name] == ["secondary", "secondary"]


def test_the_short_form_may_be_one_of_several():
    with_short = configuration({"floating_ips": {"lan": {"provider": "ipaddr2", "address": "10.132.20.100"}}})
    assert list(with_short["primitives"]) == ["haproxy", "FloatIP", "FloatIP-lan"]
    alone = configuration({})
    assert with_short["primitives"]["FloatIP"]["params"] == {
        **alone["primitives"]["FloatIP"]["params"], "handover_attribute": "haproxy_ha-handover-FloatIP",
    }  # fmt: skip
    assert {**with_short["primitives"]["FloatIP"], "params": None} == {**alone["primitives"]["FloatIP"], "params": None}


def test_who_stays_with_another_goes_where_that_goes():
    named = {"web": {"address": "10.132.20.100"}, "web6": {"address": "fd00::100", "stays_with": "web"},
             "mail": {"address": "10.132.20.101"}}  # fmt: skip
    built = configuration({**TWO, "floating_ips": named})
    assert built["colocations"]["FloatIP-web6-FloatIP-web"] == {
        "resource": "FloatIP-web6", "with": "FloatIP-web", "score": "INFINITY",
    }  # fmt: skip
    assert not any("web6" in name for name in built["locations"])
    assert built["locations"]["FloatIP-mail-prefers"]["node"] == "secondary"


def test_several_addresses_of_one_are_one_resource():
    named = {"web": {"provider": "lan", "addresses": ["10.132.20.100", "10.132.20.101", "fd00::100"]}}
    primitive = configuration({**LAN, "floating_ips": named})["primitives"]["FloatIP-web"]
    assert primitive["agent"] == "ocf:haproxy_ha:lanip"
    takeover = {"takeover_attribute": "haproxy_ha-takeover-FloatIP-web"}
    assert primitive["params"] == {"address": "10.132.20.100", "addresses": "10.132.20.101 fd00::100", **takeover}


@pytest.mark.parametrize(("number", "interval"), [(1, "10s"), (5, "10s"), (50, "100s")])
def test_many_are_looked_at_as_often_together_as_five(number, interval):
    named = {f"a{one}": {"address": f"10.132.21.{one}"} for one in range(number)}
    for primitive in configuration({**LAN, "floating_ips": named})["primitives"].values():
        if primitive["agent"] == "ocf:heartbeat:IPaddr2":
            assert primitive["operations"][0]["interval"] == interval


def test_with_fencing_whoever_has_any_is_spared():
    named = {"lan": {"provider": "ipaddr2", "address": "10.132.20.100"}}
    built = configuration({"cluster:fencing": {"enabled": True}, "floating_ips": named})
    assert [built["primitives"][name]["meta"]["priority"] for name in ("FloatIP", "FloatIP-lan")] == [10, 10]
