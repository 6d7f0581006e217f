"""What several addresses of a LAN cost as they grow: a run that changes nothing, a loss of power, a pair that idles.

``python3 -m bench.addresses --help``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from faults import several
from lab import audit, formula, salt
from lab.machine import machine
from lab.shell import say, wait_for
from lab.topology import BALANCERS
from support import REPOSITORY

from .failover.idle import COUNT, UNITS
from .failover.report import with_rows
from .failover.systems import SYSTEMS, installed

ASKED = BALANCERS[-1]
BOTH = ",".join(BALANCERS)
PAGE, TABLE = "addresses.md", "| addresses | resources |"
INTERVAL = 0.2  # seconds between two requests to an address
SERVED = 60.0  # seconds in which all are served again
# Asks every address at a steady rate until standard input closes, then prints the longest time without a good answer.
ASK = """
import asyncio, json, sys, time
async def good(address):
    reader, writer = await asyncio.open_connection(address, 80)
    try:
        writer.write(b"HEAD / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
async def keep_asking(address, gaps, interval, closed):
    last = time.monotonic()
    while not closed.done():
        begun = time.monotonic()
        try:
            well = await asyncio.wait_for(good(address), 1.0)
        except (OSError, ValueError, asyncio.TimeoutError):
            well = False
        now = time.monotonic()
        if well:
            gaps[address], last = max(gaps[address], now - last), now
        await asyncio.sleep(max(0.0, begun + interval - now))
    gaps[address] = max(gaps[address], time.monotonic() - last)
async def main(interval, *addresses):
    closed, gaps = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read), dict.fromkeys(addresses, 0.0)
    await asyncio.gather(*(keep_asking(one, gaps, float(interval), closed) for one in addresses))
    print(json.dumps(gaps))
asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Row:
    """What was measured of so many addresses; seconds, and percent of a core."""

    addresses: int
    resources: int
    runs: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    idle: float = 0.0

    @property
    def line(self) -> str:
        """Addresses, resources, a run and a loss of power (median, longest), and what an idle pair costs."""
        runs, gaps = (f"{statistics.median(some):.2f} s, {max(some):.2f} s" for some in (self.runs, self.gaps))
        return f"| {self.addresses} | {self.resources} | {runs} | {gaps} | {self.idle:.1f} % |\n"


def pillar(number: int, together: bool) -> tuple[dict, list[str]]:
    """The tree of a pair with so many addresses, and they."""
    addresses = [f"10.132.21.{last}" for last in range(1, number + 1)]
    tree = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    if together:
        named = {"all": {"address": addresses[0], "addresses": addresses[1:]}}
    else:
        named = {f"a{last}": {"address": address} for last, address in enumerate(addresses, 1)}
    tree["haproxy_ha"] |= {"floating_ip": {"provider": "lan"}, "floating_ips": named}
    return tree, addresses


def measure(number: int, together: bool, trials: int, seconds: float) -> Row:
    """Give the pair so many addresses, and measure."""
    tree, addresses = pillar(number, together)
    row = Row(number, len(tree["haproxy_ha"]["floating_ips"]))
    salt.set_pillar(yaml.safe_dump(tree, sort_keys=False))
    formula.apply(target=BOTH)
    settle(row)
    for _ in range(trials):
        began = time.monotonic()
        machine(ASKED).run("salt-call", "--retcode-passthrough", "state.apply", "haproxy_ha")
        row.runs.append(round(time.monotonic() - began, 3))
    row.idle = round(idle(seconds), 2)
    for _ in range(trials):
        row.gaps.append(round(lose_power(addresses), 3))
        settle(row)
    say(row.line.strip())
    return row


def idle(seconds: float) -> float:
    """CPU of both load balancers for high availability, in percent of a core."""

    def spent() -> float:
        counts = [machine(host).run("python3", "-c", COUNT, *UNITS["haproxy_ha"]).stdout for host in BALANCERS]
        return sum(json.loads(count)[0] for count in counts) / os.sysconf("SC_CLK_TCK")

    before, began = spent(), time.monotonic()
    wait_for("an idle pair to have cost something", lambda: time.monotonic() - began >= seconds, seconds + 10, 1)
    return (spent() - before) / (time.monotonic() - began) * 100


def lose_power(addresses: list[str]) -> float:
    """The longest time that any address was without a good answer, as one that has some loses its power."""
    lost = min(holders(ASKED))
    left = audit.passive_of(lost)
    argv = machine("master").command("python3", "-c", ASK, str(INTERVAL), *addresses)
    asking = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for("the first answers", _passed(2.0), 10, 0.1)
    machine(lost).power_off()
    wait_for("all addresses to be served by the other one", lambda: holders(left) == {left}, SERVED, 0.5)
    wait_for("some more answers", _passed(3.0), 10, 0.1)
    output, _ = asking.communicate("", timeout=30)
    machine(lost).power_on()
    machine(lost).wait_booted()
    return max(json.loads(output).values())


def _passed(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def holders(host: str) -> set[str]:
    """The load balancers that have addresses, as one of them sees it; {""} for one that nobody has."""
    view = audit.status(host)
    places = several.places_of(view).addresses if view is not None else {"": []}
    return {node for nodes in places.values() for node in nodes or [""]}


def settle(row: Row) -> None:
    """Wait until both load balancers are well and each address is somewhere; several of them on both."""
    wait_for("both to be well", lambda: several.both_run(ASKED) and "" not in holders(ASKED), 180, 1)
    if row.resources > 1:
        salt.call("haproxy_ha.spread", target=ASKED)
        wait_for("addresses on both", lambda: holders(ASKED) == set(BALANCERS), 120, 1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.addresses", description="What several addresses cost.")
    parser.add_argument("--numbers", nargs="+", type=int, default=[1, 2, 10, 50], help="default: 1 2 10 50")
    parser.add_argument("--trials", type=int, default=5, help="of each run and loss of power (default: 5)")
    parser.add_argument("--seconds", type=float, default=60, help="idle, of each (default: 60)")
    parser.add_argument("--output", type=Path, help="write every figure there, as JSON")
    parser.add_argument("--documents", type=Path, help=f"write the rows of {PAGE} there")
    options = parser.parse_args()
    with installed(SYSTEMS["haproxy_ha"]):
        rows = [measure(number, False, options.trials, options.seconds) for number in options.numbers]
        rows.append(measure(max(options.numbers), True, options.trials, options.seconds))
    if options.output:
        options.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    if options.documents:
        page = options.documents / PAGE
        text = with_rows(page.read_text(encoding="utf-8"), TABLE, "".join(row.line for row in rows))
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
