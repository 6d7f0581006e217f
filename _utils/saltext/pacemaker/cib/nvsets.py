"""
Sets of name-value pairs: params, meta, utilization, properties, defaults.

As data: ``{name: value}`` for the usual one set without conditions; else a list of sets, each
``{id, score, rule, attributes: {name: value}}`` or ``{id-ref: ID}``. Sets take effect by score, the highest first; of
sets with one score Pacemaker 2.1 takes the last (measured). ``attributes`` is a list of
``{id, name, value}`` and ``{id-ref, name}`` where single pairs are referred to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from typing import Any

from saltext.pacemaker.cib import values
from saltext.pacemaker.cib.fields import Attribute, Many, is_reference
from saltext.pacemaker.cib.rules import RULE
from saltext.pacemaker.cib.shapes import Context, Field, Shape, children
from saltext.pacemaker.errors import Doubt, Problem
from saltext.pacemaker.given import accept, check_keys, refuse
from saltext.pacemaker.types import Data, Element, Path, Report

_HEADER = Shape(Attribute("score", kind="score"), Many("rule", {"rule": RULE}))


def as_sets(value: Any) -> list[Data]:
    """
    The list of sets for either form of the data.
    """
    if not value:
        return []
    return [{"attributes": value}] if isinstance(value, dict) else list(value)


def simplified(sets: list[Data]) -> Any:
    """
    The shortest form of a list of sets: None for none, the names and values for one set without conditions.
    """
    if len(sets) == 1 and set(sets[0]) == {"attributes"} and isinstance(sets[0]["attributes"], dict):
        return sets[0]["attributes"]
    return sets or None


def pairs(attributes: Any, context: Context) -> dict[str, str]:
    """
    {name: value} of a set's attributes, ids resolved; of one name the first counts, and a pair without value is none.
    """
    items = attributes.items() if isinstance(attributes, dict) else _listed(attributes or (), context)
    result: dict[str, str] = {}
    for name, value in items:
        if value is not None and name is not None:
            result.setdefault(values.text(name), values.text(value))
    return result


def names(attributes: Any) -> set[str]:
    """
    The names that a set's attributes state, those with the value null too.
    """
    return set(attributes or ()) if isinstance(attributes, dict) else {one.get("name") for one in attributes or ()}


def _listed(attributes: Any, context: Context) -> Iterator[tuple[Any, Any]]:
    for item in attributes:
        pair = context.resolve(item)
        yield item.get("name", pair.get("name")), pair.get("value")


def rank(one: Data) -> int:
    """
    Sort key that puts the set that counts first to the front, in a list read from last to first.
    """
    try:
        score = values.score(one.get("score", 0))
    except (ValueError, TypeError):
        return 0
    return -score if isinstance(score, int) else 0


class NVSets(Field):
    """
    The field for all sets of one tag in an element. ``table`` says which options have which type (values.py).
    """

    def __init__(self, key: str, table: str, tag: str) -> None:
        self.key = key
        self.table = table
        self.tag = tag

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag,)

    def read(self, element: Element, context: Context, where: str) -> Any:
        sets = [read_set(child, context, f"{where} {self.tag}") for child in children(element, self.tag)]
        return simplified([one for one in sets if one.get("attributes") or "id-ref" in one or "id" in one])

    def meaning(self, value: Any, context: Context) -> Any:
        merged: list[tuple[Any, dict[str, Any]]] = []
        in_effect = [context.resolve(one) for one in reversed(as_sets(value))]
        in_effect.sort(key=rank)
        for one in in_effect:
            stated = pairs(one.get("attributes"), context)
            called = values.canonical_names(self.table, stated)
            found = {called[name]: self._value_meaning(name, text) for name, text in stated.items()}
            if "id-ref" in one:
                found = {"id-ref": one["id-ref"]}
            if not found and "id" in one:  # all the same there has to be something to refer to
                found = {"id": one["id"]}
            if not found:
                continue
            rule = _HEADER.by_key["rule"].meaning(_rules(one), context)
            if rule is None and merged and merged[-1][0] is None:
                merged[-1] = (None, {**found, **merged[-1][1]})
            else:
                merged.append((rule, found))
        return tuple((rule or "", tuple(sorted(found.items()))) for rule, found in merged) or None

    def _value_meaning(self, name: str, text: str) -> str:
        return values.meaning(values.option_type(self.table, name), text)

    def write(self, element: Element, value: Any, context: Context) -> None:
        found = children(element, self.tag)
        for one in as_sets(value):
            child = self._take(found, one, context)
            if child is None:
                child = ET.SubElement(element, self.tag)
            self.write_set(child, one, context, element.get("id") or element.get("uname") or element.tag)
        for child in found:
            element.remove(child)

    def _take(self, found: list[Element], one: Data, context: Context) -> Element | None:
        """Take out of ``found`` the set that is to hold ``one``: the same id, else the same condition."""
        for child in found:
            same_id = one.get("id") is not None and child.get("id") == one["id"]
            if same_id or (one.get("id") is None and self._condition(child, context) == condition(one, context)):
                found.remove(child)
                return child
        return None

    def _condition(self, child: Element, context: Context) -> Any:
        return condition(read_set(child, Context(referenced=context.referenced), ""), context)

    def write_set(self, element: Element, one: Data, context: Context, owner: str) -> None:
        """
        Edit one set element so that it holds ``one`` and nothing else.
        """
        if "id-ref" in one:
            element.clear()
            element.set("id-ref", one["id-ref"])
            return
        new = element.get("id") is None
        if new:
            element.attrib.pop("id-ref", None)
            given = one.get("id") or context.new_id(owner, self.tag)
            element.set("id", given)
            context.ids.add(given)
        old = {"score": element.get("score"), "rule": _HEADER.by_key["rule"].read(element, Context(), "")}
        if new or condition(old, context) != condition(one, context):
            _HEADER.by_key["score"].write(element, one.get("score"), context)
            _HEADER.by_key["rule"].write(element, _rules(one), context)
        write_pairs(element, one.get("attributes"), self.table, context)

    def check(self, value: Any, path: Path, report: Report) -> None:
        if isinstance(value, dict):
            check_pairs(value, self.table, path, report)
            return
        if accept(report, path, value, list, "names and values, or a list of sets", secret=True):
            for number, one in enumerate(value):
                check_set(one, self.table, (*path, number), report)


def read_set(element: Element, context: Context, where: str) -> Data:
    """
    The data of one set element.
    """
    if element.get("id-ref") is not None:
        return {"id-ref": element.get("id-ref")}
    one: Data = {}
    if element.get("id") in context.referenced:
        one["id"] = element.get("id")
    one.update({key: value for key, value in _header(element, context, where).items() if value is not None})
    found = children(element, "nvpair")
    special = any(pair.get("id-ref") is not None or pair.get("id") in context.referenced for pair in found)
    one["attributes"] = _pair_list(found, context) if special else _pair_mapping(found)
    context.unknown += [
        f"{where}: element {child.tag}" for child in children(element) if child.tag not in ("nvpair", "rule")
    ]
    return one


def _header(element: Element, context: Context, where: str) -> Data:
    rules = _HEADER.by_key["rule"].read(element, context, where)
    return {"score": element.get("score"), "rule": rules[0] if rules and len(rules) == 1 else rules}


def _pair_mapping(found: list[Element]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for pair in found:
        name, value = pair.get("name"), pair.get("value")
        if name is not None and value is not None:
            mapping.setdefault(name, value)
    return mapping


def _pair_list(found: list[Element], context: Context) -> list[Data]:
    return [
        {
            key: pair.get(key)
            for key in ("id", "id-ref", "name", "value")
            if pair.get(key) is not None and (key != "id" or pair.get("id") in context.referenced)
        }
        for pair in found
        if pair.get("value") is not None or pair.get("id-ref") is not None
    ]


def _rules(one: Data) -> Any:
    """The rules of a set as a list."""
    rule = one.get("rule")
    return [rule] if isinstance(rule, dict) else rule


def is_linked(one: Data) -> bool:
    """
    Whether a set is a reference, or has an id and refers to something, or something refers to a part of it.
    """
    return "id-ref" in one or ("id" in one and (isinstance(one.get("attributes"), list) or _has_id(one.get("rule"))))


def _has_id(data: Any) -> bool:
    """Whether there is an id or an ``id-ref`` anywhere in a rule's data."""
    if isinstance(data, dict):
        return "id" in data or "id-ref" in data or any(_has_id(one) for one in data.values())
    return isinstance(data, list) and any(_has_id(one) for one in data)


def same(table: str, one: Data, context: Context, other: Data, others_context: Context) -> bool:
    """
    Whether two sets mean the same, each in its context: their condition, and what they hold.
    """
    field = NVSets("", table, "")
    return (condition(one, context), field.meaning([one], context)) == (
        condition(other, others_context),
        field.meaning([other], others_context),
    )


def condition(one: Data, context: Context) -> tuple[Any, Any]:
    """
    When a set applies and before which others: the meaning of its score and its rule; ("0", None) for a plain set.
    """
    if "id-ref" in one:
        return "id-ref", one["id-ref"]
    return values.meaning("score", one.get("score") or 0), _HEADER.by_key["rule"].meaning(_rules(one), context)


def write_pairs(element: Element, attributes: Any, table: str, context: Context) -> None:
    """
    Make the nvpair children of a set mean ``attributes``: what is there already keeps its XML, the rest goes.
    """
    items = (
        [{"name": name, "value": value} for name, value in attributes.items()]
        if isinstance(attributes, dict)
        else list(attributes or ())
    )
    found = children(element, "nvpair")
    wanted = [item for item in items if item.get("value") is not None or "id-ref" in item]
    names = {values.text(item.get("name")) for item in wanted}
    for item in wanted:
        pair = _take_pair(found, item, table, names)
        if pair is None:
            pair = ET.SubElement(element, "nvpair")
        _write_pair(element, pair, item, table, context)
    for pair in found:
        element.remove(pair)


def _take_pair(found: list[Element], item: Data, table: str, names: Collection[str]) -> Element | None:
    """
    Take out of ``found`` the nvpair that is to hold ``item``: the same reference or name, else one that has another
    name of the same option and is none of ``names``, all that are to be there.
    """
    if "id-ref" in item:
        fitting = [pair for pair in found if pair.get("id-ref") == item["id-ref"]]
    else:
        name = values.text(item["name"])
        fitting = [pair for pair in found if pair.get("name") == name] or [
            pair
            for pair in found
            if pair.get("name") not in names
            and values.canonical_name(table, pair.get("name")) == values.canonical_name(table, name)
        ]
    for pair in fitting[:1]:
        found.remove(pair)
        return pair
    return None


def _write_pair(element: Element, pair: Element, item: Data, table: str, context: Context) -> None:
    if "id-ref" in item:
        pair.attrib.clear()
        pair.set("id-ref", item["id-ref"])
        if item.get("name") is not None:
            pair.set("name", values.text(item["name"]))
        return
    if pair.get("id") is None or pair.get("id-ref") is not None:
        pair.attrib.pop("id-ref", None)
        given = item.get("id") or context.new_id(element.get("id", ""), values.text(item["name"]))
        pair.set("id", given)
        context.ids.add(given)
    set_value(pair, item["name"], item["value"], table)


def set_value(pair: Element, name: Any, value: Any, table: str) -> None:
    """
    Give an nvpair a value, unless it means that already; an option that has had several names keeps its present one.
    """
    if pair.get("name") is None:
        pair.set("name", values.text(name))
    kind = values.option_type(table, name)
    if pair.get("value") is None or values.meaning(kind, pair.get("value")) != values.meaning(kind, value):
        pair.set("value", values.spelled(kind if kind == "score" else "text", value))


def check_set(one: Any, table: str, path: Path, report: Report) -> None:
    """
    Report what is wrong with one set of the list form.
    """
    if not accept(report, path, one, dict, "a mapping with attributes, score, rule", secret=True):
        return
    if is_reference(one, path, report):
        return
    check_keys(report, path, one, ("id", "score", "rule", "attributes"))
    if one.get("score") is not None:
        _HEADER.by_key["score"].check(one["score"], (*path, "score"), report)
    if one.get("rule") is not None:
        _HEADER.by_key["rule"].check(_rules(one), (*path, "rule"), report)
    attributes = one.get("attributes", {})
    if isinstance(attributes, dict):
        check_pairs(attributes, table, (*path, "attributes"), report)
    elif accept(report, (*path, "attributes"), attributes, list, "names and values", secret=True):
        for number, item in enumerate(attributes):
            _check_pair(item, table, (*path, "attributes", number), report)


def _check_pair(item: Any, table: str, path: Path, report: Report) -> None:
    """Report what is wrong with one pair of the list form."""
    if is_reference(item, path, report, beside=("name",)):
        item = {"name": item.get("name", "a reference"), "value": ""}
    if not isinstance(item, dict) or not {"name"} <= set(item) <= {"id", "name", "value"}:
        refuse(report, path, item, "a mapping with name, value and id, or an id-ref", secret=True)
    elif accept(report, (*path, "name"), item["name"], str, "a name"):
        check_pairs({item["name"]: item.get("value")}, table, path, report)


def check_pairs(attributes: Data, table: str, path: Path, report: Report) -> None:
    """
    Report values that are no single values, or not of the type that the option has.
    """
    for name, value in attributes.items():
        if value is None:
            continue
        wanted = values.allowed(values.option_type(table, name), value)
        if wanted:
            is_secret = values.is_secret(values.text(name), value)
            kind = Problem if isinstance(value, (dict, list)) else Doubt
            refuse(report, (*path, name), value, wanted, is_secret, kind)
