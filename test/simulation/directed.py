"""Histories that bring each disturbance in each state of the pair: what is drawn meets few of these moments."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

from simulation import history
from simulation.disturbances import KINDS, Disturbance
from simulation.history import History
from simulation.invariants import Watch
from simulation.world import World

STEP, LONG = 0.05, 12.0

EVERYTHING, PEERS = "peers+servers+clients", "peers"
STATES = {
    "whole stays": History(1, 2, (Disturbance(10.0, "standby", 1, 60.0),)),
    "whole stays stands by": History(1, 2, (Disturbance(10.0, "cut", 1, 60.0, PEERS),)),
    "whole stays two claims": History(1, 2, (Disturbance(10.0, "cut all", 1, 60.0, EVERYTHING),)),
    "whole moves": History(1, 2, (Disturbance(10.0, "standby", 1, 60.0),)),
    "whole moves stands by": History(1, 2, (
        Disturbance(10.0, "cut", 2, 1.2, PEERS), Disturbance(10.47, "deaf", 2, 8.0),
    )),
    "whole moves two claims": History(1, 2, (
        Disturbance(10.0, "cut all", 1, 2.0, EVERYTHING), Disturbance(11.0, "deaf", 2, 8.0),
    )),
    "cut stays": History(1, 2, (Disturbance(10.0, "cut all", 2, 60.0, EVERYTHING),)),
    "cut stays stands by": History(1, 2, (Disturbance(10.0, "cut", 1, 60.0, PEERS),)),
    "cut stays two claims": History(1, 2, (Disturbance(10.0, "cut all", 1, 60.0, EVERYTHING),)),
    "cut moves": History(1, 2, (Disturbance(10.0, "cut all", 1, 60.0, EVERYTHING),)),
    "cut moves stands by": History(1, 2, (
        Disturbance(10.0, "cut", 2, 60.0, PEERS), Disturbance(10.47, "deaf", 2, 8.0),
    )),
    "cut moves two claims": History(1, 2, (
        Disturbance(10.0, "cut all", 1, 60.0, EVERYTHING), Disturbance(11.0, "deaf", 2, 8.0),
    )),
}  # fmt: skip
"""In each of these a pair can be; a history that comes there."""
WHILE_IT_MOVES = ("API", "metadata", "cloud", "late requests", "deaf")
"""Of these every value comes while the address moves: there they matter."""


def pairs(states: Collection[str] = tuple(STATES)) -> list[tuple[str, History]]:
    """Each state, and a history in which a disturbance begins there: each kind once, some with every value."""
    found = []
    for at, state in enumerate(states):
        for kind, its in KINDS.items():
            every = kind in WHILE_IT_MOVES and state in ("whole moves", "cut moves")
            for value in its.values if every else (its.values[at % len(its.values)],):
                found.append((f"{kind} while {state}", with_one_more(state, kind, 1 + at % 2, value)))
    return found


def with_one_more(state: str, kind: str, node: int, value: Any) -> History:
    base = STATES[state]
    one = Disturbance(moment(base, state), kind, node, min(LONG, KINDS[kind].longest), value)
    return base._replace(disturbances=tuple(sorted((*base.disturbances, one), key=lambda one: one.at)))


@functools.cache
def moment(base: History, state: str) -> float:
    """When a history has been in a state for a moment: seconds since disturbances can begin."""
    found: list[float] = []
    before = [""]

    def look(world: World, watch: Watch) -> None:
        now = watch.state()
        if now == before[0] == state and world.kernel.now > history.CALM_BEFORE and not found:
            found.append(round(world.kernel.now - history.CALM_BEFORE, 2))
        before[0] = now
        if not found:
            world.kernel.after(STEP, lambda: look(world, watch))

    history.run(base, look=look)
    if not found:
        raise LookupError(f"{base} is never in the state {state!r}")
    return found[0]
