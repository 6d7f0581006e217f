"""What HAProxy says about itself, as data: the master CLI's ``show proc`` and the runtime API's ``show stat``
(HAProxy's management guide, sections 9.3 and 9.4)."""

from __future__ import annotations

import csv
import re

_MASTER = re.compile(r"^\d+\s+master\s+(\d+)(?:\s+\[failed:\s*(\d+)\])?")
_WORKER = re.compile(r"^(\d+)\s+worker\s")


def parse_show_proc(text: str) -> dict:
    """
    Read ``show proc`` of the master CLI.

    Returns ``{"reloads": int, "failed": int, "workers": [pid]}``: how often the master was reloaded, how many of the
    last reloads failed in a row, and the workers that serve now (not those that only finish).
    """
    result = {"reloads": 0, "failed": 0, "workers": []}
    current = False
    for line in text.splitlines():
        if line.startswith("#"):
            current = line.strip() == "# workers"
        elif master := _MASTER.match(line):
            result["reloads"], result["failed"] = int(master[1]), int(master[2] or 0)
        elif current and (worker := _WORKER.match(line)):
            result["workers"].append(int(worker[1]))
    return result


def parse_show_stat(text: str) -> list[dict]:
    """
    Read the servers of ``show stat``.

    Returns ``[{"backend", "server", "status", "sessions", "weight", "backup", "check"}]`` in HAProxy's order;
    ``status`` is HAProxy's own word (``UP``, ``DOWN``, ``MAINT``, ``no check`` ...), ``check`` the last check's text.
    """
    servers = []
    for row in csv.DictReader(text.lstrip("# ").splitlines()):
        if row["svname"] not in ("FRONTEND", "BACKEND"):
            servers.append({
                "backend": row["pxname"],
                "server": row["svname"],
                "status": row["status"],
                "sessions": int(row["stot"] or 0),
                "weight": int(row["weight"] or 0),
                "backup": row["bck"] not in ("", "0"),
                "check": " ".join(filter(None, (row.get("check_status"), row.get("last_chk")))),
            })
    return servers


def is_up(server: dict) -> bool:
    """Whether HAProxy sends requests to a server: up, or not checked at all."""
    return server["status"].startswith(("UP", "no check"))
