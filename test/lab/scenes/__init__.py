"""What documents tell of: the situation in which a section's commands are typed, and the outcome that it promises."""

from __future__ import annotations

from . import before, first_hour, operating, pages, runbook  # noqa: F401
from .stage import FIRST, LAST, SCENES, pillar

__all__ = ["FIRST", "LAST", "SCENES", "pillar"]
