"""Histories of the pair by the thousand: python3 -m simulation run|replay|known, where Pacemaker's programs are.

make simulation DO="run --histories 10000"
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from simulation import coverage, directed, history, scheduler
from simulation.disturbances import KINDS
from simulation.known import KNOWN
from simulation.world import Setting

SAID_EVERY = 60.0  # seconds between two words on how far a run is


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", help="many histories; the first that fails is shrunk and told")
    run.add_argument("--histories", type=int, default=1000)
    run.add_argument("--seed", type=int, default=0, help="the first one")
    run.add_argument("--processes", type=int, default=2)
    replay = actions.add_parser("replay", help="one history by its seed, told; shrunk if it fails")
    replay.add_argument("seed", type=int)
    replay.add_argument("--without", choices=KNOWN, help="a fix that is taken out")
    pairs = actions.add_parser("pairs", help="each disturbance in each state of the pair")
    pairs.add_argument("--processes", type=int, default=2)
    known = actions.add_parser("known", help="each fix of the past taken out, until that is found")
    known.add_argument("--histories", type=int, default=2000)
    given = parser.parse_args(argv)
    return {"run": run_many, "pairs": run_pairs, "replay": replay_one, "known": find_known}[given.action](given)


def run_many(given: argparse.Namespace) -> int:
    begin, seen, failed = time.monotonic(), Counter[tuple[str, str]](), []
    reached: set[tuple[str, int]] = set()
    said = begin
    for number, (seed, outcome, asked) in enumerate(outcomes(given.seed, given.histories, given.processes)):
        if time.monotonic() - said >= SAID_EVERY:
            said = time.monotonic()
            print(f"{number} of {given.histories} in {said - begin:.0f} s, {len(failed)} failed", flush=True)
        seen.update(outcome.seen)
        reached |= outcome.reached
        if outcome.wrong:
            failed.append(seed)
            print(f"seed {seed}: {outcome.wrong}", flush=True)
        last = asked
    print(f"{given.histories} histories in {time.monotonic() - begin:.0f} s, {len(failed)} failed; Pacemaker's programs"
          f" ran {last[0]} times in one process, {last[1]} answers were known")  # fmt: skip
    print(table(seen), *coverage.shares(reached), sep="\n")
    if failed:
        tell(history.shrink(history.drawn_history(failed[0])))
    return bool(failed)


def run_pairs(given: argparse.Namespace) -> int:
    """Each disturbance in each state of the pair."""
    failed, reached = 0, set[tuple[str, int]]()
    with multiprocessing.Pool(given.processes) as pool:
        for found, outcome in pool.imap_unordered(named, [found for _, found in directed.pairs()], chunksize=5):
            reached |= outcome.reached
            if outcome.wrong:
                failed += 1
                print(found, outcome.wrong, flush=True)
    print(*coverage.shares(reached), *coverage.unexplained(reached), sep="\n")
    return bool(failed)


def named(found: history.History) -> tuple[history.History, history.Outcome]:
    return found, history.run(found)._replace(story=[])


def outcomes(first: int, number: int, processes: int) -> Iterator[tuple[int, history.Outcome, tuple[int, int]]]:
    with multiprocessing.Pool(processes) as pool:
        yield from pool.imap_unordered(one, range(first, first + number), chunksize=5)


def one(seed: int, setting: Setting = history.NOW) -> tuple[int, history.Outcome, tuple[int, int]]:
    outcome = history.run(history.drawn_history(seed), setting)
    return seed, outcome._replace(story=[]), (scheduler.ASKED.runs, scheduler.ASKED.known)


def table(seen: Counter[tuple[str, str]]) -> str:
    """How often each disturbance has come in each state of the pair."""
    states = sorted({state for _, state in seen})
    rows = [f"{kind:18}" + "".join(f"{seen[kind, state]:>28}" for state in states) for kind in KINDS]
    return "\n".join([" " * 18 + "".join(f"{state:>28}" for state in states), *rows])


def replay_one(given: argparse.Namespace) -> int:
    setting = KNOWN.get(given.without, history.NOW)
    found = history.drawn_history(given.seed)
    if history.run(found, setting).wrong:
        found = history.shrink(found, setting)
    return tell(found, setting)


def tell(found: history.History, setting: Setting = history.NOW) -> int:
    outcome = history.run(found, setting)
    print(found, history.told(outcome), sep="\n")
    return bool(outcome.wrong)


def find_known(given: argparse.Namespace) -> int:
    missed = 0
    for name, setting in KNOWN.items():
        begin = time.monotonic()
        found = first_wrong(given.histories, setting)
        print(f"=== without {name}: {'not found' if found is None else f'seed {found}'},"
              f" {time.monotonic() - begin:.0f} s", flush=True)  # fmt: skip
        missed += found is None
        if found is not None:
            tell(history.shrink(history.drawn_history(found), setting), setting)
    return missed


def first_wrong(histories: int, setting: Setting) -> int | None:
    """The seed of the first history that fails; whatever is still under way is ended."""
    with multiprocessing.Pool(2) as pool:
        tries = pool.imap(functools.partial(one, setting=setting), range(histories))
        return next((seed for seed, outcome, _ in tries if outcome.wrong), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
