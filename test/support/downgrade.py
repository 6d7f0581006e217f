"""
A proxy from HTTP/2 to HTTP/1.1 with the defects that were published of others: what is sent through it hides from it,
so a test that sees nothing there would see nothing anywhere.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterable, Iterator

from support import http2

_LENGTH = re.compile(rb"(?im)^(content-length|transfer-encoding) *:")
_RAW = {b"content-length", b"transfer-encoding", b"upgrade"}


def written(sent: bytes) -> bytes:
    """A request by HTTP/2 in the words of HTTP/1.1. It is believed in all that it says, trailers are headers too."""
    fields, body, trailers = http2.read(sent)
    fields = [*fields, *trailers]
    pseudo = {name: value for name, value in fields if name.startswith(b":")}  # the last one of each
    is_tunnel = b":protocol" in pseudo or pseudo[b":method"] == b"CONNECT"
    is_usual = pseudo[b":scheme"] == b"http"
    target = pseudo[b":path"] if is_usual else pseudo[b":scheme"] + b"://" + pseudo[b":authority"] + pseudo[b":path"]
    text = b"%s %s HTTP/1.1\r\nhost: %s\r\n" % (
        b"GET" if is_tunnel else pseudo[b":method"], target, pseudo[b":authority"]
    )
    text += b"".join(b"%s: %s\r\n" % one for one in _kept(fields))
    text = b"".join(line + b"\r\n" for line in text.splitlines())
    if not (is_tunnel or _LENGTH.search(text) or _RAW & {name for name, _ in fields}):
        text += b"content-length: %d\r\n" % len(body)
    return text + b"\r\n" + body


def _kept(fields: Iterable[http2.Field]) -> list[http2.Field]:
    """The first header of each name until one without a name; a value until its NUL, a length until its comma."""
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if not name:
            break
        if not name.startswith(b":"):
            found.setdefault(name.strip().lower(), value.partition(b"\0")[0])
    if b"content-length" in found:
        found[b"content-length"] = found[b"content-length"].partition(b",")[0]
    if b"transfer-encoding" in found:
        found.pop(b"content-length", None)
    for name in re.split(rb"[ ,]+", found.get(b"connection", b"")):
        found.pop(name, None)
    return list(found.items())


class _Server:
    """The one connection to the server, for all clients."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = socket.create_connection(("127.0.0.1", port), 1)

    def ask(self, request: bytes) -> bytes:
        """The first answer that comes, of whatever request; empty without one. It asks again where nobody was there."""
        with contextlib.suppress(TimeoutError):
            return self._asked(request) or self._anew(request)
        return b""

    def _anew(self, request: bytes) -> bytes:
        self.connection.close()
        self.connection = socket.create_connection(("127.0.0.1", self.port), 1)
        return self._asked(request)

    def _asked(self, request: bytes) -> bytes:
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(request)
            return self._answer()
        return b""

    def _answer(self) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            part = self.connection.recv(1)
            if not part:
                return b""
            found += part
        told = re.search(rb"(?i)\ncontent-length: (\d+)", found)
        for _ in range(int(told[1]) if told else 0):
            found += self.connection.recv(1)
        return found


@contextlib.contextmanager
def proxy(port: int) -> Iterator[int]:
    """Such a proxy before a server of that port; yields its own. HTTP/1.1 it passes on as it is."""
    listener, server = socket.create_server(("127.0.0.1", 0)), _Server(port)

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                with connection:
                    said = connection.recv(65536)
                    is_second = said.startswith(http2.PREFACE)
                    connection.sendall(server.ask(written(said) if is_second else said.replace(b": close", b": keep")))

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
