"""
The pieces that a schema of pillar is made of. Each lays what pillar gives over the default, checks it, and reports
what is wrong: mappings merge, lists replace, null means the default. Where something is wrong, the default stands in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

from haproxy_ha_lib import values
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.given import accept, check_keys, refuse
from saltext.pacemaker.types import Path, Report

Check: TypeAlias = Callable[[Any], Any]
"""Returns a value in its normal form, or raises values.Invalid."""


@dataclass(frozen=True)
class Missing(Problem):
    """Something is not there. It needs no word where pillar gave something wrong instead."""


def shown(problem: Problem) -> str:
    """Return what is wrong, by its path in pillar."""
    return f"{':'.join(_step(step) for step in problem.path)}: {problem.text}"


def _step(step: Any) -> str:
    """A key is shown as it is unless it could garble the message, or is a secret in the wrong place."""
    text = str(step)
    plain = type(step) in (int, str) and text.isprintable() and len(text) <= 60 and not words.looks_secret(text)
    return text if plain else words.describe(step)


@dataclass(frozen=True)
class Node(ABC):
    """A piece of the schema; ``doc`` says what it is for."""

    doc: str

    @abstractmethod
    def read(self, given: Any, default: Any, path: Path, report: Report) -> Any:
        """Return ``given``, or else ``default``, in its normal form. What is wrong is reported."""


@dataclass(frozen=True)
class Value(Node):
    """
    One value. ``check`` returns it in its normal form or raises values.Invalid. A secret may be the URL of a store
    instead, which is asked on the minion.
    """

    check: Check
    default: Any = None
    secret: bool = False

    def read(self, given: Any, default: Any, path: Path, report: Report) -> Any:
        fallback = self.default if default is None else default
        if given is None:
            return fallback
        undecrypted = [Problem(place, values.NOT_DECRYPTED) for place in _ciphertexts(given, path)]
        for problem in undecrypted:
            report(problem)
        if undecrypted:
            return fallback
        try:
            return self._checked(given)
        except values.Invalid as error:
            refuse(report, path, given, error, self.secret)
            return fallback

    def _checked(self, given: Any) -> Any:
        return values.store_url(given) if self.secret and values.is_of_store(given) else self.check(given)

    def normal(self, given: Any) -> Any:
        """``given`` in its normal form; as it is where that is wrong."""
        try:
            return self._checked(given)
        except values.Invalid:
            return values.bare(given)


def _ciphertexts(given: Any, path: Path) -> Iterator[Path]:
    """Where a value is, or holds, what the master could not decrypt."""
    if values.is_ciphertext(given):
        yield path
    elif isinstance(given, (dict, list, tuple)):
        for key, inner in given.items() if isinstance(given, dict) else enumerate(given):
            yield from _ciphertexts(inner, (*path, key))


@dataclass(frozen=True)
class Keys(Node):
    """A mapping with known keys."""

    keys: Mapping[str, Node]

    def read(self, given: Any, default: Any, path: Path, report: Report) -> Tree:
        default = default or {}
        if not accept(report, path, given, (dict, type(None)), f"a mapping with {', '.join(self.keys)}"):
            given = None
        given = given or {}
        check_keys(report, path, given, self.keys)
        return {
            key: node.read(given.get(key), default.get(key), (*path, key), report)
            for key, node in self.keys.items()
        }


@dataclass(frozen=True)
class Table(Node):
    """
    A mapping from names of the user's choice to ``item``. Pillar's order is kept; its names precede the default's.

    ``key`` checks a name, and ``label`` stands for it in documents. With ``removable``, null takes a default away.
    ``closed``: the default's names are all there are.
    """

    label: str
    item: Node
    key: Check = values.name
    removable: bool = False
    closed: bool = False
    required: bool = False

    def read(self, given: Any, default: Any, path: Path, report: Report) -> Tree:
        default = default or {}
        if not accept(report, path, given, (dict, type(None)), f"a mapping from {self.label} to its settings"):
            given = None
        elif self.required and not given:
            found = "missing" if given is None else "empty"
            report(Missing(path, f"{found}, required: at least one {self.label}"))
        given = given or {}
        if self.closed:
            check_keys(report, path, given, default)
            given = {key: inner for key, inner in given.items() if key in default}
        kept = {key: inner for key, inner in given.items() if self._keeps(key, inner, default, path, report)}
        rest = {key: None for key in default if key not in given}
        return {
            key: self.item.read(inner, default.get(key), (*path, key), report)
            for key, inner in {**kept, **rest}.items()
        }

    def _keeps(self, key: str, inner: Any, default: Any, path: Path, report: Report) -> bool:
        """Whether pillar's entry stays: its name is right, and it does not take a default away."""
        try:
            if self.key(key) != key:
                raise values.Invalid("a name without blanks around it")
        except values.Invalid as error:
            refuse(report, (*path, key), key, error)
            return False
        if inner is not None or not self.removable:
            return True
        if key not in default:
            text = "null takes a default away, and there is none of this name" + words.did_you_mean(key, default)
            report(Problem((*path, key), text))
        return False


@dataclass(frozen=True)
class Items(Node):
    """A list of ``item``. Pillar's list replaces the default's."""

    item: Value

    def read(self, given: Any, default: Any, path: Path, report: Report) -> list[Any]:
        if not accept(report, path, given, (list, tuple, type(None)), "a list"):
            given = None
        result = []
        for number, inner in enumerate((default or []) if given is None else given):
            problems: list[Problem] = []
            if inner is None:
                refuse(problems.append, (*path, number), inner, self.item.doc)
            item = self.item.read(inner, None, (*path, number), problems.append)
            result += [] if problems else [item]
            for problem in problems:
                report(problem)
        return result


@dataclass(frozen=True)
class Either(Node):
    """``mapping`` for a mapping, ``listing`` for a list, else ``single``."""

    single: Node
    listing: Node | None = None
    mapping: Node | None = None

    def read(self, given: Any, default: Any, path: Path, report: Report) -> Any:
        chosen = self._chosen(default if given is None else given)
        return chosen.read(given, default if chosen is self._chosen(default) else None, path, report)

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
    return node.read(given, default, (root,), problems.append), problems


def walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Yield (path, node) of every key below ``node``, in order, with ``<label>`` for names of the user's choice."""
    yield path, node
    if isinstance(node, Keys):
        for key, child in node.keys.items():
            yield from walk(child, (*path, key))
    elif isinstance(node, Table):
        yield from walk(node.item, (*path, f"<{node.label}>"))


def split(node: Node, tree: Any) -> tuple[Any, Tree]:
    """
    Return (open, secrets) of ``tree``, whether it was read or is pillar's: it without the keys that ``node`` marks
    secret, and these alone at their places, in their normal form; None stands for one that is not given.
    """
    return _open(node, tree), _secrets(node, tree)


def _open(node: Node | None, tree: Any) -> Any:
    below = _below(node, tree)
    if not isinstance(tree, dict) or not below:
        return tree
    return {key: _open(below.get(key), inner) for key, inner in tree.items() if not _is_secret(below.get(key))}


def _secrets(node: Node, tree: Any) -> Tree:
    given = tree if isinstance(tree, dict) else {}
    found = {
        key: child.normal(given.get(key)) if _is_secret(child) else _secrets(child, given.get(key))
        for key, child in _below(node, tree).items()
    }
    return {key: inner for key, inner in found.items() if inner != {}}


def of_stores(node: Node, secrets: Any, path: Path = ()) -> Iterator[tuple[Path, str, Value]]:
    """Yield (path, URL, node) of every secret that is in a store; ``secrets``: those of :func:`split`."""
    for key, child in _below(node, secrets).items():
        given = secrets.get(key) if isinstance(secrets, dict) else None
        if not _is_secret(child):
            yield from of_stores(child, given, (*path, key))
        elif values.is_of_store(given):
            yield (*path, key), str(given), child


def _below(node: Node | None, tree: Any) -> Mapping[str, Node]:
    """The nodes of the keys below a node; of a table, of the names in ``tree``."""
    if isinstance(node, Table):
        return dict.fromkeys(tree, node.item) if isinstance(tree, dict) else {}
    return node.keys if isinstance(node, Keys) else {}


def _is_secret(node: Node | None) -> TypeGuard[Value]:
    return isinstance(node, Value) and node.secret
