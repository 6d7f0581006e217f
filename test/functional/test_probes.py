"""The probes of `haproxy_ha.verify`, with a real HAProxy on the example's addresses: only in the daemons' container."""

import contextlib
import functools
import http.server
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from haproxy_ha_host import net, probes, waiting
from support.pillars import text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "ip"),
    pytest.mark.skipif(not in_container(), reason="takes addresses: runs in the container that has the daemons"),
]
PRIMARY, APP_1 = valid(), valid(minion_id="app-1")
ANCHOR, PRIVATE = "10.17.1.18", "10.132.20.10"
APPS = ("10.132.20.236", "10.132.20.237")
LISTENING = [(ANCHOR, 80)]


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with the status of its server."""

    def do_GET(self):
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def web_server(address, status=200):
    class Server(http.server.ThreadingHTTPServer):
        allow_reuse_address = True

    server = Server((address, 80), Page)
    server.status = status
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def _addresses():
    with addresses(ANCHOR, PRIVATE, *APPS):
        yield


@pytest.fixture
def apps():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(web_server(address)) for address in APPS]


@contextlib.contextmanager
def running(built, directory):
    """HAProxy with what the formula makes of its configuration."""
    cfg, pid = directory / "haproxy.cfg", directory / "pid"
    cfg.write_text(text_of(built, "haproxy", "/etc/haproxy/haproxy.cfg"), encoding="utf-8")
    Path("/run/haproxy").mkdir(exist_ok=True)
    subprocess.run(["haproxy", "-D", "-f", cfg, "-p", pid], check=True, capture_output=True)
    yield
    for process in pid.read_text(encoding="ascii").split():
        os.kill(int(process), signal.SIGKILL)
    assert waiting.wait_for(lambda: net.connect(ANCHOR, 80) == "refused", 5)


@pytest.fixture
def balancer(apps, tmp_path):
    with running(PRIMARY, tmp_path):
        yield apps


def wrong(made):
    return [(probe["check"], probe["found"]) for probe in made if not probe["result"]]


def test_a_balancer_answers_on_its_anchor_alone(balancer):
    made = probes.balancer_addresses(PRIMARY, LISTENING)
    assert {probe["check"]: probe["expected"] for probe in made} == {
        "127.0.0.1 port 80": "refuses",
        "203.0.113.21 port 80": "refuses",
        f"{PRIVATE} port 80": "refuses",
        f"http://{ANCHOR}:80/": "answers",
    }
    assert wrong(made) == []


def test_a_frontend_that_has_no_page_is_asked_for_none(apps, tmp_path):
    """One for `monitor-uri` alone answers 503 to all else; statistics and a pool that is down are asked."""
    built = valid({
        "haproxy:frontends": {
            "monitor": {"bind": ["private:8081"], "options": ["monitor-uri /alive"]},
            "empty": {"bind": ["private:8082"], "options": ["use_backend down if TRUE"]},
        },
        "haproxy:backends": {"down": {"options": ["server none 127.0.0.1:1"]}},
        "haproxy:stats": {"page": True, "bind": ["private:8083"]},
    })  # fmt: skip
    listening = [*LISTENING, *((PRIVATE, port) for port in (8081, 8082, 8083))]
    with running(built, tmp_path):
        made = probes.balancer_addresses(built, listening)
    assert {probe["check"]: probe["found"] for probe in made if PRIVATE in probe["check"]} == {
        f"{PRIVATE} port 80": "refused",
        f"{PRIVATE} port 8081": "connects",
        f"http://{PRIVATE}:8082/": "503",
        f"http://{PRIVATE}:8083/": "200",
    }
    assert wrong(made) == [(f"http://{PRIVATE}:8082/", "503")]


def test_a_listener_where_none_should_be_is_found(balancer):
    with socket.create_server(("127.0.0.1", 80)):
        assert wrong(probes.balancer_addresses(PRIMARY, LISTENING)) == [("127.0.0.1 port 80", "connects")]


def test_a_balancer_that_does_not_run_is_found(apps):
    assert wrong(probes.balancer_addresses(PRIMARY, LISTENING)) == [(f"http://{ANCHOR}:80/", "refused")]
    [probe], notes = probes.balancer_servers(PRIMARY)
    assert (probe["result"], notes) == (False, [])
    assert "runtime API" in probe["check"]


def test_every_server_that_is_up_gets_its_share(balancer):
    made, notes = probes.balancer_servers(PRIMARY)
    assert (wrong(made), notes) == ([], [])
    [share] = [probe for probe in made if "requests" in probe["check"]]
    assert share["found"] == "app-1 2, app-2 2"
    assert {f"http://{address}:80/" for address in APPS} < {probe["check"] for probe in made}


def test_an_app_server_that_turns_balancers_away_is_found(balancer):
    balancer[1].status = 403
    assert (f"http://{APPS[1]}:80/", "403") in wrong(probes.balancer_servers(PRIMARY)[0])


def test_an_app_server_that_is_down_is_told_and_the_others_share(balancer):
    balancer[1].shutdown()
    balancer[1].server_close()

    def told():
        return probes.balancer_servers(PRIMARY)[1]

    [note] = waiting.wait_for(told, 20, 0.5)
    assert note.startswith("app_pool/app-2 is DOWN (L4CON")
    made, _ = probes.balancer_servers(PRIMARY)
    assert wrong(made) == []
    assert [probe["found"] for probe in made if "requests" in probe["check"]] == ["app-1 2"]


def test_an_app_server_answers_balancers_only():
    with web_server(APPS[0], status=403):
        assert wrong(probes.app_server(APP_1)) == []
    with web_server(APPS[0], status=200):
        assert wrong(probes.app_server(APP_1)) == [(f"http://{APPS[0]}:80/", "200")]
    with web_server("0.0.0.0", status=403):
        assert wrong(probes.app_server(APP_1)) == [("127.0.0.1 port 80", "connects")]


@pytest.mark.parametrize(
    ("active", "running", "results"),
    [
        (["primary"], ["primary", "secondary"], [True, True]),
        (["primary"], ["secondary"], [True, False]),
        ([], ["primary", "secondary"], [False, False]),
        (["primary", "secondary"], ["primary", "secondary"], [False, True]),
    ],
)
def test_the_address_is_where_haproxy_runs(active, running, results):
    assert [probe["result"] for probe in probes.agreement({"FloatIP": active}, running)] == results


def test_each_of_several_addresses_is_somewhere_and_haproxy_runs_there():
    checks = probes.agreement({"FloatIP-mail": ["secondary"], "FloatIP-web": ["primary"]}, ["primary"])
    assert [(check["check"], check["result"]) for check in checks] == [
        ("nodes with the floating IP mail", True), ("nodes with the floating IP web", True),
        ("HAProxy on the active nodes", False),
    ]  # fmt: skip


def test_probes_are_made_at_the_same_moment():
    """Each goes on only once all have begun; a probe that nobody answers would otherwise hold up the next one."""
    together = threading.Barrier(8, timeout=10)
    assert sorted(probes.all_of([together.wait] * 8)) == list(range(8))


def test_whether_a_machine_is_at_an_address_is_known_or_not():
    """Nobody says that an address is his; or somebody does, and nothing more, as behind a firewall."""
    run = functools.partial(subprocess.run, check=True)
    run(["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"])
    try:
        for name in ("near", "far"):
            run(["ip", "link", "set", name, "up"])
        run(["ip", "address", "add", "198.51.100.1/24", "dev", "near"])
        run(["ip", "neighbour", "add", "198.51.100.3", "lladdr", "02:00:00:00:00:03", "dev", "near"])
        found = probes.all_of(functools.partial(net.answers, f"198.51.100.{host}", 4.0) for host in (1, 2, 3))
        assert found == [True, False, None]
    finally:
        run(["ip", "link", "delete", "near"])
