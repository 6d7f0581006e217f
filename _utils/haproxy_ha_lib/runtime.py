"""What HAProxy says about itself, as data: the master CLI's ``show proc``, the runtime API's ``show stat`` and
``show servers state`` (HAProxy's management guide, sections 9.3 and 9.4)."""

from __future__ import annotations

import csv
import ipaddress
import re

_MASTER = re.compile(r"^(\d+)\s+master\s+(\d+)(?:\s+\[failed:\s*(\d+)\])?")
_WORKER = re.compile(r"^(\d+)\s+worker\s")


def parse_show_proc(text: str) -> dict:
    """
    Read ``show proc`` of the master CLI.

    Returns ``{"master": pid, "reloads": int, "failed": int, "workers": [pid]}``: how often the master was reloaded, how
    many of the last reloads failed in a row, and the workers that serve now (not those that only finish).
    """
    result = {"master": 0, "reloads": 0, "failed": 0, "workers": []}
    current = False
    for line in text.splitlines():
        if line.startswith("#"):
            current = line.strip() == "# workers"
        elif master := _MASTER.match(line):
            result.update(master=int(master[1]), reloads=int(master[2]), failed=int(master[3] or 0))
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


NO_STATES = "1\n"
"""A file of states without any: the version of its form alone."""

# HAProxy's own numbers: srv_op_state of a server that is down.
_STOPPED = "0"


def parse_servers_state(text: str) -> list[dict]:
    """Read ``show servers state``: a dict of HAProxy's own column names for each server."""
    columns, rows = [], []
    for line in text.splitlines():
        if line.startswith("#"):
            columns = line.lstrip("# ").split(" ")
        elif columns and len(words := line.split(" ")) >= len(columns):
            rows.append(dict(zip(columns, words, strict=False)))
    return rows


def kept_states(text: str, wanted: dict) -> str:
    """
    The lines of ``show servers state`` about the servers that stay as they are.

    wanted
        The servers of the new configuration: {(proxy, server): address with port}. A line about a server that is
        elsewhere now would bring its old port back.
    """
    lines = text.strip().splitlines()
    head = [line for line in lines[:2] if not line.startswith("#") or "srv_name" in line]
    rows = parse_servers_state(text)
    kept = [line for line, row in zip(lines[2:], rows, strict=False) if _stays(row, wanted)]
    return "\n".join([*head, *kept]) + "\n"


def leaving(states: list[dict], wanted: dict) -> list[tuple[str, str]]:
    """
    The (backend, server) in rotation that a new configuration no longer has, or has elsewhere; none of a backend of
    which no other server in rotation stays.

    states, wanted
        As in :func:`parse_servers_state` and :func:`kept_states`.
    """
    staying = _served(states, wanted)
    return [
        (row["be_name"], row["srv_name"])
        for row in _rotation(states)
        if row["be_name"] in staying and not _stays(row, wanted)
    ]


def down_alone(states: list[dict], wanted: dict) -> list[tuple[str, str]]:
    """
    The (backend, server) that are down and stay, while all in rotation leave their backend and none is new: a backend
    that answers now would answer nobody.

    states, wanted
        As in :func:`parse_servers_state` and :func:`kept_states`.
    """
    stay = [row for row in states if _stays(row, wanted)]
    new = {backend for backend, _ in wanted.keys() - {(row["be_name"], row["srv_name"]) for row in stay}}
    losing = {row["be_name"] for row in _rotation(states)} - _served(states, wanted) - new
    return [
        (row["be_name"], row["srv_name"])
        for row in stay
        if row["be_name"] in losing and row["srv_op_state"] == _STOPPED and row["srv_admin_state"] == "0"
        and row["srv_uweight"] != "0"
    ]


def _rotation(states):
    return [row for row in states if row["srv_op_state"] != _STOPPED and row["srv_admin_state"] == "0"]


def _served(states, wanted):
    """The backends of which a server in rotation stays."""
    return {row["be_name"] for row in _rotation(states) if _stays(row, wanted) and row["srv_uweight"] != "0"}


def _stays(row: dict, wanted: dict) -> bool:
    address = wanted.get((row["be_name"], row["srv_name"]))
    if address is None:
        return False
    host, _, port = address.rpartition(":") if re.search(r":\d+$", address) else (address, "", "0")
    host = host.strip("[]")
    try:
        same = ipaddress.ip_address(row["srv_addr"]) == ipaddress.ip_address(host)
    except ValueError:  # a name, a socket, a variable: as far as can be told it is the same
        return True
    return same and row["srv_port"] == port


def busy(text: str, servers: list[tuple[str, str]]) -> dict:
    """How many requests each of some (backend, server) has or lets wait, by ``show stat``; none that is idle."""
    rows = {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.lstrip("# ").splitlines())}
    counts = {
        server: int(rows[server]["scur"] or 0) + int(rows[server]["qcur"] or 0) for server in servers if server in rows
    }
    return {server: count for server, count in counts.items() if count}


def is_up(server: dict) -> bool:
    """Whether HAProxy sends requests to a server: up, or not checked at all."""
    return server["status"].startswith(("UP", "no check"))
