"""The agents' own code, imported with clock, sockets, files and commands handed in.

A machine has modules of its own. What they import is looked up here, wherever in a function that is: the standard
library's modules that touch the world are replaced by what a machine has of them, the agents and what they share are
read from the tree, and the rest is Python's own.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

from haproxy_ha_lib import agents
from support import REPOSITORY, agent_history

AGENTS = REPOSITORY / agents.FOLDER
Texts = Mapping[str, str]
"""A set of agents: the text of each file by its name, as they are installed."""
Edits = Mapping[str, tuple[tuple[str, str], ...]]
"""What is changed in a file before it is read, by its name: a fix that is taken out again."""


@functools.cache
def today() -> Texts:
    """The agents of this tree."""
    own = {path.name: path for path in AGENTS.iterdir() if path.is_file()}
    shared = {agents.shared_name(path): REPOSITORY / path for path in agents.SHARED}
    return {name: path.read_text(encoding="utf-8") for name, path in (own | shared).items()}


@functools.cache
def former() -> Texts:
    """The agents before they were changed last; today's in a checkout without its history."""
    python = [name for name in today() if not name.endswith(".sh")]
    others = (one for one in reversed(agent_history.sets()) if any(one.get(name) != today()[name] for name in python))
    return next(others, today())


@functools.cache
def code(name: str, text: str, edits: tuple[tuple[str, str], ...] = ()) -> Any:
    """A file of a set, compiled."""
    for old, new in edits:
        if old not in text:
            raise LookupError(f"{name} does not hold {old!r}")
        text = text.replace(old, new)
    return compile(marked(name, ast.parse(text, name)), name, "exec")


REACHED: set[tuple[str, int]] = set()
"""File and line of each statement that has been reached."""


def marked(name: str, tree: ast.Module) -> ast.Module:
    """Before each statement of a function one that tells that it is reached; what it does stays as it is."""
    for parent in [node for node in ast.walk(tree) if not isinstance(node, (ast.Module, ast.ClassDef))]:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list):
                setattr(parent, field, [one for statement in block for one in (mark(name, statement), statement)])
    return ast.fix_missing_locations(tree)


def mark(name: str, statement: ast.stmt) -> ast.stmt:
    [found] = ast.parse(f"__reached__.add(({name!r}, {statement.lineno}))").body
    return ast.increment_lineno(found, statement.lineno - 1)


class Programs:
    """The modules of one machine.

    Args:
        handed_in (dict): Module name -> what stands for it.
        functions (dict): What stands for functions that Python has built in, as `open`.
        edits (dict): File name -> changes of its text.
        texts (dict): The agents.
    """

    def __init__(
        self, handed_in: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], edits: Edits, texts: Texts
    ) -> None:
        self._handed_in, self._edits, self._texts = handed_in, edits, texts
        self._modules: dict[str, Any] = {}
        self._builtins = {**vars(builtins), **functions, "__import__": self._import, "__reached__": REACHED}

    def program(self, name: str) -> Any:
        """An agent, or a module of the agents."""
        return self._load(name, name if name in self._texts else f"{name}.py")

    def has(self, name: str) -> bool:
        return f"{name}.py" in self._texts

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name in self._handed_in:
            first = name.partition(".")[0]
            return self._handed_in[name if fromlist else first]
        if name.split(".")[0] in ("haproxy_ha_lib", "haproxy_ha_host"):
            return self._import_shared(name, fromlist)
        if self.has(name):
            return self._load(name, f"{name}.py")
        return importlib.__import__(name, globals, locals, fromlist, level)

    def _import_shared(self, name: str, fromlist: Any) -> Any:
        path = name.replace(".", "/")
        if f"{path}/__init__.py" in self._texts:
            return SimpleNamespace(**{word: self._import_shared(f"{name}.{word}", ()) for word in fromlist})
        return self._load(name, f"{path}.py")

    def _load(self, name: str, path: str) -> Any:
        if name not in self._modules:
            module = ModuleType(name)
            module.__dict__.update(__file__=f"/agents/{path}", __builtins__=self._builtins)
            self._modules[name] = module
            edits = self._edits.get(path.rpartition("/")[2], ())
            exec(code(path, self._texts[path], edits), module.__dict__)
        return self._modules[name]
