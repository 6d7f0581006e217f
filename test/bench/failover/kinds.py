"""What clients of other addresses see: both families, two at work, a LAN, Hetzner Cloud.

``python3 -m bench.failover.kinds --help``. Each kind is measured in a lab of its own; with LAB_REALM several at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path

from faults import several
from faults.catalogue import FAULTS
from faults.fault import Scene
from faults.kinds import KINDS, Kind
from lab import audit, salt
from lab.machine import machine
from lab.shell import LabError, say, wait_for
from lab.topology import BALANCERS
from lab.traffic import Record
from support import REPOSITORY

from . import report
from .systems import SYSTEMS, installed

FAILOVER = "planned failover"
EVENTS = {
    FAILOVER: "",
    "power loss of the active balancer": "power-loss-active",
    "private link of the active balancer cut": "cut-private-active",
    "SIGKILL of HAProxy": "haproxy-kill-active",
}
AGENTS = hashlib.sha256((REPOSITORY / "haproxy_ha/agents.sha256").read_bytes()).hexdigest()[:8]
"""Which set of agents is measured."""


def trial(kind: Kind, event: str) -> dict:
    """Strike the load balancer of the first address; what clients of each address saw."""
    scene = settle(kind)
    wait_for("any moment", _passed(random.uniform(0, 5)), 10, 0.01)
    load = os.getloadavg()[0]
    with kind.clients.asking() as records:
        wait_for("a quiet start", lambda: all(len(one.samples) > several.STEADY for one in records), 10, 0.05)
        strike(kind, event, scene, records)
    return {
        "event": event,
        "addresses": kind.called,
        "load": round(load, 1),
        "agents": AGENTS,
        "gaps": [round(record.longest_gap, 4) for record in records],
        "failed": [len(record.failed) for record in records],
    }


def strike(kind: Kind, event: str, scene: Scene, records: list[Record]) -> None:
    """Have it happen, and wait until all clients are served again."""
    if EVENTS[event]:
        struck = records[:1] if kind.apart else records
        return several.strike(FAULTS[EVENTS[event]], scene, struck)
    words = ["address=web"] if kind.apart else []
    moved = salt.call("haproxy_ha.failover", *words, target=scene.active)[scene.active]
    if moved != {"old": scene.active, "new": scene.passive}:
        raise LabError(f"haproxy_ha.failover: {moved}")
    began = time.time()
    wait_for("all to be served", lambda: all(several.serves(one, began) for one in records), 30)
    return None


def settle(kind: Kind) -> Scene:
    """The addresses where they should be, all well."""
    asked = BALANCERS[-1]
    machine(asked).run("crm_resource", "--cleanup")  # with those before it, a failure would count for more
    if kind.apart:
        wait_for("both balancers", lambda: several.both_run(asked), 150, 0.5)
        salt.call("haproxy_ha.spread", target=asked)
    found = several.settle(asked, kind.clients, kind.where)
    [active] = found[kind.struck]
    wait_for("both balancers", lambda: several.both_run(asked), 150, 0.5)
    wait_for("the end of earlier takeovers", lambda: not _takeovers(asked), 60, 0.5)
    return Scene(active, audit.passive_of(active), {})


def _takeovers(host: str) -> bool:
    """Whether an address is still drawn to where it was taken in a partition."""
    where = "//transient_attributes//nvpair[starts-with(@name, 'haproxy_ha-takeover')]"
    return not machine(host).run("cibadmin", "--query", "--xpath", where, check=False).returncode


def _passed(seconds: float):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def measure(name: str, events: list[str], trials: int, output: Path) -> None:
    """Events of one kind, in turn."""
    kind = KINDS[name]
    with output.open("a", encoding="utf-8") as file, kind.built():
        for _ in range(trials):
            for event in events:
                found = trial(kind, event)
                file.write(json.dumps(found) + "\n")
                file.flush()
                say(f"{name}: {found}")


def merge(directory: Path, documents: Path) -> None:
    """Write the trials of a directory to the documents, instead of those kinds' former ones."""
    figures = documents.parent / "measurements" / report.KINDS
    former = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    found = {
        name: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for name in KINDS
        if (path := directory / f"{name}.jsonl").exists()
    }
    figures.write_text(json.dumps(former | found, indent=1) + "\n", encoding="utf-8")
    page = documents / "failover.md"
    text = report.with_rows(page.read_text(encoding="utf-8"), report.KINDS_TABLE, report.kinds_rows(former | found))
    page.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.failover.kinds", description="What clients of other addresses see.")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS, help="default: all")
    parser.add_argument("--events", nargs="*", default=list(EVENTS), choices=EVENTS, help="default: all")
    parser.add_argument("--trials", type=int, default=20, help="of each event (default: 20)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build/kinds", help="default: build/kinds")
    parser.add_argument("--documents", type=Path, help="measure nothing: write what is in the output there")
    options = parser.parse_args()
    if options.documents:
        merge(options.output, options.documents)
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    with installed(SYSTEMS["haproxy_ha"]):
        for name in options.kinds:
            measure(name, options.events, options.trials, options.output / f"{name}.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
