"""
Edits of a CIB's tree: write objects, put resources where they belong, remove what goes with all that refers to it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable
from typing import Any

from saltext.pacemaker.cib import desired as wanted
from saltext.pacemaker.cib import kinds, nvsets, tables, values
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.cib.settings import SETTINGS, Settings
from saltext.pacemaker.cib.shapes import Context, children
from saltext.pacemaker.types import Data, Element, Key, Objects, Parents


def write_objects(document: Document, objects: Objects, context: Context) -> None:
    """
    Make the document hold these {(section, id): data}.
    """
    for (section, name), data in objects.items():
        kind = kinds.KINDS[section]
        element = document.objects.get((section, name))
        if element is None:
            element = ET.SubElement(document.section(kind.parent), kind.tags[0], id=name)
            document.objects[section, name] = element
            context.ids.add(name)
        kind.shape.write(element, data, context)
    _arrange(document, objects)


def _arrange(document: Document, objects: Objects) -> None:
    """Put the members of groups, clones and bundles into them, in order; what is no longer a member, outside."""
    resources = {name: element for (section, name), element in document.objects.items() if _is_resource(section)}
    containers = [key for key in objects if key[0] in tables.CONTAINERS]
    for section, name in sorted(containers, key=lambda key: tables.CONTAINERS.index(key[0])):
        container = resources[name]
        members = [resources[member] for member in wanted.members(section, objects[section, name])]
        present = children(container, *tables.RESOURCE_TAGS)
        if present == members:
            continue
        parents = document.parents()
        for child in present:
            container.remove(child)
            if child not in members:
                document.section("resources").append(child)
        for child in members:
            parent = parents.get(child)
            if parent is not None and parent is not container:
                parent.remove(child)
            container.append(child)


def _is_resource(section: str) -> bool:
    return section in kinds.RESOURCE_SECTIONS


def remove_objects(document: Document, keys: Collection[Key], replaced: bool = False) -> None:
    """
    Remove objects and all that refers to them: constraints, memberships, levels, permissions; what that leaves empty
    goes too. ``replaced``: other objects take their ids, so that references stay.
    """
    parents = document.parents()
    leaving = [document.objects[key] for key in keys]
    for element in leaving:
        _hoist(element, parents, document, leaving)
    gone: set[str | None] = set()
    while leaving:
        touched = set()
        for element in leaving:
            parents[element].remove(element)
            touched.add(parents[element])
            gone.update(one.get("id") for one in element.iter() if one.get("id") and one.tag not in tables.NOT_IDS)
        there = list(document.configuration.iter())
        leaving = [one for one in there if one in touched and _is_empty(one)]
        if not replaced:
            leaving += [one for one in there if one not in leaving and _refers(one, gone)]


def _hoist(container: Element, parents: Parents, document: Document, leaving: list[Element]) -> None:
    """Before a container goes, its members move out, unless they go too."""
    for child in children(container, *tables.RESOURCE_TAGS) if container.tag in tables.CONTAINER_TAGS else ():
        if child not in leaving:
            container.remove(child)
            document.section("resources").append(child)
            parents[child] = document.section("resources")


def _is_empty(element: Element) -> bool:
    """Whether an element has lost all that it was there for."""
    return element.tag in tables.ESSENTIAL and tables.ESSENTIAL[element.tag].is_hollow(element)


def _refers(element: Element, gone: Collection[str | None]) -> bool:
    """Whether an element is about something in ``gone``. A fencing level only loses the device, while it has others."""
    if element.tag in tables.LISTING:
        field = tables.LISTING[element.tag]
        names = field.read(element, Context(), "") or []
        left = [name for name in names if name not in gone]
        if left and left != names:
            field.write(element, left, Context())
        return not left
    return any(element.get(name) in gone for name in tables.BINDING.get(element.tag, ()))


def assign(document: Document, section: str, node: str | None, sets: list[Data], context: Context) -> list[list[str]]:
    """
    For each desired set the ids of the live sets in which its values are found, the one that counts first: the set of
    the same id; else, for a set without id or whose id is not there, those of the same condition that no other has.
    """
    found = document.settings.get((section, node), [])
    given = {one.get("id") for one in sets} - {None}
    main = SETTINGS[section].main_id
    free = [element for element in reversed(found) if element.get("id") not in given]
    described = {element: nvsets.read_set(element, Context(), "") for element in found}
    free.sort(key=lambda element: (not main or element.get("id") != main, nvsets.rank(described[element])))
    result = []
    for one in sets:
        same_id = [element for element in found if one.get("id") and element.get("id") == one["id"]]
        result.append([element.get("id", "") for element in same_id or _alike(one, free, described, document, context)])
    return result


def _alike(
    one: Data, elements: list[Element], described: dict[Element, Data], document: Document, context: Context
) -> list[Element]:
    """The elements with the condition of the set ``one``; without a condition, those that have none."""
    if "score" in one or "rule" in one or "id-ref" in one:
        condition = nvsets.condition(one, context)
        return [e for e in elements if nvsets.condition(described[e], document.context) == condition]
    return [e for e in elements if "rule" not in described[e] and "id-ref" not in described[e]]


def set_elements(document: Document, section: str, node: str | None, ids: Collection[str]) -> list[Element]:
    """
    The elements of a section's sets with these ids, in the order of the ids.
    """
    found = document.settings.get((section, node), ())
    return [element for name in dict.fromkeys(ids) for element in found if element.get("id") == name]


def find_pair(elements: Iterable[Element], table: str, name: str) -> Element | None:
    """
    The nvpair that decides the value of ``name`` in these sets, the first counting first; None if there is none.
    """
    wanted_name = values.canonical_name(table, name)
    for element in elements:
        found = [
            pair
            for pair in children(element, "nvpair")
            if (pair.get("value") is not None or pair.get("id-ref") is not None)
            and pair.get("name")
            and values.canonical_name(table, pair.get("name")) == wanted_name
        ]
        if found:
            return next((pair for pair in found if pair.get("name") == name), found[0])
    return None


def write_setting(
    document: Document,
    section: str,
    node: str | None,
    one: Data,
    ids: list[str],
    name: str,
    value: Any,
    context: Context,
) -> None:
    """
    Give one option a value in the sets ``ids`` of a section (a new set's id is added to them), or with None remove it.
    """
    table = SETTINGS[section].table
    elements = set_elements(document, section, node, ids)
    if value is None:
        while (pair := find_pair(elements, table, name)) is not None:
            _remove_pair(document, section, node, pair)
        return
    pair = find_pair(elements, table, name)
    if pair is None:
        target = next((element for element in elements if one.get("id") in (None, element.get("id"))), None)
        if target is None:
            target = _new_set(document, section, node, one, context)
            ids.append(target.get("id", ""))
        pair = ET.SubElement(target, "nvpair", id=context.new_id(target.get("id", ""), name))
    nvsets.set_value(pair, name, value, table)


def write_condition(
    document: Document, section: str, node: str | None, one: Data, ids: list[str], context: Context
) -> None:
    """
    Give the set with the first of ``ids`` the score and the rule of ``one``.
    """
    settings = SETTINGS[section]
    for element in set_elements(document, section, node, ids[:1]):
        attributes = nvsets.read_set(element, Context(), "").get("attributes")
        field = nvsets.NVSets(section, settings.table, settings.tag)
        field.write_set(element, {**one, "attributes": attributes}, context, "")


def linked_set(document: Document, section: str, node: str | None, one: Data) -> Element | None:
    """
    The element of a set that refers to something, or whose pairs do: that of the same id or ``id-ref``; None if there
    is none.
    """
    name = "id-ref" if "id-ref" in one else "id"
    found = document.settings.get((section, node), ())
    return next((element for element in found if element.get(name) == one.get(name)), None)


def write_linked_set(document: Document, section: str, node: str | None, one: Data, context: Context) -> None:
    """
    Make such a set be ``one`` and nothing else.
    """
    settings = SETTINGS[section]
    element = linked_set(document, section, node, one)
    if element is None:
        parent = _parent_of_sets(document, settings, node)
        element = ET.SubElement(parent, settings.tag)
        document.settings.setdefault((section, node), []).append(element)
    nvsets.NVSets(section, settings.table, settings.tag).write_set(element, one, context, settings.parent)


def _new_set(document: Document, section: str, node: str | None, one: Data, context: Context) -> Element:
    settings = SETTINGS[section]
    parent = _parent_of_sets(document, settings, node)
    new = ET.SubElement(parent, settings.tag)
    plain = "score" not in one and "rule" not in one
    main = settings.main_id if plain and settings.main_id not in context.ids else None
    header = {key: one[key] for key in ("score", "rule") if one.get(key) is not None}
    header["id"] = one.get("id") or main or context.new_id(*_owner_of_set(settings, parent), settings.tag)
    nvsets.NVSets(section, settings.table, settings.tag).write_set(new, header, context, "")
    document.settings.setdefault((section, node), []).append(new)
    return new


def _parent_of_sets(document: Document, settings: Settings, node: str | None) -> Element:
    return document.nodes()[node] if node is not None else document.section(settings.parent)


def _owner_of_set(settings: Settings, parent: Element) -> tuple[str, ...]:
    return ("nodes", parent.get("id", "")) if settings.per_node else (settings.parent,)


def _remove_pair(document: Document, section: str, node: str | None, pair: Element) -> None:
    for element in list(document.settings[section, node]):
        if pair in list(element):
            element.remove(pair)
            if not children(element, "nvpair") and element.get("id") != SETTINGS[section].main_id:
                document.parents()[element].remove(element)
                document.settings[section, node].remove(element)
            return


def remove_pairs(document: Document, ids: Collection[str]) -> None:
    """
    Remove the nvpairs with these ids from the sections of settings.
    """
    for section, node in list(document.settings):
        for element in list(document.settings[section, node]):
            for pair in children(element, "nvpair"):
                if pair.get("id") in ids:
                    _remove_pair(document, section, node, pair)


def remove_dangling_settings(document: Document) -> None:
    """
    Remove from the sections of settings what refers to a set or a pair that is no longer there, and the sets that it
    leaves empty.
    """
    parents = document.parents()
    there = {one.get("id") for one in document.configuration.iter() if one.tag not in tables.NOT_IDS}
    for found in document.settings.values():
        for element in list(found):
            pairs = children(element, "nvpair")
            dangling = [one for one in (element, *pairs) if one.get("id-ref") not in {None, *there}]
            for one in dangling:
                parents[one].remove(one)
            if element not in dangling and dangling and dangling == pairs:
                parents[element].remove(element)


def write_tag(document: Document, name: str, refs: list[str]) -> None:
    """
    Make the owner's tag list ``refs`` and itself; with nothing to list, remove it.
    """
    tags = document.section("tags")
    element = next((one for one in children(tags, "tag") if one.get("id") == name), None)
    if not refs:
        if element is not None:
            tags.remove(element)
        return
    if element is None:
        element = ET.SubElement(tags, "tag", id=name)
    listed = {child.get("id"): child for child in children(element, "obj_ref")}
    for ref, child in listed.items():
        if ref not in refs and ref != name:
            element.remove(child)
    for ref in [name, *refs]:
        if ref not in listed:
            ET.SubElement(element, "obj_ref", id=ref)


def forget(document: Document, tag: Element, refs: Collection[str]) -> None:
    """
    Take ``refs`` out of an owner's tag (element); a tag that lists only itself then goes.
    """
    for child in children(tag, "obj_ref"):
        if child.get("id") in refs:
            tag.remove(child)
    if {child.get("id") for child in children(tag)} == {tag.get("id")}:
        document.section("tags").remove(tag)
