"""
The servers behind HAProxy over a reload: those that leave are drained first, and the others stay up, down, drained or
in maintenance (HAProxy's management guide, 9.3; its configuration manual, `server-state-file`).
"""

import contextlib
from dataclasses import dataclass

from haproxy_ha_host import files, net, system
from haproxy_ha_lib import haproxy_cfg, runtime


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

    A backend of which no server would be left is not touched: it would answer nobody.
    """
    leaving = _leaving(pool, wanted)
    try:
        _set_state(pool, leaving, "drain")
        yield _wait_idle(pool, leaving) if leaving else ""
    except BaseException:
        with contextlib.suppress(OSError):  # a HAProxy that has gone has forgotten it too
            _set_state(pool, leaving, "ready")
        raise


def _set_state(pool, servers, state):
    for backend, server in servers:
        net.ask(pool.socket, f"set server {backend}/{server} state {state}")


def _leaving(pool, wanted):
    if not pool.drain_timeout:
        return []
    try:
        states = runtime.parse_servers_state(net.ask(pool.socket, "show servers state"))
    except OSError:
        return []
    return runtime.leaving(states, _servers(pool, wanted))


def _servers(pool, wanted):
    return haproxy_cfg.servers(wanted[pool.cfg]["content"])


def _wait_idle(pool, leaving):
    busy = {}

    def idle():
        busy.clear()
        busy.update(runtime.busy(net.ask(pool.socket, "show stat"), leaving))
        return not busy

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
