"""HTTP: one server class for the three services, and the faults that happen below HTTP."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import socketserver
import ssl
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from lab.simulator.faults import Fault

BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>\n"


@dataclass
class Request:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    client: str

    def json(self) -> dict:
        """The body as an object; {} for none. Raises ValueError for anything else."""
        document = json.loads(self.body or b"{}")
        if not isinstance(document, dict):
            raise ValueError("an object is needed")
        return document


@dataclass
class Answer:
    """One answer, with the fault that shall happen to it."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None


def json_answer(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(document).encode(), headers=headers or {})


def error_answer(status: int, id: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """An error as the API words it."""
    return json_answer({"id": id, "message": message, "request_id": "00000000-simulator"}, status, headers)


class Handler(BaseHTTPRequestHandler):
    """Turns a request into the service's answer."""

    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    timeout = 60

    def setup(self):
        # One write an answer: Nagle's algorithm would hold the second back, and Unix sockets know no such option.
        self.wbufsize = -1
        if isinstance(self.request, ssl.SSLSocket):
            # What TLS sends after the handshake is such a first write too.
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request.settimeout(self.timeout)
            self.request.do_handshake()
        super().setup()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("content-length") or 0)),
            self.client_address[0] if self.client_address else "",
        )
        self._send(self.server.service(request))

    do_GET = do_POST = do_DELETE = do_PUT = answer

    def _send(self, answer: Answer) -> None:
        fault = answer.fault.kind if answer.fault else ""
        if fault == "reset":
            return self._reset()
        if fault == "html":
            answer = Answer(502, BAD_GATEWAY, "text/html")
        if fault in ("headers", "bare"):
            return self._disorder(fault, answer)
        if fault == "body":
            answer.body = answer.fault.body.encode("utf-8", "surrogatepass")
        if fault == "invalid_json":
            answer.body = b"<!doctype html>" + answer.body
        self.send_response(answer.status)
        self.send_header("content-type", answer.type)
        self.send_header("content-length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "truncated":
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif fault == "drip":
            self._drip(answer)
        else:
            self.wfile.write(answer.body)
        self.wfile.flush()
        return None

    def _drip(self, answer: Answer) -> None:
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(answer.fault.seconds or 0.1)

    def _disorder(self, fault: str, answer: Answer) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            if fault == "headers":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x-more: of them\r\n" * 100_000)
            self.wfile.write(answer.body)
            self.wfile.flush()

    def _reset(self) -> None:
        # A linger time of zero makes close() send RST; the socket below TLS must be the one that is closed.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        socket.socket(fileno=self.connection.detach()).close()
        self.connection = self.request = socket.socket()
        self.wfile = io.BytesIO()

    def log_message(self, format, *arguments):
        """The calls are counted; a log of them would tell the tokens' use to nobody."""


class Server(ThreadingHTTPServer):
    """Serves one service.

    Args:
        address (tuple | str): (address, port), or the path of a Unix socket.
        service (callable): Request -> Answer.
        context (ssl.SSLContext): TLS, or None.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, service: Callable[[Request], Answer], context: ssl.SSLContext | None = None):
        self.service = service
        self._context = context
        if isinstance(address, str):
            self.address_family = socket.AF_UNIX
        elif ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def server_bind(self):
        # HTTPServer would look the name of the address up.
        socketserver.TCPServer.server_bind(self)

    def get_request(self):
        connection, address = super().get_request()
        if self._context:
            # The handshake belongs to the connection's own thread: a silent client must not stop the others.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)
