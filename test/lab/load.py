#!/usr/bin/env python3
"""Ask at a high, steady rate in several ways at once; runs inside a host, with the standard library alone.

    load.py ADDRESS ONCE KEPT TLS

ONCE requests per second with a connection each, KEPT over connections that are kept alive, and TLS by HTTPS on port 443
with a connection each. Until standard input closes; then prints one JSON object: for each way how many requests were
made, how long they took (median and 99th percentile, in seconds), and the first failures.

A request is never made again: whatever it meets but a 200 within three seconds is a failure. A kept connection that the
server has closed before a request is sent is opened anew, as every client does.
"""

import asyncio
import json
import ssl
import sys
import time

TIMEOUT = 3.0
TICK = 0.01


class Exchange(asyncio.Protocol):
    """One connection: sends a request when told, and tells when the answer is there."""

    def __init__(self):
        self.transport = self.waiting = None
        self.open, self.data = False, b""

    def connection_made(self, transport):
        self.transport, self.open = transport, True

    def data_received(self, data):
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        if found and self.waiting and not self.waiting.done():
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if lengths and len(body) >= int(lengths[0].split(b":")[1]):
                if b"\r\nconnection: close" in head.lower():
                    self.open = False
                self.waiting.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, error):
        self.open = False
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(ConnectionError(str(error or "closed without an answer")))

    async def ask(self, keep):
        self.data, self.waiting = b"", asyncio.get_running_loop().create_future()
        how = b"keep-alive" if keep else b"close"
        self.transport.write(b"GET / HTTP/1.1\r\nHost: load\r\nConnection: " + how + b"\r\n\r\n")
        return await self.waiting


class Way:
    """A way of asking, and what came of it."""

    def __init__(self, address, port, context=None):
        self.address, self.port, self.context = address, port, context
        self.taken, self.failures = [], []

    async def connect(self):
        loop = asyncio.get_running_loop()
        _, exchange = await loop.create_connection(Exchange, self.address, self.port, ssl=self.context)
        return exchange

    async def request(self, exchange=None):
        """One request, on a kept connection if there is one; what is found wrong is written down."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                own = exchange or await self.connect()
                status = await own.ask(keep=bool(exchange))
            if status != 200:
                self.failures.append([time.time(), f"status {status}"])
            if not exchange:
                own.transport.close()
        except (OSError, TimeoutError) as error:
            self.failures.append([time.time(), f"{type(error).__name__} {error}"])
        self.taken.append(time.monotonic() - began)

    def report(self):
        taken = sorted(self.taken)
        at = (lambda share: taken[min(len(taken) - 1, int(len(taken) * share))]) if taken else (lambda share: 0.0)
        return {"requests": len(taken), "median": at(0.5), "p99": at(0.99), "failed": len(self.failures),
                "failures": self.failures[:20]}


async def at_rate(way, rate, closed):
    """Starts ``rate`` requests per second on schedule, whatever became of those before them."""
    tasks, began, started = set(), time.monotonic(), 0
    while not closed.is_set():
        for _ in range(int((time.monotonic() - began) * rate) - started):
            task = asyncio.create_task(way.request())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            started += 1
        await asyncio.sleep(TICK)
    await asyncio.gather(*tasks)


async def kept(way, rate, closed):
    """One client that keeps its connection, with ``rate`` requests per second."""
    exchange, due = None, time.monotonic()
    while not closed.is_set():
        if not exchange or not exchange.open:
            try:
                exchange = await asyncio.wait_for(way.connect(), TIMEOUT)
            except (OSError, TimeoutError) as error:
                way.failures.append([time.time(), f"connect: {error}"])
                continue
        await way.request(exchange)
        due = max(due + 1 / rate, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def main(address, once, keep, tls):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    ways = {"once": Way(address, 80), "kept": Way(address, 80), "tls": Way(address, 443, context)}
    closed = asyncio.Event()
    clients = [kept(ways["kept"], 10, closed) for _ in range(keep // 10)]
    clients += [at_rate(ways["once"], once, closed), at_rate(ways["tls"], tls, closed)]
    running = asyncio.gather(*clients)
    await asyncio.sleep(0.5)
    print("running", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    closed.set()
    await running
    print(json.dumps({name: way.report() for name, way in ways.items()}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
