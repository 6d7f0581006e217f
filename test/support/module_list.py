"""The list of the formula's modules that tells minions whether theirs belong to the states, made from what is there."""

import hashlib
from pathlib import Path

from support import REPOSITORY

LISTED = "haproxy_ha/modules.sha256"


def listing(root=REPOSITORY):
    """The text of :data:`LISTED`, as `make modules` writes it."""
    found = sorted(str(path.relative_to(root)) for part in ("_modules", "_states", "_utils")
                   for path in (root / part).rglob("*.py"))  # fmt: skip
    return "".join(f"{hashlib.sha256((root / path).read_bytes()).hexdigest()}  {path}\n" for path in found)


def write(directory, root=REPOSITORY):
    """Put the list below a directory, which precedes the repository among a file server's roots, and return that."""
    path = Path(directory) / LISTED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(listing(root), encoding="ascii")
    return str(directory)
