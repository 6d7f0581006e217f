"""
One system in a lab of its own: `python3 -m bench.failover.worker SYSTEM DIRECTORY`, with LAB_REALM for the lab.

It says "ready" when the system is healthy. For each event that it reads it says "measured" when the client has stopped,
adds the trial to its file when the system is healthy again, or is found to be beyond repair, and says "ready".
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from lab import lab
from lab.shell import LabError, say

from . import samples, trials
from .events import EVENTS
from .systems import SYSTEMS


def main() -> int:
    system, directory = SYSTEMS[sys.argv[1]], Path(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        lab.up()
        say(f"{system.title}: installing")
        system.install()
        system.settle()
        _tell("ready")
        for line in sys.stdin:
            trial = trials.run(system, EVENTS[line.strip()], lambda: _tell("measured"))
            samples.add(directory, trial)
            if trial.beyond_repair:
                return 1  # the next trial gets a lab that is whole
            _tell("ready")
    except LabError as error:
        print(f"bench: {system.name}: {error}", file=sys.stderr)
        return 1
    finally:
        lab.down()
    return 0


def _tell(word: str) -> None:
    print(word, flush=True)


if __name__ == "__main__":
    sys.exit(main())
