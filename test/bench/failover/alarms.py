"""Is a balancer that lives ever given up? Both cores loaded, packets lost on the private link, for minutes.

``python3 -m bench.failover.alarms --help``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import network
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import say, wait_for
from lab.simulator import control
from lab.topology import BALANCERS
from lab.traffic import probe

from .report import with_rows
from .systems import SYSTEMS, Formula, System, installed

SETTINGS: dict[str, System] = {
    **{name: Formula(name, "", {"failure_detection": name}) for name in ("fast", "balanced", "conservative")},
    **{name: SYSTEMS[name] for name in ("keepalived-default", "keepalived-tight")},
}
# What the journal has when one balancer takes the other for dead.
_GIVEN_UP = {"pacemaker-based": "state is now lost", "Keepalived_vrrp": "Entering MASTER STATE"}
INTERVAL_MS = 50
PAGE, TABLE = "failure-detection.md", "| setting | minutes | busy processes |"


@dataclass
class Quiet:
    """What happened while nothing should have happened."""

    setting: str
    minutes: float
    processes: int
    loss: int
    tokens_lost: int
    given_up: int
    moves: int
    requests: int
    failed: int

    @property
    def line(self) -> str:
        """The row of the table."""
        words = [self.setting, f"{self.minutes:g}", self.processes, f"{self.loss} %", self.tokens_lost, self.given_up]
        return f"| {' | '.join(map(str, [*words, self.moves, self.requests, self.failed]))} |\n"


def measure(setting: str, minutes: float, processes: int, loss: int) -> Quiet:
    """Load the machine and lose packets for so long, in a lab with that system."""
    SETTINGS[setting].settle()
    before, moves, since = _tokens_lost(), _moves(), time.time()
    with probe(INTERVAL_MS) as record, _busy(processes), _lossy(loss):
        deadline = time.monotonic() + minutes * 60
        wait_for("the end of the load", lambda: time.monotonic() > deadline, minutes * 60 + 10, 1)
    counted = _tokens_lost() - before, _given_up(since), _moves() - moves
    return Quiet(setting, minutes, processes, loss, *counted, len(record.samples), len(record.failed))


@contextlib.contextmanager
def _busy(processes: int) -> Iterator[None]:
    """So many processes of the machine that do nothing but use up a core."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _lossy(percent: int) -> Iterator[None]:
    for host in BALANCERS:
        network.set_loss(host, "private", percent)
    try:
        yield
    finally:
        for host in BALANCERS:
            network.set_loss(host, "private", 0)


def _tokens_lost() -> int:
    """By corosync's statistics of both balancers (cmap_keys(7)), where there is a corosync."""
    lines = [
        line
        for host in BALANCERS
        for line in machine(host).run("corosync-cmapctl", "-m", "stats", check=False).stdout.splitlines()
        if "_token_lost" in line
    ]
    return sum(int(line.rpartition("= ")[2]) for line in lines)


def _given_up(since: float) -> int:
    found = 0
    for writer, words in _GIVEN_UP.items():
        options = ("--output=cat", "--no-pager", f"--since=@{since:.6f}", f"--identifier={writer}")
        text = "".join(machine(host).run("journalctl", *options, check=False).stdout for host in BALANCERS)
        found += text.count(words)
    return found


def _moves() -> int:
    return len(control.state(str(CONTROL))["moves"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.failover.alarms", description="Is a balancer that lives given up?")
    parser.add_argument(
        "--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS, metavar="SETTING", help=", ".join(SETTINGS)
    )
    parser.add_argument("--minutes", type=float, default=10, help="for each setting (default: 10)")
    parser.add_argument("--loss", type=int, default=5, help="percent of packets (default: 5)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="busy ones (default: one a core)")
    parser.add_argument("--documents", type=Path, help=f"write the rows of {PAGE} there")
    options = parser.parse_args()
    lines = []
    for setting in options.settings:
        with installed(SETTINGS[setting]):
            quiet = measure(setting, options.minutes, options.processes, options.loss)
        lines.append(quiet.line)
        say(quiet.line.strip())
    if options.documents:
        page = options.documents / PAGE
        page.write_text(with_rows(page.read_text(encoding="utf-8"), TABLE, "".join(lines)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
