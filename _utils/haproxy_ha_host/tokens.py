"""Where the formula has written a token: when pillar names another file or none, these go, and nobody else's."""

from __future__ import annotations

import contextlib
import json
import os

from haproxy_ha_host import files

_OWN = "/etc/haproxy_ha"
"""The formula's own directory: what an earlier release has written there is in no memory."""


def _memory() -> str:
    return f"{files.STATE}/tokens.json"


def written() -> list[str]:
    """Return the paths of the token files of this machine that the formula wrote (list of str)."""
    return list(filter(os.path.lexists, _known()))


def _known() -> list[str]:
    with contextlib.suppress(ValueError):
        return json.loads(files.text(_memory()) or "[]")
    return []


def remember(path: str, writes: object) -> None:
    """Keep in mind that a token is written to a path, before it is; ``writes``: whether it is, or was there before."""
    known = _known()
    if path not in known and (writes or os.path.dirname(path) == _OWN):
        _keep([*known, path])


def forget_absent() -> None:
    """Forget the paths at which there is nothing any more: what comes there next is not the formula's."""
    if written() != _known():
        _keep(written())


def _keep(paths: list[str]) -> None:
    files.put_private(_memory(), json.dumps(paths) + "\n")


def former(current: str | None) -> list[str]:
    """Return those of :func:`written` that are no longer in use (list of str); ``current``: the one that is."""
    return [path for path in written() if path != current]
