"""What apt could install."""

from __future__ import annotations

import glob
from collections.abc import Collection

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands

LISTS = "/var/lib/apt/lists"


def candidates(names: Collection[str]) -> set[str] | None:
    """Those of several packages that apt has a candidate for (set); None where it has no lists and cannot know."""
    if not glob.glob(f"{LISTS}/*_Packages*"):
        return None
    try:
        lines = commands.run(["apt-cache", "policy", *names])[1].splitlines()
    except CommandExecutionError:
        return None
    found: set[str] = set()
    package = ""
    for line in lines:
        if line[:1].strip():
            package = line.rstrip(":")
        elif line.startswith("  Candidate:") and "(none)" not in line:
            found.add(package)
    return found
