"""Fencing: the fence agent's own code, run by a node's fencer; the cloud's model takes and gives the power."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulation.processes import Process
from simulation.scheduler import PARAMETERS, Operation

if TYPE_CHECKING:
    from simulation.executor import Executor
    from simulation.node import Node

AGENT, RESOURCE = "fence_haproxy_ha_digitalocean", "fencing"
SPAWN, LONGEST = 0.03, 60.0
"""Seconds until Python runs, and stonith-timeout."""
TRIES = 2
"""pcmk_reboot_retries."""


def act(executor: Executor, node: Node, operation: Operation) -> int:
    """What the executor does about the device: it is registered with the fencer, whatever becomes of it."""
    if operation.task == "monitor" and not operation.interval:
        return 0 if executor.registered else 7
    executor.registered = operation.task != "stop"
    if not executor.registered:
        return 0
    return ask(node, "monitor", "")


def ask(node: Node, action: str, plug: str) -> int:
    """The agent's code for an action, in a process that runs."""
    program = node.programs.program
    lines = [f"action={action}", f"plug={plug}", *(f"{name}={value}" for name, value in PARAMETERS[RESOURCE].items())]
    description = program(AGENT)
    code: int = program("fencing").main(description.DESCRIPTION, description.actions, [], lines)
    return code


def fence(node: Node, plug: str, delay: float, report: Callable[[bool], None]) -> None:
    """Has the power taken from a node and given back, in some seconds; tells whether that was done."""
    executor = node.executor
    executor.fences.append(plug)
    node.world.kernel.after(delay, lambda: node.power and node.executor is executor and begin(node, plug, report))


def begin(node: Node, plug: str, report: Callable[[bool], None]) -> None:
    """The same, now."""
    executor, kernel = node.executor, node.world.kernel
    process = Process(node, f"fencing of {plug}")
    executor.processes.append(process)

    def run() -> None:
        node.sleep(SPAWN)
        for _ in range(TRIES):
            process.code = ask(node, "reboot", plug)
            if process.code == 0:
                break

    def ended() -> None:
        alarm.cancel()
        executor.processes.remove(process)
        executor.fences.remove(plug)
        if node.executor is executor and node.power:
            report(process.code == 0)

    alarm = kernel.after(node.true_seconds(LONGEST), process.kill)
    process.spawn(run).when_ended(ended)
