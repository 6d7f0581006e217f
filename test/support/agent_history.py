"""The sets of agents of this repository's past, for the lab's container of tools, in which there is no git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support import REPOSITORY

sys.path[:0] = [str(REPOSITORY / "_utils")]

from haproxy_ha_lib import agents  # noqa: E402

PLACE = Path("/srv/agents.json")
"""Where the container has them."""


def sets() -> list[dict[str, str]]:
    """Each set, the oldest first, as text by name; empty in a checkout without its history."""
    if PLACE.exists():
        return json.loads(PLACE.read_text(encoding="utf-8"))
    try:
        commits = _git("log", "--reverse", "--format=%H", "--", agents.FOLDER, agents.SHARED).split()
    except (OSError, subprocess.SubprocessError):
        return []
    return [one for one in map(_set, commits) if "agent.py" in one]


def _set(commit: str) -> dict[str, str]:
    listing = _git("ls-tree", "-r", "--name-only", commit, agents.FOLDER, agents.SHARED).splitlines()
    return {path.rpartition("/")[2]: _git("show", f"{commit}:{path}") for path in listing}


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def written(directory: Path) -> Path | None:
    """A file with all of them, made once for each change of the agents; None without a history."""
    try:
        newest = _git("log", "-1", "--format=%H", "--", agents.FOLDER, agents.SHARED).strip()
    except (OSError, subprocess.SubprocessError):
        return None
    path = directory / f"agents-{newest}.json"
    if not path.exists():
        temporary = directory / f".{path.name}.{os.getpid()}"
        temporary.write_text(json.dumps(sets()), encoding="utf-8")
        temporary.rename(path)
    return path
