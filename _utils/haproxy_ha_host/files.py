"""Files as entries: read, and replaced in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import grp
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import directories, processes
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.files.entry import FileEntry, FileSet

STATE = "/var/lib/haproxy_ha"
"""What the formula has to remember about a machine; for root alone."""

# Any bytes come back as they were read.
_AS_IT_IS: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def read(path: str) -> FileEntry | None:
    """What is at a path, as an entry; None if nothing is. CommandExecutionError for what is neither file nor link."""
    folder, name = os.path.split(os.path.abspath(path))
    try:
        with directories.opened(folder) as place:
            return _read(path, name, place)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path}: {exc.strerror}") from exc


def _read(path: str, name: str, place: int) -> FileEntry:
    try:
        # Opened as what it is: not through a link that somebody puts there meanwhile, nor waiting for a FIFO's writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return FileEntry(link=os.readlink(name, dir_fd=place))
        raise
    with open(descriptor, **_AS_IT_IS) as handle:
        status = os.fstat(handle.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise CommandExecutionError(f"{path}: is no file")
        content = handle.read()
    return FileEntry(
        content,
        mode=f"{status.st_mode & 0o7777:04o}",
        user=_name(pwd.getpwuid, status.st_uid),
        group=_name(grp.getgrgid, status.st_gid),
    )


def _name(lookup: Callable[[int], Sequence[Any]], number: int) -> str:
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def snapshot(paths: Iterable[str]) -> FileSet:
    """What is at each path: {path: entry or None}."""
    return {path: read(path) for path in paths}


def text(path: str) -> str | None:
    """The text of a file; None if it cannot be read."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()
    return None


def checksum(path: str) -> str | None:
    """The SHA-256 of a file (hexadecimal); None if it cannot be read."""
    with contextlib.suppress(OSError), open(path, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()
    return None


def install(entries: FileSet, directory_mode: int = 0o755) -> None:
    """Make each path what its entry says, where it is not."""
    for path, entry in entries.items():
        if not fileset.entry_equal(read(path), entry):
            put(path, entry, directory_mode)


def put(path: str, entry: FileEntry | None, directory_mode: int = 0o755) -> None:
    """
    Replace what is at a path in one step: a reader sees the old or the new, whole and with its mode, and a crash leaves
    one of them. Any number of processes may do so at the same time.

    The name before the rename begins with a dot, because daemons load whatever else lies in their directories.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if entry is None and not os.path.lexists(path):
        return
    with directories.opened(folder, directory_mode) as place:
        if entry is None:
            _unlink(name, place)
        else:
            _replace(name, entry, place)
        os.fsync(place)


def _unlink(name: str, place: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place)


def _replace(name: str, entry: FileEntry, place: int) -> None:
    temporary = f".{name}{TEMPORARY}{processes.mark()}-{secrets.token_hex(4)}"
    try:
        if entry.link is not None:
            os.symlink(entry.link, temporary, dir_fd=place)
        else:
            _write(temporary, entry, place)
        os.rename(temporary, name, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        _unlink(temporary, place)
        raise


TEMPORARY = ".haproxy_ha-"
"""Stands in the name of a file before its rename, between the name and whose it is (``processes.mark``)."""


def _write(name: str, entry: FileEntry, place: int) -> None:
    """Private until it has its owner, which it gets by what is open and not by its name: that could be another's."""
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place)
    with open(descriptor, "w", **_AS_IT_IS) as handle:
        handle.write(entry.content)
        handle.flush()
        user, group = _number(pwd.getpwnam, "user", entry.user), _number(grp.getgrnam, "group", entry.group)
        os.fchown(handle.fileno(), user, group)
        os.fchmod(handle.fileno(), int(entry.mode or "0644", 8))
        os.fsync(handle.fileno())


def _number(lookup: Callable[[str], Sequence[Any]], kind: str, name: str | None) -> int:
    """The number of a user or group (root's for None), which has a name unless nobody of that number is known here."""
    name = name or "root"
    if name.isdigit():
        return int(name)
    try:
        return lookup(name)[2]
    except KeyError:
        raise CommandExecutionError(f"there is no {kind} {name} on this machine") from None


def exchange(new: str, path: str) -> None:
    """Put what is at ``new`` at a path in one step, whatever is there; that is then at ``new`` (rename(2))."""
    if not os.path.lexists(path):
        os.rename(new, path)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(new), _HERE, os.fsencode(path), _EXCHANGE):
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
            raise OSError(code, os.strerror(code), path)
        _exchange_slowly(new, path)


def _exchange_slowly(new: str, path: str) -> None:
    """Where the file system cannot do it in one step, nothing is at the path for a moment."""
    aside = f"{new}.aside"
    shutil.move(path, aside)
    shutil.move(new, path)
    shutil.move(aside, new)


_HERE = -100  # AT_FDCWD: paths are as they are elsewhere
_EXCHANGE = 2  # RENAME_EXCHANGE


def own_state() -> str:
    """The directory of the formula's own memory, for root alone; made if it is not there."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    os.chmod(STATE, 0o700)
    return STATE


def put_private(path: str, content: str) -> None:
    """Write a file of the formula's own memory, for root alone."""
    own_state()
    put(path, FileEntry(content, mode="0600"), 0o700)


def delete(path: str) -> None:
    """Delete a file, a link or a whole directory, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
        return
    folder, name = os.path.split(os.path.abspath(path))
    with contextlib.suppress(FileNotFoundError), directories.opened(folder) as place:
        os.unlink(name, dir_fd=place)


def keep_copies(what: str, paths: Collection[str]) -> str | None:
    """
    Copy files and whole directories to a place of their own, for root alone; returns it, or None if there is nothing to
    keep.
    """
    if not paths:
        return None
    place = f"{own_state()}/backup"
    os.makedirs(place, mode=0o700, exist_ok=True)
    made = tempfile.mkdtemp(prefix=f"{TEMPORARY}{processes.mark()}-", dir=place)
    for path in paths:
        if os.path.isdir(path):
            shutil.copytree(path, made + path, symlinks=True)
        else:
            os.makedirs(os.path.dirname(made + path), exist_ok=True)
            shutil.copy2(path, made + path)
    return _named(made, f"{place}/{what}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")


def _named(made: str, path: str) -> str:
    """Give a directory this name; with a number after it where two are made in one second."""
    wanted, number = path, 0
    while os.path.lexists(wanted):
        number += 1
        wanted = f"{path}.{number}"
    os.rename(made, wanted)
    return wanted
