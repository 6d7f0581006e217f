"""Figures that a document tells and a test measures, in rows `| name | figure |`; a failure says the right row."""

from __future__ import annotations

from support import REPOSITORY


def told(document: str, name: str, figure: object) -> None:
    """The document has this figure in its row of that name."""
    rows = (REPOSITORY / "docs" / document).read_text(encoding="utf-8").splitlines()
    found = [row for row in rows if row.startswith(f"| {name} | ")]
    right = f"| {name} | {figure} |"
    assert found == [right], f"docs/{document} has {found}, and the test measured {right}"
