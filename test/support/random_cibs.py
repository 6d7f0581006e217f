"""Random CIBs that are valid by Pacemaker's own schemas, whatever these allow: a small reader of RELAX NG that makes
documents instead of checking them."""

import functools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from saltext.pacemaker.cib.document import AUTOMATIC

FOLDER = Path("/usr/share/pacemaker")
_SPACE = "{http://relaxng.org/ns/structure/1.0}"
_RESOURCES = ("primitive", "group", "clone", "master", "bundle")
_DURATIONS = ("0", "10", "10s", "10000ms", "PT10S", "1min", "1h", "20", "P1D")
_BOOLEANS = ("true", "false", "1", "0")
_WORDS = ("x", "two words", "<é&\"'>", "1", "10s", "yes", "-INFINITY", "Master", "stopped", " led", "#uname", "$x")
_NAMES = (
    "p1", "p2", "password", "target-role", "is-managed", "priority", "resource-stickiness", "failure-timeout",
    "promotable", "promoted-max", "interleave", "enabled", "timeout", "on-fail", "stonith-enabled",
    "no-quorum-policy", "cluster-delay", "dc-version", "maintenance-mode", "standby", "cpu",
)  # fmt: skip
_TEXTS = {
    "interval": _DURATIONS, "timeout": _DURATIONS, "start-delay": _DURATIONS,
    "name": _NAMES, "type": ("Dummy", "thing@1"), "provider": ("heartbeat", "pacemaker"), "influence": _BOOLEANS,
    "role": ("Started", "Promoted", "Slave", "Master"), "on-fail": ("block", "ignore", "restart"),
    "target": ("n1", "n2"), "node": ("n1", "n2"),
}  # fmt: skip
_DATA = {
    "boolean": _BOOLEANS,
    "integer": ("0", "1", "-1", "10", "007", "1000000"),
    "nonNegativeInteger": ("0", "1", "10"),
    "positiveInteger": ("1", "2", "9"),
    "string": _WORDS,
}
_UNIQUE = {("node", "id"), ("node", "uname"), ("acl_target", "id")}
_SETS = ("cluster_property_set", "instance_attributes", "meta_attributes", "utilization", "operations")
_DEEP = 7


def names():
    """The names of the schemas that are installed, the development version left out."""
    return sorted(path.stem for path in FOLDER.glob("pacemaker-[0-9]*.rng"))


def document(name, rng):
    """The root of a random CIB by the schema ``name``."""
    root = _Maker(rng).document(FOLDER / f"{name}.rng")
    root.attrib.update({"validate-with": name, "admin_epoch": "0", "epoch": "1", "num_updates": "0"})
    return root


class _Impossible(Exception):
    """What the schema asks for cannot be made here: it would refer to what is not there."""


def _says_something(element):
    """Whether a pair has a value, or a set such a pair or an operation; else nothing refers to it, nor it to others."""
    return element.find("op") is not None or any(
        (one.get("value") is not None and one.get("name") not in AUTOMATIC) or one.get("id-ref") is not None
        for one in element.iter("nvpair")
    )


class _Grammar:
    """The definitions of one grammar: {name: alternatives}, an alternative being a list of patterns."""

    def __init__(self, element, parent=None):
        self.parent = parent
        self.defines = {}
        for child in element:
            if child.tag == f"{_SPACE}include":
                included = _Grammar(_read(child.get("href")))
                included.defines.update(_Grammar(child).defines)
                for name, alternatives in included.defines.items():
                    self.defines.setdefault(name, []).extend(alternatives)
            elif child.tag in (f"{_SPACE}define", f"{_SPACE}start"):
                self.defines.setdefault(child.get("name", "start"), []).append(list(child))


@functools.cache
def _read(href):
    return ET.parse(FOLDER / href).getroot()


@functools.cache
def _external(href):
    return _Grammar(_read(href))


class _Maker:
    """
    Makes what a pattern asks for: attributes as (name, value) and elements. The method of a pattern has its name.
    """

    def __init__(self, rng):
        self.rng = rng
        self.ids = {}  # tag: the ids of its elements that are made
        self.within = []  # the tags of the elements that are being made
        self.used = {}  # depth: the names of pairs that the set made there has

    def document(self, path):
        [root] = self.all(_Grammar(ET.parse(path).getroot()).defines["start"][0], _external(path.name))
        return root

    def all(self, patterns, grammar):
        return [item for pattern in patterns for item in self.make(pattern, grammar)]

    def make(self, pattern, grammar):
        return getattr(self, pattern.tag.removeprefix(_SPACE).lower())(pattern, grammar)

    def tried(self, alternatives, grammar):
        """What the first of the alternatives (lists of patterns) that can be made asks for; None if none can."""
        for patterns in alternatives:
            known = self.known()
            try:
                return self.all(patterns, grammar)
            except _Impossible:
                self.ids = known
        return None

    def known(self):
        return {tag: list(ids) for tag, ids in self.ids.items()}

    def often(self):
        """How often something is repeated: seldom where it is deep already."""
        return self.rng.randrange(max(2, _DEEP - len(self.within)))

    def element(self, pattern, grammar):
        tag = pattern.get("name")
        element = ET.Element(tag)
        known = self.known()
        self.within.append(tag)
        self.used[len(self.within)] = set()
        try:
            items = self.all(pattern, grammar) if tag != "status" else []
        finally:
            self.within.pop()
        for item in items:
            if isinstance(item, tuple):
                element.set(*item)
            else:
                element.append(item)
        if tag == "operations" and element.get("id-ref") is not None:  # what stands in it beside does not count
            element = ET.Element(tag, {"id-ref": element.get("id-ref")})
            self.ids = known
        elif (tag in _SETS or tag == "nvpair") and not _says_something(element):
            element[:] = []
            self.ids = known
        elif element.get("id") is not None:
            self.ids.setdefault(tag, []).append(element.get("id"))
        return [element]

    def attribute(self, pattern, grammar):
        name = pattern.get("name")
        return [(name, self.value_of(name, pattern, grammar))]

    def value_of(self, name, attribute, grammar):
        [inner] = list(attribute) or [ET.Element(f"{_SPACE}text")]
        kind = inner.tag.removeprefix(_SPACE)
        if (self.within[-1], name) in _UNIQUE or inner.get("type") == "ID":
            return f"{self.within[-1]}.{self.rng.randrange(1 << 30):x}"
        if inner.get("type") == "IDREF" or (self.within[-1], name) == ("obj_ref", "id"):
            return self.reference(name)
        if kind in ("value", "choice", "ref"):
            return self.rng.choice(list(self.literals(inner, grammar)))
        pattern = inner.find(f"{_SPACE}param[@name='pattern']")
        if pattern is not None:
            return self.patterned(pattern.text)
        excepted = {one.text for one in inner.iter(f"{_SPACE}value")}
        known = _TEXTS.get(name, _WORDS) if kind == "text" or excepted else _DATA[inner.get("type")]
        used = self.used[len(self.within) - 1] if (self.within[-1], name) == ("nvpair", "name") else set()
        chosen = self.rng.choice([one for one in known if one not in excepted | used])
        used.add(chosen)
        return chosen

    def literals(self, pattern, grammar):
        """The values that a choice of values allows."""
        kind = pattern.tag.removeprefix(_SPACE)
        if kind == "value":
            yield pattern.text
        elif kind == "data":
            yield from _DATA[pattern.get("type")]
        else:
            inner = grammar.defines[pattern.get("name")][0] if kind == "ref" else pattern
            for one in inner:
                yield from self.literals(one, grammar)

    def patterned(self, pattern):
        text = "f1,f-2" if "," in pattern else "80-90"
        assert re.fullmatch(pattern, text), pattern
        return text

    def reference(self, name):
        """The id of something that may be meant here, and is there."""
        tag = self.within[-1]
        wanted = {
            ("primitive", "template"): ("template",),
            ("role", "id"): ("acl_role",),
            ("acl_permission", "reference"): _RESOURCES,
            ("obj_ref", "id"): _RESOURCES,
        }.get((tag, name), (tag,) if name == "id-ref" else (*_RESOURCES, "template"))
        found = [one for tag in wanted for one in self.ids.get(tag, ())]
        if not found:
            raise _Impossible
        return self.rng.choice(found)

    def ref(self, pattern, grammar):
        alternatives = grammar.defines[pattern.get("name")]
        return self.all(self.rng.choice(alternatives), grammar)

    def parentref(self, pattern, grammar):
        return self.ref(pattern, grammar.parent)

    def start(self, grammar):
        possible = [one for one in grammar.defines["start"] if one[0].tag != f"{_SPACE}notAllowed"]
        return self.all(self.rng.choice(possible), grammar)

    def externalref(self, pattern, grammar):
        return self.start(_external(pattern.get("href")))

    def grammar(self, pattern, grammar):
        return self.start(_Grammar(pattern, parent=grammar))

    def group(self, pattern, grammar):
        return self.all(pattern, grammar)

    def interleave(self, pattern, grammar):
        items = self.all(pattern, grammar)
        if len(self.within) > 2:  # what is referred to is made before what refers to it
            self.rng.shuffle(items)
        return items

    def choice(self, pattern, grammar):
        possible = list(pattern)
        if len(self.within) <= _DEEP:
            self.rng.shuffle(possible)
        made = self.tried([[one] for one in possible], grammar)
        if made is None:
            raise _Impossible
        return made

    def optional(self, pattern, grammar):
        return (self.tried([pattern], grammar) or []) if self.rng.randrange(2) else []

    def zeroormore(self, pattern, grammar):
        return [item for _ in range(self.often()) for item in self.tried([pattern], grammar) or ()]


    def oneormore(self, pattern, grammar):
        return self.all(pattern, grammar) + self.zeroormore(pattern, grammar)

    def empty(self, pattern, grammar):
        return []

    text = empty
