"""
What waits in HAProxy rather than fail at an app server: more requests than its nginx can take at the same time. nginx
closes a connection for which it has no place, and HAProxy answers that client 502.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from haproxy_ha_lib.haproxy import edge
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words

TIMEOUT = "10s"
"""How long a request waits before it is answered 503. Without the line HAProxy takes that of a connect."""
MOST = 1_000_000
_LATER = (
    "an app server gets as many requests at the same time as there are; beyond what its nginx can take they fail. From "
    f"the next release on the rest wait, at most {TIMEOUT}. true is that now; false keeps it"
)
_NOW = f"requests beyond what nginx on an app server can take wait with this run, {TIMEOUT} at most; false: they fail"


def settle(read: Tree, mine: Mapping[str, Any] | None, installed: str) -> list[str]:
    """
    Give each app server its ``nginx_requests``: what nginx there takes at the same time, by the mine; None for any
    number. Changes ``read``.

    mine, installed
        As in build.settings.

    Returns what to say of that, each by its path below the formula's tree.
    """
    told = mine if isinstance(mine, Mapping) and read["mine"] else {}
    sent = {name: _sent(told.get(name)) for name, entry in read["app_servers"].items() if entry["managed"]}
    known = {name: number for name, number in sent.items() if _is_number(number)}
    wanted, has_run = read["haproxy"]["queue"], edge.has_run(installed)
    read["haproxy"]["queue"] = not has_run if wanted is None else wanted
    for name, entry in read["app_servers"].items():
        entry["nginx_requests"] = known.get(name) if read["haproxy"]["queue"] else None
    return [*_doubts(sent), *(_changes(wanted, has_run, installed) if known else ())]


def _sent(entry: Any) -> Any:
    return entry.get("nginx_requests") if isinstance(entry, dict) else None


def _is_number(sent: Any) -> bool:
    return type(sent) is int and 1 <= sent <= MOST


def _doubts(sent: Mapping[str, Any]) -> Iterator[str]:
    for name, found in sent.items():
        if found is not None and not _is_number(found):
            allowed = f"a whole number from 1 to {MOST} as nginx_requests"
            yield f"app_servers:{name}:maxconn: the mine says {words.describe(found)}, allowed: {allowed}; none waits"


def _changes(wanted: bool | None, has_run: bool, installed: str) -> Iterator[str]:
    """What a site that runs gets with the next release, or with this run."""
    if has_run and wanted is None:
        yield f"haproxy:queue: {_LATER}"
    elif installed and not has_run and wanted is None and f"timeout queue {TIMEOUT}" not in installed:
        yield f"haproxy:queue: {_NOW}"


def share(requests: int, lines: int) -> int:
    """
    Return the ``maxconn`` of a `server` line.

    requests
        What nginx takes at the same time.
    lines
        How many lines send to it. Each has an even share, so that who fills one leaves the others theirs.

    A quarter is left free: nginx's own sockets are connections too, health checks come on top, and the requests that a
    load balancer or a process still has after a failover or a reload. They are not divided by load balancers: one has
    the address, and all clients with it.
    """
    return max(1, requests * 3 // 4 // lines)
