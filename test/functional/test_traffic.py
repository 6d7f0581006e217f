"""The client of a drill: it asks at a steady rate, whatever becomes of the requests before."""

import contextlib
import http.server
import ssl
import threading
import time

import pytest
from salt.exceptions import SaltInvocationError

from haproxy_ha_host import traffic
from support.certificates import self_signed


class Server(http.server.ThreadingHTTPServer):
    """Answers as it is told."""

    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.pause, self.paths = 200, 0.0, []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that does not trust it

    @property
    def url(self):
        return f"127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append((self.path, self.headers["Host"]))
        time.sleep(self.server.pause)
        if self.server.status:
            with contextlib.suppress(OSError):
                self.send_response(self.server.status)
                self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with contextlib.closing(Server()) as running:
        running.close = running.server_close
        yield running
        running.shutdown()


def statuses(url, seconds=0.3, interval=0.05, **options):
    return [sample.status for sample in traffic.record(url, seconds, interval, **options)]


def test_each_request_is_asked_on_schedule(server):
    samples = traffic.record(f"http://{server.url}x?y=1", 0.5, 0.05)
    assert [sample.status for sample in samples] == [200] * 10
    steps = [later.start - earlier.start for earlier, later in zip(samples, samples[1:], strict=False)]
    assert sum(steps) == pytest.approx(0.45, abs=0.2)
    assert set(server.paths) == {("/x?y=1", f"127.0.0.1:{server.server_port}")}


@pytest.mark.parametrize("status", [404, 503])
def test_what_is_answered_is_told(server, status):
    server.status = status
    assert set(statuses(f"http://{server.url}")) == {status}


def test_a_connection_that_is_closed_and_one_that_is_refused_got_nothing(server):
    server.status = 0
    assert set(statuses(f"http://{server.url}")) == {0}
    server.shutdown()
    server.server_close()
    assert set(statuses(f"http://{server.url}")) == {0}


def test_an_answer_after_a_second_is_none_and_holds_nobody_up(server):
    server.pause = 1.5
    begin = time.monotonic()
    samples = traffic.record(f"http://{server.url}", 0.3, 0.05)
    assert [(sample.status, sample.seconds == pytest.approx(1, abs=0.4)) for sample in samples] == [(0, True)] * 6
    assert time.monotonic() - begin < 2.5


def test_a_certificate_is_checked_unless_that_is_not_wanted(tmp_path):
    server = Server(self_signed(tmp_path, "127.0.0.1"))
    try:
        assert set(statuses(f"https://{server.url}")) == {0}
        assert set(statuses(f"https://{server.url}", verify=False)) == {200}
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("arguments", "said"), [
    (("ftp://x/", 1, 0.1), "url: found 'ftp://x/', allowed: http://host/path or https://host/path"),
    (("203.0.113.10", 1, 0.1), "url: found '203.0.113.10'"),
    (("http://me:secret@x/", 1, 0.1), "url: found 'http://***@x/'"),
    (("http://x:port/", 1, 0.1), "url: found 'http://x:port/'"),
    ((None, 1, 0.1), "url: found 'None'"),
    (("http://x/", 0, 0.1), "seconds: found 0, allowed: more than 0, at most 600"),
    (("http://x/", "1", 0.1), "seconds: found '1'"),
    (("http://x/", 1, 2), "interval: found 2, allowed: 0.005 to 1"),
    (("http://x/", 1, 0), "interval: found 0"),
])
def test_what_makes_no_sense_is_refused(arguments, said):
    with pytest.raises(SaltInvocationError) as caught:
        traffic.record(*arguments)
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)
