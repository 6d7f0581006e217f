"""The sets of agents of this repository's past, for the lab's container of tools, in which there is no git."""

from __future__ import annotations

import ast
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
RULES = "_utils/haproxy_ha_lib/digitalocean.py"
"""What the agents shared as long as that was one file, which lay beside them."""
FORMER = ("_utils/haproxy_ha_lib/digitalocean", "_utils/haproxy_ha_host/digitalocean.py")
"""Where was what they share, before another cloud had it, too."""
OWN_WORD = "_utils/haproxy_ha_lib/agents.py"
PATHS = (agents.FOLDER, RULES, *FORMER, *agents.SHARED)


def sets() -> list[dict[str, str]]:
    """Each set, the oldest first, as text by name; empty in a checkout without its history."""
    if PLACE.exists():
        return json.loads(PLACE.read_text(encoding="utf-8"))
    try:
        commits = _git("log", "--reverse", "--format=%H", "--", *PATHS).split()
    except (OSError, subprocess.SubprocessError):
        return []
    return [one for one in map(_set, commits) if "agent.py" in one]


def _set(commit: str) -> dict[str, str]:
    shared = _shared(commit)
    listing = _git("ls-tree", "-r", "--name-only", commit, agents.FOLDER, *shared).splitlines()
    return {shared.get(path, path.rpartition("/")[2]): _git("show", f"{commit}:{path}") for path in listing}


def _shared(commit: str) -> dict[str, str]:
    """What the agents shared at a commit, by its own word: the name among their files of each path."""
    there = _git("ls-tree", "--name-only", commit, OWN_WORD)
    tree = ast.parse(_git("show", f"{commit}:{OWN_WORD}") if there else "")
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    paths = ast.literal_eval(assigned["SHARED"]) if "SHARED" in assigned else RULES
    return {paths: "digitalocean.py"} if paths == RULES else {path: agents.shared_name(path) for path in paths}


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def written(directory: Path) -> Path | None:
    """A file with all of them, made once for each change of the agents; None without a history."""
    try:
        newest = _git("log", "-1", "--format=%H", "--", *PATHS).strip()
    except (OSError, subprocess.SubprocessError):
        return None
    path = directory / f"agents-{newest}.json"
    if not path.exists():
        temporary = directory / f".{path.name}.{os.getpid()}"
        temporary.write_text(json.dumps(sets()), encoding="utf-8")
        temporary.rename(path)
    return path
