"""The metadata service v1: a plain tree, and the same as JSON."""

from __future__ import annotations

import ipaddress

from lab.simulator.faults import Fault
from lab.simulator.model import Droplet, Estate
from lab.simulator.wire import Answer, Request, error_answer, json_answer

NETMASKS = {"public": "255.255.255.0", "private": "255.255.0.0", "anchor": "255.255.0.0"}


class Metadata:
    """Answers each droplet about itself.

    Args:
        estate (Estate): The droplets.
    """

    def __init__(self, estate: Estate):
        self._estate = estate

    def __call__(self, request: Request) -> Answer:
        estate = self._estate
        droplet = estate.droplet_at(request.client)
        estate.count("metadata")
        fault = estate.faults.take("wire", "metadata", request.method, request.path, droplet.id if droplet else None)
        if fault and fault.kind in ("hang", "slow"):
            estate.faults.wait(fault.seconds if fault.seconds or fault.kind == "hang" else 1)
        if fault and fault.kind == "status":
            return error_answer(fault.status, fault.id, fault.message, fault.headers)
        answer = self._answer(request, droplet)
        answer.fault = fault
        return answer

    def _answer(self, request: Request, droplet: Droplet | None) -> Answer:
        if request.method != "GET":
            return Answer(405, b"method not allowed", "text/plain")
        if droplet is None:
            return Answer(404, b"not found", "text/plain")
        if request.path == "/v1/maintenance_event":
            return Answer(200, self._announced(droplet).encode(), "text/plain")
        document = self._document(droplet)
        if request.path == "/metadata/v1.json":
            return json_answer(document)
        return tree_answer(tree(document), request.path)

    def _announced(self, droplet: Droplet) -> str:
        """DigitalOcean's description has this one place without /metadata before it."""
        fault = self._estate.faults.take("maintenance", droplet_id=droplet.id)
        return (fault.body or "live_migrate") if fault else ""

    def _document(self, droplet: Droplet) -> dict:
        fault = self._estate.faults.take("metadata", droplet_id=droplet.id)
        kind = fault.kind if fault else ""
        owned = self._estate.owned_by(droplet)
        reserved: dict = {"active": True, "ip_address": owned.ip} if owned else {"active": False}
        owned_v6 = self._estate.owned_by(droplet, ipv6=True)
        reserved_v6: dict = {"active": True, "ip_address": owned_v6.ip} if owned_v6 else {"active": False}
        if fault and kind == "stale":
            reserved = stale(fault, self._estate, ipv6=False)
            reserved_v6 = stale(fault, self._estate, ipv6=True)
        document = {
            "droplet_id": droplet.id,
            "hostname": droplet.name,
            "vendor_data": "",
            "public_keys": [],
            "region": self._estate.region_of(droplet),
            "interfaces": interfaces(droplet, anchor=kind != "no_anchor"),
            "floating_ip": {"ipv4": reserved},
            "reserved_ip": {"ipv4": reserved, "ipv6": reserved_v6},
            "dns": {"nameservers": ["67.207.67.2", "67.207.67.3"]},
            "tags": droplet.tags,
            "features": {"dhcp_enabled": False},
        }
        if kind == "no_reserved_ip":
            del document["floating_ip"], document["reserved_ip"]
        return document


def stale(fault: Fault, estate: Estate, ipv6: bool) -> dict:
    """What it says of an address of a family while it does not know better."""
    known = (one.ip for one in estate.reserved_ips.values() if one.ipv6 == ipv6)
    ip = fault.ip if fault.ip and (":" in fault.ip) == ipv6 else next(known, None)
    return {"active": True, "ip_address": ip} if fault.active and ip else {"active": False}


def interfaces(droplet: Droplet, anchor: bool = True) -> dict:
    """The network interfaces of a droplet, public first."""
    found: dict = {}
    for position, (name, address) in enumerate((("public", droplet.public_ip), ("private", droplet.private_ip))):
        if address:
            entry = {"mac": f"04:01:00:{droplet.id >> 8 & 255:02x}:{droplet.id & 255:02x}:{position:02x}", "type": name}
            found[name] = [{**entry, "ipv4": network(address, NETMASKS[name])}]
    if droplet.public_ipv6 and droplet.public_ip:
        gateway = str(ipaddress.ip_interface(f"{droplet.public_ipv6}/64").network.network_address + 1)
        found["public"][0]["ipv6"] = {"ip_address": droplet.public_ipv6, "cidr": 64, "gateway": gateway}
    if anchor and droplet.anchor_ip and droplet.public_ip:
        found["public"][0]["anchor_ipv4"] = network(droplet.anchor_ip, NETMASKS["anchor"])
    return found


def network(address: str, netmask: str) -> dict:
    gateway = ipaddress.ip_interface(f"{address}/{netmask}").network.network_address + 1
    return {"ip_address": address, "netmask": netmask, "gateway": str(gateway)}


def tree(document: dict) -> dict:
    """The JSON document as the plain tree words it: `id`, `address`, numbered interfaces, `true` and `false`."""
    reserved = {
        name: {version: renamed(entry, reserved=True) for version, entry in document[name].items()}
        for name in ("floating_ip", "reserved_ip")
        if name in document
    }
    return {
        "id": str(document["droplet_id"]),
        "hostname": document["hostname"],
        "user-data": "",
        "vendor-data": document["vendor_data"],
        "public-keys": "\n".join(document["public_keys"]),
        "region": document["region"],
        "interfaces": {
            kind: {
                str(number): {
                    name: renamed(value) if isinstance(value, dict) else value for name, value in entry.items()
                }
                for number, entry in enumerate(entries)
            }
            for kind, entries in document["interfaces"].items()
        },
        "dns": {"nameservers": "\n".join(document["dns"]["nameservers"])},
        **reserved,
        "tags": "\n".join(document["tags"]),
        "features": {"dhcp_enabled": "false"},
    }


def renamed(entry: dict, reserved: bool = False) -> dict:
    """Leaves of the tree: `ip_address` is called `address` there, except for the reserved IP."""
    plain = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in entry.items()}
    if not reserved and "ip_address" in plain:
        plain["address"] = plain.pop("ip_address")
    return plain


def tree_answer(root: dict, path: str) -> Answer:
    """The node at a path: a leaf as plain text without a newline, a directory as an index."""
    if not path.startswith("/metadata/v1"):
        return Answer(404, b"not found", "text/plain")
    node: dict | str = root
    for part in [part for part in path.removeprefix("/metadata/v1").split("/") if part]:
        if not isinstance(node, dict) or part not in node:
            return Answer(404, b"not found", "text/plain")
        node = node[part]
    if isinstance(node, str):
        return Answer(200, node.encode(), "text/plain")
    if not path.endswith("/"):
        return Answer(301, b"", "text/plain", {"location": path + "/"})
    index = "\n".join(name + "/" if isinstance(value, dict) else name for name, value in node.items())
    return Answer(200, index.encode(), "text/plain")
