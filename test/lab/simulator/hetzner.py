"""Hetzner Cloud, of the same estate: servers are its droplets, floating IPs its reserved IPs.

    Project     what is another rule than DigitalOcean's
    HetznerAPI  the API v1: floating IPs, servers, actions
    Metadata    the metadata service

The shapes are those of Hetzner's API reference. Its errors are {"error": {"code", "message", "details"}}; what has an
action under way is locked (423); a read-only token may make GET requests alone.
"""

from __future__ import annotations

from lab.simulator import metadata
from lab.simulator.api import API
from lab.simulator.model import Action, Droplet, Estate, Refused, ReservedIP
from lab.simulator.wire import Answer, Request, json_answer

FIRST_ID = 4711
STATUSES = {"in-progress": "running", "errored": "error"}
POWER = {"poweroff": "power_off", "poweron": "power_on"}
SERVER_STATUSES = {"active": "running"}
LOCATION = "fsn1"


class Project(Estate):
    """The servers and floating IPs of one project: a server may have several, from any location."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        for server in self.droplets.values():
            server.anchor_ip = None  # an address comes as it is
        self.ids = {ip: FIRST_ID + number for number, ip in enumerate(self.reserved_ips)}

    def floating_ip(self, id: int) -> ReservedIP:
        found = next((ip for ip, one in self.ids.items() if one == id), None)
        if found is None:
            raise Refused(404, "not_found", f"floating IP with ID '{id}' not found")
        return self.reserved_ips[found]

    def droplet(self, id: int) -> Droplet:
        if id not in self.droplets:
            raise Refused(404, "not_found", f"server with ID '{id}' not found")
        return self.droplets[id]

    def action(self, id: int, ip: str | None = None) -> Action:
        for droplet in self.droplets.values():
            for action in droplet.actions:
                if action.id == id:
                    return action
        return super().action(id, ip)

    def power(self, droplet_id: int, type: str) -> Action:
        try:
            return super().power(droplet_id, type)
        except Refused as refused:
            if refused.status == 422:
                raise Refused(423, "locked", "server is locked") from None
            raise

    def _check_assign(self, reserved: ReservedIP, droplet: Droplet) -> None:
        pending = self.faults.take("pending")
        if reserved.locked or (pending and pending.kind == "pending_ip"):
            raise Refused(423, "locked", "floating IP is locked")
        if pending:
            raise Refused(409, "conflict", "The resource has changed during the request, please retry")
        if reserved.droplet_id == droplet.id:
            raise Refused(422, "floating_ip_assigned", "floating IP is already assigned")


class HetznerAPI(API):
    """Answers a request for the API. Tokens with the one scope `read` are read-only."""

    EVERY_SCOPE = frozenset({"read", "write"})
    forbidden = ("token_readonly", "the token is only allowed to perform GET requests")
    too_many = ("rate_limit_exceeded", "limit of 3600 requests per hour reached")

    @staticmethod
    def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
        """An error as this API words it; it does not say how long to wait."""
        told = headers or {}
        if code == HetznerAPI.too_many[0]:
            told = {name: value for name, value in told.items() if name != "retry-after"}
        return json_answer({"error": {"code": code, "message": message, "details": None}}, status, told)

    def routes(self):
        return [
            ("GET", r"/v1/floating_ips", "read", self._list_floating_ips),
            ("GET", r"/v1/floating_ips/(\d+)", "read", self._get_floating_ip),
            ("POST", r"/v1/floating_ips/(\d+)/actions/(assign|unassign)", "write", self._act_on_floating_ip),
            ("GET", r"/v1/(?:floating_ips/|servers/)?actions/(\d+)", "read", self._get_one_action),
            ("GET", r"/v1/servers", "read", self._list_servers),
            ("GET", r"/v1/servers/(\d+)", "read", self._get_server),
            ("POST", r"/v1/servers/(\d+)/actions/(poweroff|poweron)", "write", self._power_server),
        ]

    def _list_floating_ips(self, request, scopes):
        name = request.query.get("name")
        entries = [self._floating_ip(one) for one in self._estate.reserved_ips.values()]
        return 200, listed("floating_ips", [one for one in entries if name in (None, one["name"])], request)

    def _get_floating_ip(self, request, scopes, id):
        return 200, {"floating_ip": self._floating_ip(self._estate.floating_ip(int(id)))}

    def _act_on_floating_ip(self, request, scopes, id, type):
        try:
            server = request.json().get("server")
        except ValueError:
            raise Refused(400, "json_error", "invalid JSON") from None
        if type == "assign" and not isinstance(server, int):
            raise Refused(422, "invalid_input", "invalid input in field 'server'")
        action = self._estate.act(self._estate.floating_ip(int(id)).ip, type, server)
        return 201, {"action": self._described(action, started=True)}

    def _get_one_action(self, request, scopes, id):
        return 200, {"action": self._described(self._estate.action(int(id)))}

    def _list_servers(self, request, scopes):
        name, (label, _, value) = request.query.get("name"), request.query.get("label_selector", "").partition("=")
        entries = [self._server(droplet) for droplet in self._estate.droplets.values()]
        found = [one for one in entries if name in (None, one["name"]) and label in ("", *one["labels"])]
        return 200, listed("servers", [one for one in found if not label or one["labels"][label] == value], request)

    def _get_server(self, request, scopes, id):
        return 200, {"server": self._server(self._estate.droplet(int(id)))}

    def _power_server(self, request, scopes, id, type):
        return 201, {"action": self._described(self._estate.power(int(id), POWER[type]), started=True)}

    def _floating_ip(self, one: ReservedIP) -> dict:
        fault = self._estate.faults.take("owner")
        entry = {
            "id": self._estate.ids[one.ip],
            "name": f"address-{self._estate.ids[one.ip]}",
            "description": "",
            "created": "2026-01-01T00:00:00+00:00",
            "ip": one.ip,
            "type": "ipv6" if ":" in one.ip else "ipv4",
            "server": one.droplet_id,
            "dns_ptr": [],
            "home_location": location(one.region or LOCATION),
            "blocked": bool(fault and fault.kind == "blocked"),
            "protection": {"delete": True},
            "labels": {},
        }
        if fault and fault.kind == "owner_absent":
            del entry["server"]
        return entry

    def _described(self, action: Action, started: bool = False) -> dict:
        status = "in-progress" if started else action.status
        failed = {"code": "action_failed", "message": "Action failed"} if status == "errored" else None
        return {
            "id": action.id,
            "command": {"assign_ip": "assign_floating_ip", "unassign_ip": "unassign_floating_ip"}.get(
                action.type, f"{action.type.replace('power_', '')}_server"
            ),
            "status": STATUSES.get(status, "success"),
            "progress": 0 if status == "in-progress" else 100,
            "started": action.started_at,
            "finished": None if started else action.completed_at,
            "resources": [{"id": action.droplet_id, "type": "server"}] if action.droplet_id else [],
            "error": failed,
        }

    def _server(self, droplet: Droplet) -> dict:
        networks = [{"network": 1, "ip": droplet.private_ip, "alias_ips": [], "mac_address": "86:00:00:2a:7d:e0"}]
        return {
            "id": droplet.id,
            "name": droplet.name,
            "status": SERVER_STATUSES.get(droplet.status, droplet.status),
            "created": "2026-01-01T00:00:00+00:00",
            "public_net": {
                "ipv4": {"id": 1, "ip": droplet.public_ip, "blocked": False, "dns_ptr": "x.example.com"},
                "ipv6": None,
                "floating_ips": [
                    self._estate.ids[one.ip]
                    for one in self._estate.reserved_ips.values()
                    if one.droplet_id == droplet.id
                ],
                "firewalls": [],
            },
            "private_net": networks if droplet.private_ip else [],
            "server_type": {"id": 1, "name": "cx22"},
            "datacenter": {"id": 1, "name": f"{LOCATION}-dc14", "location": location(droplet.region or LOCATION)},
            "location": location(droplet.region or LOCATION),
            "locked": any(action.status == "in-progress" for action in droplet.actions),
            "protection": {"delete": False, "rebuild": False},
            "labels": dict.fromkeys(droplet.tags, ""),
            "volumes": [],
        }


def location(name: str) -> dict:
    return {"id": 1, "name": name, "description": name, "country": "DE", "city": name, "network_zone": "eu-central"}


def listed(key: str, entries: list, request: Request) -> dict:
    """One page of a list, with the number of the next."""
    size = min(50, max(1, int(request.query.get("per_page", "25"))))
    number = max(1, int(request.query.get("page", "1")))
    last = max(1, -(-len(entries) // size))
    pagination = {
        "page": number, "per_page": size, "previous_page": number - 1 or None,
        "next_page": number + 1 if number < last else None, "last_page": last, "total_entries": len(entries),
    }  # fmt: skip
    return {key: entries[(number - 1) * size : number * size], "meta": {"pagination": pagination}}


class Metadata(metadata.Metadata):
    """Answers each server about itself: facts of it, and not its floating IPs."""

    def _answer(self, request: Request, server: Droplet | None) -> Answer:
        root, path = "/hetzner/v1/metadata", request.path.rstrip("/")
        if server is None or not path.startswith(root):
            return Answer(404, b"not found", "text/plain")
        facts = {
            "availability-zone": f"{LOCATION}-dc14", "hostname": server.name, "instance-id": str(server.id),
            "public-ipv4": server.public_ip or "", "region": "eu-central",
        }  # fmt: skip
        private = {"private-networks": private_networks(server)}
        if path == root:
            text = "".join(f"{name}: {value}\n" for name, value in facts.items())
            return Answer(200, text.encode(), "text/plain")
        found = {**facts, **private}.get(path.removeprefix(f"{root}/"))
        return Answer(404, b"not found", "text/plain") if found is None else Answer(200, found.encode(), "text/plain")


def private_networks(server: Droplet) -> str:
    """Its private networks, in YAML."""
    if not server.private_ip:
        return "[]\n"
    return f"- ip: {server.private_ip}\n  alias_ips: []\n  interface_num: 1\n  mac_address: 86:00:00:2a:7d:e0\n"
