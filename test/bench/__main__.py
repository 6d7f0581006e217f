"""``python3 -m bench``: run the benchmarks in the lab's image with Puppet beside it, and keep the raw samples."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lab import image, tools
from lab.shell import LabError

PUPPET = ("puppet-agent", "puppet-module-voxpupuli-corosync", "crmsh")
PATH = "/opt/salt/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INSIDE = ("env", "PYTHONPATH=_utils:test", f"PATH={PATH}", "python3", "-m", "bench.inside")
# What the issue of this project asks for: (section, what, at most).
LIMITS = (
    ("converged", "ours / puppet-corosync", 0.1),
    ("converged", "ours / crm configure show, per object", 0.1),
    ("converged", "external commands", 3),
    ("plan", "seconds for 1000 + 1000 objects", 3),
    ("plan", "MB above bare salt-call", 60),
    ("estate", "ms of CPU more than an empty run", 50),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--debian", default=image.DEBIAN, help=f"Debian release (default: {image.DEBIAN})")
    parser.add_argument("--samples", default="5", help="samples of each measurement (default: 5)")
    parser.add_argument("--out", default="bench.json", help="file for figures and raw samples (default: bench.json)")
    options = parser.parse_args()
    try:
        said = tools.output([*INSIDE, options.samples], options.debian, PUPPET)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    found = json.loads(said)
    Path(options.out).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return _judge(found["figures"])


def _judge(figures: dict) -> int:
    """Print all figures; 1 if one is above its limit."""
    limits = {(section, what): limit for section, what, limit in LIMITS}
    above = 0
    for section, content in figures.items():
        for what, value in content.items():
            limit = limits.get((section, what))
            verdict = "" if limit is None else f"  (at most {limit}: {'yes' if value <= limit else 'NO'})"
            above += limit is not None and value > limit
            print(f"{section:10} {what:55} {value:>10.4g}{verdict}")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
