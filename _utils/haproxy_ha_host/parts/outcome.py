"""What planning or applying a part comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Changes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """
    What is done about a part, or would be.

    said
        What people are told, in a few words.
    changes : ``{}``
        {thing: {"old", "new"}}; empty where all is as it should be.
    refusal : ``None``
        Why it is not, or would not be, as it should be (str).
    unknown : ``None``
        Why nobody can tell before a live run whether there will be a refusal (str).
    notes : ``()``
        What else people should know (texts).
    kept : ``None``
        The directory with a copy of what was there before (str).
    """

    said: str
    changes: Changes = field(default_factory=dict)
    refusal: str | None = None
    unknown: str | None = None
    notes: tuple[str, ...] = ()
    kept: str | None = None

    @property
    def comment(self) -> str:
        """All that people are told, in one line."""
        kept = f"what was there before is kept in {self.kept}" if self.kept else ""
        return "; ".join(filter(None, [self.said, *self.notes, kept]))

    def data(self) -> dict[str, Any]:
        """The outcome as Salt returns it."""
        return {
            "changes": self.changes, "refusal": self.refusal, "unknown": self.unknown, "notes": list(self.notes),
            "kept": self.kept, "comment": self.refusal or self.comment,
        }  # fmt: skip
