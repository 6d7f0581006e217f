"""The haproxy.cfg that is on this machine, as pillar."""

from __future__ import annotations

import glob
import os

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import processes, units
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.haproxy import export
from haproxy_ha_lib.types import Tree

_CFG = "/etc/haproxy/haproxy.cfg"
_UNIT = "haproxy"


def as_pillar(minion: Minion, path: str | None, secrets: bool) -> Tree:
    """
    Return the pillar of what HAProxy reads here, or of a file or directory, and notes; CommandExecutionError where a
    line cannot stand in pillar.
    """
    files = [file for given in ([path] if path else _read_by_service()) for file in _files(given)]
    settings = minion.settings()
    own = export.own_addresses(settings.me) if settings else {}
    text = "".join(map(_text, files))
    try:
        haproxy = export.pillar(text, minion.defaults()["haproxy"], own, secrets)
    except export.Unreadable as exc:
        raise CommandExecutionError(f"{', '.join(files)}: {exc}") from None
    return {"haproxy_ha": {"haproxy": haproxy}, "notes": [*export.notes(haproxy), *_several(files)]}


def _read_by_service() -> list[str]:
    """What the HAProxy that runs reads (-f); without one, the file of its package."""
    words = processes.command_line(units.main_pid(_UNIT))
    return [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-f"] or [_CFG]


def _files(path: str) -> list[str]:
    """A file, or those of a directory that HAProxy reads, in its order (its management guide, 3)."""
    return sorted(glob.glob(f"{glob.escape(path)}/*.cfg"), key=os.fsencode) if os.path.isdir(path) else [path]


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be read: {exc}") from None


def _several(files: list[str]) -> list[str]:
    text = "The formula writes one file in place of these; take the others off HAProxy's command line (-f): "
    return [text + ", ".join(files)] if len(files) > 1 else []
