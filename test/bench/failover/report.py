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

TEXT = Path(__file__).with_name("documents") / "failover.md"


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
        "load_most": max(trial.load for trial in trials),
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


def document(trials: list[Trial]) -> str:
    """The tables with what they mean, in Markdown."""
    words = {
        "INTERVAL": str(INTERVAL_MS),
        "PATIENCE": f"{PATIENCE:g}",
        "ROWS": "".join(_line(event, system, figures(group)) for (event, system), group in rows(trials).items()),
        "PARTS": "".join(_parts_lines(trials)),
    }
    return filled_in(TEXT, words)


def filled_in(path: Path, words: dict[str, str]) -> str:
    """A document with what stands for each @WORD@."""
    text = path.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


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


def _parts_lines(trials: list[Trial]):
    for (event, system), group in rows(trials).items():
        parts = [trial.parts for trial in group if trial.parts]
        if parts:
            cells = [
                f"{statistics.median(values):.2f} s, {max(values):.2f} s"
                for values in ([part[key] for part in parts] for key in ("detection", "pause", "agent"))
            ]
            api = f"after {EVENTS[event].api_seconds:g} s" if EVENTS[event].api_seconds else "at once"
            yield f"| {SYSTEMS[system].title} | {api} | {' | '.join(cells)} |\n"


def write(trials: list[Trial], directory: Path, documents: Path | None) -> None:
    """Write the table, the figures and the picture beside the samples, and where else they are wanted."""
    summary = [
        {"event": event, "system": system, **figures(group)} for (event, system), group in rows(trials).items()
    ]
    text = document(trials)
    for place in filter(None, (directory, documents)):
        (place / "failover.md").write_text(text, encoding="utf-8")
        (place / "failover.svg").write_text(picture(rows(trials)), encoding="utf-8")
        (place / "failover.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
