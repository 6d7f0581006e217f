"""What runs have changed of this machine, remembered for people: names of parts and things, never contents."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection
from typing import TypedDict

from haproxy_ha_host import files

_MOST = 20
# What one process changes is one run, unless so much time passes: a minion may do all its work in one process.
_RUN_SECONDS = 1800.0


class Run(TypedDict):
    """A run that changed something: when it last did (seconds since 1970), its process, {part: [thing]}."""

    time: float
    process: int
    parts: dict[str, list[str]]


def path() -> str:
    """Return where they are remembered."""
    return f"{files.STATE}/changes.json"


def remember(part: str, things: Collection[str]) -> None:
    """Remember what this process has changed, if it has; that a disk takes nothing more is no reason to fail."""
    if things:
        with contextlib.suppress(OSError):
            _remember(part, things)


def _remember(part: str, things: Collection[str]) -> None:
    runs, now = _runs(), time.time()
    if not runs or runs[-1]["process"] != os.getpid() or not 0 <= now - runs[-1]["time"] < _RUN_SECONDS:
        runs.append({"time": now, "process": os.getpid(), "parts": {}})
    runs[-1]["time"] = now
    runs[-1]["parts"][part] = sorted({*runs[-1]["parts"].get(part, []), *things})
    files.put_private(path(), json.dumps(runs[-_MOST:]))


def last() -> Run | None:
    """Return the last run that changed something; None where none is known."""
    return next(reversed(_runs()), None)


def _runs() -> list[Run]:
    try:
        runs = json.loads(files.text(path()) or "[]")
        return [Run(time=float(run["time"]), process=run["process"], parts=dict(run["parts"])) for run in runs]
    except (ValueError, TypeError, KeyError):
        return []  # spoilt; it is for people alone
