"""Parts that are files which nothing has to take: compared, and replaced in one step each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Changes, Outcome
from haproxy_ha_lib import values
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.files.entry import FileEntry, FileSet


class Absent(CommandExecutionError):
    """A file of this machine that another one is made from is not there (yet)."""


def filled(minion: Minion, entries: FileSet) -> FileSet:
    """A set with the text of each file. Raises :class:`Absent`."""

    def template(name: str) -> str:
        return minion.formula_text(f"files/{name}")

    return {path: entry and layout.filled(entry, template, _source) for path, entry in entries.items()}


def _source(path: str) -> str:
    """The text of a file of this machine that is part of another one."""
    entry = files.read(os.path.realpath(path))
    if entry is None:
        raise Absent(f"{path} is not on this machine")
    text = entry.content or ""
    if values.is_encrypted(text):
        raise CommandExecutionError(f"{path}: found a private key with a passphrase, allowed: {values.NOT_ENCRYPTED}")
    return text.rstrip("\n") + "\n"


def changes(wanted: FileSet) -> Changes:
    """What would change for a set to be there."""
    return fileset.differences(files.snapshot(wanted), wanted)


def plan(wanted: FileSet, there: str) -> Outcome:
    """What installing a set would come to; ``there`` says that it is installed."""
    found = changes(wanted)
    return Outcome(f"Would change: {', '.join(found)}" if found else there, found)


def apply(wanted: FileSet, there: str, directory_mode: int = 0o755) -> Outcome:
    """Install a set."""
    found = changes(wanted)
    files.install(wanted, directory_mode)
    return Outcome(there, found)


def keep(what: str, paths: Iterable[str], worth: Callable[[FileEntry | None], bool]) -> str | None:
    """Copy those of the paths whose entry is worth it; returns where to, or None."""
    return files.keep_copies(what, [path for path, entry in files.snapshot(paths).items() if worth(entry)])


def beside(directory: str, *own: str) -> list[str]:
    """What else is in a directory that a daemon reads, without the files that it does not read."""
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    found = [os.path.join(directory, name) for name in names if not name.startswith(".")]
    return [path for path in found if path not in own]
