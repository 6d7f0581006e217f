"""
The agents on this machine (``haproxy_ha_lib.agents``): all that they consist of changes by the rename of one link,
under Pacemaker's eyes. What is killed meanwhile leaves the version of before, whole, and the next run begins again.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from dataclasses import dataclass

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, directories, files, processes, waiting
from haproxy_ha_lib import agents
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.files.entry import FileEntry, FileSet

Version = dict[str, FileEntry]
"""The files of a version of the agents, by their paths below its directory."""
Changes = dict[str, dict[str, str | None]]

PYTHON = "/usr/bin/python3"
# Longer than any operation may take: one that has begun still imports from the version that it began with.
KEPT_SECONDS = 3600
# What runs when the agents' directory becomes a link knows the directory alone, and has to end first.
_MIGRATION_SECONDS = 60
_VERSION = re.compile(r"[0-9a-f]{16}")
_PROOF = {True: ["-o", "metadata"], False: ["meta-data"]}


@dataclass(frozen=True)
class Place:
    """
    Where the agents are.

    link
        The directory of the resource agents' provider, as Pacemaker knows it: a link to the version that counts.
    versions
        The directory of the versions. Not beside ``link``, where each would be listed as a provider.
    fence
        The directory of the fence agents' links.
    """

    link: str
    versions: str
    fence: str

    def of(self, wanted: Version) -> str:
        """The directory of a version."""
        return os.path.join(self.versions, agents.digest(wanted))

    def fence_links(self, wanted: Version) -> FileSet:
        """The links of the fence agents: {path: entry}. They lead through ``link``, and so change with it."""
        paths = [path for path in wanted if os.path.dirname(path) == "fence"]
        return {f"{self.fence}/{os.path.basename(path)}": FileEntry(link=f"{self.link}/{path}") for path in paths}


def text(place: Place, name: str, checksum: str) -> str | None:
    """The text of a file of the formula in the version that counts here; None if that is not of this SHA-256."""
    found = files.text(os.path.join(place.link, agents.place_of(name)))
    return found if found is not None and agents.checksum(found) == checksum else None


def plan(place: Place, wanted: Version) -> Changes:
    """What :func:`install` would change: {path: {"old", "new"}}, empty where all is as it should be."""
    links = {place.link: FileEntry(link=place.of(wanted)), **place.fence_links(wanted)}
    current = {path: _link_or_directory(path) for path in links}
    changes = {
        path: {"old": agents.summary(current[path]), "new": agents.summary(entry)}
        for path, entry in links.items() if current[path] != entry
    }  # fmt: skip
    changes.update(_changed_files(place, wanted))
    if changes:
        return {**changes, **{path: {"old": "a version of before", "new": None} for path in _outdated(place, wanted)}}
    if _is_compiled(place.link, wanted):
        return {}
    return {f"{place.link}/__pycache__": {"old": None, "new": f"compiled by {os.path.realpath(PYTHON)}"}}


def _link_or_directory(path: str) -> FileEntry | None:
    """What is at a path as an entry; a directory counts as a link to itself."""
    return FileEntry(link=path) if os.path.isdir(path) and not os.path.islink(path) else files.read(path)


def _changed_files(place: Place, wanted: Version) -> Changes:
    current = {path: files.read(os.path.join(place.link, path)) for path in {*wanted, *_present(place.link)}}
    return {
        f"{place.link}/{path}": {"old": agents.summary(entry), "new": agents.summary(wanted.get(path))}
        for path, entry in sorted(current.items())
        if not fileset.entry_equal(entry, wanted.get(path))
    }


def _present(directory: str) -> list[str]:
    """The files of a version, or of the directory of former days, by their paths below it; not what Python compiled."""
    found = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, name), directory) for name in names]
    return found


def install(place: Place, wanted: Version) -> Changes:
    """
    Make the agents those of a version; returns what changed, as :func:`plan`.

    They are tried before they count: each program says its meta-data, by the Python that will run it. Raises
    CommandExecutionError with what it says if it does not; nothing is then changed.
    """
    changes = plan(place, wanted)
    if not changes:
        return {}
    outdated = _outdated(place, wanted)
    _make(place, wanted)
    if os.path.isdir(place.link) and not os.path.islink(place.link):
        _become_a_link(place)
    _point(place, wanted)
    for path in outdated:
        files.delete(path)
    return changes


def _make(place: Place, wanted: Version) -> None:
    """Have the directory of a version, whole and tried."""
    target = place.of(wanted)
    if os.path.isdir(target):  # what somebody changed in it is put right, a whole file each, of the same version
        files.install({os.path.join(target, path): entry for path, entry in wanted.items()})
        _compile(target, target)
        return
    name = f".{os.path.basename(target)}{files.TEMPORARY}{processes.mark()}-{secrets.token_hex(4)}"
    made = os.path.join(place.versions, name)
    try:
        files.install({os.path.join(made, path): entry for path, entry in wanted.items()})
        _try(made, wanted)
        _compile(made, target)
        with directories.opened(made) as folder:
            os.fsync(folder)
        os.rename(made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    with directories.opened(place.versions) as folder:
        os.fsync(folder)


def _compile(version: str, known_as: str) -> None:
    """
    Compile a version, for the time that a monitor takes. A file that is newer than what was compiled from it counts
    itself, and what another Python compiled is not looked at: nobody can be left with what is not in the files.
    """
    commands.succeed(PYTHON, "-I", "-m", "compileall", "-q", "-s", version, "-p", known_as, version)


def _is_compiled(directory: str, wanted: Version) -> bool:
    """Whether the present Python finds what it compiled; True where its version cannot be told."""
    minor = re.fullmatch(r"python3\.(\d+)", os.path.basename(os.path.realpath(PYTHON)))
    modules = [path for path in wanted if path.endswith(".py")]
    return not minor or all(
        os.path.exists(os.path.join(directory, folder, "__pycache__", f"{name[:-3]}.cpython-3{minor[1]}.pyc"))
        for folder, name in map(os.path.split, modules)
    )


def _try(directory: str, wanted: Version) -> None:
    for path in agents.programs(wanted):
        proof = _PROOF[agents.is_fence(os.path.basename(path))]
        code, output = commands.run([os.path.join(directory, path), *proof])
        if code:
            raise CommandExecutionError(f"the agent {os.path.basename(path)} does not run: {output.strip()[-1000:]}")


def _point(place: Place, wanted: Version) -> None:
    """The one step."""
    target = place.of(wanted)
    if files.read(place.link) != FileEntry(link=target):
        if os.path.isdir(place.link):
            os.utime(os.path.realpath(place.link))  # since when it counts no more
        files.put(place.link, FileEntry(link=target))
    files.install(place.fence_links(wanted))


def _become_a_link(place: Place) -> None:
    """
    The directory of former days becomes a version, and a link to that takes its place in one step. Nothing else changes
    until all that runs in it has ended: it goes on with what it began with, under the same name.
    """
    former = {
        name: _content(path)
        for name in sorted(os.listdir(place.link)) if os.path.isfile(path := os.path.join(place.link, name))
    }  # fmt: skip
    for name in os.listdir(place.fence):
        path = os.path.join(place.fence, name)
        if name in _OF_FORMER_DAYS and os.path.isfile(path) and not os.path.islink(path):
            former[name] = _content(path)
    version = agents.version(former)
    target = place.of(version)
    files.install({os.path.join(target, path): entry for path, entry in version.items()})
    aside = f"{os.path.dirname(place.link)}/.{os.path.basename(place.link)}{files.TEMPORARY}{processes.mark()}-0"
    os.symlink(target, aside)
    try:
        files.exchange(aside, place.link)
        files.install(place.fence_links(version))
        _wait_for_others(place)
    finally:
        files.delete(aside)


def _content(path: str) -> str:
    entry = files.read(path)
    return entry.content or "" if entry else ""


_OF_FORMER_DAYS = ("fence_haproxy_ha_digitalocean",)


def _wait_for_others(place: Place) -> None:
    begun = _running(place)
    if not waiting.wait_for(lambda: not any(map(processes.lives, begun)), _MIGRATION_SECONDS, 0.02):
        raise CommandExecutionError(
            f"an action of the agents has not ended within {_MIGRATION_SECONDS} s: the next run goes on"
        )


def _running(place: Place) -> list[str]:
    """The marks of the processes that run an agent from ``link`` or a fence agent."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        words = (files.text(f"/proc/{pid}/cmdline") or "").split("\0")
        if any(_is_program(word, place) for word in words[1:3]):
            found.append(processes.mark_of(int(pid)))
    return found


def _is_program(path: str, place: Place) -> bool:
    """Whether a word of a command is an agent; the watch of Pacemaker runs for ever, and imports nothing."""
    folder, name = os.path.split(path)
    return name in _OF_FORMER_DAYS or (folder == place.link and "." not in name)


def _outdated(place: Place, wanted: Version) -> list[str]:
    """The versions that counted before, and that nothing can be running any more."""
    current = {place.of(wanted), os.path.realpath(place.link)}
    names = filter(_VERSION.fullmatch, sorted(os.listdir(place.versions)) if os.path.isdir(place.versions) else ())
    paths = [path for path in (os.path.join(place.versions, name) for name in names) if path not in current]
    return [path for path in paths if time.time() - os.stat(path).st_mtime > KEPT_SECONDS]
