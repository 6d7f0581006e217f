"""
What has to change in a CIB so that it means the desired data: the comparison, the ownership, and the new CIB.

An owner's tag lists the ids of the objects and of the nvpairs that the owner has created, and itself.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from saltext.pacemaker.cib import desired as wanted
from saltext.pacemaker.cib import edit, kinds, nvsets, switches, tables, values
from saltext.pacemaker.cib.completion import Completion
from saltext.pacemaker.cib.document import AUTOMATIC, Document
from saltext.pacemaker.cib.hidden import hide
from saltext.pacemaker.cib.settings import SETTINGS, Settings
from saltext.pacemaker.cib.shapes import Context, children
from saltext.pacemaker.errors import CibError, DanglingError, Problem
from saltext.pacemaker.types import Data, Element, Key, Objects


@dataclass
class Plan:
    """
    before, after: Documents; ``after`` is None when nothing is to be written.
    changes: {"kind id": {"old": data or None, "new": data or None}}, secrets hidden, only fields that differ.
    adoptable, foreign, unknown: sorted texts. digest: of the changes, secrets included.
    resources: the ids of the desired resources. unresolved: params whose secrets are given nowhere.
    conflicts: texts about objects of other owners that are not as desired.
    agents: {primitive or template id: (agent, {param: value})} of the objects that are written.
    doubts: Problems with written values that Pacemaker would not understand.
    """

    before: Document | None
    after: Document | None = None
    changes: Data = field(default_factory=dict)
    adoptable: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    digest: str = ""
    resources: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    agents: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    doubts: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Terms:
    """
    What a plan is made of.

    desired: the data. owner: whose objects these are. purge: remove everything else too, and take over what others own.
    adopt: record equal unowned objects as the owner's even if nothing else changes. take_over: objects of other owners
    that are desired become this owner's. partial: only some of the owner's objects are named; the others stay.
    """

    desired: Any
    owner: str
    purge: bool = False
    adopt: bool = False
    take_over: bool = False
    partial: bool = False


@dataclass(frozen=True)
class SetPlace:
    """A desired set of settings, and the ids of the live sets that hold it; an edit adds those of new ones."""

    section: str
    node: str | None
    wanted: Data
    ids: list[str]


@dataclass(frozen=True)
class WriteSet:
    """A set is written whole: it refers to something, or something refers to it."""

    place: SetPlace

    def write(self, document: Document, context: Context) -> None:
        edit.write_linked_set(document, self.place.section, self.place.node, self.place.wanted, context)


@dataclass(frozen=True)
class WriteCondition:
    """A set gets its score and its rule."""

    place: SetPlace

    def write(self, document: Document, context: Context) -> None:
        place = self.place
        edit.write_condition(document, place.section, place.node, place.wanted, place.ids, context)


@dataclass(frozen=True)
class WriteValue:
    """An option in a set gets a value, or with None goes."""

    place: SetPlace
    name: str
    value: Any

    def write(self, document: Document, context: Context) -> None:
        place = self.place
        edit.write_setting(
            document, place.section, place.node, place.wanted, place.ids, self.name, self.value, context
        )


def make(document: Document, desired: Any, owner: str, **terms: Any) -> Plan:
    """
    The Plan that makes ``document`` (left as it is) mean ``desired``; the arguments are those of Terms. Raises CibError
    for data that cannot be.
    """
    return fulfil(document, Terms(desired, owner, **terms))


def fulfil(document: Document, terms: Terms) -> Plan:
    """
    The Plan for these Terms. Raises CibError for data that cannot be.
    """
    owner = terms.owner
    if not values.is_id(owner) or any(name == owner for section, name in document.objects if section != "tags"):
        text = f"'{owner}' cannot be recorded, because it is no id, or the id of something else"
        raise CibError(Problem(("owner",), text))
    return _Planner(document, terms).plan()


class _Planner:
    def __init__(self, document: Document, terms: Terms) -> None:
        owner = terms.owner
        self.before = document
        self.terms = terms
        self.desired = wanted.read(terms.desired, document)
        if any(name == owner for _, name in self.desired.objects):
            text = f"{owner} is also the id of a desired object; the owner's tag needs it"
            raise CibError(Problem(("owner",), text))
        self.result = Plan(before=document, unknown=document.unknown)
        self._complete()
        self.context = self.desired.context(document)
        tag = document.tag(owner)
        self.owned = {child.get("id", "") for child in children(tag, "obj_ref")} - {owner} if tag is not None else set()
        self.others = {} if terms.purge or terms.take_over else _without(document.owners(), self.owned)
        self.claimed: set[str] = set()  # ids of nvpairs that the desired data is about
        self.objects: Objects = {}  # what is to be written
        self.sets: list[SetPlace] = []  # the place of every desired set
        self.settings: list[WriteSet | WriteCondition | WriteValue] = []  # what is written in them

    def plan(self) -> Plan:
        self._compare_objects()
        self._compare_settings()
        doomed, pairs = self._removals()
        wanted.check_references(self.desired, self.context, self.objects, set(self.before.objects), doomed)
        _reject_clashes(self.before, self.objects, doomed)
        if self.result.conflicts:
            self.result.conflicts.sort()
        elif self.objects or self.settings or doomed or pairs or (self.terms.adopt and self.result.adoptable):
            self._edit(doomed, pairs)
        self._list_foreign(doomed)
        plan = self.result
        plan.adoptable.sort()
        written = {*self.objects, *((one.place.section, one.place.node) for one in self.settings)}
        plan.doubts = sorted((one for key in written for one in self.desired.doubts.get(key, ())), key=str)
        plan.resources = sorted(
            name
            for (section, name), content in self.desired.objects.items()
            if section in kinds.RESOURCE_SECTIONS and content is not None
        )
        return plan

    def _complete(self) -> None:
        """Fill in what the desired data leaves to the cluster."""
        completion = Completion(self.desired.context(self.before), self.before.context)
        for key, content in self.desired.objects.items():
            if content is not None:
                live = self.before.data(key) if key in self.before.objects else None
                own = switches.sets_itself(content.get("agent") or self._agent_of_template(content))
                shape = kinds.KINDS[key[0]].shape
                self.desired.objects[key] = completion.object(shape, content, live, own)
        for (section, node), sets in self.desired.settings.items():
            filled = completion.sets(sets, self.before.sets(section, node), ())
            self.desired.settings[section, node] = nvsets.as_sets(filled)
        self.result.unresolved = completion.unresolved

    def _agent_of_template(self, content: Data) -> Any:
        template = self.desired.objects.get(("templates", content.get("template", ""))) or {}
        return template.get("agent") or self.before.agent(content)

    def _compare_objects(self) -> None:
        for (section, name), content in self.desired.objects.items():
            if content is None:
                if (section, name) in self.before.objects:
                    self._reject_if_anothers(name, label(section, name))
                continue
            shape = kinds.KINDS[section].shape
            live = self.before.data((section, name)) if (section, name) in self.before.objects else None
            if live is None or shape.meaning(live, self.before.context) != shape.meaning(content, self.context):
                self.objects[section, name] = content
                self._reject_if_anothers(name, label(section, name))
                if content.get("agent"):
                    self.result.agents[name] = content["agent"], self._params(content)
            elif name not in self.owned and name not in self.others:
                self.result.adoptable.append(label(section, name))

    def _reject_if_anothers(self, identifier: str | None, name: str) -> None:
        """Note a conflict if what is to be changed is another owner's."""
        if identifier in self.others:
            self.result.conflicts.append(
                f"{name} is not as desired and belongs to the owner {self.others[identifier]}: change it there, or "
                "say take_over: true"
            )

    def _params(self, content: Data) -> dict[str, str]:
        params = {}
        for one in nvsets.as_sets(content.get("params")):
            params.update(nvsets.pairs(self.context.resolve(one).get("attributes"), self.context))
        return params

    def _compare_settings(self) -> None:
        for (section, node), sets in self.desired.settings.items():
            if node is not None and node not in self.before.nodes():
                raise DanglingError(Problem((section, node), "the cluster has no node of this name yet"))
            assigned = edit.assign(self.before, section, node, sets, self.context)
            for one, ids in zip(sets, assigned, strict=True):
                place = SetPlace(section, node, one, ids)
                self.sets.append(place)
                compare_set = self._compare_linked_set if nvsets.is_linked(one) else self._compare_set
                compare_set(place, SETTINGS[section], node, one)

    def _compare_set(self, place: SetPlace, settings: Settings, node: str | None, one: Data) -> None:
        elements = edit.set_elements(self.before, settings.section, node, place.ids)
        if elements and ("score" in one or "rule" in one):
            live = nvsets.read_set(elements[0], Context(), "")
            if nvsets.condition(live, self.before.context) != nvsets.condition(one, self.context):
                self.settings.append(WriteCondition(place))
        for name, value in _stated(one, self.context):
            pair = edit.find_pair(elements, settings.table, name)
            if pair is not None and value is not None:
                self.claimed.add(pair.get("id", ""))
            identifier = pair.get("id") if pair is not None else None
            if not self._same(settings, name, pair, value):
                self.settings.append(WriteValue(place, name, value))
                self._reject_if_anothers(identifier, setting_label(settings, node, name, one))
            elif pair is not None and identifier not in self.owned and identifier not in self.others:
                self.result.adoptable.append(setting_label(settings, node, name, one))

    def _compare_linked_set(self, place: SetPlace, settings: Settings, node: str | None, one: Data) -> None:
        """A set that refers to something, or that something refers to, is compared and written whole."""
        element = edit.linked_set(self.before, settings.section, node, one)
        live = nvsets.read_set(element, self.before.context, "") if element is not None else None
        pairs = children(element, "nvpair") if element is not None else []
        labels = {p.get("id", ""): setting_label(settings, node, p.get("name"), one) for p in pairs if p.get("id")}
        self.claimed.update(labels)
        if live is None or not nvsets.same(settings.table, live, self.before.context, one, self.context):
            self.settings.append(WriteSet(place))
            for identifier, name in labels.items():
                self._reject_if_anothers(identifier, name)
        else:
            self.result.adoptable += [labels[one] for one in labels if one not in self.owned and one not in self.others]

    @staticmethod
    def _same(settings: Settings, name: str, pair: Element | None, value: Any) -> bool:
        if pair is None or value is None:
            return pair is None and value is None
        kind = values.option_type(settings.table, name)
        return values.meaning(kind, pair.get("value")) == values.meaning(kind, value)

    def _removals(self) -> tuple[set[Key], set[str]]:
        """The keys of objects and the ids of nvpairs that go."""
        stated = {key for key, content in self.desired.objects.items() if content is not None}
        doomed = {
            key for key, content in self.desired.objects.items() if content is None and key in self.before.objects
        }
        pairs: set[str] = set()
        if self.terms.partial:
            return doomed, pairs
        for key in set(self.before.objects) - stated:
            is_tag = key == ("tags", self.terms.owner)
            if not switches.constraint_section(*key) and (key[1] in self.owned or (self.terms.purge and not is_tag)):
                doomed.add(key)
        for _, _, pair, apart in self._live_pairs():
            identifier = pair.get("id", "")
            if identifier not in self.claimed and self._goes(identifier, apart):
                pairs.add(identifier)
        return doomed, pairs

    def _goes(self, identifier: str | None, apart: str | None) -> bool:
        """
        Whether a pair that is not desired goes. A switch never does: what an owner once stated may have been set by an
        operator since.
        """
        return apart != "switches" and (identifier in self.owned or (self.terms.purge and apart is None))

    def _live_pairs(self) -> Iterator[tuple[Settings, str | None, Element, str | None]]:
        """(settings, node, nvpair, its section beside the configuration) of all that is set and is not automatic."""
        for (section, node), elements in self.before.settings.items():
            for element in elements:
                for pair in children(element, "nvpair"):
                    # One that refers to another goes with it.
                    if pair.get("id") and not (section == "properties" and pair.get("name") in AUTOMATIC):
                        apart = self.before.setting_section(section, node, element, pair.get("name"))
                        yield SETTINGS[section], node, pair, apart

    def _edit(self, doomed: set[Key], pairs: set[str]) -> None:
        after = self.before.copy()
        context = Context(
            ids=after.context.ids,
            referenced=after.context.referenced | set(self.context.named),
            named=self.context.named,
            schema=after.schema,
        )
        refs = {key for key, content in self.desired.objects.items() if content is not None}
        clashing = {key for key in doomed if any(key[1] == name for _, name in self.objects)}
        if clashing:
            edit.remove_objects(after, clashing, replaced=True)
            after = Document(after.root)
        edit.write_objects(after, self.objects, context)
        for change in self.settings:
            change.write(after, context)
        edit.remove_pairs(after, pairs)
        if doomed - clashing:
            edit.remove_objects(after, doomed - clashing)
        edit.remove_dangling_settings(after)
        self._write_tag(after, refs)
        after = Document(after.root)
        changes, real = compare(self.before, after, self.terms.owner)
        if self.terms.adopt and not changes and self.result.adoptable:
            changes[f"owner {self.terms.owner}"] = {"old": None, "new": sorted(self.result.adoptable)}
            real = changes
        if changes:
            after.bump()
            self.result.after = after
            self.result.changes = changes
        self.result.digest = fingerprint(real)

    def _write_tag(self, after: Document, refs: set[Key]) -> None:
        """Record what is the owner's now, as far as it is there: a reference to nothing breaks older schemas."""
        present = {one.get("id", "") for one in after.configuration.iter() if one.tag not in tables.NOT_IDS}
        if after.schema >= (3, 3):  # before, only what has an id of the document can be referred to
            present |= {name for section, name in after.objects if section == "acls:targets"}
        mine = {name for _, name in refs} | (self.owned if self.terms.partial else set())
        for place in self.sets:
            mine.update(self._pairs_of(after, place))
        mine = (mine & present) - {""} - set(self.others)
        for name, tag in after.owner_tags().items():
            if name != self.terms.owner:
                edit.forget(after, tag, mine)
        if not lacks_tags(after):
            edit.write_tag(after, self.terms.owner, sorted(mine))

    def _pairs_of(self, after: Document, place: SetPlace) -> set[str]:
        """The ids of the nvpairs that hold a desired set."""
        if nvsets.is_linked(place.wanted):
            linked = edit.linked_set(after, place.section, place.node, place.wanted)
            return {pair.get("id", "") for pair in children(linked, "nvpair")} if linked is not None else set()
        elements = edit.set_elements(after, place.section, place.node, place.ids)
        table = SETTINGS[place.section].table
        stated = [name for name, value in _stated(place.wanted, self.context) if value is not None]
        found = [edit.find_pair(elements, table, name) for name in stated]
        return {pair.get("id", "") for pair in found if pair is not None}

    def _list_foreign(self, doomed: set[Key]) -> None:
        stated = set(self.desired.objects) | doomed
        for key in set(self.before.objects) - stated:
            owner_tag = key[0] == "tags" and self.before.is_owner_tag(key[1], self.terms.owner)
            if key[1] not in self.owned and not owner_tag:
                self.result.foreign.append(label(*key))
        for settings, node, pair, apart in self._live_pairs():
            stays = not (self.terms.purge and self._goes(pair.get("id"), apart))
            if stays and pair.get("id") not in self.claimed | self.owned and pair.get("name"):
                self.result.foreign.append(setting_label(settings, node, pair.get("name"), {}))
        self.result.foreign = sorted(set(self.result.foreign))


def dropped(before: Document, after: Document) -> set[str]:
    """
    The ids of the primitives that go, or get another agent: whatever runs of them has to be stopped by the agent that
    started it.
    """
    return {
        name
        for section, name in before.objects
        if section == "primitives" and _agent(before, name) != _agent(after, name)
    }


def _agent(document: Document, name: str) -> Any:
    """The agent of a primitive; None if there is no such primitive."""
    key = ("primitives", name)
    return document.agent(document.data(key)) if key in document.objects else None


def lacks_tags(document: Document) -> bool:
    """
    Whether the schema of a CIB is too old for tags, which record what an owner makes.
    """
    return (1, 0) <= document.schema < (1, 3)


def _without(mapping: dict[str, str], keys: Collection[str]) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _reject_clashes(before: Document, objects: Objects, doomed: set[Key]) -> None:
    """Refuse to give an id to one kind of object while another kind has it and stays."""
    staying = {}
    for section, name in set(before.objects) - doomed:
        if section != "acls:targets":
            staying[name] = section
    for section, name in objects:
        if section != "acls:targets" and staying.get(name, section) != section:
            other = kinds.KINDS[staying[name]].name
            text = f"the id is in use by a {other} that is not the owner's"
            raise CibError(Problem((section, name), text))


def _stated(one: Data, context: Context) -> list[tuple[str, Any]]:
    """(name, value or None) of a desired set."""
    attributes = one.get("attributes") or {}
    if isinstance(attributes, dict):
        return [(values.text(name), value) for name, value in attributes.items()]
    return list(nvsets.pairs(attributes, context).items())


def label(section: str, name: str) -> str:
    """
    What an object is called in changes and lists: ``primitive FloatIP``.
    """
    return f"{kinds.KINDS[section].name} {name}"


def setting_label(settings: Settings, node: str | None, name: str | None, one: Data) -> str:
    """
    What a setting is called in changes and lists: ``property no-quorum-policy``, ``node_attribute primary rack``.
    """
    extra = f" (set {one['id']})" if one.get("id") and ("rule" in one or "score" in one) else ""
    return " ".join(part for part in (settings.name, node, name) if part) + extra


def compare(before: Document, after: Document, owner: str | None) -> tuple[Data, Data]:
    """
    ({"kind id": {"old", "new"}} with secrets hidden, the same with them shown): all that differs in meaning.
    """
    shown, real = {}, {}
    for key in sorted(set(before.objects) | set(after.objects)):
        old = before.data(key) if key in before.objects else None
        new = after.data(key) if key in after.objects else None
        if key[0] == "tags" and (before.is_owner_tag(key[1], owner) or after.is_owner_tag(key[1], owner)):
            continue
        change = _change(key[0], old, new, before, after)
        if change:
            real[label(*key)] = change
            shown[label(*key)] = _hidden(change)
    old, new = _flat_settings(before), _flat_settings(after)
    for name in sorted(set(old) | set(new)):
        (meant, before_it, called), (means, after_it, calls) = old.get(name, _NONE), new.get(name, _NONE)
        if meant != means:
            real[name] = {"old": before_it, "new": after_it}
            shown[name] = _hidden_setting(called or calls, before_it, after_it)
    return shown, real


_NONE = None, None, ""


def _hidden_setting(name: str, old: Any, new: Any) -> Data:
    if not (values.is_secret(name, old) or values.is_secret(name, new)):
        return {"old": old, "new": new}
    return {"old": old and "(hidden)", "new": new and ("(hidden, changed)" if old else "(hidden)")}


def _change(section: str, old: Data | None, new: Data | None, before: Document, after: Document) -> Data | None:
    if old is None or new is None:
        return {"old": old, "new": new}
    shape = kinds.KINDS[section].shape
    keys = [
        field_.key
        for field_ in shape.fields
        if field_.meaning(old.get(field_.key), before.context) != field_.meaning(new.get(field_.key), after.context)
    ]
    return {"old": _picked(old, keys), "new": _picked(new, keys)} if keys else None


def _picked(data: Data, keys: Collection[str]) -> Data:
    return {key: data[key] for key in keys if key in data}


def _hidden(change: Data) -> Data:
    old, new = _without_secrets(change["old"], "(hidden)"), _without_secrets(change["new"], "(hidden)")
    return {"old": old, "new": _without_secrets(change["new"], "(hidden, changed)") if old == new else new}


def _without_secrets(data: Any, shown: str) -> Any:
    data = copy.deepcopy(data)
    hide(data, shown)
    return data


def _flat_settings(document: Document) -> dict[str, tuple[str, Any, str]]:
    """{label: (meaning, value, name)} of every setting; of sets without condition the value that counts."""
    flat: dict[str, tuple[str, Any, str]] = {}
    for section, node in document.settings:
        settings = SETTINGS[section]
        ids = edit.assign(document, section, node, [{}], document.context)[0]
        plain = edit.set_elements(document, section, node, ids)
        conditional = [one for one in document.settings[section, node] if one not in plain]
        for element in [*plain, *conditional]:
            one: Data = {"id": element.get("id"), **nvsets.read_set(element, document.context, "")}
            if "id-ref" in one:
                flat[_set_label(settings, node, one["id-ref"])] = "id-ref", {"id-ref": one["id-ref"]}, ""
                continue
            header = {key: one[key] for key in ("score", "rule") if key in one} if element in conditional else {}
            pairs = nvsets.pairs(one.get("attributes"), document.context)
            if header and pairs:
                condition = repr(nvsets.condition(one, document.context))
                flat[_set_label(settings, node, one["id"])] = condition, header, ""
            called = values.canonical_names(settings.table, pairs)
            for name, value in pairs.items():
                if section == "properties" and name in AUTOMATIC:
                    continue
                meaning = values.meaning(values.option_type(settings.table, name), value)
                label = setting_label(settings, node, called[name], {**header, "id": one["id"]})
                flat.setdefault(label, (meaning, value, called[name]))
    return flat


def _set_label(settings: Settings, node: str | None, identifier: str | None) -> str:
    return " ".join(part for part in (f"{settings.name}_set", node, identifier) if part)


def given(data: Any) -> Data:
    """
    Desired data as changes to nothing, for when it cannot be compared because it refers to what is not there yet.
    """
    desired = wanted.normalised(data)
    found = {label(*key): content for key, content in desired.objects.items() if content is not None}
    for (section, node), sets in desired.settings.items():
        for one in sets:
            for name, value in _stated(one, Context()):
                if value is not None:
                    shown = "(hidden)" if values.is_secret(name, value) else value
                    found[setting_label(SETTINGS[section], node, name, one)] = shown
    found = copy.deepcopy(found)
    hide(found, "(hidden)")
    return {name: {"old": None, "new": content} for name, content in found.items()}


def fingerprint(data: Any) -> str:
    """
    A short digest of data: equal for equal data.
    """
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


def flag(document: Document, name: str) -> bool | None:
    """
    Whether the boolean cluster property ``name`` is set; None if it is not there, or is no boolean.
    """
    try:
        return values.boolean(cluster_property(document, name))
    except ValueError:
        return None


def cluster_property(document: Document, name: str) -> str:
    """
    The value of a cluster property; empty if it is not there.
    """
    ids = edit.assign(document, "properties", None, [{}], document.context)[0]
    pair = edit.find_pair(edit.set_elements(document, "properties", None, ids), "properties", name)
    return "" if pair is None else pair.get("value") or ""
