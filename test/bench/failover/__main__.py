"""
The benchmark's command line; ``python3 -m bench.failover --help``.

Each system has a lab of its own, and all are struck in turn: while one is measured the others may mend themselves, and
are not struck.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import preflight
from lab.shell import LabError, say
from lab.topology import REALM
from support import REPOSITORY

from . import report, samples
from .events import EVENTS
from .systems import DEFAULT, SYSTEMS

LABS_LOST = 3  # so many without a new trial, and a system is given up


class Runner:
    """Has one system's trials done, by a worker process that is started anew when it ends."""

    def __init__(self, system: str, realm: str, directory: Path, turn: threading.Semaphore, ended: threading.Event):
        self.system, self._realm, self._directory, self._turn, self._ended = system, realm, directory, turn, ended
        self._worker: subprocess.Popen | None = None
        self._lost = 0

    def missing(self, wanted: list[tuple[str, int]]) -> list[str]:
        """The events that have fewer trials than they should, one round after the other."""
        done = [trial.event for trial in samples.read(self._directory, self.system)]
        rounds = max(count for _, count in wanted)
        return [event for turn in range(rounds) for event, count in wanted if done.count(event) <= turn < count]

    def run(self, wanted: list[tuple[str, int]]) -> None:
        """Do what is missing; a LabError if one lab after the other ends without a trial."""
        try:
            while (events := self.missing(wanted)) and not self._ended.is_set():
                self._trial(events[0])
                self._lost = self._lost + 1 if self.missing(wanted) == events else 0
                if self._lost == LABS_LOST:
                    raise LabError(f"{self.system}: {events[0]} could not be measured")
        finally:
            self.stop()

    def _trial(self, event: str) -> None:
        with self._turn:
            if not (self._start() and self._ask(event)):
                return self.stop()
        if not self._heard("ready"):
            self.stop()
        return None

    def _start(self) -> bool:
        if self._worker:
            return True
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "bench.failover.worker", self.system, str(self._directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "LAB_REALM": self._realm},
        )  # fmt: skip
        return self._heard("ready")

    def _ask(self, event: str) -> bool:
        self._worker.stdin.write(event + "\n")
        self._worker.stdin.flush()
        return self._heard("measured")

    def _heard(self, word: str) -> bool:
        return self._worker.stdout.readline().strip() == word

    def stop(self) -> None:
        """End the worker, which takes its lab away."""
        if self._worker:
            self._worker.stdin.close()
            self._worker.wait()
            self._worker = None


def main() -> int:
    options = _parser().parse_args()
    wanted = [(event, count or options.trials) for event, count in options.events]
    turn, ended = threading.Semaphore(options.at_once), threading.Event()
    runners = [
        Runner(system, f"{REALM}{number}", options.output, turn, ended)
        for number, system in enumerate(options.systems)
    ]
    try:
        preflight.require()
        problems = _run(runners, wanted, ended)
    except LabError as error:
        problems = [str(error)]
    done = [trial for system in SYSTEMS for trial in samples.read(options.output, system)]
    if done:
        report.write(done, options.output, options.documents)
        print(report.document(report.rows(done)))
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _run(runners: list[Runner], wanted: list[tuple[str, int]], ended: threading.Event) -> list[str]:
    """Let all run; what went wrong, in words."""
    with ThreadPoolExecutor(len(runners)) as pool:
        try:
            outcomes = list(pool.map(lambda runner: _outcome(runner, wanted), runners))
        except BaseException:
            ended.set()
            raise
    return [str(error) for error in outcomes if error]


def _outcome(runner: Runner, wanted: list[tuple[str, int]]) -> LabError | None:
    try:
        runner.run(wanted)
    except LabError as error:
        return error
    say(f"{runner.system}: done")
    return None


def _event(text: str) -> tuple[str, int]:
    name, _, count = text.partition(":")
    if name not in EVENTS or not (count.isdigit() or not count):
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: NAME or NAME:TRIALS of {', '.join(EVENTS)}")
    return name, int(count or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.failover", description="What a client sees of a failover.")
    parser.add_argument("--trials", type=int, default=20, help="trials of an event that has no number (default: 20)")
    parser.add_argument(
        "--systems", nargs="+", default=DEFAULT, choices=SYSTEMS, metavar="SYSTEM", help=", ".join(SYSTEMS)
    )
    parser.add_argument(
        "--events", nargs="+", type=_event, default=[(event, 0) for event in EVENTS], metavar="EVENT[:TRIALS]",
        help=", ".join(EVENTS),
    )  # fmt: skip
    parser.add_argument("--at-once", type=int, default=1, help="so many systems are struck at a time (default: 1)")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "build/failover",
        help="where every sample goes; trials that are there already are not done again (default: build/failover)",
    )  # fmt: skip
    parser.add_argument("--documents", type=Path, help="write table and picture there too, figures to ../measurements")
    return parser


if __name__ == "__main__":
    sys.exit(main())
