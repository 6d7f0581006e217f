"""What a pair costs that has nothing to do: CPU, memory and network of all that makes it highly available.

``python3 -m bench.failover.idle --help``
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import audit
from lab.machine import machine
from lab.shell import LabError, say, wait_for
from lab.topology import BALANCERS

from .report import with_rows
from .systems import SYSTEMS, installed

UNITS = {
    "haproxy_ha": ("corosync", "pacemaker", "haproxy_ha-watch", "haproxy_ha-pacemaker-watch"),
    "keepalived-default": ("keepalived",),
    "keepalived-tight": ("keepalived",),
    "tutorial": ("corosync", "pacemaker"),
}
PAGE, TABLE = "failure-detection.md", "| system | load balancer | CPU |"
# Of the processes of a unit: [their CPU in ticks with that of children that have ended, their memory in kB].
COUNT = """
import json, os, subprocess, sys
show = ["systemctl", "show", "--value", "--property=MainPID", *sys.argv[1:]]
mains = {int(word) for word in subprocess.run(show, capture_output=True, text=True).stdout.split()} - {0}
processes = {}
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        fields = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()
        rollup = open(f"/proc/{name}/smaps_rollup").read().split()
        memory = int(rollup[rollup.index("Pss:") + 1])
    except (OSError, ValueError):
        continue
    processes[int(name)] = int(fields[1]), sum(map(int, fields[11:15])), memory
ours = set(mains)
while more := {pid for pid, (parent, *_) in processes.items() if parent in ours} - ours:
    ours |= more
links = [line.split(":") for line in open("/proc/net/dev") if ":" in line]  # /sys is of another network namespace
sent = sum(int(counts.split()[8]) for name, counts in links if name.strip() != "lo")
known = [processes[pid] for pid in ours if pid in processes]
print(json.dumps([sum(one[1] for one in known), sum(one[2] for one in known), sent]))
"""


@dataclass
class Cost:
    """Of one load balancer, over some seconds: CPU in percent of a core, memory in MB, what it sends in kB/s."""

    system: str
    role: str
    cpu: float
    memory: float
    sent: float

    @property
    def line(self) -> str:
        """The row of the table."""
        title = SYSTEMS[self.system].title
        return f"| {title} | {self.role} | {self.cpu:.2f} % | {self.memory:.0f} MB | {self.sent:.1f} kB/s |\n"


def measure(name: str, seconds: float) -> list[Cost]:
    """Leave a pair alone for so long."""
    owner = _settle(name)
    before, begin = {host: _count(name, host) for host in BALANCERS}, time.monotonic()
    wait_for("an idle pair to have cost something", lambda: time.monotonic() - begin >= seconds, seconds + 10, 1)
    after, passed = {host: _count(name, host) for host in BALANCERS}, time.monotonic() - begin
    roles = {owner: "active", audit.passive_of(owner): "passive"}
    return [_cost(name, role, before[host], after[host], passed) for host, role in roles.items()]


def _settle(name: str) -> str:
    """The load balancer that has the address, once all is well; an operator helps where that does not come."""
    try:
        return SYSTEMS[name].settle()
    except LabError as error:
        say(f"{error}: mended by hand")
        SYSTEMS[name].repair()
        return SYSTEMS[name].settle()


def _cost(name: str, role: str, before: list[int], after: list[int], seconds: float) -> Cost:
    cpu = (after[0] - before[0]) / os.sysconf("SC_CLK_TCK") / seconds * 100
    return Cost(name, role, cpu, after[1] / 1024, (after[2] - before[2]) / seconds / 1000)


def _count(name: str, host: str) -> list[int]:
    return json.loads(machine(host).run("python3", "-c", COUNT, *UNITS[name]).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.failover.idle", description="What an idle pair costs.")
    parser.add_argument("--systems", nargs="+", default=list(UNITS), choices=UNITS, help="which; default: all")
    parser.add_argument("--seconds", type=float, default=120, help="for each system (default: 120)")
    parser.add_argument("--documents", type=Path, help=f"write the rows of {PAGE} there")
    options = parser.parse_args()
    lines = []
    for name in options.systems:
        with installed(SYSTEMS[name]):
            lines += [cost.line for cost in measure(name, options.seconds)]
        say("".join(lines[-2:]).strip())
    if options.documents:
        page = options.documents / PAGE
        page.write_text(with_rows(page.read_text(encoding="utf-8"), TABLE, "".join(lines)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
