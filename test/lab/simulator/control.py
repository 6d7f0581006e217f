"""The control service on a Unix socket, and its client.

GET  /state    owners, moves, actions, delays, faults, counts
POST /delay    {"assign_seconds": float, "api_seconds": float, "power_seconds": float}
POST /fault    the fields of faults.Fault; {"clear": true} removes every fault, and ends what one held up
POST /assign   {"ip": str, "droplet_id": int | null}: moved by somebody else
POST /anchor   {"droplet_id": int, "anchor_ip": str | null}: a droplet from a custom image has none
POST /droplet  {"droplet_id": int, "name": str, "region": str}: renamed, or in another region
POST /tokens   {"tokens": [...]}: rotated or revoked
POST /reset    {"owners": bool}
"""

from __future__ import annotations

import http.client
import json
import socket

from lab.simulator.api import API
from lab.simulator.faults import Fault
from lab.simulator.model import Estate, Refused
from lab.simulator.wire import Answer, Request, error_answer, json_answer


class Control:
    """Answers a request on the control socket.

    Args:
        estate (Estate): What is controlled.
        api (API): Whose tokens are controlled.
    """

    def __init__(self, estate: Estate, api: API):
        self._estate, self._api = estate, api

    def __call__(self, request: Request) -> Answer:
        name = f"_{request.method.lower()}_{request.path.strip('/')}"
        handler = getattr(self, name, None)
        if handler is None:
            return error_answer(404, "not_found", f"{request.method} {request.path}")
        try:
            handler(request.json())
        except (ValueError, TypeError, KeyError) as error:
            return error_answer(400, "bad_request", str(error))
        except Refused as error:
            return error_answer(error.status, error.id, error.message)
        return json_answer(self._estate.state())

    def _get_state(self, body):
        """The state is every answer's body."""

    def _post_delay(self, body):
        self._estate.assign_seconds = float(body.get("assign_seconds", self._estate.assign_seconds))
        self._estate.api_seconds = float(body.get("api_seconds", self._estate.api_seconds))
        self._estate.power_seconds = float(body.get("power_seconds", self._estate.power_seconds))

    def _post_fault(self, body):
        if body.pop("clear", False):
            self._estate.clear()
        if body:
            self._estate.faults.add(Fault(**body))

    def _post_assign(self, body):
        self._estate.assign(body["ip"], body["droplet_id"])

    def _post_anchor(self, body):
        self._estate.readdress(body["droplet_id"], body["anchor_ip"])

    def _post_droplet(self, body):
        self._estate.change(**body)

    def _post_tokens(self, body):
        self._api.set_tokens(body["tokens"])

    def _post_reset(self, body):
        self._estate.reset(bool(body.get("owners", False)))


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("simulator", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _call(path: str, method: str, target: str, body: dict | None = None) -> dict:
    connection = _Connection(str(path))
    try:
        connection.request(method, target, json.dumps(body or {}), {"content-type": "application/json"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"simulator: {method} {target}: {answer.status} {document.get('message')}")
    return document


def state(path: str) -> dict:
    """Owners, actions, delays, faults and counts of the simulator with this control socket."""
    return _call(path, "GET", "/state")


def delay(path: str, assign_seconds: float = 0.0, api_seconds: float = 0.0, power_seconds: float = 0.0) -> dict:
    """Sets how long an assign, every API call, and a power action take, in seconds."""
    seconds = {"assign_seconds": assign_seconds, "api_seconds": api_seconds, "power_seconds": power_seconds}
    return _call(path, "POST", "/delay", seconds)


def fault(path: str, /, kind: str, **options) -> dict:
    """Adds a fault; kinds and options: lab.simulator.faults."""
    return _call(path, "POST", "/fault", {"kind": kind, **options})


def clear(path: str) -> dict:
    """Removes every fault; what hangs goes on."""
    return _call(path, "POST", "/fault", {"clear": True})


def assign(path: str, ip: str, droplet_id: int | None) -> dict:
    """Moves an address as another person would, without the API."""
    return _call(path, "POST", "/assign", {"ip": ip, "droplet_id": droplet_id})


def anchor(path: str, droplet_id: int, anchor_ip: str | None) -> dict:
    """Gives a droplet another anchor IP, or none: the traffic of its address goes there, or to its public IP."""
    return _call(path, "POST", "/anchor", {"droplet_id": droplet_id, "anchor_ip": anchor_ip})


def droplet(path: str, droplet_id: int, **changes) -> dict:
    """Gives a droplet another `name` or `region`."""
    return _call(path, "POST", "/droplet", {"droplet_id": droplet_id, **changes})


def tokens(path: str, tokens: list) -> dict:
    """Replaces the tokens that the API accepts."""
    return _call(path, "POST", "/tokens", {"tokens": tokens})


def reset(path: str, owners: bool = False) -> dict:
    """Clears faults, delays, counts and unfinished actions; with `owners` the first owners come back."""
    return _call(path, "POST", "/reset", {"owners": owners})
