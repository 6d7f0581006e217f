"""DigitalOcean: the lab's own model of it, on the history's clock, behind connections that may be late or silent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from lab.simulator.api import API
from lab.simulator.faults import Fault
from lab.simulator.metadata import Metadata
from lab.simulator.model import Estate, RateLimit
from lab.simulator.wire import BAD_GATEWAY, Answer, Request
from simulation.network import parsed

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.world import World

ADDRESS = "203.0.113.10"
TOKEN = "dop_v1_simulated"
FIRST_DROPLET = 1001
BOOT = 10.0
CREATED, OPERATOR = 201, 30.0
"""The status of an action that was taken, and seconds until somebody comes who switches a machine on."""


class Cloud:
    """The estate and its two services, as the nodes reach them."""

    def __init__(self, world: World, names: list[str]) -> None:
        self._world = world
        droplets = [
            {"id": FIRST_DROPLET + at, "name": name, "public_ip": f"203.0.113.{21 + at}",
             "private_ip": f"10.132.20.{10 + at}", "anchor_ip": f"10.17.1.{18 + at}"}
            for at, name in enumerate(names)
        ]  # fmt: skip
        self.estate = Estate(
            [*droplets, {"id": 2000, "name": "elsewhere", "public_ip": "203.0.113.99"}],
            [{"ip": ADDRESS, "droplet_id": FIRST_DROPLET}],
            on_assign=self._moved, on_power=self._power, timer=world.kernel.timer,
        )  # fmt: skip
        self.estate.assign_seconds, self.estate.boot_seconds = 0.5, BOOT
        clock = lambda: 1_700_000_000 + world.kernel.now  # noqa: E731
        self._api = API(self.estate, [TOKEN], RateLimit(clock=clock))
        self._metadata = Metadata(self.estate)
        self.limit = RateLimit
        self.answer_seconds = 0.15
        self.metadata_seconds = 0.002
        self.request_seconds = 0.0
        self.silent = self.metadata_silent = False

    def set_tokens(self, *tokens: str) -> None:
        self._api.set_tokens(tokens)

    @property
    def owner(self) -> int | None:
        return self.estate.reserved_ips[ADDRESS].droplet_id

    def owner_node(self) -> Node | None:
        return next((node for node in self._world.nodes if node.droplet == self.owner), None)

    def _moved(self, address: str, new: str, old: str) -> None:
        target = next((droplet for droplet in self.estate.droplets.values() if droplet.target(address) == new), None)
        self._world.address_moves(target.id if target else None)

    def _power(self, action: str, name: str) -> None:
        node = self._world.node(name)
        if action == "power-off" and node.power:
            self._world.fenced(node)
            node.lose_power()
        elif action == "power-on" and not node.power:
            node.boot()

    # The services

    def metadata(self, node: Node, data: bytes, patience: float) -> bytes:
        if self.metadata_silent or self.metadata_seconds > patience:
            node.sleep(patience)
            raise TimeoutError("timed out")
        node.sleep(self.metadata_seconds)
        droplet = self.estate.droplets[node.droplet]
        answer = self._metadata(parsed(data, droplet.public_ip or ""))
        status, body, length = on_the_wire(answer)
        return f"HTTP/1.0 {status} X\r\ncontent-length: {length}\r\n\r\n".encode() + body

    def ask(
        self, node: Node, method: str, path: str, body: str | None, headers: dict[str, str], patience: float
    ) -> HTTPAnswer:
        """A call of the API. The request may arrive, and its answer not."""
        parts = urlsplit(path)
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, parts.path, dict(parse_qsl(parts.query)), lower, (body or "").encode(), "")
        network = self._world.network
        network.send_again(node, patience)
        back = self.answer_seconds / 2
        there = back + self.request_seconds * self._world.random.random()  # one overtakes the other
        if self.silent or not network.passes(node.name, "clients"):
            self._time_out(node, patience)
        if there > patience:
            losses = node.losses
            self._world.kernel.after(there, lambda: self._answer_late(node, request, node.losses == losses))
            self._time_out(node, patience)
        node.sleep(there)
        answer = self._answer(node, request)
        if not network.passes("clients", node.name) or there + back > patience:
            self._time_out(node, patience)
        node.sleep(back)
        return HTTPAnswer(*on_the_wire(answer), answer.headers)

    @staticmethod
    def _time_out(node: Node, patience: float) -> NoReturn:
        node.sleep(patience)
        raise TimeoutError("timed out")

    def _answer(self, node: Node, request: Request) -> Answer:
        """What has been asked arrives, even after nobody waits any more."""
        self._world.calls(node, request.method)
        answer = self._api(request)
        path = request.path.removeprefix("/v2/")
        self._world.tell(f"{node.name} asks the API: {request.method} {path}: {answer.status}")
        return answer

    def _answer_late(self, node: Node, request: Request, lives: bool) -> None:
        """Two that power each other off within one request are both off: who comes back first switches nobody on."""
        answer = self._answer(node, request)
        if answer.status == CREATED and b"power_off" in request.body and not lives:
            switch_on = replace(request, body=request.body.replace(b"power_off", b"power_on"))
            self._world.tell("an operator will switch it on")
            self._world.kernel.after(OPERATOR, lambda: self._answer(node, switch_on))

    def misbehave(self, **fault: Any) -> None:
        self.estate.faults.add(Fault(**fault))

    def behave(self) -> None:
        self.estate.clear()


def on_the_wire(answer: Answer) -> tuple[int, bytes, int]:
    """Status, body and the length that is said: what the simulator's server makes of a fault."""
    kind = answer.fault.kind if answer.fault else ""
    if kind == "reset":
        raise ConnectionResetError("Connection reset by peer")
    if kind == "html":
        return 502, BAD_GATEWAY, len(BAD_GATEWAY)
    if kind == "invalid_json":
        body = b"<!doctype html>" + answer.body
        return answer.status, body, len(body)
    if kind == "truncated":
        return answer.status, answer.body[: len(answer.body) // 2], len(answer.body)
    return answer.status, answer.body, len(answer.body)


class HTTPAnswer:
    """What http.client makes of an answer."""

    def __init__(self, status: int, body: bytes, length: int, headers: dict[str, str]) -> None:
        self.status, self._body, self.length = status, body, length - len(body)
        self._headers = {"content-type": "application/json", **headers}

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self._headers.items())

    def read(self, most: int) -> bytes:
        return self._body[:most]


def described(body: bytes) -> str:
    """An answer's error in a few words."""
    try:
        return str(json.loads(body).get("message", ""))
    except ValueError:
        return "no JSON"
