"""
docs/failure-modes.md, and its data in measurements/, from what the faults did; what other runs have found about other
faults stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from .catalogue import FAULTS
from .fault import Fault, Outcome

TEXT = Path(__file__).with_name("failure-modes.md")
MEASURED = ("gap", "failed", "requests", "moves", "calls", "load", "problems")


def write(outcomes: list[Outcome], documents: Path) -> None:
    """Write the page, and its data beside its folder; what these runs found of a fault replaces what was known."""
    data = documents.parent / "measurements" / "failure-modes.json"
    data.parent.mkdir(exist_ok=True)
    known = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
    found: dict[str, list[dict]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.fault.name, []).append({key: getattr(outcome, key) for key in MEASURED})
    known |= found
    known = {name: known[name] for name in FAULTS if name in known}
    data.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    (documents / TEXT.name).write_text(page(known), encoding="utf-8")


def page(known: dict[str, list[dict]]) -> str:
    """The document, in the catalogue's order."""
    text = TEXT.read_text(encoding="utf-8").replace("@COVERAGE@", _coverage(known))
    return text.replace("@CLASSES@", "".join(_classes(known)))


def _coverage(known: dict[str, list[dict]]) -> str:
    missing = [name for name in FAULTS if name not in known]
    loads = sorted(run["load"] for runs in known.values() for run in runs)
    covered = f"{len(known)} of {len(FAULTS)} faults ran" + (f"; not {', '.join(missing)}" if missing else "")
    return f"{covered}. The machine's load average per core was {loads[0]:.1f} to {loads[-1]:.1f} meanwhile."


def _classes(known: dict[str, list[dict]]) -> Iterator[str]:
    for group, faults in groupby((FAULTS[name] for name in known), key=lambda fault: fault.group):
        yield f"\n## {group[0].upper()}{group[1:]}\n\n"
        yield "| fault | what a client notices | the address moves | API calls | what an operator does | audit |\n"
        yield "|---|---|---|---|---|---|\n"
        for fault in faults:
            yield _line(fault, known[fault.name])


def _line(fault: Fault, runs: list[dict]) -> str:
    gap, failed, calls = (max(run[key] for run in runs) for key in ("gap", "failed", "calls"))
    noticed = "nothing" if not failed and gap < 0.3 else f"{gap:.2f} s, {failed} failed"
    moves = " or ".join(str(count) for count in sorted({run["moves"] for run in runs}))
    audit = "; ".join(dict.fromkeys(problem for run in runs for problem in run["problems"])) or "all well"
    cells = [fault.title, noticed, moves, calls, fault.operator, audit.replace("|", "/").replace("\n", " ")]
    return f"| {' | '.join(map(str, cells))} |\n"
