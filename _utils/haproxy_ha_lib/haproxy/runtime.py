"""What HAProxy says about itself, as data: the master CLI's ``show proc``, the runtime API's ``show stat`` and
``show servers state`` (HAProxy's management guide, sections 9.3 and 9.4)."""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
"""A server as :func:`parse_servers_state` returns it."""
Server: TypeAlias = tuple[str, str]
"""Backend and name of a server."""
Wanted: TypeAlias = Mapping[Server, str]
"""The servers of a configuration: their addresses as they are written there."""

LEVELS = ("user", "operator", "admin")
"""What a control socket can allow (``show cli level``)."""

_MASTER = re.compile(r"^(\d+)\s+master\s+(\d+)(?:\s+\[failed:\s*(\d+)\])?")
_WORKER = re.compile(r"^(\d+)\s+worker\s")


def parse_show_proc(text: str) -> dict[str, Any]:
    """
    Read ``show proc`` of the master CLI.

    Returns ``{"master": pid, "reloads": int, "failed": int, "workers": [pid]}``: how often the master was reloaded, how
    many of the last reloads failed in a row, and the workers that serve now (not those that only finish).
    """
    result: dict[str, Any] = {"master": 0, "reloads": 0, "failed": 0, "workers": []}
    current = False
    for line in text.splitlines():
        if line.startswith("#"):
            current = line.strip() == "# workers"
        elif master := _MASTER.match(line):
            result.update(master=int(master[1]), reloads=int(master[2]), failed=int(master[3] or 0))
        elif current and (worker := _WORKER.match(line)):
            result["workers"].append(int(worker[1]))
    return result


def parse_show_stat(text: str) -> list[Row]:
    """
    Read the servers of ``show stat``.

    Returns ``[{"backend", "server", "status", "seconds", "sessions", "weight", "backup", "check"}]`` in HAProxy's
    order; ``status`` is HAProxy's own word (``UP``, ``DOWN``, ``MAINT``, ``no check`` ...), ``seconds`` for how long it
    has been so, ``check`` the last check's text.
    """
    servers = []
    for row in csv.DictReader(text.lstrip("# ").splitlines()):
        if row["svname"] not in ("FRONTEND", "BACKEND"):
            servers.append({
                "backend": row["pxname"],
                "server": row["svname"],
                "status": row["status"],
                "seconds": int(row.get("lastchg") or 0),
                "sessions": int(row["stot"] or 0),
                "weight": int(row["weight"] or 0),
                "backup": row["bck"] not in ("", "0"),
                "check": " ".join(filter(None, (row.get("check_status"), row.get("last_chk")))),
            })
    return servers


def identity(text: str) -> list[str]:
    """What tells a process of HAProxy from another one, by ``show info``: its id and when it was started."""
    fields = parse_show_info(text)
    return [fields.get("Pid", ""), fields.get("Start_time_sec", "")]


def parse_show_info(text: str) -> dict[str, str]:
    """Read ``show info``: HAProxy's own names and what stands behind them."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


NO_STATES = "1\n"
"""A file of states without any: the version of its form alone."""

# HAProxy's own numbers (its management guide, `show servers state`): srv_op_state, bits of srv_admin_state, and a bit
# of srv_check_state and srv_agent_state.
_STOPPED, _RUNNING = "0", "2"
_BY_HAND, _BY_TRACKING, _BY_CONFIGURATION, _DRAINED, _DRAINED_BY_TRACKING, _WITHOUT_ADDRESS = 1, 2, 4, 8, 16, 32
_MAINTENANCE = _BY_HAND | _BY_TRACKING | _BY_CONFIGURATION | _WITHOUT_ADDRESS
_CHECKED = 2

# What HAProxy reads of a line: it needs these, and takes what follows (TLS, the ports and addresses of checks) from its
# configuration where they are left out.
_COLUMNS = (
    "be_id", "be_name", "srv_id", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight",
    "srv_iweight", "srv_time_since_last_change", "srv_check_status", "srv_check_result", "srv_check_health",
    "srv_check_state", "srv_agent_state", "bk_f_forced_id", "srv_f_forced_id", "srv_fqdn", "srv_port", "srvrecord",
)  # fmt: skip


def parse_servers_state(text: str, stat: str = "") -> list[Row]:
    """
    Read ``show servers state``: a dict of HAProxy's own column names for each server. ``tracks`` is added to them: the
    (backend, server) that it tracks by ``show stat``, or None.
    """
    columns, rows, leaders = [], [], _tracked(stat)
    for line in text.splitlines():
        if line.startswith("#"):
            columns = line.lstrip("# ").split(" ")
        elif columns and len(words := line.split(" ")) >= len(columns):
            row = dict(zip(columns, words, strict=False))
            rows.append({**row, "tracks": leaders.get(_key(row))})
    return rows


def _tracked(stat: str) -> dict[Server, tuple[str, ...]]:
    rows = csv.DictReader(stat.lstrip("# ").splitlines())
    return {(row["pxname"], row["svname"]): tuple(row["tracked"].split("/", 1)) for row in rows if row["tracked"]}


def _key(row: Row) -> Server:
    return row["be_name"], row["srv_name"]


def kept_states(rows: list[Row], wanted: Wanted, resolved: Mapping[str, Collection[str]]) -> str:
    """
    The file of states for the servers that stay where they are: whether they are up, down, drained or in maintenance,
    and a weight set by hand. What else the file can hold is the new configuration's.

    rows
        As :func:`parse_servers_state` returns them.
    wanted
        The servers of the new configuration: {(proxy, server): address as it is written there}.
    resolved
        The addresses that names of servers have now, as far as this machine knows: {name: set of addresses}.
    """
    lines = [_kept(row, wanted[_key(row)], resolved) for row in rows if _can_be_kept(row, wanted)]
    return NO_STATES + "".join(f"{' '.join(line)}\n" for line in [["#", *_COLUMNS], *lines] if lines)


def _can_be_kept(row: Row, wanted: Wanted) -> bool:
    """Maintenance by pillar, for want of an address, or of what is tracked, is for the new configuration to find."""
    inherited = _is(row, _BY_TRACKING | _DRAINED_BY_TRACKING | _WITHOUT_ADDRESS)
    by_pillar = _is(row, _BY_HAND) and _is(row, _BY_CONFIGURATION)
    return _stays(row, wanted) and not _unreadable(wanted[_key(row)]) and not inherited and not by_pillar


def _kept(row: Row, address: str, resolved: Mapping[str, Collection[str]]) -> list[str]:
    """A row as the new configuration has it, but for its state."""
    if row["srvrecord"] != "-":  # name and port are what was found by DNS
        return [row[column] for column in _COLUMNS]
    host, port = split_address(address)
    # The address of a name is kept while the name has it: who finds addresses by `resolvers` alone goes on with it.
    known = row["srv_fqdn"] != "-" and row["srv_addr"] in resolved.get(host, {row["srv_addr"]})
    own = {"srv_addr": row["srv_addr"] if known else "-", "srv_fqdn": "-", "srv_port": port}
    return [{**row, **own}[column] for column in _COLUMNS]


def split_address(word: str) -> tuple[str, str]:
    """The host and the port of a server's address in haproxy.cfg; port ``0``: that of the client's connection."""
    word = word.rpartition("@")[2]
    host, _, port = word.rpartition(":") if re.search(r":[+-]?\d*$", word) else (word, "", "")
    return host.strip("[]").lower(), port.lstrip("+") or "0"


def _unreadable(address: str) -> bool:
    """Whether the port of an address cannot be told: by a variable, or less than the client's."""
    return "$" in address or ":-" in address


def amends(before: list[Row], now: list[Row], wanted: Wanted) -> list[str]:
    """
    The commands that give the servers of a HAProxy that was started anew the states of before that it did not find, and
    end a state that no longer holds: down without a check that could bring it up, or in spite of what it tracks.

    before, now
        As :func:`parse_servers_state` returns them.
    wanted
        As in :func:`kept_states`.
    """
    current = {_key(row): row for row in now}
    commands = []
    for row in before:
        new = current.get(_key(row))
        if new and _stays(row, wanted):
            words = _followed(new, current.get(new["tracks"])) or _health(row, new, _can_be_kept(row, wanted))
            commands += [f"set server {'/'.join(_key(row))} {word}" for word in [*words, *_by_hand(row, new, words)]]
    return commands


def _followed(new: Row, leader: Row | None) -> list[str]:
    """A server that leaves maintenance looks at the one that it tracks."""
    alike = leader is None or (new["srv_op_state"] == _STOPPED) == (leader["srv_op_state"] == _STOPPED)
    return [] if alike or _is(new, _MAINTENANCE) else ["state maint", "state ready"]


def _health(row: Row, new: Row, kept: bool) -> list[str]:
    if new["tracks"] or _is(row, _MAINTENANCE) or _is(new, _MAINTENANCE):
        return []
    if _checked(new):
        return ["health down"] if row["srv_op_state"] == _STOPPED != new["srv_op_state"] and not kept else []
    return ["health up"] if new["srv_op_state"] != _RUNNING and (_checked(row) or row["tracks"]) else []


def _by_hand(row: Row, new: Row, words: list[str]) -> Iterator[str]:
    maintenance = _is(row, _BY_HAND) and not _is(row, _BY_CONFIGURATION)
    if maintenance and not _is(new, _BY_HAND | _BY_CONFIGURATION):
        yield "state maint"
    drained = _is(row, _DRAINED) and row["srv_iweight"] != "0" and not _is(new, _BY_HAND)
    if drained and (words or not _is(new, _DRAINED)):
        yield "state drain"
    if row["srv_iweight"] == new["srv_iweight"] and row["srv_uweight"] != new["srv_uweight"]:
        yield f"weight {row['srv_uweight']}"


def _is(row: Row, bits: int) -> bool:
    """Whether one of some bits of srv_admin_state is set."""
    return bool(int(row["srv_admin_state"]) & bits)


def _checked(row: Row) -> bool:
    return bool((int(row["srv_check_state"]) | int(row["srv_agent_state"])) & _CHECKED)


def alive(rows: list[Row], servers: list[Server]) -> list[Server]:
    """Those of some (backend, server) that are not down, drained or not."""
    return [_key(row) for row in rows if _key(row) in servers and row["srv_op_state"] != _STOPPED]


def drained(rows: list[Row], servers: list[Server]) -> list[Server]:
    """Those of some (backend, server) that get no new requests, because they are drained or in maintenance by hand."""
    return [_key(row) for row in rows if _key(row) in servers and _is(row, _BY_HAND | _DRAINED)]


def leaving(states: list[Row], wanted: Wanted) -> list[Server]:
    """
    The (backend, server) in rotation that a new configuration no longer has, or has elsewhere; none of a backend of
    which no other server in rotation stays.

    states, wanted
        As in :func:`parse_servers_state` and :func:`kept_states`.
    """
    staying = _served(states, wanted)
    return [
        _key(row)
        for row in _rotation(states)
        if row["be_name"] in staying and not _stays(row, wanted)
    ]


def down_alone(states: list[Row], wanted: Wanted) -> list[Server]:
    """
    The (backend, server) that are down and stay, while all in rotation leave their backend and none is new: a backend
    that answers now would answer nobody.

    states, wanted
        As in :func:`parse_servers_state` and :func:`kept_states`.
    """
    stay = [row for row in states if _stays(row, wanted)]
    new = {backend for backend, _ in wanted.keys() - {_key(row) for row in stay}}
    losing = {row["be_name"] for row in _rotation(states)} - _served(states, wanted) - new
    return [
        _key(row)
        for row in stay
        if row["be_name"] in losing and row["srv_op_state"] == _STOPPED and row["srv_admin_state"] == "0"
        and row["srv_uweight"] != "0"
    ]


def _rotation(states: list[Row]) -> list[Row]:
    return [row for row in states if row["srv_op_state"] != _STOPPED and row["srv_admin_state"] == "0"]


def _served(states: list[Row], wanted: Wanted) -> set[str]:
    """The backends of which a server in rotation stays."""
    return {row["be_name"] for row in _rotation(states) if _stays(row, wanted) and row["srv_uweight"] != "0"}


def _stays(row: Row, wanted: Wanted) -> bool:
    """Whether a server is in the new configuration, and where it was as far as can be told."""
    address = wanted.get(_key(row))
    if address is None or _unreadable(address):
        return address is not None
    host, port = split_address(address)
    if row["srvrecord"] != "-":
        return bool(row["srvrecord"].lower() == host)
    return bool(row["srv_port"] == port) and _same_host(row, host)


def _same_host(row: Row, host: str) -> bool:
    try:
        return ipaddress.ip_address(row["srv_addr"]) == ipaddress.ip_address(host)
    except ValueError:  # a name, or a socket, which HAProxy does not name
        return row["srv_fqdn"].lower() == host or bool(row["srv_addr"] == row["srv_fqdn"] == "-")


def busy(text: str, servers: list[Server]) -> dict[Server, int]:
    """How many requests each of some (backend, server) has or lets wait, by ``show stat``; none that is idle."""
    rows = {(row["pxname"], row["svname"]): row for row in csv.DictReader(text.lstrip("# ").splitlines())}
    counts = {
        server: int(rows[server]["scur"] or 0) + int(rows[server]["qcur"] or 0) for server in servers if server in rows
    }
    return {server: count for server, count in counts.items() if count}


def is_up(server: Row) -> bool:
    """Whether HAProxy sends requests to a server: up, or not checked at all."""
    return bool(server["status"].startswith(("UP", "no check")))
