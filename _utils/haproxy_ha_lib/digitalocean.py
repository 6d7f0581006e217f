"""The rules of DigitalOcean's API, without I/O: who owns a reserved IP, how it is assigned, what is retried.

A procedure is a generator: it yields what it needs next (a `Call` to make, a `Wait` to sleep) and is sent the `Reply`.
`drive` runs one with a caller's own way to send, so the execution module (requests) and the OCF agents (http.client,
this very file installed beside them) follow one set of rules. Standard library only, and importable alone.

Sources: DigitalOcean's OpenAPI specification (reserved_ips, actions, rate limits) and its metadata documentation.
What they leave out was seen by others: an action's status may be `done`, polling an action may answer 404 for ever, an
assign may answer 422 for the owner that the address already has. So the address's owner is the truth, an action a hint.

What comes back is input: whatever its shape, it is understood or it is no answer. Senders read `MOST_BYTES` at most.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple

SPELLINGS = {"reserved_ips": "reserved_ip", "floating_ips": "floating_ip"}

# Seconds between two looks at an address that is being assigned, and between two tries after a failure.
FIRST_POLL, LONGEST_POLL = 0.05, 1.0
FIRST_RETRY, LONGEST_RETRY = 0.2, 5.0
# How long an assign that is said to be completed may take to show in the address.
SETTLE_POLLS = 8
# Seconds after which a power action is asked for anew.
LONGEST_POWER_CHANGE = 30.0
# Seconds below which a try is not worth making: its failure would hide the reason of the one before.
SHORTEST_TRY = 0.05
# An answer that is longer is none: a page of 200 droplets has about 2 MB.
MOST_BYTES = 8 * 1024 * 1024
# Droplets or addresses are read in so many pages of 200 at most.
MOST_PAGES = 50
# Refusals in a row after which it is looked up whether one of them can ever end.
REFUSALS_TO_EXPLAIN = 2
# Beyond every droplet's id: what is asked of it harms nobody.
NO_DROPLET = 2**53 - 1


class Call(NamedTuple):
    """A request to the API: method, path below the API's URL, and the body as an object."""

    method: str
    path: str
    body: dict | None = None


class Wait(NamedTuple):
    """A pause in seconds, and what it waits for."""

    seconds: float
    why: str


class Reply(NamedTuple):
    """What came back: status 0 with a `failure` when there was no complete HTTP answer. Header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    failure: str = ""


class ReservedIP(NamedTuple):
    """A reserved IP as the API shows it.

    `droplet_id` is None for an address that nobody owns. `visible` is False when the token may not see the owner: the
    API then leaves the droplet out, or answers null as it does for an address without an owner.
    """

    address: str
    droplet_id: int | None
    visible: bool
    locked: bool
    region: str | None = None


class APIError(Exception):
    """The API did not do, or did not say, what was asked. The text names the reason, never the token."""


class Unavailable(APIError):
    """No usable answer in the time there was: nothing is known."""


class TokenRefused(APIError):
    """The token is not accepted (401), or lacks a scope (403)."""


class NotFound(APIError):
    """The API does not know the address or droplet: wrong, or of another account (404)."""


class Refused(APIError):
    """The API understood, and will not do it."""


Steps = Generator["Call | Wait", "Reply | None", Any]


def drive(
    steps: Steps,
    send: Callable[[Call, float], Reply],
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Any:
    """Runs a procedure until it returns, or the time is up.

    Args:
        steps (generator): `read_reserved_ip(...)`, `assign(...)`, ...
        send (callable): Call and timeout in seconds -> Reply; must not raise for a failed request.
        deadline (float): When to give up, by `clock`.
        clock (callable): Monotonic seconds.
        sleep (callable): Sleeps so many seconds.

    Returns:
        What the procedure returns.

    Raises:
        Unavailable: The time was up; the text says what was waited for.
        APIError: What the procedure raises.
    """
    reply, waited_for = None, "the API"
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            return end.value
        left = deadline - clock()
        if isinstance(step, Wait):
            waited_for = step.why
            if step.seconds >= left:
                raise Unavailable(f"{waited_for}; no time is left")
            sleep(step.seconds)
            reply = None
        else:
            if left < SHORTEST_TRY:
                raise Unavailable(f"{waited_for}; no time is left")
            # One silent connection must leave time for a second try.
            reply = send(step, min(10.0, max(left / 3, min(left, 1.0))))


def read_reserved_ip(
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
    document = yield from _get(f"/v2/{spelling}/{_escaped(address)}", tries)
    entry = document.get(SPELLINGS[spelling])
    if not isinstance(entry, dict):
        raise Unavailable(f"the API's answer about {address} holds no {SPELLINGS[spelling]}")
    if entry.get("ip") not in (None, address):
        raise Unavailable(f"the API's answer about {address} is about another address")
    reserved = _reserved_ip(entry, address)
    if reserved.droplet_id is None and reserved.visible and droplet_id is not None:
        return reserved._replace(visible=(yield from _may_see(droplet_id, tries)))
    return reserved


def reserved_ips(tries: int | None = None, spelling: str = "reserved_ips") -> Steps:
    """Lists the account's reserved IPs, all pages.

    Args:
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.
        spelling (str): `reserved_ips` (default) or `floating_ips`.

    Returns:
        list[ReservedIP]
    """
    entries = yield from _pages(f"/v2/{spelling}", spelling, tries)
    return [_reserved_ip(entry, text(entry.get("ip")) or "?") for entry in entries]


def _reserved_ip(entry: Mapping[str, Any], address: str) -> ReservedIP:
    """A reserved IP from an entry of the API's."""
    found = entry.get("droplet")
    if found is not None and not is_id(leaf(found, "id")):
        raise Unavailable(f"the API's answer about {address} holds a droplet without an id")
    return ReservedIP(
        address=address,
        droplet_id=leaf(found, "id"),
        visible="droplet" in entry,
        locked=entry.get("locked") is True,
        region=text(leaf(entry, "region", "slug")),
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
            reserved = yield from read_reserved_ip(address, droplet_id, spelling=spelling)
            if owns(reserved, droplet_id, hint):
                return reserved
            if reserved.locked:
                failures += 1
                yield Wait(backoff(failures, jitter()), f"{address} has a pending action")
                continue
        elsewhere = False
        path = f"/v2/{spelling}/{_escaped(address)}/actions"
        reply = yield Call("POST", path, {"type": "assign", "droplet_id": droplet_id})
        if 200 <= reply.status < 300:
            reserved = yield from _settle(address, droplet_id, hint, spelling, _action_id(reply))
            if reserved:
                return reserved
            failures += 1
            yield Wait(backoff(failures, jitter()), f"the assign of {address} was accepted and had no effect")
            continue
        _raise_final(reply)
        failures, refusals = failures + 1, refusals + 1 if reply.status == 422 else 0
        if refusals == 1 and replaces and (yield from _give_up(replaces, droplet_id, spelling)):
            continue
        if refusals == REFUSALS_TO_EXPLAIN:
            yield from _raise_lasting(address, droplet_id, spelling)
        yield Wait(retry_delay(reply, failures, jitter()), f"assign of {address}: {describe(reply)}")


def _give_up(address: str, droplet_id: int, spelling: str) -> Steps:
    """Takes an address away from a droplet; tells whether that was done. A pending action is waited for."""
    pause, asked = FIRST_POLL, False
    while True:
        reserved = yield from read_reserved_ip(address, droplet_id, spelling=spelling)
        if reserved.droplet_id != droplet_id:
            return asked
        if not (reserved.locked or asked):
            reply = yield Call("POST", f"/v2/{spelling}/{_escaped(address)}/actions", {"type": "unassign"})
            _raise_final(reply)
            asked = 200 <= reply.status < 300
        yield Wait(pause, f"{address} is being unassigned from droplet {droplet_id}")
        pause = min(LONGEST_POLL, pause * 2)


def _raise_lasting(address: str, droplet_id: int, spelling: str) -> Steps:
    """Raises for an assign that no retry will get through: another region, or a droplet with another reserved IP."""
    try:
        reserved = yield from read_reserved_ip(address, tries=1, spelling=spelling)
        there = yield from droplet(droplet_id, tries=1)
        found = yield from obstacles(reserved, droplet_id, there["region"], tries=1, spelling=spelling)
    except APIError:
        return  # Unknown: the retries go on.
    if found:
        raise Refused("; ".join(found))


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
            " DigitalOcean assigns an address within its region only"
        )
    for other in (yield from reserved_ips(tries, spelling)):
        if other.droplet_id == droplet_id and other.address not in (reserved.address, replaces):
            found.append(
                f"droplet {droplet_id} holds {other.address}, and a droplet can hold one reserved IP:"
                f" {reserved.address} cannot come here before that is given up. First let clients know the new address,"
                f" then set floating_ip:replaces to {other.address}: it is unassigned in the moment in which"
                f" {reserved.address} comes (docs/digitalocean.md)"
            )
    return found


def droplets(name: str | None = None, tag: str | None = None, tries: int | None = None) -> Steps:
    """Lists the account's droplets, all pages.

    Args:
        name (str): Only those with exactly this name. Default: all.
        tag (str): Only those with this tag. Default: all. The API takes one of the two.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        list[dict]: `id`, `name`, `status`, `region`, `tags`, `public_ip`, `private_ip`.
    """
    query = f"&tag_name={_escaped(tag)}" if tag else f"&name={_escaped(name)}" if name else ""
    entries = yield from _pages("/v2/droplets", "droplets", tries, query)
    found = [droplet_summary(entry) for entry in entries]
    return [entry for entry in found if name in (None, entry["name"])]


def droplet(droplet_id: int, tries: int | None = None) -> Steps:
    """Reads one droplet.

    Args:
        droplet_id (int): Its id.
        tries (int): How many requests may fail. Default None: as many as the time allows.

    Returns:
        dict: as in `droplets`.
    """
    document = yield from _get(f"/v2/droplets/{int(droplet_id)}", tries)
    found = document.get("droplet")
    if not isinstance(found, dict) or found.get("id") != droplet_id:
        raise Unavailable(f"the API's answer about droplet {droplet_id} is not about it")
    return droplet_summary(found)


def find_droplet(plug: str, tries: int | None = None) -> Steps:
    """Reads the one droplet that a name or an id stands for.

    Args:
        plug (str): The whole name, or the id in digits.
        tries (int): How many requests may fail in a row. Default None: as many as the time allows.

    Returns:
        dict: as in `droplets`.

    Raises:
        NotFound: No droplet, or more than one: DigitalOcean lets several have one name.
    """
    if identifier := number(plug):
        return (yield from droplet(identifier, tries))
    found = yield from droplets(plug, tries=tries)
    if len(found) != 1:
        raise NotFound(f"{len(found)} droplets have the name {plug!r}, one is needed")
    return found[0]


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
        dict: node -> its droplet as in `droplets`, as far as found).
    """
    problems, found = [], {}
    for node, plug in nodes.items():
        try:
            found[node] = yield from find_droplet(plug, tries)
        except NotFound as error:
            problems.append(f"node {node} cannot be fenced: {error}")
    shared = sorted(node for node in found if [one["id"] for one in found.values()].count(found[node]["id"]) > 1)
    if shared:
        problems.append(f"the nodes {', '.join(shared)} are said to be one and the same droplet")
    reply = yield Call("POST", f"/v2/droplets/{NO_DROPLET}/actions", {"type": "power_on"})
    unknown = ""
    if reply.status in (401, 403):
        problems.append(f"no node can be fenced: the token may not switch droplets (droplet:update): {describe(reply)}")
    elif reply.status not in (404, 422):
        unknown = f"whether the token may switch droplets (droplet:update) is unknown: {describe(reply)}"
    return problems, unknown, found


def set_power(droplet_id: int, status: str, jitter: Callable[[], float] = random.random) -> Steps:
    """Powers a droplet off or on, and returns when the API shows that status: an action is only a hint here too.

    Args:
        droplet_id (int): The droplet.
        status (str): `off` (without a shutdown, as fencing needs it) or `active`.
        jitter (callable): A number from 0 to 1; two nodes must not retry in step.

    Returns:
        dict: the droplet, as in `droplets`.
    """
    action, failures = {"off": "power_off", "active": "power_on"}[status], 0
    while True:
        found = yield from droplet(droplet_id)
        if found["status"] == status:
            return found
        reply = yield Call("POST", f"/v2/droplets/{int(droplet_id)}/actions", {"type": action})
        if 200 <= reply.status < 300:
            found = yield from _settle_power(droplet_id, status)
            if found:
                return found
            failures += 1
            yield Wait(backoff(failures, jitter()), f"the {action} of droplet {droplet_id} had no effect")
            continue
        _raise_final(reply)
        failures += 1
        yield Wait(retry_delay(reply, failures, jitter()), f"{action} of droplet {droplet_id}: {describe(reply)}")


def _settle_power(droplet_id: int, status: str) -> Steps:
    """Looks at a droplet until it has the status; None after half a minute, when the action must have been lost."""
    pause, waited = FIRST_POLL, 0.0
    while waited < LONGEST_POWER_CHANGE:
        found = yield from droplet(droplet_id)
        if found["status"] == status:
            return found
        yield Wait(pause, f"droplet {droplet_id} is {found['status']}, and is to be {status}")
        waited += pause
        pause = min(LONGEST_POLL, pause * 2)
    return None


def droplet_summary(entry: Mapping[str, Any]) -> dict:
    """The part of a droplet, as the API shows it, that matters here."""
    if not is_id(leaf(entry, "id")):
        raise Unavailable("the API's answer holds a droplet without an id")
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


def owns(reserved: ReservedIP, droplet_id: int, hint: Callable[[], bool | None]) -> bool:
    """Whether the droplet owns the address; the metadata service decides only where the API does not show an owner."""
    return reserved.droplet_id == droplet_id if reserved.visible else hint() is True


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, half of it left to chance (0 to 1)."""
    return min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(failures - 1, 10)) * (0.5 + jitter / 2)


def retry_delay(reply: Reply, failures: int, jitter: float) -> float:
    """Seconds until a failed call may be repeated: what the API asks for, else `backoff`.

    A burst answers 429 with `retry-after`. Without it the hour's limit is used up, and `ratelimit-reset` is the time at
    which the oldest request expires: one slot is free then, which is all that a retry needs.
    """
    if reply.status == 429 or reply.status == 503:
        after = reply.headers.get("retry-after", "").strip()
        if after.isascii() and after.isdigit():
            # Zero seconds would repeat the call without a pause until the deadline.
            return float(after) or backoff(failures, jitter)
    return backoff(failures, jitter)


def describe(reply: Reply) -> str:
    """A reply in one short line, for people; holds nothing of the request."""
    if reply.failure:
        return reply.failure
    error = _object(reply.body) or {}
    words = [text(" ".join(word.split())) for word in (error.get("id"), error.get("message")) if isinstance(word, str)]
    said = ": ".join(filter(None, words)) or ("no JSON" if reply.body else "no body")
    return f"HTTP {reply.status}, {said[:160]}"


def with_clock(failure: str, now: float) -> str:
    """Why a call failed, with the time that this machine has where a certificate's dates do not fit: its clock may be
    wrong.

    Args:
        failure (str): As OpenSSL says it.
        now (float): This machine's time, in seconds since 1970.

    Returns:
        str: The failure in one line.
    """
    if "not yet valid" in failure or "has expired" in failure:
        return f"{failure}; by this machine's clock it is {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now))} UTC"
    return failure


def normalise_metadata(document: Any) -> dict:
    """The metadata document (`/metadata/v1.json`) with one name for each fact.

    Args:
        document (dict): The decoded JSON; a list of one, as the documentation's sample has it, is accepted.

    Returns:
        dict: `droplet_id`, `hostname`, `region`, `public_ip`, `private_ip`, `anchor_ip` (each None where absent) and
        `reserved_ip` {`active`, `ip`}.

    Raises:
        ValueError: It is no metadata document.
    """
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not is_id(leaf(document, "droplet_id")):
        raise ValueError("no droplet_id in the metadata")
    public, private = (leaf(document, "interfaces", kind, 0) for kind in ("public", "private"))
    reserved: Any = {}
    for key in ("floating_ip", "reserved_ip"):
        entry = leaf(document, key, "ipv4")
        if isinstance(entry, dict) and (entry.get("active") is True or not reserved):
            reserved = entry
    return {
        "droplet_id": document["droplet_id"],
        "hostname": text(document.get("hostname")),
        "region": text(document.get("region")),
        "public_ip": text(leaf(public, "ipv4", "ip_address")),
        "private_ip": text(leaf(private, "ipv4", "ip_address")),
        "anchor_ip": text(leaf(public, "anchor_ipv4", "ip_address")),
        "reserved_ip": {"active": reserved.get("active") is True, "ip": text(reserved.get("ip_address"))},
    }


def decoded(body: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        ValueError: It is no JSON, or none that can be read: nested beyond Python's limit, a number of 5,000 digits.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def leaf(document: Any, *path: str | int) -> Any:
    """What is at a path in decoded JSON; None where it does not lead."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def text(value: Any) -> str | None:
    """A text that may be shown and compared: what cannot be printed becomes a question mark. None for no text."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(character if character.isprintable() else "?" for character in value[:1000])


def is_id(value: Any) -> bool:
    """Whether decoded JSON is an id: True is none, and neither is 10 to the 400th."""
    return type(value) is int and 0 < value < 2**63


def number(digits: str) -> int | None:
    """An id in ASCII digits; None for any other text."""
    found = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    return found if is_id(found) else None


def token_problem(text: str) -> str:
    """What is wrong with a token, without showing it; "" for nothing. An odd one must not reach an HTTP header."""
    if not text:
        return "is empty"
    if not (text.isascii() and text.isprintable()) or any(character.isspace() for character in text):
        return "holds white space or characters that no token has"
    return ""


def _escaped(word: str) -> str:
    """A word as a part of a path or a query."""
    from urllib.parse import quote

    return quote(word, safe="", errors="replace")


def _object(body: bytes) -> dict | None:
    try:
        document = decoded(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _raise_final(reply: Reply) -> None:
    """Raises for a reply that no retry can mend."""
    if reply.status in (401, 403):
        raise TokenRefused(f"the API refuses the token: {describe(reply)}")
    if reply.status == 404:
        raise NotFound(f"the API does not know it: {describe(reply)}")
    if 300 <= reply.status < 500 and reply.status not in (408, 409, 412, 422, 423, 425, 429):
        raise Refused(f"the API refuses: {describe(reply)}")


def _get(path: str, tries: int | None = None) -> Steps:
    failures = 0
    while True:
        reply = yield Call("GET", path)
        document = _object(reply.body) if 200 <= reply.status < 300 else None
        if document is not None:
            return document
        _raise_final(reply)
        failures += 1
        if tries is not None and failures >= tries:
            raise Unavailable(describe(reply))
        yield Wait(retry_delay(reply, failures, random.random()), f"GET {path}: {describe(reply)}")


def _pages(path: str, key: str, tries: int | None, query: str = "") -> Steps:
    """The entries of a list, of all pages."""
    found: list[dict] = []
    for page in range(1, MOST_PAGES + 1):
        document = yield from _get(f"{path}?page={page}&per_page=200{query}", tries)
        entries = document.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unavailable(f"the API's answer holds no list of {key}")
        found += entries
        if not leaf(document, "links", "pages", "next"):
            return found
    raise Unavailable(f"the API has more than {MOST_PAGES} pages of {key}")


def _may_see(droplet_id: int, tries: int | None) -> Steps:
    try:
        yield from _get(f"/v2/droplets/{droplet_id}", tries)
    except TokenRefused:
        return False
    except NotFound:
        return True
    return True


def _action_id(reply: Reply) -> int | None:
    found = leaf(_object(reply.body), "action", "id")
    return found if is_id(found) else None


def _settle(
    address: str, droplet_id: int, hint: Callable[[], bool | None], spelling: str, action_id: int | None
) -> Steps:
    """Looks at the address until the droplet owns it; None when the assign ended without that."""
    pause, ended = FIRST_POLL, 0
    while True:
        reserved = yield from read_reserved_ip(address, droplet_id, spelling=spelling)
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
        pause = min(LONGEST_POLL, pause * 2)


def _action_status(address: str, action_id: int | None, spelling: str) -> Steps:
    """`in-progress`, `errored`, `ended` (any other status), or "" when the API does not show the action."""
    if action_id is None:
        return ""
    reply = yield Call("GET", f"/v2/{spelling}/{_escaped(address)}/actions/{action_id}")
    action = (_object(reply.body) or {}).get("action") if 200 <= reply.status < 300 else None
    if not isinstance(action, dict):
        return ""
    status = action.get("status")
    return status if status in ("in-progress", "errored") else "ended"
