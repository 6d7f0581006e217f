"""
Figures that a document tells and a test measures: rows `| name | figure |`.

    WRITE_FIGURES=1 ... pytest test/functional/test_security.py     # writes them into the document
"""

from __future__ import annotations

import os
import re

from support import REPOSITORY


def told(document: str, name: str, figure: object) -> None:
    """The document has this figure in its row of that name."""
    path = REPOSITORY / "docs" / document
    text = path.read_text(encoding="utf-8")
    row = re.compile(rf"^(\| {re.escape(name)} \| ).*( \|)$", re.MULTILINE)
    found = row.search(text)
    assert found, f"docs/{document} has no row {name!r}"
    if os.environ.get("WRITE_FIGURES"):
        path.write_text(row.sub(rf"\g<1>{figure}\g<2>", text), encoding="utf-8")
    else:
        assert found[0] == f"| {name} | {figure} |"
