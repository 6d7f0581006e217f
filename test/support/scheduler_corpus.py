"""Cluster states of Pacemaker's own scheduler tests, where CIB_CORPUS says that they are."""

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("CIB_CORPUS") or "/nonexistent")
STATES = sorted((FOLDER / "xml").glob("*.xml"))
every_state = pytest.mark.parametrize(
    "path",
    STATES
    or [pytest.param(None, marks=pytest.mark.skip(reason="CIB_CORPUS names no folder with xml/ and summary/ in it"))],
    ids=lambda path: path.stem if path else "none",
)

_RESOURCE = re.compile(r"\* (?P<action>\S+)\s+(?P<name>\S+)\s+\(\s*(?P<where>.*?)\s*\)(?P<rest>.*)")
_FENCE = re.compile(r"\* Fence \(\S+\) (?P<name>\S+)")


def recorded(path):
    """{(action, name, where, blocked)} of the Transition Summary that Pacemaker's authors recorded for a state."""
    text = (FOLDER / "summary" / f"{path.stem}.summary").read_text(encoding="utf-8")
    found = set()
    for line in text.split("Transition Summary:")[1].split("\n\n")[0].splitlines():
        if match := _FENCE.search(line):
            found.add(("fence", match["name"], "", False))
        elif match := _RESOURCE.search(line):
            where = " ".join(sorted(re.sub(r"->", " ", match["where"]).split()))
            found.add((match["action"].lower(), match["name"], where, "blocked" in match["rest"]))
    return found


def told(actions):
    """The same of what pacemaker.simulate returns."""
    found = {("fence", name, "", False) for name in actions.get("nodes", {})}
    for name, listed in actions.get("resources", {}).items():
        for one in listed:
            words = [one[key] for key in ("role", "next-role", "node", "source", "dest") if key in one]
            found.add((one["action"], name, " ".join(sorted(words)), one.get("blocked", False)))
    return found
