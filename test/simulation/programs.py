"""The agents' own code, imported with clock, sockets, files and commands handed in.

A machine has modules of its own. What they import is looked up here, wherever in a function that is: the standard
library's modules that touch the world are replaced by what a machine has of them, the agents and what they share are
read from the tree, and the rest is Python's own.
"""

from __future__ import annotations

import builtins
import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

from support import REPOSITORY

AGENTS = REPOSITORY / "haproxy_ha" / "files" / "agents"
SHARED = REPOSITORY / "_utils"
Edits = Mapping[str, tuple[tuple[str, str], ...]]
"""What is changed in a file before it is read, by its name: a fix that is taken out again."""


@functools.cache
def code(path: str, edits: tuple[tuple[str, str], ...] = ()) -> Any:
    """A file of the tree, compiled."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in edits:
        if old not in text:
            raise LookupError(f"{path} does not hold {old!r}")
        text = text.replace(old, new)
    return compile(text, path, "exec")


class Programs:
    """The modules of one machine.

    Args:
        handed_in (dict): Module name -> what stands for it.
        functions (dict): What stands for functions that Python has built in, as `open`.
        edits (dict): File name -> changes of its text.
    """

    def __init__(self, handed_in: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], edits: Edits) -> None:
        self._handed_in, self._edits = handed_in, edits
        self._modules: dict[str, Any] = {}
        self._builtins = {**vars(builtins), **functions, "__import__": self._import}

    def program(self, name: str) -> Any:
        """An agent, or a module of the agents."""
        return self._load(name, str(AGENTS / (name if (AGENTS / name).exists() else f"{name}.py")))

    def _import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name in self._handed_in:
            first = name.partition(".")[0]
            return self._handed_in[name if fromlist else first]
        if name.split(".")[0] in ("haproxy_ha_lib", "haproxy_ha_host"):
            return self._import_shared(name, fromlist)
        if (AGENTS / f"{name}.py").exists():
            return self._load(name, str(AGENTS / f"{name}.py"))
        return importlib.__import__(name, globals, locals, fromlist, level)

    def _import_shared(self, name: str, fromlist: Any) -> Any:
        place = SHARED / name.replace(".", "/")
        if place.is_dir():
            return SimpleNamespace(**{word: self._import_shared(f"{name}.{word}", ()) for word in fromlist})
        return self._load(name, f"{place}.py")

    def _load(self, name: str, path: str) -> Any:
        if name not in self._modules:
            module = ModuleType(name)
            module.__dict__.update(__file__=path, __builtins__=self._builtins)
            self._modules[name] = module
            exec(code(path, self._edits.get(path.rpartition("/")[2], ())), module.__dict__)
        return self._modules[name]
