"""
Desired data completed by what is there: secrets for which it has only the marker, and what operators and agents have
set (switches.py) and it does not state. Each is taken from its own place: an operation is found by its name, interval
and role, a set by its id or its condition, a recipient by its id. The order in which they stand counts only between
those that nothing else tells apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from saltext.pacemaker.cib import nvsets, switches, values
from saltext.pacemaker.cib.hidden import MARKER
from saltext.pacemaker.cib.shapes import Context, Shape
from saltext.pacemaker.types import Data, Path


class Completion:
    """
    wanted_context, live_context: the contexts of the desired data and of the cluster's.

    unresolved: the names of secrets that are given nowhere, or of which it cannot be told which one is meant.
    """

    def __init__(self, wanted_context: Context, live_context: Context) -> None:
        self.wanted_context = wanted_context
        self.live_context = live_context
        self.unresolved: list[str] = []

    def object(self, shape: Shape, wanted: Data, live: Data | None, own_utilization: bool = False) -> Data:
        """
        The completed data of an object or of a part of one (an operation, a recipient).

        shape: its fields. live: what the cluster has in its place, None if nothing. own_utilization: whether its agent
        sets its utilization.
        """
        live = live or {}
        result = dict(wanted)
        for field in shape.fields:
            if isinstance(field, nvsets.NVSets):
                kept: Collection[str] = switches.SWITCHES[field.table]
                if own_utilization and field.key == "utilization":
                    kept = {name for one in nvsets.as_sets(live.get(field.key)) for name in self._live_pairs(one)}
                result[field.key] = self.sets(wanted.get(field.key), live.get(field.key), kept)
            elif field.key == "operations" and (wanted.get(field.key) or isinstance(live.get(field.key), list)):
                result[field.key] = self._operations(field, wanted.get(field.key) or [], live.get(field.key)) or None
            elif field.key == "recipients" and wanted.get(field.key):
                result[field.key] = self._recipients(field, wanted[field.key], live.get(field.key) or {})
            elif field.key in wanted:
                result[field.key] = self._text(field.key, wanted[field.key], live.get(field.key))
        return {key: value for key, value in result.items() if value is not None or key in wanted}

    def _text(self, name: Any, wanted: Any, live: Any) -> Any:
        """What is no set: a marker in it stands for what is in its place."""
        if isinstance(wanted, dict) and isinstance(live, dict):
            return {key: self._text(key, value, live.get(key)) for key, value in wanted.items()}
        if wanted == MARKER and live is None:
            self.unresolved.append(name)
        return live if wanted == MARKER and live is not None else wanted

    def _recipients(self, field: Any, wanted: Data, live: Data) -> Data:
        shape = field.shapes()["recipient"]
        return {name: self.object(shape, one, live.get(name)) for name, one in wanted.items()}

    def _operations(self, field: Any, wanted: Any, live: Any) -> Any:
        """Operations are a list, a mapping with id and operations, or a reference."""
        live = (live.get("operations") if isinstance(live, dict) else live) or []
        if isinstance(wanted, dict):
            inner = self._operations(field, wanted["operations"], live) if wanted.get("operations") else None
            return {**wanted, "operations": inner} if inner else wanted
        keys = [(list(map(_operation_key, wanted)), list(map(_operation_key, live)), False)]
        keys += [([key[:size] for key in keys[0][0]], [key[:size] for key in keys[0][1]], True) for size in (2, 1)]
        found = _counterparts(wanted, live, keys)
        result = [self._operation(field.shapes()["op"], *pair) for pair in zip(wanted, found, strict=True)]
        return result + [one for one in live if switches.is_traced(one) and not any(one is other for other in found)]

    def _operation(self, shape: Shape, wanted: Data, live: Data | None) -> Data:
        if "id-ref" in wanted:
            return wanted
        result, switch = self.object(shape, wanted, live), switches.OPERATION_SWITCH
        if live and switch in live and switch not in wanted:
            result[switch] = live[switch]
        return result

    def sets(self, wanted: Any, live: Any, kept: Collection[str]) -> Any:
        """
        Completed sets, in either form of the data.

        live: the sets that the cluster has in their place. kept: the names that operators or agents set.
        """
        given, there = nvsets.as_sets(wanted), nvsets.as_sets(live)
        found = self._counterparts_of_sets(given, there)
        result = [self._filled(one, other, there, found) for one, other in zip(given, found, strict=True)]
        stated = {name for one in given if "rule" not in one for name in nvsets.names(one.get("attributes"))}
        place = 0
        for one in there:
            at = next((number for number, other in enumerate(found) if other is one), None)
            pairs = {} if "rule" in one else self._live_pairs(one)
            missing = {name: value for name, value in pairs.items() if name in kept and name not in stated}
            if at is None and not missing:
                continue
            if at is None:
                at = place
                found.insert(at, one)
                result.insert(at, {"score": one["score"]} if "score" in one else {})
            if missing:
                result[at] = _with_pairs(result[at], missing)
            place = at + 1
        return wanted if result == given else nvsets.simplified(result)

    def _live_pairs(self, one: Data) -> dict[str, str]:
        return nvsets.pairs(one.get("attributes"), self.live_context)

    def _counterparts_of_sets(self, given: list[Data], there: list[Data]) -> list[Data | None]:
        def conditions(sets: list[Data], context: Context) -> list[Any]:
            return [nvsets.condition(one, context) for one in sets]

        def ids(sets: list[Data]) -> list[Any]:
            return [one.get("id", one.get("id-ref")) for one in sets]

        by_id = ids(given), ids(there), False
        by_condition = conditions(given, self.wanted_context), conditions(there, self.live_context), False
        only_ones = [""] * len(given), [""] * len(there), True
        return _counterparts(given, there, [by_id, by_condition, only_ones])

    def _filled(self, one: Data, live: Data | None, there: list[Data], found: list[Data | None]) -> Data:
        """A set with its markers replaced. there: all live sets; found: those that are some desired set's."""
        attributes = one.get("attributes")
        if not attributes:
            return one
        if isinstance(attributes, dict):
            named = {
                name: self._secret({"name": name}, live, there, found) if value == MARKER else value
                for name, value in attributes.items()
            }
            return {**one, "attributes": named}
        listed = [
            {**pair, "value": self._secret(pair, live, there, found)} if pair.get("value") == MARKER else pair
            for pair in attributes
        ]
        return {**one, "attributes": listed}

    def _secret(self, pair: Data, live: Data | None, there: list[Data], found: list[Data | None]) -> Any:
        """The value for a pair with the marker: that of its own set, else the only one that there is."""
        name = pair["name"]
        for sets in ([live] if live else [], [one for one in there if not any(one is other for other in found)], there):
            known = {self._value(one, pair) for one in sets} - {None}
            if len(known) == 1:
                return known.pop()
        self.unresolved.append(name)
        return MARKER

    def _value(self, one: Data, pair: Data) -> Any:
        """The value that a live set has for a pair: for that with the same id, if ids are told, else by name."""
        attributes = one.get("attributes")
        listed = attributes if isinstance(attributes, list) else ()
        same = [other for other in listed if "id" in pair and other.get("id") == pair["id"] and "value" in other]
        return same[0]["value"] if same else self._live_pairs(one).get(pair["name"])


def _with_pairs(one: Data, missing: dict[str, str]) -> Data:
    attributes = one.get("attributes") or {}
    if isinstance(attributes, dict):
        return {**one, "attributes": {**attributes, **missing}}
    return {**one, "attributes": [*attributes, *({"name": name, "value": missing[name]} for name in missing)]}


def _operation_key(operation: Data) -> tuple[Any, ...]:
    """What tells one operation of a resource from another."""
    role, interval = operation.get("role"), operation.get("interval") or "0"
    return (
        operation.get("name"),
        values.meaning("role", role) if role is not None else None,
        values.meaning("duration", interval),
    )


def _counterparts(
    wanted: list[Data], live: list[Data], keys: list[tuple[list[Any], list[Any], bool]]
) -> list[Data | None]:
    """
    For each wanted item the live item that it is about, or None.

    keys: [(keys of the wanted items, of the live ones, whether they are loose)], tried in this order. Items with the
    same key belong together, of several the most alike; by a loose key only if there is one such item on either side.
    """
    found: list[Data | None] = [None] * len(wanted)
    left, free = set(range(len(wanted))), set(range(len(live)))
    for wanted_keys, live_keys, loose in keys:
        groups: dict[Any, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, (numbers, its_keys) in enumerate(((left, wanted_keys), (free, live_keys))):
            for number in sorted(numbers):
                if its_keys[number] is not None:
                    groups[its_keys[number]][side].append(number)
        for mine, theirs in groups.values():
            if loose and (len(mine), len(theirs)) != (1, 1):
                continue
            for one, other in _most_alike(wanted, live, mine, theirs):
                found[one] = live[other]
                left.discard(one)
                free.discard(other)
    return found


def _most_alike(wanted: list[Data], live: list[Data], mine: list[int], theirs: list[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers, those first whose items have the most in common."""
    order = sorted((-_likeness(wanted[one], live[other]), one, other) for one in mine for other in theirs)
    taken: set[tuple[int, int]] = set()
    for _, one, other in order:
        if not taken.intersection({(0, one), (1, other)}):
            taken |= {(0, one), (1, other)}
            yield one, other


def _likeness(one: Data, other: Data) -> int:
    return len(set(_leaves(one, ())).intersection(_leaves(other, ())))


def _leaves(data: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, text) of every single value in data; the order of lists does not count."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list):
        for value in data:
            yield from _leaves(value, path)
    else:
        yield path, values.text(data)
