"""docs/faults.md, from what the faults did."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from .fault import Outcome

TEXT = Path(__file__).with_name("faults.md")


def write(outcomes: list[Outcome], directory: Path) -> None:
    """Write the document; the order is the catalogue's."""
    text = TEXT.read_text(encoding="utf-8").replace("@CLASSES@", "".join(_classes(outcomes)))
    (directory / TEXT.name).write_text(text, encoding="utf-8")


def _classes(outcomes: list[Outcome]) -> Iterator[str]:
    for group, found in groupby(outcomes, key=lambda outcome: outcome.fault.group):
        yield f"\n## {group[0].upper()}{group[1:]}\n\n"
        yield "| fault | what a client notices | moves | API calls | what an operator does | audit |\n"
        yield "|---|---|---|---|---|---|\n"
        yield from map(_line, found)


def _line(outcome: Outcome) -> str:
    noticed = "nothing" if not outcome.failed and outcome.gap < 0.3 else f"{outcome.gap:.2f} s, {outcome.failed} failed"
    fault, audit = outcome.fault, "; ".join(outcome.problems) or "all well"
    cells = [fault.title, noticed, outcome.moves, outcome.calls, fault.operator, audit.replace("|", "/")]
    return f"| {' | '.join(map(str, cells))} |\n"
