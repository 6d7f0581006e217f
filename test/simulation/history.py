"""Histories: drawn from a seed, run to their end, shrunk to the shortest that fails, told as a story."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from simulation import programs
from simulation.disturbances import KINDS, Disturbance, draw
from simulation.invariants import CALM, Watch
from simulation.world import Setting, Violation, World

CALM_BEFORE, SPAN, CALM_AFTER = 30.0, 150.0, CALM + 40.0


NOW = Setting()


class History(NamedTuple):
    """A world and what happens to it: all that is needed to repeat it."""

    seed: int
    nodes: int
    disturbances: tuple[Disturbance, ...]
    fencing: bool = False


class Outcome(NamedTuple):
    """How a history went: what is wrong with it ("" for nothing), and what was told."""

    wrong: str
    story: list[tuple[float, str]]
    seen: set[tuple[str, str]]
    moves: int
    calls: int
    reached: frozenset[tuple[str, int]]


def drawn_history(seed: int) -> History:
    source = random.Random(seed)
    number = 3 if source.random() < 0.25 else 2
    disturbances = tuple(draw(source, number, source.choice((1, 3, 8)), SPAN))
    return History(seed, number, disturbances, source.random() < 0.25)


def run(history: History, setting: Setting = NOW, look: Callable[[World, Watch], None] | None = None) -> Outcome:
    """Lets a history happen; `look` is called when it begins."""
    programs.REACHED.clear()
    world = World(history.seed, history.nodes, setting, history.fencing)
    watch = Watch(world, CALM_BEFORE)
    last = CALM_BEFORE
    for one in history.disturbances:
        begin = CALM_BEFORE + one.at
        last = max(last, begin + one.seconds)
        world.kernel.after(begin, lambda one=one: start(world, watch, one))
    wrong = ""
    try:
        world.begin()
        if look:
            look(world, watch)
        world.kernel.run(last + CALM_AFTER)
        watch.well()
    except Violation as violation:
        wrong = str(violation)
    finally:
        world.end()
    return Outcome(wrong, world.story, watch.seen, watch.moves, watch.calls, frozenset(programs.REACHED))


def start(world: World, watch: Watch, one: Disturbance) -> None:
    node = world.nodes[(one.node - 1) % len(world.nodes)]
    value = "" if one.value is None else f" ({one.value})"
    world.tell(f"--- {one.kind}{value}, {node.name}, for {one.seconds} s")
    watch.began(one)
    KINDS[one.kind].begin(world, node, one.value)

    def end() -> None:
        world.tell(f"--- the end of {one.kind}, {node.name}")
        KINDS[one.kind].end(world, node, one.value)
        watch.over(one)

    world.kernel.after(one.seconds, end)


def shrink(history: History, setting: Setting = NOW) -> History:
    """The shortest history that still fails: fewer disturbances, then shorter ones at rounder moments."""
    again = True
    while again:
        again = False
        for smaller in smaller_ones(history):
            if run(smaller, setting).wrong:
                history, again = smaller, True
                break
    return history


def smaller_ones(history: History) -> Sequence[History]:
    """Histories with less in them, the much smaller ones first."""
    every = history.disturbances
    halves = [every[: len(every) // 2], every[len(every) // 2 :]] if len(every) > 3 else []
    fewer = [*halves, *(every[:at] + every[at + 1 :] for at in range(len(every)))]
    rounder = [
        (*every[:at], changed, *every[at + 1 :]) for at, one in enumerate(every)
        for changed in (one._replace(at=float(round(one.at))), one._replace(seconds=float(round(one.seconds) or 1)))
        if changed != one
    ]  # fmt: skip
    return [history._replace(disturbances=some) for some in (*fewer, *rounder) if some]


def told(outcome: Outcome) -> str:
    lines = [f"{moment:9.3f}  {text}" for moment, text in outcome.story]
    return "\n".join([*lines, f"wrong: {outcome.wrong or 'nothing'}"])
