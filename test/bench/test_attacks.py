"""
What honest clients get while a server is attacked: HAProxy by the formula's configuration, nginx as Debian has it (two
workers of 768 connections) before an application. As a site of an earlier release has it (before), as a new one has it
(after), with a queue before nginx, with a limit for each source, and with both. `make bench` shows the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bench.attack import ATTACKS
from support import edge
from support.certificates import self_signed
from support.place import in_container, requires_tools
from support.service import free_port

pytestmark = [
    requires_tools("haproxy", "nginx", "openssl"),
    pytest.mark.skipif(not in_container(), reason="1,600 connections: runs in the container that has the daemons"),
]
RATE, SECONDS = 200, 20
HONEST = "127.0.0.2"  # the attack is from 127.0.0.1
BEFORE = {"haproxy:trust_forwarded_from": "any", "haproxy:body_timeout": 0, "haproxy:maxconn": 0}
AFTER = {"haproxy:maxconn": 9000}  # of a machine with 1 GB
LIMITED = {**AFTER, "haproxy:limit_per_source": 200}
SITES = {"before": BEFORE, "after": AFTER, "with a queue": AFTER, "with a limit": LIMITED, "with both": LIMITED}
NGINX = """\
pid {directory}/pid; error_log {directory}/error; worker_processes 2; user root;
events {{ worker_connections 768; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port}; client_max_body_size 9m; root {directory};
    location = /large {{ }} location / {{ proxy_pass http://127.0.0.1:{application}; proxy_http_version 1.1; }} }} }}
"""
LARGE = 4_000_000  # a file that nginx has


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An application: a word, at once or after five seconds."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        if b" /poll " in head:
            await asyncio.sleep(5)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    writer.close()


@pytest.fixture(scope="module", autouse=True)
def many_files():
    """As many files as the system allows, here and in what is started from here."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module")
def application():
    """The port of the application."""
    loop, port = asyncio.new_event_loop(), free_port()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", port, backlog=2048))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    yield port
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def nginx(application, tmp_path):
    """The port of an nginx that nothing has happened to."""
    port, conf = free_port(), tmp_path / "nginx.conf"
    conf.write_text(NGINX.format(directory=tmp_path, port=port, application=application))
    (tmp_path / "large").write_bytes(bytes(LARGE))
    with subprocess.Popen(["nginx", "-c", conf, "-g", "daemon off;"], stderr=subprocess.DEVNULL) as process:
        edge.await_port(port, process)
        yield port
        process.terminate()


async def ask(port: int, path: str, timeout: float) -> tuple[int | str, float]:
    """The status of a request, or what stopped it, and its seconds."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, local_addr=(HONEST, 0)), timeout
        )
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), timeout)
        writer.close()
        status: int | str = int(line.split()[1]) if line else "closed"
    except (OSError, TimeoutError, asyncio.TimeoutError, IndexError, ValueError) as error:
        status = type(error).__name__
    return status, time.monotonic() - began


async def honest(port: int) -> dict:
    """Requests at a steady rate for a while, and long polls beside them."""
    polls = [asyncio.create_task(ask(port, "/poll", 20)) for _ in range(20)]
    began, asked = time.monotonic(), []
    while time.monotonic() - began < SECONDS:
        asked.append(asyncio.create_task(ask(port, "/", 5)))
        await asyncio.sleep(max(0, began + len(asked) / RATE - time.monotonic()))
    answers = [await one for one in asked]
    taken = sorted(seconds for _, seconds in answers)
    failed = [status if status != 200 else "late" for status, seconds in answers if status != 200 or seconds > 1]
    return {
        "requests": len(answers), "failed": len(failed), "failures": sorted({str(status) for status in failed}),
        "p50": round(statistics.median(taken), 4), "p99": round(taken[int(len(taken) * 0.99)], 4),
        "polls_failed": len([status for status, _ in await asyncio.gather(*polls) if status != 200]),
    }  # fmt: skip


def memory(pid: int) -> float:
    """What a process has in memory, in MB (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)


def changes(site: str, port: int, directory: Path) -> dict:
    """What a site has in pillar; its servers with a queue are those that the formula makes of what nginx prints."""
    if site not in ("with a queue", "with both"):
        return SITES[site]
    nginx = ["nginx", "-T", "-c", directory / "nginx.conf"]
    printed = subprocess.run(nginx, capture_output=True, text=True, check=True).stdout
    return {**SITES[site], "haproxy:backends": {"app_pool": {"servers": [], "options": edge.pool(port, printed)}}}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", ATTACKS)
def test_honest_clients_are_served_during(name, site, nginx, tmp_path, capsys):
    pem = tmp_path / "pem"
    pem.write_text("".join(path.read_text() for path in self_signed(tmp_path, "x")))
    with edge.running(tmp_path, changes(site, nginx, tmp_path), [nginx], pem) as ports:
        command = [sys.executable, "-m", "bench.attack", name, str(ports["http"]), str(ports["https"])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="test") as attack:
            assert attack.stdout.readline() == "ready\n"
            found = asyncio.run(honest(ports["http"]))
            found |= {"attack": name, "site": site, "memory_mb": memory(ports["pid"])}
            found |= json.loads(attack.communicate()[0])
    with capsys.disabled():
        print("\n ", line(found))
    if site != "before" and name not in BY_SOURCE or "haproxy:limit_per_source" in SITES[site]:
        assert found["failed"] == 0 and found["p99"] < 1 and found["polls_failed"] == 0


def line(found: dict) -> str:
    """The figures of one attack on one site."""
    return (
        f"{found['attack']:18} {found['site']:13} p99 {found['p99'] * 1000:7.1f} ms, {found['failed']:5} of "
        f"{found['requests']} failed ({', '.join(found['failures'])}), {found['polls_failed']} of 20 polls, "
        f"{found['open']} connections of the attack open, {found['memory_mb']} MB"
    )


# Whoever sends much at once, or reads what he has asked for, is told from others by their number alone.
BY_SOURCE = {"slow large bodies", "slow readers", "reset streams", "unread streams"}

