"""Files as entries (``haproxy_ha_lib.fileset``): read, and replaced in one step."""

import contextlib
import grp
import itertools
import os
import pwd
import shutil
import time

from salt.exceptions import CommandExecutionError

from haproxy_ha_host.system import STATE
from haproxy_ha_lib import fileset

# Any bytes come back as they were read.
_AS_IT_IS = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def read(path):
    """What is at a path, as an entry; None if nothing is. CommandExecutionError for what is neither file nor link."""
    if os.path.islink(path):
        return {"link": os.readlink(path)}
    try:
        with open(path, **_AS_IT_IS) as handle:
            content, status = handle.read(), os.fstat(handle.fileno())
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path}: {exc.strerror}") from exc
    return {
        "content": content,
        "mode": f"{status.st_mode & 0o7777:04o}",
        "user": _name(pwd.getpwuid, status.st_uid),
        "group": _name(grp.getgrgid, status.st_gid),
    }


def _name(lookup, number):
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def snapshot(paths):
    """What is at each path: {path: entry or None}."""
    return {path: read(path) for path in paths}


def text(path):
    """The text of a file; None if it cannot be read."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()
    return None


def install(entries, directory_mode=0o755):
    """Make each path what its entry says, where it is not."""
    for path, entry in entries.items():
        if not fileset.entry_equal(read(path), entry):
            put(path, entry, directory_mode)


def put(path, entry, directory_mode=0o755):
    """
    Replace what is at a path in one step: a reader sees the old or the new, and a crash leaves one of them.

    The name before the rename begins with a dot, because daemons load whatever else lies in their directories.
    """
    directory, name = os.path.split(path)
    if entry is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.makedirs(directory, mode=directory_mode, exist_ok=True)
    temporary = os.path.join(directory, f".{name}.haproxy_ha")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if "link" in entry:
            os.symlink(entry["link"], temporary)
        else:
            _write(temporary, entry)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path, entry):
    """Private until it has its owner."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", **_AS_IT_IS) as handle:
        handle.write(entry["content"])
        handle.flush()
        try:
            shutil.chown(path, entry.get("user", "root"), entry.get("group", "root"))
        except LookupError as exc:
            raise CommandExecutionError(f"{path}: {exc}") from exc
        os.fchmod(handle.fileno(), int(entry.get("mode", "0644"), 8))
        os.fsync(handle.fileno())


def put_private(path, content):
    """Write a file of the formula's own memory, for root alone."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    put(path, {"content": content, "mode": "0600"}, 0o700)


def delete(path):
    """Delete a file, a link or a whole directory, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def keep_copies(what, paths):
    """
    Copy files and whole directories to a place of their own, for root alone; returns it, or None if there is nothing to
    keep.
    """
    if not paths:
        return None
    os.makedirs(f"{STATE}/backup", mode=0o700, exist_ok=True)
    target = _new_directory(f"{STATE}/backup/{what}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for path in paths:
        if os.path.isdir(path):
            shutil.copytree(path, target + path, symlinks=True)
        else:
            os.makedirs(os.path.dirname(target + path), exist_ok=True)
            shutil.copy2(path, target + path)
    return target


def _new_directory(path):
    """Make a directory of this name; with a number after it where two are made in one second."""
    for number in itertools.count():
        with contextlib.suppress(FileExistsError):
            made = f"{path}.{number}" if number else path
            os.mkdir(made, mode=0o700)
            return made
