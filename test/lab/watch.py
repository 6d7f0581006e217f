"""What a client sees of the floating IP while something is done to the system."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import audit
from .cloud import CONTROL
from .simulator import control
from .traffic import Record, probe


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
    print(
        f"{what}: {old} to {audit.cloud_owner()}, {len(watched.moves)} moves, {len(watched.samples)} requests,"
        f" {len(watched.failed)} failed, {len(watched.lost)} lost, longest gap {watched.longest_gap:.2f} s"
    )


def _moves() -> list[dict]:
    return control.state(str(CONTROL))["moves"]
