"""What the SLS files of a run are rendered from: made once for all of them, however long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from haproxy_ha_host import clock
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.settings import minion as lib_minion
from haproxy_ha_lib.types import Tree

_CONTEXT = "haproxy_ha.rendered"


def settings(minion: Minion, find_problems: Callable[[], list[str]] | None = None) -> Tree:
    """
    Return the settings for the SLS files, with ``problems``, ``missing``, ``seen`` and ``time_service``; without roles
    where there are problems.

    minion
        This one.
    find_problems : ``None``
        A function that returns what would stop the run (list of str). It is asked where there are roles.
    """
    _, found = _once(minion, "settings", lambda: _with_seen(minion))
    problems: list[str] = []
    if find_problems and found["roles"]:
        _, problems = _once(minion, "problems", find_problems)
    return {**found, "problems": problems, "roles": [] if problems else found["roles"]}


def problems(minion: Minion, max_age: float) -> list[str] | None:
    """Return the problems that were found while files were rendered (list of str); None if that is too long ago."""
    since, known = _of_run(minion).get(("problems", minion.saltenv), (0.0, None))
    return known if time.monotonic() - since < max_age else None


def _once(minion: Minion, what: str, make: Callable[[], Any]) -> tuple[float, Any]:
    """What ``make`` returns and when it was made: once while the SLS files of one run are rendered."""
    known, key = _of_run(minion), (what, minion.saltenv)
    if key not in known:
        known[key] = (time.monotonic(), make())
    return known[key]


def _of_run(minion: Minion) -> dict[Any, Any]:
    """What was made while the SLS files of this run were rendered (dict); each run gathers its pillar anew."""
    run, known = minion.context.get(_CONTEXT, (None, {}))
    if run is not minion.pillar:
        known = {}
        minion.context[_CONTEXT] = (minion.pillar, known)
    return known


def _with_seen(minion: Minion) -> Tree:
    now = minion.shown_settings()
    seen = {
        "roles": now["roles"],
        "errors": now["errors"] if now["tree"] else [],
        "digests": lib_minion.digests(minion.public_settings()),
    }
    return {
        **now,
        "missing": [*minion.missing(), *now.get("stale", [])],
        "seen": seen,
        "time_service": clock.find(now) if now["roles"] else None,
    }
