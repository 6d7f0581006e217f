"""
The servers behind HAProxy over a reload: those that leave are drained first, and the others stay up, down, drained or
in maintenance (HAProxy's management guide, 9.3; its configuration manual, `server-state-file`).
"""

import contextlib
from dataclasses import dataclass

from haproxy_ha_host import files, net, system
from haproxy_ha_lib import haproxy_cfg, runtime

_UP_SECONDS = 10  # HAProxy's own pace: two good checks, 2 s apart, and some patience


@dataclass(frozen=True)
class Pool:
    """
    What is needed to ask HAProxy about its servers.

    socket
        Its runtime API.
    cfg
        Its configuration: the path of the file of the set.
    states
        The file that it reads states from when it starts, None where it should not.
    drain_timeout
        Seconds that a server that leaves gets to finish its requests; 0: none is drained.
    """

    socket: str
    cfg: str
    states: str | None
    drain_timeout: int


@contextlib.contextmanager
def drained(pool, wanted):
    """
    Take the servers that are not in a set of files out of rotation, and wait until they are idle. If the block fails
    they are in rotation again. The value says in words what was done.

    A backend of which no server would be left is not touched: it would answer nobody. If those that stay are down, one
    of them is waited for.
    """
    down = _wait_up(pool, wanted)
    leaving = _leaving(pool, wanted)
    try:
        _set_state(pool, leaving, "drain")
        yield "; ".join(filter(None, [down, _wait_idle(pool, leaving)]))
    except BaseException:
        with contextlib.suppress(OSError):  # a HAProxy that has gone has forgotten it too
            _set_state(pool, leaving, "ready")
        raise


def _set_state(pool, servers, state):
    for backend, server in servers:
        net.ask(pool.socket, f"set server {backend}/{server} state {state}")


def _wait_up(pool, wanted):
    """Keep a backend that answers now from answering nobody, if the servers that stay come up in time."""
    down = []

    def up():
        down[:] = runtime.down_alone(_current(pool), _servers(pool, wanted))
        return not down

    if system.wait_for(up, _UP_SECONDS):
        return ""
    alone = ", ".join(f"{backend}/{server}" for backend, server in down)
    return f"still down after {_UP_SECONDS} s, and without another one now: {alone}"


def _leaving(pool, wanted):
    return runtime.leaving(_current(pool), _servers(pool, wanted)) if pool.drain_timeout else []


def _current(pool):
    """What HAProxy says of its servers; nothing where its runtime API is off, or elsewhere."""
    try:
        return runtime.parse_servers_state(net.ask(pool.socket, "show servers state"))
    except OSError:
        return []


def _servers(pool, wanted):
    return haproxy_cfg.servers(wanted[pool.cfg]["content"])


def _wait_idle(pool, leaving):
    busy = {}

    def idle():
        busy.clear()
        busy.update(runtime.busy(net.ask(pool.socket, "show stat"), leaving))
        return not busy

    if not leaving:
        return ""
    system.wait_for(idle, pool.drain_timeout)
    said = [f"{backend}/{server}{_left(busy.get((backend, server)), pool)}" for backend, server in leaving]
    return f"drained: {', '.join(said)}"


def _left(sessions, pool):
    return f" (with {sessions} sessions left after {pool.drain_timeout} s)" if sessions else ""


@contextlib.contextmanager
def states_kept(pool, wanted):
    """
    HAProxy finds the states of its servers when it is started anew in the block. Afterwards the file is empty again:
    whoever reloads HAProxy later must not bring back what was true today.
    """
    text = _states(pool, wanted) if pool.states else None
    if not text:
        yield
        return
    at_rest = wanted[pool.states]
    files.put(pool.states, {**at_rest, "content": text})
    try:
        yield
    finally:
        files.put(pool.states, at_rest)


def _states(pool, wanted):
    try:
        return runtime.kept_states(net.ask(pool.socket, "show servers state"), _servers(pool, wanted))
    except OSError:  # its runtime API is off, or elsewhere: its servers begin anew
        return None
