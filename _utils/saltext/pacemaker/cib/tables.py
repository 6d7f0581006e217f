"""
What the engine needs to know of all kinds of objects, derived from their entries (kinds.py, settings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saltext.pacemaker.cib.fields import Attribute, References, Words
from saltext.pacemaker.cib.kinds import KINDS, RESOURCE_SECTIONS
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.cib.shapes import Shape, Target

CONTAINERS = tuple(kind.section for kind in KINDS.values() if kind.members)
"""The sections of what resources are in; the inner ones first."""
RESOURCE_TAGS = tuple(tag for section in RESOURCE_SECTIONS for tag in KINDS[section].tags)
CONTAINER_TAGS = tuple(tag for section in CONTAINERS for tag in KINDS[section].tags)


def elements() -> Iterator[tuple[str, Shape]]:
    """Yield (tag, shape) of every element that an object can have, the object's own first."""
    left = [(tag, kind.shape) for kind in KINDS.values() for tag in kind.tags]
    seen: set[tuple[str, int]] = set()
    while left:
        tag, shape = left.pop(0)
        if (tag, id(shape)) not in seen:
            seen.add((tag, id(shape)))
            yield tag, shape
            left += [one for field in shape.fields for one in field.inner().items()]


def referring() -> Iterator[tuple[str, str, Target]]:
    """Yield (tag, attribute, Target) of every place in the XML that refers to something by its id."""
    for tag, shape in elements():
        for field in shape.fields:
            if field.refers and isinstance(field, References):
                yield field.tag, "id", field.refers
            elif field.refers and isinstance(field, Attribute) and not isinstance(field, Words):
                yield tag, field.xml, field.refers


def _by_tag(places: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for tag, attribute in places:
        if attribute not in found.get(tag, ()):
            found[tag] = (*found.get(tag, ()), attribute)
    return found


SHOWING = _by_tag((tag, name) for tag, name, target in referring() if target.shown)
"""{tag: attributes} of what makes an inner element show its id, because something refers to it."""
BINDING = _by_tag((tag, name) for tag, name, target in referring() if target.binds)
"""{tag: attributes} of what goes with that which it refers to."""
LISTING = {tag: field for tag, shape in elements() for field in shape.fields if isinstance(field, Words)}
"""{tag: the field} of what only loses a name, while it has others."""
ESSENTIAL = {tag: shape for tag, shape in elements() if shape.essential}
"""{tag: its shape} of what goes once it has lost all that it was there for."""
NOT_IDS = frozenset(field.tag for _, shape in elements() for field in shape.fields if isinstance(field, References))
NOT_IDS |= {"node", "acl_target"}
"""Elements whose ``id`` is no id of the document."""


def sections() -> dict[str, str]:
    """
    {section: what it holds} of exported data, in order; acls has one for three kinds.
    """
    found = {one.section: one.doc for one in SETTINGS.values() if not one.per_node}
    for kind in KINDS.values():
        section = kind.section.partition(":")[0]
        found[section] = " ".join(filter(None, (found.get(section), kind.doc)))
    return {**found, **{one.section: one.doc for one in SETTINGS.values() if one.per_node}}


SECTIONS = tuple(sections())
"""The sections of exported data, in order."""
