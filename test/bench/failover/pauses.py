"""How long may a load balancer stand still, as where its cloud pauses or migrates it, until the address moves?

``python3 -m bench.failover.pauses --help``
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from pathlib import Path

from lab import audit
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import say, wait_for
from lab.simulator import control
from lab.traffic import probe

from .alarms import SETTINGS
from .report import with_rows
from .systems import installed

# Token and consensus in seconds; shorter and longer ones.
LIMITS = {"fast": 0.45, "balanced": 1.5, "conservative": 4.5}
LENGTHS = {
    "fast": (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 2.0, 5.0),
    "balanced": (0.5, 1.0, 1.4, 1.6, 2.0, 3.0, 5.0),
    "conservative": (1.0, 3.0, 4.4, 4.7, 5.0),
}
# The resident watcher's dampening, and the time after which a takeover is over.
WATCHED = 13.0
INTERVAL_MS = 20
MARKS = ("haproxy_ha-takeover", "haproxy_ha-handover")
PAGE, TABLE = "failure-detection.md", "| setting | the active one stands still for |"


def trial(setting: str, seconds: float) -> dict:
    """Have the active load balancer of a healthy pair stand still for so long; what came of it."""
    active = SETTINGS[setting].settle(120)
    wait_for("the end of what was told of the last one", lambda: not any(map(audit.attribute, MARKS)), 90, 1)
    wait_for("any moment", _passed(random.uniform(0, 3)), 5, 0.01)
    before = len(_moves())
    with probe(INTERVAL_MS) as record:
        began = time.monotonic()
        machine(active).stand_still(seconds)
        took = time.monotonic() - began
        wait_for("what comes late", _passed(WATCHED), WATCHED + 5, 0.1)
        after = SETTINGS[setting].settle(120)
    return {
        "seconds": seconds,
        "stood still": round(took, 3),
        "moves": len(_moves()) - before,
        "moved": after != active,
        "gap": round(record.longest_gap, 3),
        "failed": len(record.failed),
    }


def rows(figures: dict[str, list[dict]]) -> str:
    """The lines of the table."""
    lines = []
    for setting in (name for name in LENGTHS if name in figures):
        for seconds in LENGTHS[setting]:
            trials = [one for one in figures[setting] if one["seconds"] == seconds]
            if trials:
                lines.append(_line(setting, seconds, trials))
    return "".join(lines)


def _line(setting: str, seconds: float, trials: list[dict]) -> str:
    gaps = [one["gap"] for one in trials]
    moved = sum(one["moves"] > 0 for one in trials)
    most = max(one["moves"] for one in trials)
    served = f"{statistics.median(gaps):.2f} s, {max(gaps):.2f} s"
    cells = (f"{setting} ({LIMITS[setting]:g} s)", f"{seconds:g} s", len(trials), moved, most, served)
    return f"| {' | '.join(map(str, cells))} |\n"


def _passed(seconds: float):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def _moves() -> list[dict]:
    return control.state(str(CONTROL))["moves"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.failover.pauses", description="How long may a load balancer pause?")
    parser.add_argument("--settings", nargs="+", default=list(LENGTHS), choices=LENGTHS, help="default: all")
    parser.add_argument("--trials", type=int, default=5, help="of each length; 0 writes what is there (default: 5)")
    parser.add_argument("--output", type=Path, required=True, help="JSON with each trial; those of other settings stay")
    parser.add_argument("--documents", type=Path, help=f"write the rows of {PAGE} there")
    options = parser.parse_args()
    for setting in options.settings if options.trials else ():
        order = [seconds for seconds in LENGTHS[setting] for _ in range(options.trials)]
        random.shuffle(order)
        with installed(SETTINGS[setting]):
            for seconds in order:
                _add(options.output, setting, trial(setting, seconds))
    if options.documents:
        page = options.documents / PAGE
        text = with_rows(page.read_text(encoding="utf-8"), TABLE, rows(_read(options.output)))
        page.write_text(text, encoding="utf-8")
    return 0


def _read(path: Path) -> dict[str, list[dict]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _add(path: Path, setting: str, found: dict) -> None:
    figures = _read(path)
    figures.setdefault(setting, []).append(found)
    path.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    say(f"{setting}, {found}")


if __name__ == "__main__":
    sys.exit(main())
