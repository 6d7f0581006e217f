"""
A haproxy.cfg that was there before, as pillar: rendered again it has the same sections and lines in the same order.

What fits a key of pillar gets it; a header that none fits is in ``sections`` as it stands, with a label behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from haproxy_ha_lib import values
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.haproxy import line as haproxy_line
from haproxy_ha_lib.haproxy.sections import LINES, PROXIES, RAW, WORDS
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.settings.types import Machine
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib.hidden import MARKER

NOTHING_ADDED = {"keep_server_states": False, "maxconn": 0, "tls": {"bind": "none"}}
"""What keeps the formula from adding lines to `global` and `defaults`."""

BUILT_IN: Tree = {"frontends": {"http": None}, "backends": {"app_pool": None}}
"""The proxies of defaults.yaml, which no file server needs to tell."""

_NATURAL = ("global", "userlists", "peers", "resolvers", "caches", "sections", "defaults", *PROXIES.values())
"""Keys in the order of the formula's haproxy.cfg."""


class Unreadable(ValueError):
    """Something cannot stand in pillar, or HAProxy would not read it."""


class Section(NamedTuple):
    """A section: its header without a comment, empty before the first one; and its lines."""

    header: str
    lines: list[str]


def pillar(text: str, built_in: Tree, own: Mapping[str, str], with_secrets: bool = False) -> Tree:
    """
    Return what pillar has below ``haproxy`` for a haproxy.cfg.

    text
        Its text.
    built_in
        defaults.yaml below ``haproxy``: its proxies are taken away.
    own
        The words that stand for addresses of this machine: {address: word}.
    with_secrets
        False: a marker stands in place of what is secret.

    Raises :class:`Unreadable`, with the line, for what cannot be carried.
    """
    if fileset.MARK in text:
        raise Unreadable("it is the formula's own: its pillar is there already")
    found = _Export(sections(text), built_in, own).tree()
    return found if with_secrets else fileset.masked_data(found, MARKER)


def notes(haproxy: Tree) -> list[str]:
    """Say what the formula changes with its first run, and what it does not know, of what :func:`pillar` returned."""
    raw = [name for table in ("listens", "frontends") for name, proxy in haproxy.get(table, {}).items()
           if proxy and any(_word(line) == "bind" for line in proxy["options"])]  # fmt: skip
    raw += [title for title in haproxy.get("sections", {}) if title.split()[0] in ("listen", "frontend")]
    hidden = any(MARKER in line for line in _texts(haproxy))
    return [
        "The first run changes no line of a section. It writes a comment in the first line and one in `global`, "
        "indents with four blanks, leaves blank lines out, and gives the file to root and HAProxy's group (0640).",
        "keep_server_states, maxconn, tls and as_is keep the formula's defaults away; without them they come.",
        *([f"Neither verify nor the firewall knows where these listen: {', '.join(raw)}"] if raw else []),
        *(["Secrets are hidden, and a run refuses their markers: "
           "`salt-call --local haproxy_ha.export secrets=True` prints them."] if hidden else []),
    ]


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _texts(one)


def sections(text: str) -> list[Section]:
    """The sections of a haproxy.cfg. A comment right before a header belongs to that section."""
    found = [Section("", [])]
    comments: list[str] = []
    *lines, rest = text.split("\n")
    if rest:
        raise Unreadable(f"line {len(lines) + 1}: no line feed at its end, so HAProxy refuses it")
    for number, raw in enumerate(lines, 1):
        line = _clean(raw, number)
        if haproxy_line.keyword(line) in WORDS:
            header, comment = haproxy_line.split_comment(line)
            found.append(Section(header, [*comments, *([comment] if comment else [])]))
            comments = []
        elif line.startswith("#"):
            comments.append(line)
        else:
            found[-1].lines.extend([*comments, *([line] if line else [])])
            comments = []
    found[-1].lines.extend(comments)
    return _without_beginning(found)


def _without_beginning(found: list[Section]) -> list[Section]:
    """Comments before the first section are its own; other lines there, such as ``.if``, are a section of their own."""
    beginning, *further = found
    if further and all(line.startswith("#") for line in beginning.lines):
        return [Section(further[0].header, [*beginning.lines, *further[0].lines]), *further[1:]]
    return found if beginning.lines else further


def _clean(raw: str, number: int) -> str:
    """A line as pillar has it; HAProxy takes form feeds for blanks, and ends a line at a carriage return."""
    line = raw.rstrip("\r")
    if not re.search(r"[\"'\\]", line):
        line = re.sub("[\v\f]", " ", line)
    if line.lstrip(" \t").startswith("#"):
        line = "".join(" " if values.has_control_characters(char) else char for char in line)
    if not line.strip(" \t"):
        return ""
    try:
        return schema.raw_words(line)
    except values.Invalid as error:
        raise Unreadable(f"line {number}: allowed: {error}") from None


class _Export:
    """The sections on their way to pillar."""

    def __init__(self, found: list[Section], built_in: Tree, own: Mapping[str, str]) -> None:
        self.sections, self.built_in, self.own = found, built_in, own
        self.haproxy: Tree = {
            **NOTHING_ADDED, "global": [], "userlists": {}, "peers": {}, "resolvers": {}, "caches": {}, "sections": {},
            "order": [], "defaults": [], "listens": {}, "frontends": {}, "backends": {},
        }  # fmt: skip
        self.titles: list[str] = []
        self.tables: list[str] = []

    def tree(self) -> Tree:
        for section in self.sections:
            self._take(section)
        haproxy = self.haproxy
        for frontend in haproxy["frontends"].values():
            backend = frontend.get("default_backend")
            if backend and backend not in haproxy["backends"]:
                frontend.update(default_backend=False, options=[*frontend["options"], f"default_backend {backend}"])
        for table in ("frontends", "backends"):
            haproxy[table].update(dict.fromkeys(self.built_in[table].keys() - haproxy[table].keys()))
        if "global" not in self.titles:  # where the formula's comment stands
            place = int("".join(self.titles[:1]).startswith("#"))
            self.titles.insert(place, "global")
            self.tables.insert(place, "global")
        ranks = [_NATURAL.index(table) for table in self.tables]
        if ranks != sorted(ranks) or "defaults" not in self.tables:
            haproxy["order"] = self.titles
        return {key: value for key, value in haproxy.items() if value or key in ("global", "defaults", *NOTHING_ADDED)}

    def _take(self, section: Section) -> None:
        kind, *words = section.header.split(" ")
        name = words[0] if words else ""
        taken = self._one_of_its_kind(section, kind) if not words else self._named(section, kind, name, words[1:])
        if taken:
            self.titles.append(f"{kind} {name}".rstrip())
            self.tables.append(taken)
        else:
            self._as_it_stands(section)

    def _one_of_its_kind(self, section: Section, kind: str) -> str:
        """`global` or `defaults`: the first one."""
        if kind not in ("global", "defaults") or kind in self.titles or not section.lines:
            return ""
        self.haproxy[kind] = section.lines
        return kind

    def _named(self, section: Section, kind: str, name: str, more: list[str]) -> str:
        """Returns the table that has the section now; empty if none can."""
        origin = more[1] if len(more) == 2 and more[0] == "from" else None
        if f"{kind} {name}" in self.titles or not _is_name(name) or (more and not origin):
            return ""
        if kind in PROXIES:
            return self._proxy(section, kind, name, origin)
        if more:
            return ""
        if kind in LINES:
            self.haproxy[LINES[kind]][name] = section.lines
            return LINES[kind]
        if kind == "peers" and section.lines:
            self.haproxy[kind][name] = {"options": section.lines}
            return kind
        if kind in RAW:
            self.haproxy["sections"][f"{kind} {name}"] = section.lines
            return "sections"
        return ""

    def _as_it_stands(self, section: Section) -> None:
        """A header of any form; HAProxy takes the label for a comment."""
        bare = [title.partition("#")[0].rstrip() for title in self.titles]
        title = f"{section.header} #{bare.count(section.header) + 1}".lstrip()
        self.haproxy["sections"][title] = section.lines
        self.titles.append(title)
        self.tables.append("sections")

    def _proxy(self, section: Section, kind: str, name: str, origin: str | None) -> str:
        known = {title.split(" ")[1] for title in self.haproxy["sections"] if title.startswith("defaults ")}
        if origin and origin not in known:
            return ""
        table = PROXIES[kind]
        proxy: Tree = {"from": origin} if origin else {}
        lines = self._begin(section.lines, proxy, kind)
        if kind == "frontend":
            lines = self._end(lines, proxy, built_in=name in self.built_in[table])
        if kind == "backend" and name in self.built_in[table]:
            proxy["servers"] = []
        self.haproxy[table][name] = {"as_is": True, **proxy, "options": lines}
        return table

    def _begin(self, lines: list[str], proxy: Tree, kind: str) -> list[str]:
        """Take `mode` and binds at the beginning; returns the rest. Comments between them come behind."""
        comments: list[str] = []
        if kind != "backend":
            proxy["bind"] = []
        for place, whole in enumerate(lines):
            line, comment = haproxy_line.split_comment(whole)
            keyword, _, rest = line.partition(" ")
            if keyword == "mode" and rest in ("http", "tcp") and not proxy.get("bind") and "mode" not in proxy:
                proxy["mode"] = rest
            elif keyword == "bind" and kind != "backend" and (bind := self._bind(rest)):
                proxy["bind"].append(bind)
            elif line:
                return [*comments, *lines[place:]]
            comments += [comment] if comment else []
        return comments

    def _bind(self, text: str) -> str | None:
        """A bind as pillar has it; None where that would be another line."""
        try:
            bind = schema.bind(text)
        except values.Invalid:
            return None
        rest = f":{bind['port']} {bind['options']}".rstrip(" ") if not bind["options"].endswith("\\") else ""
        same = f"{values.bracketed(bind['address'])}{rest}" == text
        word = self.own.get(bind["address"])
        return (f"{word}{rest}" if word else text) if same else None

    def _end(self, lines: list[str], proxy: Tree, built_in: bool) -> list[str]:
        """Take `default_backend` at the end; returns the rest."""
        keyword, _, name = (lines[-1] if lines else "").partition(" ")
        if keyword == "default_backend" and _is_name(name):
            proxy["default_backend"] = name
            return lines[:-1]
        if built_in:
            proxy["default_backend"] = False
        return lines


def _is_name(text: str) -> bool:
    try:
        return values.name(text) == text
    except values.Invalid:
        return False


def _word(line: str) -> str:
    return line.split(" ", 1)[0]


def own_addresses(machine: Machine) -> dict[str, str]:
    """The words for the addresses of a load balancer: {address: word}."""
    words = {getattr(machine, key): word for word, key in schema.OWN_ADDRESSES.items()}
    return {address: word for address, word in words.items() if address}
