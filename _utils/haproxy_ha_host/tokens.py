"""
Files with a token. Where the formula has written one: when pillar names another file or none, these go, and nobody
else's. And whether one that something else writes will do.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat

from haproxy_ha_host import files
from haproxy_ha_lib.cloud import calls

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


def forget(path: str) -> None:
    """What is at a path is something else's now."""
    if path in _known():
        _keep([one for one in _known() if one != path])


def _keep(paths: list[str]) -> None:
    files.put_private(_memory(), json.dumps(paths) + "\n")


def former(current: str | None) -> list[str]:
    """Return those of :func:`written` that are no longer in use (list of str); ``current``: the one that is."""
    return [path for path in written() if path != current]


def own(current: str, foreign: bool) -> list[str]:
    """
    Return the token files of the formula (list of str): those that it wrote, and the one of pillar unless that is
    ``foreign``, because an earlier release did not remember what it wrote.
    """
    return list(dict.fromkeys([*written(), *([] if foreign else [current])]))


# One that something else writes


def problem(path: str) -> str:
    """Return why the agents would not use a token file that something else writes (str), by its key of pillar; empty if
    they would."""
    found = _problem(path)
    return f"haproxy_ha:floating_ip:token_file: {path} {found}" if found else ""


def _problem(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "is missing: what writes it has not done so yet; or put the token into haproxy_ha:floating_ip:api_token"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "is no file"
        wrong = calls.file_problem(status.st_uid, status.st_mode & 0o7777)
        text = os.read(descriptor, 4096).decode("ascii", "replace").strip()
        return f"{wrong}; {_REMEDY}" if wrong else calls.token_problem(text)
    finally:
        os.close(descriptor)


_REMEDY = (
    "it has to be root's, with mode 0600 or 0400. Vault Agent writes 0644 unless its template has perms = \"0600\", as "
    "the user that it runs as; cloud-init writes 0644 unless write_files has permissions: '0600'"
)
