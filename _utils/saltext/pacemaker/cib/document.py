"""
A whole CIB: parse it, find the objects in it, read them as data, write it out again.

A ``Document`` keeps the XML tree as it was read (comments included). Whatever is not understood stays in the tree, is
named in ``unknown``, and is never written.
"""

import copy
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from saltext.pacemaker.cib import kinds, nvsets, switches, values
from saltext.pacemaker.cib.fields import Context, children
from saltext.pacemaker.errors import CibError, Problem

AUTOMATIC = frozenset((
    "cluster-infrastructure", "cluster-name", "dc-version", "expected-quorum-votes", "have-watchdog",
    "last-lrm-refresh",
))  # fmt: skip
"""Properties that the cluster itself sets, or has set: never exported, compared or removed."""

_REFERRING = {
    "rsc_location": ("rsc",),
    "rsc_colocation": ("rsc", "with-rsc"),
    "rsc_order": ("first", "then"),
    "rsc_ticket": ("rsc",),
    "resource_ref": ("id",),
    "acl_permission": ("reference",),
}
NOT_IDS = ("node", "acl_target", "resource_ref", "obj_ref", "role")
"""Elements whose ``id`` is no id of the document."""


@dataclass(frozen=True)
class Settings:
    """
    A section of name-value sets: ``parent`` below ``configuration`` holds sets of ``tag``, or (``per_node``) one
    element per node does.
    """

    section: str
    name: str
    table: str
    parent: str
    tag: str
    main_id: str = ""
    per_node: bool = False


SETTINGS = {
    one.section: one
    for one in (
        Settings(
            "properties", "property", "properties", "crm_config", "cluster_property_set", "cib-bootstrap-options"
        ),
        Settings(
            "resource_defaults", "resource_default", "meta", "rsc_defaults", "meta_attributes", "rsc_defaults-options"
        ),
        Settings(
            "operation_defaults", "operation_default", "operation_meta", "op_defaults", "meta_attributes",
            "op_defaults-options",
        ),
        Settings(
            "node_attributes", "node_attribute", "node_attributes", "nodes", "instance_attributes", per_node=True
        ),
        Settings("utilization", "node_utilization", "utilization", "nodes", "utilization", per_node=True),
    )
}  # fmt: skip

SECTIONS = (
    "properties resource_defaults operation_defaults primitives groups clones bundles templates locations colocations "
    "orders tickets fencing_levels node_attributes utilization alerts acls tags"
).split()
"""The sections of exported data, in order."""


EVERYTHING = "everything"


def tree(text):
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


class Document:
    """
    A CIB. ``objects`` maps (section, id) to the element, ``settings`` maps (section, node or None) to the list of its
    set elements in the order in which they stand.
    """

    def __init__(self, root):
        self.root = root
        if root.tag != "cib" or root.find("configuration") is None:
            raise CibError(Problem((), "this is not a CIB: it has no element cib with a configuration in it"))
        self.configuration = root.find("configuration")
        self.objects = {}
        self.settings = {}
        self._unknown = []
        self._index()
        everything = list(self.configuration.iter())
        self.context = Context(
            ids=(one.get("id") for one in everything if one.get("id") and one.tag not in NOT_IDS),
            referenced=_referenced(everything),
            schema=self.schema,
        )
        self._data = {}
        self._shared = frozenset(one.get("id-ref") for one in everything) - {None}
        self._recorded = frozenset(self.owners())
        for key in self.objects:
            self.data(key)
        self.context.named = named(self.export_all())
        self.unknown = sorted({*self._unknown, *self.context.unknown})

    @classmethod
    def parse(cls, text):
        """
        Read the text of a CIB. Raises CibError if it is none.
        """
        return cls(tree(text))

    @classmethod
    def empty(cls, nodes=()):
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

    def copy(self):
        """
        An independent copy, to edit.
        """
        return Document(copy.deepcopy(self.root))

    def text(self):
        """
        The CIB as XML.
        """
        return ET.tostring(self.root, encoding="unicode")

    def judged_text(self):
        """
        The CIB as XML for a judgement of its configuration alone: without status, and, if it has no resources, without
        the complaint that they cannot start for want of fencing.
        """
        root = ET.Element(self.root.tag, self.root.attrib)
        root.append(copy.deepcopy(self.configuration))
        ET.SubElement(root, "status")
        if not any(section in kinds.RESOURCE_SECTIONS for section, _ in self.objects):
            found = root.find("configuration/crm_config")
            extra = ET.SubElement(found, "cluster_property_set", id="cib-bootstrap-options-judged", score="INFINITY")
            ET.SubElement(extra, "nvpair", id="judged-stonith-enabled", name="stonith-enabled", value="false")
            for pair in found.iterfind(".//nvpair[@name='stonith-enabled']"):
                pair.set("value", "false")
        return ET.tostring(root, encoding="unicode")

    @property
    def schema(self):
        """
        The version of the schema that the CIB declares, as (major, minor); (0, 0) if it declares none.
        """
        match = re.search(r"(\d+)\.(\d+)", self.root.get("validate-with", ""))
        return tuple(int(part) for part in match.groups()) if match else (0, 0)

    @property
    def is_outdated(self):
        """
        Whether Pacemaker 2 and later turn the CIB into one of another schema before they work with it.
        """
        return (0, 0) < self.schema < (3, 0)

    @property
    def version(self):
        """
        (admin_epoch, epoch, num_updates).
        """
        return tuple(int(self.root.get(name) or 0) for name in ("admin_epoch", "epoch", "num_updates"))

    def bump(self):
        """
        Count the epoch up, as the cluster does for every change of the configuration.
        """
        self.root.set("epoch", str(self.version[1] + 1))
        self.root.set("num_updates", "0")

    def section(self, path):
        """
        The element ``path`` below ``configuration``, made if need be.
        """
        found = self.configuration.find(path)
        return ET.SubElement(self.configuration, path) if found is None else found

    def parents(self):
        """
        {element: its parent}.
        """
        return {child: parent for parent in self.configuration.iter() for child in parent}

    def nodes(self):
        """
        {name: its element} of the nodes that the configuration lists.
        """
        return {node.get("uname"): node for node in children(self.section("nodes"), "node") if node.get("uname")}

    def data(self, key):
        """
        The data of the object with this (section, id).
        """
        if key not in self._data:
            kind = kinds.KINDS[key[0]]
            self._data[key] = kind.shape.read(self.objects[key], self.context, f"{kind.name} {key[1]}")
        return self._data[key]

    def sets(self, section, node=None, apart=EVERYTHING):
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

    def _attributes_apart(self, section, node, element, one, apart):
        """The attributes of a set that are to be shown, as {"attributes": ...}; listed, they are shown as one."""
        attributes = one.get("attributes")
        if isinstance(attributes, dict):
            shown = [name for name in attributes if self._is_shown(section, node, element, name, apart)]
            return {"attributes": {name: attributes[name] for name in shown}}
        return {} if apart in (EVERYTHING, None) else {"attributes": []}

    def _is_shown(self, section, node, element, name, apart):
        if section == "properties" and name in AUTOMATIC:
            return False
        return apart == EVERYTHING or self.setting_section(section, node, element, name) == apart

    def setting_section(self, section, node, element, name):
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

    def _is_tied(self, element):
        """
        Whether a set refers to something, another one takes it over, or something refers to a part of it. That an ACL
        names the set is no tie.
        """
        inner = [one for one in element.iter() if one is not element]
        refers = any(one.get("id-ref") is not None for one in (element, *inner))
        return refers or element.get("id") in self._shared or any(o.get("id") in self.context.referenced for o in inner)

    def agent(self, data):
        """
        The agent of a primitive's or template's data, its own or its template's; None if it has none.
        """
        template = ("templates", data.get("template"))
        return data.get("agent") or (self.data(template).get("agent") if template in self.objects else None)

    def resources(self):
        """
        The ids of all primitives, groups, clones and bundles.
        """
        return {name for section, name in self.objects if section in kinds.RESOURCE_SECTIONS}

    def resources_of(self, names):
        """
        The ids of the primitives among resources of these names, or in them.
        """
        found = {name for section, name in self.objects if section == "primitives" and name in names}
        for section, name in self.objects:
            if section in kinds.RESOURCE_SECTIONS and name in names:
                inner = self.objects[section, name].iter("primitive")
                found.update(one.get("id") for one in inner)
        return found

    def tag(self, name):
        """
        The element of the tag ``name``; None if there is none.
        """
        return self.objects.get(("tags", name))

    def is_owner_tag(self, name, owner):
        """
        Whether this tag records what an owner has created: the tag of ``owner``, or one that names itself.
        """
        element = self.tag(name)
        return element is not None and (name == owner or any(c.get("id") == name for c in children(element)))

    def owner_tags(self):
        """
        {owner: the element of its tag}, for the tags that name themselves.
        """
        tags = self.configuration.iterfind("tags/tag")
        return {tag.get("id"): tag for tag in tags if any(child.get("id") == tag.get("id") for child in children(tag))}

    def owners(self):
        """
        {id of an object or nvpair: the owner whose tag lists it}.
        """
        return {
            child.get("id"): name
            for name, tag in self.owner_tags().items()
            for child in children(tag)
            if child.get("id") != name
        }

    def export_all(self):
        """
        Everything as data, tags of owners too, every set with its id.
        """
        result = {}
        for (section, node), _ in self.settings.items():
            if sets := self.sets(section, node):
                target = result.setdefault(section, {}) if node is not None else result
                target[section if node is None else node] = sets
        for section, name in self.objects:
            _place(result, section, name, self.data((section, name)))
        return result

    def _index(self):
        for parent in children(self.configuration):
            found = children(parent)
            for settings in SETTINGS.values():
                if settings.parent == parent.tag and not settings.per_node:
                    self.settings[settings.section, None] = [one for one in found if one.tag == settings.tag]
            for element in found:
                self._index_element(parent.tag, element)

    def _index_element(self, parent, element):
        kind = kinds.BY_TAG.get((parent, element.tag))
        if kind is not None:
            key = (kind.section, element.get("id"))
            if key[1] is None or key in self.objects:
                self._unknown.append(f"{kind.name} {key[1]}: {'no id' if key[1] is None else 'a second one'}")
                return
            self.objects[key] = element
            if parent == "resources":
                for child in children(element, "primitive", "group"):
                    self._index_element(parent, child)
        elif parent == "nodes" and element.tag == "node":
            for settings in SETTINGS.values():
                if settings.per_node:
                    self.settings[settings.section, element.get("uname")] = children(element, settings.tag)
        elif not any(s.parent == parent and s.tag == element.tag for s in SETTINGS.values()):
            self._unknown.append(f"{parent}: element {element.tag}")


def _place(result, section, name, data):
    """Put an object's data where the exported form has it; ``acls:roles`` is the key roles below acls."""
    target = result
    for part in section.split(":"):
        target = target.setdefault(part, {})
    target[name] = data


def _referenced(elements):
    """The ids that something refers to."""
    found = set()
    for element in elements:
        if element.get("id-ref") is not None:
            found.add(element.get("id-ref"))
        for attribute in _REFERRING.get(element.tag, ()) if isinstance(element.tag, str) else ():
            found.add(element.get(attribute))
    return found - {None}


def named(data):
    """
    {id: data} of everything inside ``data`` that carries an id, to resolve what refers to it.
    """
    found = {}

    def walk(value):
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


def export(document, owner=None, secrets=True):
    """
    The configuration as data, in the form that plan and apply take, and apart from it, in the same form, what operators
    and agents have set (switches.py). Tags of owners are left out.

    secrets: False replaces the values of parameters that look like secrets by a marker.
    """
    found = {None: {}, **{apart: {} for apart in switches.SECTIONS}}
    for section, name in document.objects:
        _export_object(found, document, section, name, owner)
    for section, node in document.settings:
        _export_settings(found, document, section, node)
    result = {}
    for apart, content in found.items():
        target = result if apart is None else result.setdefault(apart, {})
        target.update({section: copy.deepcopy(content[section]) for section in SECTIONS if content.get(section)})
    result = {section: content for section, content in result.items() if content}
    if not secrets:
        hide(result)
    return result


def _export_object(found, document, section, name, owner):
    data = document.data((section, name))
    if section == "tags":
        if not document.is_owner_tag(name, owner):
            _place(found[None], section, name, data["members"])
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


def _export_settings(found, document, section, node):
    for apart, target in found.items():
        sets = document.sets(section, node, apart)
        if not sets:
            continue
        content = _plain_or_sets(sets, document)
        if node is None:
            target[section] = content
        else:
            target.setdefault(section, {})[node] = content


def _plain_or_sets(sets, document):
    """One set without conditions, to which nothing refers, as a mapping; anything else as the list of sets."""
    only = sets[0]
    plain = set(only) <= {"id", "attributes"} and isinstance(only["attributes"], dict)
    if len(sets) == 1 and plain and only.get("id") not in document.context.referenced:
        return only["attributes"]
    return sets


MARKER = "(secret: its value goes here)"
"""Stands for a secret in exported data; in desired data it means the value that the cluster has."""


def hide(data, shown=MARKER):
    """
    Replace, in place, the values of all params whose names look like secrets.
    """
    if isinstance(data, list):
        for one in data:
            hide(one, shown)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "params":
                _hide_params(value, shown)
            else:
                hide(value, shown)


def _hide_params(value, shown):
    for one in nvsets.as_sets(value):
        attributes = one.get("attributes")
        if isinstance(attributes, dict):
            for name in attributes:
                if values.is_secret(name):
                    attributes[name] = shown
        else:
            for pair in attributes or ():
                if values.is_secret(pair.get("name") or "") and "value" in pair:
                    pair["value"] = shown
