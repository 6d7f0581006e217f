"""A machine's files, in memory, as far as the agents use `os` and `open`: each call is one step."""

from __future__ import annotations

import errno
import io
import os
import posixpath
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

DIRECTORY = object()


class Files:
    """What is on a machine: texts by path, and directories.

    Args:
        step (callable): Called before each change, which a process that is killed there does not make.
    """

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self.entries: dict[str, Any] = {"/": DIRECTORY}
        self.full = False
        self._changes = 0
        self._numbers: dict[str, int] = {}
        self._moments: dict[str, float] = {}
        self._opened: dict[int, str] = {}

    def text(self, path: str) -> str | None:
        found = self.entries.get(path)
        return None if found in (None, DIRECTORY) else found

    def write(self, path: str, text: str, moment: float = 0.0) -> None:
        self.make_directories(posixpath.dirname(path))
        self.entries[path] = text
        self._moments[path] = moment

    def make_directories(self, path: str) -> None:
        while path not in self.entries:
            self.entries[path] = DIRECTORY
            path = posixpath.dirname(path)

    def below(self, directory: str) -> list[str]:
        return sorted(path for path in self.entries if path.startswith(f"{directory}/"))

    def remove_below(self, directory: str) -> None:
        for path in self.below(directory):
            del self.entries[path]

    # What processes call

    def open(self, path: str, mode: str = "r", **options: Any) -> Any:
        if "w" in mode:
            return self._open_for_writing(path)
        if self.entries.get(path) in (None, DIRECTORY):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return Open(self.entries[path])

    def _open_for_writing(self, path: str) -> Any:
        self._step()
        if self.entries.get(posixpath.dirname(path)) is not DIRECTORY:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.entries[path] = ""
        return Written(self, path)

    def replace(self, old: str, new: str) -> None:
        self._step()
        if old not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), old)
        self.entries[new] = self.entries.pop(old)
        self._changes += 1
        self._numbers[new] = self._changes

    def unlink(self, path: str) -> None:
        self._step()
        if self.entries.get(path) in (None, DIRECTORY):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        del self.entries[path]

    def listdir(self, path: str) -> list[str]:
        if self.entries.get(path) is not DIRECTORY:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return [posixpath.basename(entry) for entry in self.below(path) if posixpath.dirname(entry) == path]

    def makedirs(self, path: str, mode: int = 0o777, exist_ok: bool = False) -> None:
        self.make_directories(path)

    def stat(self, path: str) -> Any:
        """A file is another one each time that one is put in its place."""
        if path not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return SimpleNamespace(st_ino=self._numbers.get(path, 0), st_mtime_ns=0,
                               st_mtime=self._moments.get(path, 0.0))

    def open_number(self, path: str, flags: int, mode: int = 0o777) -> int:
        self.entries.setdefault(path, "")
        self._opened[len(self._opened)] = path
        return len(self._opened) - 1

    def pwrite(self, number: int, data: bytes, at: int) -> None:
        """Over what is there, from its beginning; a file that is gone is written by nobody who looks."""
        if self._opened[number] in self.entries:
            self.entries[self._opened[number]] = data.decode()

    def as_os(self, pid: int) -> SimpleNamespace:
        """The module `os` of a process."""
        path = SimpleNamespace(
            join=posixpath.join, split=posixpath.split, basename=posixpath.basename, dirname=posixpath.dirname,
            realpath=posixpath.normpath, abspath=posixpath.abspath,
            exists=self.entries.__contains__, lexists=self.entries.__contains__,
            isdir=lambda path: self.entries.get(path) is DIRECTORY, islink=lambda path: False,
        )  # fmt: skip
        return SimpleNamespace(
            path=path, replace=self.replace, unlink=self.unlink, makedirs=self.makedirs, listdir=self.listdir,
            getpid=lambda: pid, geteuid=lambda: 0, fchmod=lambda number, mode: None, O_NONBLOCK=os.O_NONBLOCK,
            fstat=lambda number: SimpleNamespace(st_uid=0, st_mode=0o100600), environ={}, sysconf=os.sysconf,
            stat=self.stat, open=self.open_number, pwrite=self.pwrite, O_WRONLY=os.O_WRONLY, O_CREAT=os.O_CREAT,
            O_NOFOLLOW=os.O_NOFOLLOW,
        )  # fmt: skip


class Open(io.StringIO):
    """A file that is read."""

    def fileno(self) -> int:
        return 3


class Written(io.StringIO):
    """A file that is written: what is in it counts when it is closed. A full disk takes an empty one, as tmpfs does."""

    def __init__(self, files: Files, path: str) -> None:
        super().__init__()
        self._files, self._path = files, path

    def fileno(self) -> int:
        return 3

    def close(self) -> None:
        text = "" if self.closed else self.getvalue()
        super().close()
        if text and self._files.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
        if text and self._path in self._files.entries:
            self._files.entries[self._path] = text
