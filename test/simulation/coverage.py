"""Which statements of the agents the histories have reached, and why they do not reach the others."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Set
from typing import NamedTuple

from simulation import programs


class Place(NamedTuple):
    """A statement in a function."""

    file: str
    line: int
    function: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.file.rpartition('/')[2]} {self.function}: {self.text}"


MODEL = "HAProxy, systemd and the kernel's tables are a flag here: test_haproxy_agent.py, test_haproxy_verdicts.py"
NOT_ASKED = "Pacemaker asks for it when a configuration changes, or a person does: test_floatip.py, test_agents.py"
ELSEWHERE = "is none of an agent of the address: test_fence_agent.py, test_upgrades.py, test_digitalocean_rules.py,\
 test_returned.py"
CONFIGURED = "the configuration is the formula's, and right: test_floatip.py"
ANSWERS = "answers of the API that no fault of the cloud's model gives: test_digitalocean_rules.py, test_neighbours.py"
MACHINE = "the machine has files, programs and connections of its own: test_floatip.py, test_digitalocean_rules.py"
SLIP = "nothing unexpected has happened: test_agent_slips.py"
RARE = "some of 10,000 histories come here, and few of 500"

HOLES = {
    MODEL: (
        "haproxy ", "unwatched.py", "listeners.py", "runtime.py", "starting.py", "stopping.py", "systemd_unit.py",
        "verdict.py", "announced.py", "droplet.py put", "droplet.py keep", "droplet.py drop", "droplet.py leave",
        "undone.py take_off", "watch.py _tell: self.told.tell(now, ANNOUNCED",
        "watching.py", "worker.py", "hanging.py", "echoes.py", "icmp.py",
        "watch.py main", "watch.py keep", "watch.py watch_way", "watch.py tell:", "watch.py goes_on",
        "watch.py __init__: self._path", "watch.py __init__: self.kept", "watch.py _read: if", "watch.py _read: self._",
        "watch.py _read: return self", "watch.py gone: serving", "watch.py gone: theirs", "watch.py gone: return [list",
        "way.py _addresses: self._gone_since = now", "way.py _addresses: missing", "way.py _addresses: return f",
        "told.py begin: agent.log", "told.py begin: return None",
        "intent.py is_expected_to_run", "reach.py default_gateway", "reach.py answers_ping",
        "reach.py _echoed",
    ),
    NOT_ASKED: (
        "meta_data.py", "floating.py validate_all", "floating.py reload_agent", "mover.py check_access",
        "floating.py start: mover.drop(former)",
        "agent.py main: sys.stdout.write", "agent.py main: print", "agent.py main: return SUCCESS",
        "agent.py main: from meta_data",
        "agent.py main: reason(f\"the agent has no", "agent.py main: return ERR_UNIMPLEMENTED", "agent.py leave",
        "reserved.py _give_up", "reserved.py read_all",
    ),
    ELSEWHERE: (
        "fence_haproxy_ha_digitalocean", "fencing.py", "power.py", "upgrades.py", "droplets.py", "machines.py",
        # Another cloud: test_floatip.py and test_fence_agent.py have both, test_hetzner_rules.py and test_hetznerip.py.
        # A LAN: test_lanip.py.
        "server.py", "local.py", "asks.py", "lan.py", "leaving.py", "fence_haproxy_ha_hetzner", "addresses.py",
        "listed.py", "servers.py", "rules.py", "mover.py addresses", "mover.py hold_resets", "mover.py let_resets_go",
        "answers.py number", "cluster.py own", "claims.py is_ours", "mover.py check_address: if", "mover.py leave",
        "calls.py pages", "returned.py need_not_be_fenced: if time", "returned.py need_not_be_fenced: time",
        "returned.py need_not_be_fenced: return False",
    ),
    CONFIGURED: (
        "floating.py check_parameters: raise", "mover.py check_parameters: raise", "mover.py check_address: raise",
        "mover.py is_address: return False", "mover.py check_parameters: found", "droplet.py check_parameters",
        "droplet.py check_address: found", "droplet.py check_address: raise", "reach.py gateway_of: return given",
        "agent.py seconds: raise", "agent.py seconds: value = -1.0", "agent.py require: raise",
        "api.py __init__: raise",
        "calls.py file_problem", "calls.py token_problem",
        "api.py read_token: raise", "connection.py _new: return HTTPConnection",
    ),
    ANSWERS: (
        "reserved.py is_same", "droplet.py is_same", "reserved.py obstacles", "reserved.py _raise_lasting",
        "reserved.py read: raise", "reserved.py _reserved_ip: raise",
        "answers.py decoded: raise", "answers.py leaf: document",
        "answers.py text: return None",
        "connection.py _whole: raise OSError(f\"the answer is longer", "droplet.py fetch: return 0",
        "calls.py with_clock",
    ),
    MACHINE: (
        "agent.py note_degraded: log",
        "agent.py run: raise Failure(ERR_INSTALLED", "agent.py run: raise Failure(ERR_GENERIC, f\"{said}: {error}\")",
        "agent.py _line: text = text.replace", "agent.py read_file: return None", "claims.py remove: import shutil",
        "claims.py remove: shutil", "claims.py remove: return not os", "claims.py probe_writable: remove",
        "claims.py release: agent.log", "cluster.py age: return None", "cluster.py ask: raise",
        "undone.py left: return []", "partition.py is_cut_off: return False", "claims.py give_up: agent.log",
        "claims.py give_up: return",
        "connection.py _is_over", "connection.py _connection: kept",
        "watched.py _read: self._until = 0.0", "agent.py open_at_once", "disowned.py remembered: return []",
        "disowned.py takeovers: agent.log(failure", "disowned.py takeovers: continue",
        "connection.py _connection: return kept", "connection.py _reason: words",
    ),
    SLIP: (
        "agent.py _unexpected", "agent.py main: code = _unexpected", "floating.py stop: agent.log",
        "connection.py _run: self._errors", "connection.py result: raise",
    ),
    RARE: (
        "claims.py read: return 0, 0.0", "connection.py _begun: return None", "claims.py remember_standing: agent.log",
        "watched.py environment: return None", "claims.py add: return  #", "droplet.py identify: return found  #",
        "floating.py confirm: agent.log", "floating.py stands_by: agent.log", "floating.py stands_by: return False",
        "calls.py drive: raise Unavailable", "calls.py retry_delay: return float", "calls.py raise_final: raise",
        "reserved.py assign: failures += 1", "reserved.py assign: yield Wait(", "reserved.py assign: continue",
        "reserved.py _settle: return reserved", "reserved.py _action_status: return unseen",
        "intent.py serve_until_moved: agent.log(f\"{env['serve_until_moved']} has not left this node in time\")",
        "intent.py serve_until_moved: return", "undone.py take_away: agent.log",
    ),
}  # fmt: skip
"""Reason -> what is not reached: a file, a function of it, or the beginning of a statement of that."""


@functools.cache
def places() -> tuple[Place, ...]:
    """Every statement of every function of the agents."""
    texts = {name: text for name, text in programs.today().items() if not name.endswith(".sh")}
    return tuple(place for name, text in sorted(texts.items()) for place in statements(name, text))


def statements(name: str, text: str) -> Iterator[Place]:
    lines = text.splitlines()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.stmt) and node is not function and not is_docstring(node):
                yield Place(name, node.lineno, function.name, lines[node.lineno - 1].strip())


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def missing(reached: Set[tuple[str, int]]) -> list[Place]:
    """What was not reached."""
    return [place for place in places() if (place.file, place.line) not in reached]


def is_explained(place: Place) -> bool:
    return place.name.startswith(tuple(hole for holes in HOLES.values() for hole in holes))


def unexplained(reached: Set[tuple[str, int]]) -> list[str]:
    """What was not reached, and nobody says why."""
    return sorted({f"{place.file}:{place.line} {place.function}: {place.text}" for place in missing(reached)
                   if not is_explained(place)})  # fmt: skip


def unknown() -> list[str]:
    """Reasons for what the agents do not have."""
    names = [place.name for place in places()]
    return [hole for holes in HOLES.values() for hole in holes if not any(name.startswith(hole) for name in names)]


def shares(reached: Set[tuple[str, int]]) -> list[str]:
    """By file: how many of its statements were reached, and how many of the others are explained."""
    rows = []
    for file in sorted({place.file for place in places()}):
        mine = {place.line: place for place in places() if place.file == file}
        left = [place for place in mine.values() if (file, place.line) not in reached]
        if len(left) < len(mine):
            told = sum(map(is_explained, left))
            rows.append(
                f"{file:44}{len(mine) - len(left):5} of {len(mine):4}, {told:4} explained, {len(left) - told:4} not"
            )
    return rows
