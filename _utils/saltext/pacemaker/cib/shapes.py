"""
How one XML element of a CIB is laid out as data: a ``Shape`` is a list of fields, and a field can read its part of an
element, say what the data means, check it, and write it back into the element, touching nothing else.

``meaning`` returns text and tuples of text: equal exactly when Pacemaker cannot tell the difference. ``write`` edits
in place: what already means the same keeps its XML, its inner ids included.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from saltext.pacemaker.errors import Problem
from saltext.pacemaker.given import accept, check_keys
from saltext.pacemaker.types import Data, Element, Path, Report

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_.-]")


def children(element: Element, *tags: str) -> list[Element]:
    """
    The child elements with one of ``tags`` (all if none is given), comments left out.
    """
    return [child for child in element if isinstance(child.tag, str) and (not tags or child.tag in tags)]


class Context:
    """
    What lies outside the element at hand.

    ids: every XML id in the document, so that a new one is unique.
    referenced: the ids that something refers to; only these are part of the data of inner elements.
    named: data by such an id, to resolve ``id-ref``.
    unknown: what was met and is not understood, as text; it is kept as it is.
    schema: the version of the CIB's schema, (major, minor); by default one in which everything has its present name.
    """

    def __init__(
        self,
        ids: Iterable[str] = (),
        referenced: Iterable[str] = (),
        named: dict[str, Data] | None = None,
        schema: tuple[int, int] = (3, 9),
    ) -> None:
        self.ids = set(ids)
        self.referenced = frozenset(referenced)
        self.named = dict(named or {})
        self.unknown: list[str] = []
        self.schema = schema

    @property
    def old_roles(self) -> bool:
        """
        Whether the schema still has Master and Slave instead of Promoted and Unpromoted.
        """
        return self.schema < (3, 7)

    def new_id(self, *parts: str) -> str:
        """
        Reserve and return an XML id made of ``parts`` that is not in use.
        """
        base = _NOT_IN_ID.sub("_", "-".join(parts))
        base = base if base[:1].isalpha() or base[:1] == "_" else "_" + base
        new, number = base, 1
        while new in self.ids:
            number += 1
            new = f"{base}-{number}"
        self.ids.add(new)
        return new

    def resolve(self, data: Any) -> Any:
        """
        The data that an ``id-ref`` stands for; any other data stands for itself.
        """
        seen = set()
        while isinstance(data, dict) and "id-ref" in data and data["id-ref"] not in seen:
            seen.add(data["id-ref"])
            data = self.named.get(data["id-ref"], data)
            if isinstance(data, dict) and data.get("id-ref") in seen:
                break
        return data


@dataclass(frozen=True)
class Target:
    """
    What fields may refer to.

    word: what one is called. sections: those that hold one; none: any element with an id. binds: what refers to it goes
    with it. shown: an inner element that is referred to so shows its id. doubtful: Pacemaker takes a reference to
    nothing, except to one of ``known``.
    """

    word: str
    sections: tuple[str, ...] = ()
    binds: bool = True
    shown: bool = True
    doubtful: bool = False
    known: frozenset[str] = frozenset()


class Field(ABC):
    """
    A part of an element.

    key: its key in the data. attributes, tags: those of the XML that it knows. refers: what its values are ids of.
    """

    key: str
    attributes: Collection[str] = frozenset()
    required = False
    refers: Target | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """
        The tags of its child elements.
        """
        return ()

    @abstractmethod
    def read(self, element: Element, context: Context, where: str) -> Any:
        """
        Its data; None if there is none.
        """

    @abstractmethod
    def meaning(self, value: Any, context: Context) -> Any:
        """
        What its data means; None if nothing.
        """

    @abstractmethod
    def write(self, element: Element, value: Any, context: Context) -> None:
        """
        Make its part of the element mean ``value``.
        """

    @abstractmethod
    def check(self, value: Any, path: Path, report: Report) -> None:
        """
        Report what is wrong with its data.
        """

    def inner(self) -> Shapes:
        """
        The shapes of its child elements, by tag.
        """
        return {}

    def items(self, value: Any) -> Iterator[tuple[Path, str, Data]]:
        """
        Yield (path within the value, tag, data) of its child elements.
        """
        yield from ()

    def is_there(self, element: Element) -> bool:
        """
        Whether an element has anything of it.
        """
        return any(element.get(name) for name in self.attributes) or bool(self.tags and children(element, *self.tags))


class Shape:
    """
    One element: its fields, in the order in which the schema wants their children.

    essential: the keys of what an element is there for. Once it has lost all of that, it goes.
    """

    def __init__(
        self,
        *fields: Field,
        suffix: str | Callable[[Data], str] = "",
        ordered: bool = False,
        essential: tuple[str, ...] = (),
    ) -> None:
        self.fields = fields
        self.suffix = suffix
        self.ordered = ordered
        self.essential = essential
        self.by_key = {field.key: field for field in fields}
        self._attributes = {"id"}.union(*(field.attributes for field in fields))

    @functools.cached_property
    def _order(self) -> dict[str, int]:
        return {tag: number for number, field in enumerate(self.fields) for tag in field.tags}

    def suffix_for(self, data: Data) -> str:
        """
        The last part of the id of an element that holds ``data``; empty if it is called after its tag.
        """
        return self.suffix(data) if callable(self.suffix) else self.suffix

    def read(self, element: Element, context: Context, where: str) -> Data:
        """
        The element's data; what no field knows goes to ``context.unknown``.
        """
        data = {}
        for field in self.fields:
            value = field.read(element, context, where)
            if value is not None:
                data[field.key] = value
        context.unknown += [f"{where}: attribute {name}" for name in element.attrib if name not in self._attributes]
        context.unknown += [f"{where}: element {child.tag}" for child in children(element) if not self._knows(child)]
        return data

    def _knows(self, child: Element) -> bool:
        return child.tag in self._order

    def meaning(self, data: Data, context: Context) -> tuple[tuple[str, Any], ...]:
        """
        What the data means, as a tuple of (key, meaning) of the fields that are there.
        """
        pairs = ((field.key, field.meaning(data.get(field.key), context)) for field in self.fields)
        return tuple(pair for pair in pairs if pair[1] is not None)

    def differing(self, old: Data, new: Data, context: Context) -> list[str]:
        """
        The keys of the fields in which two data differ in meaning.
        """
        return [
            field.key
            for field in self.fields
            if field.meaning(old.get(field.key), context) != field.meaning(new.get(field.key), context)
        ]

    def write(self, element: Element, data: Data, context: Context) -> None:
        """
        Edit the element so that it means ``data``.
        """
        old = self.read(element, Context(referenced=context.referenced), "")
        for key in self.differing(old, data, context):
            self.by_key[key].write(element, data.get(key), context)
        if self.ordered:
            wanted = sorted(element, key=lambda child: self._order.get(child.tag, len(self._order)))
            if wanted != list(element):
                element[:] = wanted

    def check(self, data: Any, path: Path, report: Report) -> None:
        """
        Report everything in ``data`` that this element cannot hold.
        """
        if not accept(report, path, data, dict, f"a mapping with {', '.join(self.by_key)}"):
            return
        check_keys(report, path, data, self.by_key)
        for field in self.fields:
            if data.get(field.key) is None:
                if field.required:
                    report(Problem((*path, field.key), "is missing"))
            else:
                field.check(data[field.key], (*path, field.key), report)


    def is_hollow(self, element: Element) -> bool:
        """
        Whether an element has lost all that it was there for.
        """
        return bool(self.essential) and not any(self.by_key[key].is_there(element) for key in self.essential)

    @functools.cached_property
    def _referring(self) -> list[Field]:
        """The fields that refer to something, or hold elements that do."""
        self.__dict__["_referring"] = []  # a rule may lie in a rule
        return [one for one in self.fields if one.refers or any(shape._referring for shape in one.inner().values())]

    def references(self, data: Data, path: Path) -> Iterator[tuple[Path, str, Target]]:
        """
        Yield (path, id, what it has to be) of everything that the data refers to.
        """
        for field in self._referring:
            value = data.get(field.key)
            if value is None:
                continue
            if field.refers:
                for name in value if isinstance(value, (list, tuple)) else [value]:
                    yield (*path, field.key), name, field.refers
            for place, tag, item in field.items(value):
                if "id-ref" not in item:
                    yield from field.inner()[tag].references(item, (*path, field.key, *place))


Shapes: TypeAlias = dict[str, Shape]
"""Shapes by the tags of their elements."""
