"""What the SLS files of a run are rendered from: made once for all of them, however long that takes."""

import time

from haproxy_ha_lib.settings import minion as lib_minion

_CONTEXT = "haproxy_ha.rendered"


def settings(minion, find_problems=None):
    """
    Return the settings for the SLS files, with ``problems``, ``missing`` and ``seen``; without roles where there are
    problems.

    minion
        A :class:`haproxy_ha_host.minion.Minion`.
    find_problems : ``None``
        A function that returns what would stop the run (list of str). It is asked where there are roles.
    """
    _, found = _once(minion, "settings", lambda: _with_seen(minion))
    problems = []
    if find_problems and found["roles"]:
        _, problems = _once(minion, "problems", find_problems)
    return {**found, "problems": problems, "roles": [] if problems else found["roles"]}


def problems(minion, max_age):
    """Return the problems that were found while files were rendered (list of str); None if that is too long ago."""
    since, known = _of_run(minion).get(("problems", minion.saltenv), (0.0, None))
    return known if time.monotonic() - since < max_age else None


def _once(minion, what, make):
    """What ``make`` returns and when it was made: once while the SLS files of one run are rendered."""
    known, key = _of_run(minion), (what, minion.saltenv)
    if key not in known:
        known[key] = (time.monotonic(), make())
    return known[key]


def _of_run(minion):
    """What was made while the SLS files of this run were rendered (dict); each run gathers its pillar anew."""
    run, known = minion.context.get(_CONTEXT, (None, {}))
    if run is not minion.pillar:
        known = {}
        minion.context[_CONTEXT] = (minion.pillar, known)
    return known


def _with_seen(minion):
    now = minion.shown_settings()
    seen = {
        "roles": now["roles"],
        "errors": now["errors"] if now["tree"] else [],
        "digests": lib_minion.digests(now),
    }
    return {**now, "missing": [*minion.missing(), *now.get("stale", [])], "seen": seen}
