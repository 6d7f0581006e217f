"""What operators and agents set while a cluster runs is shown apart, and nothing that is adopted is set back."""

import copy

import pytest

from saltext.pacemaker.cib import nvsets, plan
from saltext.pacemaker.cib.document import Document, export
from saltext.pacemaker.errors import CibError
from support.cibs import empty, made

BARE = """<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="p1" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources>
 <template id="t" class="ocf" provider="heartbeat" type="Dummy"/>
 <group id="g"><primitive id="a" class="ocf" provider="heartbeat" type="Dummy">
  <instance_attributes id="a-i"><nvpair id="a-i-s" name="state" value="/run/a"/></instance_attributes>
  <operations><op id="a-m" name="monitor" interval="10s" timeout="20s"/>
   <op id="a-0" name="start" interval="0" timeout="9s"/></operations>
 </primitive></group>
 <clone id="c"><primitive id="d" class="systemd" type="d"/></clone>
 <bundle id="b"><docker image="i:1"/></bundle>
 <primitive id="vm" class="ocf" provider="heartbeat" type="VirtualDomain"/>
</resources>
<constraints/>
<alerts><alert id="al" path="/bin/alert"><recipient id="al-r" value="ops"/></alert></alerts>
<rsc_defaults><meta_attributes id="rsc-options"><nvpair id="d1" name="resource-stickiness" value="1"/></meta_attributes>
</rsc_defaults></configuration><status/></cib>"""


def nvset(tag, **values):
    """A set of names and values with no condition."""
    base = f"{tag}-{'-'.join(values)}"
    pairs = "".join(f'<nvpair id="{base}-{i}" name="{n}" value="{v}"/>' for i, (n, v) in enumerate(values.items()))
    return f'<{tag} id="{base}">{pairs}</{tag}>'


def meta(**values):
    return nvset("meta_attributes", **{name.replace("_", "-"): value for name, value in values.items()})


def inside(start, content):
    """BARE with ``content`` put behind the tag that begins with ``start``; an empty element is opened."""
    begin = BARE.index(start)
    end = BARE.index(">", begin) + 1
    tag = BARE[begin:end]
    if tag.endswith("/>"):
        name = tag[1:].split()[0].rstrip("/>")
        return BARE[:begin] + tag[:-2] + f">{content}</{name}>" + BARE[end:]
    return BARE[:end] + content + BARE[end:]


def in_main(name, value):
    return inside('<cluster_property_set id="cib-boot', f'<nvpair id="sw" name="{name}" value="{value}"/>')


BAN = '<rsc_location id="cli-ban-a-on-n1" rsc="a" node="n1" score="-INFINITY" role="Started"/>'
PREFER = '<rsc_location id="cli-prefer-c" rsc="c" role="Started" node="n2" score="INFINITY"/>'
RELOCATE = '<rsc_location id="pcs-relocate-a" rsc="a" node="n2" score="1"/>'
SWITCHES = {
    "maintenance-mode": in_main("maintenance-mode", "true"),
    "stop-all-resources": in_main("stop-all-resources", "true"),
    "a set of its own": inside("<crm_config", nvset("cluster_property_set", **{"maintenance-mode": "true"})),
    "a node in standby": inside('<node id="1"', nvset("instance_attributes", standby="on")),
    "a node in maintenance": inside('<node id="2"', nvset("instance_attributes", maintenance="true")),
    "a primitive stopped": inside('<primitive id="a"', meta(target_role="Stopped")),
    "a primitive started": inside('<primitive id="a"', meta(target_role="Started")),
    "a primitive unmanaged": inside('<primitive id="d"', meta(is_managed="false")),
    "a group unmanaged": inside('<group id="g"', meta(is_managed="false")),
    "a clone in maintenance": inside('<clone id="c"', meta(maintenance="true")),
    "a bundle stopped": inside('<bundle id="b"', meta(target_role="Stopped")),
    "a template unmanaged": inside('<template id="t"', meta(is_managed="false")),
    "all unmanaged": inside('<meta_attributes id="rsc-options"', '<nvpair id="sw" name="is-managed" value="false"/>'),
    "a ban": inside("<constraints/>", BAN),
    "a move": inside("<constraints/>", PREFER),
    "a relocation": inside("<constraints/>", RELOCATE),
    "a monitor off": BARE.replace('<op id="a-m"', '<op id="a-m" enabled="0"'),
    "a trace": inside('<instance_attributes id="a-i"', '<nvpair id="sw" name="trace_ra" value="1"/>'),
    "a trace of one operation": inside('<op id="a-0"', nvset("instance_attributes", trace_ra="1")),
    "a trace of an operation made for it": inside(
        "<operations>", f'<op id="sw" name="stop" interval="0">{nvset("instance_attributes", trace_ra="1")}</op>'
    ),
    "a trace where there was no operation": inside(
        '<primitive id="d"',
        f'<operations><op id="sw" name="stop" interval="0">{nvset("instance_attributes", trace_ra="1")}</op>'
        "</operations>",
    ),
    "an alert off": inside('<alert id="al"', meta(enabled="false")),
    "a recipient off": inside('<recipient id="al-r"', meta(enabled="false")),
}
STATE = {
    "an attribute of a node": inside('<node id="1"', nvset("instance_attributes", **{"pgsql-data-status": "LATEST"})),
    "a health": inside('<node id="2"', nvset("instance_attributes", **{"#health-disk": "green"})),
    "a node's utilization": inside('<node id="1"', nvset("utilization", cpu="8")),
    "a set of properties": inside("<crm_config", nvset("cluster_property_set", redis_REPL_INFO="n1")),
    "a property of nobody's": in_main("azure-events-az_globalPullState", "PULLING"),
    "a virtual machine's utilization": inside('<primitive id="vm"', nvset("utilization", cpu="2", hv_memory="512")),
    "a constraint of DRBD's": inside(
        "<constraints/>",
        '<rsc_location id="drbd-fence-by-handler-r0-c" rsc="c"><rule id="r" role="Promoted" score="-INFINITY">'
        '<expression id="e" attribute="#uname" operation="ne" value="n1"/></rule></rsc_location>',
    ),
}
ALL = {**SWITCHES, **STATE}


def adopted(text):
    """What is exported of a CIB, and the CIB once that is applied and owned."""
    document = Document.parse(text)
    data = export(document)
    result = plan.make(document, data, "me", adopt=True)
    return data, result.after


def with_sections(document, other):
    """``document`` with the configuration of the CIB ``other``, and its own tags."""
    text = Document.parse(other).text()
    tags = next(one for one in document.root.iter("tags"))
    result = Document.parse(text)
    result.configuration.append(copy.deepcopy(tags))
    return Document.parse(result.text())


@pytest.mark.parametrize("what", ALL)
def test_what_is_set_later_stays_as_it_was_set(what):
    data, owned = adopted(BARE)
    later = with_sections(owned, ALL[what])
    for options in ({}, {"adopt": True}, {"purge": True}):
        result = plan.make(later, data, "me", **options)
        assert (result.changes, result.after) == ({}, None), options


@pytest.mark.parametrize("what", ALL)
def test_what_was_set_while_it_was_exported_is_not_set_again(what):
    data, owned = adopted(ALL[what])
    later = with_sections(owned, BARE)
    for options in ({}, {"purge": True}):
        result = plan.make(later, data, "me", **options)
        assert (result.changes, result.after) == ({}, None), options


@pytest.mark.parametrize("what", ALL)
def test_it_is_exported_apart_and_a_change_of_something_else_keeps_it(what):
    document = Document.parse(ALL[what])
    data, bare = export(document), export(Document.parse(BARE))
    section = "switches" if what in SWITCHES else "observed"
    assert {name: content for name, content in data.items() if name != section} == bare
    assert data[section]
    changed = copy.deepcopy(bare)
    changed["primitives"]["a"]["params"]["state"] = "/run/b"
    changed["primitives"]["a"]["operations"][0]["timeout"] = "30s"
    changed["clones"]["c"]["meta"] = {"interleave": "true"}
    changed["groups"]["g"]["meta"] = {"priority": "1"}
    changed["templates"]["t"]["meta"] = {"priority": "1"}
    changed["alerts"]["al"]["meta"] = {"timeout": "9s"}
    changed["resource_defaults"]["resource-stickiness"] = "2"
    changed["properties"]["cluster-delay"] = "70s"
    after = plan.make(document, changed, "me").after
    assert export(after)[section] == data[section]
    assert plan.make(after, changed, "me", purge=True).changes == {}


@pytest.mark.parametrize("what", SWITCHES)
def test_a_switch_that_is_stated_is_set(what):
    """Moved from its section into the place where it is configuration."""
    data = export(Document.parse(SWITCHES[what]))
    stated = merged({name: content for name, content in data.items() if name != "switches"}, data["switches"])
    bare = Document.parse(BARE)
    result = plan.make(bare, stated, "me")
    assert len(result.changes) == 1
    assert export(result.after)["switches"] == data["switches"]
    assert plan.make(result.after, stated, "me").changes == {}


def merged(one, other):
    """Two data as one; operations by their names."""
    if isinstance(one, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return {key: merged(one[key], other[key]) if key in one and key in other else one.get(key, other.get(key))
                for key in keys}
    if isinstance(one, list):
        found = {item["name"]: item for item in other}
        return [{**item, **found.pop(item["name"], {})} for item in one] + list(found.values())
    return other


def test_a_switch_is_taken_away_only_by_null():
    stated = {"properties": {"stonith-enabled": "false", "maintenance-mode": "true"}}
    document = made(stated, owner="me")
    less = {"properties": {"stonith-enabled": "false"}}
    for options in ({}, {"purge": True}):
        assert plan.make(document, less, "me", **options).changes == {}
    gone = plan.make(document, {"properties": {**less["properties"], "maintenance-mode": None}}, "me")
    assert gone.changes == {"property maintenance-mode": {"old": "true", "new": None}}


def test_an_attribute_that_was_stated_once_goes_when_it_is_no_longer():
    """An owner's tag tells that no agent made it."""
    document = made({"node_attributes": {"n1": {"rack": "3"}}}, owner="me")
    assert export(document) == {"node_attributes": {"n1": {"rack": "3"}}}
    assert list(plan.make(document, {}, "me").changes) == ["node_attribute n1 rack"]


def test_a_rule_that_sets_a_role_by_time_is_configuration():
    rule = {"expressions": [{"date_expression": {"operation": "date_spec", "date_spec": {"hours": "1-5"}}}]}
    night = {"rule": rule, "attributes": {"target-role": "Stopped"}}
    data = {"primitives": {"a": {"agent": "ocf:heartbeat:Dummy", "meta": [night, {"attributes": {"priority": "1"}}]}}}
    document = made(data)
    assert export(document) == data
    by_hand = document.text().replace('name="priority"', 'name="target-role"').replace('value="1"', 'value="Started"')
    later = Document.parse(by_hand)
    without = {"primitives": {"a": {"agent": "ocf:heartbeat:Dummy", "meta": [night]}}}
    assert plan.make(later, without, "haproxy_ha").changes == {}
    assert export(later)["switches"] == {"primitives": {"a": {"meta": {"target-role": "Started"}}}}


@pytest.mark.parametrize("score", [None, "-5", "5"])
def test_a_switch_keeps_its_place_among_sets_with_conditions(score):
    """Wherever crm_resource finds a set to put it into."""
    attribute = f' score="{score}"' if score else ""
    sets = (
        f'<meta_attributes id="m1"{attribute}><nvpair id="m1p" name="target-role" value="Stopped"/></meta_attributes>'
        '<meta_attributes id="m2" score="3"><rule id="r" score="0">'
        '<date_expression id="e" operation="gt" start="2026"/></rule>'
        '<nvpair id="m2p" name="priority" value="2"/></meta_attributes>'
        '<meta_attributes id="m3"><nvpair id="m3p" name="priority" value="1"/></meta_attributes>'
    )
    document = Document.parse(inside('<primitive id="vm"', sets))
    data = export(document)
    assert data["switches"] == {"primitives": {"vm": {"meta": {"target-role": "Stopped"}}}}
    assert "target-role" not in repr(data["primitives"])
    assert plan.make(document, data, "me").changes == {}


def test_an_operation_that_says_nothing_is_none():
    """As a trace that ended may leave one."""
    agent = {"agent": "ocf:heartbeat:Dummy"}
    bare, named = ({"primitives": {"a": {**agent, **more}}} for more in (
        {}, {"operations": [{"name": "start", "interval": "0s"}]}
    ))  # fmt: skip
    for one, other in ((bare, named), (named, bare)):
        assert plan.make(made(one), other, "haproxy_ha").changes == {}


def test_the_utilization_of_other_agents_is_configuration():
    text = inside('<primitive id="d"', nvset("utilization", cpu="2"))
    data = export(Document.parse(text))
    assert data["primitives"]["d"] == {"agent": "systemd:d", "utilization": {"cpu": "2"}}
    assert list(plan.make(Document.parse(BARE), data, "me").changes) == ["primitive d"]


def test_a_virtual_machine_by_a_template_sets_its_utilization_too():
    text = inside('<primitive id="vm"', nvset("utilization", cpu="2")).replace(
        'id="vm" class="ocf" provider="heartbeat" type="VirtualDomain"', 'id="vm" template="t"'
    ).replace('id="t" class="ocf" provider="heartbeat" type="Dummy"', 'id="t" class="ocf" provider="heartbeat" '
              'type="VirtualDomain"')  # fmt: skip
    data = export(Document.parse(text))
    assert data["observed"] == {"primitives": {"vm": {"utilization": {"cpu": "2"}}}}
    assert plan.make(Document.parse(text.replace('value="2"', 'value="4"')), data, "me").changes == {}


def test_what_pillar_says_of_a_virtual_machines_utilization_counts_for_what_it_names():
    stated = {"primitives": {"vm": {"agent": "ocf:heartbeat:VirtualDomain", "utilization": {"cpu": "4"}}}}
    document = Document.parse(ALL["a virtual machine's utilization"])
    result = plan.make(document, stated, "me", partial=True)
    assert export(result.after)["observed"]["primitives"]["vm"]["utilization"] == {"cpu": "4", "hv_memory": "512"}


def test_properties_in_another_set_are_configuration_where_pacemakers_own_is_missing():
    text = BARE.replace("cib-bootstrap-options", "options")
    assert export(Document.parse(text))["properties"] == {"stonith-enabled": "false"}


def elsewhere(text):
    """(what is exported, what that makes of a cluster with the same nodes and nothing else)."""
    data = export(Document.parse(text))
    return data, plan.make(Document.empty(["n1", "n2"]), data, "me").after


RACK = '<instance_attributes id="rack"><nvpair id="r1" name="rack" value="3"/></instance_attributes>'
TIED = {
    "a set that another node takes over": (
        inside('<node id="1"', RACK).replace("<node id=\"2\" uname=\"n2\"/>",
            '<node id="2" uname="n2"><instance_attributes id-ref="rack"/></node>'),
        {"node_attributes": {"n1": [{"id": "rack", "attributes": {"rack": "3"}}], "n2": [{"id-ref": "rack"}]}},
    ),
    "a set whose pair a resource takes over": (
        inside('<node id="1"', RACK).replace("</primitive></group>",
            '<utilization id="u"><nvpair id-ref="r1" name="rack"/></utilization></primitive></group>'),
        {"node_attributes": {"n1": [{"id": "rack", "attributes": [{"id": "r1", "name": "rack", "value": "3"}]}]}},
    ),
    "a set that begins with a property of the cluster's own": (
        inside('<crm_config', '<cluster_property_set id="x"><nvpair id="x1" name="have-watchdog" value="false"/>'
            '<nvpair id="x2" name="owner" value="us"/></cluster_property_set>').replace("</primitive></group>",
            '<utilization id="u"><nvpair id-ref="x2" name="owner"/></utilization></primitive></group>'),
        {"properties": [
            {"id": "x", "attributes": [{"name": "have-watchdog", "value": "false"},
                                       {"id": "x2", "name": "owner", "value": "us"}]},
            {"id": "cib-bootstrap-options", "attributes": {"stonith-enabled": "false"}},
        ]},
    ),
    "properties whose rule a constraint takes over": (
        inside("<crm_config", '<cluster_property_set id="off"><rule id="night" score="0"><date_expression id="e" '
            'operation="gt" start="2026"/></rule><nvpair id="o1" name="no-quorum-policy" value="stop"/>'
            '</cluster_property_set>').replace("<constraints/>",
            '<constraints><rsc_location id="l" rsc="a"><rule id-ref="night"/></rsc_location></constraints>'),
        {"locations": {"l": {"resource": "a", "rules": [{"id-ref": "night"}]}}},
    ),
}  # fmt: skip
"""What a tool or an agent writes, tied to something else by hand, with what is exported of it."""


@pytest.mark.parametrize("what", TIED)
def test_what_refers_to_something_and_what_is_referred_to_is_configuration(what):
    """Else an export refers to what it does not state."""
    text, expected = TIED[what]
    data, made_of_it = elsewhere(text)
    assert {section: data.get(section) for section in expected} == expected
    assert "observed" not in data and "switches" not in data
    assert export(made_of_it) == data
    document = Document.parse(text)
    assert plan.make(document, data, "me", purge=True).changes == {}
    assert export(plan.make(document, {}, "me", purge=True).after) == {}


def test_a_set_that_holds_switches_alone_stays_for_what_refers_to_it():
    """An id-ref to nothing is no valid CIB."""
    text = inside('<clone id="c"', '<meta_attributes id-ref="m"/>').replace(
        '<instance_attributes id="a-i">', '<meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/>'
        '</meta_attributes><instance_attributes id="a-i">'
    )  # fmt: skip
    data, made_of_it = elsewhere(text)
    assert data["switches"] == {"primitives": {"a": {"meta": {"target-role": "Stopped"}}}}
    assert data["primitives"]["a"]["meta"] == [{"id": "m", "attributes": {}}]
    assert made_of_it.configuration.find(".//primitive[@id='a']/meta_attributes").get("id") == "m"
    assert export(made_of_it)["clones"] == {"c": {"resource": "d", "meta": [{"id-ref": "m"}]}}
    started = text.replace('<nvpair id="m1" name="target-role" value="Stopped"/>', "")
    assert plan.make(Document.parse(started), data, "me").changes == {}


def test_that_an_acl_names_a_set_makes_no_configuration_of_a_switch_in_it():
    permission = '<acl_permission id="ap" kind="write" reference="cib-bootstrap-options"/>'
    acls = f'<acls><acl_role id="ops">{permission}</acl_role></acls>'
    text = in_main("maintenance-mode", "true").replace("<rsc_defaults>", f"{acls}<rsc_defaults>")
    document = Document.parse(text)
    for one in (document, plan.make(document, {}, "me", purge=True).after):
        (found,) = nvsets.as_sets(export(one)["switches"]["properties"])
        assert found["attributes"] == {"maintenance-mode": "true"}


def test_what_is_shown_apart_says_nothing_in_desired_data():
    data = {"switches": {"properties": {"maintenance-mode": True}}, "observed": {"node_attributes": {"n7": {"a": 1}}}}
    assert plan.make(empty(), data, "me").changes == {}
    with pytest.raises(CibError, match="switches: found a list"):
        plan.make(empty(), {"switches": ["maintenance-mode"]}, "me")
    with pytest.raises(CibError, match="switchs: is not a section"):
        plan.make(empty(), {"switchs": {}}, "me")
