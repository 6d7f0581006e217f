"""More clients than an app server's nginx can take at the same time: they wait in HAProxy, and get their answers."""

import asyncio
import contextlib
import subprocess

import pytest

from support import edge
from support.place import requires_tools
from support.service import free_port

pytestmark = requires_tools("haproxy", "nginx")

WORKERS, CONNECTIONS, CLIENTS = 2, 32, 80
# limit_rate has nginx pause for a second before the second half.
NGINX = """
user root;
worker_processes {workers};
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        root {directory};
        location / {{ limit_rate 4k; }}
    }}
}}
"""
ASKED = b"GET /page HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n"
PAGE = "x" * 8192


@contextlib.contextmanager
def serving(directory):
    """nginx with few connections, whose every answer takes a second; yields (port, configuration as it prints it)."""
    port, path = free_port(), directory / "nginx.conf"
    (directory / "page").write_text(PAGE)
    directory.chmod(0o755)
    path.write_text(NGINX.format(workers=WORKERS, connections=CONNECTIONS, directory=directory, port=port))
    printed = subprocess.run(["nginx", "-T", "-c", path], capture_output=True, text=True, check=True).stdout
    with subprocess.Popen(["nginx", "-c", path, "-g", "daemon off;"]) as process:
        try:
            edge.await_port(port, process)
            yield port, printed
        finally:
            process.terminate()


async def _status(port):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASKED)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    except OSError as error:
        return str(error)
    return "cut" if answer[9:12] == b"200" and len(answer) < len(PAGE) else answer[9:12].decode()


def statuses(port, clients):
    """What so many clients at the same moment get: {status: count}."""

    async def ask():
        return await asyncio.gather(*(_status(port) for _ in range(clients)))

    found = asyncio.run(ask())
    return {status: found.count(status) for status in set(found)}


@pytest.mark.parametrize("has_queue", [True, False])
def test_more_clients_than_nginx_can_take_get_their_answers_by_the_queue(tmp_path, has_queue):
    with serving(tmp_path) as (port, printed):
        backends = {"app_pool": {"servers": [], "options": edge.pool(port, printed, **{"haproxy:queue": has_queue})}}
        with edge.running(tmp_path, {"haproxy:backends": backends}, []) as ports:
            found = statuses(ports["http"], CLIENTS)
    assert (list(found) == ["200"]) is has_queue, found
    assert has_queue or found["502"]


def test_who_waits_for_too_long_is_answered_503(tmp_path):
    """Not by an empty answer, as HAProxy 2.6.16 did (its issue 2404)."""
    with serving(tmp_path) as (port, printed):
        lines = [line.replace("queue 10s", "queue 200ms") for line in edge.pool(port, printed)]
        with edge.running(tmp_path, {"haproxy:backends": {"app_pool": {"servers": [], "options": lines}}}, []) as ports:
            found = statuses(ports["http"], CLIENTS)
    assert set(found) == {"200", "503"}
