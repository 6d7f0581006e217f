"""The comparison, on configurations that hypothesis makes up."""

import copy
import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from saltext.pacemaker.cib import plan, switches
from saltext.pacemaker.cib.document import Document, export
from saltext.pacemaker.errors import CibError
from support.cibs import SOME, WIDE, empty

NAMES = ("a", "b", "c", "d", "e", "f")
WORDS = st.text(alphabet="abcXYZ019 <>&\"'./:-_é", min_size=1, max_size=12)
BOOLEANS = st.sampled_from([("true", "yes", "on", "1"), ("false", "no", "off", "0")])
SECONDS = st.integers(1, 600).map(lambda n: (f"{n}s", str(n), f"{n * 1000}ms", f"PT{n}S"))
SCORES = st.one_of(
    st.integers(-999, 999).map(lambda n: (str(n), f"+{n}" if n >= 0 else str(n), str(n))),
    st.sampled_from([("INFINITY", "+INFINITY", "1000000"), ("-INFINITY", "-infinity", "-2000000")]),
)
PARAMS = st.dictionaries(st.sampled_from(("p1", "p2", "p3")), WORDS, max_size=3)
META = st.fixed_dictionaries(
    {}, optional={"priority": SCORES, "is-managed": BOOLEANS, "failure-timeout": SECONDS, "critical": BOOLEANS}
)
OPERATION = st.fixed_dictionaries({"name": st.just("monitor"), "interval": SECONDS}, optional={"timeout": SECONDS})
PRIMITIVE = st.fixed_dictionaries(
    {"agent": st.sampled_from(("ocf:heartbeat:Dummy", "systemd:thing"))},
    optional={"params": PARAMS, "meta": META, "operations": st.lists(OPERATION, max_size=2)},
)
PAIR = st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True)
CONFIGURATION = st.fixed_dictionaries(
    {"primitives": st.fixed_dictionaries(dict.fromkeys(NAMES, PRIMITIVE))},
    optional={
        "properties": st.fixed_dictionaries({}, optional={"stonith-enabled": BOOLEANS, "cluster-delay": SECONDS}),
        "resource_defaults": META,
        "groups": st.permutations(NAMES[:3]).map(lambda names: {"g": {"members": list(names)}}),
        "clones": st.fixed_dictionaries({"k": st.fixed_dictionaries({"resource": st.just("d"), "meta": META})}),
        "colocations": st.tuples(PAIR, SCORES).map(
            lambda one: {"co": {"resource": one[0][0], "with": one[0][1], "score": one[1]}}
        ),
        "orders": st.tuples(PAIR, BOOLEANS).map(
            lambda one: {"o": {"sets": [{"resources": one[0], "sequential": one[1]}, {"resources": ["f"]}]}}
        ),
        "node_attributes": st.fixed_dictionaries({"n1": PARAMS}),
    },
)
"""Every value that has several spellings is a tuple of them."""


def spelled(data, choose):
    """The data with one spelling of each value."""
    if isinstance(data, tuple):
        return data[choose(len(data))]
    if isinstance(data, dict):
        return {key: spelled(value, choose) for key, value in data.items()}
    return [spelled(one, choose) for one in data] if isinstance(data, list) else data


def apply(data, document=None):
    result = plan.make(document or empty(), data, "haproxy_ha")
    return result.after or document or empty()


@SOME
@given(CONFIGURATION, st.randoms(use_true_random=False))
def test_another_spelling_and_order_is_no_change(configuration, rng):
    document = apply(spelled(configuration, lambda count: 0))
    for element in document.root.iter():
        if element.tag not in ("group", "resource_set", "rsc_order"):
            children = list(element)
            rng.shuffle(children)
            element[:] = children
    document = Document.parse(document.text())
    assert plan.make(document, spelled(configuration, rng.randrange), "haproxy_ha").changes == {}


@SOME
@given(CONFIGURATION)
def test_what_is_exported_is_what_was_applied(configuration):
    document = apply(spelled(configuration, lambda count: 0))
    again = apply(export(document))
    assert configuration_of(again) == configuration_of(document)
    assert plan.make(Document.parse(again.text()), export(document), "haproxy_ha").changes == {}


@SOME
@given(CONFIGURATION, CONFIGURATION)
def test_from_any_configuration_to_any_other_in_one_step(one, other):
    one, other = (spelled(data, lambda count: 0) for data in (one, other))
    first = apply(one)
    before = meant(first)
    second = plan.make(first, other, "haproxy_ha")
    assert meant(first) == before
    there = meant(apply(kept_by_operators(one, other)))
    assert meant(second.after or first) == there
    assert plan.make(second.after or first, other, "haproxy_ha").changes == {}
    assert bool(second.changes) == (there != before)


def meant(document):
    """What is exported, with operations, whose order does not count, in one order."""
    data = export(document)
    for primitive in data.get("primitives", {}).values():
        primitive.get("operations", []).sort(key=repr)
    return data


def configuration_of(document):
    """What is exported without what operators and agents set."""
    return {section: content for section, content in export(document).items() if section not in switches.SECTIONS}


def kept_by_operators(one, other):
    """``other``, with is-managed as it is in ``one`` where ``other`` does not say."""
    result = copy.deepcopy(other)
    defaults = one.get("resource_defaults", {})
    if "is-managed" in defaults:
        result["resource_defaults"] = {"is-managed": defaults["is-managed"], **result.get("resource_defaults", {})}
    for section in ("primitives", "clones"):
        for name, content in result.get(section, {}).items():
            old = one.get(section, {}).get(name, {}).get("meta", {})
            if "is-managed" in old and "is-managed" not in content.get("meta", {}):
                content["meta"] = {**content.get("meta", {}), "is-managed": old["is-managed"]}
    return result


@SOME
@given(CONFIGURATION, st.sampled_from(NAMES), WORDS)
def test_another_value_is_exactly_one_change(configuration, name, value):
    data = spelled(configuration, lambda count: 0)
    document = apply(data)
    data["primitives"][name].setdefault("params", {})["p1"] = f"{value}!"
    result = plan.make(document, data, "haproxy_ha")
    assert list(result.changes) == [f"primitive {name}"]


SCALARS = (None, True, -1, 1.5, float("nan"), "", "x", "two words", "\x00", '<é&"', "#x", b"x", {1}, datetime.date.max)
KEYS = ("id", "id-ref", "name", "value", "attributes", "rule", "score", "operations", "a", 1, None)
JUNK = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    ),
    max_leaves=4,
)


def places(data, path=()):
    """The path of every value in data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


CHANGES = st.lists(st.tuples(st.sampled_from(sorted(places(WIDE), key=repr)), JUNK), min_size=1, max_size=2)


@settings(SOME, max_examples=300)
@given(CHANGES, st.booleans())
def test_what_cannot_be_is_an_error_of_ours_and_all_else_is_made_as_it_was_meant(changes, there):
    data = copy.deepcopy(WIDE)
    for path, junk in changes:
        target = data
        for key in path[:-1]:
            target = target[key] if isinstance(target, dict) and key in target else {}
        if isinstance(target, dict):
            target[path[-1]] = junk
    try:
        document = apply(data, apply(WIDE) if there else None)
    except CibError as problem:
        assert str(problem)
        return
    document = Document.parse(document.text())
    assert plan.make(document, data, "haproxy_ha").changes == {}
    assert plan.make(document, export(document), "haproxy_ha").changes == {}
