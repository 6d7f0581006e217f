"""The benchmark's command line; ``python3 -m bench.failover --help``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab import lab, preflight
from lab.cloud import REPOSITORY
from lab.shell import LabError, say

from . import report, trials
from .events import EVENTS, Event
from .systems import SYSTEMS


def main() -> int:
    options = _parser().parse_args()
    done: list[trials.Trial] = []
    try:
        preflight.require_root()
        for system in options.systems:
            _run(SYSTEMS[system], options, done)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        lab.down()
        if done:
            report.write(done, options.output, options.documents)
            print(report.document(done))
    return 0


def _run(system, options, done: list[trials.Trial]) -> None:
    lab.up()
    say(f"{system.title}: installing")
    system.install()
    for event, count in options.events:
        for number in range(1, (count or options.trials) + 1):
            trial = trials.run(system, event)
            done.append(trial)
            parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in trial.parts.items())
            say(f"{system.name}: {event.name} {number}: gap {trial.gap:.2f} s, {len(trial.failed)} failed {parts}")


def _event(text: str) -> tuple[Event, int]:
    name, _, count = text.partition(":")
    if name not in EVENTS or not (count.isdigit() or not count):
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: NAME or NAME:TRIALS of {', '.join(EVENTS)}")
    return EVENTS[name], int(count or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.failover", description="What a client sees of a failover.")
    parser.add_argument("--trials", type=int, default=20, help="trials of an event that has no number (default: 20)")
    parser.add_argument(
        "--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS, metavar="SYSTEM", help=", ".join(SYSTEMS)
    )
    parser.add_argument(
        "--events",
        nargs="+",
        type=_event,
        default=[(event, 0) for event in EVENTS.values()],
        metavar="EVENT[:TRIALS]",
        help=", ".join(EVENTS),
    )
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "build/failover", help="where every sample goes (build/failover)"
    )
    parser.add_argument("--documents", type=Path, help="write table, figures and picture there too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
