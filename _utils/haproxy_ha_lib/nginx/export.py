"""
Files of nginx that were there before, as pillar: rendered again they have the same lines, in files of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from haproxy_ha_lib import values
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.nginx import conf
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib.hidden import MARKER

NOTHING_ADDED = {"page": {"enabled": False}, "site": {"enabled": False}}
"""What keeps the formula's own page and site away."""

_MAIN = re.compile(r"^[ \t]*(?:events|http|stream|mail)\s*\{", re.MULTILINE)


class Unreadable(ValueError):
    """Something cannot stand in pillar."""


def pillar(
    files: Mapping[str, str], links: Mapping[str, str], own: Mapping[str, str], with_secrets: bool = False
) -> Tree:
    """
    Return what pillar has below ``nginx`` for some of its files.

    files
        Their texts, by their paths below nginx's directory.
    links
        What links there lead to, by their paths.
    own
        The words that stand for addresses of this machine: {address: word}.
    with_secrets
        False: a marker stands in place of what is secret.

    Raises :class:`Unreadable`, with the file and the line, for what cannot be carried.
    """
    found: Tree = {**NOTHING_ADDED, "files": {path: _file(path, text, own) for path, text in files.items()}}
    if links:
        found["links"] = {_path(path): target for path, target in links.items()}
    return found if with_secrets else fileset.masked_data(found, MARKER)


def notes(nginx: Tree) -> list[str]:
    """Say what the formula changes with its first run, and what it does not know, of what :func:`pillar` returned."""
    hidden = any(MARKER in line for lines in nginx["files"].values() for line in lines)
    return [
        "The first run changes no line. It writes a comment in the first line of each file, and gives it to root and "
        "root's group (0640).",
        "page and site keep the formula's own away; without them they come.",
        "haproxy_ha.verify and the firewall know the `port` of this machine in app_servers, and no other `listen`.",
        *(["Secrets are hidden, and a run refuses their markers: "
           "`salt-call --local haproxy_ha.export secrets=True` prints them."] if hidden else []),
    ]  # fmt: skip


def place(name: str, text: str) -> str:
    """Where below nginx's directory a file from elsewhere belongs."""
    return "nginx.conf" if _MAIN.search(text) else f"conf.d/{name.removesuffix('.conf')}.conf"


def _file(path: str, text: str, own: Mapping[str, str]) -> list[str]:
    if fileset.MARK in text:
        raise Unreadable(f"{path} is the formula's own: its pillar is there already")
    lines = text.removesuffix("\n").split("\n")
    return [_line(line, f"{_path(path)}, line {number}", own) for number, line in enumerate(lines, 1)]


def _path(path: str) -> str:
    try:
        return schema.file_of_nginx(path)
    except values.Invalid as error:
        raise Unreadable(f"{path}: allowed: {error}") from None


def _line(raw: str, where: str, own: Mapping[str, str]) -> str:
    """A line as pillar has it. nginx takes a carriage return for a blank."""
    line = raw.rstrip("\r")
    if conf.is_comment(line):
        return "".join(" " if values.has_control_characters(char, but="\t") else char for char in line)
    for word in conf.own_words(line):
        raise Unreadable(f"{where}: `listen {word}` would become an address of the machine")
    try:
        return _with_words(values.line_as_it_is(line), own)
    except values.Invalid as error:
        raise Unreadable(f"{where}: allowed: {error}") from None


def _with_words(line: str, own: Mapping[str, str]) -> str:
    for address, word in own.items():
        there = re.escape(values.bracketed(address))
        line = re.sub(rf"((?<![\w$-])listen[ \t]+){there}(?=[:;\s]|$)", rf"\g<1>{word}", line)
    return line
