"""What is said and asked over TLS, by a real HAProxy with the formula's configuration: HSTS, OCSP, certificates."""

import contextlib
import re
import subprocess

import pytest
import yaml

from haproxy_ha_host import net, waiting
from support import documents, edge
from support.certificates import Authority, openssl
from support.place import requires_tools
from support.service import free_port

pytestmark = requires_tools("haproxy", "openssl")

DOCUMENTED = {
    example.place: yaml.safe_load(example.text)["haproxy_ha"]["haproxy"]["frontends"]
    for example in documents.examples() if example.place.startswith("docs/http.md, ") and "frontends:" in example.text
}  # fmt: skip
GET = b"GET %b HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n"
HEADER = b"strict-transport-security: "


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority", f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def www(authority):
    return authority.issue("www")


@pytest.fixture
def server():
    """An application that has an opinion of its own about HSTS."""
    own = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStrict-Transport-Security: max-age=1\r\n\r\nok"
    made = edge.Server(lambda request: own)
    yield made
    made.close()


def ask(port, path=b"/", *options, request=None):
    """What s_client(1) gets for a request by TLS, and what it says of the connection."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *map(str, options)]
    return subprocess.run(command, input=request or GET % path, capture_output=True, check=False, timeout=20).stdout


# HSTS


def sent(answer):
    return [line.partition(b": ")[2].decode() for line in answer.lower().splitlines() if line.startswith(HEADER)]


def test_each_answer_by_tls_has_the_header_once_and_none_without(server, www, tmp_path):
    changes = {
        "haproxy:frontends": {"http": {
            "default_backend": "app_pool", "redirect_to_https": True,
            "hsts": DOCUMENTED["docs/http.md, Browsers that ask by TLS alone"]["http"]["hsts"],
            "options": ["http-request deny if { path /denied }", "http-request redirect location / if { path /moved }",
                        "use_backend none if { path /none }"],
        }},
        "haproxy:backends:none": {"options": ["server none 127.0.0.1:1"]},
    }  # fmt: skip
    with edge.running(tmp_path, changes, [server.port], www) as ports:
        for path, status in ((b"/", b"200"), (b"/denied", b"403"), (b"/moved", b"302"), (b"/none", b"503")):
            answer = ask(ports["https"], path)
            assert (b"HTTP/1.1 " + status in answer, sent(answer)) == (True, ["max-age=31536000"]), path
        answer = edge.ask(ports["http"], GET % b"/")
        assert answer.startswith(b"HTTP/1.1 301") and sent(answer) == []
        named = edge.ask(ports["http"], b"GET /x?y=1 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n")
        assert b"location: https://a/x?y=1\r\n" in named


@pytest.mark.parametrize(
    ("wanted", "header"),
    [
        ({}, "max-age=1"),  # the application's
        ({"max_age": 0}, "max-age=0"),
        ({"max_age": 63072000, "include_subdomains": True}, "max-age=63072000; includesubdomains"),
        (
            {"max_age": 63072000, "include_subdomains": True, "preload": True},
            "max-age=63072000; includesubdomains; preload",
        ),
    ],
)
def test_the_header_is_in_the_words_of_its_standard(wanted, header, server, www, tmp_path):
    with edge.running(tmp_path, {"haproxy:frontends:http:hsts": wanted}, [server.port], www) as ports:
        assert sent(ask(ports["https"])) == [header]


# OCSP


@contextlib.contextmanager
def responder(authority):
    port = authority.ocsp.rpartition(":")[2]
    command = ["openssl", "ocsp", "-index", authority.directory / "index", "-port", port, "-rsigner",
               authority.certificate, "-rkey", authority.key, "-CA", authority.certificate, "-ndays", "1"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            # By the kernel: openssl-ocsp(1) waits for ever for a connection that says nothing.
            assert waiting.wait_for(lambda: any(one["port"] == int(port) for one in net.listeners()), 10)
            yield
        finally:
            process.kill()


def stapled(port):
    return b"OCSP Response Status: successful" in ask(port, b"/", "-status")


def test_an_answer_beside_the_certificate_is_stapled(authority, www, server, tmp_path):
    """By a file that something else fetches, which each HAProxy knows."""
    with edge.running(tmp_path, {}, [server.port], www) as ports:
        assert not stapled(ports["https"])
    with responder(authority):
        openssl("ocsp", "-issuer", authority.certificate, "-cert", authority.directory / "www.crt", "-url",
                authority.ocsp, "-noverify", "-respout", f"{www}.ocsp")  # fmt: skip
    with edge.running(tmp_path, {}, [server.port], www) as ports:
        assert stapled(ports["https"])


def test_haproxy_fetches_it_itself_where_it_can(authority, www, server, tmp_path):
    version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout
    if re.search(r"version 2\.", version):
        pytest.skip("from HAProxy 3.0 on")
    changes = {"haproxy:global": ["stats timeout 2s", "ocsp-update.mode on"]}
    with responder(authority), edge.running(tmp_path, changes, [server.port], www) as ports:
        assert waiting.wait_for(lambda: stapled(ports["https"]), 10)


# Client certificates

PARTNERS = DOCUMENTED["docs/http.md, Client certificates"]["partners"]


@contextlib.contextmanager
def two_binds(authority, server, tmp_path, www, verify, **changes):
    """A frontend that asks nobody, and one that asks its clients; yields the ports of both."""
    port, crl = free_port(), tmp_path / "crl.pem"
    authority.list_revoked(crl)
    [bind] = PARTNERS["bind"]
    for word, own in (("anchor:8443 ssl", f"127.0.0.1:{port} ssl crt {www}"), ("verify required", f"verify {verify}"),
                      ("/etc/haproxy/partners.pem", authority.certificate), ("/etc/haproxy/partners.crl", crl)):
        assert word in bind
        bind = bind.replace(word, str(own))
    partners = {**PARTNERS, "bind": [bind]}
    with edge.running(tmp_path, {"haproxy:frontends:partners": partners, **changes}, [server.port], www) as ports:
        yield ports["https"], port


def with_certificate(pem):
    return "-cert", pem, "-key", pem


def test_only_who_shows_a_certificate_that_counts_is_answered(authority, server, tmp_path, www):
    good, ended, revoked = (authority.issue("good"), authority.issue("ended", -1, -2), authority.issue("revoked"))
    stranger = Authority(tmp_path / "stranger").issue("good")
    authority.revoke("revoked")
    with two_binds(authority, server, tmp_path, www, "required") as (_, port):
        assert b"200 OK" in ask(port, b"/", *with_certificate(good))
        assert server.headers()["x-client-cn"] == "good"
        seen = len(server.requests)
        for options in ((), *map(with_certificate, (ended, revoked, stranger))):
            assert b"HTTP/1.1" not in ask(port, b"/", *options), options
        assert len(server.requests) == seen


def test_who_need_not_show_one_is_nobody_whatever_he_says(authority, server, tmp_path, www):
    with two_binds(authority, server, tmp_path, www, "optional") as (_, port):
        lie = b"GET / HTTP/1.1\r\nHost: www\r\nX-Client-CN: good\r\nConnection: close\r\n\r\n"
        assert b"200 OK" in ask(port, request=lie)
        assert server.headers().get("x-client-cn", "") == ""
        assert b"200 OK" in ask(port, b"/", *with_certificate(authority.issue("good")))
        assert server.headers()["x-client-cn"] == "good"


@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3"])
def test_a_session_of_another_bind_opens_nothing(protocol, authority, server, tmp_path, www):
    """HAProxy keeps the sessions of all binds together: without `tune.ssl.cachesize 0` this one is answered."""
    session = tmp_path / "session"
    own = {"haproxy:global": ["stats timeout 2s", "tune.ssl.cachesize 1000"]}
    for changes, answered in (({}, False), (own, True)):
        with two_binds(authority, server, tmp_path, www, "required", **changes) as (other, port):
            assert b"200 OK" in ask(other, b"/", protocol, "-sess_out", session)
            answer = ask(port, b"/", protocol, *(["-sess_in", session] if session.exists() else []))
            assert (b"200 OK" in answer) is answered
