"""Servers: which there are, and what Hetzner says of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import is_id, leaf, text
from haproxy_ha_lib.cloud.calls import Call
from haproxy_ha_lib.cloud.machines import Machines
from haproxy_ha_lib.hetzner import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Steps


class Servers(Machines):
    """The servers of the token's project, with `location`, `labels` and `private_ips`.

    A read-only token gets 403 for whatever is no GET request.
    """

    called, path = "server", "/v1/servers"
    actions = {"off": "poweroff", "running": "poweron"}

    def read_all(self, name: str | None = None, label: str | None = None, tries: int | None = None) -> Steps:
        """As for every cloud; ``label`` is a label selector, such as `role=lb`."""
        query = f"&name={calls.escaped(name)}" if name else ""
        query += f"&label_selector={calls.escaped(label)}" if label else ""
        entries = yield from listed.pages(self.path, "servers", tries, query)
        found = [self.summary(entry) for entry in entries]
        return [entry for entry in found if name in (None, entry["name"])]

    def summary(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a server, as the API shows it, that matters here."""
        if not is_id(leaf(entry, "id")):
            raise calls.Unavailable("the API's answer holds a server without an id")
        private, labels = entry.get("private_net"), entry.get("labels")
        pairs = labels.items() if isinstance(labels, dict) else ()
        addresses = [text(leaf(one, "ip")) for one in (private if isinstance(private, list) else ())]
        return {
            "id": entry["id"],
            "name": text(entry.get("name")),
            "status": text(entry.get("status")),
            "locked": entry.get("locked") is True,
            "location": text(leaf(entry, "location", "name") or leaf(entry, "datacenter", "location", "name")),
            "labels": {text(name): text(value) or "" for name, value in pairs},
            "public_ip": text(leaf(entry, "public_net", "ipv4", "ip")),
            "private_ips": [address for address in addresses if address],
        }

    def none_of(self, plug: str, count: int) -> str:
        """Names are unique within a project."""
        return f"the token's project has no server {plug!r}"

    def switching(self, identifier: int, action: str) -> Call:
        """The action is in the request's path."""
        return Call("POST", f"{self.path}/{int(identifier)}/actions/{action}", {})

    def strangers(self, identifiers: Iterable[int], tries: int | None = None) -> Steps:
        """Why addresses of the token's project would never come to servers: a text for each that is of no such one."""
        found = []
        for one in identifiers:
            try:
                yield from self.read(one, tries)
            except calls.NotFound:
                found.append(f"server {one} is not of the project of the token, whose floating IPs it cannot have")
        return found


SERVERS = Servers()
