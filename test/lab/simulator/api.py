"""The API v2: reserved IPs, their actions, the old floating_ips spelling, droplets."""

from __future__ import annotations

import ipaddress
import re
import time

from lab.simulator.model import Action, Droplet, Estate, RateLimit, Refused, ReservedIP
from lab.simulator.wire import Answer, Request, error_answer, json_answer


class API:
    """Answers a request for the API of DigitalOcean.

    Args:
        estate (Estate): The droplets and reserved IPs.
        tokens (list[str | dict]): Tokens with every scope, or `{"token": ..., "scopes": [...]}`.
        limit (RateLimit): The rate limit for each token.
    """

    EVERY_SCOPE = frozenset(
        {"reserved_ip:read", "reserved_ip:update", "droplet:read", "droplet:update", "actions:read", "project:read",
     "byoip_prefix:read"}
    )
    error = staticmethod(error_answer)
    forbidden = ("forbidden", "You are not authorized to perform this operation")
    too_many = ("too_many_requests", "API Rate limit exceeded.")

    def __init__(self, estate: Estate, tokens, limit: RateLimit | None = None):
        self._estate = estate
        self._limit = limit or RateLimit()
        self.set_tokens(tokens)
        self._routes = self.routes()

    def routes(self):
        """Method, path, scope and handler of all that is known."""
        return [
            ("GET", r"/v2/(reserved|floating)_ips", "reserved_ip:read", self._list_reserved_ips),
            ("GET", r"/v2/(reserved|floating)_ips/([0-9.]+)", "reserved_ip:read", self._get_reserved_ip),
            ("GET", r"/v2/(reserved|floating)_ips/([0-9.]+)/actions", "reserved_ip:read", self._list_actions),
            ("POST", r"/v2/(reserved|floating)_ips/([0-9.]+)/actions", "reserved_ip:update", self._act),
            ("GET", r"/v2/(reserved|floating)_ips/([0-9.]+)/actions/(\d+)", "reserved_ip:read", self._get_action),
            # The actions of an IPv6 address are among all alone.
            ("GET", r"/v2/(reserved_ipv6)", "reserved_ip:read", self._list_reserved_ips),
            ("GET", r"/v2/(reserved_ipv6)/([0-9a-f:]+)", "reserved_ip:read", self._get_reserved_ip),
            ("POST", r"/v2/(reserved_ipv6)/([0-9a-f:]+)/actions", "reserved_ip:update", self._act),
            ("GET", r"/v2/actions/(\d+)", "actions:read", self._get_any_action),
            ("GET", r"/v2/byoip_prefixes", "byoip_prefix:read", self._list_prefixes),
            ("GET", r"/v2/droplets", "droplet:read", self._list_droplets),
            ("GET", r"/v2/droplets/(\d+)", "droplet:read", self._get_droplet),
            ("GET", r"/v2/droplets/(\d+)/actions", "droplet:read", self._list_droplet_actions),
            ("POST", r"/v2/droplets/(\d+)/actions", "droplet:update", self._act_on_droplet),
        ]

    def set_tokens(self, tokens) -> None:
        """Replaces the tokens: rotation, or a revoked one."""
        self._scopes = {
            entry if isinstance(entry, str) else entry["token"]: self.EVERY_SCOPE
            if isinstance(entry, str)
            else frozenset(entry["scopes"])
            for entry in tokens
        }

    def __call__(self, request: Request) -> Answer:
        estate = self._estate
        kind = "writes" if request.method != "GET" else "reads" if estate.counts["writes"] else "reads before a write"
        estate.count("calls", request.method, kind)
        if estate.api_seconds:
            time.sleep(estate.api_seconds)
        fault = estate.faults.take("wire", "api", request.method, request.path)
        if fault and fault.kind in ("hang", "slow"):
            estate.faults.wait(fault.seconds if fault.seconds or fault.kind == "hang" else 1)
        if fault and fault.kind == "status":
            return self.error(fault.status, fault.id, fault.message, fault.headers)
        answer = self._answer(request)
        answer.fault = fault
        return answer

    def _answer(self, request: Request) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self._scopes:
            return self.error(401, "unauthorized", "Unable to authenticate you")
        headers, allowed = self._limit.take(token)
        if not allowed:
            return self.error(429, *self.too_many, headers)
        for method, pattern, scope, handler in self._routes:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                if scope not in self._scopes[token]:
                    return self.error(403, *self.forbidden, headers)
                try:
                    status, document = handler(request, self._scopes[token], *match.groups())
                except Refused as error:
                    return self.error(error.status, error.id, error.message, headers)
                return json_answer(document, status, headers)
        return self.error(404, "not_found", "The resource you were accessing could not be found.", headers)

    def _list_reserved_ips(self, request, scopes, spelling):
        found = [one for one in self._estate.reserved_ips.values() if one.ipv6 == (spelling == IPV6)]
        return 200, page(f"{entry_of(spelling)}s", [self._reserved_ip(one, scopes) for one in found], request)

    def _get_reserved_ip(self, request, scopes, spelling, ip):
        return 200, {entry_of(spelling): self._reserved_ip(self._estate.reserved_ip(ip), scopes)}

    def _list_prefixes(self, request, scopes):
        return 200, page("byoip_prefixes", self._estate.prefixes, request)

    def _list_actions(self, request, scopes, spelling, ip):
        actions = [action for action in reversed(self._estate.reserved_ip(ip).actions) if not action.hidden]
        return 200, page("actions", [self._action(action, spelling) for action in actions], request)

    def _get_action(self, request, scopes, spelling, ip, id):
        return 200, {"action": self._action(self._estate.action(int(id), ip), spelling)}

    def _get_any_action(self, request, scopes, id):
        action = self._estate.action(int(id))
        return 200, {"action": self._action(action, IPV6 if ":" in action.ip else "reserved")}

    def _act(self, request, scopes, spelling, ip):
        try:
            body = request.json()
            type, droplet_id = body.get("type"), body.get("droplet_id")
            if type not in ("assign", "unassign"):
                raise ValueError("type")
            droplet_id = int(droplet_id) if type == "assign" else None
        except (ValueError, TypeError):
            raise Refused(422, "unprocessable_entity", "You specified an invalid action or droplet_id.") from None
        return 201, {"action": self._action(self._estate.act(ip, type, droplet_id), spelling, started=True)}

    def _list_droplets(self, request, scopes):
        name, tag = request.query.get("name"), request.query.get("tag_name")
        droplets = [
            self._droplet(droplet)
            for droplet in self._estate.droplets.values()
            if (name is None or name.lower() == droplet.name.lower()) and (tag is None or tag in droplet.tags)
        ]
        return 200, page("droplets", droplets, request)

    def _get_droplet(self, request, scopes, id):
        return 200, {"droplet": self._droplet(self._estate.droplet(int(id)))}

    def _list_droplet_actions(self, request, scopes, id):
        droplet = self._estate.droplet(int(id))
        actions = [
            self._action(action, "reserved")
            for reserved in self._estate.reserved_ips.values()
            for action in reserved.actions
            if action.droplet_id == droplet.id
        ] + [self._action(action, "reserved") for action in droplet.actions]
        return 200, page("actions", actions, request)

    def _act_on_droplet(self, request, scopes, id):
        try:
            type = request.json().get("type")
        except ValueError:
            type = None
        action = self._estate.power(int(id), type)
        return 201, {"action": {**self._action(action, "reserved", started=True),
                                "resource_id": int(id), "resource_type": "droplet"}}  # fmt: skip

    def _reserved_ip(self, reserved: ReservedIP, scopes) -> dict:
        fault = self._estate.faults.take("owner")
        kind = fault.kind if fault else ("" if "droplet:read" in scopes else "owner_null")
        slug = self._estate.region_of(reserved)
        owner = self._droplet(self._estate.droplets[reserved.droplet_id]) if reserved.droplet_id else None
        if reserved.ipv6:
            entry = {"ip": reserved.ip, "region_slug": slug, "reserved_at": "2026-01-01T00:00:00Z", "droplet": owner}
        else:
            entry = {"ip": reserved.ip, "region": region(slug), "droplet": owner, "locked": reserved.locked}
        if "project:read" in scopes and not reserved.ipv6:
            entry["project_id"] = "746c6152-2fa2-11ed-92d3-27aaa54e4988"
        if kind == "owner_null":
            entry["droplet"] = None
        elif kind == "owner_absent":
            del entry["droplet"]
        return entry

    def _action(self, action: Action, spelling: str, started: bool = False) -> dict:
        # The answer to the request itself is written before anything has happened, however fast that is.
        slug = self._estate.region_of(self._estate.reserved_ips[action.ip]) if action.ip else self._estate.region
        return {
            "id": action.id,
            "status": "in-progress" if started else action.status,
            "type": action.type,
            "started_at": action.started_at,
            "completed_at": None if started else action.completed_at,
            "resource_id": resource_id(action.ip),
            "resource_type": entry_of(spelling),
            "region": region(slug),
            "region_slug": slug,
        }

    def _droplet(self, droplet: Droplet) -> dict:
        networks = [
            {"ip_address": address, "netmask": "255.255.255.0", "gateway": address, "type": type}
            for type, address in (("public", droplet.public_ip), ("private", droplet.private_ip))
            if address
        ]
        return {
            "id": droplet.id,
            "name": droplet.name,
            "memory": 1024,
            "vcpus": 1,
            "disk": 25,
            "locked": any(action.status == "in-progress" for action in droplet.actions),
            "status": droplet.status,
            "created_at": "2026-01-01T00:00:00Z",
            "features": ["private_networking"],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": {"id": 1, "slug": "debian-12-x64", "name": "12 x64", "distribution": "Debian"},
            "volume_ids": [],
            "size": {"slug": "s-1vcpu-1gb", "memory": 1024, "vcpus": 1, "disk": 25},
            "size_slug": "s-1vcpu-1gb",
            "networks": {"v4": networks, "v6": networks_v6(droplet)},
            "region": region(self._estate.region_of(droplet)),
            "tags": droplet.tags,
        }


IPV6 = "reserved_ipv6"


def entry_of(spelling: str) -> str:
    """What a place of the API calls one of its addresses."""
    return spelling if spelling == IPV6 else f"{spelling}_ip"


def resource_id(ip: str) -> int:
    """An IPv4 address as a number; of an IPv6 one, which is larger than JSON's numbers, the last 32 bits."""
    return int(ipaddress.ip_address(ip)) & 0xFFFFFFFF if ip else 0


def networks_v6(droplet: Droplet) -> list[dict]:
    if not droplet.public_ipv6:
        return []
    return [{"ip_address": droplet.public_ipv6, "netmask": 64, "gateway": droplet.public_ipv6, "type": "public"}]


def region(slug: str) -> dict:
    return {"name": slug, "slug": slug, "available": True, "features": ["metadata"], "sizes": ["s-1vcpu-1gb"]}


def page(key: str, entries: list, request: Request) -> dict:
    """One page of a list, with the link to the next."""
    size = min(200, max(1, int(request.query.get("per_page", "20"))))
    number = max(1, int(request.query.get("page", "1")))
    links: dict = {}
    if number * size < len(entries):
        others = "".join(
            f"&{name}={value}" for name, value in request.query.items() if name not in ("page", "per_page")
        )
        base = f"https://{request.headers.get('host', 'api.digitalocean.com')}{request.path}"
        links = {"pages": {"next": f"{base}?page={number + 1}&per_page={size}{others}"}}
    return {key: entries[(number - 1) * size : number * size], "links": links, "meta": {"total": len(entries)}}
