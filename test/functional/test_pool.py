"""Servers over a reload, with a real HAProxy: those that leave are drained, the others keep their states."""

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest
from place import requires_tools
from salt.exceptions import CommandExecutionError
from service import Service, free_port

from haproxy_ha_host import daemons, files, net, pool, system
from haproxy_ha_lib import runtime

pytestmark = requires_tools("haproxy")

CFG = """\
global
    stats socket {directory}/admin.sock mode 600 level admin
    server-state-file {directory}/haproxy/states
defaults
    mode http
    timeout connect 1s
    timeout client 9s
    timeout server 9s
    load-server-state-from-file global
frontend site
    bind 127.0.0.1:{port}
    default_backend app
backend app
{servers}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class App:
    """An application that counts its requests, and answers after ``delay`` seconds."""

    def __init__(self, port=0):
        self.requests, self.delay = 0, 0.0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        with connection, contextlib.suppress(OSError):
            if connection.recv(65536):  # a health check says nothing
                self.requests += 1
                time.sleep(self.delay)
                connection.sendall(ANSWER)

    def close(self):
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def line(self, name, options="check inter 200"):
        return f"    server {name} 127.0.0.1:{self.port} {options}"


def entry(content):
    return {"content": content, "mode": "0644", "user": "root", "group": "root"}


class Balancer(Service):
    """A HAProxy with some servers."""

    def __init__(self, directory, servers, drain_timeout=5):
        root = directory / "haproxy"
        root.mkdir()
        self.directory, self.cfg, self.states, self.port = directory, root / "haproxy.cfg", root / "states", free_port()
        self.socket, pidfile = str(directory / "admin.sock"), directory / "haproxy.pid"
        servers_of = pool.Pool(self.socket, str(self.cfg), str(self.states), drain_timeout)
        daemon = daemons.Daemon("haproxy", "haproxy", str(root), ("-c", "-f", str(self.cfg)), (), servers_of)
        start = ["haproxy", "-W", "-D", "-f", str(self.cfg), "-p", str(pidfile), "-S", daemons.MASTER_SOCKET]
        super().__init__(daemon, directory, pidfile, start, "USR2")
        files.install(self.set_with(servers))
        self.begin()
        assert system.wait_for(lambda: Path(self.socket).exists(), 5)

    def set_with(self, servers, more=""):
        text = CFG.format(directory=self.directory, port=self.port, servers="\n".join(servers)) + more
        return {str(self.states): entry(runtime.NO_STATES), str(self.cfg): entry(text)}

    def take(self, servers, more=""):
        return daemons.install(self.daemon, self.set_with(servers, more))

    def status(self):
        return {one["server"]: one["status"] for one in runtime.parse_show_stat(net.ask(self.socket, "show stat"))}

    def get(self):
        return net.get("127.0.0.1", self.port)


@pytest.fixture
def apps():
    made = [App(), App(), App()]
    yield made
    for app in made:
        app.close()


@pytest.fixture
def balancer(machine, apps):
    """A HAProxy with two of the applications, a and b."""
    service = Balancer(machine, [apps[0].line("a"), apps[1].line("b")])
    yield service
    service.end()


def test_a_server_that_leaves_finishes_its_requests_first(balancer, apps):
    """Both have one request under way; the reload comes when that of the server that leaves is answered."""
    for app in apps:
        app.delay = 1.0
    answers, clients = [], []
    for _ in range(2):
        clients.append(threading.Thread(target=lambda: answers.append(balancer.get())))
        clients[-1].start()
    assert system.wait_for(lambda: apps[0].requests and apps[1].requests, 5, 0.02)
    began = time.monotonic()
    done = balancer.take([apps[0].line("a")])
    assert time.monotonic() - began > 0.5
    for client in clients:
        client.join()
    assert done == "drained: app/b; haproxy was reloaded"
    assert answers == [200, 200]
    assert list(balancer.status()) == ["a"]


def test_the_wait_for_a_server_that_leaves_is_bounded(machine, apps):
    balancer = Balancer(machine, [apps[0].line("a"), apps[1].line("b")], drain_timeout=1)
    try:
        for app in apps:
            app.delay = 3.0
        clients = [threading.Thread(target=balancer.get) for _ in range(2)]
        for client in clients:
            client.start()
        assert system.wait_for(lambda: apps[1].requests, 5, 0.02)
        done = balancer.take([apps[0].line("a")])
        assert done == "drained: app/b (with 1 sessions left after 1 s); haproxy was reloaded"
        for client in clients:
            client.join()
    finally:
        balancer.end()


def test_a_backend_that_would_have_no_server_left_is_not_drained(balancer, apps):
    """All are renamed: requests go on to the old ones until the new ones take over."""
    assert balancer.take([apps[0].line("one"), apps[1].line("two")]) == "haproxy was reloaded"
    assert balancer.get() == 200


def test_the_last_server_leaves_when_one_that_was_down_is_up(balancer, apps):
    """It is just back when the reload comes: taken for down still, it would leave nobody to answer."""
    apps[1].close()
    assert system.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    apps.append(App(apps[1].port))
    assert balancer.take([apps[1].line("b")]) == "drained: app/a; haproxy was reloaded"
    assert balancer.get() == 200


def test_the_wait_for_a_server_that_is_down_is_bounded(balancer, apps, monkeypatch):
    monkeypatch.setattr(pool, "_UP_SECONDS", 1)
    apps[1].close()
    assert system.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    done = balancer.take([apps[1].line("b")])
    assert done == "still down after 1 s, and without another one now: app/b; haproxy was reloaded"
    assert balancer.take([apps[0].line("a"), apps[1].line("b")]) == "haproxy was reloaded"


def test_a_server_that_moves_leaves_its_old_address(balancer, apps):
    assert balancer.take([apps[0].line("a"), apps[2].line("b")]) == "drained: app/b; haproxy was reloaded"
    assert [balancer.get() for _ in range(4)] == [200] * 4
    assert apps[2].requests == 2


def test_a_reload_that_fails_takes_the_drained_server_back(balancer, apps):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        more = f"frontend other\n    bind 127.0.0.1:{holder.getsockname()[1]}\n    default_backend app\n"
        with pytest.raises(CommandExecutionError, match="did not start"):
            balancer.take([apps[0].line("a")], more)
    assert balancer.status() == {"a": "UP", "b": "UP"}
    assert balancer.states.read_text() == runtime.NO_STATES


def test_states_survive_a_reload_whatever_the_order(balancer, apps):
    """One is down, one drained by hand; a third is new, and the order is another."""
    apps[1].close()
    net.ask(balancer.socket, "set server app/a weight 7")
    assert system.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    balancer.take([apps[2].line("c"), apps[1].line("b", "check inter 60s"), apps[0].line("a")])
    assert balancer.status() == {"c": "UP", "b": "DOWN", "a": "UP"}
    net.ask(balancer.socket, "set server app/a state drain")
    net.ask(balancer.socket, "set server app/c state maint")
    balancer.take([apps[0].line("a"), apps[2].line("c"), apps[1].line("b", "check inter 60s")])
    assert balancer.status() == {"a": "DRAIN", "c": "MAINT", "b": "DOWN"}
    assert balancer.states.read_text() == runtime.NO_STATES


def test_without_a_runtime_api_the_reload_happens_all_the_same(balancer, apps):
    Path(balancer.socket).rename(balancer.socket + ".gone")
    assert balancer.take([apps[2].line("c")]) == "haproxy was reloaded"
    assert balancer.get() == 200
    assert apps[2].requests == 1
