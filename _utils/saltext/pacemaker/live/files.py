"""
Saved CIBs, and files that only a command needs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from saltext.pacemaker.errors import Failed


def read(path: str) -> str:
    """The text of a saved CIB."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise Failed(f"The CIB file {path} cannot be read: {problem}") from None


def write(path: str, text: str) -> None:
    """Replace a saved CIB, keeping its mode and owner; a reader sees the old or the new one."""
    try:
        old = os.stat(path)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(os.path.abspath(path)))
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, old.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):
                os.chown(temporary, old.st_uid, old.st_gid)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as problem:
        raise Failed(f"The CIB file {path} cannot be written: {problem}") from None


@contextlib.contextmanager
def handed(*texts: str) -> Iterator[list[str]]:
    """Paths of files with these texts, for a command, that nobody else can read and that go afterwards."""
    with tempfile.TemporaryDirectory(prefix=".pacemaker-") as folder:  # mode 0700
        paths = [os.path.join(folder, f"{number}.xml") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        yield paths
