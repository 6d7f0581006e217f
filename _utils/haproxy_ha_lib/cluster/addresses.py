"""The Pacemaker objects of one floating IP among all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haproxy_ha_lib import provider
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.types import Tree

HANDOVER_ATTRIBUTE = "haproxy_ha-handover"
"""A node with this attribute gives the addresses to one without it; with a name behind it, that address."""

TAKEOVER_ATTRIBUTE = "haproxy_ha-takeover"
"""A node with this attribute has taken the address from one that was lost."""

CUT_OFF_ATTRIBUTE = "haproxy_ha-cut-off"
"""What the resident watcher tells of a node to which clients do not come: a score."""

STICKINESS = 100
"""Above 0, so that no address moves back by itself."""

_PREFERRED = {"start": 10, "always": 200}
"""Below stickiness, or above; always below what is reached and a takeover, which tell of illness."""

_MOST_PER_SECOND = 0.5
"""Monitors of addresses: one costs about 20 ms of CPU, and fifty that each look every 10 s a tenth of a core."""


def handover_of(resource: str, several: bool) -> str:
    """
    Return the attribute of a node that gives a floating IP away (str).

    several
        Whether there are others, which then stay.
    """
    return f"{HANDOVER_ATTRIBUTE}-{resource}" if several else HANDOVER_ATTRIBUTE


def handover_attributes(moving: Sequence[FloatingIP]) -> list[str]:
    """Return all attributes by which nodes give floating IPs away (list of str)."""
    own = [handover_of(one.resource, several=True) for one in moving] if len(moving) > 1 else []
    return [HANDOVER_ATTRIBUTE, *own]


def _takeover_attribute(one: FloatingIP) -> str:
    return TAKEOVER_ATTRIBUTE if one.name is None else f"{TAKEOVER_ATTRIBUTE}-{one.resource}"


def objects(one: FloatingIP, moving: Sequence[FloatingIP], nodes: int, spread: str) -> Tree:
    """
    Return the objects of one floating IP, by section.

    moving
        All of them.
    nodes
        How many load balancers there are.
    spread
        How much a preference counts, as in pillar's ``cluster:spread``.
    """
    name = one.resource
    # Not symmetrical: HAProxy recovers in place without moving the address.
    order = {"first": "haproxy-clone", "then": name, "kind": "Mandatory", "symmetrical": False}
    with_haproxy = {f"{name}-haproxy": {"resource": name, "with": "haproxy-clone", "score": "INFINITY"}}
    return {
        "primitives": {name: _primitive(one, moving)},
        "colocations": {**with_haproxy, **_beside(one)},
        "orders": {f"haproxy-before-{name}": order},
        "locations": {} if one.stays_with else _locations(one, moving, nodes, spread),
    }


def _primitive(one: FloatingIP, moving: Sequence[FloatingIP]) -> Tree:
    agent, params = provider.of(one).agent(one)
    return {
        "agent": agent,
        "params": {**params, **_told(one, moving), **one.params},
        # After an outage of the API nothing stays down for ever. If two nodes claim the address (a healed
        # split), only the surplus claim is stopped.
        "meta": {"migration-threshold": 3, "failure-timeout": "120s", "multiple-active": "stop_unexpected"},
        "operations": [
            operation("monitor", f"{max(10, int(len(moving) / _MOST_PER_SECOND))}s", "20s"),
            operation("start", "0s", "60s"),
            operation("stop", "0s", "20s"),
        ],
    }


def _told(one: FloatingIP, moving: Sequence[FloatingIP]) -> Tree:
    """The attributes by which an agent that has any tells of one address among several."""
    own = {
        "handover_attribute": (handover_of(one.resource, len(moving) > 1), HANDOVER_ATTRIBUTE),
        "takeover_attribute": (_takeover_attribute(one), TAKEOVER_ATTRIBUTE),
    }
    marks = provider.of(one).marks
    return {key: name for key, (name, usual) in own.items() if marks and name != usual}


def _beside(one: FloatingIP) -> Tree:
    """It goes where another one goes."""
    if not one.stays_with:
        return {}
    other = provider.resource(None if one.stays_with == "floating_ip" else one.stays_with)
    with_other = {"resource": one.resource, "with": other, "score": "INFINITY"}
    return {f"{one.resource}-{other}": with_other}


def _locations(one: FloatingIP, moving: Sequence[FloatingIP], nodes: int, spread: str) -> Tree:
    """By transient attributes of the nodes. The sums matter only where they differ: else the address stays."""
    name = one.resource
    away = dict.fromkeys((HANDOVER_ATTRIBUTE, handover_of(name, len(moving) > 1)))
    preferred = {f"{name}-prefers": _preference(one, spread)} if one.prefers and spread in _PREFERRED else {}
    return {
        f"{name}-handover": _by(name, {"score": 100000}, *((attribute, "not_defined") for attribute in away)),
        # Both may claim it at the end of a partition, and stickiness does not count then. Below a gateway, which
        # may be lost soon after. Of three and more below stickiness, too: one may be lost for long there, and the
        # others have to choose.
        f"{name}-takeover": _by(name, {"score": 500 if nodes < 3 else 50}, (_takeover_attribute(one), "defined")),
        # What HAProxy's agent finds reachable there, 0 to 2000. Below handover, above stickiness.
        f"{name}-reach": _by(name, {"score-attribute": "haproxy_ha-reach"}, ("haproxy_ha-reach", "defined")),
        # A node of which nothing is known, as after a crash of a daemon of Pacemaker's, is no worse than another.
        f"{name}-reach-unknown": _by(name, {"score": 2000}, ("haproxy_ha-reach", "not_defined")),
        # What the resident watcher tells sooner: -1000 where clients do not come to the node. Without it the above.
        f"{name}-cut-off": _by(name, {"score-attribute": CUT_OFF_ATTRIBUTE}, (CUT_OFF_ATTRIBUTE, "defined")),
        **preferred,
    }


def _by(resource: str, score: Tree, *conditions: tuple[str, str]) -> Tree:
    """A location rule: a node counts that meets all conditions."""
    expressions = [{"expression": {"attribute": name, "operation": operation}} for name, operation in conditions]
    return {"resource": resource, "rules": [{**score, "expressions": expressions}]}


def _preference(one: FloatingIP, spread: str) -> Tree:
    return {"resource": one.resource, "node": one.prefers, "score": _PREFERRED[spread]}


def operation(name: str, interval: str, timeout: str) -> dict[str, Any]:
    """An operation of a primitive."""
    return {"name": name, "interval": interval, "timeout": timeout}
