"""
A stand-in of HashiCorp Vault on loopback: the part of its HTTP API (version 1) that reads a KV 2 secret by an AppRole.
Source: developer.hashicorp.com/vault/api-docs (auth/approle, system/internal-ui-mounts, secret/kv/kv-v2).
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

TOKEN = "hvs.of-the-stand-in"
_DENIED = (403, {"errors": ["permission denied"]})


class Vault:
    """
    What it has and how it is.

    secrets
        {path below the mount ``secret``: {key: text}}.
    role
        role_id and secret_id that get a token.
    sealed, denied, away, silent
        It answers everything with 503; secrets with 403; ends each connection; says nothing until it is closed.
    """

    def __init__(self, role: dict[str, str]) -> None:
        self.role, self.secrets = role, {}
        self.sealed = self.denied = self.away = self.silent = False
        self.closed = threading.Event()
        self.url = ""

    def reply(self, path: str, token: str | None, body: Any) -> tuple[int, dict[str, Any]]:
        """(status, document) of a request."""
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if path == "/v1/auth/approle/login":
            return self._login(body)
        if token != TOKEN:
            return _DENIED
        if path.startswith("/v1/sys/internal/ui/mounts/secret/"):
            return 200, {"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}
        return self._read(path.removeprefix("/v1/secret/data/"))

    def _login(self, body: Any) -> tuple[int, dict[str, Any]]:
        if body != self.role:
            return 400, {"errors": ["invalid role or secret ID"]}
        return 200, {"auth": {"client_token": TOKEN, "accessor": "a", "lease_duration": 1200, "renewable": True,
                              "entity_id": "e", "token_type": "service", "num_uses": 0}}  # fmt: skip

    def _read(self, path: str) -> tuple[int, dict[str, Any]]:
        if self.denied:
            return _DENIED
        if path not in self.secrets:
            return 404, {"errors": []}
        return 200, {"data": {"data": self.secrets[path], "metadata": {"version": 1, "destroyed": False}}}


@contextlib.contextmanager
def vault(role: dict[str, str]) -> Iterator[Vault]:
    """Runs one in threads of this process."""
    made = Vault(role)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if made.away or made.silent:
                made.closed.wait(0 if made.away else None)
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, document = made.reply(self.path, self.headers.get("X-Vault-Token"), body)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing: what is asked is nobody's business."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield made
    finally:
        made.closed.set()
        server.shutdown()
        server.server_close()
