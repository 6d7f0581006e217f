"""Requests that hide in others, in the ways that were published, through a real HAProxy to a real nginx."""

import contextlib
import re
import socket
import subprocess
import threading

import pytest

from haproxy_ha_host import waiting
from support import downgrade, edge, http2
from support.place import requires_tools

pytestmark = requires_tools("haproxy", "nginx")

CLOSE = b"Host: www.example.com\r\nConnection: close\r\n\r\n"
INNER = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*lines, body=b"", method=b"POST"):
    return b"\r\n".join([method + b" /outer HTTP/1.1", b"Host: x", *lines, b"", body])


def length(body):
    return b"Content-Length: %d" % len(body)


def chunk(body):
    return b"%x\r\n" % len(body) + body + b"\r\n"


CHUNKED = b"0\r\n\r\n" + INNER
TE = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
HIDDEN = b"\r\n" + CHUNKED + b"\r\n"
"""What ends a chunk and a body, and another request, for who sees it there; else it is of a chunk."""

LENGTHS = {
    "two": post(b"Content-Length: 0", length(INNER), body=INNER),
    "two, the other first": post(length(INNER), b"Content-Length: 0", body=INNER),
    "in a list": post(b"Content-Length: 0, %d" % len(INNER), body=INNER),
    "with a sign": post(b"Content-Length: +0", body=INNER),
    "that is none": post(b"Content-Length: 0x0", body=INNER),
    "with an underscore": post(b"Content-Length: 0_0", body=INNER),
    "with a fraction": post(b"Content-Length: 0.0", body=INNER),
    "that overflows": post(b"Content-Length: 18446744073709551616", body=INNER),
    "after a name of 256 letters more (CVE-2021-40346)": post(b"Content-Length0" + b"a" * 255 + b":",
                                                              b"Content-Length: 0", body=INNER),
    "after an empty name (CVE-2023-25725)": post(b":", b"Content-Length: 0", body=INNER),
    "that is empty, and another (CVE-2023-40225)": post(b"Content-Length:", length(INNER), body=INNER),
    "that is empty": post(b"Content-Length: ", body=INNER),
    "with a NUL": post(b"Content-Length: 0\0", body=INNER),
    "of a body that nobody wants (CL.0)": post(length(INNER), body=INNER),
    "of a body of GET": post(length(INNER), body=INNER, method=b"GET"),
    "of a body of HEAD": post(length(INNER), body=INNER, method=b"HEAD"),
    "hidden by a blank (0.CL)": b"POST /outer HTTP/1.1\r\n " + length(INNER) + b"\r\nHost: x\r\n\r\n" + INNER,
    "hidden by a tab": b"POST /outer HTTP/1.1\r\nHost: x\r\n\t" + length(INNER) + b"\r\n\r\n" + INNER,
    "hidden by a blank before the colon": post(b"Content-Length : %d" % len(INNER), body=INNER),
    "hidden by a fold": post(b"Content-Length:\r\n %d" % len(INNER), body=INNER),
    "hidden by an underscore": post(b"Content_Length: %d" % len(INNER), body=INNER),
    "that is of the connection alone": post(b"Connection: keep-alive, Content-Length", length(INNER), body=INNER),
    "that is to be continued (0.CL by Expect)": post(b"Expect: 100-continue", length(INNER), body=INNER),
    "that is to be continued, in other words": post(b"Expect: y 100-continue", length(INNER), body=INNER),
    "that is to be continued, folded": post(b"Expect:\r\n 100-continue", length(INNER), body=INNER),
    "that is to be continued, of GET": post(b"Expect: 100-continue", length(INNER), body=INNER, method=b"GET"),
    "that is to be continued, and chunks": post(b"Expect: 100-continue", TE, length(CHUNKED), body=CHUNKED),
}  # fmt: skip
ENCODINGS = {
    "and a length (CL.TE)": post(length(CHUNKED), TE, body=CHUNKED),
    "and a length that is less (TE.CL)": post(TE, b"Content-Length: 4", body=chunk(INNER) + END),
    "that nobody reads (TE.0)": post(TE, body=chunk(INNER) + END, method=b"OPTIONS"),
    "of GET": post(TE, body=CHUNKED, method=b"GET"),
    "before a blank and the colon": post(b"Transfer-Encoding : chunked", length(CHUNKED), body=CHUNKED),
    "after a vertical tab": post(b"Transfer-Encoding: \x0bchunked", length(CHUNKED), body=CHUNKED),
    "after a tab": post(b"Transfer-Encoding:\tchunked", length(CHUNKED), body=CHUNKED),
    "before a form feed": post(b"Transfer-Encoding: chunked\x0c", length(CHUNKED), body=CHUNKED),
    "before a NUL": post(b"Transfer-Encoding: chunked\0", length(CHUNKED), body=CHUNKED),
    "after a byte of no letter": post(b"Transfer-Encoding: \xffchunked", length(CHUNKED), body=CHUNKED),
    "in quotes": post(b'Transfer-Encoding: "chunked"', length(CHUNKED), body=CHUNKED),
    "in a fold": post(b"Transfer-Encoding:\r\n chunked", length(CHUNKED), body=CHUNKED),
    "hidden by a blank": post(b"X: y", b" " + TE, length(CHUNKED), body=CHUNKED),
    "hidden by an underscore": post(b"Transfer_Encoding: chunked", length(CHUNKED), body=CHUNKED),
    "with a letter more": post(b"Transfer-Encoding: xchunked", length(CHUNKED), body=CHUNKED),
    "after identity": post(b"Transfer-Encoding: identity, chunked", length(CHUNKED), body=CHUNKED),
    "before identity": post(b"Transfer-Encoding: chunked, identity", length(CHUNKED), body=CHUNKED),
    "and an empty one": post(b"Transfer-Encoding: chunked,", length(CHUNKED), body=CHUNKED),
    "twice": post(TE, TE, body=CHUNKED),
    "and another header": post(TE, b"Transfer-Encoding: identity", body=CHUNKED),
    "and another header of other letters": post(TE, b"Transfer-encoding: cow", body=CHUNKED),
    "after a bare line feed": post(b"X: y\nTransfer-Encoding: chunked", length(CHUNKED), body=CHUNKED),
    "after a bare carriage return": post(b"X: y\rTransfer-Encoding: chunked", length(CHUNKED), body=CHUNKED),
    "that is of the connection alone": post(b"Connection: Transfer-Encoding", TE, length(CHUNKED), body=CHUNKED),
    "of HTTP/1.0": post(b"Connection: keep-alive", TE, length(CHUNKED), body=CHUNKED)
                   .replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "of HTTP/2.0": post(TE, length(CHUNKED), body=CHUNKED).replace(b"HTTP/1.1", b"HTTP/2.0", 1),
}  # fmt: skip
CHUNKS = {
    "a size with a sign": post(TE, body=b"-0\r\n\r\n" + INNER),
    "a size with a prefix": post(TE, body=b"0x0\r\n\r\n" + INNER),
    "a size after a blank": post(TE, body=b" 0\r\n\r\n" + INNER),
    "no size": post(TE, body=b"\r\n\r\n" + INNER),
    "a size that overflows": post(TE, body=b"fffffffffffffffff0\r\n\r\n" + INNER),
    "a size that overflows to nothing": post(TE, body=b"10000000000000000\r\n\r\n" + INNER),
    "an extension with a line feed": post(TE, body=b"0;\nx\r\n\r\n" + INNER),
    # Of which of two the line feed ends the extension (TERM.EXT, EXT.TERM): the chunk of one is the size of the other.
    "an extension that a line feed ends": post(TE, body=b"2;\nxx\r\n" + chunk(HIDDEN[2:]) + END),
    "an extension that a line feed does not end": post(TE, body=b"2;\nxx\r\n05\r\n" + chunk(b"x" + HIDDEN) + END),
    "an extension that a carriage return ends": post(TE, body=b"2;\rxx\r\n" + chunk(HIDDEN[2:]) + END),
    "an extension of quotes": post(TE, body=b'0;x="\r\n\r\n' + INNER + b'"\r\n\r\n'),
    # Whether what ends a chunk is looked at (TERM.SPILL), and how long it is (ONE.TWO).
    "more than its size": post(TE, body=b"5\r\nxxxxxyy" + chunk(HIDDEN[2:]) + END),
    "a bare line feed behind": post(TE, body=b"2\r\nxx\n" + b"1" + chunk(HIDDEN) + END),
    "a bare carriage return behind": post(TE, body=b"2\r\nxx\r" + b"1" + chunk(HIDDEN) + END),
    "line feeds alone": post(TE, body=b"0\n\n" + INNER),
    "a trailer with a length": post(TE, body=b"0\r\n" + length(INNER) + b"\r\n\r\n" + INNER),
    "a trailer with an encoding": post(TE, body=b"0\r\n" + TE + b"\r\n\r\n" + CHUNKED),
    "a trailer with a line feed": post(TE, body=b"0\r\nX: y\n\n" + INNER),
    "a trailer without a name": post(TE, body=b"0\r\n" + INNER),
}
BEGINNINGS = {
    "line feeds alone": post(b"Content-Length: 0", body=INNER).replace(b"\r\n", b"\n", 4),
    "no version": b"GET /outer\r\n\r\n" + INNER,
    "a blank in the target": b"GET /outer HTTP/1.1\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target": post(length(INNER), body=INNER).replace(b"/outer", b"http://y/outer", 1),
    "an upgrade to h2c": post(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                              b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", body=INNER, method=b"GET"),
    "an upgrade to a version of websocket that is none": post(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", body=INNER, method=b"GET"),
    "a tunnel": b"CONNECT /outer HTTP/1.1\r\nHost: x\r\n\r\n" + INNER,
}  # fmt: skip
SMUGGLING = {
    f"{kind}: {name}": sent
    for kind, attacks in {"length": LENGTHS, "chunked": ENCODINGS, "chunk": CHUNKS, "beginning": BEGINNINGS}.items()
    for name, sent in attacks.items()
}


def second(*fields, body=b"", trailers=(), **pseudo):
    """A POST by HTTP/2, some of whose pseudo-headers are others."""
    told = {"method": b"POST", "scheme": b"http", "path": b"/outer", "authority": b"x", **pseudo}
    return http2.request([*((b":" + name.encode(), value) for name, value in told.items()), *fields], body, trailers)


SPLIT = b" HTTP/1.1\r\nHost: x\r\n\r\n" + INNER
DOWNGRADE = {
    "a length that is less (H2.CL)": second((b"content-length", b"0"), body=INNER),
    "a length that is more": second((b"content-length", b"900"), body=INNER),
    "two lengths": second((b"content-length", b"0"), (b"content-length", b"%d" % len(INNER)), body=INNER),
    "lengths in a list": second((b"content-length", b"0, %d" % len(INNER)), body=INNER),
    "a length of GET": second((b"content-length", b"0"), body=INNER, method=b"GET"),
    "an encoding (H2.TE)": second((b"transfer-encoding", b"chunked"), body=CHUNKED),
    "an encoding of capitals": second((b"Transfer-Encoding", b"chunked"), body=CHUNKED),
    "an encoding, and a length": second((b"content-length", b"%d" % len(CHUNKED)), (b"transfer-encoding", b"chunked"),
                                        body=CHUNKED),
    "an encoding before a blank": second((b"transfer-encoding ", b"chunked"), body=CHUNKED),
    "lines in a value": second((b"x", b"y\r\ntransfer-encoding: chunked"), body=CHUNKED),
    "a line feed in a value": second((b"x", b"y\ntransfer-encoding: chunked"), body=CHUNKED),
    "a carriage return in a value": second((b"x", b"y\rtransfer-encoding: chunked"), body=CHUNKED),
    "a NUL in a value": second((b"content-length", b"0\0"), body=INNER),
    "a whole request in a value": second((b"x", b"y\r\n\r\n" + INNER)),
    "lines in a name": second((b"x: y\r\ntransfer-encoding", b"chunked"), body=CHUNKED),
    "a colon in a name": second((b"transfer-encoding: chunked\r\nx", b"y"), body=CHUNKED),
    "an empty name": second((b"", b"y"), (b"content-length", b"0"), body=INNER),
    "lines in the method": second(method=b"GET /outer" + SPLIT + b"POST"),
    "a blank in the method": second(method=b"GET /smuggled HTTP/1.1 POST"),
    "lines in the path": second(path=b"/outer" + SPLIT + b"GET /x"),
    "a blank in the path": second(path=b"/outer HTTP/1.1"),
    "lines in the authority": second(authority=b"x\r\n\r\n" + INNER),
    "lines in the scheme": second(scheme=b"http://x/outer" + SPLIT),
    "two paths": second((b":path", b"/smuggled")),
    "a pseudo-header behind": second((b"x", b"y"), (b":path", b"/smuggled")),
    "a header of the connection": second((b"connection", b"content-length"), (b"content-length", b"%d" % len(INNER)),
                                         body=INNER),
    "an upgrade": second((b"upgrade", b"h2c"), (b"connection", b"upgrade"), body=INNER),
    "to be continued": second((b"expect", b"100-continue"), (b"content-length", b"0"), body=INNER),
    "a trailer with a length": second(body=INNER, trailers=[(b"content-length", b"0")]),
    "a trailer with an encoding": second(body=CHUNKED, trailers=[(b"transfer-encoding", b"chunked")]),
    "a trailer with lines": second(body=b"x", trailers=[(b"x", b"y\r\n\r\n" + INNER)]),
    "a websocket that is none": second((b":protocol", b"websocket"), method=b"CONNECT", body=INNER),
    "a tunnel": second(method=b"CONNECT", body=INNER),
}  # fmt: skip


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    """A real nginx whose log has each request that it saw."""
    directory = tmp_path_factory.mktemp("nginx")
    port, log = edge.free_port(), directory / "log"
    (directory / "nginx.conf").write_text(
        f"pid {directory}/pid; error_log {directory}/error; daemon off; user root; worker_processes 1;\n"
        "events {}\nhttp {\n log_format own '$request_uri'; client_body_timeout 2s; client_header_timeout 2s;\n"
        " lingering_close off;\n"
        f" server {{ listen 127.0.0.1:{port}; access_log {log} own; location / {{ return 200 ok; }} }}\n}}\n"
    )
    with subprocess.Popen(["nginx", "-c", directory / "nginx.conf", "-e", directory / "error"]) as process:
        edge.await_port(port, process)
        yield port, log
        process.terminate()


@pytest.fixture(
    scope="module", params=[pytest.param(False, marks=pytest.mark.slow), True], ids=["close", "keep-alive"]
)
def balancer(request, nginx, tmp_path_factory):
    """HAProxy before it, which closes a server's connection behind each request, or keeps it for the next client."""
    directory = tmp_path_factory.mktemp("haproxy")
    with edge.running(directory, {"haproxy:keep_alive": request.param}, [nginx[0]]) as ports:
        yield ports["http"]


def heard(connection):
    """What comes on a connection until it ends, or nothing comes for a moment."""
    found = b""
    connection.settimeout(0.3)
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            found += part
    return found


def play(port, log, attack):
    """Send an attack, and three requests of others while its connection is there; (answers to it, what nginx saw)."""
    log.write_text("")
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(attack)
        answers = heard(connection)
        for number in range(3):
            edge.ask(port, b"GET /after-%d HTTP/1.1\r\n" % number + CLOSE)
        assert waiting.wait_for(lambda: log.read_text().endswith("/after-2\n"), 5), log.read_text()
        answers += heard(connection)
    return answers, log.read_text().split()


def of_others(seen):
    return [uri for uri in seen if uri.startswith("/after")]


AFTER = [f"/after-{number}" for number in range(3)]


@pytest.mark.parametrize("attack", SMUGGLING)
def test_no_request_hides_in_another(attack, balancer, nginx):
    """
    What HAProxy takes for one request nginx takes for one: each that nginx sees has an answer of its own on the
    client's connection, and none is the answer of the next client.
    """
    answers, seen = play(balancer, nginx[1], SMUGGLING[attack])
    answered = len(re.findall(rb"(?i)^server: nginx", answers, re.MULTILINE))
    assert len(seen) - len(AFTER) == answered, (seen, answers)
    assert of_others(seen) == AFTER


@pytest.mark.parametrize("attack", DOWNGRADE)
def test_no_request_hides_in_one_by_http_2(attack, balancer, nginx):
    """A stream is one request, or none."""
    _, seen = play(balancer, nginx[1], DOWNGRADE[attack])
    assert [uri for uri in seen if uri not in AFTER] in ([], ["/outer"])
    assert of_others(seen) == AFTER


def test_a_request_by_http_2_that_is_well_arrives(balancer, nginx):
    body = second((b"content-length", b"%d" % len(INNER)), body=INNER, trailers=[(b"x", b"y")])
    assert play(balancer, nginx[1], body)[1] == ["/outer", *AFTER]


ESCAPED = (b"y", b"z%0d%0a%0d%0a" + INNER.rstrip().replace(b"\r\n", b"%0d%0a"))


@pytest.mark.parametrize("attack", [
    post(b": ".join(ESCAPED), b"Content-Length: 0"), second(ESCAPED, (b"content-length", b"0")),
], ids=["1", "2"])  # fmt: skip
def test_none_hides_in_what_a_line_of_pillar_unescapes(attack, nginx, tmp_path):
    frontends = {"http": {"default_backend": "app_pool", "options": ["http-request set-header X %[hdr(y),url_dec]"]}}
    with edge.running(tmp_path, {"haproxy:frontends": frontends, "haproxy:keep_alive": True}, [nginx[0]]) as ports:
        _, seen = play(ports["http"], nginx[1], attack)
    assert seen == ["/outer", *AFTER]


@pytest.fixture
def careless(nginx):
    """The port of a proxy that takes Content_Length for a length too, and has one connection for all clients."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = socket.create_connection(("127.0.0.1", nginx[0]), 2)

    def answer(said):
        head, _, rest = said.partition(b"\r\n\r\n")
        told = re.search(rb"(?i)\ncontent.length: (\d+)", head)
        server.sendall(head.replace(b": close", b": keep-alive") + b"\r\n\r\n" + rest[: int(told[1]) if told else 0])
        got = b""
        while not got.endswith(b"\r\n\r\nok"):
            got += server.recv(1)
        return got

    def serve():
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(answer(connection.recv(65536)))

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    server.close()
    listener.close()


def test_the_test_sees_a_request_that_hides(careless, nginx):
    test_no_request_hides_in_another("length: of a body that nobody wants (CL.0)", careless, nginx)
    with pytest.raises(AssertionError, match="smuggled"):
        test_no_request_hides_in_another("length: hidden by an underscore", careless, nginx)


@pytest.mark.parametrize("attack", DOWNGRADE)
def test_the_test_sees_each_that_hides_by_http_2(attack, nginx):
    """By a proxy that believes it, each is seen: it hides a request, takes those of others, or comes as nonsense."""
    with downgrade.proxy(nginx[0]) as port, pytest.raises(AssertionError):
        test_no_request_hides_in_one_by_http_2(attack, port, nginx)


def test_the_careless_proxy_is_well_otherwise(nginx):
    with downgrade.proxy(nginx[0]) as port:
        test_a_request_by_http_2_that_is_well_arrives(port, nginx)
