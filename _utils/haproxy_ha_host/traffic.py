"""A client that asks a URL at a steady rate and records each answer: what a drill is measured by."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
import urllib.parse
from collections.abc import Coroutine
from typing import Any

from salt.exceptions import SaltInvocationError

from haproxy_ha_lib.drill.trial import Sample

TIMEOUT = 1.0
"""Seconds after which a request has failed."""
_LONGEST = 600.0
_SHORTEST_INTERVAL = 0.005


def record(url: str, seconds: float, interval: float, verify: bool = True) -> list[Sample]:
    """
    Ask for ``seconds``, every ``interval`` seconds, each time on a connection of its own and on schedule, whatever
    became of those before it.

    verify : ``True``
        False: a certificate is not checked.

    Returns the requests in the order in which they began. SaltInvocationError for arguments that make no sense.
    """
    place = _Place.of(url, verify)
    if not (isinstance(seconds, (int, float)) and 0 < seconds <= _LONGEST):
        raise SaltInvocationError(f"seconds: found {seconds!r}, allowed: more than 0, at most {_LONGEST:g}")
    if not (isinstance(interval, (int, float)) and _SHORTEST_INTERVAL <= interval <= seconds):
        raise SaltInvocationError(f"interval: found {interval!r}, allowed: {_SHORTEST_INTERVAL:g} to {seconds:g}")
    return asyncio.run(_record(place, seconds, interval))


class _Place:
    """Where a URL leads."""

    def __init__(self, parts: urllib.parse.SplitResult, port: int | None, context: ssl.SSLContext | None) -> None:
        self.host, self.port, self.context = parts.hostname or "", port or (443 if context else 80), context
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self.request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()

    @classmethod
    def of(cls, url: str, verify: bool) -> _Place:
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except (ValueError, AttributeError):
            parts, port = urllib.parse.urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            shown = re.sub(r"//.*@", "//***@", str(url))
            raise SaltInvocationError(f"url: found {shown!r}, allowed: http://host/path or https://host/path")
        return cls(parts, port, _context(verify)) if parts.scheme == "https" else cls(parts, port, None)

    async def ask(self) -> int:
        """The status of an answer; 0 for a connection that is closed without one."""
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.context)
        try:
            writer.write(self.request)
            words = (await reader.read()).split(None, 2)
            return int(words[1]) if len(words) > 1 else 0
        finally:
            writer.close()


def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _record(place: _Place, seconds: float, interval: float) -> list[Sample]:
    tasks: list[asyncio.Task[Sample]] = []
    begin = time.monotonic()
    while (due := begin + len(tasks) * interval) < begin + seconds:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(_sample(place.ask())))
    return [await task for task in tasks]


async def _sample(asked: Coroutine[Any, Any, int]) -> Sample:
    start, clock, status = time.time(), time.monotonic(), 0
    with contextlib.suppress(OSError, ValueError, asyncio.TimeoutError):
        status = await asyncio.wait_for(asked, TIMEOUT)
    return Sample(start, time.monotonic() - clock, status)
