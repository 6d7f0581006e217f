"""What the agent haproxy says of a real HAProxy, well and ill, in each of the ways that people run and configure it."""

import contextlib
import os
import socket
import subprocess
import time

import pytest

from haproxy_ha_lib.haproxy import cfg
from support import haproxies
from support.haproxies import CLIENT, LUA, HAProxy, shut_listener
from support.place import addresses, in_container, requires_tools

OK, GENERIC, DEGRADED = 0, 1, 190

pytestmark = [requires_tools("haproxy", "ss", "ip"), pytest.mark.skipif(not in_container(), reason="needs the tools")]


@pytest.fixture
def server(haproxy, tmp_path):
    server = HAProxy(haproxy, tmp_path)
    yield server
    server.close()


@pytest.fixture(params=list(haproxies.WAYS))
def each(request, server):
    """A HAProxy in each of the ways."""
    server.way = request.param
    return server


def test_a_question_leaves_no_trace(each):
    """No connection to a listener, hence no log line, no request, and nothing at the server behind."""
    each.start()
    while True:  # what the start itself logged
        try:
            each.log.recv(4096)
        except TimeoutError:
            break
    for _ in range(3):
        assert each.judge() == (OK, "")
    with pytest.raises(TimeoutError):
        each.log.recv(4096)
    with pytest.raises(TimeoutError):
        each.app.accept()
    rows = each.ask("show stat").splitlines()
    columns = rows[0].split(",")
    fronts = [row.split(",") for row in rows if ",FRONTEND," in row]
    assert [front[columns.index("conn_tot")] for front in fronts] == ["0", "0"]


def test_without_a_stats_socket(each):
    """That nothing can be asked is no reason to be shown."""
    each.write()
    text = each.config.read_text().replace("stats socket", "# stats socket")
    each.config.write_text(text)
    each.run()
    assert each.judge() == (OK, "")
    for port in each.ports[:2]:
        shut_listener(port)
    assert each.judge()[0] == GENERIC


def test_a_stopped_worker(each):
    each.start()
    with each.stopped():
        begin = time.monotonic()
        assert each.judge() == (GENERIC, f"HAProxy is stopped by a signal: process {each.worker}")
        assert time.monotonic() - begin < 1  # the answer_timeout: it is not asked
    assert each.until(OK)[1] == ""


def test_a_stopped_master_does_not_condemn_the_worker_that_serves(server):
    """A second way to the worker tells how it is; without one it is seen at work."""
    server.start()
    with server.stopped(server.process.pid):
        assert server.judge(timeout="300ms") == (OK, "")
        server.config.write_text(server.config.read_text().replace("stats socket", "# stats socket"))
        code, reason = server.judge(timeout="300ms")
        assert (code, "master is stopped by a signal" in reason) == (DEGRADED, True)


def test_a_worker_that_is_gone(each):
    each.start()
    each.kill()
    assert each.judge() == (GENERIC, "HAProxy has no process that serves")


def test_listeners_that_are_gone(each):
    """HAProxy, which shares them with other processes, takes them for paused as soon as it notices."""
    each.start()
    assert each.judge() == (OK, "")
    for port in each.ports[:2]:
        shut_listener(port)
    for _ in range(3):
        code, reason = each.judge()
        assert (code, reason.startswith("nothing listens any more on 127.0.0.1:")) == (GENERIC, True)


def test_a_listener_that_is_gone_beside_another_one(each):
    """It is shown, at the least: nobody can tell it from one that a person has paused."""
    each.start()
    assert each.judge() == (OK, "")
    shut_listener(each.ports[0])
    assert each.until(DEGRADED)[1].startswith("closed by hand: frontend http")


def test_what_only_this_machine_can_reach_is_no_listener_for_clients(server):
    """Statistics on the loopback stay, and the listener for clients is gone."""
    with addresses("192.0.2.8"):
        server.start(bind="\n    bind 192.0.2.8:8098")
        assert server.judge() == (OK, "")
        shut_listener(8098)
        assert server.judge() == (GENERIC, "nothing listens any more on 192.0.2.8:8098")


@pytest.mark.parametrize(("command", "back"), [("disable", "enable"), ("shutdown", None)])
def test_a_frontend_that_somebody_has_closed(server, command, back):
    server.start()
    assert server.judge() == (OK, "")
    server.ask(f"{command} frontend http")
    code, reason = server.judge()
    assert (code, reason.startswith("closed by hand: frontend http")) == (DEGRADED, True)
    if back:
        server.ask(f"{back} frontend http")
        assert server.judge() == (OK, "")


@pytest.mark.parametrize("frontend", [cfg.METRICS, cfg.STATS])
def test_a_frontend_for_operators_is_none_for_clients(frontend, server):
    """It neither stands in for the others nor is missed."""
    server.write()
    more = f"frontend {frontend}\n bind 127.0.0.1:8097\n maxconn 1\n"
    server.config.write_text(server.config.read_text() + more)
    server.run()
    assert server.judge() == (OK, "")
    with socket.create_connection(("127.0.0.1", 8097)):
        server.ask(f"disable frontend {frontend}")
        assert server.judge() == (OK, "")
        server.ask(f"enable frontend {frontend}")
        for name in ("http", "tcp"):
            server.ask(f"disable frontend {name}")
        assert server.judge() == (GENERIC, "no frontend takes clients: http, tcp closed by hand")


def test_a_proxy_that_the_configuration_disables_is_no_news(server):
    server.write()
    server.config.write_text(server.config.read_text() + "frontend off\n disabled\n bind 127.0.0.1:1\n")
    server.run()
    assert server.judge() == (OK, "")


def test_a_haproxy_all_of_whose_frontends_are_closed(server):
    """No client can reach it, whoever wanted that: for a pause of everything there is the cluster's maintenance."""
    server.start()
    assert server.judge() == (OK, "")
    for name in ("http", "tcp"):
        server.ask(f"disable frontend {name}")
    assert server.judge()[0] == GENERIC


def test_a_haproxy_that_was_closed_before_the_agent_came(server):
    server.start()
    for name in ("http", "tcp"):
        server.ask(f"disable frontend {name}")
    assert server.judge() == (GENERIC, "no frontend takes clients: http, tcp closed by hand")


def test_backends_without_a_server(server):
    server.app.close()
    server.start(check="check inter 100ms fall 1")
    assert server.until(DEGRADED) == (DEGRADED, "no server is up in app_pool (see haproxy_ha.overview)")


def test_a_frontend_that_is_full(server):
    server.start(limit="maxconn 4")
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(6)]
    assert server.until(DEGRADED)[1].startswith("frontend http is at its limit of 4 connections (raise maxconn")
    for connection in crowd:
        connection.close()


def test_a_listener_that_is_full_by_its_own_limit(server):
    server.start(bind=" maxconn 2")
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(4)]
    assert server.judge() == (OK, "")
    for connection in crowd:
        connection.close()


def test_a_full_haproxy(server):
    server.start(maxconn=10)
    crowd = [socket.create_connection(("127.0.0.1", server.ports[0])) for _ in range(12)]
    assert server.until(DEGRADED)[1].startswith("HAProxy is at its limit of 10 connections (raise maxconn")
    for connection in crowd:
        connection.close()


def test_a_cli_that_others_use_up(each):
    """10 connections are all that it takes; the worker waits for events meanwhile, so it lives."""
    each.start()
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(14)]
    for connection in crowd:
        connection.connect(each.admin)
    code, reason = each.judge(timeout="300ms")
    assert (code, "does not answer" in reason) == (DEGRADED, True)
    with each.stopped():
        assert each.judge(timeout="300ms")[0] == GENERIC
    for connection in crowd:
        connection.close()
    assert each.until(OK)[1] == ""


def test_an_address_that_has_left_while_others_use_up_the_cli(each):
    with addresses("192.0.2.8"):
        each.start(bind="\n    bind 192.0.2.8:8098")
        assert each.judge() == (OK, "")
    crowd = [socket.socket(socket.AF_UNIX) for _ in range(14)]
    for connection in crowd:
        connection.connect(each.admin)
    assert each.judge(timeout="300ms") == (GENERIC, "this machine has no longer the address of 192.0.2.8:8098")
    for connection in crowd:
        connection.close()


def test_a_worker_all_of_whose_threads_turn_in_a_circle(each):
    """HAProxy's own watchdog ends it soon after; until then it hangs."""
    script = each.directory / "turn.lua"
    script.write_text(LUA)
    each.start(more=f"lua-load {script}", limit="http-request set-var(txn.x) lua.turn")
    assert each.judge() == (OK, "")
    worker = each.worker
    with socket.create_connection(("127.0.0.1", each.ports[0])) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        code, reason = each.judge(timeout="200ms")
    assert code == GENERIC
    assert reason.startswith((f"HAProxy hangs: process {worker} does not answer on ", "HAProxy has no process"))


def test_a_worker_all_of_whose_threads_are_blocked_in_a_call(each):
    """They use no CPU: HAProxy's own watchdog does not see it."""
    script, fifo = each.directory / "block.lua", each.directory / "block"
    os.mkfifo(fifo)
    script.write_text(f'core.register_action("block", {{"http-req"}}, function() io.open("{fifo}") end)')
    each.start(more=f"lua-load-per-thread {script}", limit="http-request lua.block if { path /block }")
    assert each.judge() == (OK, "")
    worker = each.worker
    with contextlib.ExitStack() as stack:
        for _ in range(16 * os.cpu_count()):
            asked = stack.enter_context(socket.create_connection(("127.0.0.1", each.ports[0])))
            asked.sendall(b"GET /block HTTP/1.0\r\n\r\n")
        code, reason = each.until(GENERIC)
    assert reason.startswith(f"HAProxy hangs: process {worker} does not answer on ")


def test_a_worker_at_work_under_load_is_asked_in_time(server):
    """Overload is no hang: its CLI answers, or it is seen at work."""
    server.start(limit="http-request return status 200", maxconn=2000)
    crowd = [subprocess.Popen(["python3", "-c", CLIENT, str(server.ports[0])]) for _ in range(4)]
    looks = 0
    while any(process.poll() is None for process in crowd):
        assert server.judge()[0] in (OK, DEGRADED)
        looks += 1
    assert looks > 1
    assert not any(process.wait() for process in crowd)


def test_an_address_that_has_left_this_machine(each):
    """HAProxy keeps the socket, so that only who asks for the address notices."""
    with addresses("192.0.2.8", "2001:db8::8"):
        each.start(bind="\n    bind 192.0.2.8:8098\n    bind [2001:db8::8]:8098")
        assert each.judge() == (OK, "")
    expected = "this machine has no longer the address of 192.0.2.8:8098, [2001:db8::8]:8098"
    code, reason = each.judge()
    assert (code, sorted(reason.replace(",", "").split())) == (GENERIC, sorted(expected.replace(",", "").split()))
    with addresses("192.0.2.8", "2001:db8::8"):
        assert each.judge() == (OK, "")


def test_a_failure_that_a_slow_look_has_found_is_looked_at_again(server):
    """As of a worker that answers late, and has given its listeners to the next one meanwhile."""
    verdict, env = server.module.verdict, server.environment()
    slowly = [verdict.Verdict(GENERIC, "nothing listens any more", verdict.MOMENT), verdict.Verdict(OK, "")]

    def look(env):
        time.sleep(2 * verdict.MOMENT)
        return slowly.pop(0)

    assert verdict.lasting(env, look).code == OK


def test_an_address_that_is_back_soon_as_when_a_network_service_reloads(server):
    looks = []
    with addresses("192.0.2.8"):
        server.start(bind="\n    bind 192.0.2.8:8098")
        assert server.judge() == (OK, "")
    env = server.environment()

    def look(env):
        looks.append(server.module.verdict.judge(env, server.process.pid, server.module.worker.Known(env, "haproxy")))
        if len(looks) == 5:
            subprocess.run(["ip", "address", "add", "192.0.2.8/32", "dev", "lo"], check=True)
        return looks[-1]

    try:
        assert server.module.verdict.lasting(env, look).code == OK
    finally:
        subprocess.run(["ip", "address", "del", "192.0.2.8/32", "dev", "lo"], check=True)
    begin = time.monotonic()
    assert server.module.verdict.lasting(env, look).code == GENERIC
    assert 1.0 < time.monotonic() - begin < 3


@pytest.mark.parametrize("bind", ["192.0.2.7:8099 transparent", "[2001:db8::7]:8099 transparent"])
def test_a_listener_on_an_address_that_floats(server, bind):
    """A virtual IP, which the standby listens on too."""
    server.start(bind=f"\n    bind {bind}")
    assert server.judge() == (OK, "")
    shut_listener(8099)
    assert server.judge()[0] == GENERIC


def test_an_address_that_only_a_route_makes_local(server):
    """As in front of a firewall: `ip route add local`."""
    route = ["local", "198.51.100.0/24", "dev", "lo"]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", *route], check=True)
    try:
        server.start(bind="\n    bind 198.51.100.7:8097")
        assert server.judge() == (OK, "")
    finally:
        subprocess.run(["ip", "route", "del", *route], check=True)
    assert server.judge() == (GENERIC, "this machine has no longer the address of 198.51.100.7:8097")


def test_an_interface_that_is_gone(server):
    with interface("test7", "192.0.2.70", "fe80::70"):
        server.start(bind="\n bind 192.0.2.70:8071\n bind fe80::70:8072 interface test7\n bind :8073 interface test7")
        assert server.until(OK) == (OK, "")
    code, reason = server.judge()
    assert (code, reason.startswith("this machine has no longer the address of ")) == (GENERIC, True)
    assert "192.0.2.70:8071" in reason


class interface:  # noqa: N801 - a context manager, used as a function
    """An interface of its own with some addresses."""

    def __init__(self, name, *addresses):
        self.name, self.addresses = name, addresses

    def __enter__(self):
        self.ip("link", "add", self.name, "type", "veth", "peer", f"{self.name}-peer")
        self.ip("link", "set", self.name, "up")
        for address in self.addresses:
            network = [f"{address}/64", "nodad"] if ":" in address else [f"{address}/24"]
            self.ip("address", "add", *network, "dev", self.name)

    def __exit__(self, *_):
        self.ip("link", "del", self.name)

    @staticmethod
    def ip(*words):
        subprocess.run(["ip", *words], check=True)


def test_what_is_saved_and_not_loaded_is_nobody_s_business(each):
    """A dot forgotten, which HAProxy accepts; a file that is gone; one that is no text."""
    each.start()
    for text in ("frontend x\n bind 10.17.1118:80\n", "", "\x00\xff", None):
        if text is None:
            each.config.unlink()
        else:
            each.config.write_text(text, errors="surrogateescape")
        code, reason = each.judge()
        assert (code, reason) == (OK, "")


def test_a_reload_is_learnt_anew(server):
    server.start()
    assert server.judge() == (OK, "")
    old = server.worker
    text = server.config.read_text()
    server.config.write_text(text.replace(f":{server.ports[1]}", f":{server.ports[1]},127.0.0.1:8096"))
    server.process.send_signal(12)  # SIGUSR2
    deadline = time.monotonic() + 5
    while server.worker in (old, None):
        assert time.monotonic() < deadline, server.said.read_text()
        time.sleep(0.02)
    assert server.until(OK)[1] == ""
    shut_listener(8096)
    assert server.judge()[0] == GENERIC


def test_a_reload_without_a_cli_that_takes_a_listener_away(server):
    """What the worker before listened on is nothing to the new one."""
    server.way = "workers"
    server.write(bind=",127.0.0.1:8096")
    server.config.write_text(server.config.read_text().replace("stats socket", "# stats socket"))
    server.run()
    assert server.judge() == (OK, "")
    old = server.worker
    server.config.write_text(server.config.read_text().replace(",127.0.0.1:8096", ""))
    server.process.send_signal(12)  # SIGUSR2
    deadline = time.monotonic() + 5
    while server.worker in (old, None):
        assert time.monotonic() < deadline, server.said.read_text()
    looks = {server.judge() for _ in range(200)}
    assert looks == {(OK, "")}


def test_a_reload_that_fails_leaves_the_old_worker(server):
    server.start()
    assert server.judge() == (OK, "")
    server.config.write_text("frontend x\n bnd :1\n")
    old = server.worker
    server.process.send_signal(12)
    deadline = time.monotonic() + 5
    while "failed: 1" not in server.show_proc():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (server.judge(), server.worker) == ((OK, ""), old)


def test_a_haproxy_that_is_about_to_end(server):
    """Only old connections are served; nobody new gets in."""
    server.start()
    assert server.judge() == (OK, "")
    with socket.create_connection(("127.0.0.1", server.ports[1])):
        assert server.until(OK)[1] == ""
        server.process.send_signal(10)  # SIGUSR1
        assert server.until(GENERIC)[0] == GENERIC


# What HAProxy documents a bind to be. Each is well, and each is ill when its worker is stopped or its listener shut.

BINDS = [
    "localhost:8404", "127.1:8404", "127.0.1:8404", "2130706433:8404", "0x7f.1:8404", "127.0.0.1:8404",
    "*:8404", ":8404", "0.0.0.0:8404", "0:8404", "ipv4@:8404", "ipv4@*:8404", "ipv4@127.0.0.1:8404",
    "tcp@127.0.0.1:8404", "tcp4@127.0.0.1:8404", "tcp6@::1:8404", "ipv6@:8404", "ipv6@::1:8404", "[::1]:8404",
    "::1:8404", ":::8404", "[::]:8404", ":::8404 v6only", ":::8404 v4v6", "[::ffff:127.0.0.1]:8404 v4v6",
    "127.0.0.1:8404-8406", "127.0.0.1:8404,127.0.0.1:8405", ":8404,[::1]:8405", ":8404-8405,:8407",
    '"127.0.0.1:8404"', "'127.0.0.1:8404'", "127.0.0.1:84\\04", '"${ADDRESS-127.0.0.1}:8404"', "127.0.0.1:8404 # here",
    "127.0.0.1:8404 name web id 7", "127.0.0.1:8404 interface lo", ":8404 interface lo", "127.0.0.1:8404 mss 1200",
    "127.0.0.1:8404 maxconn 3 backlog 5", "127.0.0.1:8404 nice 10", "127.0.0.1:8404 accept-proxy",
    "127.0.0.1:8404 accept-netscaler-cip 1", "127.0.0.1:8404 defer-accept", "127.0.0.1:8404 tfo",
    "127.0.0.1:8404 transparent", "192.0.2.99:8404 transparent", "127.0.0.1:8404 tcp-ut 5s",
    "127.0.0.1:8404 shards 2", "127.0.0.1:8404 shards by-thread", "127.0.0.1:8404 thread 1",
    "127.0.0.1:8404 proto h2", "127.0.0.1:8404 ssl crt {pem}", "127.0.0.1:8404 ssl crt {pem} alpn h2,http/1.1",
    "127.0.0.1:8404 ssl crt {pem} ca-file {pem} verify required",
    "127.0.0.1:8404 ssl crt {pem} strict-sni accept-proxy",
    "unix@{directory}/front.sock", "{directory}/front.sock", "unix@{directory}/front.sock mode 666 accept-proxy",
    "abns@haproxy-test-front", "127.0.0.1:8404\n    bind unix@{directory}/front.sock",
    "127.0.0.1:8404\n    bind abns@haproxy-test-front accept-proxy", "127.0.0.1:8404\n    bind [::1]:8404",
]  # fmt: skip

# What stands around a bind, or in its place. {} is where it stands.
PLACES = {
    "a frontend": "frontend f\n    bind {}\n    http-request return status 200\n",
    "a listen in TCP mode": "listen f\n    mode tcp\n    bind {}\n    server s 127.0.0.1:9\n",
    "a block that no version reads": "frontend f\n    bind {}\n.if version_atleast(99)\n    bind 127.0.0.1:1\n.endif\n"
    "    http-request return status 200\n",
    "a block that each version reads": "frontend f\n.if version_atleast(2.0)\n    bind {}\n.else\n    bind :1\n.endif\n"
    "    http-request return status 200\n",
    "a disabled proxy beside it": "frontend f\n    bind {}\n    http-request return status 200\n"
    "frontend off\n    bind 127.0.0.1:1\n    disabled\n",
    "named defaults": "defaults named\n    mode tcp\n    timeout client 5s\n    timeout connect 5s\n"
    "    timeout server 5s\nlisten f from named\n    bind {}\n    server s 127.0.0.1:9\n",
    "rules that drop all": "frontend f\n    mode tcp\n    bind {}\n    tcp-request connection silent-drop\n"
    "    tcp-request inspect-delay 5s\n    default_backend b\nbackend b\n    mode tcp\n    server s 127.0.0.1:9\n",
    "peers": "peers p\n    bind {}\n    server local\n    server other 127.0.0.1:9\n",
    "statistics": "frontend f\n    bind {}\n    stats enable\n    stats uri /\n    stats auth admin:word\n",
    "a log relay": "ring r\n    size 1000000\n    server s 127.0.0.1:9\n"
    "log-forward f\n    bind {}\n    log ring@r local0\n",
}
GLOBAL = """\
global
    {stats}
    localpeer local
    maxconn 500
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
"""
SHAPES = [("a frontend", bind) for bind in BINDS] + [(place, "127.0.0.1:8404") for place in list(PLACES)[1:]]


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate with its key."""
    path = tmp_path_factory.mktemp("tls") / "one.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-out", path, "-keyout", f"{path}.key"], check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_name("one.pem.key").read_text())
    return path


# Without a CLI, which costs a second each, some are enough.
TRIED = [(*shape, True) for shape in SHAPES] + [(*shape, False) for shape in SHAPES[::5]]


@pytest.mark.parametrize(("place", "bind", "stats"), TRIED, ids=[", ".join(map(str, shape)) for shape in TRIED])
def test_each_way_to_write_a_bind_is_well_and_ill_as_it_is(server, pem, place, bind, stats):
    bind = bind.replace("{pem}", str(pem)).replace("{directory}", str(server.directory))
    text = PLACES[place].replace("{}", bind)
    server.config.write_text(GLOBAL.format(stats=f"stats socket {server.admin} level admin" if stats else "") + text)
    if not stats:
        server.way = "workers"
    done = subprocess.run(["haproxy", "-c", "-f", server.config], capture_output=True, text=True)
    if "unknown keyword" in done.stderr:
        pytest.skip(f"this HAProxy knows no such bind: {done.stderr}")
    assert done.returncode == 0, done.stderr
    server.run()
    for _ in range(2):
        assert server.judge() == (OK, "")
    with server.stopped():
        assert server.judge()[0] == GENERIC
    assert server.until(OK)[1] == ""
    mine = server.module.worker.Known(server.environment(), "haproxy").listeners.values()
    tcp = not bind.startswith(("unix@", "abns@", "/")) or "\n" in bind
    assert bool(mine) is tcp
    for port in {one.port for one in mine}:
        shut_listener(port)
    assert server.judge()[0] == (GENERIC if mine else OK)
