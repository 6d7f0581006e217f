"""Figures of the trials: JSON with those of every trial, and from it a table and a picture for people."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from .events import EVENTS
from .systems import SYSTEMS
from .timeline import median_trial, picture, visible
from .trials import INTERVAL_MS, PATIENCE, Trial

TEXT = Path(__file__).with_name("documents") / "failover.md"
KINDS, KINDS_TABLE = "kinds.json", "| event | address |"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def figures(event: str, system: str, trials: list[Trial]) -> dict:
    """The row of one event and one system."""
    gaps = [trial.gap for trial in trials]
    failed = [len(trial.failed) for trial in trials]
    typical = median_trial(trials)
    return {
        "event": event,
        "system": system,
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
        "struck": [round(trial.struck, 3) for trial in trials],
        "gaps": [round(gap, 4) for gap in gaps],
        "failed": failed,
        "parts": [{part: round(value, 4) for part, value in trial.parts.items()} for trial in trials if trial.parts],
        "timeline": {"gap": typical.gap, "recovered": typical.recovered, "spans": visible(typical)},
    }


def rows(trials: list[Trial]) -> list[dict]:
    """The rows of all trials, in the order of events and systems."""
    groups = {
        (event, system): [trial for trial in trials if (trial.event, trial.system) == (event, system)]
        for event in EVENTS
        for system in SYSTEMS
    }
    return [figures(event, system, group) for (event, system), group in groups.items() if group]


def merged(old: list[dict], new: list[dict]) -> list[dict]:
    """The rows of an earlier run with those of another; all rows of one event are of one run."""
    measured = {row["event"] for row in new}
    found = [row for row in old if row["event"] not in measured] + new
    return sorted(found, key=lambda row: (list(EVENTS).index(row["event"]), list(SYSTEMS).index(row["system"])))


def document(measured: list[dict], kinds: dict[str, list[dict]] | None = None) -> str:
    """The tables with what they mean, in Markdown; ``kinds`` are the figures of bench.failover.kinds."""
    words = {
        "INTERVAL": str(INTERVAL_MS),
        "PATIENCE": f"{PATIENCE:g}",
        "ROWS": "".join(map(_line, measured)),
        "MISSING": _missing(measured),
        "PARTS": "".join(_parts_line(row) for row in measured if row["parts"]),
        "KINDS": kinds_rows(kinds or {}),
    }
    return filled_in(TEXT, words)


def filled_in(path: Path, words: dict[str, str]) -> str:
    """A document with what stands for each @WORD@."""
    text = path.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def with_rows(text: str, table: str, rows: str) -> str:
    """A document with other rows in the table whose head begins so."""
    before, head, rest = text.partition(table)
    if not head:
        raise ValueError(f"no table has the head {table!r}")
    names, line, *after = rest.splitlines(keepends=True)
    after = itertools.dropwhile(lambda old: old.startswith("|"), after)
    return f"{before}{head}{names}{line}{rows}{''.join(after)}"


def _line(row: dict) -> str:
    count = row["trials"]
    cells = [
        EVENTS[row["event"]].title,
        SYSTEMS[row["system"]].title,
        str(count),
        *(f"{row[key]:.2f} s" for key in ("median", "p95", "longest")),
        f"{row['failed_median']:g}",
        str(row["lost"]),
        " or ".join(map(str, row["moves"])),
        f"{row['recovered']} of {count}",
        str(row["repaired"]),
    ]
    return f"| {' | '.join(cells)} |\n"


def kinds_rows(kinds: dict[str, list[dict]]) -> str:
    """The rows of other addresses, by event, kind, address and the agents that were measured."""
    trials = [trial for some in kinds.values() for trial in some]
    sets = list(dict.fromkeys(["", *(trial.get("agents", "") for trial in trials)]))
    seen: dict[tuple[str, str, int], list[tuple[float, int, float]]] = {}
    for trial in trials:
        agents = sets.index(trial.get("agents", "")) + 1
        for address, gap, failed in zip(trial["addresses"], trial["gaps"], trial["failed"], strict=True):
            seen.setdefault((trial["event"], address, agents), []).append((gap, failed, trial["load"]))
    events = list(dict.fromkeys(event for event, *_ in seen))
    places = list(dict.fromkeys(address for _, address, _ in seen))
    by_address = sorted(seen, key=lambda at: (events.index(at[0]), places.index(at[1]), at[2]))
    return "".join(_kinds_line(*at, seen[at]) for at in by_address)


def _kinds_line(event: str, address: str, agents: int, seen: list[tuple[float, int, float]]) -> str:
    gaps, failed, loads = zip(*seen, strict=True)
    figures = (statistics.median(gaps), percentile(gaps, 95), max(gaps))
    cells = [event, address, str(agents), str(len(seen)), *(f"{one:.2f} s" for one in figures), str(sum(failed))]
    cells.append(f"{min(loads):.0f} to {max(loads):.0f}")
    return f"| {' | '.join(cells)} |\n"


def _missing(measured: list[dict]) -> str:
    """Which events have no row; empty when all have."""
    events = {row["event"] for row in measured}
    titles = [event.title for name, event in EVENTS.items() if name not in events]
    return f"\nNot measured yet: {'; '.join(titles)}.\n" if titles else ""


def _parts_line(row: dict) -> str:
    seconds = [[part[key] for part in row["parts"]] for key in ("detection", "pause", "agent")]
    cells = [f"{statistics.median(values):.2f} s, {max(values):.2f} s" for values in seconds]
    slow = EVENTS[row["event"]].api_seconds
    api = f"after {slow:g} s" if slow else "at once"
    return f"| {SYSTEMS[row['system']].title} | {api} | {' | '.join(cells)} |\n"


def write(trials: list[Trial], directory: Path, documents: Path | None) -> None:
    """
    Write table, figures and picture beside the samples, and the documents' with the figures beside their folder; other
    events keep theirs.
    """
    _write(trials, directory, directory)
    if documents:
        _write(trials, documents, documents.parent / "measurements")


def _write(trials: list[Trial], pages: Path, data: Path) -> None:
    path, kinds = data / "failover.json", data / KINDS
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    others = json.loads(kinds.read_text(encoding="utf-8")) if kinds.exists() else {}
    measured = merged(old, rows(trials))
    data.mkdir(exist_ok=True)
    (pages / "failover.md").write_text(document(measured, others), encoding="utf-8")
    (pages / "failover.svg").write_text(picture(measured), encoding="utf-8")
    path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
