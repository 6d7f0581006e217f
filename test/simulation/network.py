"""Who reaches whom: links between the nodes, to clients and to the servers behind, each direction by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.simulator.wire import Request

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.world import World

METADATA = "169.254.169.254"
GATEWAY = "10.0.0.1"
ROUTES = "Iface\tDestination\tGateway\tFlags\t-\t-\t-\tMask\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\n"
"""What /proc/net/route says of the gateway."""
NEAR = 0.001
AGAIN = 1.0
LONGEST_ANSWER = 1.0  # seconds: what comes later is none, as in the lab


class Network:
    """Cuts are pairs (from, to) of names; `clients` and `servers` are places beside the nodes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.cut: set[tuple[str, str]] = set()
        self.late: dict[tuple[str, str], float] = {}
        self.loss: dict[str, float] = {}

    def passes(self, one: str, other: str) -> bool:
        return (one, other) not in self.cut

    def both_ways(self, one: str, other: str) -> bool:
        return self.passes(one, other) and self.passes(other, one)

    def delay(self, one: str, other: str) -> float:
        return NEAR + self.late.get((one, other), 0.0) + self.late.get((other, one), 0.0)

    def serves(self, node: Node) -> bool:
        """Whether a client that comes to a node is answered well, and in time."""
        in_time = self.delay(node.name, "clients") <= LONGEST_ANSWER
        reached = self.both_ways(node.name, "clients") and self.both_ways(node.name, "servers")
        return node.answers and in_time and reached

    def hears_anybody(self, node: Node) -> bool:
        """Whether servers or other nodes answer on the private link."""
        near = [other.name for other in self._world.nodes if other is not node and other.power]
        return any(self.both_ways(node.name, name) for name in ("servers", *near))

    # What processes connect to

    def connect(self, node: Node, host: str, timeout: float) -> Callable[[bytes, float], bytes]:
        if host == METADATA:
            return lambda request, patience: self._world.cloud.metadata(node, request, patience)
        self.send_again(node, timeout)
        self._reach_the_address(node, timeout)
        return lambda request, patience: self._ask_the_address(node, patience)

    def echo(self, node: Node, address: str) -> float | None:
        """Seconds until the gateway, or who has the address, answers an echo request; None for never."""
        loss = self.loss.get(node.name, 0.0)
        if loss and self._world.random.random() < loss:
            return None
        if address == GATEWAY:
            return self.delay(node.name, "clients") if self.both_ways(node.name, "clients") else None
        owner = self._world.cloud.owner_node()
        answers = owner and owner.power and not owner.paused and self._between(node, owner)
        return self.trip(node, owner) if owner and answers else None

    def send_again(self, node: Node, patience: float) -> None:
        """A connection's first packet may be lost, and is sent again after a second (RFC 6298)."""
        lost = self.loss.get(node.name, 0.0)
        while lost and self._world.random.random() < lost:
            node.sleep(min(AGAIN, patience))
            patience -= AGAIN
            if patience <= 0:
                raise TimeoutError("timed out")

    def _reach_the_address(self, node: Node, timeout: float) -> None:
        owner = self._world.cloud.owner_node()
        if not (owner and owner.power and self._between(node, owner)) or self.trip(node, owner) > timeout:
            node.sleep(timeout)
            raise TimeoutError("timed out")
        node.sleep(self.trip(node, owner))
        if not owner.listens:
            raise ConnectionRefusedError("Connection refused")

    def _ask_the_address(self, node: Node, patience: float) -> bytes:
        owner = self._world.cloud.owner_node()
        trip = self.trip(node, owner) if owner else patience
        silent = not (owner and owner.answers and self._between(node, owner))
        if silent or trip > patience or (owner and not self.both_ways(owner.name, "servers") and not owner.knows_down):
            node.sleep(patience)
            raise TimeoutError("timed out")
        node.sleep(trip)
        assert owner
        return b"HTTP/1.1 200 OK\r\n" if self.both_ways(owner.name, "servers") else b"HTTP/1.1 503 No\r\n"

    def _between(self, node: Node, owner: Node) -> bool:
        return self.both_ways(node.name, "clients") and self.both_ways(owner.name, "clients")

    def trip(self, node: Node, owner: Node) -> float:
        """Seconds until a node has an answer of another one, who has the address."""
        return self.delay(node.name, "clients") + self.delay(owner.name, "clients")


def parsed(data: bytes, client: str) -> Request:
    """A request as the simulator's services take it."""
    method, path, _ = data.split(b"\r\n", 1)[0].decode().split(" ")
    return Request(method, path, {}, {}, b"", client)
