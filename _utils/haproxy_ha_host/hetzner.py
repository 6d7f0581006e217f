"""Hetzner Cloud's metadata service, as this server finds it."""

from __future__ import annotations

from typing import Any

import yaml

from haproxy_ha_host.connection import Connection
from haproxy_ha_lib.cloud.answers import leaf, number, text
from haproxy_ha_lib.cloud.calls import Call

_ROOT = "/hetzner/v1/metadata"


def metadata(url: str, timeout: float) -> dict[str, Any] | str:
    """
    Return what the service says of this server (dict), or why it says nothing (str).

    url
        Where it is (str), without ``/hetzner``.
    timeout
        Seconds for each of two requests (float).
    """
    connection = Connection(url)
    found = _answer(connection, _ROOT, timeout)
    if isinstance(found, str):
        return f"no metadata service at {url}: {found}"
    identifier = number(str(leaf(found, "instance-id")))
    if identifier is None:
        return f"no metadata service at {url}: no instance-id in the metadata"
    private = [text(leaf(one, "ip")) for one in _private_networks(connection, timeout)]
    zone = text(leaf(found, "availability-zone"))
    return {
        "server_id": identifier,
        "hostname": text(leaf(found, "hostname")),
        "location": zone and zone.partition("-")[0],
        "region": text(leaf(found, "region")),
        "public_ip": text(leaf(found, "public-ipv4")),
        "private_ip": next(filter(None, private), None),
        "anchor_ip": None,
    }


def _private_networks(connection: Connection, timeout: float) -> list[Any]:
    """A server without any has no such leaf, or an empty one."""
    found = _answer(connection, f"{_ROOT}/private-networks", timeout)
    return found if isinstance(found, list) else []


def _answer(connection: Connection, path: str, timeout: float) -> Any:
    """What the YAML at a path says; why it says nothing, in words."""
    reply = connection.send(Call("GET", path), timeout)
    if reply.failure or reply.status != 200:
        return reply.failure or f"HTTP {reply.status}"
    try:
        found = yaml.safe_load(reply.body[:65536])
    except (yaml.YAMLError, ValueError, RecursionError):
        return "no YAML"
    return found if isinstance(found, (dict, list)) else "no facts"
