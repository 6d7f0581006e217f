"""A secret that is left hidden is filled in from its own place."""

import copy
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import export
from saltext.pacemaker.cib.hidden import MARKER
from support.cibs import SOME, empty, made


def rule(node):
    return {"score": "INFINITY",
            "expressions": [{"expression": {"attribute": "#uname", "operation": "eq", "value": node}}]}  # fmt: skip


def on(node, score="2", **attributes):
    return {"score": score, "rule": rule(node), "attributes": attributes}


def plain(**attributes):
    return {"attributes": attributes}


def device(**content):
    return {"primitives": {"p": {"agent": "ocf:heartbeat:Dummy", **content}}}


def monitor(interval, role=None, **params):
    return {"name": "monitor", "interval": interval, **({"role": role} if role else {}), "params": params}


def shared(**second):
    """Two primitives, of which one refers to what the other has."""
    return {"primitives": {"p": {"agent": "ocf:heartbeat:Dummy", **second},
                           "q": {"agent": "ocf:heartbeat:Dummy", "params": [{"id-ref": "shared"}]}}}  # fmt: skip


TWO = [on("n1", password="A"), plain(password="B")]
LAYOUTS = {
    "a rule before a plain set": device(params=[on("n1", password="AAA"), plain(password="BBB")]),
    "a rule after a plain set": device(params=[plain(password="AAA"), on("n1", "0", password="BBB")]),
    "a rule for each node": device(params=[on("n1", password="AAA"), on("n2", password="BBB"), plain(password="CCC")]),
    "two plain sets": device(params=[plain(a="1", password="AAA"), plain(b="2", password="BBB")]),
    "scores": device(params=[{"score": score, **plain(password=f"P{score}")} for score in ("1", "2", "3")]),
    "operations": device(operations=[monitor("10s", password="AAA"), monitor("20s", password="BBB")]),
    "roles": device(
        operations=[monitor("9s", "Promoted", password="AAA"), monitor("10s", "Unpromoted", password="BBB")]
    ),
    "sets of an operation": device(
        operations=[{"name": "start", "interval": "0", "params": [on("n1", password="AAA"), plain(password="BBB")]}]
    ),
    "operations that are referred to": {
        "primitives": {
            "p": {"agent": "ocf:heartbeat:Dummy",
                  "operations": {"id": "ops", "operations": [monitor("10s", password="AAA"),
                                                             monitor("20s", password="BBB")]}},
            "q": {"agent": "ocf:heartbeat:Dummy", "operations": {"id-ref": "ops"}},
        }
    },
    "a set that is referred to": shared(params=[{"id": "shared", "attributes": {"password": "AAA"}}]),
    "two sets, one referred to": shared(
        params=[plain(password="AAA"), {"id": "shared", "attributes": {"password": "BBB"}}]
    ),
    "a pair that is referred to": {
        "primitives": {
            "p": {"agent": "ocf:heartbeat:Dummy",
                  "params": [{"attributes": [{"id": "pw", "name": "password", "value": "AAA"}]},
                             on("n1", password="BBB")]},
            "q": {"agent": "ocf:heartbeat:Dummy", "params": [{"attributes": [{"id-ref": "pw"}]}]},
        }
    },
    "a group": {**device(), "groups": {"g": {"members": ["p"], "params": TWO}}},
    "a clone": {**device(), "clones": {"c": {"resource": "p", "params": TWO}}},
    "a bundle": {"bundles": {"b": {"docker": {"image": "i"}, "params": TWO}}},
    "a template": {
        "templates": {"t": {"agent": "ocf:heartbeat:Dummy", "params": TWO,
                            "operations": [monitor("10s", password="C"), monitor("20s", password="D")]}}
    },
    "a webhook": {
        "alerts": {"a": {"path": "/x", "recipients": {
            "r1": {"value": "https://hooks.slack.com/services/T0/B0/x"},
            "r2": {"value": "ops@example.com", "params": {"password": "C"}}}}}
    },
    "what containers are told": {
        "bundles": {"b": {"docker": {"image": "i", "options": "--env DB=postgres://me:hunter2@db"}, "params": TWO}}
    },
    "an alert": {
        "alerts": {"a": {"path": "/x", "params": TWO,
                         "recipients": {"r1": {"value": "one", "params": {"password": "C"}},
                                        "r2": {"value": "two",
                                               "params": [on("n1", password="D"), plain(password="E")]}}}}
    },
}  # fmt: skip


def reordered(data):
    """The same, with operations and recipients in the opposite order."""
    data = copy.deepcopy(data)
    for section in ("primitives", "templates", "alerts"):
        for one in data.get(section, {}).values():
            if isinstance(one.get("operations"), list):
                one["operations"].reverse()
            elif "operations" in one.get("operations", {}):
                one["operations"]["operations"].reverse()
            if "recipients" in one:
                one["recipients"] = dict(reversed(one["recipients"].items()))
    return data


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_exported_without_secrets_means_what_is_there(name):
    document = made(LAYOUTS[name])
    hidden = export(document, secrets=False)
    assert MARKER in repr(hidden)
    for data in (hidden, reordered(hidden)):
        result = plan.make(document, data, "haproxy_ha")
        assert (result.changes, result.after, result.unresolved) == ({}, None, [])


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_change_of_something_else_keeps_every_secret_where_it_is(name):
    document = made(LAYOUTS[name])
    data = reordered(export(document, secrets=False))
    [(section, objects)] = [item for item in data.items() if MARKER in repr(item)]
    next(iter(objects.values()))["description"] = "changed"
    after = plan.make(document, data, "haproxy_ha").after
    expected = export(document)
    next(iter(expected[section].values()))["description"] = "changed"
    assert plan.make(after, expected, "haproxy_ha").changes == {}


def test_what_nodes_and_all_resources_have_is_hidden_and_filled_in_as_well():
    own = {"resource_defaults": {"api_key": "AAA"}, "properties": {"x_password": "BBB", "no-quorum-policy": "stop"}}
    document = made(own)
    hidden = export(document, secrets=False)
    assert repr(hidden).count(MARKER) == 2
    assert plan.make(document, hidden, "haproxy_ha").changes == {}
    other = {**hidden, "properties": {**hidden["properties"], "x_password": "CCC", "y_token": "DDD"}}
    for text in (plan.make(document, other, "haproxy_ha").changes, plan.given({**own, **other})):
        assert not [secret for secret in ("AAA", "BBB", "CCC", "DDD") if secret in repr(text)]
        assert "property x_password" in text


def test_a_webhook_that_changes_is_told_and_not_shown():
    alert = {"alerts": {"a": {"path": "/x", "recipients": {"r": {"value": "https://hooks.slack.com/services/T0/B0/x"}}}}}
    other = json.loads(json.dumps(alert).replace("B0/x", "B0/y"))
    changes = plan.make(made(alert), other, "haproxy_ha").changes
    assert "hooks.slack.com" not in repr(changes) and "(hidden, changed)" in repr(changes)


def changed(hidden, path, value):
    data = copy.deepcopy(hidden)
    target = data["primitives"]["p"]
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return data


def test_the_place_of_a_secret_may_change_where_no_other_can_be_meant():
    document = made(LAYOUTS["a rule before a plain set"])
    hidden = export(document, secrets=False)
    moved = plan.make(document, changed(hidden, ("params", 0, "rule"), rule("n2")), "haproxy_ha")
    found = {one["attributes"]["password"]: "rule" in one for one in export(moved.after)["primitives"]["p"]["params"]}
    assert found == {"AAA": True, "BBB": False}
    document = made(LAYOUTS["operations"])
    hidden = export(document, secrets=False)
    slower = plan.make(document, changed(hidden, ("operations", 0, "interval"), "60s"), "haproxy_ha")
    operations = export(slower.after)["primitives"]["p"]["operations"]
    found = {one["interval"]: one["params"]["password"] for one in operations}
    assert found == {"60s": "AAA", "20s": "BBB"}


def test_a_secret_of_which_it_cannot_be_told_which_one_is_meant_is_named():
    document = made(LAYOUTS["a rule for each node"])
    data = export(document, secrets=False)
    data["primitives"]["p"]["params"] = [on("n3", password=MARKER), on("n4", password=MARKER), plain(password="x")]
    result = plan.make(document, data, "haproxy_ha")
    assert result.unresolved == ["password", "password"]


def test_one_set_in_place_of_several_has_the_value_that_is_the_same_in_all():
    document = made(device(params=[on("n1", password="AAA", x="1"), plain(password="AAA")]))
    result = plan.make(document, device(params={"password": MARKER, "x": "2"}), "haproxy_ha")
    assert export(result.after)["primitives"]["p"]["params"] == {"password": "AAA", "x": "2"}


def test_a_marker_among_operations_that_are_new_is_named():
    assert plan.make(empty(), device(operations=[monitor("10s", password=MARKER)]), "me").unresolved == ["password"]


VALUES = st.sampled_from(("A", "B", "C"))
ATTRIBUTES = st.fixed_dictionaries({}, optional={"password": VALUES, "token": VALUES, "x": VALUES})
CONDITIONS = st.fixed_dictionaries({}, optional={
    "score": st.sampled_from(("1", "2")), "rule": st.sampled_from(("n1", "n2")).map(rule)})  # fmt: skip
SETS = st.lists(st.tuples(CONDITIONS, ATTRIBUTES).map(lambda one: {**one[0], "attributes": one[1]}), max_size=4)
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(("10s", "20s")), st.sampled_from((None, "Started")), SETS).map(
        lambda one: {"name": "monitor", "interval": one[0], **({"role": one[1]} if one[1] else {}), "params": one[2]}
    ),
    max_size=3,
)


@SOME
@given(st.fixed_dictionaries({"params": SETS, "operations": OPERATIONS}), st.integers())
def test_whatever_repeats_a_hidden_export_describes_what_is_there(content, seed):
    document = made(device(**content))
    hidden = export(document, secrets=False)
    assert plan.make(document, hidden, "haproxy_ha").changes == {}
    operations = hidden["primitives"]["p"].get("operations", [])
    keys = [(one["interval"], one.get("role")) for one in operations]
    if len(keys) == len(set(keys)):
        random.Random(seed).shuffle(operations)
        assert plan.make(document, hidden, "haproxy_ha").changes == {}
