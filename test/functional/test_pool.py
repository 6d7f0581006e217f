"""Servers over a reload, with a real HAProxy: those that leave are drained, the others keep their states."""

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import net, units, waiting
from haproxy_ha_host.haproxy import pool
from haproxy_ha_lib.haproxy import runtime
from support.balancer import App, Balancer
from support.place import requires_tools
from support.service import free_port

pytestmark = requires_tools("haproxy")

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
    assert waiting.wait_for(lambda: apps[0].requests and apps[1].requests, 5, 0.02)
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
        assert waiting.wait_for(lambda: apps[1].requests, 5, 0.02)
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
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    apps.append(App(apps[1].port))
    assert balancer.take([apps[1].line("b")]) == "drained: app/a; haproxy was reloaded"
    assert balancer.get() == 200


def test_the_wait_for_a_server_that_is_down_is_bounded(balancer, apps, monkeypatch):
    monkeypatch.setattr(pool, "UP_SECONDS", 1)
    apps[1].close()
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
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
    assert words(balancer) == {"a": "UP", "b": "UP"}
    assert balancer.states.read_text() == runtime.NO_STATES


def test_states_survive_a_reload_whatever_the_order(balancer, apps):
    """One is down, one drained by hand; a third is new, and the order is another."""
    apps[1].close()
    net.ask(balancer.socket, "set server app/a weight 7")
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    balancer.take([apps[2].line("c"), apps[1].line("b", "check inter 60s"), apps[0].line("a")])
    assert balancer.status() == {"c": "UP", "b": "DOWN", "a": "UP"}
    net.ask(balancer.socket, "set server app/a state drain")
    net.ask(balancer.socket, "set server app/c state maint")
    balancer.take([apps[0].line("a"), apps[2].line("c"), apps[1].line("b", "check inter 60s")])
    assert balancer.status() == {"a": "DRAIN", "c": "MAINT", "b": "DOWN"}
    assert balancer.states.read_text() == runtime.NO_STATES


# By which sockets


@contextlib.contextmanager
def begun(*arguments, **options):
    balancer = Balancer(*arguments, **options)
    try:
        yield balancer
    finally:
        balancer.end()


@pytest.mark.parametrize("stats, master", [
    ("{socket} mode 600 level user", ""),
    ("{socket} mode 600", "{directory}/other.sock,mode,600"),
    ("{socket} mode 600", "unix@{directory}/other.sock"),
    ("{socket} mode 600", "abns@haproxy-master"),
    ("{socket} mode 600", "127.0.0.1:{port}"),
    ("{socket}.elsewhere level admin", None),
    ("unix@{socket} level admin", None),
    ("abns@haproxy-stats level admin", None),
    ("127.0.0.1:{port} level admin", None),
    ("ipv4@*:{port} level admin", None),
    ("{socket} level admin", "{directory}/master.sock,level,user"),
    ("{socket} level user\n    stats socket {socket}.admin level admin", None),
])  # fmt: skip
def test_servers_are_drained_and_kept_whatever_sockets_there_are(stats, master, machine, apps):
    places = {"directory": machine, "port": free_port(), "socket": machine / "admin.sock"}
    stats, master = stats.format(**places), master and master.format(**places)
    lines = [app.line(name) for name, app in zip("abc", apps, strict=True)]
    with begun(machine, lines, stats=stats, master=master) as balancer:
        assert waiting.wait_for(lambda: balancer.haproxy.level() == "admin", 10)
        assert balancer.haproxy.ask("set server app/b weight 7").strip() == ""
        assert pool.warning(balancer.pool, balancer.set_with(lines[:2])) == ""
        assert balancer.take(lines[:2]) == "drained: app/c; haproxy was reloaded"
        assert balancer.rows()["b"]["srv_uweight"] == "7"


@pytest.mark.parametrize("stats", ["{socket}", "{socket} level user"])
def test_a_drain_that_haproxy_does_not_confirm_is_never_claimed(stats, machine, apps):
    lines = [apps[0].line("a"), apps[1].line("b")]
    with begun(machine, lines, stats=stats, master=None) as balancer:
        level = balancer.haproxy.level()
        assert pool.warning(balancer.pool, balancer.set_with(lines[:1])) == (
            f"HAProxy's sockets allow {level} at most, and draining needs admin: not drained will be app/b"
        )
        assert pool.warning(balancer.pool, balancer.set_with(lines)) == ""
        assert balancer.take(lines[:1]) == (
            "not drained: app/b (HAProxy says: Permission denied); haproxy was reloaded"
        )


def test_without_a_control_socket_the_reload_happens_and_says_what_does_not(machine, apps):
    with begun(machine, [apps[0].line("a")], master=None) as balancer:
        Path(balancer.socket).unlink()
        cannot = "servers that leave are not drained, and the others begin anew"
        warning = pool.warning(balancer.pool, balancer.set_with([apps[2].line("c")]))
        assert warning.startswith("HAProxy answers at no socket")
        assert warning.endswith(cannot)
        assert balancer.take([apps[2].line("c")]) == f"{warning}; haproxy was reloaded"
        assert balancer.get() == 200
        assert apps[2].requests == 1


# Of a run that was killed


def killed_while_it_drains(balancer, lines):
    """A run that is killed as soon as HAProxy has drained what leaves."""
    run = os.fork()
    if not run:
        balancer.take(lines)
        os._exit(0)
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DRAIN", 5, 0.01)
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)


@pytest.fixture
def stranded(machine, apps):
    """What a killed run has left: b is drained by it, and c by an operator."""
    lines = [app.line(name) for name, app in zip("abc", apps, strict=True)]
    with begun(machine, lines) as balancer:
        balancer.say("set server app/c state drain")
        apps[1].delay = 5.0
        threading.Thread(target=lambda: [balancer.get() for _ in range(2)], daemon=True).start()
        assert waiting.wait_for(lambda: apps[1].requests, 5, 0.01)
        killed_while_it_drains(balancer, [lines[0], lines[2]])
        yield balancer


def words(balancer):
    """The states of its servers, without how many checks are still to come."""
    return {name: status.split()[0] for name, status in balancer.status().items()}


def test_what_a_killed_run_drained_is_found_and_put_back_and_an_operator_s_own_drain_stays(stranded):
    assert words(stranded) == {"a": "UP", "b": "DRAIN", "c": "DRAIN"}
    assert pool.left_drained(stranded.pool) == [("app", "b")]
    assert pool.take_back(stranded.pool) == [("app", "b")]
    assert words(stranded) == {"a": "UP", "b": "UP", "c": "DRAIN"}
    assert pool.left_drained(stranded.pool) == pool.take_back(stranded.pool) == []


@pytest.fixture
def crowd():
    """More requests than servers take, for as long as this lasts: ``crowd(ask)``."""
    ended, clients = threading.Event(), []

    def ask_on(ask):
        while not ended.is_set():
            ask()

    def begin(ask):
        clients.extend(threading.Thread(target=ask_on, args=[ask]) for _ in range(12))
        for client in clients:
            client.start()

    yield begin
    ended.set()
    for client in clients:
        client.join()


def test_what_is_put_back_gets_some_of_the_requests_that_wait(machine, apps, crowd):
    lines = [app.line(name, "check inter 200 maxconn 1") for name, app in zip("ab", apps, strict=False)]
    apps[0].delay = apps[1].delay = 0.2
    with begun(machine, lines) as balancer:
        crowd(balancer.get)
        assert waiting.wait_for(lambda: apps[1].requests, 5, 0.01)
        killed_while_it_drains(balancer, lines[:1])
        assert waiting.wait_for(lambda: not sessions(balancer, "b"), 5, 0.01)
        assert pool.take_back(balancer.pool) == [("app", "b")]
        before = apps[1].requests
        assert waiting.wait_for(lambda: apps[1].requests > before + 3, 5)
        assert words(balancer) == {"a": "UP", "b": "UP"}


def sessions(balancer, name):
    return runtime.busy(balancer.haproxy.ask("show stat"), [("app", name)])


def test_whoever_is_served_while_a_server_is_put_back_goes_on(machine, apps):
    """Maintenance would end sessions with on-marked-down."""
    lines = [app.line(name, "on-marked-down shutdown-sessions") for name, app in zip("ab", apps, strict=False)]
    apps[0].delay = apps[1].delay = 2.0
    answers = []
    with begun(machine, lines) as balancer:
        clients = [threading.Thread(target=lambda: answers.append(balancer.get())) for _ in range(2)]
        for client in clients:
            client.start()
        assert waiting.wait_for(lambda: apps[1].requests, 5, 0.01)
        killed_while_it_drains(balancer, lines[:1])
        assert pool.take_back(balancer.pool) == [("app", "b")]
        for client in clients:
            client.join()
    assert answers == [200, 200]


def test_a_haproxy_that_was_reloaded_since_has_forgotten_the_drain_of_a_killed_run(stranded):
    """Who is drained then was drained by an operator."""
    units.systemctl("reload", "haproxy")
    assert waiting.wait_for(lambda: stranded.status()["b"] == "UP", 5)
    stranded.haproxy.ask("set server app/b state drain")
    assert pool.take_back(stranded.pool) == []
    assert stranded.status()["b"] == "DRAIN"


def test_a_run_that_is_not_killed_leaves_nothing_to_put_back(balancer, apps):
    balancer.take([apps[0].line("a")])
    assert not Path(pool.memory()).exists()
