"""What a client sees while something happens: a probe in a host, and what its record says."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .machine import machine
from .shell import run, wait_for
from .topology import FLOATING_IP

PROBE = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")


@dataclass
class Record:
    """The answers of one probe: as they come while it runs, then in the order of their requests."""

    samples: list[dict] = field(default_factory=list)

    @property
    def failed(self) -> list[dict]:
        """The requests that got anything but a 200 within a second."""
        return [sample for sample in self.samples if sample["status"] != 200]

    @property
    def longest_gap(self) -> float:
        """Seconds between two good answers, at the most."""
        ends = sorted(sample["start"] + sample["taken"] for sample in self.samples if sample["status"] == 200)
        if not ends:
            return float("inf")
        last = max(sample["start"] for sample in self.samples)  # a record that ends in failures ends in a gap
        return max(later - earlier for earlier, later in zip(ends, [*ends[1:], last], strict=True))

    def app_servers(self) -> list[str]:
        """Which app server answered, by the tutorial's page, request by request."""
        return [
            sample["text"].partition("Droplet: ")[2].partition(",")[0]
            for sample in self.samples
            if sample["status"] == 200
        ]


@contextlib.contextmanager
def probe(
    interval_ms: int = 50, address: str = FLOATING_IP, port: int = 80, source: str = "client"
) -> Iterator[Record]:
    """Ask ``address`` from the host ``source`` while the block runs; the record is complete after the block."""
    record = Record()
    argv = machine(source).command("python3", "-c", PROBE, address, str(port), str(interval_ms))
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # Read all the time: a full pipe would stop the probe.
    reader = threading.Thread(target=lambda: record.samples.extend(map(json.loads, process.stdout)), daemon=True)
    reader.start()
    try:
        wait_for("the probe's first answer", lambda: record.samples, 10, 0.01)
        yield record
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        reader.join(timeout=30)
        record.samples.sort(key=lambda sample: sample["start"])


LOAD = Path(__file__).with_name("load.py").read_text(encoding="utf-8")


@contextlib.contextmanager
def load(once: int, kept: int, tls: int = 0, address: str = FLOATING_IP, source: str = "client") -> Iterator[dict]:
    """Ask at high rates (per second; see load.py) while the block runs; the report is complete after the block."""
    report: dict = {}
    argv = machine(source).command("python3", "-c", LOAD, address, str(once), str(kept), str(tls))
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    try:
        assert process.stdout.readline() == "running\n"
        yield report
    finally:
        output, _ = process.communicate(timeout=60)
    report.update(json.loads(output), seconds=time.monotonic() - began)


def ask(address: str = FLOATING_IP, port: int = 80, source: str = "client", path: str = "/") -> tuple[int, str]:
    """One request with curl from a host: the status (0: refused, reset or no answer in 3 s) and the body."""
    host = f"[{address}]" if ":" in address else address
    argv = machine(source).command("curl", "-gsS", "-m", "3", "-w", "\n%{http_code}", f"http://{host}:{port}{path}")
    done = run(argv, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), (body or done.stderr).strip()
