"""The resident watcher beside a real HAProxy: whom it takes for hung, what it is handed, which addresses it misses."""

import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from support.haproxies import CLIENT, LUA, HAProxy
from support.place import addresses, in_container, requires_tools

pytestmark = [requires_tools("haproxy", "ip"), pytest.mark.skipif(not in_container(), reason="needs the tools")]


@pytest.fixture
def server(haproxy, tmp_path):
    server = HAProxy(haproxy, tmp_path)
    yield server
    server.close()


@pytest.fixture
def watched(server):
    """What a monitor has handed over of a HAProxy that it has learnt."""

    def start(**options):
        server.start(**options)
        env = server.environment()
        server.module.verdict.judge(env, server.process.pid, server.module.worker.Known(env, "haproxy"))
        server.module.watched.hand_over(env)
        return server.module.watched.Watched("haproxy", env.state_directory)

    return start


def hangs(server, watched):
    return server.module.hanging.hangs(watched.environment())


def test_what_a_monitor_hands_over_is_what_it_was_given(server, watched):
    env = watched().environment()
    assert {name: env[name] for name in ("unit", "config", "gateway", "answer_timeout")} == {
        "unit": "haproxy.service", "config": str(server.config), "gateway": "auto", "answer_timeout": "1s",
    }
    assert (env.instance, env.left > 5) == ("haproxy", True)


def test_nothing_is_watched_that_no_monitor_looks_at(server, watched):
    there = watched()
    server.module.watched.take_back(server.environment())
    assert there.environment() is None
    env = server.environment()
    env.interval = -9.0  # as after two intervals and some seconds
    server.module.watched.hand_over(env)
    assert there.environment() is None


@pytest.mark.parametrize("text", ["", "until", "until x\nunit a.service\n", "\0"])
def test_what_is_no_hand_over_hands_nothing_over(server, watched, text):
    there = watched()
    path = os.path.join(there.directory, "haproxy_ha-haproxy-watched")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    assert there.environment() is None


def test_one_that_answers_does_not_hang(server, watched):
    there = watched()
    begin = time.monotonic()
    assert hangs(server, there) == ""
    assert time.monotonic() - begin < server.module.hanging.PATIENCE


def test_a_stopped_one_hangs(server, watched):
    there = watched()
    with server.stopped():
        assert hangs(server, there) == f"HAProxy is stopped by a signal: process {server.worker}"
    with server.stopped(server.process.pid):
        assert hangs(server, there) == ""  # the worker serves


def test_one_that_is_stopped_for_a_moment_does_not_hang(server, watched):
    """As by whoever traces it."""
    there = watched()
    resume = ["sh", "-c", f"sleep 0.15; kill -CONT {server.worker}"]
    with server.stopped(), subprocess.Popen(resume):
        assert hangs(server, there) == ""


def test_one_all_of_whose_threads_turn_in_a_circle_hangs(server, watched):
    script = server.directory / "turn.lua"
    script.write_text(LUA)
    there = watched(more=f"lua-load {script}", limit="http-request set-var(txn.x) lua.turn")
    worker = server.worker
    with socket.create_connection(("127.0.0.1", server.ports[0])) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        begin = time.monotonic()
        found = hangs(server, there)
        taken = time.monotonic() - begin
    # HAProxy's own watchdog may have ended it before.
    assert found.startswith(f"HAProxy hangs: process {worker} does not answer on ") or not server.worker
    # What it waits for in all; the machine's own time comes on top, and bench.failover has how soon a hang is found.
    hanging = server.module.hanging
    assert hanging.PATIENCE + hanging.MASTER + server.module.worker.WATCHED < 2.0
    assert taken < server.module.watch.HUNG  # or systemd ends the watcher


def test_a_worker_that_begins_is_not_the_one_that_serves(server, watched, monkeypatch):
    """It may take its time to read what it is told to, at work and deaf."""
    there = watched()
    begins = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = server.module.worker.process(begins.pid)
        monkeypatch.setattr(server.module.worker, "serving", lambda main: found)
        monkeypatch.setattr(server.module.runtime, "is_heard", lambda *_: False)
        assert hangs(server, there) == ""
    finally:
        begins.kill()
        begins.wait()


def test_one_at_work_under_load_does_not_hang(server, watched):
    there = watched(limit="http-request return status 200", maxconn=2000)
    crowd = [subprocess.Popen(["python3", "-c", CLIENT, str(server.ports[0])]) for _ in range(4)]
    looks = 0
    while any(process.poll() is None for process in crowd):
        assert hangs(server, there) == ""
        looks += 1
    assert looks > 1 and not any(process.wait() for process in crowd)


@pytest.fixture
def look(server, watched):
    """The watcher's look at the way, with a gateway that answers always: tells what is lost."""

    def start(**options):
        there = watched(**options)
        answers = SimpleNamespace(answered={}, hear=lambda now: None, stand_still=lambda seconds: None)
        answers.ask = lambda asked: answers.answered.update(dict.fromkeys(asked, time.monotonic()))
        looking, told = server.module.watch.Look(there, echoes=answers), []
        looking.told = SimpleNamespace(tell=lambda now, value, delay: told.append((value, delay)))

        def until(value):
            deadline = time.monotonic() + 10
            begin = time.monotonic()
            while not told or told[-1] != value:
                assert time.monotonic() < deadline, told[-1:]
                looking.at(time.monotonic(), 0.2)
                time.sleep(0.05)
            return time.monotonic() - begin

        return until

    return start


def test_an_address_that_has_left_is_told_at_once(look):
    with addresses("192.0.2.8"):
        until = look(bind="\n    bind 192.0.2.8:8098")
        until(("0", "5s"))
    assert 1.0 < until(("-1000", "0")) < 1.6
    with addresses("192.0.2.8"):
        assert 2.9 < until(("0", "5s")) < 4.0


def test_an_address_of_a_worker_that_is_no_more_is_not_missed(server, look):
    with addresses("192.0.2.8"):
        until = look(bind="\n    bind 192.0.2.8:8098")
        until(("0", "5s"))
        server.kill()
    with pytest.raises(AssertionError, match=r"\('0', '5s'\)"):
        until(("-1000", "0"))


def test_whether_an_address_is_silent_is_as_it_was_seen(haproxy, tmp_path):
    module, directory = haproxy.seen, str(tmp_path)
    assert module.is_silent("192.0.2.8", directory, 1000.0) is False  # nobody watches
    seen, now = module.Seen("192.0.2.8", directory), 1000.0
    for answered, looked, silent in [
        (now, 0, False), (now - 0.2, 0, False), (now - 0.5, 0, True), (now - 29, 0, True),
        (now - 40, 0, False), (0.0, 0, False),  # it never answers
        (now - 0.5, 5, False),  # the watcher stands still
    ]:  # fmt: skip
        seen.tell(now - looked, answered)
        assert module.is_silent("192.0.2.8", directory, now) is silent, (answered - now, looked)
    assert module.is_silent("192.0.2.9", directory, now) is False


@pytest.mark.parametrize("text", ["", "1", "x y", "nan nan", "1 2 3"])
def test_what_makes_no_sense_is_not_silent(haproxy, tmp_path, text):
    (tmp_path / "haproxy_ha-seen-192.0.2.8").write_text(text)
    assert haproxy.seen.is_silent("192.0.2.8", str(tmp_path), 1000.0) is False
