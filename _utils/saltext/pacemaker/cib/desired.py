"""
Desired data: check it, and bring it into one form.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from saltext.pacemaker.cib import kinds, nvsets, switches, tables, values
from saltext.pacemaker.cib.document import AUTOMATIC, Document, named
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.cib.shapes import Context, Target
from saltext.pacemaker.errors import CibError, DanglingError, Doubt, Problem
from saltext.pacemaker.given import accept, refuse
from saltext.pacemaker.types import Data, Key, Objects, Path, Report
from saltext.pacemaker.words import did_you_mean


@dataclass
class Desired:
    """
    objects: {(section, id): data, or None for what must not be there}. settings: {(section, node or None): sets}.
    doubts: by the same keys; they matter only where something is written.
    """

    objects: Objects = field(default_factory=dict)
    settings: dict[tuple[str, str | None], list[Any]] = field(default_factory=dict)
    doubts: dict[tuple[str, str | None], list[Doubt]] = field(default_factory=dict)

    @property
    def there(self) -> set[Key]:
        """
        The keys of the objects that have to be there.
        """
        return {key for key, content in self.objects.items() if content is not None}

    def context(self, document: Document) -> Context:
        """
        The context in which the data has its meaning: its own ids before those of the live configuration.
        """
        own = named([*self.objects.values(), *self.settings.values()])
        return Context(ids=document.context.ids, named={**document.context.named, **own})


def read(data: Any, document: Document) -> Desired:
    """
    The Desired for ``data`` (the form of ``pacemaker.export``), checked against ``document``; what it refers to is
    checked apart.

    Raises CibError with all that is wrong, by path.
    """
    problems: list[Problem] = []
    doubts: list[Doubt] = []

    def report(problem: Problem) -> None:
        if isinstance(problem, Doubt):
            doubts.append(problem)
        else:
            problems.append(problem)

    desired = normalised(data, report)
    for key, content in desired.objects.items():
        if content is not None:
            path = (*key[0].split(":"), key[1])
            kinds.KINDS[key[0]].check(content, path, report)
            desired.doubts[key], doubts = doubts, []
    for (section, node), sets in desired.settings.items():
        path = (section,) if node is None else (section, node)
        _check_settings(section, node, sets, path, document, report)
        desired.doubts[section, node], doubts = doubts, []
    if not problems:
        _check_ids(desired, document, report)
        _doubt_references(desired, document)
    if problems:
        raise CibError(*sorted(problems, key=str))
    return desired


def read_alone(data: Any) -> Desired:
    """
    The Desired for ``data`` that has to stand on its own: what it refers to is in it. Raises CibError.
    """
    nothing = Document.empty()
    desired = read(data, nothing)
    check_references(desired, desired.context(nothing), desired.objects, present=set(), doomed=set())
    return desired


def _doubt_references(desired: Desired, document: Document) -> None:
    """A fencing level may name a device that is not there; it then fails when it is needed."""
    allowed = _allowed({*document.objects, *desired.there})
    for key in desired.there:
        for path, name, target in _references(key, desired.objects[key]):
            if target.doubtful and name not in allowed(target):
                text = f"there is no {target.word} {name}{did_you_mean(name, allowed(target))}"
                desired.doubts[key].append(Doubt(path, text))


def check_references(
    desired: Desired, context: Context, written: Collection[Key], present: set[Key], doomed: set[Key]
) -> None:
    """
    Raise DanglingError if what is written refers to what is not there, or what stays to what goes.

    context: that of the desired data. written: the keys (section, id) of the objects that change. present: those of the
    live configuration. doomed: those of it that go.
    """
    allowed = _allowed(desired.there | (present - doomed))
    going = {name for _, name in doomed}
    problems: list[Problem] = []

    for key in desired.there:
        content = desired.objects[key]
        for path, name, target in _references(key, content):
            matters = name in going or (key in written and not target.doubtful)
            if matters and name not in allowed(target):
                text = f"there is no {target.word} {name}{did_you_mean(name, allowed(target))}"
                problems.append(Problem(path, text))
        if key in written:
            for name in _id_refs(content):
                if name not in context.named and name not in context.ids:
                    text = f"there is nothing with the id {name} for its id-ref"
                    problems.append(Problem((*key[0].split(":"), key[1]), text))
    _report_holders(desired, problems.append)
    if problems:
        raise DanglingError(*sorted(problems, key=str))


def normalised(data: Any, report: Report = lambda problem: None) -> Desired:
    """
    The Desired for ``data``, unchecked; what is in no form of data at all is reported by path.
    """
    desired = Desired()
    data = _plain(data, (), report)
    if not isinstance(data, dict):
        refuse(report, ("configuration",), data, f"a mapping of {', '.join(tables.SECTIONS)}")
        return desired
    for section, content in data.items():
        if section not in (*tables.SECTIONS, *switches.SECTIONS):
            report(Problem((section,), f"is not a section{did_you_mean(section, tables.SECTIONS)}"))
        elif content is None:
            continue
        elif section in switches.SECTIONS:
            accept(report, (section,), content, dict, "a mapping, which says nothing")
        elif section in SETTINGS:
            _add_settings(desired, section, content, report)
        elif not isinstance(content, dict):
            refuse(report, (section,), content, "a mapping by id")
        elif section == "acls":
            _add_acls(desired, content, report)
        else:
            for name, one in content.items():
                if kinds.KINDS[section].alone and isinstance(one, list):
                    one = {kinds.KINDS[section].alone: one}
                desired.objects[section, name] = one
    return desired


_DEEPEST = 40
_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _plain(value: Any, path: Path, report: Report) -> Any:
    """A copy of data with names as text, tuples as lists and dates as text; what XML cannot hold is reported."""
    if isinstance(value, dict):
        if len(path) > _DEEPEST:
            report(Problem(path, "is nested too deeply"))
            return {}
        return {_plain(values.text(key), path, report): _plain(one, (*path, key), report) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        if len(path) > _DEEPEST:
            report(Problem(path, "is nested too deeply"))
            return []
        return [_plain(one, (*path, number), report) for number, one in enumerate(value)]
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, str):
        if _CONTROL.search(value):
            report(Problem(path, "holds a character that XML cannot hold"))
        return str(value)
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and value == value):
        return value
    refuse(report, path, value, "text, a number, true or false", secret=True)
    return None


def _add_acls(desired: Desired, content: Data, report: Report) -> None:
    for part, objects in content.items():
        if f"acls:{part}" not in kinds.KINDS or not isinstance(objects, (dict, type(None))):
            report(Problem(("acls", part), "allowed: mappings under roles, targets and groups"))
            continue
        for name, one in (objects or {}).items():
            desired.objects[f"acls:{part}", name] = one


def _add_settings(desired: Desired, section: str, content: Any, report: Report) -> None:
    if not SETTINGS[section].per_node:
        desired.settings[section, None] = _sets(content)
    elif not isinstance(content, dict):
        refuse(report, (section,), content, "a mapping by node")
    else:
        for node, one in content.items():
            desired.settings[section, node] = _sets(one)


def _sets(content: Any) -> list[Any]:
    return nvsets.as_sets(content) if isinstance(content, (dict, list)) else [content]


def _check_settings(
    section: str, node: str | None, sets: list[Any], path: Path, document: Document, report: Report
) -> None:
    settings = SETTINGS[section]
    for number, one in enumerate(sets):
        if not accept(report, path, one, dict, "names and values"):
            continue
        nvsets.check_set(one, settings.table, path if set(one) == {"attributes"} else (*path, number), report)
        attributes = one.get("attributes")
        if section == "properties" and isinstance(attributes, dict):
            for name in sorted(AUTOMATIC.intersection(attributes)):
                report(Problem((*path, name), "is set by the cluster itself"))
    if node is not None and document.nodes() and node not in document.nodes():
        report(Problem(path, f"the cluster has no node of this name{did_you_mean(node, document.nodes())}"))


def _references(key: Key, content: Data) -> Iterator[tuple[Path, str, Target]]:
    """Yield (path, id, what it has to be) of everything that an object refers to, and has to be there."""
    found = kinds.KINDS[key[0]].shape.references(content, (*key[0].split(":"), key[1]))
    return (one for one in found if one[2].sections)


def _allowed(keys: Collection[Key]) -> Callable[[Target], set[str]]:
    """A function that tells which of the ids among ``keys`` may be meant."""

    @functools.cache
    def allowed(target: Target) -> set[str]:
        return {*target.known, *(name for section, name in keys if section in target.sections)}

    return allowed


def _id_refs(data: Any) -> Iterator[str]:
    """Yield the value of every ``id-ref`` in data."""
    if isinstance(data, dict):
        if isinstance(data.get("id-ref"), str):
            yield data["id-ref"]
        data = list(data.values())
    for one in data if isinstance(data, list) else ():
        yield from _id_refs(one)


def _report_holders(desired: Desired, report: Report) -> None:
    """Report resources that are in two containers."""
    holders: dict[str, list[str]] = {}
    for (section, name), content in desired.objects.items():
        for member in members(section, content) if content is not None else ():
            holders.setdefault(member, []).append(name)
    for member, names in holders.items():
        if len(names) > 1:
            report(Problem(("primitives", member), f"is in {' and in '.join(sorted(names))}, allowed: one of them"))


def _check_ids(desired: Desired, document: Document, report: Report) -> None:
    taken = {name: section for section, name in document.objects if section != "acls:targets"}
    seen: dict[str, str] = {}
    for (section, name), content in desired.objects.items():
        if content is None or section == "acls:targets":
            continue
        if not values.is_id(name):
            report(Problem((section, name), "is no id: a letter or _, then letters, digits, _, . and -"))
        if name in seen:
            text = f"the id is also in {seen[name]}; an id is unique in the whole configuration"
            report(Problem((section, name), text))
        seen[name] = section
        if name not in taken and name in document.context.ids:
            report(Problem((section, name), "the id is in use in the cluster for a part of something else"))


def members(section: str, content: Data) -> list[str]:
    """
    The ids of the resources inside a group, clone or bundle.
    """
    field_ = kinds.KINDS[section].members
    return field_.names(content) if field_ else []
