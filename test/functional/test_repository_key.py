"""The key of a package repository: where it comes from, and that it is the one that pillar means."""

import base64
import http.server
import ssl
import threading

import pytest

from support import keys
from support.certificates import self_signed
from support.pillars import changed
from support.place import requires_tools

pytestmark = requires_tools("openssl")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An HTTPS server whose paths are what ``pages`` says: a text, or where it sends to."""
    certificate, key = self_signed(tmp_path, "localhost", "DNS:localhost")
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            page = pages.get(self.path, "")
            self.send_response(302 if page.startswith("to ") else 200)
            if page.startswith("to "):
                self.send_header("Location", page.removeprefix("to "))
            self.end_headers()
            self.wfile.write(page.encode("latin-1"))

        def log_message(self, *_):
            return None

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    yield f"https://localhost:{made.server_port}", pages
    made.shutdown()
    made.server_close()


def plan(single, **options):
    given = {"uri": "http://192.0.2.1/debian", "suite": "bookworm", **options}
    return single("haproxy_ha.repository", "x", changed({"haproxy": {"repository": given}}), test=True)


def test_a_key_that_is_another_one_is_refused(single):
    other = keys.RSA_FINGERPRINT
    state = plan(single, key=keys.ED25519, fingerprint=other)
    assert state["result"] is False
    assert f"repository:fingerprint: found {keys.ED25519_FINGERPRINT} in" in state["comment"]
    assert f"allowed: {other}" in state["comment"]
    assert plan(single, key=keys.ED25519, fingerprint=keys.ED25519_FINGERPRINT)["result"] is None


def test_a_fingerprint_is_taken_as_gpg_prints_it(single):
    spaced = " ".join(keys.RSA_FINGERPRINT[at : at + 4] for at in range(0, 40, 4)).lower()
    assert plan(single, key=keys.RSA, fingerprint=spaced)["result"] is None


def test_two_keys_where_one_is_meant_are_refused(single):
    both = keys.RSA + keys.ED25519
    assert plan(single, key=both, fingerprint=keys.RSA_FINGERPRINT)["result"] is False


def test_a_key_is_fetched_by_https_all_the_way(server, single):
    url, pages = server
    pages.update({"/key": keys.RSA, "/moved": f"to {url}/key", "/plain": "to http://localhost:1/key",
                  "/page": "<html>not here</html>", "/round": f"to {url}/round", "/long": "x" * 1_100_000})  # fmt: skip
    assert plan(single, key_url=f"{url}/key")["result"] is None
    assert plan(single, key_url=f"{url}/moved", fingerprint=keys.RSA_FINGERPRINT)["result"] is None
    keyring = base64.b64decode("".join(keys.RSA.splitlines()[2:-2]))
    pages["/keyring.gpg"] = keyring.decode("latin-1")
    assert plan(single, key_url=f"{url}/keyring.gpg", fingerprint=keys.RSA_FINGERPRINT)["result"] is None
    refused = {"/plain": "leads to http://localhost:1/key", "/page": "allowed: an armoured OpenPGP public key",
               "/round": "5 times", "/long": "more than 1000000 bytes", "/nothing": "allowed: an armoured"}  # fmt: skip
    for path, text in refused.items():
        state = plan(single, key_url=f"{url}{path}")
        assert state["result"] is False and text in state["comment"], state["comment"]
        assert "key_url" in state["comment"] and not state["changes"]


def test_who_does_not_answer_is_one_clear_error(single):
    state = plan(single, key_url="https://127.0.0.1:1/key")
    assert state["result"] is False and state["comment"].startswith("haproxy_ha:haproxy:repository:key_url: ")


