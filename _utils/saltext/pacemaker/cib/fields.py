"""
The fields that elements of a CIB are made of: each lays out a part of an element as data (shapes.py).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

from saltext.pacemaker.cib import values
from saltext.pacemaker.cib.shapes import Context, Field, Shape, Shapes, Target, children
from saltext.pacemaker.errors import Doubt, Problem
from saltext.pacemaker.given import accept, refuse
from saltext.pacemaker.types import Data, Element, Path, Report


class Attribute(Field):
    """
    An XML attribute with a typed value.
    """

    def __init__(
        self,
        key: str,
        xml: str | None = None,
        kind: str = "text",
        required: bool = False,
        choices: tuple[str, ...] = (),
        refers: Target | None = None,
    ) -> None:
        self.key = key
        self.xml = xml or key
        self.attributes = {self.xml}
        self.kind = kind
        self.required = required
        self.choices = choices
        self.refers = refers

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
            refuse(report, path, value, wanted, kind=Problem if isinstance(value, (dict, list)) else Doubt)


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


class Agent(Field):
    """
    The class, provider and type of an agent, as ``class:provider:type`` or ``class:type``.
    """

    key = "agent"
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
            refuse(report, path, value, "class:provider:type or class:type")


def _agent_parts(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    (names of attributes, values) for an agent's name; only class ocf has a provider.
    """
    if value is None:
        return (), ()
    if values.text(value).startswith("ocf:"):
        return ("class", "provider", "type"), tuple(values.text(value).split(":", 2))
    return ("class", "type"), tuple(values.text(value).split(":", 1))


class References(Field):
    """
    Child elements that only carry the id of something else: ``resource_ref``, ``obj_ref``, ``role``.
    """

    def __init__(self, key: str, tag: str, ordered: bool, refers: Target, required: bool = True) -> None:
        self.required = required
        self.key = key
        self.tag = tag
        self.ordered = ordered
        self.refers = refers

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag,)

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


class Members(Field):
    """
    The ids of the resources inside a group, clone or bundle. The tree itself is arranged in edit.py.
    """

    def __init__(self, key: str, *tags: str, refers: Target, many: bool = False, required: bool = True) -> None:
        self.key = key
        self._tags = tags
        self.many = many
        self.required = required
        self.refers = refers

    @property
    def tags(self) -> tuple[str, ...]:
        return self._tags

    def names(self, data: Data) -> list[str]:
        """
        The ids in the data of an object.
        """
        value = data.get(self.key)
        if not value:
            return []
        return list(value) if self.many else [value]

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
        else:
            accept(report, path, value, str, "the name of a resource")


class Single(Field):
    """
    One child element, as a mapping.
    """

    def __init__(self, key: str, shape: Shape, tag: str | None = None, empty: bool = False) -> None:
        self.key = key
        self.tag = tag or key
        self.shape = shape
        self.needs_id = not empty

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.tag,)

    def inner(self) -> Shapes:
        return {self.tag: self.shape}

    def items(self, value: Any) -> Iterator[tuple[Path, str, Data]]:
        yield (), self.tag, value

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


class Many(Field):
    """
    Child elements of one tag, or of one of several (then each item is ``{tag: data}``), as a list; with ``keyed``, as a
    mapping by their ids. They may lie in an element of their own (``inside``). An item may be an ``id-ref``.
    """

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

    @property
    def tags(self) -> tuple[str, ...]:
        return (self.inside,) if self.inside else tuple(self.shapes())

    def inner(self) -> Shapes:
        return self.shapes()

    def items(self, value: Any) -> Iterator[tuple[Path, str, Data]]:
        for place, item in value.items() if isinstance(value, dict) else enumerate(value):
            tag, data = self._split(item)
            yield (place,), tag, data

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
        kind, allowed = (dict, "a mapping by id") if self.keyed else (list, "a list")
        if accept(report, path, value, kind, allowed):
            for place, item in value.items() if isinstance(value, dict) else enumerate(value):
                self._check_item(item, (*path, place), report)

    def _check_item(self, item: Any, path: Path, report: Report) -> None:
        shapes = self.shapes()
        if not isinstance(item, dict) or (len(shapes) > 1 and (len(item) != 1 or next(iter(item)) not in shapes)):
            allowed = "one of the keys " + ", ".join(shapes) if len(shapes) > 1 else "a mapping"
            refuse(report, path, item, allowed)
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
            refuse(report, (*path, key), data[key], "an id")
    if "id-ref" in data and not set(data) <= {"id-ref", *beside}:
        report(Problem(path, "id-ref stands alone"))
    return "id-ref" in data


def _check_words(value: Any, path: Path, report: Report) -> None:
    if not isinstance(value, (list, tuple)) or not value:
        refuse(report, path, value, "a list of names")
        return
    for number, word in enumerate(value):
        if not isinstance(word, str) or not word:
            refuse(report, (*path, number), word, "a name")
    names = [word for word in value if isinstance(word, str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        report(Problem(path, f"names {name} twice"))
