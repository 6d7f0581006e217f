"""One file as it is, or as it shall be."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class FileEntry:
    """
    A file or a symbolic link, as it is or as it shall be; ``None`` in its place stands for nothing at all. A set of
    files is a dict of absolute path to entry.

    content : ``None``
        The text of a file; bytes that are no UTF-8 are surrogates.
    link : ``None``
        The target of a link.
    template : ``None``
        The template below ``haproxy_ha/files`` that the text is yet to be made from, with ``model``: ``layout.filled``.
    sources : ``()``
        The files of this machine whose texts, one after the other, it is yet to be made from.
    mode, user, group : ``None``
        Its rights, such as ``"0644"``, and its owner. None is not compared; a new file gets 0644 and root's.
    secret : ``False``
        True: its text is shown nowhere.
    """

    content: str | None = None
    link: str | None = None
    template: str | None = None
    model: Any = None
    sources: tuple[str, ...] = ()
    mode: str | None = None
    user: str | None = None
    group: str | None = None
    secret: bool = False

    def with_content(self, content: str) -> FileEntry:
        """The same file with this text."""
        return replace(self, content=content, template=None, model=None, sources=())

    def data(self) -> dict[str, Any]:
        """The entry as a dict of what it says, as Salt and JSON have it."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}


FileSet = dict[str, FileEntry | None]


def owned_by_root(content: str, mode: str = "0644", secret: bool = False) -> FileEntry:
    """A file of root's."""
    return FileEntry(content, mode=mode, user="root", group="root", secret=secret)
