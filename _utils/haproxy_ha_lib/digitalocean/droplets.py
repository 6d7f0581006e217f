"""Droplets: which there are, and what DigitalOcean says of one."""

from __future__ import annotations

from collections.abc import Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import is_id, leaf, text
from haproxy_ha_lib.cloud.calls import Call
from haproxy_ha_lib.cloud.machines import Machines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Steps


class Droplets(Machines):
    """The droplets of an account, with `region`, `tags` and `private_ip`.

    By DigitalOcean's specification the scope droplet:update belongs to the request that switches one.
    """

    called, path = "droplet", "/v2/droplets"
    actions = {"off": "power_off", "active": "power_on"}
    scope = " (droplet:update)"

    def read_all(self, name: str | None = None, label: str | None = None, tries: int | None = None) -> Steps:
        """As for every cloud; ``label`` is a tag, and the API takes that or a name."""
        query = f"&tag_name={calls.escaped(label)}" if label else f"&name={calls.escaped(name)}" if name else ""
        entries = yield from calls.pages(self.path, "droplets", tries, query)
        found = [self.summary(entry) for entry in entries]
        return [entry for entry in found if name in (None, entry["name"])]

    def summary(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a droplet, as the API shows it, that matters here."""
        if not is_id(leaf(entry, "id")):
            raise calls.Unavailable("the API's answer holds a droplet without an id")
        networks, tags = leaf(entry, "networks", "v4"), entry.get("tags")
        addresses = {
            text(network.get("type")): text(network.get("ip_address"))
            for network in (networks if isinstance(networks, list) else ())
            if isinstance(network, dict)
        }
        return {
            "id": entry["id"],
            "name": text(entry.get("name")),
            "status": text(entry.get("status")),
            "locked": entry.get("locked") is True,
            "region": text(leaf(entry, "region", "slug")),
            "tags": [text(tag) for tag in tags if text(tag)] if isinstance(tags, list) else [],
            "public_ip": addresses.get("public"),
            "private_ip": addresses.get("private"),
        }

    def none_of(self, plug: str, count: int) -> str:
        """DigitalOcean lets several droplets have one name."""
        return f"{count} droplets have the name {plug!r}, one is needed"

    def switching(self, identifier: int, action: str) -> Call:
        """The action is in the request's body."""
        return Call("POST", f"{self.path}/{int(identifier)}/actions", {"type": action})

    def may_see(self, identifier: int, tries: int | None) -> Steps:
        """Whether the token may see a droplet of the account; one that is unknown is no sign that it may not."""
        try:
            yield from calls.get(f"{self.path}/{identifier}", tries)
        except calls.TokenRefused:
            return False
        except calls.NotFound:
            return True
        return True


DROPLETS = Droplets()
