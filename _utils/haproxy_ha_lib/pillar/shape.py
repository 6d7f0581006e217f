"""
The pieces that a schema of pillar is made of. Each lays what pillar gives over the default, checks it, and collects
what is wrong: mappings merge, lists replace, null means the default. Where something is wrong, the default stands in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_ha_lib import values
from saltext.pacemaker import words


@dataclass(frozen=True)
class Problem:
    """What is wrong at a path of pillar, a tuple of keys."""

    path: tuple
    text: str

    def __str__(self):
        return f"{':'.join(_step(step) for step in self.path)}: {self.text}"


@dataclass(frozen=True)
class Missing(Problem):
    """Something is not there. It needs no word where pillar gave something wrong instead."""


def _step(step):
    """A key is shown as it is unless it could garble the message, or is a secret in the wrong place."""
    plain = isinstance(step, str) and step.isprintable() and len(step) <= 60 and not words.looks_secret(step)
    return step if plain else words.describe(step)


def _refuse(problems, path, found, allowed, secret=False):
    problems.append(Problem(path, f"found {words.describe(found, secret)}, allowed: {allowed}"))


@dataclass(frozen=True)
class Value:
    """One value. ``check`` returns it in its normal form or raises values.Invalid."""

    doc: str
    check: Callable[[Any], Any]
    default: Any = None
    secret: bool = False

    def read(self, given, default, path, problems):
        fallback = self.default if default is None else default
        if given is None:
            return fallback
        try:
            return self.check(given)
        except values.Invalid as error:
            _refuse(problems, path, given, error, self.secret)
            return fallback


@dataclass(frozen=True)
class Keys:
    """A mapping with known keys."""

    doc: str
    keys: Mapping[str, Any]

    def read(self, given, default, path, problems):
        default = default or {}
        allowed = ", ".join(self.keys)
        if not isinstance(given, (dict, type(None))):
            _refuse(problems, path, given, f"a mapping with {allowed}")
            given = None
        given = given or {}
        for key in given:
            if key not in self.keys:
                hint = words.did_you_mean(key, self.keys) or f", allowed: {allowed}"
                problems.append(Problem((*path, key), f"unknown key{hint}"))
        return {
            key: node.read(given.get(key), default.get(key), (*path, key), problems)
            for key, node in self.keys.items()
        }


@dataclass(frozen=True)
class Table:
    """
    A mapping from names of the user's choice to ``item``. Pillar's order is kept; its names precede the default's.

    ``key`` checks a name, and ``label`` stands for it in documents. With ``removable``, null takes a default away.
    """

    doc: str
    label: str
    item: Any
    key: Callable[[Any], Any] = values.name
    removable: bool = False
    required: bool = False

    def read(self, given, default, path, problems):
        default = default or {}
        if not isinstance(given, (dict, type(None))):
            _refuse(problems, path, given, f"a mapping from {self.label} to its settings")
            given = None
        elif self.required and not given:
            found = "missing" if given is None else "empty"
            problems.append(Missing(path, f"{found}, required: at least one {self.label}"))
        given = given or {}
        kept = {key: inner for key, inner in given.items() if self._keeps(key, inner, default, path, problems)}
        rest = {key: None for key in default if key not in given}
        return {
            key: self.item.read(inner, default.get(key), (*path, key), problems)
            for key, inner in {**kept, **rest}.items()
        }

    def _keeps(self, key, inner, default, path, problems):
        """Whether pillar's entry stays: its name is right, and it does not take a default away."""
        try:
            if self.key(key) != key:
                raise values.Invalid("a name without blanks around it")
        except values.Invalid as error:
            _refuse(problems, (*path, key), key, error)
            return False
        if inner is not None or not self.removable:
            return True
        if key not in default:
            text = "null takes a default away, and there is none of this name" + words.did_you_mean(key, default)
            problems.append(Problem((*path, key), text))
        return False


@dataclass(frozen=True)
class Items:
    """A list of ``item``. Pillar's list replaces the default's."""

    doc: str
    item: Value

    def read(self, given, default, path, problems):
        if not isinstance(given, (list, tuple, type(None))):
            _refuse(problems, path, given, "a list")
            given = None
        result = []
        for number, inner in enumerate((default or []) if given is None else given):
            before = len(problems)
            if inner is None:
                _refuse(problems, (*path, str(number)), inner, self.item.doc)
            item = self.item.read(inner, None, (*path, str(number)), problems)
            if len(problems) == before:
                result.append(item)
        return result


@dataclass(frozen=True)
class Either:
    """``mapping`` for a mapping, ``listing`` for a list, else ``single``."""

    doc: str
    single: Any
    listing: Any = None
    mapping: Any = None

    def read(self, given, default, path, problems):
        chosen = self._chosen(default if given is None else given)
        return chosen.read(given, default if chosen is self._chosen(default) else None, path, problems)

    def _chosen(self, value):
        if isinstance(value, dict) and self.mapping:
            return self.mapping
        if isinstance(value, (list, tuple)) and self.listing:
            return self.listing
        return self.single


def read(node, given, default, root):
    """
    Return (value, problems): ``given`` laid over ``default`` and checked by ``node``; ``root`` begins every path.
    """
    problems = []
    return node.read(given, default, (root,), problems), problems


def walk(node, path):
    """Yield (path, node) of every key below ``node``, in order, with ``<label>`` for names of the user's choice."""
    yield path, node
    if isinstance(node, Keys):
        for key, child in node.keys.items():
            yield from walk(child, (*path, key))
    elif isinstance(node, Table):
        yield from walk(node.item, (*path, f"<{node.label}>"))
