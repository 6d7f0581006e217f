"""Calls to the API: how a procedure is run, what is retried and when, which answers are final, failures in words."""

from __future__ import annotations

import random
import time
from collections import namedtuple
from collections.abc import Callable, Generator, Mapping

from haproxy_ha_lib.cloud.answers import decoded_object, leaf, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Steps = Generator["Call | Wait", Any, Any]
    """A procedure; a Reply answers its Call, None its Wait."""

# Seconds between two looks at an address that is being assigned, and between two tries after a failure.
FIRST_POLL, LONGEST_POLL = 0.05, 1.0
FIRST_RETRY, LONGEST_RETRY = 0.2, 5.0
# Seconds below which a try is not worth making: its failure would hide the reason of the one before.
SHORTEST_TRY = 0.05
# An answer that is longer is none: a page of 200 droplets has about 2 MB.
MOST_BYTES = 8 * 1024 * 1024
# Droplets or addresses are read in so many pages of 200 at most.
MOST_PAGES = 50


class Call(namedtuple("Call", "method path body", defaults=(None,))):
    """A request to the API: method, path below the API's URL, and the body as an object."""

    __slots__ = ()
    method: str
    path: str
    body: dict[str, Any] | None


class Wait(namedtuple("Wait", "seconds why")):
    """A pause in seconds, and what it waits for."""

    __slots__ = ()
    seconds: float
    why: str


class Reply(namedtuple("Reply", "status headers body failure", defaults=("",))):
    """What came back: status 0 with a `failure` when there was no complete HTTP answer. Header names in lower case."""

    __slots__ = ()
    status: int
    headers: Mapping[str, str]
    body: bytes
    failure: str


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


def drive(
    steps: Steps,
    send: Callable[[Call, float], Reply],
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Any:
    """Runs a procedure until it returns, or the time is up.

    Args:
        steps (generator): `reserved.read(...)`, `reserved.assign(...)`, ...
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


def get(path: str, tries: int | None = None) -> Steps:
    failures = 0
    while True:
        reply: Reply = yield Call("GET", path)
        document = decoded_object(reply.body) if 200 <= reply.status < 300 else None
        if document is not None:
            return document
        raise_final(reply)
        failures += 1
        if tries is not None and failures >= tries:
            raise Unavailable(describe(reply))
        yield Wait(retry_delay(reply, failures, random.random()), f"GET {path}: {describe(reply)}")


def pages(path: str, key: str, tries: int | None, query: str = "") -> Steps:
    """The entries of a list, of all pages."""
    found: list[dict[str, Any]] = []
    for page in range(1, MOST_PAGES + 1):
        document = yield from get(f"{path}?page={page}&per_page=200{query}", tries)
        entries = document.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unavailable(f"the API's answer holds no list of {key}")
        found += entries
        if not leaf(document, "links", "pages", "next"):
            return found
    raise Unavailable(f"the API has more than {MOST_PAGES} pages of {key}")


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, half of it left to chance (0 to 1)."""
    return min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures - 1, 10)) * (0.5 + jitter / 2)


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


def raise_final(reply: Reply) -> None:
    """Raises for a reply that no retry can mend."""
    if reply.status in (401, 403):
        raise TokenRefused(f"the API refuses the token: {describe(reply)}")
    if reply.status == 404:
        raise NotFound(f"the API does not know it: {describe(reply)}")
    if 300 <= reply.status < 500 and reply.status not in (408, 409, 412, 422, 423, 425, 429):
        raise Refused(f"the API refuses: {describe(reply)}")


def describe(reply: Reply) -> str:
    """A reply in one short line, for people; holds nothing of the request."""
    if reply.failure:
        return reply.failure
    document = decoded_object(reply.body) or {}
    # Hetzner's errors are one level deeper, and have a code.
    error = document["error"] if isinstance(document.get("error"), dict) else document
    found = (error.get("id"), error.get("code"), error.get("message"))
    words = [text(" ".join(word.split())) for word in found if isinstance(word, str)]
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


def escaped(word: str) -> str:
    """A word as a part of a path or a query; the colons of an IPv6 address stay."""
    from urllib.parse import quote

    return quote(word, safe=":", errors="replace")


def file_problem(owner: int, mode: int, me: int = 0) -> str:
    """What is wrong with the rights of a token's file, whose user ``me`` is; "" for nothing."""
    if owner not in (0, me):
        return f"belongs to the user {owner}, who may change it"
    return f"has mode {mode:04o}, others than root may use it" if mode & 0o077 else ""


def token_problem(text: str) -> str:
    """What is wrong with a token, without showing it; "" for nothing. An odd one must not reach an HTTP header."""
    if not text:
        return "is empty"
    if not (text.isascii() and text.isprintable()) or any(character.isspace() for character in text):
        return "holds white space or characters that no token has"
    return ""
