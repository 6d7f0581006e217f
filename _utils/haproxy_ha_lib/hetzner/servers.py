"""Servers: which there are, the one that a name means, their power, and what would keep it from being switched."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import is_id, leaf, number, text
from haproxy_ha_lib.cloud.calls import Call, Wait
from haproxy_ha_lib.hetzner import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Reply, Steps

# Seconds after which a power action is asked for anew.
LONGEST_POWER_CHANGE = 30.0
# Beyond every server's id: what is asked of it harms nobody.
NO_SERVER = 2**53 - 1


def read_all(name: str | None = None, selector: str | None = None, tries: int | None = None) -> Steps:
    """Lists the project's servers, all pages.

    Args:
        name (str): Only the one with exactly this name. Default: all.
        selector (str): Only those that a label selector has, such as `role=lb`. Default: all.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        list[dict]: `id`, `name`, `status`, `location`, `labels`, `public_ip`, `private_ips`.
    """
    query = f"&name={calls.escaped(name)}" if name else ""
    query += f"&label_selector={calls.escaped(selector)}" if selector else ""
    entries = yield from listed.pages("/v1/servers", "servers", tries, query)
    found = [summary(entry) for entry in entries]
    return [entry for entry in found if name in (None, entry["name"])]


def read(server_id: int, tries: int | None = None) -> Steps:
    """Reads one server.

    Args:
        server_id (int): Its id.
        tries (int): How many requests may fail. Default None: as many as the time allows.

    Returns:
        dict: as in `read_all`.
    """
    document = yield from calls.get(f"/v1/servers/{int(server_id)}", tries)
    found = document.get("server")
    if not isinstance(found, dict) or found.get("id") != server_id:
        raise calls.Unavailable(f"the API's answer about server {server_id} is not about it")
    return summary(found)


def summary(entry: Mapping[str, Any]) -> dict[str, Any]:
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
        "location": text(leaf(entry, "location", "name") or leaf(entry, "datacenter", "location", "name")),
        "labels": {text(name): text(value) or "" for name, value in pairs},
        "public_ip": text(leaf(entry, "public_net", "ipv4", "ip")),
        "private_ips": [address for address in addresses if address],
    }


def find(plug: str, tries: int | None = None) -> Steps:
    """Reads the server that a name or an id stands for; names are unique within a project.

    Args:
        plug (str): The whole name, or the id in digits.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        dict: as in `read_all`.

    Raises:
        NotFound: The project has no such server.
    """
    if identifier := number(plug):
        return (yield from read(identifier, tries))
    found = yield from read_all(plug, tries=tries)
    if len(found) != 1:
        raise calls.NotFound(f"the token's project has no server {plug!r}")
    return found[0]


def strangers(server_ids: Iterable[int], tries: int | None = None) -> Steps:
    """Why addresses of the token's project would never come to servers: a text for each that is of no such project."""
    found = []
    for one in server_ids:
        try:
            yield from read(one, tries)
        except calls.NotFound:
            found.append(f"server {one} is not of the project of the token, whose floating IPs it cannot have")
    return found


def fencing_problems(nodes: Mapping[str, str], tries: int | None = None) -> Steps:
    """Why fencing would power off no server, or the wrong one, of a cluster.

    Whether the token may do it is asked about a server that cannot exist, to be powered on: no answer harms anybody. A
    read-only token gets 403 for whatever is no GET request, and another one 404.

    Args:
        nodes (dict): Each node's name -> the server's name or id.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        tuple: (list of texts, empty when nothing is in the way; what cannot be known, in words, or "";
        dict: node -> its server as in `read_all`, as far as found).
    """
    problems, found = [], {}
    for node, plug in nodes.items():
        try:
            found[node] = yield from find(plug, tries)
        except calls.NotFound as error:
            problems.append(f"node {node} cannot be fenced: {error}")
    shared = sorted(node for node in found if [one["id"] for one in found.values()].count(found[node]["id"]) > 1)
    if shared:
        problems.append(f"the nodes {', '.join(shared)} are said to be one and the same server")
    reply: Reply = yield Call("POST", f"/v1/servers/{NO_SERVER}/actions/poweron", {})
    unknown = ""
    if reply.status in (401, 403):
        problems.append(f"no node can be fenced: the token may not switch servers: {calls.describe(reply)}")
    elif reply.status not in (404, 422):
        unknown = f"whether the token may switch servers is unknown: {calls.describe(reply)}"
    return problems, unknown, found


def set_power(server_id: int, status: str, jitter: Callable[[], float] = random.random) -> Steps:
    """Powers a server off or on, and returns when the API shows that status: an action is only a hint here too.

    Args:
        server_id (int): The server.
        status (str): `off` (without a shutdown, as fencing needs it) or `running`.
        jitter (callable): A number from 0 to 1; two nodes must not retry in step.

    Returns:
        dict: the server, as in `read_all`.
    """
    action, failures = {"off": "poweroff", "running": "poweron"}[status], 0
    while True:
        found = yield from read(server_id)
        if found["status"] == status:
            return found
        reply: Reply = yield Call("POST", f"/v1/servers/{int(server_id)}/actions/{action}", {})
        if 200 <= reply.status < 300:
            found = yield from _settle_power(server_id, status)
            if found:
                return found
            failures += 1
            yield Wait(calls.backoff(failures, jitter()), f"the {action} of server {server_id} had no effect")
            continue
        calls.raise_final(reply)
        failures += 1
        why = f"{action} of server {server_id}: {calls.describe(reply)}"
        yield Wait(calls.retry_delay(reply, failures, jitter()), why)


def _settle_power(server_id: int, status: str) -> Steps:
    """Looks at a server until it has the status; None after half a minute, when the action must have been lost."""
    pause, waited = calls.FIRST_POLL, 0.0
    while waited < LONGEST_POWER_CHANGE:
        found = yield from read(server_id)
        if found["status"] == status:
            return found
        yield Wait(pause, f"server {server_id} is {found['status']}, and is to be {status}")
        waited, pause = waited + pause, min(calls.LONGEST_POLL, pause * 2)
    return None
