"""Directories by descriptor: what is done in one is done there, whatever becomes of its path meanwhile."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator

from salt.exceptions import CommandExecutionError

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as the kernel has it (path_resolution(7))


@contextlib.contextmanager
def opened(path: str, make: int | None = None) -> Iterator[int]:
    """
    A directory's descriptor.

    path
        Where it is, from the root.
    make : ``None``
        The mode (integer) of the directories that are not there yet, which are made.

    A link on the way counts only if root put it there: whoever owns a directory could lead root anywhere by a link in
    it. Raises CommandExecutionError for another's, and OSError for what is no directory.
    """
    place = _walk(path, make)
    try:
        yield place
    finally:
        os.close(place)


def _walk(path: str, make: int | None) -> int:
    place, links = os.open("/", _OPEN), 0
    names = _names(path)
    try:
        while names:
            name = names.pop(0)
            target = _link(place, name)
            if target is None:
                place = _entered(place, name, make)
                continue
            links += 1
            _check_link(place, name, path, links)
            names = _names(target) + names
            if target.startswith("/"):
                place = _entered(place, "/", None)
    except BaseException:
        os.close(place)
        raise
    return place


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _link(place: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=place)
    except OSError:  # no link, or nothing
        return None


def _check_link(place: int, name: str, path: str, links: int) -> None:
    if links > _MOST_LINKS:
        raise CommandExecutionError(f"{path}: too many links")
    directory, link = os.fstat(place), os.stat(name, dir_fd=place, follow_symlinks=False)
    open_to_all = directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not directory.st_mode & stat.S_ISVTX
    trusted = {0, os.geteuid()}
    if open_to_all or not {directory.st_uid, link.st_uid} <= trusted:
        raise CommandExecutionError(
            f"{path}: {name} is a link, and {_putter(directory, link)} can put another one there, so root does not "
            "follow it. Name the directory that it leads to, or let root alone own the link and what it is in"
        )


def _putter(directory: os.stat_result, link: os.stat_result) -> str:
    owner = directory.st_uid or link.st_uid
    if not owner:
        return "others than root"
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _entered(place: int, name: str, make: int | None) -> int:
    """The directory of that name in another one, whose descriptor is closed."""
    if make is not None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, make, dir_fd=place)
    inner = os.open(name, _OPEN, dir_fd=place)
    os.close(place)
    return inner
