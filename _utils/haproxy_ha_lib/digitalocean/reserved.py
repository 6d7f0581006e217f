"""Reserved IPs, formerly floating IPs: who owns one, how a droplet gets it, and why it never would."""

from __future__ import annotations

import random
from collections import namedtuple
from collections.abc import Callable, Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import decoded_object, is_id, leaf, text
from haproxy_ha_lib.cloud.calls import Call, Reply, Wait
from haproxy_ha_lib.digitalocean.droplets import DROPLETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Steps

SPELLINGS = {"reserved_ips": "reserved_ip", "floating_ips": "floating_ip"}
_IPV6 = "reserved_ipv6"
# How long an assign that is said to be completed may take to show in the address.
SETTLE_POLLS = 8
# Refusals in a row after which it is looked up whether one of them can ever end.
REFUSALS_TO_EXPLAIN = 2


class ReservedIP(namedtuple("ReservedIP", "address droplet_id visible locked region", defaults=(None,))):
    """A reserved IP as the API shows it.

    `droplet_id` is None for an address that nobody owns. `visible` is False when the token may not see the owner: the
    API then leaves the droplet out, or answers null as it does for an address without an owner.
    """

    __slots__ = ()
    address: str
    droplet_id: int | None
    visible: bool
    locked: bool
    region: str | None


def read(
    address: str, droplet_id: int | None = None, tries: int | None = None, spelling: str = "reserved_ips"
) -> Steps:
    """Reads an address.

    Args:
        address (str): The reserved IP.
        droplet_id (int): A droplet of the account that surely exists; asked for to tell an address without an owner
            from an owner that the token may not see. Default None: not told apart, null is believed.
        tries (int): How many requests may fail. Default None: as many as the time allows.
        spelling (str): `reserved_ips` (default) or `floating_ips`.

    Returns:
        ReservedIP
    """
    key = _IPV6 if ":" in address else SPELLINGS[spelling]
    document = yield from calls.get(path_of(address, spelling), tries)
    entry = document.get(key)
    if not isinstance(entry, dict):
        raise calls.Unavailable(f"the API's answer about {address} holds no {key}")
    if entry.get("ip") is not None and not is_same(entry["ip"], address):
        raise calls.Unavailable(f"the API's answer about {address} is about another address")
    reserved = _reserved_ip(entry, address)
    if reserved.droplet_id is None and reserved.visible and droplet_id is not None:
        return reserved._replace(visible=(yield from DROPLETS.may_see(droplet_id, tries)))
    return reserved


def path_of(address: str, spelling: str = "reserved_ips") -> str:
    """Where the API has an address: IPv6 has a place of its own."""
    return f"/v2/{_IPV6 if ':' in address else spelling}/{calls.escaped(address)}"


def is_same(found: Any, address: str) -> bool:
    """Whether what an answer has is an address; IPv6 may be written in more than one way."""
    if not isinstance(found, str) or ":" not in address:
        return bool(found == address)
    import ipaddress

    try:
        return ipaddress.IPv6Address(found) == ipaddress.IPv6Address(address)
    except ValueError:
        return False


def read_all(tries: int | None = None, spelling: str = "reserved_ips") -> Steps:
    """Lists the account's reserved IPs, all pages.

    Args:
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.
        spelling (str): `reserved_ips` (default), `floating_ips`, or `reserved_ipv6`.

    Returns:
        list[ReservedIP]
    """
    entries = yield from calls.pages(f"/v2/{spelling}", f"{_IPV6}s" if spelling == _IPV6 else spelling, tries)
    return [_reserved_ip(entry, text(entry.get("ip")) or "?") for entry in entries]


def _reserved_ip(entry: Mapping[str, Any], address: str) -> ReservedIP:
    """A reserved IP from an entry of the API's."""
    found = entry.get("droplet")
    if found is not None and not is_id(leaf(found, "id")):
        raise calls.Unavailable(f"the API's answer about {address} holds a droplet without an id")
    return ReservedIP(
        address=address,
        droplet_id=leaf(found, "id"),
        # An IPv6 address that nobody has may be shown without it, too.
        visible="droplet" in entry,
        locked=entry.get("locked") is True,
        region=text(leaf(entry, "region", "slug")) or text(entry.get("region_slug")),
    )


def assign(
    address: str,
    droplet_id: int,
    hint: Callable[[], bool | None] = lambda: None,
    elsewhere: bool = False,
    spelling: str = "reserved_ips",
    jitter: Callable[[], float] = random.random,
    replaces: str = "",
) -> Steps:
    """Makes a droplet the owner of an address, and returns when the API shows it as the owner.

    Asks first: the address may be there already. A 422 is no error by itself: the address, or the droplet, has a
    pending action, or has what it asks for; who owns the address is looked up again, and the assign is repeated. Where
    it is seen that no repetition will get through, that is told.

    Args:
        address (str): The reserved IP.
        droplet_id (int): The new owner.
        hint (callable): What the metadata service says about this droplet and address; True, False or None (unknown).
            Believed only when the token may not see the owner. Default: unknown.
        elsewhere (bool): The address is not at the droplet, and clients wait: the first call, which may take seconds,
            is the assign. Default False.
        spelling (str): `reserved_ips` (default) or `floating_ips`.
        jitter (callable): A number from 0 to 1; two nodes must not retry in step.
        replaces (str): Another reserved IP, which the droplet gives up where it holds that one. Default: none.

    Returns:
        ReservedIP: as last seen.
    """
    failures = refusals = 0
    while True:
        if not elsewhere:
            reserved = yield from read(address, droplet_id, spelling=spelling)
            if owns(reserved, droplet_id, hint):
                return reserved
            if reserved.locked:
                failures += 1
                yield Wait(calls.backoff(failures, jitter()), f"{address} has a pending action")
                continue
        elsewhere = False
        path = path_of(address, spelling)
        reply: Reply = yield Call("POST", f"{path}/actions", {"type": "assign", "droplet_id": droplet_id})
        if 200 <= reply.status < 300:
            reserved = yield from _settle(address, droplet_id, hint, spelling, _action_id(reply))
            if reserved:
                return reserved
            failures += 1
            yield Wait(calls.backoff(failures, jitter()), f"the assign of {address} was accepted and had no effect")
            continue
        calls.raise_final(reply)
        failures, refusals = failures + 1, refusals + 1 if reply.status == 422 else 0
        if refusals == 1 and replaces and (yield from _give_up(replaces, droplet_id, spelling)):
            continue
        if refusals == REFUSALS_TO_EXPLAIN:
            yield from _raise_lasting(address, droplet_id, spelling)
        yield Wait(calls.retry_delay(reply, failures, jitter()), f"assign of {address}: {calls.describe(reply)}")


def _give_up(address: str, droplet_id: int, spelling: str) -> Steps:
    """Takes an address away from a droplet; tells whether that was done. A pending action is waited for."""
    pause, asked = calls.FIRST_POLL, False
    while True:
        reserved = yield from read(address, droplet_id, spelling=spelling)
        if reserved.droplet_id != droplet_id:
            return asked
        if not (reserved.locked or asked):
            reply: Reply = yield Call("POST", f"{path_of(address, spelling)}/actions", {"type": "unassign"})
            calls.raise_final(reply)
            asked = 200 <= reply.status < 300
        yield Wait(pause, f"{address} is being unassigned from droplet {droplet_id}")
        pause = min(calls.LONGEST_POLL, pause * 2)


def _raise_lasting(address: str, droplet_id: int, spelling: str) -> Steps:
    """Raises for an assign that no retry will get through: another region, or a droplet with another reserved IP."""
    try:
        reserved = yield from read(address, tries=1, spelling=spelling)
        there = yield from DROPLETS.read(droplet_id, tries=1)
        found = yield from obstacles(reserved, droplet_id, there["region"], tries=1, spelling=spelling)
    except calls.APIError:
        return  # Unknown: the retries go on.
    if found:
        raise calls.Refused("; ".join(found))


def obstacles(
    reserved: ReservedIP,
    droplet_id: int,
    region: str | None,
    tries: int | None = None,
    spelling: str = "reserved_ips",
    replaces: str = "",
) -> Steps:
    """Why the API would never assign an address to a droplet, as far as its answers tell.

    Args:
        reserved (ReservedIP): The address.
        droplet_id (int): The droplet.
        region (str): The droplet's region; None where unknown.
        tries (int): How many requests may fail. Default None: as many as the time allows.
        spelling (str): `reserved_ips` (default) or `floating_ips`.
        replaces (str): Another reserved IP, which the droplet will give up. Default: none.

    Returns:
        list[str]: empty when nothing is known to be in the way.
    """
    if reserved.droplet_id == droplet_id:
        return []
    found = []
    if reserved.region and region and reserved.region != region:
        found.append(
            f"{reserved.address} belongs to the region {reserved.region}, and droplet {droplet_id} is in {region}:"
            f" DigitalOcean assigns an address within its region only. Reserve one in {region}"
        )
    kind = _IPV6 if ":" in reserved.address else spelling
    for other in (yield from read_all(tries, kind)):
        mine = is_same(other.address, reserved.address) or is_same(other.address, replaces)
        if other.droplet_id == droplet_id and not mine:
            found.append(
                f"droplet {droplet_id} holds {other.address}, and a droplet can hold one reserved"
                f" {'IPv6 address' if kind == _IPV6 else 'IP'}:"
                f" {reserved.address} cannot come here before that is given up. First let clients know the new address,"
                f" then set floating_ip:replaces to {other.address}: it is unassigned in the moment in which"
                f" {reserved.address} comes (docs/digitalocean.md)"
            )
    return found


def owns(reserved: ReservedIP, droplet_id: int, hint: Callable[[], bool | None]) -> bool:
    """Whether the droplet owns the address; the metadata service decides only where the API does not show an owner."""
    return reserved.droplet_id == droplet_id if reserved.visible else hint() is True


def _action_id(reply: Reply) -> int | None:
    found = leaf(decoded_object(reply.body), "action", "id")
    return found if is_id(found) else None


def _settle(
    address: str, droplet_id: int, hint: Callable[[], bool | None], spelling: str, action_id: int | None
) -> Steps:
    """Looks at the address until the droplet owns it; None when the assign ended without that."""
    pause, ended = calls.FIRST_POLL, 0
    while True:
        reserved = yield from read(address, droplet_id, spelling=spelling)
        if owns(reserved, droplet_id, hint):
            return reserved
        status = "" if reserved.locked else (yield from _action_status(address, action_id, spelling))
        if status == "errored":
            return None
        if status == "ended":
            if not reserved.visible and hint() is None:
                return reserved
            ended += 1
            if ended > SETTLE_POLLS:
                return None
        yield Wait(pause, f"{address} is being assigned to droplet {droplet_id}")
        pause = min(calls.LONGEST_POLL, pause * 2)


def _action_status(address: str, action_id: int | None, spelling: str) -> Steps:
    """`in-progress`, `errored`, `ended` (any other status), or "" when the API does not show the action.

    Those on an IPv6 address are among all actions alone, which a token may not see: one that takes long is then as one
    that has ended, and is asked for again.
    """
    unseen = "ended" if ":" in address else ""
    if action_id is None:
        return unseen
    place = "/v2" if ":" in address else path_of(address, spelling)
    reply: Reply = yield Call("GET", f"{place}/actions/{action_id}")
    action = (decoded_object(reply.body) or {}).get("action") if 200 <= reply.status < 300 else None
    if not isinstance(action, dict):
        return unseen
    status = action.get("status")
    return status if status in ("in-progress", "errored") else "ended"
