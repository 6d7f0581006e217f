"""What a client sees of the floating IP while something is done to the system, and the table of it all.

With FAILURE_MODES set, a run writes the table to docs/failure-modes.md: `make failure-modes`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import audit
from .cloud import CONTROL, REPOSITORY
from .simulator import control
from .traffic import Record, probe

PAGE = REPOSITORY / "docs" / "failure-modes.md"
HEAD = """\
# Failure modes

Written by the tests of the lab (`make failure-modes`): what was done to the running system, where the floating IP was
before and after it by the cloud, and what a client saw that asked it every {interval} ms. A request counts as lost if
it failed although it was not under way while the address moved. The simulated cloud moves an address at once; what
DigitalOcean needs comes on top of a move, and loses nothing in a planned one, because both HAProxies serve meanwhile.

| what | address before | after | moves | requests | failed | lost | longest gap |
|---|---|---|---|---|---|---|---|
"""


@dataclass
class Watch(Record):
    """A client's record, and the moves of the address meanwhile."""

    moves: list[dict] = field(default_factory=list)

    @property
    def lost(self) -> list[dict]:
        """The failed requests that were not under way at a move."""
        return [sample for sample in self.failed if not any(_meet(sample, move) for move in self.moves)]


def _meet(sample: dict, move: dict) -> bool:
    return sample["start"] <= move["end"] and move["begin"] <= sample["start"] + sample["taken"]


@contextlib.contextmanager
def watch(what: str, interval_ms: int = 20) -> Iterator[Watch]:
    """Ask the floating IP while the block runs, which does ``what``; complete after the block."""
    old, before = audit.cloud_owner(), len(_moves())
    watched = Watch()
    with probe(interval_ms) as record:
        yield watched
    watched.samples, watched.moves = record.samples, _moves()[before:]
    _rows.append(
        f"| {what} | {old} | {audit.cloud_owner()} | {len(watched.moves)} | {len(watched.samples)}"
        f" | {len(watched.failed)} | {len(watched.lost)} | {watched.longest_gap:.2f} s |"
    )
    print(_rows[-1])


_rows: list[str] = []


def write_page(interval_ms: int = 20) -> None:
    """Writes the table, if the run is asked for it."""
    if os.environ.get("FAILURE_MODES") and _rows:
        PAGE.write_text(HEAD.format(interval=interval_ms) + "\n".join(_rows) + "\n", encoding="utf-8")


def _moves() -> list[dict]:
    return control.state(str(CONTROL))["moves"]
