"""The command line of HAProxy, as its service has it."""

from __future__ import annotations

import contextlib
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence


def variables(text: str) -> dict[str, str]:
    """The variables of an EnvironmentFile, or of Environment as ``systemctl show`` prints it (systemd.exec(5))."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError):  # a quote that is not closed: systemd skips the line too
            words = [word.partition("=") for word in shlex.split(line, comments=True)]
            found |= {name: value for name, sign, value in words if sign}
    return found


def words_of(shown: str, known: Mapping[str, str]) -> list[str]:
    """
    The words (list of str) with which a service starts its program: ``$NAME`` stands for none or several, ``${NAME}``
    for a part of one (systemd.service(5)).

    shown
        Its ExecStart (str), as ``systemctl show`` prints it.
    known
        Its variables.
    """
    found = re.search(r"argv\[\]=(.*?) ; ignore_errors=", shown)
    words = []
    for word in found[1].split() if found else []:
        if re.fullmatch(r"\$\w+", word):
            words += known.get(word[1:], "").split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda name: known.get(str(name[1]), ""), word))
    return words


def read(words: Sequence[str], directory: str) -> list[str]:
    """
    The files and directories (list of str) that HAProxy reads its configuration from (haproxy(1)).

    words
        Its command line.
    directory
        Where it is started (str), of which ``-C`` may name another.
    """
    named = _values(words, "-f")
    rest = words[words.index("--") + 1 :] if "--" in words else []
    return [posixpath.join(directory, *_values(words, "-C"), path) for path in [*named, *rest]]


def _values(words: Sequence[str], option: str) -> list[str]:
    return [value for word, value in zip(words, words[1:], strict=False) if word == option]


def takes(path: str, file: str) -> bool:
    """Whether HAProxy reads a file if it is given a path; of a directory it takes what ends with .cfg."""
    directory, name = posixpath.split(file)
    return path == file or (path == directory and name.endswith(".cfg") and not name.startswith("."))
