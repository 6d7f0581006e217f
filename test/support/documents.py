"""
What README and docs/ show, taken from the documents: examples in YAML, commands, and names in running text.

A document's examples are found by its text alone, so that nobody can add one that no test knows of.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from support import REPOSITORY

DOCUMENTS = [
    *(REPOSITORY / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
REFERENCE = sorted((REPOSITORY / "docs" / "reference").glob("*.md"))
"""The pages from docstrings, whose commands and names of functions are read, too."""
EVERY_PAGE = [*DOCUMENTS, *REFERENCE]
WITH_COMMANDS = [*EVERY_PAGE, *sorted((REPOSITORY / "extension").glob("*/README.md"))]
GENERATED = ("docs/pillar.md", "docs/failover.md", "docs/failure-detection.md")
"""Pages that a program writes from what is tested or measured elsewhere: they show commands, and no examples."""

_FENCE = re.compile(r"( *)```(\w*)")
_HEADING = re.compile(r"#+ (.+)")
_SPAN = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(r"^[A-Z_]+=\S* ")
_PREFIXES = ("sudo", "exec")
_PROGRAMS = (
    "salt", "salt-call", "salt-run", "salt-key", "salt-ssh", "make", "python3", "git", "curl", "openssl", "gpg",
    "base64", "crm", "crm_mon", "crm_resource", "crm_node", "crm_simulate", "stonith_admin", "cibadmin", "haproxy",
    "nginx", "ip", "systemctl", "systemd-analyze", "journalctl", "sysctl", "apt", "apt-get", "dpkg", "needrestart",
    "certbot", "acme.sh",
)  # fmt: skip


class Example(NamedTuple):
    """A block of YAML: where it stands (its heading, and the how many-th below it), and what it says."""

    document: str
    heading: str
    number: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.document}, {self.heading}" + (f", {self.number}" if self.number > 1 else "")


class Command(NamedTuple):
    """A command as somebody would type it: where it stands, its line, and its words without what a shell takes away."""

    document: str
    heading: str
    line: str
    words: tuple[str, ...]

    @property
    def typed(self) -> str:
        """What is typed: the line without the comment at its end."""
        return re.sub(r"\s+# .*", "", self.line).strip()


class Section(NamedTuple):
    """What stands below one heading of a document, with its commands."""

    document: str
    heading: str
    commands: tuple[Command, ...]

    @property
    def place(self) -> str:
        return f"{self.document}, {self.heading}"


class Line(NamedTuple):
    """A line of a document: below which heading, in which kind of block ("yaml", "code" or "text")."""

    document: str
    heading: str
    block: str
    first: bool
    text: str


def lines(paths: Iterable[Path] = DOCUMENTS) -> Iterator[Line]:
    """Every line of these documents but the fences."""
    for path in paths:
        yield from _lines(str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8").splitlines())


def _lines(document: str, texts: list[str]) -> Iterator[Line]:
    heading, fence, before = "", None, Line(document, "", "text", False, "")
    for text in texts:
        mark = _FENCE.match(text)
        if mark:
            assert fence is None or not mark[2], f"{document}: a fence in a fence: {text}"
            fence = None if fence is not None else (len(mark[1]), mark[2] or "code")
            before = before._replace(text="", block="text")
            continue
        if fence is None and (found := _HEADING.match(text)):
            heading = found[1]
        kind, text = _kind(text, fence, before)
        before = Line(document, heading, kind, kind != "text" and before.block != kind, text)
        yield before


def _kind(text: str, fence: tuple[int, str] | None, before: Line) -> tuple[str, str]:
    """The kind of block that a line belongs to, and its text without the block's own indentation."""
    if fence is not None:
        return fence[1], text[fence[0]:]
    indented = text.startswith("    ") and (before.block == "code" or not before.text.strip())
    return ("code", text.strip()) if indented else ("text", text)


def examples() -> list[Example]:
    """Every block of YAML, in the documents' order."""
    found: list[Example] = []
    for line in lines():
        if line.block not in ("yaml", "code", "text"):
            raise AssertionError(f"{line.document}: a block in {line.block}, which no test reads")
        if line.block != "yaml":
            continue
        if line.first:
            same = [one for one in found if (one.document, one.heading) == (line.document, line.heading)]
            found.append(Example(line.document, line.heading, len(same) + 1, ""))
        found[-1] = found[-1]._replace(text=found[-1].text + line.text + "\n")
    return found


def commands() -> list[Command]:
    """Every command, in the documents' order: each line of a block of code, and what in running text begins with a
    program's name."""
    return [
        Command(one.document, one.heading, one.text, _words(one.text))
        for one in _pieces(WITH_COMMANDS)
        if (_is_command(one.text) if one.block == "text" else one.text.strip() and not one.text.startswith("#"))
    ]


def sections() -> list[Section]:
    """Every section that has commands, in the documents' order."""
    parts = itertools.groupby(commands(), lambda one: (one.document, one.heading))
    return [Section(document, heading, tuple(part)) for (document, heading), part in parts]


def names(paths: Iterable[Path] = DOCUMENTS) -> list[tuple[str, str]]:
    """(document, text) of what stands as code in running text, and is no command."""
    return [(one.document, one.text) for one in _pieces(paths) if one.block == "text" and not _is_command(one.text)]


def _pieces(paths: Iterable[Path]) -> Iterator[Line]:
    """Each line of a block of code, and what stands as code in running text, also where a line breaks within."""
    for (block, running), part in itertools.groupby(lines(paths), lambda one: (one.block, bool(one.text.strip()))):
        if block in ("code", "bash"):
            yield from part
        elif block == "text" and running:
            paragraph = list(part)
            text = " ".join(line.text.strip() for line in paragraph)
            yield from (paragraph[0]._replace(text=span) for span in _SPAN.findall(text))


def _is_command(text: str) -> bool:
    """Whether text in running text is a command: a program's name, or a file to run, and words after it."""
    first, _, rest = _VARIABLE.sub("", text).partition(" ")
    return first.startswith("./") or (first in _PROGRAMS and bool(rest))


def _words(text: str) -> tuple[str, ...]:
    words = shlex.split(text, comments=True)
    while words and (words[0] in _PREFIXES or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
        words.pop(0)
    return tuple(words)
