"""One trial: an event strikes while a client asks every 10 ms, and what the client saw."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab import audit
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, say, wait_for
from lab.simulator import control
from lab.traffic import Record, probe

from .events import Event
from .systems import System

INTERVAL_MS = 10
STEADY = 100  # so many good answers in a row mean that clients are served again
PATIENCE = 30.0  # seconds after which nobody waits for a system to serve again by itself
SETTLE = 40.0  # seconds until a system that is mended and still ill needs an operator
PHASE = 15.0  # seconds: the longest interval of a monitor, the tutorial's
QUIET = 0.5  # share of the machine that is idle when a trial begins: other labs may be starting their hosts

# What the survivor writes to its journal when it takes over: Pacemaker's words, and keepalived's.
_WRITERS = ("pacemaker-based", "pacemaker-controld", "Keepalived_vrrp")
_NOTICED = re.compile(r"Node \S+ state is now lost|Entering MASTER STATE")
_STARTED = re.compile(r"Initiating start operation FloatIP_start_0")


@dataclass
class Trial:
    """What one event did.

    Args:
        system (str), event (str): Names.
        victim (str): The balancer that was struck.
        struck (float): When, in seconds since the epoch.
        recovered (bool): Clients were served again without an operator.
        repaired (bool): After everything was mended the system needed an operator.
        beyond_repair (bool): Even an operator's ordinary means did not help.
        load (float): The machine's load average of the last minute, when it was struck.
        samples (list): The client's requests, as lab.traffic has them.
        moves (list): The moves of the address, as the simulator has them.
        parts (dict): Of a loss of power: seconds of detection, of Pacemaker's pause, and of the agent.
    """

    system: str
    event: str
    victim: str
    struck: float
    recovered: bool = False
    repaired: bool = False
    beyond_repair: bool = False
    load: float = 0.0
    samples: list[dict] = field(default_factory=list)
    moves: list[dict] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Seconds between two good answers, at the most; to the end, where none came any more."""
        good = sorted(sample["start"] + sample["taken"] for sample in self.samples if sample["status"] == 200)
        end = max(sample["start"] + sample["taken"] for sample in self.samples)
        return max(later - earlier for earlier, later in zip(good, [*good[1:], end], strict=True))

    @property
    def failed(self) -> list[dict]:
        """The requests that got no good answer."""
        return [sample for sample in self.samples if sample["status"] != 200]

    @property
    def lost(self) -> list[dict]:
        """The failed requests that were not under way while the address moved."""
        return [
            sample
            for sample in self.failed
            if not any(
                sample["start"] <= move["end"] and move["begin"] <= sample["start"] + sample["taken"]
                for move in self.moves
            )
        ]


def run(system: System, event: Event, measured: Callable[[], None]) -> Trial:
    """Strike the balancer that has the address, watch, mend, and wait until the system is healthy.

    ``measured`` is called when the client has stopped and the hosts are up: what follows is only waited for.
    """
    victim = system.settle()
    event.prepare(system, victim)
    # A strike that follows on the last recovery finds a monitor that recovered it always as far from its next turn.
    time.sleep(random.uniform(0, PHASE))
    _wait_quiet()
    survivor = audit.passive_of(victim)
    moved_before = len(_moves())
    with probe(INTERVAL_MS) as record:
        wait_for("a quiet start", lambda: len(record.samples) >= STEADY // 2, 10, 0.02)
        control.delay(str(CONTROL), api_seconds=event.api_seconds)
        trial = Trial(system.name, event.name, victim, time.time(), load=os.getloadavg()[0])
        event.strike(system, victim)
        trial.recovered = _served_again(record, trial.struck, event, survivor if event.moves else "")
        control.delay(str(CONTROL))
        if event.mend_watched:
            event.mend(system, victim)
            _settle(system, trial)
    trial.samples, trial.moves = record.samples, _moves()[moved_before:]
    if event.name.startswith("power-loss"):
        trial.parts = parts(_journal(survivor, trial.struck), trial)
    if not event.mend_watched:
        event.mend(system, victim)
    measured()
    if not event.mend_watched:
        _settle(system, trial)
    return trial


def _wait_quiet() -> None:
    last = _ticks()

    def quiet() -> bool:
        nonlocal last
        before, last = last, _ticks()
        return last[0] - before[0] >= QUIET * (last[1] - before[1]) > 0

    wait_for("a quiet machine", quiet, 600, 1)


def _ticks() -> tuple[int, int]:
    """What the processors have been idle, and what they have been in all; proc(5), of /proc/stat."""
    ticks = list(map(int, Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]))
    return ticks[1] + ticks[3] + ticks[4], sum(ticks)


def _served_again(record: Record, since: float, event: Event, by: str) -> bool:
    def steady() -> bool:
        last = record.samples[-STEADY:]
        good = all(sample["status"] == 200 and sample["start"] > since for sample in last)
        right = not by or all(sample["balancer"] == by for sample in last)
        return good and right and time.time() - since > event.watch

    try:
        wait_for("clients to be served again", steady, PATIENCE, 0.05)
    except LabError:
        return False
    return True


def _settle(system: System, trial: Trial) -> None:
    """Wait until all is well, with an operator's help if it has to be."""
    try:
        system.settle(SETTLE)
    except LabError:
        trial.repaired = True
        _repair(system, trial)


def _repair(system: System, trial: Trial) -> None:
    try:
        system.repair()
        system.settle(90)
    except LabError as error:
        say(f"{system.name}: {trial.event}: {error}")
        trial.beyond_repair = True


def _moves() -> list[dict]:
    return control.state(str(CONTROL))["moves"]


def _journal(host: str, since: float) -> str:
    writers = [f"--identifier={name}" for name in _WRITERS]
    options = ("--output=short-unix", "--no-pager", f"--since=@{since:.6f}")
    return machine(host).run("journalctl", *options, *writers, check=False).stdout


def parts(journal: str, trial: Trial) -> dict[str, float]:
    """What a takeover was made of, in seconds; empty where the journal or the cloud does not tell."""
    lines = [line.split(None, 1) for line in journal.splitlines() if line[:1].isdigit()]

    def first(pattern: re.Pattern) -> float | None:
        return next((float(moment) for moment, text in lines if pattern.search(text)), None)

    noticed, moved = first(_NOTICED), next((move["end"] for move in trial.moves), None)
    if noticed is None or moved is None:
        return {}
    started = first(_STARTED) or noticed
    return {
        "detection": noticed - trial.struck,
        "pause": started - noticed,
        "agent": moved - started,
    }
