"""Pacemaker's and Corosync's commands, as the agents call them on a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation import scheduler
from simulation.processes import drawn
from support import cmap

if TYPE_CHECKING:
    from simulation.node import Node

Answer = tuple[int, str, str]
NOT_CONNECTED: Answer = (102, "", "Could not connect: Transport endpoint is not connected")


def answer(node: Node, command: list[str], patience: float) -> Answer | None:
    """(code, output, errors) of a command; None for one that does not end in time."""
    seconds = drawn(node.world.random, 0.004, 0.03)
    if node.deaf or seconds > patience:
        node.world.kernel.sleep(patience)
        return None
    node.world.kernel.sleep(seconds)
    if command[0] == "corosync-cmapctl" and node.partition:
        return 0, cmap.text(listed(node)), ""
    if not (node.pacemaker and node.partition):
        return NOT_CONNECTED
    if command[0] == "crm_node":
        return 0, f"{node.name}\n" if "--name" in command else members(node), ""
    if command[0] == "crm_mon":
        return 0, with_requests(scheduler.view(node.partition.cib()), node), ""
    if command[0] == "attrd_updater" and not node.attrd_down:
        return attrd_updater(node, options(command[1:]))
    if command[0] != "attrd_updater":
        raise LookupError(f"the simulation has no {command[0]}")
    return NOT_CONNECTED


def with_requests(view: str, node: Node) -> str:
    """crm_mon's XML, with what the cluster wants fenced, as far as this node's fencer knows."""
    event = '<fence_event action="reboot" target="{}" client="pacemaker-controld.7" origin="{}" status="pending"/>'
    events = "".join(event.format(target, node.name) for target in node.executor.fences)
    return view.replace("</pacemaker-result>", f"<fence_history>{events}</fence_history></pacemaker-result>")


def listed(node: Node) -> dict[str, str]:
    """The nodes of Corosync's list, lost ones too."""
    here = {member.name for member in node.partition.members} if node.partition else set()
    return {name: "member" if name in here else "lost" for name in sorted(node.config.nodes)}


def members(node: Node) -> str:
    """As crm_node -l, which former agents ask: the nodes that are remembered, lost ones too."""
    here = {member.name for member in node.partition.members} if node.partition else set()
    return "".join(
        f"{name.partition('-')[2]} {name} {'member' if name in here else 'lost'}\n" for name in sorted(node.known)
    )


def options(words: list[str]) -> dict[str, str]:
    found, rest = {}, iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        found[name] = value if equals or name in ("--query", "--all", "--delete") else next(rest)
    return found


def attrd_updater(node: Node, given: dict[str, str]) -> Answer:
    name, partition = given["--name"], node.partition
    assert partition
    if "--query" in given:
        values = {host: values[name] for host, values in node.attrd.items() if name in values}
        if not values:
            return 78, "", f"Could not query value of {name}: attribute does not exist"
        return 0, "".join(f'name="{name}" host="{host}" value="{value}"\n' for host, value in values.items()), ""
    value = given.get("--update-both", given.get("--update"))
    seconds = seconds_of(given.get("--delay", "0"))
    partition.set_attribute(node, given.get("--node", node.name), name, value, seconds)
    return 0, "", ""


def seconds_of(text: str) -> float:
    """As Pacemaker reads a time."""
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))
