"""
The servers behind HAProxy over a reload: those that leave are drained first, and the others stay up, down, drained or
in maintenance (HAProxy's management guide, 9.3; its configuration manual, `server-state-file`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from haproxy_ha_host import files, net, waiting
from haproxy_ha_host.haproxy.runtime import ADMIN, HAProxy
from haproxy_ha_lib.haproxy import cfg, runtime
from haproxy_ha_lib.haproxy.runtime import Row, Server

_NEW_WORKER_SECONDS = 5
_AT_ONCE = 32
UP_SECONDS = 10  # HAProxy's own pace: two good checks, 2 s apart, and some patience


@dataclass(frozen=True)
class Pool:
    """
    What is needed to ask HAProxy about its servers.

    haproxy
        Who is asked.
    states
        The file that it reads states from when it starts, None where it should not.
    drain_timeout
        Seconds that a server that leaves gets to finish its requests; 0: none is drained.
    """

    haproxy: HAProxy
    states: str | None
    drain_timeout: int


def warning(pool: Pool, wanted: Mapping[str, Any]) -> str:
    """What cannot be done for the servers when HAProxy takes a set of files, in words; empty if nothing is amiss."""
    unreachable = _unreachable(pool)
    if unreachable:
        return unreachable
    rows, level = pool.haproxy.servers(), pool.haproxy.level()
    leaving = _named(runtime.leaving(rows, _servers(pool, wanted))) if pool.drain_timeout else ""
    if level == ADMIN or not leaving:
        return ""
    return f"HAProxy's sockets allow {level} at most, and draining needs {ADMIN}: not drained will be {leaving}"


def _unreachable(pool: Pool) -> str:
    try:
        pool.haproxy.way()
    except OSError as exc:
        return f"{exc}: servers that leave are not drained, and the others begin anew"
    return ""


def _named(servers: list[Server]) -> str:
    return ", ".join(f"{backend}/{server}" for backend, server in servers)


@contextlib.contextmanager
def drained(pool: Pool, wanted: Mapping[str, Any]) -> Iterator[str]:
    """
    Take the servers that are not in a set of files out of rotation, and wait until they are idle. If the block fails
    they are in rotation again. The value says in words what was done.

    A backend of which no server would be left is not touched: it would answer nobody. If those that stay are down, one
    of them is waited for.
    """
    unreachable = _unreachable(pool)
    if unreachable:
        yield unreachable
        return
    down = _wait_up(pool, wanted)
    leaving = _leaving(pool, wanted)
    _remember(pool, leaving)
    try:
        refusal = _set_state(pool, leaving, "drain")
        yield "; ".join(filter(None, [down, _wait_idle(pool, leaving, refusal)]))
    except BaseException:
        with contextlib.suppress(OSError):  # a HAProxy that has gone has forgotten it too
            _put_back(pool, leaving)
        raise
    finally:
        _forget()


def _set_state(pool: Pool, servers: list[Server], state: str) -> str:
    """Returns what HAProxy has against it, in its own words."""
    if not servers:
        return ""
    way = pool.haproxy.way()
    answers = [way.ask(f"set server {backend}/{server} state {state}").strip() for backend, server in servers]
    return next(filter(None, answers), "")


def _put_back(pool: Pool, servers: list[Server]) -> None:
    """
    Out of a drain alone HAProxy gives a server none of the requests that wait, for as long as any do (2.6, tried); out
    of maintenance it does. One that is down would count as up for a moment after that, and maintenance may end the
    sessions of one that has any (on-marked-down).
    """
    alive = runtime.alive(_current(pool), servers)
    busy = runtime.busy(pool.haproxy.ask("show stat"), alive)
    _set_state(pool, [server for server in alive if server not in busy], "maint")
    _set_state(pool, servers, "ready")


def _wait_up(pool: Pool, wanted: Mapping[str, Any]) -> str:
    """Keep a backend that answers now from answering nobody, if the servers that stay come up in time."""
    down: list[Server] = []

    def up() -> bool:
        down[:] = runtime.down_alone(_current(pool), _servers(pool, wanted))
        return not down

    if waiting.wait_for(up, UP_SECONDS):
        return ""
    return f"still down after {UP_SECONDS} s, and without another one now: {_named(down)}"


def _leaving(pool: Pool, wanted: Mapping[str, Any]) -> list[Server]:
    return runtime.leaving(_current(pool), _servers(pool, wanted)) if pool.drain_timeout else []


def _current(pool: Pool) -> list[Row]:
    """What HAProxy says of its servers; nothing where there is no way to ask it."""
    try:
        return pool.haproxy.servers()
    except OSError:
        return []


def _servers(pool: Pool, wanted: Mapping[str, Any]) -> dict[Server, str]:
    return cfg.servers(wanted[pool.haproxy.cfg].content)


def _wait_idle(pool: Pool, leaving: list[Server], refusal: str) -> str:
    """Wait for those that HAProxy itself calls drained, and say so of them alone."""
    if not leaving:
        return ""
    way, drained = pool.haproxy.way(), runtime.drained(pool.haproxy.servers(), leaving)
    busy: dict[Server, int] = {}

    def idle() -> bool:
        busy.clear()
        busy.update(runtime.busy(way.ask("show stat"), drained))
        return not busy

    waiting.wait_for(idle, pool.drain_timeout)
    said = [f"{backend}/{server}{_left(busy.get((backend, server)), pool)}" for backend, server in drained]
    others = _named([server for server in leaving if server not in drained])
    return "; ".join(filter(None, [
        f"drained: {', '.join(said)}" if said else "",
        f"not drained: {others} (HAProxy says: {refusal or 'nothing'})" if others else "",
    ]))  # fmt: skip


def _left(sessions: int | None, pool: Pool) -> str:
    return f" (with {sessions} sessions left after {pool.drain_timeout} s)" if sessions else ""


# What a killed run has left


def left_drained(pool: Pool) -> list[Server]:
    """The servers that a run which was killed drained, and that are drained still: [(backend, server)]."""
    try:
        remembered = json.loads(files.text(memory()) or "{}")
        if not remembered or remembered["worker"] != _worker(pool):
            return []  # a worker that was started since begins anew
        return runtime.drained(pool.haproxy.servers(), [tuple(server) for server in remembered["servers"]])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def take_back(pool: Pool) -> list[Server]:
    """Put what :func:`left_drained` finds into rotation again; returns those that are."""
    servers = left_drained(pool)
    with contextlib.suppress(OSError):
        _put_back(pool, servers)
    still = left_drained(pool) if servers else []
    if not still:
        _forget()
    return [server for server in servers if server not in still]


def memory() -> str:
    return f"{files.STATE}/drained.json"


def _remember(pool: Pool, servers: list[Server]) -> None:
    """Before they are drained: a run may be killed at any moment."""
    if servers:
        content = {"worker": _worker(pool), "servers": servers}
        files.put_private(memory(), json.dumps(content, indent=1) + "\n")


def _forget() -> None:
    files.put(memory(), None)


def _worker(pool: Pool) -> list[str]:
    """What tells a worker from the one before it."""
    return runtime.identity(pool.haproxy.ask("show info"))


# Over the reload


@contextlib.contextmanager
def states_kept(pool: Pool, wanted: Mapping[str, Any]) -> Iterator[None]:
    """
    HAProxy finds the states of its servers when it is started anew in the block; what it cannot find there it is told
    afterwards. Then the file is empty again: whoever reloads HAProxy later must not bring back what was true today.
    """
    if pool.states is None or not (before := _current(pool)):
        yield
        return
    servers, at_rest, worker = _servers(pool, wanted), wanted[pool.states], _worker(pool)
    files.put(pool.states, at_rest.with_content(runtime.kept_states(before, servers, _resolved(before))))
    try:
        yield
    finally:
        files.put(pool.states, at_rest)
    with contextlib.suppress(OSError):
        # A stats socket may be the old worker's for a moment still.
        waiting.wait_for(lambda: _worker(pool) != worker, _NEW_WORKER_SECONDS)
        way = pool.haproxy.way()
        for command in runtime.amends(before, pool.haproxy.servers(), servers):
            way.ask(command)


def _resolved(rows: Iterable[Row]) -> dict[str, set[str]]:
    """The addresses that names of servers have now: {name: set of addresses}, without those that are unknown here."""
    names = sorted({row["srv_fqdn"].lower() for row in rows} - {"-"})
    with ThreadPoolExecutor(_AT_ONCE) as threads:  # one that is not answered waits for seconds
        found = dict(zip(names, threads.map(net.addresses_of, names), strict=True))
    return {name: addresses for name, addresses in found.items() if addresses}
