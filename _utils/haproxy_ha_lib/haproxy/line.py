"""
One line of haproxy.cfg, read as HAProxy reads it (its configuration manual, section 2.2): words are separated by blanks
and tabs; what is quoted or behind a backslash is part of its word; a comment begins at a bare ``#``.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"""(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s\\"'#])+""")
_COMMENT = re.compile(r"#.*")
_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")


def tidy(line: str) -> str:
    """
    The line with one blank between two words, as all that looks at it expects; quoted text and comments are as they
    were. A line that HAProxy could not take apart stays as it is, for HAProxy to say so.
    """
    found: list[str] = []
    place = 0
    while place < len(line):
        if line[place] in " \t":
            place += 1
            continue
        part = _COMMENT.match(line, place) or _WORD.match(line, place)
        if part is None:
            return line
        joined = found and place and line[place - 1] not in " \t"
        found.append(("" if joined or not found else " ") + part[0])
        place = part.end()
    return "".join(found)


def split_comment(line: str) -> tuple[str, str]:
    """The line without what is a comment in it, and that; "" without one."""
    place = end = 0
    while place < len(line):
        word = _WORD.match(line, place)
        if word:
            place = end = word.end()
        elif line[place] in " \t":
            place += 1
        else:
            return (line[:end], line[place:]) if line[place] == "#" else (line, "")
    return line[:end], ""


def keyword(line: str) -> str:
    """The first word as HAProxy understands it: without quotes, its escapes resolved; "" in a line without one."""
    word = _WORD.match(line.lstrip(" \t"))
    text = _HEX.sub(lambda code: chr(int(code[1], 16)), word[0] if word else "")
    return re.sub(r"[\"'\\]", "", text)
