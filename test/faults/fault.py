"""What a fault is, and how one is run: injected under traffic, mended, audited."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab import audit
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, say, wait_for
from lab.simulator import control
from lab.topology import BALANCERS
from lab.traffic import probe

from . import inspection

INTERVAL_MS = 20
STEADY = 25  # so many good answers in a row mean that clients are served
SETTLE = 150.0  # seconds in which the system is healthy again; failures are forgotten after 120


@dataclass(frozen=True)
class Scene:
    """The balancers at the moment of the fault, and what the cloud had counted."""

    active: str
    passive: str
    counts: dict[str, int]


def nothing(scene: Scene) -> None:
    """Nothing is left to mend."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        name (str): How it is chosen on the command line; unique.
        group (str): Its class.
        title (str): What happens, for people.
        inject (callable): Makes it happen; raises a LabError where it does not.
        mend (callable): Makes it good. Default: nothing, it mends itself.
        gap (float): The longest gap that a client may see, in seconds.
        moves (int): How often the address may move each time that it strikes.
        strikes (int): How often it strikes.
        calls (int): How many calls of the API may be made.
        steady (int): So many good answers in a row mean that clients are served while the fault lasts.
        hold (float): Seconds that the fault lasts once clients are served.
        after (callable): What has to come true while the fault lasts, by which it is seen to be there: scene -> bool.
            Default: nothing, for what ``inject`` itself has seen.
        within (float): Seconds in which it has to.
        operator (str): What an operator must do.
        long (bool): It takes minutes, and is no part of a soak.
    """

    name: str
    group: str
    title: str
    inject: Callable[[Scene], None]
    mend: Callable[[Scene], None] = nothing
    gap: float = 3.0
    moves: int = 0
    strikes: int = 1
    calls: int = 60
    steady: int = STEADY
    hold: float = 2.0
    after: Callable[[Scene], object] | None = None
    within: float = 30.0
    operator: str = "nothing"
    long: bool = False


@dataclass
class Outcome:
    """What a fault did."""

    fault: Fault
    gap: float = 0.0
    failed: int = 0
    requests: int = 0
    moves: int = 0
    calls: int = 0
    load: float = 0.0
    problems: list[str] = field(default_factory=list)

    def attempt(self, step: Callable[..., object], *arguments) -> None:
        """Take a step; that it cannot be taken is a problem, and the next one is taken all the same."""
        try:
            step(*arguments)
        except LabError as error:
            self.problems.append(str(error))


def run(fault: Fault, baseline: inspection.Baseline, apply: bool = True) -> Outcome:
    """Inject, watch, mend, audit. What is not as it should be is in the outcome; with ``apply`` a new state.apply is
    part of the audit."""
    outcome = Outcome(fault)
    machine(BALANCERS[0]).run("crm_resource", "--cleanup")  # with those before it, a failure would count for more
    active = audit.settle(SETTLE)
    before = control.state(str(CONTROL))
    scene = Scene(active, audit.passive_of(active), before["counts"])
    with probe(INTERVAL_MS) as record:
        wait_for("a quiet start", lambda: len(record.samples) >= STEADY, 10, 0.05)
        outcome.attempt(_play, fault, scene, record)
        outcome.attempt(fault.mend, scene)
        outcome.attempt(audit.settle, SETTLE)
    after = control.state(str(CONTROL))
    outcome.gap = round(record.longest_gap, 3)
    outcome.failed, outcome.requests = len(record.failed), len(record.samples)
    outcome.moves = len(after["moves"]) - len(before["moves"])
    outcome.calls = after["counts"]["calls"] - before["counts"]["calls"]
    outcome.problems += _over_budget(outcome) + inspection.problems(baseline, apply)
    outcome.load = round(os.getloadavg()[0] / (os.cpu_count() or 1), 1)
    say(f"{fault.name}: gap {outcome.gap:.2f} s, {outcome.failed} failed, {outcome.moves} moves, {outcome.calls} calls;"
        f" {'; '.join(outcome.problems) or 'all well'}")  # fmt: skip
    return outcome


def _play(fault: Fault, scene: Scene, record) -> None:
    injected = time.time()
    fault.inject(scene)
    if fault.after:
        wait_for(f"what {fault.name} leads to", lambda: fault.after(scene), fault.within)

    def served() -> bool:
        last = record.samples[-fault.steady :]
        steady = all(sample["status"] == 200 and sample["start"] > injected for sample in last)
        return steady and time.time() - injected > fault.hold

    wait_for("clients to be served", served, max(fault.gap, fault.hold) + 10)


def _over_budget(outcome: Outcome) -> list[str]:
    fault = outcome.fault
    budget = (
        ("a gap of {:.2f} s, allowed: {:g}", outcome.gap, fault.gap),
        ("{} moves, allowed: {}", outcome.moves, fault.moves * fault.strikes),
        ("{} calls of the API, allowed: {}", outcome.calls, fault.calls),
    )
    return [text.format(found, allowed) for text, found, allowed in budget if found > allowed]
