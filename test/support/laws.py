"""The laws of the comparison."""

import copy
import random
import re

from saltext.pacemaker.cib import plan, switches
from saltext.pacemaker.cib.document import Document, export

ORDERED = ("group", "resource_set", "rsc_order", "rsc_colocation", "rsc_location", "rsc_ticket", "clone", "bundle")
SETS = ("instance_attributes", "meta_attributes", "utilization", "cluster_property_set")


def emptied(document):
    """A CIB with the same schema and nodes, and nothing else."""
    root = copy.deepcopy(document.root)
    for section in root.find("configuration"):
        for node in section if section.tag == "nodes" else ():
            node[:] = []
        if section.tag != "nodes":
            section[:] = []
    return Document(root)


def shuffled(document, rng):
    """The same configuration with its XML in another order, and other spellings of intervals and infinity."""
    root = copy.deepcopy(document.root)
    for element in root.find("configuration").iter():
        if element.tag not in ORDERED and [child.tag for child in element if child.tag in SETS] in ([], [*SETS][:1]):
            children = list(element)
            names = [child.get("name") for child in children if child.tag == "nvpair"]
            if len(names) == len(set(names)):  # of one name the first counts
                rng.shuffle(children)
                element[:] = children
        if element.tag == "op" and re.fullmatch(r"\d+s", element.get("interval", "")):
            element.set("interval", f"{element.get('interval')[:-1]}000ms")
        if element.get("score") == "INFINITY":
            element.set("score", "+INFINITY")
    return Document(root)


def an_export_describes_what_is_there(document):
    for secrets in (True, False):
        result = plan.make(document, export(document, secrets=secrets), "haproxy_ha")
        assert (result.changes, result.after) == ({}, None)


def an_export_makes_the_same_configuration_elsewhere(document):
    data = export(document)
    result = plan.make(emptied(document), data, "haproxy_ha")
    if configuration(data):
        assert export(result.after) == configuration(data)
        again = plan.make(result.after, data, "haproxy_ha")
        assert (again.changes, ownable(again.adoptable, document), again.foreign) == ({}, [], [])


def the_order_and_the_spelling_do_not_count(document):
    other = shuffled(document, random.Random(document.text()))
    assert plan.make(other, export(document), "haproxy_ha").changes == {}


def one_object_more_is_one_change_and_leaves_the_rest(document):
    before = export(document)
    data = {"primitives": {"one-more": {"agent": "ocf:heartbeat:Dummy", "meta": {"priority": 1}}}}
    result = plan.make(document, data, "haproxy_ha", partial=True)
    assert list(result.changes) == ["primitive one-more"]
    after = export(result.after)
    assert after["primitives"].pop("one-more") == {"agent": "ocf:heartbeat:Dummy", "meta": {"priority": "1"}}
    assert {section: content for section, content in after.items() if content} == before
    assert export(plan.make(result.after, {}, "haproxy_ha").after) == before


def all_that_is_owned_can_go(document):
    owned = plan.make(document, export(document), "haproxy_ha", adopt=True).after or document
    gone = plan.make(owned, {}, "haproxy_ha")
    assert listable(configuration(export(gone.after or owned))) == {}


def what_operators_and_agents_set_stays(document):
    """Under purge too, but for what is set on resources that go."""
    left = plan.make(document, configuration(export(document)), "haproxy_ha", purge=True)
    assert (left.changes, left.after) == ({}, None)
    purged = plan.make(document, {}, "haproxy_ha", purge=True).after or document
    for section in ("properties", "node_attributes", "utilization", "resource_defaults"):
        for apart in switches.SECTIONS:
            assert apart_of(purged, apart, section) == apart_of(document, apart, section)


def apart_of(document, apart, section):
    return export(document).get(apart, {}).get(section)


def configuration(data):
    """An export without what operators and agents set."""
    return {section: content for section, content in data.items() if section not in switches.SECTIONS}


def listable(data):
    """What a tag can list: no sets of settings that only refer to another, no objects that say nothing."""
    if isinstance(data, list):
        return [one for one in data if "id-ref" not in one]
    if isinstance(data, dict):
        inner = {key: listable(value) for key, value in data.items()}
        return {key: value for key, value in inner.items() if value not in ({}, [])}
    return data


def ownable(labels, document):
    """The names of objects that a tag can list: before schema 3.3 not the target of an ACL, whose id is a user."""
    return [label for label in labels if document.schema >= (3, 3) or not label.startswith("acl_target ")]


LAWS = (
    an_export_describes_what_is_there,
    an_export_makes_the_same_configuration_elsewhere,
    the_order_and_the_spelling_do_not_count,
    one_object_more_is_one_change_and_leaves_the_rest,
    all_that_is_owned_can_go,
    what_operators_and_agents_set_stays,
)
