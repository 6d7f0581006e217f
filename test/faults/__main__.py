"""The fault suite's command line; ``python3 -m faults --help``."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from lab import audit, formula, lab, preflight, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, say
from lab.simulator import control
from lab.topology import BALANCERS

from . import fault, inspection, report, salt_faults
from .catalogue import FAULTS


def main() -> int:
    options = _parser().parse_args()
    if options.action in (_list, _page):
        return options.action(options)
    outcomes: list[fault.Outcome] = []
    try:
        preflight.require_root()
        lab.up()
        try:
            _first_run()
            options.action(options, outcomes)
        finally:
            lab.down()
    except LabError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    ill = [outcome for outcome in outcomes if outcome.problems]
    print(f"{len(outcomes)} faults, {len(ill)} with problems")
    for outcome in ill:
        print(f"  {outcome.fault.name}: {'; '.join(outcome.problems)}")
    return 1 if ill else 0


def _list(options) -> int:
    for entry in FAULTS.values():
        print(f"{entry.name:32} {entry.group}: {entry.title}")
    return 0


def _page(options) -> int:
    report.write([], options.documents)
    return 0


def _all(options, outcomes: list[fault.Outcome]) -> None:
    entries = [entry for entry in FAULTS.values() if not options.group or options.group in entry.group]
    names = [entry.name for entry in entries]
    start = names.index(options.start[0]) if options.start else 0
    _play(entries[start:], options, outcomes)


def _run(options, outcomes: list[fault.Outcome]) -> None:
    _play([FAULTS[name] for name, times in options.faults for _ in range(times)], options, outcomes)


def _play(entries, options, outcomes: list[fault.Outcome]) -> None:
    before = inspection.baseline()
    for entry in entries:
        _one(entry, before, options, outcomes)


def _one(entry: fault.Fault, before: inspection.Baseline, options, outcomes: list[fault.Outcome]) -> None:
    outcomes.append(fault.run(entry, before, not options.no_apply))
    if options.documents:
        report.write(outcomes, options.documents)
    if audit.problems():
        _rescue()


def _rescue() -> None:
    """What an operator does about a system that stays ill: it must not spoil what is found about the next fault."""
    say(f"rescue: {'; '.join(audit.problems())}")
    try:
        _repair()
    except LabError as error:
        say(f"a new lab, for the old one is beyond repair: {error}")
        lab.up()
        _first_run()


def _repair() -> None:
    control.clear(str(CONTROL))
    for host in BALANCERS:
        if audit.status(host) is None:
            machine(host).run("systemctl", "kill", "--signal=KILL", "pacemaker")
    formula.set_pillar()
    formula.apply()
    machine(BALANCERS[0]).run("crm_resource", "--cleanup")
    audit.settle()


def _first_run() -> None:
    salt.sync()
    formula.set_pillar()
    formula.apply()
    audit.settle()


def _soak(options, outcomes: list[fault.Outcome]) -> None:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    say(f"soak: {options.minutes:g} minutes, SEED={seed}")
    chance = random.Random(seed)
    salt_faults.MOMENTS.seed(seed)
    faults = [entry for entry in FAULTS.values() if not entry.long]
    before, end = inspection.baseline(), time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        _one(chance.choice(faults), before, options, outcomes)
    if inspection.problems(before, True):
        raise LabError(f"at the end, SEED={seed}: {'; '.join(inspection.problems(before, True))}")


def _named(text: str) -> tuple[str, int]:
    name, _, times = text.partition(":")
    if name not in FAULTS or not (times.isdigit() or not times):
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: FAULT or FAULT:TIMES; `list` lists them")
    return name, int(times or 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faults", description="Break everything on purpose, and audit.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(action=action)
        sub.add_argument("--documents", type=Path, help="write failure-modes.md there, its data to ../measurements")
        sub.add_argument("--no-apply", action="store_true", help="leave the new state.apply out of the audits")
        return sub

    command("list", _list, "list the faults")
    command("page", _page, "write failure-modes.md anew from its data").set_defaults(documents=Path("docs"))
    sub = command("all", _all, "every fault once")
    sub.add_argument("--group", help="only the classes with this in their name")
    sub.add_argument("--start", type=_named, metavar="FAULT", help="begin with this one")
    sub = command("run", _run, "some faults")
    sub.add_argument("faults", nargs="+", type=_named, metavar="FAULT[:TIMES]")
    sub = command("soak", _soak, "faults at random")
    sub.add_argument("--minutes", type=float, default=30, help="default: 30")
    sub.add_argument("--seed", type=int, help="default: chosen, and printed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
