"""
App servers by what they say of themselves in the mine, as a load balancer takes it. What one of them says costs that
one only: it stays where HAProxy has it, or it is left out of the pools.

What a load balancer or the quorum helper says is no such thing, and stops a run: left out of corosync.conf, or of those
whom nginx answers, it would part the cluster, or have clients refused after a failover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from haproxy_ha_lib import values
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing, shown
from haproxy_ha_lib.settings import addresses, checks, floating
from haproxy_ha_lib.settings.addresses import Answer
from haproxy_ha_lib.types import Roles, Tree
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path


def fill_in(
    read: Tree, minion_id: str, roles: Roles, mine: Mapping[str, Any] | None, installed: str
) -> tuple[list[Problem], list[str]]:
    """
    Fill in the addresses of the app servers that pillar leaves out, on a load balancer. Changes ``read``: the tables,
    and the pools of who is left out.

    mine
        As in build.settings.
    installed
        The haproxy.cfg of ours that is on this machine; empty without one.

    Returns (problems, warnings). A problem is who has said nothing yet, and who would leave a pool empty.
    """
    asked = addresses.pool_members(read, minion_id) if "load_balancer" in roles else []
    running = cfg.hosts(installed) if read["mine"] else {}
    answers = {name: addresses.of_other(read, name, "private_ip", mine) for name in asked}
    doubts = _accept(read, roles, answers, running)
    kept = [name for name in doubts if _keep(read, roles, name, running.get(name))]
    wrong = [name for name in doubts if name not in kept and not answers[name].is_silence]
    left_out = _leave_out(read, wrong)
    missing = [name for name in doubts if name not in (*kept, *left_out)]
    outcomes = {name: f"it stays at {running[name]}, where HAProxy has it" for name in kept}
    outcomes |= dict.fromkeys(left_out, "it is left out until then")
    return (
        [Missing(_path(name), f"missing: {doubts[name]}; set it here") for name in missing],
        [shown(Problem(_path(name), f"{doubts[name]}; {what}")) for name, what in outcomes.items()],
    )


def _path(name: str) -> Path:
    return (ROOT, "app_servers", name, "private_ip")


def _accept(read: Tree, roles: Roles, answers: Mapping[str, Answer], running: Mapping[str, str]) -> dict[str, str]:
    """Take over the addresses that can be right; who has the same as before is believed first. Returns the doubts."""
    doubts = {}
    for name in sorted(answers, key=lambda name: answers[name].address != running.get(name)):
        address, reason, _ = answers[name]
        objection = reason or _objection(read, roles, name, str(address))
        if objection:
            doubts[name] = objection
        else:
            read["app_servers"][name]["private_ip"] = address
    return doubts


def _objection(read: Tree, roles: Roles, name: str, address: str) -> str | None:
    """What is against an address, in the light of all others."""
    entry = {**read["app_servers"][name], "private_ip": address}
    owner = next(_owners(read, name, entry), None)
    if owner:
        return f"the mine says {address}, which is {owner} too"
    problems = checks.reachable({**read, "app_servers": {name: entry}}, roles)
    return next((f"the mine says {address}: {problem.text}" for problem in problems), None)


def _owners(read: Tree, name: str, entry: Tree) -> Iterator[str]:
    """Who else has the address of an entry. Servers that are not ours may be several on one host, by their ports."""
    for address, path in floating.places(read):
        if address == entry["private_ip"]:
            yield ":".join(map(str, path))
    for table in addresses.TABLES:
        for machine, other in read[table].items():
            share = not (other.get("managed", True) or entry["managed"] or other["port"] == entry["port"])
            for key in addresses.NAMES if (table, machine) != ("app_servers", name) and not share else ():
                if other.get(key) == entry["private_ip"]:
                    yield f"{ROOT}:{table}:{machine}:{key}"


def _keep(read: Tree, roles: Roles, name: str, address: str | None) -> bool:
    """Leave a machine at the address at which it is, if nothing is against that. Returns whether it stays."""
    if not address or not _is_private(address, read["private_network"]) or _objection(read, roles, name, address):
        return False
    read["app_servers"][name]["private_ip"] = address
    return True


def _is_private(text: str, networks: list[str]) -> bool:
    try:
        return values.is_in(values.address(text), networks)
    except values.Invalid:
        return False


def _leave_out(read: Tree, names: list[str]) -> list[str]:
    """Take machines out of the table and the pools, but for those whose pool would be empty. Returns their names."""
    haproxy, apps = read["haproxy"], read["app_servers"]
    serving = [proxy for kind, _, proxy in cfg.proxies(haproxy) if kind != "frontend"]
    pools = [(proxy, cfg.servers_of(proxy, haproxy, apps)) for proxy in serving]
    last_ones = {name for _, members in pools if set(members) <= set(names) for name in members}
    left_out = [name for name in names if name not in last_ones]
    for proxy, members in pools:
        if isinstance(proxy["servers"], list):
            proxy["servers"] = [name for name in members if name not in left_out]
    read["app_servers"] = {name: entry for name, entry in apps.items() if name not in left_out}
    return left_out
