"""A CIB as data, and back."""

import copy

import pytest

from saltext.pacemaker.cib import plan
from saltext.pacemaker.cib.document import Document, export
from saltext.pacemaker.cib.hidden import MARKER
from saltext.pacemaker.errors import CibError
from support.cibs import EMPTY, WIDE, empty, made, unowned


def test_everything_comes_back_as_it_was_given():
    assert export(made(WIDE)) == WIDE


def test_what_was_applied_is_not_applied_again():
    again = plan.make(made(WIDE), WIDE, "haproxy_ha")
    assert (again.after, again.changes, again.adoptable, again.unknown) == (None, {}, [], [])


def test_without_its_tag_everything_is_adoptable_and_nothing_changes():
    other = plan.make(unowned(made(WIDE)), WIDE, "somebody")
    assert other.changes == {}
    assert {"primitive a", "property no-quorum-policy", "node_attribute n1 rack", "acl_role reader"} <= set(
        other.adoptable
    )


def test_comments_and_unknown_parts_stay_and_are_reported():
    text = EMPTY.replace(
        "<resources/>",
        '<resources><!-- mine --><primitive id="x" class="ocf" provider="p" type="t" new="1"><future/></primitive>'
        "<thing/></resources>",
    )
    document = Document.parse(text)
    assert document.unknown == ["primitive x: attribute new", "primitive x: element future", "resources: element thing"]
    after = made({"primitives": {"x": {"agent": "ocf:p:t", "meta": {"priority": 1}}}}, document).text()
    assert "<!-- mine -->" in after
    assert 'new="1"' in after
    assert "<future />" in after
    assert "<thing />" in after


@pytest.mark.parametrize("text", ["", "<cib", "<other/>", "<cib/>", "no xml at all"])
def test_what_is_no_cib_is_refused(text):
    with pytest.raises(CibError):
        Document.parse(text)


def test_a_master_is_a_promotable_clone():
    text = EMPTY.replace(
        "<resources/>",
        '<resources><master id="m"><primitive id="x" class="ocf" provider="p" type="t"/><meta_attributes id="mm">'
        '<nvpair id="mmm" name="master-max" value="1"/></meta_attributes></master></resources>',
    )
    document = Document.parse(text)
    assert export(document)["clones"] == {"m": {"resource": "x", "meta": {"promotable": "true", "master-max": "1"}}}
    data = {"clones": {"m": {"resource": "x", "meta": {"promotable": True, "promoted-max": 1}}}}
    assert plan.make(document, data, "o").changes == {}


BOTH_NAMES = {"promotable": "true", "master-max": "1", "promoted-max": "2"}


def promotable(**meta):
    return {"primitives": {"x": {"agent": "ocf:p:t"}}, "clones": {"m": {"resource": "x", "meta": meta}}}


def test_two_names_of_one_option_that_are_there_together_are_two():
    """As a CIB has them that was written for an old Pacemaker and changed for a new one."""
    document = made(promotable(**BOTH_NAMES))
    assert export(document)["clones"]["m"]["meta"] == BOTH_NAMES
    assert plan.make(document, promotable(**dict(reversed(BOTH_NAMES.items()))), "haproxy_ha").changes == {}
    for name in ("master-max", "promoted-max"):
        one = {**BOTH_NAMES, name: "3"}
        assert export(made(promotable(**one), document))["clones"]["m"]["meta"] == one
    only = made(promotable(promotable="true", **{"master-max": "1"}))
    assert export(made(promotable(**BOTH_NAMES), only))["clones"]["m"]["meta"] == BOTH_NAMES
    less = {name: value for name, value in BOTH_NAMES.items() if name != "master-max"}
    assert export(made(promotable(**less), document))["clones"]["m"]["meta"] == less


def test_an_order_by_score_is_an_order_by_kind():
    text = EMPTY.replace("<resources/>", '<resources><primitive id="x" class="service" type="t"/></resources>').replace(
        "<constraints/>", '<constraints><rsc_order id="o" first="x" then="x" score="0"/></constraints>'
    )
    assert export(Document.parse(text))["orders"]["o"]["kind"] == "Optional"


def test_secrets_are_replaced_by_a_marker_that_means_what_is_there():
    data = {"primitives": {"p": {"agent": "stonith:x", "params": {"passwd": "hunter2", "ip": "1"}}}}
    document = made(data)
    shown = export(document, secrets=False)
    assert shown["primitives"]["p"]["params"] == {"passwd": MARKER, "ip": "1"}
    assert plan.make(document, shown, "haproxy_ha").changes == {}
    changed = copy.deepcopy(shown)
    changed["primitives"]["p"]["params"]["ip"] = "2"
    after = plan.make(document, changed, "haproxy_ha").after
    assert export(after)["primitives"]["p"]["params"] == {"passwd": "hunter2", "ip": "2"}


def test_a_secret_that_is_known_nowhere_is_named():
    data = {"primitives": {"p": {"agent": "stonith:x", "params": {"passwd": MARKER}}}}
    assert plan.make(empty(), data, "o").unresolved == ["passwd"]


def test_secrets_are_hidden_in_changes_even_when_they_change():
    data = {"primitives": {"p": {"agent": "stonith:x", "params": {"passwd": "hunter2"}}}}
    document = made(data)
    data["primitives"]["p"]["params"]["passwd"] = "hunter3"
    result = plan.make(document, data, "haproxy_ha")
    assert "hunter" not in repr(result.changes)
    assert result.changes["primitive p"]["new"] != result.changes["primitive p"]["old"]
