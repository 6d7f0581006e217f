"""Verdicts on a running pair under traffic: binds written in ways that only HAProxy understands, a slip in a file that
nobody has loaded, a server that waits for its client, a systemd that does not answer; TLS to servers."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
import yaml

from lab import audit, formula, outcome, salt
from lab.cloud import REPOSITORY
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import APP_SERVERS, BALANCERS, HOSTS
from lab.traffic import probe

# Minutes; what they hold is held by functional tests, too.
pytestmark = pytest.mark.slow
TWO_MONITORS = 10.5  # seconds: one that finds nothing new is told nowhere
CFG = "/etc/haproxy/haproxy.cfg"
# What a bind is, only HAProxy can say.
BINDS = ["bind localhost:8404", "bind 127.1:8084", ".if version_atleast(9.0)", "bind 10.99.99.99:81", ".endif"]
# A program of the test's own on an app server; it ends with the test.
PROGRAM = """
import os, socket, ssl, sys, threading, time
def end():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=end, daemon=True).start()
"""
# Waits for its client, as databases do, and tells what it heard.
DATABASE = PROGRAM + """
server = socket.create_server((sys.argv[1], 5432))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    print("asked", flush=True)
    connection.settimeout(5)
    try:
        if heard := connection.recv(4096):
            print("heard", heard, flush=True)
    except OSError:
        pass
    connection.close()
"""
# Answers in the clear and by TLS on one port, and tells which it was, and when.
BOTH_WAYS = PROGRAM + """
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/both.pem")
def answer(connection):
    try:
        connection.settimeout(10)
        tls = connection.recv(1, socket.MSG_PEEK) == b"\\x16"
        if tls:
            connection = context.wrap_socket(connection, server_side=True)
        if connection.recv(65536):
            print("tls" if tls else "clear", time.time(), flush=True)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    except OSError:
        pass
    finally:
        connection.close()
server = socket.create_server((sys.argv[1], 8443), backlog=512)
print("ready", flush=True)
while True:
    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
"""


def tree() -> dict:
    return yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]


def apply(settings: dict) -> None:
    """The pillar, on both balancers at the same moment."""
    salt.set_pillar(yaml.safe_dump({"haproxy_ha": settings}, sort_keys=False))
    assert outcome.failed(salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))) == []


@pytest.fixture
def pair(active):
    """The active balancer; the example is back after the test."""
    yield active
    formula.set_pillar()
    formula.apply(target=",".join(BALANCERS))
    audit.settle()


@contextlib.contextmanager
def serving(host: str, program: str) -> Iterator[list[str]]:
    """A server of the test's own on a host's private address; the lines that it has printed, after the block."""
    argv = machine(host).command("python3", "-c", program, HOSTS[host].private)
    heard: list[str] = []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        reader = threading.Thread(target=lambda: heard.extend(process.stdout), daemon=True)
        reader.start()
        try:
            yield heard
        finally:
            process.stdin.close()
            reader.join(10)


def failures() -> list[str]:
    return [reason for name in BALANCERS for reason in audit.reasons(name)]


def test_whatever_a_bind_is_no_monitor_fails_and_no_listener_is_asked(pair):
    """V1, V2, V4."""
    settings = tree()
    settings["haproxy"] = {
        "sections": {"defaults long": ["mode tcp", "log global", "timeout connect 5s", "timeout client 1h",
                                       "timeout server 1h"]},
        "frontends": {"http": {"options": BINDS}},
        "listens": {"database": {"from": "long", "bind": ["private:5432"], "servers": ["app-1"], "port": 5432}},
    }
    with probe(20) as record, serving("app-1", DATABASE) as heard:
        apply(settings)
        time.sleep(TWO_MONITORS)
    assert record.failed == []
    assert failures() == []
    assert audit.active() == pair
    assert set(heard) == {"asked\n"}  # by HAProxy's check, which says nothing


def test_a_slip_in_a_file_that_is_not_loaded_changes_nothing_and_a_stop_succeeds(pair):
    """V3."""
    passive = audit.passive_of(pair)
    with probe(20) as record:
        for name in BALANCERS:
            target = machine(name)
            target.run("sed", "--in-place", f"s/bind {HOSTS[name].anchor}:80/bind 10.17.1118:80/", CFG)
            assert "10.17.1118:80" in target.read(CFG)
        time.sleep(TWO_MONITORS)
        assert failures() == []
        machine(passive).run("salt-call", "--local", "pacemaker.standby")
        wait_for("HAProxy to stop", lambda: not running(passive), 20, 0.1)
        assert failures() == []
        salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))  # it mends the files
        machine(passive).run("salt-call", "--local", "pacemaker.online")
        assert audit.settle() == pair
    assert record.failed == []


def running(name: str) -> bool:
    return machine(name).run("pgrep", "--exact", "haproxy", check=False).returncode == 0


def test_a_stop_succeeds_though_systemd_does_not_answer(pair):
    """V5."""
    passive = audit.passive_of(pair)
    target = machine(passive)
    target.write("/usr/local/sbin/systemctl", "#!/bin/sh\nexec sleep 300\n", 0o755)
    try:
        with probe(20) as record:
            target.run("crm_standby", "--node", passive, "--update", "on")
            wait_for("HAProxy to stop", lambda: not running(passive), 60, 0.2)
            assert failures() == []
    finally:
        (target.root / "usr/local/sbin/systemctl").unlink()
        target.run("crm_standby", "--node", passive, "--delete")
    audit.settle()
    assert record.failed == []


def test_tls_to_the_servers_counts_when_the_run_ends(pair):
    """S1: servers that were up in the clear, and then by TLS, under traffic."""
    for name in APP_SERVERS:
        machine(name).run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "9", "-subj", "/CN=app", "-out", "/root/crt", "-keyout", "/root/key",
        )  # fmt: skip
        machine(name).run("sh", "-c", "cat /root/crt /root/key > /root/both.pem")
    settings = tree()
    settings["haproxy"] = {"backends": {"app_pool": {"port": 8443}}}
    with contextlib.ExitStack() as stack:
        heard = [stack.enter_context(serving(name, BOTH_WAYS)) for name in APP_SERVERS]
        apply(settings)
        with probe(20) as record:
            settings["haproxy"]["backends"]["app_pool"]["options"] = ["default-server ssl verify none"]
            apply(settings)
            ended = time.time()
            time.sleep(2)
    assert record.failed == []
    said = [line.split() for lines in heard for line in lines]
    assert {way for way, _ in said} == {"clear", "tls"}
    assert {way for way, at in said if float(at) > ended} == {"tls"}
