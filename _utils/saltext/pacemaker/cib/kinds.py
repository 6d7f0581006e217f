"""
Every kind of object in the configuration section, one entry each: where it lies in the CIB, how it is laid out as data,
what it refers to, what people are told of it. What other parts need of all kinds derives from these in tables.py.

The sections ``properties``, ``resource_defaults``, ``operation_defaults``, ``node_attributes`` and ``utilization`` hold
name-value sets and are described in settings.py.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from saltext.pacemaker.cib import values
from saltext.pacemaker.cib.fields import Agent, Alias, Attribute, Many, Members, References, Single, Words, is_reference
from saltext.pacemaker.cib.nvsets import NVSets
from saltext.pacemaker.cib.rules import RULE
from saltext.pacemaker.cib.shapes import Context, Shape, Target
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Data, Element, Path, Report

RESOURCE_SECTIONS = ("primitives", "groups", "clones", "bundles")
_RESOURCE = Target("resource", RESOURCE_SECTIONS)
_CONSTRAINED = Target("resource", (*RESOURCE_SECTIONS, "templates", "tags"))
_TEMPLATE = Target("template", ("templates",), binds=False, shown=False)
_ROLE = Target("role", ("acls:roles",), shown=False)
_DEVICE = Target("fence device", RESOURCE_SECTIONS, shown=False, doubtful=True, known=frozenset({"watchdog"}))
_ANY_ELEMENT = Target("element")
_LISTED = Target("element", shown=False)


@dataclass(frozen=True)
class OneOf:
    """Exactly one of these fields has to be stated. ``text`` says so in better words."""

    keys: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class Kind:
    """
    One kind of object: all that the engine, the states and the documents know of it.

    section: its key in the data. name: how one is called in messages, and the first part of the names of its states.
    doc: what its section holds, for people. tags: its XML elements, the first for new ones. parent: the path of the
    element that holds them, below ``configuration``. shape: its fields. one_of: fields of which one is needed. unless:
    (a field that is needed, the one in whose place it is not). alone: the field that stands for the whole in data.
    """

    section: str
    name: str
    doc: str
    tags: tuple[str, ...]
    parent: str
    shape: Shape
    one_of: tuple[OneOf, ...] = ()
    unless: tuple[tuple[str, str], ...] = ()
    alone: str = ""

    @property
    def members(self) -> Members | None:
        """
        The field with the resources that are in it; None if it is no group, clone or bundle.
        """
        return next((field for field in self.shape.fields if isinstance(field, Members)), None)

    @property
    def fields_in_words(self) -> str:
        """
        The names of its fields, those that stand for each other together.
        """
        instead = {one.keys[0]: one.keys[1:] for one in self.one_of}
        later = {key for keys in instead.values() for key in keys}
        found = [key for key in self.shape.by_key if key not in later]
        return ", ".join(f"{key} (or {', '.join(instead[key])})" if instead.get(key) else key for key in found)

    def check(self, content: Any, path: Path, report: Report) -> None:
        """
        Report what is wrong with the data of one.
        """
        self.shape.check(content, path, report)
        if not isinstance(content, dict):
            return
        stated = {key for key, value in content.items() if value not in (None, [], {})}
        for one in self.one_of:
            if len(stated.intersection(one.keys)) != 1:
                report(Problem(path, one.text or f"needs one of {', '.join(one.keys)}"))
        for key, other in self.unless:
            if not stated & {key, other}:
                report(Problem((*path, key), "is missing"))


_DESCRIPTION = Attribute("description")
_PARAMS = NVSets("params", "params", "instance_attributes")
_META = NVSets("meta", "meta", "meta_attributes")


def _boolean(key: str) -> Attribute:
    return Attribute(key, kind="boolean")


def _operation_key(data: Data) -> tuple[Any, ...]:
    """What tells one operation of a resource from another."""
    return data.get("name"), data.get("interval", "0"), data.get("role")


_ON_FAIL = ("ignore", "block", "demote", "stop", "restart", "standby", "fence", "restart-container")
_OPERATION = Shape(
    Attribute("name", required=True),
    Attribute("interval", kind="duration"),
    Attribute("timeout", kind="duration"),
    Attribute("start-delay", kind="duration"),
    Attribute("interval-origin"),
    _boolean("enabled"),
    _boolean("record-pending"),
    Attribute("role", kind="role"),
    Attribute("on-fail", kind="word", choices=_ON_FAIL),
    Attribute("requires", kind="word"),
    _DESCRIPTION,
    _PARAMS,
    NVSets("meta", "operation_meta", "meta_attributes"),
    suffix=lambda data: f"{data['name']}-{data.get('interval', '0')}",
)
_COMMON = (
    _DESCRIPTION,
    _PARAMS,
    _META,
    NVSets("utilization", "utilization", "utilization"),
)


class Operations(Many):
    """
    The operations of a primitive or template. Pacemaker needs an interval on each; one left out means 0.
    """

    def __init__(self) -> None:
        super().__init__("operations", {"op": _OPERATION}, inside="operations", same=_operation_key)

    def items(self, value: Any) -> Iterator[tuple[Path, str, Data]]:
        """Nothing: what refers to operations is an ``id-ref``, and they refer to nothing else."""
        yield from ()

    def read(self, element: Element, context: Context, where: str) -> Any:
        parent = element.find("operations")
        if parent is None:
            return None
        if parent.get("id-ref") is not None:
            return {"id-ref": parent.get("id-ref")}
        found = [item for item in super().read(element, context, where) or () if not _says_nothing(item)] or None
        if found and parent.get("id") in context.referenced:
            return {"id": parent.get("id"), "operations": found}
        return found

    def meaning(self, value: Any, context: Context) -> Any:
        if isinstance(value, dict):
            value = context.resolve(value)
            if "id-ref" in value:
                return "id-ref", value["id-ref"]
            value = value.get("operations")
        items = [_with_interval(item) for item in value or ()]
        return super().meaning([item for item in items if not _says_nothing(item)], context)

    def write(self, element: Element, value: Any, context: Context) -> None:
        parent = element.find("operations")
        if isinstance(value, dict):
            if parent is not None and value.get("id-ref") != parent.get("id-ref"):
                element.remove(parent)
                parent = None
            if "id-ref" in value:
                if parent is None:
                    element.append(_operations_element(**{"id-ref": value["id-ref"]}))
                return
            if parent is None:
                element.append(_operations_element(id=value["id"]))
            value = value.get("operations")
        elif parent is not None and parent.get("id-ref") is not None:
            element.remove(parent)
        super().write(element, [_with_interval(item) for item in value or ()], context)

    def check(self, value: Any, path: Path, report: Report) -> None:
        if is_reference(value, path, report):
            return
        if isinstance(value, dict):
            if set(value) != {"id", "operations"}:
                report(Problem(path, "allowed: a list, a mapping with id and operations, or an id-ref"))
                return
            value = value["operations"]
        super().check(value, path, report)


def _with_interval(item: Data) -> Data:
    return item if "interval" in item or "id-ref" in item else {**item, "interval": "0"}


def _says_nothing(item: Data) -> bool:
    """Whether an operation has nothing but its name: to Pacemaker it is as if it were not there."""
    return not set(item) - {"name", "interval"} and values.meaning("duration", item.get("interval", "0")) == "0"


def _operations_element(**attributes: str) -> Element:
    return ET.Element("operations", attributes)


_CONTAINER = Shape(
    Attribute("image", required=True),
    Attribute("replicas", kind="integer"),
    Attribute("replicas-per-host", kind="integer"),
    Alias("promoted-max", "masters", since=(3, 0), kind="integer"),
    Attribute("run-command"),
    Attribute("network"),
    Attribute("options"),
)
_PORT = Shape(Attribute("port"), Attribute("internal-port"), Attribute("range"), suffix="port")
_NETWORK = Shape(
    Attribute("ip-range-start"),
    Attribute("control-port"),
    Attribute("host-interface"),
    Attribute("host-netmask"),
    _boolean("add-host"),
    Many("port-mappings", {"port-mapping": _PORT}),
)
_STORAGE = Shape(
    Attribute("source-dir"),
    Attribute("source-dir-root"),
    Attribute("target-dir", required=True),
    Attribute("options"),
    suffix="storage",
)
_SET = Shape(
    _boolean("sequential"),
    _boolean("require-all"),
    Attribute("ordering", kind="word"),
    Attribute("action", kind="word"),
    Attribute("role", kind="role"),
    Attribute("score", kind="score"),
    Attribute("kind", kind="word"),
    References("resources", "resource_ref", ordered=True, refers=_CONSTRAINED),
    suffix="set",
    essential=("resources",),
)
_SETS = Many("sets", {"resource_set": _SET}, ordered=True)
_LIFETIME = Single("lifetime", Shape(Many("rules", {"rule": RULE})), empty=True)
_PERMISSION = Shape(
    Attribute("kind", required=True, kind="word", choices=("read", "write", "deny")),
    Attribute("xpath"),
    Attribute("reference", refers=_ANY_ELEMENT),
    Attribute("object-type"),
    Attribute("attribute"),
    _DESCRIPTION,
    suffix="permission",
)
_ALERT_META = NVSets("meta", "alert_meta", "meta_attributes")
_RECIPIENT = Shape(_DESCRIPTION, Attribute("value", required=True), _PARAMS, _ALERT_META)
_SELECT = Shape(
    Many("select_attributes", {"attribute": Shape(Attribute("name", required=True))}, inside="select_attributes"),
    Single("select_fencing", Shape(), empty=True),
    Single("select_nodes", Shape(), empty=True),
    Single("select_resources", Shape(), empty=True),
)


class OrderKind(Attribute):
    """
    The kind of an order; Pacemaker 3 no longer takes the score that once stood for it (0 is Optional).
    """

    def __init__(self) -> None:
        super().__init__("kind", kind="word", choices=("Mandatory", "Optional", "Serialize"))
        self.attributes = {"kind", "score"}

    def read(self, element: Element, context: Context, where: str) -> Any:
        if element.get("kind") is None and element.get("score") is not None:
            return "Optional" if values.meaning("score", element.get("score")) == "0" else "Mandatory"
        return element.get("kind")

    def write(self, element: Element, value: Any, context: Context) -> None:
        element.attrib.pop("score", None)
        super().write(element, value, context)


class Promotable(NVSets):
    """
    The meta attributes of a clone; the former element ``master`` is a clone with promotable=true.
    """

    def __init__(self) -> None:
        super().__init__("meta", "meta", "meta_attributes")

    def read(self, element: Element, context: Context, where: str) -> Any:
        found = super().read(element, context, where)
        if element.tag != "master":
            return found
        if isinstance(found, list):
            return [{"attributes": {"promotable": "true"}, "score": "INFINITY"}, *found]
        return {"promotable": "true", **(found or {})}

    def write(self, element: Element, value: Any, context: Context) -> None:
        element.tag = "clone"
        super().write(element, value, context)


_TECHNOLOGIES = ("docker", "podman", "rkt")
_KINDS = (
    Kind(
        "primitives",
        "primitive",
        "Primitives: {agent, params, meta, operations}.",
        ("primitive",),
        "resources",
        Shape(Agent(), Attribute("template", refers=_TEMPLATE), *_COMMON, Operations()),
        one_of=(OneOf(("agent", "template"), "needs an agent, or else a template"),),
    ),
    Kind(
        "groups",
        "group",
        "Groups: {members, meta}.",
        ("group",),
        "resources",
        Shape(
            _DESCRIPTION,
            Members("members", "primitive", many=True, refers=_RESOURCE),
            _PARAMS,
            _META,
            essential=("members",),
        ),
    ),
    Kind(
        "clones",
        "clone",
        "Clones: {resource, meta}.",
        ("clone", "master"),
        "resources",
        Shape(
            _DESCRIPTION,
            Members("resource", "primitive", "group", refers=_RESOURCE),
            _PARAMS,
            Promotable(),
            essential=("resource",),
        ),
    ),
    Kind(
        "bundles",
        "bundle",
        "Bundles (containers).",
        ("bundle",),
        "resources",
        Shape(
            _DESCRIPTION,
            _PARAMS,
            _META,
            *(Single(name, _CONTAINER, empty=True) for name in _TECHNOLOGIES),
            Single("network", _NETWORK, empty=True),
            Many("storage", {"storage-mapping": _STORAGE}, inside="storage"),
            Members("primitive", "primitive", refers=_RESOURCE, required=False),
        ),
        one_of=(OneOf(_TECHNOLOGIES),),
    ),
    Kind(
        "templates",
        "template",
        "Resource templates.",
        ("template",),
        "resources",
        Shape(Agent(), *_COMMON, Operations()),
        one_of=(OneOf(("agent",), "needs an agent"),),
    ),
    Kind(
        "locations",
        "location",
        "Location constraints: {resource, node, score} or a rule.",
        ("rsc_location",),
        "constraints",
        Shape(
            Attribute("resource", "rsc", refers=_CONSTRAINED),
            Attribute("resource-pattern", "rsc-pattern"),
            Attribute("role", kind="role"),
            Attribute("node"),
            Attribute("score", kind="score"),
            Attribute("resource-discovery", kind="word", choices=("always", "never", "exclusive")),
            _SETS,
            Many("rules", {"rule": RULE}),
            _LIFETIME,
            ordered=True,
            essential=("resource", "resource-pattern", "sets"),
        ),
        one_of=(
            OneOf(("resource", "resource-pattern", "sets")),
            OneOf(("node", "rules"), "needs a node with a score, or else rules"),
        ),
    ),
    Kind(
        "colocations",
        "colocation",
        "Colocation constraints: {resource, with, score}.",
        ("rsc_colocation",),
        "constraints",
        Shape(
            Attribute("resource", "rsc", refers=_CONSTRAINED),
            Attribute("with", "with-rsc", refers=_CONSTRAINED),
            Attribute("score", kind="score"),
            Attribute("score-attribute"),
            Attribute("score-attribute-mangle"),
            Attribute("role", "rsc-role", kind="role"),
            Attribute("with-role", "with-rsc-role", kind="role"),
            Attribute("node-attribute"),
            _boolean("influence"),
            _LIFETIME,
            _SETS,
            ordered=True,
            essential=("resource", "with", "sets"),
        ),
        one_of=(OneOf(("resource", "sets")),),
        unless=(("with", "sets"),),
    ),
    Kind(
        "orders",
        "order",
        "Order constraints: {first, then, kind, symmetrical}.",
        ("rsc_order",),
        "constraints",
        Shape(
            Attribute("first", refers=_CONSTRAINED),
            Attribute("then", refers=_CONSTRAINED),
            Attribute("first-action", kind="word"),
            Attribute("then-action", kind="word"),
            OrderKind(),
            _boolean("symmetrical"),
            _boolean("require-all"),
            _LIFETIME,
            _SETS,
            ordered=True,
            essential=("first", "then", "sets"),
        ),
        one_of=(OneOf(("first", "sets")),),
        unless=(("then", "sets"),),
    ),
    Kind(
        "tickets",
        "ticket",
        "Ticket constraints.",
        ("rsc_ticket",),
        "constraints",
        Shape(
            Attribute("ticket", required=True),
            Attribute("resource", "rsc", refers=_CONSTRAINED),
            Attribute("role", "rsc-role", kind="role"),
            Attribute("loss-policy", kind="word", choices=("stop", "demote", "fence", "freeze")),
            _SETS,
            essential=("resource", "sets"),
        ),
        one_of=(OneOf(("resource", "sets")),),
    ),
    Kind(
        "fencing_levels",
        "fencing_level",
        "Fencing topology.",
        ("fencing-level",),
        "fencing-topology",
        Shape(
            Attribute("target"),
            Attribute("target-pattern"),
            Attribute("target-attribute"),
            Attribute("target-value"),
            Attribute("index", kind="integer", required=True),
            Words("devices", required=True, refers=_DEVICE),
            essential=("devices",),
        ),
        one_of=(OneOf(("target", "target-pattern", "target-attribute")),),
    ),
    Kind(
        "alerts",
        "alert",
        "Alerts.",
        ("alert",),
        "alerts",
        Shape(
            _DESCRIPTION,
            Attribute("path", required=True),
            _PARAMS,
            _ALERT_META,
            Single("select", _SELECT, empty=True),
            Many("recipients", {"recipient": _RECIPIENT}, keyed=True),
            ordered=True,
        ),
    ),
    Kind(
        "acls:roles",
        "acl_role",
        "ACL roles, users and groups.",
        ("acl_role",),
        "acls",
        Shape(_DESCRIPTION, Many("permissions", {"acl_permission": _PERMISSION})),
    ),
    Kind(
        "acls:targets",
        "acl_target",
        "",
        ("acl_target",),
        "acls",
        Shape(Attribute("name"), References("roles", "role", ordered=False, refers=_ROLE, required=False)),
    ),
    Kind(
        "acls:groups",
        "acl_group",
        "",
        ("acl_group",),
        "acls",
        Shape(Attribute("name"), References("roles", "role", ordered=False, refers=_ROLE, required=False)),
    ),
    Kind(
        "tags",
        "tag",
        "Tags.",
        ("tag",),
        "tags",
        Shape(References("members", "obj_ref", ordered=False, refers=_LISTED), essential=("members",)),
        alone="members",
    ),
)
KINDS = {kind.section: kind for kind in _KINDS}
BY_TAG = {(kind.parent, tag): kind for kind in _KINDS for tag in kind.tags}
