"""What the kernel's packet filter does for a moment, as an address moves between two machines that serve (nft(8)).

A new owner holds back RESETS. An address that comes as it is moves for all packets at once: a client that has its
answer from the former owner acknowledges it to this machine, which knows of no such connection, and whose reset
overtakes the answer's end. What is unknown is reset without an acknowledgement (RFC 9293, 3.5.2), and nothing else is.

A former owner on a LAN keeps SILENCE: it serves until a neighbour has heard of the new one, and tells none that it has
the address itself.
"""

import os
import time
from collections import namedtuple

import agent
from agent import Failure
from claims import seconds_since
from undone import LEAVING, RULES, left

# table: its name. families: by that of an address, the table's own and the rule.
Rules = namedtuple("Rules", "table families")

_ALONE = "tcp flags & (fin | syn | rst | ack) == rst drop"
_NEIGHBOURS = "icmpv6 type { nd-neighbor-advert, nd-neighbor-solicit } drop"
RESETS = Rules(
    "haproxy_ha_resets", {"ipv4": ("ip", f"ip saddr @moving {_ALONE}"), "ipv6": ("ip6", f"ip6 saddr @moving {_ALONE}")}
)
SILENCE = Rules(
    "haproxy_ha_silence",
    {"ipv4": ("arp", "arp saddr ip @moving drop"), "ipv6": ("ip6", f"ip6 saddr @moving {_NEIGHBOURS}")},
)
RESETS_AT_MOST, RESETS_AFTER = "60s", "250ms"  # a start; the end of an answer, and what is asked again is reset
KEPT = 60.0  # seconds for which tables stay that may be of use once more
PATIENCE, AT_LEAST = 2.0, 0.3  # seconds for nft, which takes milliseconds


def begin(env, rules, addresses, time_of_nft=""):
    """Has them count for some addresses: for a time, also where they do already, or until :func:`end`.

    Raises:
        Failure: They do not.
    """
    agent.replace_file(_path(env), f"{time.monotonic():.3f}\n")
    apply(env, *_tables(rules, addresses), *_elements(rules, addresses, time_of_nft))


def end(env, rules, addresses):
    """They count no more for some addresses.

    Raises:
        Failure: They do.
    """
    apply(env, *_tables(rules, addresses), *_elements(rules, addresses, None))


def take_off(env, at_once):
    """Takes the tables away, when their time is over."""
    age = seconds_since((agent.read_file(_path(env)) or "").strip())
    if left(env, LEAVING) or not at_once and age is not None and age < KEPT:
        return
    tables = [f"{family} {one.table}" for one in (RESETS, SILENCE) for family, _ in one.families.values()]
    try:
        # Somebody may have flushed all.
        apply(env, *(f"{verb} table {table}" for table in tables for verb in ("add", "delete")))
    except Failure as failure:
        agent.log(failure.reason)  # tried again
        return
    agent.remove_file(_path(env))


def _tables(rules, addresses):
    for name in sorted({_family(address) for address in addresses}):
        family, rule = rules.families[name]
        table = f"{family} {rules.table}"
        yield f"add table {table}"
        yield f"add chain {table} output {{ type filter hook output priority filter; }}"
        yield f"add set {table} moving {{ type {name}_addr; flags timeout; }}"
        yield f"flush chain {table} output"
        yield f"add rule {table} output {rule}"


def _elements(rules, addresses, time_of_nft):
    """One that is there keeps its time: it goes, and comes anew, but for None."""
    for address in addresses:
        where = f"element {rules.families[_family(address)][0]} {rules.table} moving"
        yield f"add {where} {{ {address} }}"
        yield f"delete {where} {{ {address} }}"
        if time_of_nft is not None:
            yield f"add {where} {{ {address}{f' timeout {time_of_nft}' if time_of_nft else ''} }}"


def _family(address):
    return "ipv6" if ":" in address else "ipv4"


def apply(env, *commands):
    """Has nft do all of it, or nothing.

    Raises:
        Failure: It does not.
    """
    # What a start has begun it ends, also where its own time is over: the cluster kills a little later.
    done = agent.run(["nft", "; ".join(commands)], max(AT_LEAST, min(PATIENCE, env.left)), check=False)
    if done.returncode:
        raise Failure(agent.ERR_GENERIC, f"nft: {(done.stderr.splitlines() or ['it failed'])[0]}")


def _path(env):
    return os.path.join(env.state_directory, RULES)
