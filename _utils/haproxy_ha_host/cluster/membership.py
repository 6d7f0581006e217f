"""Who is in the cluster, and whether all are ready for its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, net, units, waiting
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.cluster import objects, standing
from haproxy_ha_lib.settings.types import Settings
from saltext.pacemaker.errors import Failed
from saltext.pacemaker.live import machine, reading

# So long the kernel looks for the machine of an address of the same network, until it knows that there is none.
_ARP_SECONDS = 4.0
_KNOWN_SECONDS = 1.0
# What is known of a node that this machine alone remembers.
_REMEMBERED = {"online": False, "remote": False}


def absent(minion: Minion, nodes: Sequence[str], timeout: float) -> dict[str, Any]:
    """
    Return who of the nodes is not in the cluster, as it is now: {"missing", "absent", "remedy", "seconds", "nodes"}.

    nodes
        Names of those that should be there.
    timeout
        How many seconds somebody would wait for them.
    """
    settings = minion.readable_settings()
    addresses = {name: entry.private_ip for name, entry in settings.load_balancers.items()}

    def answers(name: str, known: bool) -> bool | None:
        address = addresses.get(name)
        return net.answers(address, _KNOWN_SECONDS if known else _ARP_SECONDS) if address else None

    now = minion.salt["pacemaker.status"]()
    away = standing.absent(now, nodes, answers, minion.id)
    up = units.running_for("pacemaker") if away else 0
    return {
        "missing": standing.missing(now, nodes, away),
        "absent": [str(node) for node in away],
        "remedy": standing.remedy(away) if away else "",
        "seconds": min([node.patience(timeout, up) for node in away], default=timeout),
        "nodes": {**dict.fromkeys(_remembered(), _REMEMBERED), **now["nodes"]},
    }


def _remembered() -> list[str]:
    """The nodes that are no members and that this machine remembers; CommandExecutionError if it does not say."""
    try:
        return reading.remembered(machine.HERE)
    except Failed as problem:
        raise CommandExecutionError(str(problem)) from None


def join(minion: Minion, nodes: Sequence[str], timeout: float) -> dict[str, Any]:
    """Wait until all nodes are there, as long as it makes sense; return what :func:`absent` does at the end."""
    found: dict[str, Any] = {}

    def missing() -> tuple[str, float]:
        try:
            found.update(absent(minion, nodes, timeout))
        except CommandExecutionError as exc:  # Pacemaker has only just been started
            found.update(missing=str(exc), absent=[], remedy="", seconds=timeout, nodes={})
        return found["missing"], found["seconds"]

    waiting.until(missing, timeout, minion.say)
    return found


def find_obstacles(minion: Minion, timeout: float, ready: bool = False) -> dict[str, list[str]]:
    """
    Return what keeps the cluster's configuration from being committed: {"twins": [text], "unready": [node]}.

    timeout
        How many seconds to wait for nodes that are not ready.
    ready
        Whether to tell the cluster first that this node has the agents.
    """
    if ready:
        mark_agents(minion)
    settings = minion.valid_settings()
    wanted = settings.cluster.configuration
    others = minion.salt["pacemaker.foreign"](wanted, purge=settings.cluster.purge)
    twins = list(objects.twins(wanted, others, settings.moving))
    unready: list[str] = []

    def missing() -> tuple[str, float]:
        unready[:] = _unready(minion, settings)
        return f"the agents on {', '.join(unready)}" if unready else "", timeout

    if not twins and objects.needs_agents(wanted):
        waiting.until(missing, timeout, minion.say)
    return {"twins": twins, "unready": unready}


def _unready(minion: Minion, settings: Settings) -> list[str]:
    """The nodes that are online and not known to have the agents."""
    nodes = minion.salt["pacemaker.status"]()["nodes"]
    ready = {*minion.salt["pacemaker.nodes_with"](objects.PROVIDER), *_marked()}
    return [name for name in settings.load_balancers if nodes.get(name, {}).get("online") and name not in ready]


def _marked() -> list[str]:
    """The nodes on which a run has told that the agents are there."""
    code, output = commands.run(["attrd_updater", "--query", "--all", f"--name={objects.AGENTS_ATTRIBUTE}"])
    return [] if code else re.findall(r'host="([^"]+)" value="[^"]+"', output)


def mark_agents(minion: Minion) -> None:
    """
    Tell the cluster that this node has the agents and what they need, if it runs and cannot know: in a transient
    attribute of the node. The others wait for that before they commit a configuration with these agents.
    """
    if not minion.salt["pacemaker.running"]():
        return
    node = minion.salt["pacemaker.node_name"]()
    if node not in minion.salt["pacemaker.nodes_with"](objects.PROVIDER) and node not in _marked():
        commands.succeed("attrd_updater", f"--name={objects.AGENTS_ATTRIBUTE}", "--update=1")
