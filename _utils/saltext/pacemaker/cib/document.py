"""
A whole CIB: parse it, find the objects in it, read them as data, write it out again.

A ``Document`` keeps the XML tree as it was read (comments included). Whatever is not understood stays in the tree, is
named in ``unknown``, and is never written.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable
from typing import Any

from saltext.pacemaker.cib import kinds, nvsets, switches, tables
from saltext.pacemaker.cib.hidden import hide
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.cib.shapes import Context, children
from saltext.pacemaker.errors import CibError, Problem
from saltext.pacemaker.types import Data, Element, Key, Parents

AUTOMATIC = frozenset((
    "cluster-infrastructure", "cluster-name", "dc-version", "expected-quorum-votes", "have-watchdog",
    "last-lrm-refresh",
))  # fmt: skip
"""Properties that the cluster itself sets, or has set: never exported, compared or removed."""

EVERYTHING = "everything"


def tree(text: str) -> Element:
    """
    The root element of a CIB's text, comments kept. Raises CibError if it is no XML.
    """
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    try:
        parser.feed(text)
        return parser.close()
    except ET.ParseError as problem:
        text = "the CIB is not XML: line {}, column {}".format(*problem.position)
        raise CibError(Problem((), text)) from None


_VERSION = ("admin_epoch", "epoch", "num_updates")


def section_of(configuration: Element, path: str) -> Element:
    """
    The element ``path`` below ``configuration``, made if need be.
    """
    found = configuration.find(path)
    return ET.SubElement(configuration, path) if found is None else found


class Document:
    """
    A CIB. ``objects`` maps (section, id) to the element, ``settings`` maps (section, node or None) to the list of its
    set elements in the order in which they stand.
    """

    def __init__(self, root: Element) -> None:
        self.root = root
        configuration = root.find("configuration")
        if root.tag != "cib" or configuration is None:
            raise CibError(Problem((), "this is not a CIB: it has no element cib with a configuration in it"))
        self.configuration = configuration
        self.objects: dict[Key, Element] = {}
        self.settings: dict[tuple[str, str | None], list[Element]] = {}
        self._unknown: list[str] = []
        self._index()
        everything = list(self.configuration.iter())
        self.context = Context(
            ids={one.get("id", "") for one in everything if one.tag not in tables.NOT_IDS} - {""},
            referenced=_referenced(everything),
            schema=self.schema,
        )
        self._data: dict[Key, Data] = {}
        self._shared = frozenset(one.get("id-ref") for one in everything) - {None}
        self._recorded = frozenset(self.owners())
        for key in self.objects:
            self.data(key)
        self.context.named = named(self.export_all())
        self.unknown = sorted({*self._unknown, *self.context.unknown})

    @classmethod
    def parse(cls, text: str) -> Document:
        """
        Read the text of a CIB. Raises CibError if it is none.
        """
        return cls(tree(text))

    @classmethod
    def empty(cls, nodes: Iterable[str] = ()) -> Document:
        """
        The CIB of a cluster that has no configuration yet, with nodes of these names.
        """
        document = cls.parse(
            '<cib validate-with="pacemaker-3.7" epoch="0" num_updates="0" admin_epoch="0"><configuration><crm_config/>'
            "<nodes/><resources/><constraints/></configuration><status/></cib>"
        )
        for number, name in enumerate(nodes, 1):
            ET.SubElement(document.section("nodes"), "node", id=str(number), uname=name)
        return document

    def copy(self) -> Document:
        """
        An independent copy, to edit.
        """
        return Document(copy.deepcopy(self.root))

    def text(self) -> str:
        """
        The CIB as XML.
        """
        return ET.tostring(self.root, encoding="unicode")

    def judged_text(self) -> str:
        """
        The CIB as XML for a judgement of its configuration alone: without status, and, if it has no resources, without
        the complaint that they cannot start for want of fencing.
        """
        root = ET.Element(self.root.tag, self.root.attrib)
        root.append(copy.deepcopy(self.configuration))
        ET.SubElement(root, "status")
        if not any(section in kinds.RESOURCE_SECTIONS for section, _ in self.objects):
            found = section_of(root[0], "crm_config")
            extra = ET.SubElement(found, "cluster_property_set", id="cib-bootstrap-options-judged", score="INFINITY")
            ET.SubElement(extra, "nvpair", id="judged-stonith-enabled", name="stonith-enabled", value="false")
            for pair in found.iterfind(".//nvpair[@name='stonith-enabled']"):
                pair.set("value", "false")
        return ET.tostring(root, encoding="unicode")

    @property
    def schema(self) -> tuple[int, int]:
        """
        The version of the schema that the CIB declares, as (major, minor); (0, 0) if it declares none.
        """
        match = re.search(r"(\d+)\.(\d+)", self.root.get("validate-with", ""))
        return (int(match[1]), int(match[2])) if match else (0, 0)

    @property
    def is_outdated(self) -> bool:
        """
        Whether Pacemaker 2 and later turn the CIB into one of another schema before they work with it.
        """
        return (0, 0) < self.schema < (3, 0)

    @property
    def version(self) -> tuple[int, int, int]:
        """
        (admin_epoch, epoch, num_updates).
        """
        admin_epoch, epoch, updates = (int(self.root.get(name) or 0) for name in _VERSION)
        return admin_epoch, epoch, updates

    def bump(self) -> None:
        """
        Count the epoch up, as the cluster does for every change of the configuration.
        """
        self.root.set("epoch", str(self.version[1] + 1))
        self.root.set("num_updates", "0")

    def section(self, path: str) -> Element:
        """
        The element ``path`` below ``configuration``, made if need be.
        """
        return section_of(self.configuration, path)

    def parents(self) -> Parents:
        """
        {element: its parent}.
        """
        return {child: parent for parent in self.configuration.iter() for child in parent}

    def nodes(self) -> dict[str, Element]:
        """
        {name: its element} of the nodes that the configuration lists.
        """
        found = {node.get("uname", ""): node for node in children(self.section("nodes"), "node")}
        return {name: node for name, node in found.items() if name}

    def data(self, key: Key) -> Data:
        """
        The data of the object with this (section, id).
        """
        if key not in self._data:
            kind = kinds.KINDS[key[0]]
            self._data[key] = kind.shape.read(self.objects[key], self.context, f"{kind.name} {key[1]}")
        return self._data[key]

    def sets(self, section: str, node: str | None = None, apart: str | None = EVERYTHING) -> list[Data]:
        """
        The data of a section's sets, each with its id, automatic properties left out, empty sets too.

        apart: only what an export has in this section beside the configuration; None: only the configuration.
        """
        result = []
        for element in self.settings.get((section, node), ()):
            where = f"{SETTINGS[section].name} set {element.get('id')}"
            one = nvsets.read_set(element, self.context, where)
            one = {**one, **self._attributes_apart(section, node, element, one, apart)}
            linked = "id-ref" in one and apart in (EVERYTHING, None)
            if (one.get("attributes") or linked) and one not in result:
                result.append({"id": element.get("id"), **one} if element.get("id") else one)
        return result

    def _attributes_apart(self, section: str, node: str | None, element: Element, one: Data, apart: str | None) -> Data:
        """The attributes of a set that are to be shown, as {"attributes": ...}; listed, they are shown as one."""
        attributes = one.get("attributes")
        if isinstance(attributes, dict):
            shown = [name for name in attributes if self._is_shown(section, node, element, name, apart)]
            return {"attributes": {name: attributes[name] for name in shown}}
        return {} if apart in (EVERYTHING, None) else {"attributes": []}

    def _is_shown(self, section: str, node: str | None, element: Element, name: str, apart: str | None) -> bool:
        if section == "properties" and name in AUTOMATIC:
            return False
        return apart == EVERYTHING or self.setting_section(section, node, element, name) == apart

    def setting_section(self, section: str, node: str | None, element: Element, name: str | None) -> str | None:
        """
        The section of an export, beside the configuration, that one name in a set belongs to; None if it is
        configuration. What an owner has recorded was not made by an agent; and no tool or agent ties sets together.
        """
        settings = SETTINGS[section]
        if self._is_tied(element):
            return None
        has_main = any(one.get("id") == settings.main_id for one in self.settings[section, node])
        apart = switches.setting_section(settings, element, name, has_main)
        if apart == "observed":
            ids = {pair.get("id") for pair in children(element, "nvpair") if pair.get("name") == name}
            return apart if ids.isdisjoint(self._recorded) else None
        return apart

    def _is_tied(self, element: Element) -> bool:
        """
        Whether a set refers to something, another one takes it over, or something refers to a part of it. That an ACL
        names the set is no tie.
        """
        inner = [one for one in element.iter() if one is not element]
        refers = any(one.get("id-ref") is not None for one in (element, *inner))
        return refers or element.get("id") in self._shared or any(o.get("id") in self.context.referenced for o in inner)

    def agent(self, data: Data) -> Any:
        """
        The agent of a primitive's or template's data, its own or its template's; None if it has none.
        """
        template = ("templates", data.get("template", ""))
        return data.get("agent") or (self.data(template).get("agent") if template in self.objects else None)

    def resources(self) -> set[str]:
        """
        The ids of all primitives, groups, clones and bundles.
        """
        return {name for section, name in self.objects if section in kinds.RESOURCE_SECTIONS}

    def resources_of(self, names: Collection[str]) -> set[str]:
        """
        The ids of the primitives among resources of these names, or in them.
        """
        found = {name for section, name in self.objects if section == "primitives" and name in names}
        for section, name in self.objects:
            if section in kinds.RESOURCE_SECTIONS and name in names:
                inner = self.objects[section, name].iter("primitive")
                found.update(one.get("id", "") for one in inner)
        return found

    def tag(self, name: str) -> Element | None:
        """
        The element of the tag ``name``; None if there is none.
        """
        return self.objects.get(("tags", name))

    def is_owner_tag(self, name: str, owner: str | None) -> bool:
        """
        Whether this tag records what an owner has created: the tag of ``owner``, or one that names itself.
        """
        element = self.tag(name)
        return element is not None and (name == owner or any(c.get("id") == name for c in children(element)))

    def owner_tags(self) -> dict[str, Element]:
        """
        {owner: the element of its tag}, for the tags that name themselves.
        """
        tags = self.configuration.iterfind("tags/tag")
        own = (tag for tag in tags if any(child.get("id") == tag.get("id") for child in children(tag)))
        return {tag.get("id", ""): tag for tag in own}

    def owners(self) -> dict[str, str]:
        """
        {id of an object or nvpair: the owner whose tag lists it}.
        """
        return {
            child.get("id", ""): name
            for name, tag in self.owner_tags().items()
            for child in children(tag)
            if child.get("id") != name
        }

    def export_all(self) -> Data:
        """
        Everything as data, tags of owners too, every set with its id.
        """
        result: Data = {}
        for (section, node), _ in self.settings.items():
            if sets := self.sets(section, node):
                target = result.setdefault(section, {}) if node is not None else result
                target[section if node is None else node] = sets
        for section, name in self.objects:
            _place(result, section, name, self.data((section, name)))
        return result

    def _index(self) -> None:
        for parent in children(self.configuration):
            found = children(parent)
            for settings in SETTINGS.values():
                if settings.parent == parent.tag and not settings.per_node:
                    self.settings[settings.section, None] = [one for one in found if one.tag == settings.tag]
            for element in found:
                self._index_element(parent.tag, element)

    def _index_element(self, parent: str, element: Element) -> None:
        kind = kinds.BY_TAG.get((parent, element.tag))
        if kind is not None:
            name = element.get("id")
            if name is None or (kind.section, name) in self.objects:
                self._unknown.append(f"{kind.name} {name}: {'no id' if name is None else 'a second one'}")
                return
            key = kind.section, name
            self.objects[key] = element
            if parent == "resources":
                for child in children(element, *tables.RESOURCE_TAGS):
                    self._index_element(parent, child)
        elif parent == "nodes" and element.tag == "node":
            for settings in SETTINGS.values():
                if settings.per_node:
                    self.settings[settings.section, element.get("uname")] = children(element, settings.tag)
        elif not any(s.parent == parent and s.tag == element.tag for s in SETTINGS.values()):
            self._unknown.append(f"{parent}: element {element.tag}")


def _place(result: Data, section: str, name: str, data: Data) -> None:
    """Put an object's data where the exported form has it; ``acls:roles`` is the key roles below acls."""
    target = result
    for part in section.split(":"):
        target = target.setdefault(part, {})
    target[name] = data


def _referenced(elements: list[Element]) -> set[str]:
    """The ids that something refers to."""
    found: set[str] = set()
    for element in elements:
        found.add(element.get("id-ref", ""))
        if element.tag in tables.SHOWING:
            found.update(element.get(attribute, "") for attribute in tables.SHOWING[element.tag])
    return found - {""}


def named(data: Any) -> dict[str, Data]:
    """
    {id: data} of everything inside ``data`` that carries an id, to resolve what refers to it.
    """
    found: dict[str, Data] = {}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("id"), str):
                found.setdefault(value["id"], value)
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk(data)
    return found


def export(document: Document, owner: str | None = None, secrets: bool = True) -> Data:
    """
    The configuration as data, in the form that plan and apply take, and apart from it, in the same form, what operators
    and agents have set (switches.py). Tags of owners are left out.

    secrets: False replaces the values of parameters that look like secrets by a marker.
    """
    found: dict[str | None, Data] = {None: {}}
    found.update({apart: {} for apart in switches.SECTIONS})
    for section, name in document.objects:
        _export_object(found, document, section, name, owner)
    for section, node in document.settings:
        _export_settings(found, document, section, node)
    result: Data = {}
    for apart, content in found.items():
        target = result if apart is None else result.setdefault(apart, {})
        target.update({section: copy.deepcopy(content[section]) for section in tables.SECTIONS if content.get(section)})
    result = {section: content for section, content in result.items() if content}
    if not secrets:
        hide(result)
    return result


def _export_object(
    found: dict[str | None, Data], document: Document, section: str, name: str, owner: str | None
) -> None:
    data = document.data((section, name))
    if section == "tags":
        if not document.is_owner_tag(name, owner):
            _place(found[None], section, name, data[kinds.KINDS[section].alone])
        return
    apart = switches.constraint_section(section, name)
    if apart:
        _place(found[apart], section, name, data)
        return
    rest, parts = switches.parted(kinds.KINDS[section].shape, data, switches.sets_itself(document.agent(data)))
    _place(found[None], section, name, rest)
    for apart, content in parts.items():
        if content:
            _place(found[apart], section, name, content)


def _export_settings(found: dict[str | None, Data], document: Document, section: str, node: str | None) -> None:
    for apart, target in found.items():
        sets = document.sets(section, node, apart)
        if not sets:
            continue
        content = _plain_or_sets(sets, document)
        if node is None:
            target[section] = content
        else:
            target.setdefault(section, {})[node] = content


def _plain_or_sets(sets: list[Data], document: Document) -> Any:
    """One set without conditions, to which nothing refers, as a mapping; anything else as the list of sets."""
    only = sets[0]
    plain = set(only) <= {"id", "attributes"} and isinstance(only["attributes"], dict)
    if len(sets) == 1 and plain and only.get("id") not in document.context.referenced:
        return only["attributes"]
    return sets
