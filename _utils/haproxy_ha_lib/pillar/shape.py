"""
The pieces that a schema of pillar is made of. Each lays what pillar gives over the default, checks it, and collects
what is wrong: mappings merge, lists replace, null means the default. Where something is wrong, the default stands in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from haproxy_ha_lib import values
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words

Check: TypeAlias = Callable[[Any], Any]
"""Returns a value in its normal form, or raises values.Invalid."""
Path: TypeAlias = tuple[Any, ...]
"""The keys that lead to a place in pillar."""


@dataclass(frozen=True)
class Problem:
    """What is wrong at a path of pillar, a tuple of keys."""

    path: Path
    text: str

    def __str__(self) -> str:
        return f"{':'.join(_step(step) for step in self.path)}: {self.text}"


@dataclass(frozen=True)
class Missing(Problem):
    """Something is not there. It needs no word where pillar gave something wrong instead."""


def _step(step: object) -> str:
    """A key is shown as it is unless it could garble the message, or is a secret in the wrong place."""
    plain = isinstance(step, str) and step.isprintable() and len(step) <= 60 and not words.looks_secret(step)
    return str(step) if plain else words.describe(step)


def _refuse(problems: list[Problem], path: Path, found: object, allowed: object, secret: bool = False) -> None:
    problems.append(Problem(path, f"found {words.describe(found, secret)}, allowed: {allowed}"))


@dataclass(frozen=True)
class Node(ABC):
    """A piece of the schema; ``doc`` says what it is for."""

    doc: str

    @abstractmethod
    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> Any:
        """Return ``given``, or else ``default``, in its normal form. Problems are added."""


@dataclass(frozen=True)
class Value(Node):
    """One value. ``check`` returns it in its normal form or raises values.Invalid."""

    check: Check
    default: Any = None
    secret: bool = False

    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> Any:
        fallback = self.default if default is None else default
        if given is None:
            return fallback
        try:
            return self.check(given)
        except values.Invalid as error:
            _refuse(problems, path, given, error, self.secret)
            return fallback


@dataclass(frozen=True)
class Keys(Node):
    """A mapping with known keys."""

    keys: Mapping[str, Node]

    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> Tree:
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
class Table(Node):
    """
    A mapping from names of the user's choice to ``item``. Pillar's order is kept; its names precede the default's.

    ``key`` checks a name, and ``label`` stands for it in documents. With ``removable``, null takes a default away.
    """

    label: str
    item: Node
    key: Check = values.name
    removable: bool = False
    required: bool = False

    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> Tree:
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

    def _keeps(self, key: str, inner: Any, default: Any, path: Path, problems: list[Problem]) -> bool:
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
class Items(Node):
    """A list of ``item``. Pillar's list replaces the default's."""

    item: Value

    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> list[Any]:
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
class Either(Node):
    """``mapping`` for a mapping, ``listing`` for a list, else ``single``."""

    single: Node
    listing: Node | None = None
    mapping: Node | None = None

    def read(self, given: Any, default: Any, path: Path, problems: list[Problem]) -> Any:
        chosen = self._chosen(default if given is None else given)
        return chosen.read(given, default if chosen is self._chosen(default) else None, path, problems)

    def _chosen(self, value: Any) -> Node:
        if isinstance(value, dict) and self.mapping:
            return self.mapping
        if isinstance(value, (list, tuple)) and self.listing:
            return self.listing
        return self.single


def read(node: Node, given: Any, default: Any, root: str) -> tuple[Any, list[Problem]]:
    """
    Return (value, problems): ``given`` laid over ``default`` and checked by ``node``; ``root`` begins every path.
    """
    problems: list[Problem] = []
    return node.read(given, default, (root,), problems), problems


def walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield (path, node) of every key below ``node``, in order, with ``<label>`` for names of the user's choice."""
    yield path, node
    if isinstance(node, Keys):
        for key, child in node.keys.items():
            yield from walk(child, (*path, key))
    elif isinstance(node, Table):
        yield from walk(node.item, (*path, f"<{node.label}>"))
