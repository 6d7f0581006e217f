"""One history: a world from a seed, what happens to it, and what is wrong with how it goes."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from simulation.cloud import Cloud
from simulation.cluster import Cluster
from simulation.kernel import Kernel
from simulation.network import Network
from simulation.node import Node
from simulation.processes import Process
from simulation.programs import Edits
from simulation.scheduler import Config, Operation


class Setting(NamedTuple):
    """The agents and the configuration as they are, or without a fix of them.

    Args:
        edits (dict): Changes of the agents' files.
        without (tuple): Objects that the configuration lacks, as section/name.
        forgets (bool): Whether a run of Salt makes the cluster forget a node that has left.
        waits (bool): Whether one of two that fence each other waits for the other one after a boot (wait_for_all).
    """

    edits: Edits = {}
    without: tuple[str, ...] = ()
    forgets: bool = True
    waits: bool = True


class Violation(Exception):
    """An invariant does not hold."""


class World:
    """Nodes, their networks, and the cloud.

    Args:
        seed (int): What is drawn while it runs.
        number (int): How many load balancers.
        setting (Setting): What is simulated.
        fencing (bool): Whether lost nodes are powered off.
    """

    def __init__(self, seed: int, number: int, setting: Setting, fencing: bool = False) -> None:
        self.random = random.Random(seed)
        self.kernel = Kernel()
        self.setting = setting
        self.story: list[tuple[float, str]] = []
        self.flaps: set[str] = set()
        self.flips = 0
        self.doom: list[tuple[str, str, str, int]] = []
        config = Config(tuple(f"node-{at + 1}" for at in range(number)), fencing=fencing)
        self.network = Network(self)
        self.cloud = Cloud(self, list(config.nodes))
        self.nodes = [Node(self, at + 1, config) for at in range(number)]
        self.expected = number
        self.cluster = Cluster(self)
        self.watchers: list[Any] = []

    def tell(self, text: str) -> None:
        self.story.append((self.kernel.now, text))

    def begin(self) -> None:
        self.cluster.form()

    def end(self) -> None:
        """Lets go of every task."""
        for node in self.nodes:
            node.executor.end()

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def doomed(self, node: Node, operation: Operation) -> int | None:
        """At which step an agent is killed that begins now."""
        for entry in self.doom:
            name, resource, task, step = entry
            if (name, resource, task) == (node.name, operation.resource, operation.task):
                self.doom.remove(entry)
                return step
        return None

    # What is watched

    def address_moves(self, droplet: int | None) -> None:
        before = self.cloud.owner_node()
        after = next((node for node in self.nodes if node.droplet == droplet), None)
        named = after.name if after else f"droplet {droplet}" if droplet else "nobody"
        self.tell(f"the address goes from {before.name if before else 'elsewhere'} to {named}")
        for watcher in self.watchers:
            watcher.moved(before, after)

    def calls(self, node: Node, method: str) -> None:
        for watcher in self.watchers:
            watcher.called(node, method)

    def fenced(self, node: Node) -> None:
        self.tell(f"{node.name} is powered off")
        for watcher in self.watchers:
            watcher.fenced(node)

    def action_begins(self, node: Node, operation: Operation) -> None:
        for watcher in self.watchers:
            watcher.begins(node, operation)

    def action_ended(self, node: Node, process: Process, done: Operation) -> None:
        for watcher in self.watchers:
            watcher.ended(node, process, done)
