"""
What people can call, from the docstrings: a page of docs/reference/ for each execution module, runner and state
module, of all files that have its name.

    python3 tools/api_reference.py      # writes them; a test compares them. No Salt is needed.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from unittest import mock

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "_utils")]

PAGES = REPOSITORY / "docs" / "reference"
KINDS = {
    "_modules": ("execution module", ""), "_runners": ("runner", "runner-"), "_states": ("state module", "states-"),
}  # fmt: skip
SOURCES = [path for folder in KINDS for path in sorted((REPOSITORY / folder).glob("*.py"))]
# What a module imports beside the standard library and the formula's own packages; nothing of it is documented.
_FOREIGN = ("jinja2", "requests", "salt", "salt.client", "salt.exceptions", "salt.loader", "salt.pillar", "salt.state",
            "salt.utils", "salt.utils.yaml")  # fmt: skip
_NOT_CALLED = ("mod_watch", "mod_aggregate")
"""What Salt calls in a state module by itself."""

_NAME = r"[\w-]+(?: \(or [^)]+\))?"
_PARAMETER = re.compile(rf"({_NAME}(?:, {_NAME})*)(?: : (.+))?")
_BLOCK = re.compile(r"\.\. code-block:: (\w+)")


def pages() -> dict[Path, str]:
    """The text of every page, by its path."""
    texts: dict[Path, str] = {}
    for path in SOURCES:
        module, (kind, prefix) = _loaded(path), KINDS[path.parent.name]
        page = PAGES / f"{prefix}{module.__virtualname__}.md"
        title = f"# `{module.__virtualname__}`, {kind}"
        head = f"{title}\n\nWritten by `make docs` from its docstrings.\n"
        texts[page] = texts.get(page, head) + _section(module)
    return texts


def _section(module: ModuleType) -> str:
    """What a file says of itself and of each function."""
    parts = ["\n", markdown(inspect.getdoc(module))]
    for name, function in functions(module).items():
        call = _call(f"{module.__virtualname__}.{name}", function)
        parts.append(f"\n## {name}\n\n{call}{markdown(inspect.getdoc(function))}")
    return "".join(parts)


def _loaded(path: Path) -> ModuleType:
    """The module, with stand-ins for all that is Salt's."""
    spec = importlib.util.spec_from_file_location(f"reference_of_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in _FOREIGN}):
        spec.loader.exec_module(module)
    return module


def functions(module: ModuleType) -> dict[str, Callable]:
    """The functions that people call, in the order of the file."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__
        and not name.startswith("_") and name not in _NOT_CALLED
    }


def _call(name: str, function: Callable) -> str:
    """How it is called, as a block of code."""
    text = f"{name}{inspect.signature(function, follow_wrapped=True)}"
    return f"```python\n{text}\n```\n\n"


def markdown(docstring: str) -> str:
    """A docstring of the form that Salt's modules have, as Markdown."""
    return "\n".join(_lines(docstring.splitlines())) + "\n"


def _lines(lines: list[str]) -> Iterator[str]:
    """Blocks of code are fenced, and a parameter with its explanation is an entry of a list."""
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        block, parameter = _BLOCK.fullmatch(line), _PARAMETER.fullmatch(line)
        if block:
            yield from (f"```{block[1]}", *_indented(rest), "```")
        elif parameter and rest and rest[0].startswith("    "):
            yield f"- **{parameter[1]}**" + (f" (default {_inline(parameter[2])})" if parameter[2] else "")
            yield from (f"  {text}".rstrip() for text in _lines(_indented(rest)))
        else:
            yield _inline(line)


def _indented(rest: list[str]) -> list[str]:
    """Take the indented lines that come next, without their indentation and the empty lines around."""
    taken = []
    while rest and (not rest[0] or rest[0].startswith("    ")):
        taken.append(rest.pop(0))
    ended = len(taken)
    while ended and not taken[ended - 1]:
        ended -= 1
    rest[:0] = taken[ended:]
    return textwrap.dedent("\n".join(taken[:ended])).strip("\n").splitlines()


def _inline(text: str) -> str:
    """Roles and literals of reStructuredText as Markdown's."""
    text = re.sub(r":\w+:`([^`<]+?)(?: <[^>]*>)?`", r"`\1`", text)
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
