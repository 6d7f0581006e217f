"""
Names for the shapes of data that the parts hand to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

Tree: TypeAlias = dict[str, Any]
"""Pillar laid over the defaults, or a part of it."""
Roles: TypeAlias = Sequence[str]
Section: TypeAlias = dict[str, Any]
"""A section of a file, as its template takes it."""
Rule: TypeAlias = dict[str, Any]
"""A rule of a firewall, as ``firewall.rules.rules`` describes it."""
Lines: TypeAlias = Iterable[str]
"""Lines of a file."""
