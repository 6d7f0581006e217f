"""The edge, with a real HAProxy by the formula's configuration: what strangers can do, and what they cannot."""

import contextlib
import re
import socket
import subprocess
import threading
import time

import pytest

from support import edge, http2, pillars
from support.place import requires_tools
from support.service import free_port

pytestmark = requires_tools("haproxy", "openssl")

CLOSE = b"Host: www.example.com\r\nConnection: close\r\n\r\n"
SAID = {
    "X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Port": "443", "X-Real-IP": "192.0.2.66", "Forwarded": "for=192.0.2.66;proto=https",
    "X-Forwarded-User": "evil", "X-Forwarded-Ssl": "on", "X-Client-IP": "192.0.2.66",
    "X-Cluster-Client-IP": "192.0.2.66", "True-Client-IP": "192.0.2.66", "CF-Connecting-IP": "192.0.2.66",
    "Fastly-Client-IP": "192.0.2.66", "Client-IP": "192.0.2.66", "DO-Connecting-IP": "192.0.2.66",
    "WL-Proxy-Client-IP": "192.0.2.66", "X-Azure-ClientIP": "192.0.2.66", "X-ProxyUser-Ip": "192.0.2.66",
    "CF-Connecting-IPv6": "192.0.2.66", "X-Remote-Addr": "192.0.2.66", "CloudFront-Viewer-Address": "192.0.2.66:1",
    "X-Forwarded": "for=192.0.2.66", "Forwarded-For": "192.0.2.66", "X-Original-Forwarded-For": "192.0.2.66",
    "CloudFront-Forwarded-Proto": "evil", "X-Scheme": "evil", "X-Url-Scheme": "evil", "Front-End-Https": "evil",
    "CF-Visitor": "evil", "Proxy": "http://evil.example.com",
}  # fmt: skip
LIAR = b"GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in SAID.items()).encode() + CLOSE


@pytest.fixture
def server():
    made = edge.Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
    """A certificate with its key of each kind, each in a file: {"rsa", "ecdsa"}."""
    directory = tmp_path_factory.mktemp("pems")
    found = {}
    for kind, words in {"rsa": ["rsa:2048"], "ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}.items():
        crt, key, pem = (directory / f"{kind}.{ending}" for ending in ("crt", "key", "pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", *words, "-nodes", "-days", "9", "-subj", "/CN=x", "-out", crt,
             "-keyout", key], check=True, capture_output=True,
        )  # fmt: skip
        pem.write_text(crt.read_text() + key.read_text())
        found[kind] = pem
    return found


# Who somebody says he is


def test_what_a_client_says_of_itself_does_not_reach_the_application(server, tmp_path):
    with edge.running(tmp_path, {}, [server.port]) as ports:
        assert b"200 OK" in edge.ask(ports["http"], LIAR)
    assert server.headers() == {"host": "www.example.com", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
                                "connection": "close"}  # fmt: skip


def test_however_often_and_in_whatever_case_it_says_so(server, tmp_path):
    lines = "".join(f"{name.upper()}: {value}\r\n{name.lower()}: {value}\r\n" for name, value in SAID.items())
    with edge.running(tmp_path, {}, [server.port]) as ports:
        edge.ask(ports["http"], f"GET / HTTP/1.1\r\n{lines}".encode() + CLOSE)
    assert "192.0.2.66" not in str(server.requests) and "evil" not in str(server.requests)


@pytest.mark.parametrize("name", SAID)
def test_underscores_are_no_way_round(name, server, tmp_path):
    """WSGI, CGI and what is made like them take X_Real-IP for X-Real-IP."""
    spelt = {name.replace("-", "_"), name.replace("-", "_", 1), "_".join(name.rsplit("-", 1))}
    lines = "".join(f"{one}: {SAID[name]}\r\n" for one in sorted(spelt))
    with edge.running(tmp_path, {}, [server.port]) as ports:
        edge.ask(ports["http"], f"GET / HTTP/1.1\r\n{lines}".encode() + CLOSE)
    assert set(server.headers()) == {"host", "x-forwarded-for", "x-forwarded-proto", "connection"}


WEBSOCKET = b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
HOPS = {
    "close, X-Forwarded-For, X-Forwarded-Proto": (b"", "close"), "x-forwarded-for": (b"", "close"),
    "Upgrade": (b"", "close"), "Upgrade, X-Forwarded-For": (WEBSOCKET, "upgrade"),
    "keep-alive,UPGRADE ,x-forwarded-proto": (WEBSOCKET, "upgrade"), "X-Upgrade": (WEBSOCKET, "close"),
}  # fmt: skip


@pytest.mark.parametrize("said", HOPS)
def test_no_client_has_the_next_proxy_take_away_what_haproxy_says(said, server, tmp_path):
    more, right = HOPS[said]
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: " + said.encode() + b"\r\n" + more + b"\r\n"
    with edge.running(tmp_path, {}, [server.port]) as ports:
        edge.ask(ports["http"], request, 2)
    assert server.headers()["connection"] == right
    assert server.headers()["x-forwarded-for"] == "127.0.0.1"


def test_no_client_talks_to_a_server_past_haproxy_by_h2c(server, tmp_path):
    """A server that takes it up would get all further requests, and what they say, as they are."""
    request = (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\n"
               b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")  # fmt: skip
    with edge.running(tmp_path, {}, [server.port]) as ports:
        for words in (b"h2c", b"H2C", b"h2c, websocket", b"foo\r\nUpgrade: h2c"):
            edge.ask(ports["http"], request % words, 2)
    assert len(server.requests) >= 2
    assert not [request for request in server.requests if b"h2c" in request.lower() or b"upgrade" in request.lower()]


def test_over_tls_the_application_knows_it(server, pems, tmp_path):
    with edge.running(tmp_path, {}, [server.port], pems["ecdsa"]) as ports:
        subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{ports['https']}"],
                       input=LIAR, capture_output=True, check=False, timeout=20)  # fmt: skip
    assert server.headers()["x-forwarded-proto"] == "https"
    assert server.headers()["x-forwarded-for"] == "127.0.0.1"


def test_a_proxy_that_is_trusted_says_for_whom_it_asks(server, tmp_path):
    changes = {"haproxy:trust_forwarded_from": ["127.0.0.2"]}
    with edge.running(tmp_path, changes, [server.port]) as ports:
        edge.ask(ports["http"], LIAR, source="127.0.0.2")
        trusted = server.headers()
        edge.ask(ports["http"], LIAR, source="127.0.0.3")
        other = server.headers()
    assert trusted["x-forwarded-proto"] == "https"
    assert trusted["x-real-ip"] == "192.0.2.66"
    assert other == {"host": "www.example.com", "x-forwarded-for": "127.0.0.3", "x-forwarded-proto": "http",
                     "connection": "close"}  # fmt: skip


# TLS

INTERMEDIATE = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
}  # fmt: skip
SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
GROUPS = {"X25519", "prime256v1", "secp384r1"}


def accepts(port, *options):
    """Whether a handshake with these options of s_client(1) succeeds."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
                          input=b"", capture_output=True, check=False, timeout=20)  # fmt: skip
    return b"Cipher is (NONE)" not in done.stdout and b"Cipher is " in done.stdout


def names(*command):
    done = subprocess.run(["openssl", *command], capture_output=True, text=True, check=True)
    return set(done.stdout.strip().split(":"))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_scan_finds_mozillas_intermediate_profile_and_nothing_else(kind, server, pems, tmp_path):
    """Each protocol, suite and group that this OpenSSL can ask for."""
    with edge.running(tmp_path, {}, [server.port], pems[kind]) as ports:
        port, weak = ports["https"], ["-cipher", "ALL:@SECLEVEL=0"]
        assert not accepts(port, "-tls1", *weak) and not accepts(port, "-tls1_1", *weak)
        assert accepts(port, "-tls1_2") and accepts(port, "-tls1_3")
        known = names("ciphers", "-tls1_2", "ALL:eNULL:@SECLEVEL=0") - SUITES
        found = {name for name in known if accepts(port, "-tls1_2", "-cipher", f"{name}:@SECLEVEL=0")}
        assert found == {name for name in INTERMEDIATE if f"-{kind.upper()}-" in name}
        found = {name for name in names("ciphers", "-s", "-tls1_3") if accepts(port, "-tls1_3", "-ciphersuites", name)}
        assert found == SUITES
        groups = ["X25519", "X448", "prime256v1", "secp384r1", "secp521r1", "ffdhe2048", "ffdhe3072", "secp256k1",
                  "brainpoolP256r1", "secp224r1"]  # fmt: skip
        assert {name for name in groups if accepts(port, "-groups", name)} == GROUPS


def test_of_these_suites_clients_choose(server, pems, tmp_path):
    """With the lines of `global` that pillar leaves alone; a phone without AES in its processor has another order."""
    lines = [line for line in pillars.DEFAULTS["haproxy"]["global"] if line.startswith("ssl-")]
    suites = ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
    with edge.running(tmp_path, {"haproxy:global": lines}, [server.port], pems["ecdsa"]) as ports:
        for first in suites:
            wanted = ":".join(sorted(suites, key=lambda name: name != first))
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{ports['https']}", "-tls1_2", "-cipher", wanted],
                input="", capture_output=True, check=False, text=True, timeout=20,
            )  # fmt: skip
            assert f"Cipher is {first}\n" in done.stdout


def test_without_the_profile_the_scan_finds_more(server, pems, tmp_path):
    changes = {"haproxy:tls:bind": "none", "haproxy:global": ["ssl-default-bind-options ssl-min-ver TLSv1.2"]}
    with edge.running(tmp_path, changes, [server.port], pems["rsa"]) as ports:
        assert accepts(ports["https"], "-tls1_2", "-cipher", "AES128-SHA")


IANA = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", *SUITES,
}  # fmt: skip


def asked_of_a_server(directory, profile, pem):
    """What HAProxy asks a server for: ({suite}, {protocol}), as the server sees it."""
    port = free_port()
    words = ["-accept", f"127.0.0.1:{port}", "-cert", pem, "-trace", "-www", "-naccept", "1"]
    pool = {"servers": [], "options": [f"server one 127.0.0.1:{port} ssl verify none"]}
    changes = {"haproxy:tls:server": profile, "haproxy:backends": {"app_pool": pool}}
    with subprocess.Popen(["openssl", "s_server", *words], stdout=subprocess.PIPE, text=True) as served:
        assert any("ACCEPT" in line for line in served.stdout)
        with edge.running(directory, changes, []) as ports:
            assert b" 200 " in edge.ask(ports["http"], LIAR)
        seen = served.communicate(timeout=20)[0]
    hello = seen[seen.index("cipher_suites") : seen.index("key_share")]
    suites = set(re.findall(r"\{0x\w\w, 0x\w\w\} (\w+)", hello)) - {"TLS_EMPTY_RENEGOTIATION_INFO_SCSV"}
    return suites, set(re.findall(r"(TLS 1\.\d) \(77\d\)", hello))


def test_servers_are_asked_for_that_profile_too_by_a_key(pems, tmp_path):
    assert asked_of_a_server(tmp_path, "intermediate", pems["ecdsa"]) == (IANA, {"TLS 1.2", "TLS 1.3"})
    assert asked_of_a_server(tmp_path, "none", pems["ecdsa"])[0] > IANA


# Bodies that never come

SLOW = b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def drip(port, head, seconds):
    """Send the head of a request, then a byte each 0.2 s; (answer, seconds until it came)."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(head)
        began = time.monotonic()
        connection.settimeout(0.2)
        while time.monotonic() - began < seconds:
            try:
                answer = connection.recv(65536)
                if not answer.startswith(b"HTTP/1.1 100"):
                    return answer, time.monotonic() - began
            except TimeoutError:
                connection.sendall(b"x")
        return b"", time.monotonic() - began


@pytest.mark.parametrize("said", [
    b"", b"Upgrade: x\r\n", b"Connection: upgrade\r\n" + WEBSOCKET, b"Content-Type: application/grpc\r\n",
    b"Expect: 100-continue\r\n",
])  # fmt: skip
@pytest.mark.parametrize("length", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_occupies_no_app_server(said, length, server, tmp_path):
    """Whatever the request calls itself."""
    head = b"POST /form HTTP/1.1\r\nHost: x\r\n" + said + length + b"\r\n\r\n"
    head += b"3e8\r\n" if b"chunked" in length else b""
    with edge.running(tmp_path, {"haproxy:body_timeout": "1s"}, [server.port]) as ports:
        answer, taken = drip(ports["http"], head, 8)
        assert answer.startswith(b"HTTP/1.1 408") and taken < 4
        assert server.requests == []


def test_without_a_time_it_does(server, tmp_path):
    with edge.running(tmp_path, {"haproxy:body_timeout": 0}, [server.port]) as ports:
        drip(ports["http"], SLOW, 1)
        assert len(server.requests) == 1


GRPC = b"POST /grpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("head", [
    GRPC, b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" + WEBSOCKET + b"\r\n",
    b"GET /poll HTTP/1.1\r\nHost: x\r\n\r\n",
])  # fmt: skip
def test_streams_websockets_and_long_polls_reach_it_at_once(head, server, tmp_path):
    """gRPC where a server speaks HTTP/2; what it is to a site is not looked at."""
    changes = {"haproxy:body_timeout": "10s", "haproxy:sections": {"defaults rpc": ["default-server proto h2"]}}
    with edge.running(tmp_path, changes, [server.port]) as ports:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", ports["http"]), 5) as connection:
            connection.sendall(head)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began < 2


@pytest.fixture
def echo():
    """The port of a server that takes one websocket, and sends back what comes on it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):  # closed
            connection, _ = listener.accept()
            with connection:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += connection.recv(1)
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                                   b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
                while part := connection.recv(4096):
                    connection.sendall(part)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_websocket_speaks_both_ways(echo, tmp_path):
    changes = {"haproxy:body_timeout": "1s", "haproxy:limit_per_source": 5}
    with (
        edge.running(tmp_path, changes, [echo]) as ports,
        socket.create_connection(("127.0.0.1", ports["http"]), 5) as connection,
    ):
        connection.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n" + WEBSOCKET + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        for said in (b"one", b"two" * 1000):
            connection.sendall(said)
            heard = b""
            while len(heard) < len(said):
                heard += connection.recv(4096)
            assert heard == said


def test_a_large_body_is_passed_on_as_it_comes(server, tmp_path):
    """HAProxy holds back no more than its buffer."""
    head = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with (
        edge.running(tmp_path, {"haproxy:body_timeout": "10s"}, [server.port]) as ports,
        socket.create_connection(("127.0.0.1", ports["http"]), 5) as connection,
    ):
        connection.sendall(head + b"x" * 40_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


# One source


def is_kept(connection):
    """Whether a connection is not closed by the other side within a moment."""
    connection.settimeout(0.3)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_a_source_has_as_many_connections_as_pillar_lets_it_have(server, tmp_path):
    def opened(source, count):
        """So many connections of a source: those that HAProxy keeps."""
        kept = []
        for _ in range(count):
            with contextlib.suppress(OSError):  # refused at once
                kept.append(socket.create_connection(("127.0.0.1", ports["http"]), 5, (source, 0)))
        return [connection for connection in kept if is_kept(connection)]

    changes = {"haproxy:limit_per_source": 5, "haproxy:trust_forwarded_from": ["127.0.0.4"]}
    with edge.running(tmp_path, changes, [server.port]) as ports:
        kept = [opened("127.0.0.2", 9), opened("127.0.0.3", 3), opened("127.0.0.4", 9)]
        assert [len(connections) for connections in kept] == [5, 3, 9]
        for connection in (*kept[0], *kept[1], *kept[2]):
            connection.close()
        assert b"200 OK" in edge.ask(ports["http"], LIAR, source="127.0.0.3")


# HTTP/2

ASKED = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/reset"), (b":authority", b"x")]


def test_headers_that_never_end_are_ended(server, tmp_path):
    """By CONTINUATION (CVE-2024-27316 and its like); what goes into the sockets' buffers before is not read."""
    more = http2.continued(1, [(b"x", b"y" * 100)] * 90)
    with edge.running(tmp_path, {}, [server.port]) as ports:
        with socket.create_connection(("127.0.0.1", ports["http"]), 5) as connection, pytest.raises(OSError):
            connection.sendall(http2.BEGUN + http2.opened(1, ASKED, is_whole=False))
            for _ in range(10_000):
                connection.sendall(more)
        assert b"200 OK" in edge.ask(ports["http"], LIAR)
    assert len(server.requests) == 1


def test_answers_that_nobody_reads_are_few(tmp_path):
    """What holds them is memory (the hold of CVE-2026-49975); a refusal is an answer as well."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    server = edge.Server(lambda request: answer)
    streams = b"".join(http2.opened(stream, ASKED) for stream in range(1, 201, 2))
    with (
        contextlib.closing(server), contextlib.ExitStack() as kept,
        edge.running(tmp_path, {"haproxy:limit_per_source": 20}, [server.port]) as ports,
    ):
        given_up = 0
        for _ in range(10):
            connection = kept.enter_context(socket.create_connection(("127.0.0.1", ports["http"]), 5))
            connection.sendall(http2.UNREAD + streams)
            given_up += http2.answered(heard(connection, 100))[1]
        assert b"200 OK" in edge.ask(ports["http"], LIAR, source="127.0.0.3")
    assert given_up > 900


def heard(connection, streams):
    """What comes on a connection until there is a word about so many streams, or it ends."""
    said = b""
    while sum(http2.answered(said)) < streams and (part := connection.recv(65536)):
        said += part
    return said
