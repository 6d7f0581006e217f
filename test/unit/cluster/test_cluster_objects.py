import pytest

from haproxy_ha_lib.cluster import objects
from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import export
from support.cibs import made
from support.pillars import valid


def configuration(changes=None):
    return valid(changes).cluster.configuration


def timeouts(primitive):
    return {one["name"]: (one["interval"], one["timeout"]) for one in primitive["operations"]}


def test_the_built_in_objects():
    built_in = configuration()
    assert set(built_in) == {
        "properties", "resource_defaults", "primitives", "clones", "colocations", "orders", "locations",
    }
    assert built_in["properties"] == {
        "no-quorum-policy": "stop", "start-failure-is-fatal": False, "stonith-enabled": False,
        "load-threshold": "100000%", "transition-delay": "60ms", "dc-deadtime": "2s",
    }
    assert built_in["resource_defaults"] == {"resource-stickiness": 100}
    assert built_in["clones"] == {"haproxy-clone": {"resource": "haproxy", "meta": {"interleave": True}}}
    assert built_in["colocations"] == {
        "FloatIP-haproxy": {"resource": "FloatIP", "with": "haproxy-clone", "score": "INFINITY"}
    }
    handover, takeover, reach, cut_off = (
        {"attribute": f"haproxy_ha-{name}", "operation": operation}
        for name, operation in (
            ("handover", "not_defined"), ("takeover", "defined"), ("reach", "defined"), ("cut-off", "defined"),
        )
    )
    assert built_in["locations"] == {
        "FloatIP-handover": {
            "resource": "FloatIP", "rules": [{"score": 100000, "expressions": [{"expression": handover}]}],
        },
        "FloatIP-takeover": {
            "resource": "FloatIP", "rules": [{"score": 500, "expressions": [{"expression": takeover}]}],
        },
        "FloatIP-reach": {
            "resource": "FloatIP",
            "rules": [{"score-attribute": "haproxy_ha-reach", "expressions": [{"expression": reach}]}],
        },
        "FloatIP-reach-unknown": {
            "resource": "FloatIP",
            "rules": [{"score": 2000, "expressions": [{"expression": {**reach, "operation": "not_defined"}}]}],
        },
        "FloatIP-cut-off": {
            "resource": "FloatIP",
            "rules": [{"score-attribute": "haproxy_ha-cut-off", "expressions": [{"expression": cut_off}]}],
        },
    }
    assert built_in["orders"] == {
        "haproxy-before-FloatIP": {
            "first": "haproxy-clone", "then": "FloatIP", "kind": "Mandatory", "symmetrical": False,
        }
    }


def test_the_built_in_primitives():
    primitives = configuration()["primitives"]
    assert list(primitives) == ["haproxy", "FloatIP"]
    assert primitives["haproxy"]["agent"] == "ocf:haproxy_ha:haproxy"
    assert timeouts(primitives["haproxy"]) == {"monitor": ("5s", "10s"), "start": ("0s", "30s"), "stop": ("0s", "40s")}
    assert primitives["FloatIP"]["agent"] == "ocf:haproxy_ha:floatip"
    assert primitives["FloatIP"]["params"] == {"address": "203.0.113.10"}
    assert timeouts(primitives["FloatIP"]) == {"monitor": ("10s", "20s"), "start": ("0s", "60s"), "stop": ("0s", "20s")}


@pytest.mark.parametrize("name", ["haproxy", "FloatIP"])
def test_a_failure_is_forgotten_only_after_the_longest_operation(name):
    primitive = configuration()["primitives"][name]
    longest = max(int(timeout.rstrip("s")) for _, timeout in timeouts(primitive).values())
    assert int(primitive["meta"]["failure-timeout"].rstrip("s")) > longest
    assert primitive["meta"]["migration-threshold"] > 0


def test_of_three_a_takeover_decides_between_claims_and_not_over_what_is_reached():
    third = {"load_balancers:third": {"private_ip": "10.132.20.12", "anchor_ip": "10.17.1.20"}}
    locations = configuration(third)["locations"]
    [rule] = locations["FloatIP-takeover"]["rules"]
    assert 0 < rule["score"] < configuration(third)["resource_defaults"]["resource-stickiness"]


def test_every_node_has_the_same_configuration():
    assert configuration() == valid(minion_id="secondary").cluster.configuration


def test_only_parameters_that_differ_from_the_agent_s_defaults_are_given():
    changes = {"floating_ip:api_url": "https://10.0.0.1:8443", "floating_ip:metadata_url": "http://169.254.169.254",
               "floating_ip:params": {"extra": 5}}
    assert configuration(changes)["primitives"]["FloatIP"]["params"] == {
        "address": "203.0.113.10", "api_url": "https://10.0.0.1:8443", "extra": 5,
    }


@pytest.mark.parametrize("floating_ip, agent, params", [
    ({"address": "10.132.20.100", "provider": "ipaddr2", "params": {"nic": "eth1"}},
     "ocf:heartbeat:IPaddr2", {"ip": "10.132.20.100", "nic": "eth1"}),
    ({"agent": "ocf:example:elastic", "params": {"allocation": "x-1"}}, "ocf:example:elastic", {"allocation": "x-1"}),
])
def test_another_provider_is_one_line(floating_ip, agent, params):
    primitive = configuration({"floating_ip": floating_ip})["primitives"]["FloatIP"]
    assert (primitive["agent"], primitive["params"]) == (agent, params)
    assert set(timeouts(primitive)) == {"monitor", "start", "stop"}


def test_pillar_s_objects_are_merged_over_the_built_in_ones():
    changed = configuration({
        "cluster:properties": {"cluster-delay": "30s", "no-quorum-policy": "freeze", "start-failure-is-fatal": None},
        "cluster:primitives": {
            "haproxy": {"meta": {"failure-timeout": "5min", "migration-threshold": None},
                        "operations": [{"name": "monitor", "interval": "15s"}]},
            "mail": {"agent": "ocf:heartbeat:MailTo", "params": None},
        },
        "cluster:groups": {"extra": {"members": ["mail"]}},
    })
    assert changed["properties"] == {
        "no-quorum-policy": "freeze", "stonith-enabled": False, "load-threshold": "100000%", "cluster-delay": "30s",
        "transition-delay": "60ms", "dc-deadtime": "2s",
    }
    assert changed["primitives"]["haproxy"] == {
        "agent": "ocf:haproxy_ha:haproxy",
        "meta": {"failure-timeout": "5min"},
        "operations": [{"name": "monitor", "interval": "15s"}],
    }
    assert changed["primitives"]["mail"] == {"agent": "ocf:heartbeat:MailTo"}
    assert changed["groups"] == {"extra": {"members": ["mail"]}}


def test_options_may_be_sets_with_rules():
    sets = [{"attributes": {"resource-stickiness": 0}, "score": 10}]
    assert configuration({"cluster:resource_defaults": sets})["resource_defaults"] == sets


def test_null_takes_a_built_in_away():
    changed = configuration({"cluster:orders": {"haproxy-before-FloatIP": None}})
    assert "orders" not in changed


def test_with_a_fence_device_fencing_is_left_on():
    fence = {"cluster:primitives": {"fence": {"agent": "stonith:fence_xvm"}}}
    assert "stonith-enabled" not in configuration(fence)["properties"]


@pytest.mark.parametrize("given", [
    {"cluster:fencing": {"enabled": True}},
    {"cluster:primitives": {"fence": {"agent": "stonith:fence_xvm"}}},
    {"cluster:properties": {"stonith-enabled": "yes"}},
])
def test_with_fencing_a_node_that_boots_more_slowly_is_waited_for(given):
    assert configuration(given)["properties"]["dc-deadtime"] == "20s"


def test_the_fence_agent_knows_the_droplets_of_other_names():
    named = configuration({"cluster:fencing": {"enabled": True, "droplets": {"primary": "lb1", "secondary": 77}}})
    assert named["primitives"]["fencing"]["params"]["droplets"] == "primary:lb1;secondary:77"
    assert objects.fenced_by_api(named, ["primary", "secondary", "third"]) == {
        "primary": "lb1", "secondary": "77", "third": "third",
    }  # fmt: skip


def test_what_pacemaker_s_own_map_says_is_told_to_the_agent_too():
    own = {"cluster:primitives": {"fencing": {"params": {"pcmk_host_map": "primary:lb1;secondary:lb2 third:3"}}}}
    params = configuration({"cluster:fencing": {"enabled": True}, **own})["primitives"]["fencing"]["params"]
    assert params["droplets"] == "primary:lb1;secondary:lb2;third:3"


def test_another_fence_agent_is_not_looked_into():
    other = {"cluster:primitives": {"fence": {"agent": "stonith:fence_xvm"}}}
    assert objects.fenced_by_api(configuration(other), ["primary"]) == {}
    assert objects.fenced_by_api(configuration({}), ["primary"]) == {}


def test_fencing_is_one_pillar_line():
    changed = configuration({"cluster:fencing": {"enabled": True, "delay": 10}})
    assert changed["primitives"]["fencing"] == {
        "agent": "stonith:fence_haproxy_ha_digitalocean",
        "params": {"ca_file": "/etc/ssl/certs/ca-certificates.crt"},
        "meta": {"migration-threshold": 3, "failure-timeout": "120s"},
        "operations": [{"name": "monitor", "interval": "60s", "timeout": "20s"}],
    }
    assert changed["properties"]["stonith-enabled"] is True
    assert changed["properties"]["priority-fencing-delay"] == "10s"
    assert changed["primitives"]["FloatIP"]["meta"]["priority"] == 10
    assert changed["primitives"]["FloatIP"]["meta"]["migration-threshold"] == 3


@pytest.mark.parametrize(("delay", "told"), [(0, None), (15, None), (16, "41"), (600, "625")])
def test_who_is_cut_off_waits_for_longer_than_who_is_not(delay, told):
    params = configuration({"cluster:fencing": {"enabled": True, "delay": delay}})["primitives"]["fencing"]["params"]
    assert params.get("alone_delay") == told


def test_a_constraint_may_name_a_tag():
    changes = {"cluster:tags": {"ours": ["FloatIP"]},
               "cluster:locations": {"x": {"resource": "ours", "node": "primary", "score": 50}}}
    assert configuration(changes)["locations"]["x"]["resource"] == "ours"


OTHERS = [
    ({"primitives": {"lb": {"agent": "ocf:heartbeat:haproxy"}}}, "primitive lb (ocf:heartbeat:haproxy) runs HAProxy"),
    ({"primitives": {"lb": {"agent": "systemd:haproxy"}}}, "primitive lb (systemd:haproxy) runs HAProxy"),
    ({"primitives": {"lb": {"agent": "systemd:haproxy@one.service"}}}, "primitive lb (systemd:haproxy@one.se"),
    ({"primitives": {"lb": {"agent": "lsb:haproxy"}}}, "primitive lb (lsb:haproxy) runs HAProxy"),
    ({"primitives": {"lb": {"agent": "service:haproxy"}}}, "primitive lb (service:haproxy) runs HAProxy"),
    ({"templates": {"t": {"agent": "systemd:haproxy"}}, "primitives": {"lb": {"template": "t"}}}, "primitive lb"),
    ({"clones": {"lb": {"resource": "haproxy"}}}, "clone lb holds haproxy"),
    ({"groups": {"lb": {"members": ["x", "FloatIP"]}}}, "group lb holds FloatIP"),
    ({"primitives": {"lb": {"agent": "ocf:digitalocean:floatip", "params": {"floating_ip": "203.0.113.10"}}}},
     "primitive lb (ocf:digitalocean:floatip) has the address 203.0.113.10, as FloatIP will"),
    ({"primitives": {"lb": {"agent": "ocf:heartbeat:IPaddr2", "params": [
        {"rule": {}, "attributes": {"nic": "eth0"}}, {"attributes": {"ip": "203.0.113.10/32"}}]}}},
     "primitive lb (ocf:heartbeat:IPaddr2) has the address"),
]  # fmt: skip


@pytest.mark.parametrize(("others", "said"), OTHERS, ids=[said for _, said in OTHERS])
def test_a_second_one_of_what_there_is_once_is_told_with_the_way_out(others, said):
    [text] = objects.twins(configuration(), others, valid().moving)
    assert said in text
    assert "haproxy_ha:cluster:replaces: [lb] in pillar takes it away" in text


@pytest.mark.parametrize("others", [
    {"primitives": {"web": {"agent": "systemd:nginx"}, "x": {"agent": "systemd:haproxy-exporter"}}},
    {"primitives": {"vip": {"agent": "ocf:heartbeat:IPaddr2", "params": {"ip": "203.0.113.11"}}}},
    {"clones": {"c": {"resource": "web"}}, "groups": {"g": {"members": ["web"]}}},
])
def test_what_others_have_besides_is_theirs(others):
    assert list(objects.twins(configuration(), others, valid().moving)) == []


def test_who_has_no_haproxy_in_the_cluster_may_have_one_of_his_own():
    without = configuration({"cluster:primitives": {"haproxy": None}, "cluster:clones": {"haproxy-clone": None},
                             "cluster:colocations": {"FloatIP-haproxy": None},
                             "cluster:orders": {"haproxy-before-FloatIP": None}})  # fmt: skip
    assert list(objects.twins(without, {"primitives": {"lb": {"agent": "systemd:haproxy"}}}, ())) == []


def test_what_is_replaced_must_not_be_there_whatever_it_is():
    built = configuration({"cluster:replaces": ["lb", "vip"]})
    for section in ("primitives", "groups", "clones", "bundles"):
        assert built[section]["lb"] is built[section]["vip"] is None
    assert configuration()["primitives"].keys() == {"haproxy", "FloatIP"}


def test_what_is_replaced_goes_with_what_refers_to_it_in_one_commit():
    before = made({
        "primitives": {"lb": {"agent": "systemd:haproxy"}, "haproxy": {"agent": "systemd:web"}},
        "clones": {"lb-clone": {"resource": "lb"}, "mine": {"resource": "haproxy"}},
        "colocations": {"c": {"resource": "haproxy", "with": "lb-clone", "score": "5"}},
    }, owner="they")  # fmt: skip
    wanted = configuration({"cluster:replaces": ["lb", "mine"]})
    result = plan.make(before, wanted, "haproxy_ha", take_over=True)
    assert {"primitive lb", "clone lb-clone", "clone mine", "colocation c"} <= set(result.changes)
    assert plan.make(result.after, wanted, "haproxy_ha").changes == {}
    assert export(result.after)["clones"] == {"haproxy-clone": {"resource": "haproxy", "meta": {"interleave": "true"}}}
