"""
How one XML element of a CIB is laid out as data: a ``Shape`` is a list of fields, and a field can read its part of an
element, say what the data means, check it, and write it back into the element, touching nothing else.

``meaning`` returns text and tuples of text: equal exactly when Pacemaker cannot tell the difference. ``write`` edits
in place: what already means the same keeps its XML, its inner ids included.
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from saltext.pacemaker.cib import values
from saltext.pacemaker.types import Data, Element, Path, Report
from saltext.pacemaker.words import describe, did_you_mean

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


class Field(Protocol):
    """
    A part of an element. ``attributes`` and ``tags`` are those of the XML that it knows.
    """

    key: str

    @property
    def attributes(self) -> Collection[str]: ...

    @property
    def tags(self) -> tuple[str, ...]: ...

    def read(self, element: Element, context: Context, where: str) -> Any: ...

    def meaning(self, value: Any, context: Context) -> Any: ...

    def write(self, element: Element, value: Any, context: Context) -> None: ...

    def check(self, value: Any, path: Path, report: Report) -> None: ...


class Shape:
    """
    One element: its fields, in the order in which the schema wants their children.
    """

    def __init__(self, *fields: Field, suffix: str | Callable[[Data], str] = "", ordered: bool = False) -> None:
        self.fields = fields
        self.suffix = suffix
        self.ordered = ordered
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
        Report (path, text) for everything in ``data`` that this element cannot hold.
        """
        if not isinstance(data, dict):
            report(path, f"found {describe(data)}, allowed: a mapping with {', '.join(self.by_key)}")
            return
        for key in data:
            if key not in self.by_key:
                report((*path, key), f"is not known here{did_you_mean(key, self.by_key)}")
        for field in self.fields:
            if data.get(field.key) is None:
                if getattr(field, "required", False):
                    report((*path, field.key), "is missing")
            else:
                field.check(data[field.key], (*path, field.key), report)


Shapes = dict[str, Shape]
"""Shapes by the tags of their elements."""


class Attribute:
    """
    An XML attribute with a typed value.
    """

    tags = ()

    def __init__(
        self,
        key: str,
        xml: str | None = None,
        kind: str = "text",
        required: bool = False,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.key = key
        self.xml = xml or key
        self.attributes = {self.xml}
        self.kind = kind
        self.required = required
        self.choices = choices

    def read(self, element: Element, context: Context, where: str) -> Any:
        value = element.get(self.xml)
        if value is not None and self.kind == "role":
            return values.meaning("role", value)
        return value

    def meaning(self, value: Any, context: Context) -> Any:
        return None if value is None else values.meaning(self.kind, value)

    def write(self, element: Element, value: Any, context: Context) -> None:
        if value is None:
            element.attrib.pop(self.xml, None)
        else:
            spelled = values.spelled(self.kind, value, context.old_roles)
            known = {values.word(choice): choice for choice in self.choices}
            element.set(self.xml, known.get(values.word(spelled), spelled))

    def check(self, value: Any, path: Path, report: Report) -> None:
        wanted = values.allowed(self.kind, value)
        if wanted is None and self.choices and values.word(value) not in {values.word(c) for c in self.choices}:
            wanted = "one of " + ", ".join(self.choices)
        if wanted:
            only = not isinstance(value, (dict, list))
            report(path, f"found {describe(value)}, allowed: {wanted}", value_only=only)


class Alias(Attribute):
    """
    An attribute that also has a former name, under which it may stand in the element, and has to before the schema
    ``since``.
    """

    def __init__(self, key: str, former: str, since: tuple[int, int], kind: str = "text") -> None:
        super().__init__(key, kind=kind)
        self.former = former
        self.since = since
        self.attributes = {key, former}

    def read(self, element: Element, context: Context, where: str) -> Any:
        return element.get(self.xml, element.get(self.former))

    def write(self, element: Element, value: Any, context: Context) -> None:
        for name in self.attributes:
            element.attrib.pop(name, None)
        if value is not None:
            name = self.key if context.schema >= self.since else self.former
            element.set(name, values.spelled(self.kind, value))


class Words(Attribute):
    """
    An attribute that is a list of words with commas between them, in an order that counts.
    """

    def read(self, element: Element, context: Context, where: str) -> Any:
        value = element.get(self.xml)
        return None if value is None else [word.strip() for word in value.split(",")]

    def meaning(self, value: Any, context: Context) -> Any:
        return None if value is None else tuple(values.text(word) for word in value)

    def write(self, element: Element, value: Any, context: Context) -> None:
        element.set(self.xml, ",".join(values.text(word) for word in value))

    def check(self, value: Any, path: Path, report: Report) -> None:
        _check_words(value, path, report)


class Agent:
    """
    The class, provider and type of an agent, as ``class:provider:type`` or ``class:type``.
    """

    key = "agent"
    tags = ()
    attributes = frozenset(("class", "provider", "type"))

    def read(self, element: Element, context: Context, where: str) -> Any:
        parts = [element.get(name) for name in ("class", "provider", "type")]
        return ":".join(part for part in parts if part is not None) if parts[0] else None

    def meaning(self, value: Any, context: Context) -> Any:
        return None if value is None else values.text(value)

    def write(self, element: Element, value: Any, context: Context) -> None:
        for name in self.attributes:
            element.attrib.pop(name, None)
        for name, part in zip(*_agent_parts(value), strict=False):
            element.set(name, part)

    def check(self, value: Any, path: Path, report: Report) -> None:
        names, parts = _agent_parts(value)
        if len(parts) < 2 or not all(parts):
            report(path, f"found {describe(value)}, allowed: class:provider:type or class:type")


def _agent_parts(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    (names of attributes, values) for an agent's name; only class ocf has a provider.
    """
    if value is None:
        return (), ()
    if values.text(value).startswith("ocf:"):
        return ("class", "provider", "type"), tuple(values.text(value).split(":", 2))
    return ("class", "type"), tuple(values.text(value).split(":", 1))


class References:
    """
    Child elements that only carry the id of something else: ``resource_ref``, ``obj_ref``, ``role``.
    """

    attributes: frozenset[str] = frozenset()

    def __init__(self, key: str, tag: str, ordered: bool, required: bool = True) -> None:
        self.required = required
        self.key = key
        self.tag = tag
        self.tags = (tag,)
        self.ordered = ordered

    def read(self, element: Element, context: Context, where: str) -> Any:
        found = list(dict.fromkeys(child.get("id") for child in children(element, self.tag)))
        return found if found or self.required else None

    def meaning(self, value: Any, context: Context) -> Any:
        names = [values.text(name) for name in value or ()]
        return tuple(names if self.ordered else sorted(set(names)))

    def write(self, element: Element, value: Any, context: Context) -> None:
        wanted = [values.text(name) for name in value or ()]
        old = {child.get("id"): child for child in children(element, self.tag)}
        for child in children(element, self.tag):
            element.remove(child)
        for name in wanted:
            element.append(old[name] if name in old else ET.Element(self.tag, id=name))

    def check(self, value: Any, path: Path, report: Report) -> None:
        _check_words(value, path, report)


class Members:
    """
    The ids of the resources inside a group, clone or bundle. The tree itself is arranged in edit.py.
    """

    attributes: frozenset[str] = frozenset()

    def __init__(self, key: str, *tags: str, many: bool = False, required: bool = True) -> None:
        self.key = key
        self.tags = tags
        self.many = many
        self.required = required

    def read(self, element: Element, context: Context, where: str) -> Any:
        names = [child.get("id") for child in children(element, *self.tags)]
        return names if self.many else (names[0] if names else None)

    def meaning(self, value: Any, context: Context) -> Any:
        if self.many:
            return tuple(values.text(name) for name in value or ())
        return None if value is None else values.text(value)

    def write(self, element: Element, value: Any, context: Context) -> None:
        """Nothing: which resource is where is arranged for the whole tree at once."""

    def check(self, value: Any, path: Path, report: Report) -> None:
        if self.many:
            _check_words(value, path, report)
        elif not isinstance(value, str):
            report(path, f"found {describe(value)}, allowed: the name of a resource")


class Single:
    """
    One child element, as a mapping.
    """

    attributes: frozenset[str] = frozenset()

    def __init__(self, key: str, shape: Shape, tag: str | None = None, empty: bool = False) -> None:
        self.key = key
        self.tag = tag or key
        self.tags = (self.tag,)
        self.shape = shape
        self.needs_id = not empty

    def read(self, element: Element, context: Context, where: str) -> Any:
        child = element.find(self.tag)
        return None if child is None else self.shape.read(child, context, f"{where} {self.tag}")

    def meaning(self, value: Any, context: Context) -> Any:
        return None if value is None else ("", *self.shape.meaning(value, context))

    def write(self, element: Element, value: Any, context: Context) -> None:
        child = element.find(self.tag)
        if value is None:
            if child is not None:
                element.remove(child)
            return
        if child is None:
            child = ET.SubElement(element, self.tag)
            if self.needs_id:
                child.set("id", context.new_id(element.get("id", ""), self.shape.suffix_for(value) or self.tag))
        self.shape.write(child, value, context)

    def check(self, value: Any, path: Path, report: Report) -> None:
        self.shape.check(value, path, report)


class Many:
    """
    Child elements of one tag, or of one of several (then each item is ``{tag: data}``), as a list; with ``keyed``, as a
    mapping by their ids. They may lie in an element of their own (``inside``). An item may be an ``id-ref``.
    """

    attributes: frozenset[str] = frozenset()

    def __init__(
        self,
        key: str,
        shapes: Shapes | Callable[[], Shapes],
        inside: str | None = None,
        ordered: bool = False,
        keyed: bool = False,
        same: Callable[[Data], Any] | None = None,
    ) -> None:
        self.key = key
        self.shapes = shapes if callable(shapes) else lambda: shapes
        self.inside = inside
        self.ordered = ordered
        self.keyed = keyed
        self.same = same
        self._tags = None

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.inside,) if self.inside else tuple(self.shapes())

    def _children(self, element: Element) -> list[Element]:
        parent = element.find(self.inside) if self.inside else element
        return [] if parent is None else children(parent, *self.shapes())

    def _read_item(self, child: Element, context: Context, where: str) -> Data:
        if child.get("id-ref") is not None:
            data = {"id-ref": child.get("id-ref")}
        else:
            data = self.shapes()[child.tag].read(child, context, f"{where} {child.tag}")
            if child.get("id") in context.referenced and not self.keyed:
                data = {"id": child.get("id"), **data}
        return data

    def read(self, element: Element, context: Context, where: str) -> Any:
        found = self._children(element)
        if not found:
            return None
        if self.keyed:
            return {child.get("id"): self._read_item(child, context, where) for child in found}
        items = [self._read_item(child, context, where) for child in found]
        if len(self.shapes()) > 1:
            return [{child.tag: item} for child, item in zip(found, items, strict=True)]
        return items

    def _split(self, item: Data) -> tuple[str, Data]:
        """(tag, data) of an item."""
        if len(self.shapes()) > 1:
            return next(iter(item.items()))
        return next(iter(self.shapes())), item

    def _item_meaning(self, item: Data, context: Context) -> Any:
        tag, data = self._split(item)
        data = context.resolve(data)
        if "id-ref" in data:
            return tag, ("id-ref", values.text(data["id-ref"]))
        return tag, self.shapes()[tag].meaning(data, context)

    def meaning(self, value: Any, context: Context) -> Any:
        if not value:
            return None
        if self.keyed:
            return tuple(sorted((name, self._item_meaning(item, context)) for name, item in value.items()))
        items = [self._item_meaning(item, context) for item in value]
        return tuple(items) if self.ordered else tuple(sorted(items, key=repr))

    def write(self, element: Element, value: Any, context: Context) -> None:
        parent = self._parent(element)
        found = children(parent, *self.shapes())
        wanted = list(value.items()) if self.keyed and value else [(None, item) for item in value or ()]
        kept = [self._take(found, name, item, context) for name, item in wanted]
        for child in found:
            parent.remove(child)
        if self.ordered:
            for old in (one for one in kept if one is not None):
                parent.remove(old)
        for (name, item), there in zip(wanted, kept, strict=True):
            tag, data = self._split(item)
            child = ET.Element(tag) if there is None else there
            if there is None or self.ordered:
                parent.append(child)
            self._write_item(element, child, name, tag, data, context)
        if self.inside and not len(parent) and not parent.attrib:
            element.remove(parent)

    def _parent(self, element: Element) -> Element:
        """Where the items lie, made if need be."""
        if not self.inside:
            return element
        parent = element.find(self.inside)
        return ET.SubElement(element, self.inside) if parent is None else parent

    def _take(self, found: list[Element], name: str | None, item: Data, context: Context) -> Element | None:
        """Take out of ``found`` the element that ``item`` is to be written to; None if there is none."""
        for test in self._tests(name, item, context):
            for child in found:
                if test(child):
                    found.remove(child)
                    return child
        return None

    def _tests(self, name: str | None, item: Data, context: Context) -> list[Callable[[Element], bool]]:
        """What tells the element of an item, the surest first."""
        tag, data = self._split(item)
        if name is not None:
            return [lambda child: child.get("id") == name]
        if "id-ref" in data:
            return [lambda child: child.get("id-ref") == data["id-ref"]]
        wanted, same = self._item_meaning(item, context), self.same
        plain = Context(referenced=context.referenced)

        def has_id(child: Element) -> bool:
            return "id" in data and child.get("id") == data["id"]

        def has_meaning(child: Element) -> bool:
            old = self._joined(child.tag, self._read_item(child, plain, ""))
            return child.tag == tag and bool(self._item_meaning(old, context) == wanted)

        def is_alike(child: Element) -> bool:
            return same is not None and bool(same(self._read_item(child, plain, "")) == same(data))

        return [has_id, has_meaning, is_alike]

    def _joined(self, tag: str, data: Data) -> Data:
        return {tag: data} if len(self.shapes()) > 1 else data

    def _write_item(
        self, element: Element, child: Element, name: str | None, tag: str, data: Data, context: Context
    ) -> None:
        if "id-ref" in data:
            child.attrib.clear()
            child[:] = []
            child.set("id-ref", values.text(data["id-ref"]))
            return
        if child.get("id") is None:
            child.attrib.pop("id-ref", None)
            given = name or data.get("id")
            if given:
                context.ids.add(given)
            shape = self.shapes()[tag]
            child.set("id", given or context.new_id(element.get("id", ""), shape.suffix_for(data) or tag))
        elif data.get("id"):
            child.set("id", data["id"])
        self.shapes()[tag].write(child, data, context)

    def check(self, value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, dict if self.keyed else list):
            wanted = "a mapping by id" if self.keyed else "a list"
            report(path, f"found {describe(value)}, allowed: {wanted}")
            return
        for place, item in value.items() if isinstance(value, dict) else enumerate(value):
            self._check_item(item, (*path, place), report)

    def _check_item(self, item: Any, path: Path, report: Report) -> None:
        shapes = self.shapes()
        if not isinstance(item, dict) or (len(shapes) > 1 and (len(item) != 1 or next(iter(item)) not in shapes)):
            allowed = "one of the keys " + ", ".join(shapes) if len(shapes) > 1 else "a mapping"
            report(path, f"found {describe(item)}, allowed: {allowed}")
            return
        tag, data = self._split(item)
        if not is_reference(data, path, report):
            data = {k: v for k, v in data.items() if k != "id"} if isinstance(data, dict) else data
            shapes[tag].check(data, path, report)


def is_reference(data: Any, path: Path, report: Report, beside: tuple[str, ...] = ()) -> bool:
    """
    Whether data is an ``id-ref``, which stands alone or with the keys ``beside``. A wrong id or id-ref is reported.
    """
    if not isinstance(data, dict):
        return False
    for key in ("id", "id-ref"):
        if key in data and not (isinstance(data[key], str) and values.is_id(data[key])):
            report((*path, key), f"found {describe(data[key])}, allowed: an id")
    if "id-ref" in data and not set(data) <= {"id-ref", *beside}:
        report(path, "id-ref stands alone")
    return "id-ref" in data


def _check_words(value: Any, path: Path, report: Report) -> None:
    if not isinstance(value, (list, tuple)) or not value:
        report(path, f"found {describe(value)}, allowed: a list of names")
        return
    for number, word in enumerate(value):
        if not isinstance(word, str) or not word:
            report((*path, number), f"found {describe(word)}, allowed: a name")
    names = [word for word in value if isinstance(word, str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        report(path, f"names {name} twice")
