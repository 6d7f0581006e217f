"""Figures of the trials: a table for people, JSON with every sample for programs."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

from .events import EVENTS
from .systems import SYSTEMS
from .timeline import picture
from .trials import INTERVAL_MS, PATIENCE, Trial

HEAD = f"""\
# Failover: what a client sees

Written by `make bench-failover`. A client in the lab ([lab.md](lab.md)) asks through the floating IP every {INTERVAL_MS} ms;
each event strikes the balancer that has the address. A gap is the time between two good answers, the longest of a trial.
A request that takes more than a second has failed. "Not at a move" counts the failed requests that were not under way while
the address moved. "Again" counts the trials in which clients were served again within {PATIENCE:g} s, before anything was mended;
"operator" those in which the system stayed ill after everything was mended, until somebody helped it. All systems have
the same HAProxy, the same app servers and the same simulated API, which moves the address at once unless the row says
otherwise. The configurations of the others stand in `test/bench/failover/configuration`. Everything runs on one machine, so
the figures hold for a network without delay; a real API takes longer, for all of them alike.

![Answers over time](failover.svg)
"""
PARTS = """
## What a loss of power is made of

Seconds from the loss of power: until the survivor knows (corosync's token and consensus; VRRP's adverts), until Pacemaker
starts the address, until the address has moved. Median and longest.

| system | API | detection | Pacemaker's pause | agent or script |
|---|---|---|---|---|
"""
COLUMNS = (
    "| event | system | trials | median | p95 | longest | failed (median) | not at a move | moves | again | operator |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def figures(trials: list[Trial]) -> dict:
    """The row of one system and one event."""
    gaps = [trial.gap for trial in trials]
    failed = [len(trial.failed) for trial in trials]
    return {
        "trials": len(trials),
        "median": statistics.median(gaps),
        "p95": percentile(gaps, 95),
        "longest": max(gaps),
        "failed_median": statistics.median(failed),
        "failed_most": max(failed),
        "lost": sum(len(trial.lost) for trial in trials),
        "moves": sorted({len(trial.moves) for trial in trials}),
        "recovered": sum(trial.recovered for trial in trials),
        "repaired": sum(trial.repaired for trial in trials),
        "gaps": [round(gap, 4) for gap in gaps],
        "parts": [{part: round(value, 4) for part, value in trial.parts.items()} for trial in trials if trial.parts],
    }


def rows(trials: list[Trial]) -> dict[tuple[str, str], list[Trial]]:
    """The trials by event and system, in the order of both lists."""
    found = {
        (event, system): [trial for trial in trials if (trial.event, trial.system) == (event, system)]
        for event in EVENTS
        for system in SYSTEMS
    }
    return {key: group for key, group in found.items() if group}


def table(trials: list[Trial]) -> str:
    """The table, in Markdown."""
    lines = [_line(event, system, figures(group)) for (event, system), group in rows(trials).items()]
    return COLUMNS + "".join(lines)


def _line(event: str, system: str, row: dict) -> str:
    count = row["trials"]
    cells = [
        EVENTS[event].title,
        SYSTEMS[system].title,
        str(count),
        *(f"{row[key]:.2f} s" for key in ("median", "p95", "longest")),
        f"{row['failed_median']:g}",
        str(row["lost"]),
        " or ".join(map(str, row["moves"])),
        f"{row['recovered']} of {count}",
        str(row["repaired"]),
    ]
    return f"| {' | '.join(cells)} |\n"


def parts_table(trials: list[Trial]) -> str:
    """What the losses of power were made of, in Markdown; each trial's parts are in the JSON."""
    lines = []
    for (event, system), group in rows(trials).items():
        parts = [trial.parts for trial in group if trial.parts]
        if parts:
            cells = [
                f"{statistics.median(values):.2f} s, {max(values):.2f} s"
                for values in ([part[key] for part in parts] for key in ("detection", "pause", "agent"))
            ]
            api = f"after {EVENTS[event].api_seconds:g} s" if EVENTS[event].api_seconds else "at once"
            lines.append(f"| {SYSTEMS[system].title} | {api} | {' | '.join(cells)} |\n")
    return PARTS + "".join(lines) if lines else ""


def write(trials: list[Trial], directory: Path, documents: Path | None) -> None:
    """Write every sample to ``directory``/samples.json, and the documents where they are wanted."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "samples.json").write_text(json.dumps([_raw(trial) for trial in trials]), encoding="utf-8")
    summary = [
        {"event": event, "system": system, **figures(group)} for (event, system), group in rows(trials).items()
    ]
    text = f"{HEAD}\n{table(trials)}{parts_table(trials)}"
    for place in filter(None, (directory, documents)):
        (place / "failover.md").write_text(text, encoding="utf-8")
        (place / "failover.svg").write_text(picture(rows(trials)), encoding="utf-8")
        (place / "failover.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def _raw(trial: Trial) -> dict:
    """A trial with its samples as [seconds from the event, seconds taken, status, balancer, app server or error]."""
    samples = [
        [
            round(sample["start"] - trial.struck, 4),
            round(sample["taken"], 4),
            sample["status"],
            sample["balancer"],
            sample["text"].removeprefix("Droplet: ").partition(",")[0],
        ]
        for sample in trial.samples
    ]
    moves = [
        {**move, "begin": move["begin"] - trial.struck, "end": move["end"] - trial.struck} for move in trial.moves
    ]
    return {**vars(trial), "samples": samples, "moves": moves, "gap": trial.gap}
