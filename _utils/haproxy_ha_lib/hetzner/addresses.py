"""Floating IPs: whose one is, how a server gets it, and why it never would."""

from __future__ import annotations

import random
from collections import namedtuple
from collections.abc import Callable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import decoded_object, is_id, leaf, text
from haproxy_ha_lib.cloud.calls import Call, Reply, Wait
from haproxy_ha_lib.hetzner import listed
from haproxy_ha_lib.hetzner.servers import SERVERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Steps

# Looks at an address whose action has succeeded before that is taken for an action without effect.
SETTLE_POLLS = 8
# Seconds after which an action that is still under way is no reason any more to doubt what the address shows.
LONGEST_ACTION = 5.0
# Refusals in a row after which it is looked up whether one of them can ever end.
REFUSALS_TO_EXPLAIN = 2


class FloatingIP(namedtuple("FloatingIP", "address id server_id location blocked")):
    """A floating IP as the API shows it; `address` with /64 for IPv6, `server_id` None for one that nobody has."""

    __slots__ = ()
    address: str
    id: int
    server_id: int | None
    location: str | None
    blocked: bool


def read(address: str, known: int | None = None, tries: int | None = None) -> Steps:
    """Reads the floating IP of an address.

    Args:
        address (str): IPv4, or an address of the /64 of a floating IPv6.
        known (int): What is remembered of its id: one small answer in place of a list. Default: nothing.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        FloatingIP

    Raises:
        NotFound: The token's project has none.
    """
    if known:
        try:
            document = yield from calls.get(f"/v1/floating_ips/{known}", tries)
        except calls.NotFound:
            document = {}  # it was given up, and there may be another
        found = floating_ip(document["floating_ip"]) if isinstance(document.get("floating_ip"), dict) else None
        if found and found.id == known and holds(found.address, address):
            return found
    for one in (yield from read_all(tries)):
        if holds(one.address, address):
            return one
    raise calls.NotFound(f"the token's project has no floating IP {address}")


def read_all(tries: int | None = None) -> Steps:
    """Lists the project's floating IPs, all pages: a list of FloatingIP."""
    entries = yield from listed.pages("/v1/floating_ips", "floating_ips", tries)
    return [floating_ip(entry) for entry in entries]


def floating_ip(entry: Mapping[str, Any]) -> FloatingIP:
    """The part of a floating IP, as the API shows it, that matters here."""
    found, owner = entry.get("id"), entry.get("server")
    if not is_id(found) or not text(entry.get("ip")) or not (owner is None or is_id(owner)) or "server" not in entry:
        raise calls.Unavailable("the API's answer holds a floating IP without an id, an address or a server")
    location = text(leaf(entry, "home_location", "name"))
    return FloatingIP(str(entry["ip"]), int(entry["id"]), owner, location, entry.get("blocked") is True)


def holds(floating: str, address: str) -> bool:
    """Whether an address is one of a floating IP: that itself, or one of its /64."""
    if ":" not in floating or ":" not in address:
        return floating == address
    from ipaddress import IPv6Address, IPv6Network

    try:
        return IPv6Address(address) in IPv6Network(floating, strict=False)
    except ValueError:
        return False


def assign(
    address: str,
    server_id: int,
    known: int | None = None,
    elsewhere: bool = False,
    jitter: Callable[[], float] = random.random,
) -> Steps:
    """Assigns an address to a server, and returns when the server has it.

    Args:
        address (str): As in `read`.
        server_id (int): The new owner.
        known (int): What is remembered of the floating IP's id. Default: nothing.
        elsewhere (bool): The address is not at the server, and clients wait: where the id is known, the first call,
            which may take seconds, is the assign. Default False.
        jitter (callable): A number from 0 to 1; two nodes must not retry in step.

    Returns:
        FloatingIP: as last seen.
    """
    failures, refusals, before = 0, 0, ""
    while True:
        if not (elsewhere and known):
            found = yield from read(address, known)
            known = found.id
            if found.server_id == server_id:
                return found
        elsewhere = False
        reply: Reply = yield Call("POST", f"/v1/floating_ips/{known}/actions/assign", {"server": server_id})
        if 200 <= reply.status < 300:
            why = f"{address} is being assigned to server {server_id}{before}"
            found, ended = yield from _settle(address, known, server_id, why, *listed.action_of(reply))
            if found:
                return found
            failures += 1
            why = f"the assign of {address} was accepted and had no effect{ended}"
            before = f" once more: {why}"
            yield Wait(calls.backoff(failures, jitter()), why)
            continue
        if reply.status == 404:
            yield from SERVERS.read(server_id)  # which of the two is unknown
            known = None
        else:
            calls.raise_final(reply)
        failures, refusals = failures + 1, refusals + 1 if reply.status == 422 else 0
        if refusals and listed.error_code(reply) == "floating_ip_assigned":
            yield from _unassign(address, known, server_id)
        elif refusals == REFUSALS_TO_EXPLAIN:
            yield from SERVERS.read(server_id)
        yield Wait(calls.retry_delay(reply, failures, jitter()), f"assign of {address}: {calls.describe(reply)}")


def _unassign(address: str, known: int | None, server_id: int) -> Steps:
    """Takes an address that is refused, being assigned already, away from who has it: the next assign finds it free."""
    found = yield from read(address, known)
    if found.server_id not in (None, server_id):
        yield Call("POST", f"/v1/floating_ips/{found.id}/actions/unassign", {})


def _settle(
    address: str, known: int | None, server_id: int, why: str, action_id: int | None, status: str
) -> Steps:  # fmt: skip
    """Waits for an action, and looks whether the server has the address: (FloatingIP, ""), or (None, why not)."""
    pause, waited, ended = calls.FIRST_POLL, 0.0, 0
    while True:
        if status == "error":
            return None, (yield from _why(action_id))
        if status != "running" or waited >= LONGEST_ACTION:
            found = yield from read(address, known)
            if found.server_id == server_id:
                return found, ""
            ended += status == "success"
            if ended > SETTLE_POLLS:
                return None, ""
        yield Wait(pause, why)
        waited, pause = waited + pause, min(calls.LONGEST_POLL, pause * 2)
        if status != "success" and action_id:
            status = listed.action_of((yield Call("GET", f"/v1/actions/{action_id}")))[1]


def _why(action_id: int | None) -> Steps:
    """What an action says of its failure, as the end of a sentence."""
    if action_id is None:
        return ""
    reply: Reply = yield Call("GET", f"/v1/actions/{action_id}")
    said = text(leaf(decoded_object(reply.body), "action", "error", "message"))
    return f": {said[:100]}" if said else ""


def obstacles(found: FloatingIP) -> list[str]:
    """Why an address would serve nobody, wherever it is, as far as the API's answer tells: empty where nothing is."""
    return [f"{found.address} is blocked by Hetzner: its support says why"] if found.blocked else []
