"""The formula's haproxy.cfg before servers of a test's own, on ports of loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings import build
from support import pillars
from support.pillars import DEFAULTS, changed
from support.service import free_port


def configuration(changes: dict, **sources) -> str:
    """haproxy.cfg of the minion ``primary`` by pillar.example with changes, without what a whole machine has."""
    built = build.settings(changed(changes), "primary", DEFAULTS, **sources)
    assert built.errors == []
    text = ""
    for section in cfg.model(built):
        origin = section["from"] and f"from {section['from']}"
        title = " ".join(filter(None, [section["type"], section["name"], origin]))
        lines = [line for line in section["lines"] if not line.startswith(("errorfile", "log "))]
        text += "\n".join([title, *(f"    {line}" for line in lines), ""])
    return text


@contextlib.contextmanager
def running(directory: Path, changes: dict, servers: list[int], pem: Path | None = None) -> Iterator[dict[str, int]]:
    """
    HAProxy with the frontend ``http`` of pillar.example and ``changes``, before servers on these ports. Yields its
    ports: ``http``, and with a certificate ``https``; and its process: ``pid``.
    """
    ports = {"http": free_port(), **({"https": free_port()} if pem else {})}
    own = {
        "haproxy:global": ["stats timeout 2s"], "haproxy:keep_server_states": False,
        "haproxy:frontends:http:bind": [
            f"127.0.0.1:{port}{f' ssl crt {pem}' if name == 'https' else ''}" for name, port in ports.items()
        ],
        "haproxy:backends": {"app_pool": {
            "servers": [], "options": [f"server app-{port} 127.0.0.1:{port}" for port in servers],
        }},
    }  # fmt: skip
    path = directory / "haproxy.cfg"
    path.write_text(configuration(_merged(own, changes)))
    with subprocess.Popen(["haproxy", "-db", "-f", path], stderr=subprocess.PIPE, text=True) as process:
        try:
            for port in ports.values():
                await_port(port, process)
            yield {**ports, "pid": process.pid}
        finally:
            process.kill()


def pool(port: int, printed: str, **changes) -> list[str]:
    """The formula's lines of a pool whose app server has an nginx on this port, which prints this (``nginx -T``)."""
    tree = {"mine": True, "app_servers": {"app-1": {"private_ip": "10.132.20.236", "port": port}}, **changes}
    made = pillars.build(tree, mine={"app-1": {"nginx_requests": nginx.requests(printed, 1024)}})
    assert made.errors == []
    lines = next(one["lines"] for one in cfg.model(made) if one["name"] == "app_pool")
    return [line.replace("10.132.20.236", "127.0.0.1").replace(" check", "") for line in lines]


def _merged(own: dict, changes: dict) -> dict:
    return {"haproxy:frontends": {"http": {"default_backend": "app_pool"}}, **own, **changes}


def await_port(port: int, process: subprocess.Popen) -> None:
    """Wait, for ten seconds, until somebody listens there; an AssertionError if the process ends first."""
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None and time.monotonic() < deadline, process.stderr and process.stderr.read()
        time.sleep(0.02)


class Server:
    """An HTTP server that keeps what it gets; ``answer`` makes the answer to a request."""

    def __init__(self, answer: Callable[[bytes], bytes] | None = None):
        self.requests: list[bytes] = []
        self.answer = answer or (lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            self.requests.append(request)
            connection.sendall(self.answer(request))

    def headers(self) -> dict[str, str]:
        """The headers of the last request, by their names in small letters."""
        lines = self.requests[-1].decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def ask(port: int, request: bytes, timeout: float = 5, source: str = "127.0.0.1") -> bytes:
    """What is answered to the bytes of a request, until the connection ends or nothing comes for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout, (source, 0)) as connection:
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(request)
            while part := connection.recv(65536):
                answer += part
        return answer
