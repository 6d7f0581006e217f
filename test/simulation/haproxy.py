"""HAProxy and its agent. HAProxy itself, systemd and the kernel's tables are a flag here; what the agent asks the
cluster and tells it is the agent's own code: how long a stop waits (`intent`), what a node reaches (`reach`), and which
marks are left (`undone`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.node import Node

CHECKS = 6.0
"""Seconds until HAProxy knows that it does not reach its servers: three checks."""
ONE = 0.02
STOPS = 0.1


def description(node: Node) -> Any:
    return node.programs.program("haproxy").DESCRIPTION


def handlers(node: Node) -> dict[str, Callable[..., Any]]:
    return {"start": lambda env: start(node, env), "stop": lambda env: stop(node, env),
            "monitor": lambda env: monitor(node, env)}  # fmt: skip


def start(node: Node, env: Any) -> int:
    node.sleep(STOPS)
    node.listens = True
    return 0


def stop(node: Node, env: Any) -> int:
    program = node.programs.program
    if node.listens:
        program("reach").Published(env, env["reach_attribute"]).forget()
        if node.programs.has("watched"):
            program("watched").take_back(env)
        program("intent").serve_until_moved(env)
        node.step()
        node.sleep(STOPS)
        node.listens = False
    return 0


def monitor(node: Node, env: Any) -> int:
    node.sleep(ONE)
    if not node.listens:
        return 7
    if not env.is_probe:
        reach = node.programs.program("reach")
        gateway = node.world.network.both_ways(node.name, "clients")
        if not gateway:
            node.sleep(reach.TRIES * reach.TRY_SECONDS)
        reach.Published(env, env["reach_attribute"]).update(reach.score(gateway, 1, int(node.knows_down)))
        if node.programs.has("undone"):
            node.programs.program("undone").retry(env)
        if node.programs.has("watched"):
            node.programs.program("watched").hand_over(env)
    return 0
