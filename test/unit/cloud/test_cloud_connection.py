"""The connection to DigitalOcean's services, against servers of a socket's own."""

import re
import socket
import threading

import pytest

from haproxy_ha_host.connection import Background, Connection
from haproxy_ha_lib.cloud.calls import Call

WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: y\r\n\r\n{}"
READ = Call("GET", "/v2/droplets")


class Server:
    """Gives the answers of each connection, one for each request, and then ends it."""

    def __init__(self, *connections):
        self.requests, self._socket = [], socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(connections,), daemon=True).start()

    def _serve(self, connections):
        for answers in connections:
            connection, _ = self._socket.accept()
            with connection:
                for answer in answers:
                    self.requests.append(_request(connection))
                    connection.sendall(answer)
            self.ended.release()


def _request(connection):
    """A request with its head and its body, which come apart."""
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n")).decode()
        found = re.search(r"Content-Length: (\d+)", head)
        return f"{head}\r\n{stream.read(int(found[1]) if found else 0).decode()}"


def test_a_call_with_a_body_and_a_token():
    server = Server([WELL])
    reply = Connection(f"{server.url}/prefix/").send(Call("POST", "/v2/x", {"type": "assign"}), 5, "dop_v1_x")
    assert (reply.status, reply.headers["x-name"], reply.body, reply.failure) == (200, "y", b"{}", "")
    head, _, body = server.requests[0].partition("\r\n\r\n")
    assert head.startswith("POST /prefix/v2/x HTTP/1.1\r\n")
    assert "Authorization: Bearer dop_v1_x" in head and "Accept-Encoding: identity" in head
    assert body == '{"type": "assign"}'


def test_a_connection_is_kept():
    server = Server([WELL, WELL])
    connection = Connection(server.url)
    assert [connection.send(READ, 5).status for _ in range(2)] == [200, 200]
    assert "Authorization" not in server.requests[1]


def test_one_that_the_other_end_has_closed_meanwhile_is_no_failure():
    """A POST must not be what finds out: nobody could tell whether it was done."""
    server = Server([WELL], [WELL])
    connection = Connection(server.url)
    assert connection.send(READ, 5).status == 200
    assert server.ended.acquire(timeout=5)
    assert connection.send(Call("POST", "/x", {}), 5).status == 200


def test_a_connection_that_was_begun_is_the_one_that_is_used():
    server = Server([WELL], [])
    connection = Connection(server.url)
    connection.connect(5)
    assert connection.send(READ, 5).status == 200
    assert server.ended.acquire(timeout=5)
    assert not server.ended.acquire(blocking=False), "it was another one"


def test_one_that_was_begun_and_has_ended_is_no_failure():
    server = Server([], [WELL])
    connection = Connection(server.url)
    connection.connect(5)
    assert server.ended.acquire(timeout=5)
    assert connection.send(Call("POST", "/x", {}), 5).status == 200


def test_one_that_cannot_be_begun_is_told_by_the_call():
    connection = Connection("http://127.0.0.1:1")
    connection.connect(5)
    assert "refused" in connection.send(READ, 5).failure


def test_after_a_failure_there_is_a_new_one():
    server = Server([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"], [WELL])
    connection = Connection(server.url)
    assert connection.send(READ, 5).failure == "the answer ends 7 bytes early"
    assert connection.send(READ, 5).status == 200


def test_a_redirect_is_an_answer():
    server = Server([b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"])
    assert Connection(server.url).send(READ, 5, "dop_v1_x").status == 302


@pytest.mark.parametrize("url", ["http://127.0.0.1:x", "http://", "nonsense", "http://[", "http://127.0.0.1:99999"])
def test_what_is_no_url_is_a_failure_in_words(url):
    reply = Connection(url).send(READ, 5)
    assert (reply.status, bool(reply.failure)) == (0, True)


def test_the_token_is_in_no_text():
    """http.client quotes what it does not take for a header's value."""
    reply = Connection("http://127.0.0.1:1").send(READ, 5, "dop_v1\n x")
    assert (reply.status, "dop_v1" in reply.failure) == (0, False)


def test_nobody_waits_for_what_is_too_late():
    free = threading.Event()
    background = Background(lambda: free.wait(10))
    assert background.result(0.01) is None
    free.set()
    assert background.result(5) is True


def test_what_a_function_raises_belongs_to_whoever_asks():
    with pytest.raises(ZeroDivisionError):
        Background(lambda: 1 / 0).result()
