#!/usr/bin/env python3
"""Ask a URL at a steady rate and record every answer; runs inside a host, with the standard library alone.

    probe.py ADDRESS PORT INTERVAL_MS [PATH]

Each request has a connection of its own and starts on schedule, whatever became of those before it. Until standard
input closes it prints one JSON line a request: start (seconds since the epoch), seconds taken, status (0 when there
was none), body or error, and what the header X-Balancer says. A request that takes more than a second has failed.
"""

import asyncio
import json
import sys
import time

TIMEOUT = 1.0
EPOCH = time.time() - time.monotonic()  # a clock that is set meanwhile is no gap


async def ask(address, port, path):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        host = f"[{address}]" if ":" in address else address
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        words = head.split(None, 2)
        status = int(words[1]) if len(words) > 1 else 0
        return status, body.decode("utf-8", "replace").strip(), header(head, b"x-balancer")
    finally:
        writer.close()


def header(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.decode("ascii", "replace").strip()
    return ""


async def record(address, port, path):
    clock = time.monotonic()
    start = EPOCH + clock
    status, text, balancer = 0, "", ""
    try:
        status, text, balancer = await asyncio.wait_for(ask(address, port, path), TIMEOUT)
        text = text if status else "closed without an answer"
    except asyncio.TimeoutError:
        text = f"no answer in {TIMEOUT:g} s"
    except (OSError, ValueError) as error:
        text = str(error)
    taken = time.monotonic() - clock
    sample = {"start": start, "taken": taken, "status": status, "text": text, "balancer": balancer}
    print(json.dumps(sample), flush=True)


async def main(address, port, interval_ms, path="/"):
    loop = asyncio.get_running_loop()
    closed = loop.run_in_executor(None, sys.stdin.read)
    tasks, due = set(), time.monotonic()
    while not closed.done():
        task = asyncio.create_task(record(address, int(port), path))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += int(interval_ms) / 1000
        await asyncio.wait([asyncio.ensure_future(closed)], timeout=max(0.0, due - time.monotonic()))
    # What is asked last shows the state in which the record ends, however short it was.
    await asyncio.gather(*tasks, record(address, int(port), path))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
