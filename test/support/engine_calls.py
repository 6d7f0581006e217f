"""Calls functions of the execution module ``pacemaker`` on a cluster node: JSON lists on standard input and output.

A call is ``[function, {argument: value}]``. What raises an error returns ``{"error": text}``.
"""

import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "_utils")]

from _modules import pacemaker as module  # noqa: E402
from _states import pacemaker as states  # noqa: E402

states.__salt__ = {f"pacemaker.{name}": getattr(module, name) for name in dir(module)}


def state(function, test=False, **arguments):
    """One state of the state module."""
    states.__opts__ = {"test": test}
    return getattr(states, function)(**arguments)


def race(node, count):
    """Commit ``count`` times two properties of one's own that count up together: [{"number", "error"}] and seconds."""
    begin, failed = time.monotonic(), {}
    for number in range(1, count + 1):
        try:
            done = module.apply(
                {"properties": {f"{node}-a": number, f"{node}-b": number}}, owner=f"race-{node}", partial=True
            )
            assert set(done["changes"]) == {f"property {node}-a", f"property {node}-b"}, done["changes"]
        except module.CommandExecutionError as problem:
            failed[number] = str(problem)
    return {"failed": failed, "seconds": time.monotonic() - begin}


def answer(function, arguments):
    special = {"state": state, "race": race}
    try:
        return special.get(function, getattr(module, function, None))(**arguments)
    except (module.CommandExecutionError, module.SaltInvocationError) as problem:
        return {"error": str(problem)}


if __name__ == "__main__":
    print(json.dumps([answer(*call) for call in json.load(sys.stdin)]))
