"""
Data that people gave, compared with what is allowed. What is wrong goes to ``report``, as a Problem.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path, Report
from saltext.pacemaker.words import describe, did_you_mean


def refuse(
    report: Report, path: Path, found: Any, allowed: object, secret: bool = False, kind: type[Problem] = Problem
) -> None:
    """
    Report what was found in place of what is allowed. A ``secret`` is not shown.
    """
    report(kind(path, f"found {describe(found, secret)}, allowed: {allowed}"))


def accept(
    report: Report, path: Path, found: Any, types: type | tuple[type, ...], allowed: str, secret: bool = False
) -> bool:
    """
    Whether something is of one of ``types``; else it is refused.
    """
    accepted = isinstance(found, types)
    if not accepted:
        refuse(report, path, found, allowed, secret)
    return accepted


def check_keys(report: Report, path: Path, found: Iterable[Any], known: Collection[str]) -> None:
    """
    Report the keys of a mapping that are not known.
    """
    for key in found:
        if key not in known:
            hint = did_you_mean(key, known) or f", allowed: {', '.join(known)}"
            report(Problem((*path, key), f"unknown key{hint}"))
