"""
What a run that was killed can leave behind, and how the next one takes it away: :data:`KINDS`.

Whose it is stands with it (``processes.mark``), so that what a run at work has is let alone. What is not here is mended
by the state that makes it: a set of files that the daemon has not taken, HAProxy's server states, servers that are
drained (``daemons``, ``pool``).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from haproxy_ha_host import daemons, files, nss, processes, provider, units
from haproxy_ha_host.cluster import handover
from haproxy_ha_lib.files import layout
from haproxy_ha_lib.settings.types import Settings

_MARK = r"(\d+-\d+)-\w+"


@dataclass(frozen=True)
class Kind:
    """
    One kind of thing.

    what
        What it is, in words.
    find
        Returns the names of those that are there and nobody's any more; of the directories that files are put into.
    remove
        Takes one of them away.
    """

    what: str
    find: Callable[[Collection[str]], Iterable[str]]
    remove: Callable[[str], object]


def _nobodys(directories: Iterable[str], pattern: str) -> list[str]:
    """The paths in some directories whose name has a mark of a process that is gone."""
    found = []
    for directory in sorted(filter(os.path.isdir, directories)):
        for name in sorted(os.listdir(directory)):
            match = re.fullmatch(pattern, name)
            if match and not processes.lives(match[1]):
                found.append(os.path.join(directory, name))
    return found


def _temporary(directories: Collection[str]) -> list[str]:
    return _nobodys(directories, rf"\..*{re.escape(files.TEMPORARY)}{_MARK}")


def _staged(_: object) -> list[str]:
    return _nobodys({"/run", tempfile.gettempdir()}, rf"{re.escape(daemons.STAGE)}{_MARK}")


def _databases(_: object) -> list[str]:
    parents = {os.path.dirname(database.path) for database in (nss.HELPER, nss.BALANCER)}
    return _nobodys(parents, rf"{re.escape(files.TEMPORARY)}{_MARK}")


def _copies(_: object) -> list[str]:
    return _nobodys([f"{files.STATE}/backup"], rf"{re.escape(files.TEMPORARY)}{_MARK}")


def _marks(_: object) -> Iterable[str]:
    return map(str, handover.stray())


KINDS = (
    Kind("a file that has not got its name", _temporary, files.delete),
    Kind("a set of files that was being checked, with its keys", _staged, files.delete),
    Kind("a database of certificates that was being made", _databases, files.delete),
    Kind("a copy that was being made", _copies, files.delete),
    Kind("a service that is kept from being started", lambda _: units.held(), lambda _: units.release()),
    Kind("the mark of a planned failover", _marks, lambda mark: handover.Mark.named(mark).take()),
)


def places(settings: Settings) -> set[str]:
    """Return the paths of files that are installed, and the directories that they are put into (set)."""
    paths = [path for path in settings.paths.values() if path.startswith("/")]
    paths += [settings.floating_ip.token_file, layout.page_path(settings)]
    paths += [provider.memory(), daemons.last_good_path("haproxy")]
    return {*paths, *map(os.path.dirname, paths)}


def find(directories: Collection[str]) -> dict[str, str]:
    """What is left of runs that were killed: {thing: what it is}; ``directories``: where files are put."""
    return {thing: kind.what for kind in KINDS for thing in kind.find(directories)}


def remove(directories: Collection[str]) -> dict[str, str]:
    """Take it away; returns what it was."""
    removed = {}
    for kind in KINDS:
        for thing in kind.find(directories):
            kind.remove(thing)
            removed[thing] = kind.what
    return removed
