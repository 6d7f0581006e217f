"""
Desired data: check it, and bring it into one form.
"""

import copy
from dataclasses import dataclass, field

from haproxy_ha_lib.cib import kinds, nvsets, values
from haproxy_ha_lib.cib.document import AUTOMATIC, MARKER, SECTIONS, SETTINGS, CibError, DanglingError, named
from haproxy_ha_lib.cib.fields import Context

OPERATOR_META = ("target-role", "is-managed", "maintenance")
"""Meta attributes that operators set by hand: kept unless the desired data states them."""

_PLACES = {
    "locations": ("resource", "resource-pattern", "sets"),
    "colocations": ("resource", "sets"),
    "orders": ("first", "sets"),
    "tickets": ("resource", "sets"),
}
_REFERENCES = {
    "clones": ("resource",),
    "bundles": ("primitive",),
    "locations": ("resource",),
    "colocations": ("resource", "with"),
    "orders": ("first", "then"),
    "tickets": ("resource",),
}


@dataclass
class Desired:
    """
    objects: {(section, id): data, or None for what must not be there}. settings: {(section, node or None): sets}.
    doubts: by the same keys, texts about values that Pacemaker would not understand; it would keep them all the same,
    so that they matter only where something is written.
    """

    objects: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    doubts: dict = field(default_factory=dict)

    def context(self, document):
        """
        The context in which the data has its meaning: its own ids before those of the live configuration.
        """
        own = named([*self.objects.values(), *self.settings.values()])
        return Context(named={**document.context.named, **own})


def read(data, document):
    """
    The Desired for ``data`` (the form of ``pacemaker.export``), checked against ``document``.

    Raises CibError with all that is wrong, one line each, by path; DanglingError if only references are.
    """
    problems, doubts = [], []

    def report(path, text, value_only=False):
        (doubts if value_only else problems).append(f"{':'.join(str(part) for part in path)}: {text}")

    desired = _normalised(data, report)
    for key, content in desired.objects.items():
        if content is not None:
            path = (*key[0].split(":"), key[1])
            kinds.KINDS[key[0]].shape.check(content, path, report)
            if isinstance(content, dict):
                _check_object(key[0], content, path, report)
            desired.doubts[key], doubts = doubts, []
    for key, sets in desired.settings.items():
        path = tuple(part for part in key if part is not None)
        _check_settings(*key, sets, path, document, report)
        desired.doubts[key], doubts = doubts, []
    if not problems:
        _check_ids(desired, document, report)
    if problems:
        raise CibError("\n".join(sorted(problems)))
    check_references(desired, document.objects)
    return desired


def check_references(desired, present):
    """
    Raise DanglingError if the data refers to what is neither in it nor in ``present``, {(section, id)}.
    """
    problems = []

    def report(path, text):
        problems.append(f"{':'.join(str(part) for part in path)}: {text}")

    _report_references(desired, set(present), report)
    if problems:
        raise DanglingError("\n".join(sorted(problems)))


def _normalised(data, report):
    desired = Desired()
    if not isinstance(data, dict):
        report(("configuration",), f"found {values.describe(data)}, allowed: a mapping of {', '.join(SECTIONS)}")
        return desired
    for section, content in data.items():
        if section not in SECTIONS:
            report((section,), f"is not a section{values.near(section, SECTIONS)}")
        elif content is None:
            continue
        elif section in SETTINGS:
            _add_settings(desired, section, content, report)
        elif not isinstance(content, dict):
            report((section,), f"found {values.describe(content)}, allowed: a mapping by id")
        elif section == "acls":
            _add_acls(desired, content, report)
        else:
            for name, one in content.items():
                if section == "tags" and isinstance(one, list):
                    one = {"members": one}
                desired.objects[section, values.text(name)] = copy.deepcopy(one)
    return desired


def _add_acls(desired, content, report):
    for part, objects in content.items():
        if f"acls:{part}" not in kinds.KINDS or not isinstance(objects, (dict, type(None))):
            report(("acls", part), "allowed: mappings under roles, targets and groups")
            continue
        for name, one in (objects or {}).items():
            desired.objects[f"acls:{part}", values.text(name)] = copy.deepcopy(one)


def _add_settings(desired, section, content, report):
    if not SETTINGS[section].per_node:
        desired.settings[section, None] = _sets(content)
    elif not isinstance(content, dict):
        report((section,), f"found {values.describe(content)}, allowed: a mapping by node")
    else:
        for node, one in content.items():
            desired.settings[section, values.text(node)] = _sets(one)


def _sets(content):
    return copy.deepcopy(nvsets.as_sets(content) if isinstance(content, (dict, list)) else [content])


def _check_object(section, content, path, report):
    if section in ("primitives", "templates") and ("agent" in content) == ("template" in content):
        report(path, "needs an agent" + ("" if section == "templates" else ", or else a template"))
    if section in _PLACES and sum(content.get(key) is not None for key in _PLACES[section]) != 1:
        report(path, f"needs one of {', '.join(_PLACES[section])}")
    for first, second in (("colocations", "with"), ("orders", "then")):
        if section == first and "sets" not in content and content.get(second) is None:
            report((*path, second), "is missing")
    if section == "locations" and (content.get("node") is None) == (content.get("rules") is None):
        report(path, "needs a node with a score, or else rules")
    if section == "bundles" and sum(name in content for name in ("docker", "podman", "rkt")) != 1:
        report(path, "needs one of docker, podman, rkt")
    if section == "fencing_levels" and sum(
        content.get(key) is not None for key in ("target", "target-pattern", "target-attribute")
    ) != 1:  # fmt: skip
        report(path, "needs one of target, target-pattern, target-attribute")


def _check_settings(section, node, sets, path, document, report):
    settings = SETTINGS[section]
    for number, one in enumerate(sets):
        nvsets.check_set(one, settings.table, path if set(one) == {"attributes"} else (*path, number), report) if (
            isinstance(one, dict)
        ) else report(path, f"found {values.describe(one)}, allowed: names and values")
        attributes = one.get("attributes") if isinstance(one, dict) else None
        if section == "properties" and isinstance(attributes, dict):
            for name in sorted(AUTOMATIC.intersection(attributes)):
                report((*path, name), "is set by the cluster itself")
    if node is not None and document.nodes() and node not in document.nodes():
        report(path, f"the cluster has no node of this name{values.near(node, document.nodes())}")


def _report_references(desired, present, report):
    wanted = {key for key, content in desired.objects.items() if content is not None}
    gone = {key for key, content in desired.objects.items() if content is None}
    there = (present | wanted) - gone
    resources = {name for section, name in there if section in kinds.RESOURCE_SECTIONS}
    usable = resources | {name for section, name in there if section in ("templates", "tags")}
    holders = {}
    for section, name in wanted:
        content = desired.objects[section, name]
        path = (*section.split(":"), name)
        for key in _REFERENCES.get(section, ()):
            if content.get(key) is not None and content[key] not in usable:
                report((*path, key), f"there is no resource {content[key]}{values.near(content[key], usable)}")
        for number, one in enumerate(content.get("sets") or ()):
            for resource in one.get("resources", ()):
                if resource not in usable:
                    report((*path, "sets", number), f"there is no resource {resource}{values.near(resource, usable)}")
        if content.get("template") is not None and ("templates", content["template"]) not in there:
            report((*path, "template"), f"there is no template {content['template']}")
        for role in content.get("roles", ()) if section.startswith("acls:") else ():
            if ("acls:roles", role) not in there:
                report((*path, "roles"), f"there is no role {role}")
        for member in members(section, content):
            if member not in resources:
                report(path, f"there is no resource {member}{values.near(member, resources)}")
            holders.setdefault(member, []).append(name)
    for member, names in holders.items():
        if len(names) > 1:
            report(("primitives", member), f"is in {' and in '.join(sorted(names))}, allowed: one of them")


def _check_ids(desired, document, report):
    taken = {name: section for section, name in document.objects if section != "acls:targets"}
    seen = {}
    for (section, name), content in desired.objects.items():
        if content is None or section == "acls:targets":
            continue
        if not values.is_id(name):
            report((section, name), "is no id: a letter or _, then letters, digits, _, . and -")
        if name in seen:
            report((section, name), f"the id is also in {seen[name]}; an id is unique in the whole configuration")
        seen[name] = section
        if name not in taken and name in document.context.ids:
            report((section, name), "the id is in use in the cluster for a part of something else")


def members(section, content):
    """
    The ids of the resources inside a group, clone or bundle.
    """
    if section == "groups":
        return list(content.get("members") or ())
    key = {"clones": "resource", "bundles": "primitive"}.get(section)
    return [content[key]] if key and content.get(key) else []


def completed(section, wanted, live, unresolved):
    """
    Desired data with what it leaves to others filled in from the live data: operators' meta attributes, and secrets
    for which it has only the marker. A marker without a live value is added to ``unresolved``.
    """
    result = dict(wanted)
    if live and section in (*kinds.RESOURCE_SECTIONS, "templates"):
        result["meta"] = _with_operators_meta(wanted.get("meta"), live.get("meta"))
    _fill_secrets(result, live or {}, unresolved)
    return result


def _with_operators_meta(wanted, live):
    stated = {name for one in nvsets.as_sets(wanted) for name in nvsets.pairs(one.get("attributes"), Context())}
    kept = {}
    for one in nvsets.as_sets(live):
        if "rule" not in one:
            pairs = nvsets.pairs(one.get("attributes"), Context())
            kept.update({name: pairs[name] for name in OPERATOR_META if name in pairs and name not in stated})
    if not kept:
        return wanted
    if isinstance(wanted, list):
        return [*wanted, {"attributes": kept}]
    return {**(wanted or {}), **kept}


def _fill_secrets(data, live, unresolved):
    """Replace markers in data's params, and in those of its operations and recipients, by the live values."""
    if "params" in data:
        data["params"] = _filled(data["params"], live.get("params"), unresolved)
    for key in ("operations", "recipients"):
        inner, old = data.get(key), live.get(key)
        if isinstance(inner, dict) and "operations" not in inner:
            data[key] = {
                name: _copied(one, (old or {}).get(name, {}) if isinstance(old, dict) else {}, unresolved)
                for name, one in inner.items()
            }
        elif isinstance(inner, list):
            olds = old if isinstance(old, list) else []
            data[key] = [
                _copied(one, olds[number] if number < len(olds) else {}, unresolved) for number, one in enumerate(inner)
            ]


def _copied(one, old, unresolved):
    if not isinstance(one, dict):
        return one
    result = dict(one)
    _fill_secrets(result, old, unresolved)
    return result


def _filled(params, live, unresolved):
    have = {}
    for one in nvsets.as_sets(live):
        for name, value in nvsets.pairs(one.get("attributes"), Context()).items():
            have.setdefault(name, value)

    def value(name, given):
        if given != MARKER:
            return given
        if name not in have:
            unresolved.append(name)
            return given
        return have[name]

    if isinstance(params, dict):
        return {name: value(name, given) for name, given in params.items()}
    return [_filled_set(one, value) for one in params]


def _filled_set(one, value):
    attributes = one.get("attributes")
    if isinstance(attributes, dict):
        return {**one, "attributes": {name: value(name, given) for name, given in attributes.items()}}
    if attributes:
        return {
            **one,
            "attributes": [
                {**pair, "value": value(pair.get("name"), pair["value"])} if "value" in pair else pair
                for pair in attributes
            ],
        }
    return one
