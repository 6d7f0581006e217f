"""Which packages a machine shall have."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def chosen(
    packages: Iterable[str], installed: Collection[str], candidates: Collection[str] | None
) -> tuple[list[str], list[str]]:
    """
    Return which packages to have, and which of them cannot be had: ([name], [entry]).

    packages
        Entries, each one name or several with `` | `` between them, of which the first that there is counts.
    installed
        Names of those that are there.
    candidates
        Names of those that could be installed; None where nobody knows, and each entry's first name is taken.
    """
    wanted, lacking = [], []
    for entry in packages:
        names = entry.split(" | ")
        there = [name for name in names if name in installed]
        possible = names if candidates is None else [name for name in names if name in candidates]
        wanted += [*there, *possible][:1]
        lacking += [] if there or possible else [entry]
    return list(dict.fromkeys(wanted)), lacking
