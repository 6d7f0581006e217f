"""Modules of the agents as they are in the repository, whatever is installed."""

import importlib
import sys

from support.pillars import FORMULA

AGENTS = FORMULA / "files" / "agents"


def imported():
    """For a fixture: yields a function that imports one by its name."""
    names = [path.stem for path in AGENTS.glob("*.py")]
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}  # of an installed version
    sys.path.insert(0, str(AGENTS))
    yield importlib.import_module
    sys.path.remove(str(AGENTS))
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(others)
