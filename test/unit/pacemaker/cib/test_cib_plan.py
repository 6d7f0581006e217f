"""Comparison and ownership."""

import copy
import random

import pytest

from saltext.pacemaker.cib import parameters, plan
from saltext.pacemaker.cib.document import Document, export
from saltext.pacemaker.errors import CibError
from support.cibs import EMPTY, WIDE, empty, made, unowned

BASE = {
    "properties": {"stonith-enabled": False, "no-quorum-policy": "stop"},
    "primitives": {
        "ip": {
            "agent": "ocf:heartbeat:IPaddr2",
            "params": {"ip": "192.0.2.1"},
            "operations": [{"name": "monitor", "interval": "10s", "timeout": "20s"}],
        },
        "web": {"agent": "systemd:web"},
    },
    "clones": {"webs": {"resource": "web", "meta": {"interleave": True}}},
    "colocations": {"ip-webs": {"resource": "ip", "with": "webs", "score": "INFINITY"}},
}


def changed(path, value):
    """BASE with one value replaced, or taken out by KeyError."""
    data = copy.deepcopy(BASE)
    target = data
    for part in path[:-1]:
        target = target[part]
    if value is KeyError:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return data


SAME = [
    (("primitives", "ip", "operations", 0, "interval"), 10),
    (("primitives", "ip", "operations", 0, "timeout"), "20000ms"),
    (("clones", "webs", "meta", "interleave"), "yes"),
    (("colocations", "ip-webs", "score"), "+INFINITY"),
    (("properties", "stonith-enabled"), "off"),
    (("primitives", "web", "params"), {}),
    (("primitives", "web", "meta"), []),
]
DIFFERENT = [
    (("primitives", "ip", "operations", 0, "interval"), "11s", "primitive ip"),
    (("primitives", "ip", "operations"), KeyError, "primitive ip"),
    (("primitives", "ip", "params", "ip"), "192.0.2.2", "primitive ip"),
    (("primitives", "ip", "params", "nic"), "eth0", "primitive ip"),
    (("primitives", "ip", "agent"), "ocf:heartbeat:IPaddr", "primitive ip"),
    (("clones", "webs", "meta", "interleave"), False, "clone webs"),
    (("colocations", "ip-webs", "score"), "-INFINITY", "colocation ip-webs"),
    (("colocations", "ip-webs"), KeyError, "colocation ip-webs"),
    (("properties", "no-quorum-policy"), "ignore", "property no-quorum-policy"),
    (("properties", "no-quorum-policy"), KeyError, "property no-quorum-policy"),
]


@pytest.mark.parametrize(("path", "value"), SAME, ids=str)
def test_another_spelling_changes_nothing(path, value):
    assert plan.make(made(BASE), changed(path, value), "haproxy_ha").changes == {}


@pytest.mark.parametrize(("path", "value", "what"), DIFFERENT, ids=str)
def test_another_meaning_is_exactly_one_change_and_then_none(path, value, what):
    data = changed(path, value)
    result = plan.make(made(BASE), data, "haproxy_ha")
    assert list(result.changes) == [what]
    assert plan.make(result.after, data, "haproxy_ha").changes == {}


def test_params_are_compared_as_text():
    data = copy.deepcopy(BASE)
    data["primitives"]["ip"]["params"]["flag"] = "yes"
    document = made(data)
    data["primitives"]["ip"]["params"]["flag"] = "true"
    assert list(plan.make(document, data, "haproxy_ha").changes) == ["primitive ip"]


def shuffled(value, rng):
    """The same data with the keys of all mappings in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(one, rng) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_xml_does_not_count(seed):
    rng = random.Random(seed)
    document = made(WIDE)
    for element in document.root.iter():
        if element.tag not in ("group", "resource_set", "rsc_order", "rsc_colocation", "rule", "nodes"):
            kept = list(element)
            sets = [one for one in kept if one.tag in ("instance_attributes", "meta_attributes")]
            if len(sets) < 2:
                rng.shuffle(kept)
                element[:] = kept
    assert plan.make(Document.parse(document.text()), shuffled(WIDE, rng), "haproxy_ha").changes == {}


@pytest.mark.parametrize("members", [["a", "b"], ["b"]])
def test_the_order_of_members_counts(members):
    data = copy.deepcopy(WIDE)
    data["groups"]["g"]["members"] = members
    assert list(plan.make(made(WIDE), data, "haproxy_ha").changes) == ["group g"]


def test_inner_ids_do_not_count():
    text = made(BASE).text()
    for number, name in enumerate(("ip-instance_attributes", "ip-monitor-10s", "webs-meta_attributes-interleave")):
        assert name in text
        text = text.replace(name, f"other{number}")
    assert plan.make(Document.parse(text), BASE, "haproxy_ha").changes == {}


def test_an_inner_id_that_stays_is_kept():
    text = made(BASE).text().replace("ip-instance_attributes-ip", "my-own-id")
    result = plan.make(Document.parse(text), changed(("primitives", "ip", "params", "ip"), "192.0.2.9"), "haproxy_ha")
    assert 'id="my-own-id" name="ip" value="192.0.2.9"' in result.after.text()


def test_what_is_dropped_goes_with_what_refers_to_it():
    foreign = {
        "colocations": {"mine": {"resource": "ip", "with": "web", "score": 5}},
        "orders": {"both": {"sets": [{"resources": ["ip", "web"]}]}},
        "tags": {"t": ["ip", "web"]},
    }
    document = made(foreign, made(BASE), owner="operator", partial=True)
    data = changed(("primitives", "ip"), KeyError)
    del data["colocations"]
    result = plan.make(document, data, "haproxy_ha")
    assert set(result.changes) == {"primitive ip", "colocation ip-webs", "colocation mine", "order both", "tag t"}
    assert export(result.after, "haproxy_ha")["orders"]["both"]["sets"] == [{"resources": ["web"]}]


@pytest.mark.parametrize(("change", "gone"), [
    ((("primitives", "ip"), KeyError), {"ip"}),
    ((("primitives", "ip", "agent"), "ocf:heartbeat:IPaddr"), {"ip"}),
    ((("primitives", "ip", "params", "ip"), "192.0.2.2"), set()),
])  # fmt: skip
def test_what_is_dropped_goes_or_gets_another_agent(change, gone):
    data = changed(*change)
    if change[1] is KeyError:
        del data["colocations"]
    before = made(BASE)
    assert plan.dropped(before, plan.make(before, data, "haproxy_ha").after) == gone


def test_what_dangled_before_stays_as_it_was():
    text = made(BASE).text().replace("</tags>", '<tag id="odd"><obj_ref id="nowhere"/></tag></tags>')
    result = plan.make(Document.parse(text), changed(("colocations",), {}), "haproxy_ha")
    assert list(result.changes) == ["colocation ip-webs"]


def test_an_object_that_becomes_another_kind_keeps_what_refers_to_it():
    data = copy.deepcopy(BASE)
    data["primitives"]["inner"] = data["primitives"].pop("ip")
    data["groups"] = {"ip": {"members": ["inner"]}}
    result = plan.make(made(BASE), data, "haproxy_ha")
    assert set(result.changes) == {"primitive ip", "primitive inner", "group ip"}
    assert plan.make(result.after, data, "haproxy_ha").changes == {}


def test_fencing_levels_lose_the_device_that_goes():
    data = {
        "primitives": {name: {"agent": "stonith:x"} for name in ("f1", "f2")},
        "fencing_levels": {"l1": {"target": "n1", "index": 1, "devices": ["f1", "f2"]},
                           "l2": {"target": "n2", "index": 1, "devices": ["f1"]}},
    }  # fmt: skip
    result = plan.make(made(data), {"primitives": {"f1": None}}, "haproxy_ha", partial=True)
    assert export(result.after)["fencing_levels"] == {"l1": {"target": "n1", "index": "1", "devices": ["f2"]}}


def test_a_clone_goes_with_its_only_resource():
    result = plan.make(made(BASE), {"primitives": {"web": None}}, "haproxy_ha", partial=True)
    assert set(result.changes) == {"primitive web", "clone webs", "colocation ip-webs"}


def test_what_others_made_stays_as_it_was_and_is_listed():
    document = made(
        {"primitives": {"theirs": {"agent": "systemd:x"}}, "properties": {"cluster-delay": "60s"}}, owner="they"
    )
    after = made(BASE, document)
    data = changed(("primitives", "ip", "params", "ip"), "192.0.2.7")
    result = plan.make(after, data, "haproxy_ha")
    assert result.foreign == ["primitive theirs", "property cluster-delay"]
    assert export(result.after)["primitives"]["theirs"] == {"agent": "systemd:x"}
    assert plan.make(result.after, {}, "haproxy_ha").after is not None
    rest = export(plan.make(result.after, {}, "haproxy_ha").after)
    assert rest == {"properties": {"cluster-delay": "60s"}, "primitives": {"theirs": {"agent": "systemd:x"}}}


def test_tags_of_owners_are_no_part_of_the_configuration():
    document = made({"primitives": {"theirs": {"agent": "systemd:x"}}}, owner="they")
    assert "tags" not in export(document)
    assert plan.make(document, {}, "me").foreign == ["primitive theirs"]


def test_purge_removes_what_others_made_but_not_what_operators_set():
    document = made(
        {
            "primitives": {"theirs": {"agent": "systemd:x"}},
            "properties": {"cluster-delay": "60s", "maintenance-mode": "true"},
            "node_attributes": {"n1": {"standby": "on", "rack": "1"}},
            "locations": {"cli-prefer-ip": {"resource": "ip", "node": "n1", "score": "INFINITY"}},
        },
        made(BASE),
        owner="they",
        partial=True,
    )
    result = plan.make(document, BASE, "haproxy_ha", purge=True)
    assert set(result.changes) == {"primitive theirs", "property cluster-delay", "node_attribute n1 rack"}
    assert result.foreign == ["location cli-prefer-ip", "node_attribute n1 standby", "property maintenance-mode"]


@pytest.mark.parametrize("name", ["target-role", "is-managed", "maintenance"])
def test_what_an_operator_set_by_hand_stays_unless_it_is_stated(name):
    data = copy.deepcopy(BASE)
    data["primitives"]["ip"]["meta"] = {name: "false"}
    document = made(data)
    assert plan.make(document, BASE, "haproxy_ha").changes == {}
    after = made(changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), document)
    assert export(after)["switches"] == {"primitives": {"ip": {"meta": {name: "false"}}}}
    stated = copy.deepcopy(BASE)
    stated["primitives"]["ip"]["meta"] = {name: "true"}
    assert list(plan.make(document, stated, "haproxy_ha").changes) == ["primitive ip"]


def test_an_object_is_adopted_by_the_next_commit_or_on_request():
    document = unowned(made(BASE))
    assert plan.make(document, BASE, "haproxy_ha").after is None
    adopted = plan.make(document, BASE, "haproxy_ha", adopt=True)
    assert list(adopted.changes) == ["owner haproxy_ha"]
    assert plan.make(adopted.after, BASE, "haproxy_ha", adopt=True).changes == {}
    later = made(changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), document)
    assert plan.make(later, changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), "haproxy_ha").adoptable == []


CONFLICTS = [
    (changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), "primitive ip"),
    (changed(("properties", "no-quorum-policy"), "ignore"), "property no-quorum-policy"),
    (changed(("properties", "no-quorum-policy"), None), "property no-quorum-policy"),
    ({"colocations": {"ip-webs": None}}, "colocation ip-webs"),
]


@pytest.mark.parametrize(("data", "what"), CONFLICTS, ids=[what for _, what in CONFLICTS])
def test_what_another_owner_has_made_is_not_changed_unless_it_is_said(data, what):
    document = made(BASE, owner="they")
    refused = plan.make(document, data, "haproxy_ha", partial=True)
    assert (refused.after, refused.changes) == (None, {})
    assert refused.conflicts == [
        f"{what} is not as desired and belongs to the owner they: change it there, or say take_over: true"
    ]
    taken = plan.make(document, data, "haproxy_ha", partial=True, take_over=True)
    assert (list(taken.changes), taken.conflicts) == ([what], [])
    again = plan.make(taken.after, data, "haproxy_ha", partial=True)
    assert (again.changes, again.conflicts, again.adoptable) == ({}, [], [])


def test_what_another_owner_has_made_as_desired_stays_its_own():
    document = made(BASE, owner="they")
    same = plan.make(document, BASE, "haproxy_ha", adopt=True)
    assert (same.changes, same.adoptable, same.conflicts) == ({}, [], [])
    more = {**BASE, "primitives": {**BASE["primitives"], "new": {"agent": "systemd:x"}}}
    after = made(more, document)
    assert set(plan.make(after, {}, "haproxy_ha").changes) == {"primitive new"}
    assert export(plan.make(after, {}, "they").after) == {"primitives": {"new": {"agent": "systemd:x"}}}


def test_taking_over_leaves_nothing_to_the_owner_before():
    taken = plan.make(made(BASE, owner="they"), BASE, "haproxy_ha", take_over=True, adopt=True).after
    assert set(taken.owner_tags()) == {"haproxy_ha"}
    assert plan.make(taken, {}, "they").changes == {}
    assert export(plan.make(taken, {}, "haproxy_ha").after) == {}


def test_purge_takes_over_what_others_have_made():
    data = changed(("primitives", "ip", "params", "ip"), "192.0.2.3")
    result = plan.make(made(BASE, owner="they"), data, "haproxy_ha", purge=True)
    assert (list(result.changes), set(result.after.owner_tags())) == (["primitive ip"], {"haproxy_ha"})


def test_partial_data_leaves_the_owners_other_objects():
    result = plan.make(made(BASE), {"primitives": {"ip": None}}, "haproxy_ha", partial=True)
    assert set(result.changes) == {"primitive ip", "colocation ip-webs"}
    assert (
        plan.make(result.after, changed(("primitives", "ip"), KeyError) | {"colocations": {}}, "haproxy_ha").changes
        == {}
    )


def test_resources_move_in_and_out_of_groups():
    grouped = {"primitives": BASE["primitives"], "groups": {"g": {"members": ["ip", "web"]}}}
    alone = {"primitives": BASE["primitives"]}
    document = made(grouped)
    assert [one.tag for one in document.section("resources")] == ["group"]
    result = plan.make(document, alone, "haproxy_ha")
    assert list(result.changes) == ["group g"]
    assert {one.get("id") for one in result.after.section("resources")} == {"ip", "web"}


def test_the_epoch_counts_up_once():
    assert made(BASE).version == (0, 2, 0)


def test_defaults_set_with_several_conditions_change_one_by_one():
    data = copy.deepcopy(WIDE)
    data["resource_defaults"][0]["attributes"]["resource-stickiness"] = "6"
    result = plan.make(made(WIDE), data, "haproxy_ha")
    assert list(result.changes) == ["resource_default resource-stickiness (set night)"]
    assert plan.make(result.after, data, "haproxy_ha").changes == {}


def test_a_removed_object_leaves_the_settings_alone():
    data = {**BASE, "resource_defaults": {"resource-stickiness": 100}}
    result = plan.make(made(data), {**data, "colocations": {}}, "haproxy_ha")
    assert list(result.changes) == ["colocation ip-webs"]


WRONG = [
    ({"primitive": {}}, "primitive: is not a section, did you mean primitives?"),
    ({"primitives": {"x": {}}}, "primitives:x: needs an agent, or else a template"),
    ({"primitives": {"x": {"agent": "Dummy"}}}, "primitives:x:agent: found 'Dummy' (a string)"),
    ({"primitives": {"x": {"agent": "ocf:a:b", "parms": {}}}}, "did you mean params?"),
    ({"primitives": {"x": {"agent": "ocf:a:b", "operations": [{"interval": "1s"}]}}}, "operations:0:name: is missing"),
    ({"primitives": {"x": {"agent": "ocf:a:b", "params": {"a": [1]}}}}, "primitives:x:params:a"),
    ({"primitives": {"x": {"template": "t"}}}, "primitives:x:template: there is no template t"),
    ({"primitives": []}, "primitives: found a list"),
    ({"primitives": {"x": "ocf:a:b"}}, "primitives:x: found 'ocf:a:b' (a string)"),
    ({"clones": {"c": {"resource": "x"}}}, "clones:c:resource: there is no resource x"),
    ({"groups": {"g": {"members": []}}}, "groups:g:members: found a list, allowed: a list of names"),
    ({"colocations": {"c": {"resource": "ip"}}}, "colocations:c:with: is missing"),
    ({"orders": {"o": {"first": "ip", "then": "webz"}}}, "orders:o:then: there is no resource webz, did you mean web"),
    ({"locations": {"l": {"resource": "ip"}}}, "locations:l: needs a node with a score, or else rules"),
    ({"locations": {"l": {"node": "n1", "score": 1}}}, "locations:l: needs one of resource"),
    ({"node_attributes": {"n9": {"a": 1}}}, "node_attributes:n9: the cluster has no node of this name"),
    ({"properties": {"dc-version": "1"}}, "properties:dc-version: is set by the cluster itself"),
    ({"properties": [1]}, "properties"),
    ({"clones": {"ip": {"resource": "web"}}}, "clones:ip: the id is in use by a primitive"),
    ({"acls": {"rolls": {}}}, "acls:rolls"),
    ({"acls": {"targets": {"a": {"roles": ["r"]}}}}, "acls:targets:a:roles: there is no role r"),
    ({"primitives": {"x": {"agent": None}}}, "primitives:x: needs an agent"),
    ({"primitives": {"x": {"agent": "ocf:a:\0"}}}, "primitives:x:agent: holds a character that XML cannot hold"),
    ({"primitives": {"x": {"agent": "ocf:a:b", "operations": {"operations": []}}}}, "primitives:x:operations"),
    ({"primitives": {"x": {"agent": "ocf:a:b", "params": [{"id-ref": "no"}]}}}, "nothing with the id no for its"),
    ({"properties": {"x": b"1"}}, "properties:x: found a bytes, allowed: text"),
    ({"groups": {"g": {"members": ["ip"]}, "h": {"members": ["ip"]}}}, "primitives:ip: is in g and in h"),
    ({"primitives": {"no id": {"agent": "systemd:x"}}}, "primitives:no id: is no id"),
    ([], "configuration: found a list"),
]


@pytest.mark.parametrize(("data", "message"), WRONG, ids=str)
def test_what_cannot_be_is_refused_by_path(data, message):
    with pytest.raises(CibError) as problem:
        plan.make(made(BASE), data, "somebody", partial=True)
    assert message in str(problem.value)


def test_what_is_wrong_is_told_with_its_path():
    """An id may hold what stands between the parts of a path."""
    with pytest.raises(CibError) as error:
        plan.make(empty(), {"primitives": {"a: b": {"agent": "systemd:x"}}}, "o")
    [problem] = error.value.problems
    assert problem.path == ("primitives", "a: b")
    assert problem.text.startswith("is no id")


def test_what_stays_may_not_refer_to_what_goes():
    data = changed(("primitives", "ip"), KeyError)
    with pytest.raises(CibError, match="colocations:ip-webs:resource: there is no resource ip"):
        plan.make(made(BASE), data, "haproxy_ha")


def test_a_node_that_the_cluster_does_not_know_has_no_attributes():
    with pytest.raises(CibError, match="node_attributes:n1: the cluster has no node of this name"):
        plan.make(Document.empty(), {"node_attributes": {"n1": {"a": 1}}}, "o")
    assert plan.make(Document.empty(["n1"]), {"node_attributes": {"n1": {"a": 1}}}, "o").changes


@pytest.mark.parametrize("owner", ["", "1st", "two words", "ip", "new"])
def test_an_owner_needs_an_id_of_its_own(owner):
    data = {"primitives": {"new": {"agent": "systemd:x"}}}
    with pytest.raises(CibError, match="owner"):
        plan.make(made(BASE), data, owner, partial=True)


@pytest.mark.parametrize("params", ["hunter2", ["hunter2"], {"passwd": ["hunter2"]}, [{"attributes": "hunter2"}]])
def test_an_error_never_shows_a_secret(params):
    with pytest.raises(CibError) as problem:
        plan.make(empty(), {"primitives": {"x": {"agent": "stonith:x", "params": params}}}, "o")
    assert "hunter2" not in str(problem.value)


def test_all_errors_are_told_at_once():
    with pytest.raises(CibError) as problem:
        plan.make(empty(), {"primitives": {"x": {}, "y": {}}, "what": {}}, "o")
    assert len(str(problem.value).splitlines()) == 3


def test_a_value_that_pacemaker_would_not_understand_is_doubted_where_it_is_written():
    data = changed(("primitives", "ip", "operations", 0, "timeout"), "soon")
    result = plan.make(empty(), data, "haproxy_ha")
    assert [str(doubt) for doubt in result.doubts] == [
        "primitives:ip:operations:0:timeout: found 'soon' (a string), allowed: a duration such as 10s, 500ms, 2min or "
        "PT1H"
    ]
    assert plan.make(result.after, data, "haproxy_ha").doubts == []


METADATA = """<resource-agent><parameters>
<parameter name="ip" required="1"><content type="string" default=""/></parameter>
<parameter name="nic"><content type="string" default="eth0"/></parameter></parameters></resource-agent>"""


@pytest.mark.parametrize(
    ("agent", "params", "expected"),
    [
        ("ocf:a:b", {"ip": "1"}, []),
        ("ocf:a:b", {"ip": "1", "nik": "x"}, ["the agent ocf:a:b has no parameter nik, did you mean nic?"]),
        ("ocf:a:b", {}, ["the agent ocf:a:b needs the parameter ip"]),
        ("ocf:a:b", {"ip": "1", "trace_ra": "1", "trace_file": "/x", "OCF_CHECK_LEVEL": "10", "CRM_meta_x": "9"}, []),
        ("ocf:a:b", {"ip": "1", "trac_ra": ""}, ["the agent ocf:a:b has no parameter trac_ra, did you mean trace_ra?"]),
        ("ocf:a:b", {"ip": "1", "pcmk_host_list": "x"}, ["the agent ocf:a:b has no parameter pcmk_host_list"]),
        ("stonith:x", {"ip": "1", "pcmk_host_list": "n1", "pcmk_off_timeout": "60s", "pcmk_reboot_retries": "2",
                       "pcmk_monitor_action": "status", "pcmk_delay_base": "n1:5s", "priority": "1",
                       "stonith-timeout": "60s", "provides": "unfencing"}, []),
        ("stonith:x", {"ip": "1", "pcmk_hostlist": "n1"},
         ["the agent stonith:x has no parameter pcmk_hostlist, did you mean pcmk_host_list?"]),
        ("systemd:x", {"anything": "1"}, []),
        ("lsb:x", {"anything": "1"}, []),
        ("service:x", {"anything": "1"}, []),
        ("nagios:x", {"anything": "1"}, []),
        ("upstart:x", {"anything": "1"}, []),
    ],
)  # fmt: skip
def test_params_are_checked_against_the_agents_metadata(agent, params, expected):
    assert parameters.problems(agent, METADATA, params) == expected


def test_the_digest_is_of_the_change():
    one = plan.make(made(BASE), changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), "haproxy_ha").digest
    same = plan.make(made(BASE), changed(("primitives", "ip", "params", "ip"), "192.0.2.3"), "haproxy_ha").digest
    other = plan.make(made(BASE), changed(("primitives", "ip", "params", "ip"), "192.0.2.4"), "haproxy_ha").digest
    assert one == same
    assert one != other


def test_a_tag_without_its_mark_is_an_owners_when_it_has_the_owners_name():
    text = EMPTY.replace("<resources/>", '<resources><primitive id="x" class="service" type="t"/></resources>').replace(
        "<constraints/>", '<constraints/><tags><tag id="me"><obj_ref id="x"/></tag></tags>'
    )
    assert list(plan.make(Document.parse(text), {}, "me").changes) == ["primitive x"]


def test_a_set_of_defaults_that_is_a_reference_is_one_change_and_goes_with_what_it_refers_to():
    meta = [{"id": "shared", "attributes": {"priority": "3"}}]
    data = {"primitives": {"a": {"agent": "ocf:heartbeat:Dummy", "meta": meta}}}
    first = made(data)
    referring = {**data, "resource_defaults": [{"id-ref": "shared"}]}
    result = plan.make(first, referring, "haproxy_ha")
    assert list(result.changes) == ["resource_default_set shared"]
    assert export(result.after)["resource_defaults"] == [{"id-ref": "shared"}]
    assert plan.make(result.after, referring, "haproxy_ha").changes == {}
    assert export(plan.make(result.after, {}, "haproxy_ha").after) == {}
