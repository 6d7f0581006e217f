"""No resets for a moment, while an address comes here from a machine that has clients' answers on the way to them.

An address that comes as it is moves for all packets at once. Who has its answer from the former owner acknowledges it
to this machine, which knows of no such connection, and whose reset overtakes the answer's end. The kernel resets what
it does not know without an acknowledgement (RFC 9293, 3.5.2), and nothing else.
"""

import os
import time

import agent
from agent import Failure
from claims import seconds_since
from undone import RESETS

TABLE = "inet haproxy_ha_resets"
AT_MOST = 60  # seconds: no start takes longer, and after as much the table goes
AFTER = "250ms"  # for as long the end of an answer may be on its way; what is asked again is then reset
PATIENCE = 2.0  # seconds for nft, which takes milliseconds
_SETS = {"ipv4": "ip", "ipv6": "ip6"}


def hold_back(env, address):
    """Has this machine send none with an address, until :func:`let_go`; tells whether it does."""
    name = _set_of(address)
    rules = [f"add table {TABLE}", f"add chain {TABLE} output {{ type filter hook output priority filter; }}"]
    rules += [f"add set {TABLE} {one} {{ type {one}_addr; flags timeout; }}" for one in _SETS]
    rules += [f"flush chain {TABLE} output", *map(_rule, _SETS)]
    try:
        agent.replace_file(_path(env), f"{time.monotonic():.3f}\n")
        _nft(env, *rules, *_element(name, address, f"{AT_MOST}s"))
    except Failure as failure:
        agent.log(f"{address}: a request that is under way as it moves may be reset: {failure.reason}")
        return False
    return True


def let_go(env, address):
    """Has it send them again, soon."""
    name = _set_of(address)
    try:
        _nft(env, *_element(name, address, AFTER))
    except Failure as failure:
        agent.log(f"{address}: for {AT_MOST} s nothing with it is reset: {failure.reason}")


def take_off(env, at_once):
    """Takes the table away, when its time is over."""
    age = seconds_since((agent.read_file(_path(env)) or "").strip())
    if not at_once and age is not None and age < AT_MOST:
        return
    try:
        _nft(env, f"add table {TABLE}", f"delete table {TABLE}")  # somebody may have flushed all
    except Failure as failure:
        agent.log(failure.reason)  # tried again
        return
    agent.remove_file(_path(env))


def _rule(name):
    return f"add rule {TABLE} output {_SETS[name]} saddr @{name} tcp flags & (fin | syn | rst | ack) == rst drop"


def _element(name, address, seconds):
    """Another timeout is only taken by an element that is new."""
    there, anew = (f"element {TABLE} {name} {{ {address}{more} }}" for more in ("", f" timeout {seconds}"))
    return f"add {there}", f"delete {there}", f"add {anew}"


def _set_of(address):
    return "ipv6" if ":" in address else "ipv4"


def _nft(env, *commands):
    agent.run(["nft", "; ".join(commands)], min(PATIENCE, env.left))


def _path(env):
    return os.path.join(env.state_directory, RESETS)
