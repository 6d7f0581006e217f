"""What apt could install."""

from __future__ import annotations

import glob
from collections.abc import Collection

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands
from haproxy_ha_lib.files import layout

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


def sources_at(host: str, but: str) -> list[str]:
    """
    Where apt's sources are that are of a host: "FILE:LINE" (list of str).

    host
        ``""`` for what is on this machine, as apt has it: also a file of mirrors (``mirror+file:``), whatever is in it.
    but
        A file whose sources do not count.

    Raises CommandExecutionError if apt cannot read its sources.
    """
    output = commands.succeed("apt-get", "indextargets", "--format", "$(SITE) $(SOURCESENTRY)")
    found = [line.split(" ", 1) for line in output.splitlines()]
    return sorted({
        entry for site, entry in found
        if layout.repository_host(site) == host and entry.rpartition(":")[0] != but
    })
