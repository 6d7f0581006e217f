"""Configurations as people post them (posted.yaml), rendered and installed by the formula and run by HAProxy: what the
agent says of them well, and of each of them ill."""

import contextlib
import csv
import http.server
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from haproxy_ha_host import waiting
from haproxy_ha_lib.files import layout
from haproxy_ha_lib.settings import build
from support import posted
from support.certificates import self_signed
from support.haproxies import shut_listener
from support.pillars import DEFAULTS, rendered
from support.place import addresses, in_container, requires_tools

OK, GENERIC, DEGRADED = 0, 1, 190

pytestmark = [
    requires_tools("haproxy", "openssl", "ss", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]

HAPROXY = Path("/etc/haproxy")
MASTER = "/run/haproxy-master.sock"  # as Debian's unit has it
ADMIN = "/run/haproxy/admin.sock"
ANCHOR, PRIVATE = "10.17.1.18", "10.132.20.10"
OWN = [ANCHOR, PRIVATE]
APPS, APP_PORT = ["10.132.20.236", "10.132.20.237"], 18080


class Page(http.server.BaseHTTPRequestHandler):
    """What nginx does on the app servers."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """A check ends its connection when it knows enough."""


@pytest.fixture(scope="module", autouse=True)
def _machines():
    """The addresses of a load balancer, and two app servers that answer."""
    with addresses(*OWN, *APPS), contextlib.ExitStack() as stack:
        for address in APPS:
            server = Server((address, APP_PORT), Page)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        yield


@pytest.fixture(scope="module", autouse=True)
def _as_before(tmp_path_factory):
    """/etc/haproxy is afterwards as it was."""
    kept = tmp_path_factory.mktemp("kept") / "haproxy"
    shutil.copytree(HAPROXY, kept)
    Path("/run/haproxy").mkdir(exist_ok=True)
    yield
    shutil.rmtree(HAPROXY)
    shutil.copytree(kept, HAPROXY)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "www.example.com"))


class Running:
    """A HAProxy as Debian's unit runs it, with the configuration that is installed."""

    def __init__(self, module, directory):
        self.module, self.directory, self.process = module, directory, None

    def start(self):
        Path(ADMIN).unlink(missing_ok=True)
        self.said = (self.directory / "said").open("w+")
        # One processor makes one thread, unless the configuration wants more; ahead of others it gets its time.
        place = ["prlimit", "--nofile=20000:20000", "nice", "-n", "-15", "taskset", "--cpu-list", "0"]
        command = ["haproxy", "-Ws", "-f", HAPROXY / "haproxy.cfg", "-S", MASTER]
        self.process = subprocess.Popen([*place, *command], stderr=self.said, stdin=subprocess.DEVNULL)
        assert waiting.wait_for(self.answers_or_ended, 10, 0.02) is True, self.words()

    def answers_or_ended(self):
        return "Pid:" in self.by_master("@1 show info") or (self.process.poll() is not None and "ended")

    def words(self):
        self.said.seek(0)
        return self.said.read()

    def kill(self):
        """The end of all its processes."""
        main = self.process.pid
        while worker := self.module.worker.serving(main):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            os.kill(main, signal.SIGKILL)
            self.process.wait()
            assert waiting.wait_for(lambda pid=worker.pid: not self.module.worker.process(pid), 5, 0.01)
        self.process.wait()

    def by_master(self, *commands):
        """What the worker says, by way of the master; empty while nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(MASTER)
                connection.sendall("".join(f"{command}\n" for command in commands).encode())
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return ""

    def backends_down(self):
        """HAProxy's own word, read by another reader than the agent's."""
        rows = csv.DictReader(self.by_master("@1 show stat -1 2 -1").lstrip("# ").splitlines())
        return {row["pxname"] for row in rows if row["svname"] == "BACKEND" and row["status"].startswith("DOWN")}

    @contextlib.contextmanager
    def busy(self):
        """All its threads turn in a circle, as in a filter that does not end; its CLI has a command for that."""
        with contextlib.ExitStack() as stack:
            for path in (MASTER, *[ADMIN] * 8):
                if path != ADMIN or os.path.exists(ADMIN):
                    connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connection.connect(path)
                    worker = "@1 " if path == MASTER else ""
                    connection.sendall(f"expert-mode on\n{worker}debug dev loop 1500\n".encode())
                    time.sleep(0.05)
            yield

    def listens_on(self, port):
        return any(one.port == port for one in self.module.listeners.table().values())

    def environment(self):
        environ = {
            "HA_RSCTMP": str(self.directory), "OCF_RESOURCE_INSTANCE": "haproxy",
            "OCF_RESKEY_config": str(HAPROXY / "haproxy.cfg"), "OCF_RESKEY_answer_timeout": "300ms",
            "OCF_RESKEY_CRM_meta_timeout": "20000", "OCF_RESKEY_CRM_meta_interval": "5000",
        }  # fmt: skip
        return self.module.agent.Environment(self.module.DESCRIPTION, environ, "monitor")

    def judge(self):
        """One look: (code, reason)."""
        env = self.environment()
        known = self.module.worker.Known(env, "haproxy")
        return self.module.verdict.judge(env, self.process.pid, known)[:2]

    def is_well(self):
        """Whether it is well, and what is shown is true."""
        before = self.backends_down()
        code, reason = self.judge()
        after = self.backends_down()
        if code == OK:
            return reason == "" and not before & after
        head, _, named = reason.partition(" (")[0].partition("no server is up in ")
        return (code, head) == (DEGRADED, "") and before & after <= set(named.split(", ")) <= before | after

    def is_mended(self):
        return waiting.wait_for(self.is_well, 10, 0.05)


@pytest.fixture
def running(haproxy, tmp_path):
    running = Running(haproxy, tmp_path)
    yield running
    if running.process:
        running.kill()


@pytest.fixture(params=list(posted.CONFIGURATIONS))
def name(request, pem):
    """The name of a configuration whose files are in their places."""
    tree = posted.pillar(request.param, pem)
    for app in ("app-1", "app-2"):  # a listener on every address would be in their way
        tree["app_servers"][app]["port"] = APP_PORT
    made = build.settings(tree, "primary", DEFAULTS)
    assert made.errors == []
    texts = posted.files(request.param)
    entries = layout.daemon_files(made, build.secrets(tree))["haproxy"]
    texts = {**texts, **{path: rendered(entry) for path, entry in entries.items() if entry}}
    for path, text in texts.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    return request.param


def connects(place):
    with contextlib.suppress(OSError), socket.create_connection(place, 2):
        return True
    return False


def test_what_people_post_is_well_and_ill_as_it_is(name, running):
    running.start()
    wanted = posted.listens(name)
    assert [place for place in wanted if not connects(place)] == []
    for _ in range(2):
        assert running.is_well(), running.judge()
    stopped(running)
    without_its_address(running)
    without_listeners(running, wanted)


@pytest.mark.slow
def test_what_people_post_with_all_its_threads_in_a_circle(name, running):
    running.start()
    assert running.is_well(), running.judge()
    with running.busy():
        # On a machine that has no time for it, a first look may not tell yet.
        found = waiting.wait_for(lambda: (said := running.judge())[0] == GENERIC and said, 8, 0.01)
        assert found and found[1].startswith("HAProxy hangs: "), (found, running.judge())
    running.kill()
    running.start()
    assert running.is_mended(), running.judge()


def stopped(running):
    """Its worker is stopped by a signal."""
    worker = running.module.worker.serving(running.process.pid).pid
    os.kill(worker, signal.SIGSTOP)
    try:
        of_the_agent = running.module.worker
        assert waiting.wait_for(lambda: of_the_agent.is_stopped(of_the_agent.process(worker)), 2, 0.01)
        assert running.judge() == (GENERIC, f"HAProxy is stopped by a signal: process {worker}")
    finally:
        os.kill(worker, signal.SIGCONT)
    assert running.is_mended(), running.judge()


def without_its_address(running):
    """The anchor IP leaves the machine; who listens everywhere does not miss it."""
    bound = [one for one in running.module.listeners.table().values() if one.address == ANCHOR]
    subprocess.run(["ip", "address", "del", f"{ANCHOR}/32", "dev", "lo"], check=True)
    try:
        code, reason = running.judge()
        if bound:
            assert (code, reason.startswith("this machine has no longer the address of ")) == (GENERIC, True)
        else:
            assert running.is_well(), (code, reason)
    finally:
        subprocess.run(["ip", "address", "add", f"{ANCHOR}/32", "dev", "lo"], check=True)
    assert running.is_mended(), running.judge()


def without_listeners(running, wanted):
    """All that it listens on is shut from outside; a start afresh mends it, as the cluster does."""
    for port in {port for _, port in wanted}:
        # Of several on one address and port, the kernel may find another one than it was told.
        waiting.wait_for(lambda port=port: shut_listener(port) or not running.listens_on(port), 5, 0)
    assert [place for place in wanted if connects(place)] == []
    code, reason = running.judge()
    assert (code, reason.startswith("nothing listens any more on ")) == (GENERIC, True), reason
    running.kill()
    assert running.judge() == (GENERIC, "HAProxy has no process that serves")
    running.start()
    assert running.is_mended(), running.judge()
