"""Droplets: which there are, the one that a name means, their power, and what would keep it from being switched."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import is_id, leaf, number, text
from haproxy_ha_lib.cloud.calls import Call, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Reply, Steps

# Seconds after which a power action is asked for anew.
LONGEST_POWER_CHANGE = 30.0
# Beyond every droplet's id: what is asked of it harms nobody.
NO_DROPLET = 2**53 - 1


def read_all(name: str | None = None, tag: str | None = None, tries: int | None = None) -> Steps:
    """Lists the account's droplets, all pages.

    Args:
        name (str): Only those with exactly this name. Default: all.
        tag (str): Only those with this tag. Default: all. The API takes one of the two.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        list[dict]: `id`, `name`, `status`, `region`, `tags`, `public_ip`, `private_ip`.
    """
    query = f"&tag_name={calls.escaped(tag)}" if tag else f"&name={calls.escaped(name)}" if name else ""
    entries = yield from calls.pages("/v2/droplets", "droplets", tries, query)
    found = [summary(entry) for entry in entries]
    return [entry for entry in found if name in (None, entry["name"])]


def read(droplet_id: int, tries: int | None = None) -> Steps:
    """Reads one droplet.

    Args:
        droplet_id (int): Its id.
        tries (int): How many requests may fail. Default None: as many as the time allows.

    Returns:
        dict: as in `read_all`.
    """
    document = yield from calls.get(f"/v2/droplets/{int(droplet_id)}", tries)
    found = document.get("droplet")
    if not isinstance(found, dict) or found.get("id") != droplet_id:
        raise calls.Unavailable(f"the API's answer about droplet {droplet_id} is not about it")
    return summary(found)


def summary(entry: Mapping[str, Any]) -> dict[str, Any]:
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
        "region": text(leaf(entry, "region", "slug")),
        "tags": [text(tag) for tag in tags if text(tag)] if isinstance(tags, list) else [],
        "public_ip": addresses.get("public"),
        "private_ip": addresses.get("private"),
    }


def find(plug: str, tries: int | None = None) -> Steps:
    """Reads the one droplet that a name or an id stands for.

    Args:
        plug (str): The whole name, or the id in digits.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        dict: as in `read_all`.

    Raises:
        NotFound: No droplet, or more than one: DigitalOcean lets several have one name.
    """
    if identifier := number(plug):
        return (yield from read(identifier, tries))
    found = yield from read_all(plug, tries=tries)
    if len(found) != 1:
        raise calls.NotFound(f"{len(found)} droplets have the name {plug!r}, one is needed")
    return found[0]


def may_see(droplet_id: int, tries: int | None) -> Steps:
    """Whether the token may see a droplet of the account; one that is unknown is no sign that it may not."""
    try:
        yield from calls.get(f"/v2/droplets/{droplet_id}", tries)
    except calls.TokenRefused:
        return False
    except calls.NotFound:
        return True
    return True


def fencing_problems(nodes: Mapping[str, str], tries: int | None = None) -> Steps:
    """Why fencing would power off no droplet, or the wrong one, of a cluster.

    Whether the token may do it is asked about a droplet that cannot exist, to be powered on: no answer harms anybody.
    The scope droplet:update belongs to the request by DigitalOcean's specification, so a token without it gets 403,
    and one with it 404, or 422.

    Args:
        nodes (dict): Each node's name -> the droplet's name or id.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        tuple: (list of texts, empty when nothing is in the way; what cannot be known, in words, or "";
        dict: node -> its droplet as in `read_all`, as far as found).
    """
    problems, found = [], {}
    for node, plug in nodes.items():
        try:
            found[node] = yield from find(plug, tries)
        except calls.NotFound as error:
            problems.append(f"node {node} cannot be fenced: {error}")
    shared = sorted(node for node in found if [one["id"] for one in found.values()].count(found[node]["id"]) > 1)
    if shared:
        problems.append(f"the nodes {', '.join(shared)} are said to be one and the same droplet")
    reply: Reply = yield Call("POST", f"/v2/droplets/{NO_DROPLET}/actions", {"type": "power_on"})
    unknown = ""
    if reply.status in (401, 403):
        said = calls.describe(reply)
        problems.append(f"no node can be fenced: the token may not switch droplets (droplet:update): {said}")
    elif reply.status not in (404, 422):
        unknown = f"whether the token may switch droplets (droplet:update) is unknown: {calls.describe(reply)}"
    return problems, unknown, found


def set_power(droplet_id: int, status: str, jitter: Callable[[], float] = random.random) -> Steps:
    """Powers a droplet off or on, and returns when the API shows that status: an action is only a hint here too.

    Args:
        droplet_id (int): The droplet.
        status (str): `off` (without a shutdown, as fencing needs it) or `active`.
        jitter (callable): A number from 0 to 1; two nodes must not retry in step.

    Returns:
        dict: the droplet, as in `read_all`.
    """
    action, failures = {"off": "power_off", "active": "power_on"}[status], 0
    while True:
        found = yield from read(droplet_id)
        if found["status"] == status:
            return found
        reply: Reply = yield Call("POST", f"/v2/droplets/{int(droplet_id)}/actions", {"type": action})
        if 200 <= reply.status < 300:
            found = yield from _settle_power(droplet_id, status)
            if found:
                return found
            failures += 1
            yield Wait(calls.backoff(failures, jitter()), f"the {action} of droplet {droplet_id} had no effect")
            continue
        calls.raise_final(reply)
        failures += 1
        why = f"{action} of droplet {droplet_id}: {calls.describe(reply)}"
        yield Wait(calls.retry_delay(reply, failures, jitter()), why)


def _settle_power(droplet_id: int, status: str) -> Steps:
    """Looks at a droplet until it has the status; None after half a minute, when the action must have been lost."""
    pause, waited = calls.FIRST_POLL, 0.0
    while waited < LONGEST_POWER_CHANGE:
        found = yield from read(droplet_id)
        if found["status"] == status:
            return found
        yield Wait(pause, f"droplet {droplet_id} is {found['status']}, and is to be {status}")
        waited += pause
        pause = min(calls.LONGEST_POLL, pause * 2)
    return None
