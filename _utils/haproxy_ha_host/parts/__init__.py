"""The parts of this machine that the formula changes: each is planned and applied in the same way (``table``)."""

from __future__ import annotations
