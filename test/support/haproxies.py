"""A real HAProxy for the agent's tests: run in each of the ways that people run it, and made ill."""

import contextlib
import os
import signal
import socket
import subprocess
import time

# With the master's CLI, as Debian's unit; with a master that has none; alone.
WAYS = {"master": ["-W", "-S", "unix@master.sock"], "workers": ["-W"], "alone": ["-db"]}

CONFIGURATION = """\
global
    stats socket {directory}/admin.sock mode 600 level admin
    log 127.0.0.1:{log} local0
    maxconn {maxconn}
    nbthread 1
    {more}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend http
    bind 127.0.0.1:{port}{bind}
    {limit}
    default_backend app_pool
frontend tcp
    mode tcp
    bind 127.0.0.1:{tcp}
    default_backend app_pool_tcp
backend app_pool
    server app-1 127.0.0.1:{app} {check}
backend app_pool_tcp
    mode tcp
    server app-1 127.0.0.1:{app}
"""


LUA = """\
core.register_fetches("turn", function(txn) return string.find(string.rep("a", 5000), ".-.-.-.-b") end)
"""
"""A function of which a worker comes to no end."""

CLIENT = """\
import socket, sys
for _ in range(4000):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        connection.recv(99)
"""
"""A program of Python that asks thousands of times at a port."""


class HAProxy:
    """A real HAProxy, with a socket that takes its log and an app server that counts requests."""

    def __init__(self, module, directory):
        self.module, self.directory = module, directory
        self.config, self.said = directory / "haproxy.cfg", directory / "said"
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.app = socket.create_server(("127.0.0.1", 0))
        self.app.settimeout(0.2)
        self.log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.log.bind(("127.0.0.1", 0))
        self.log.settimeout(0.2)
        self.ports = [entry.getsockname()[1] for entry in (*self.sockets, self.app)]
        self.process, self.way = None, "master"

    def write(self, maxconn=100, check="", bind="", limit="", more=""):
        self.config.write_text(
            CONFIGURATION.format(
                directory=self.directory, log=self.log.getsockname()[1], port=self.ports[0], tcp=self.ports[1],
                app=self.ports[2], maxconn=maxconn, check=check, bind=bind, limit=limit, more=more,
            )  # fmt: skip
        )

    def start(self, **options):
        self.write(**options)
        self.run()

    def run(self):
        for entry in self.sockets:
            entry.close()
        # A master begins with closing every descriptor that it could have.
        command = ["prlimit", "--nofile=20000:20000", "haproxy", "-f", self.config, *WAYS[self.way]]
        with self.said.open("w") as said:
            self.process = subprocess.Popen(command, cwd=self.directory, stderr=said)
        self.await_start()

    def await_start(self):
        """Waits until there is a worker and it listens."""
        deadline = time.monotonic() + 5
        while not self.listens():
            assert time.monotonic() < deadline and self.process.poll() is None, self.said.read_text()
            time.sleep(0.01)

    def listens(self):
        """Whether the worker and the master answer, or the worker has begun a while ago."""
        if self.way == "master" and not self.show_proc():
            return False
        if os.path.exists(self.admin):
            with contextlib.suppress(OSError):
                return "Pid:" in self.ask("show info")
        worker = self.module.worker.serving(self.process.pid)
        ticks = time.clock_gettime(time.CLOCK_BOOTTIME) * self.module.worker.TICK
        return worker is not None and ticks - worker.started > 1.2 * self.module.worker.TICK

    @property
    def admin(self):
        return str(self.directory / "admin.sock")

    @property
    def worker(self):
        """The id of the process that serves; None in a moment of a reload in which the kernel names no child."""
        found = self.module.worker.serving(self.process.pid)
        return found and found.pid

    def ask(self, command):
        """The stats socket's answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(self.admin)
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def show_proc(self):
        """The master's processes; empty while it does not answer."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.directory / "master.sock"))
            connection.sendall(b"show proc\n")
            return connection.recv(65536).decode()
        return ""

    def environment(self, action="monitor", timeout="1s", interval=5, **parameters):
        environ = {
            "HA_RSCTMP": str(self.directory / "state"), "OCF_RESOURCE_INSTANCE": "haproxy",
            "OCF_RESKEY_config": str(self.config), "OCF_RESKEY_answer_timeout": timeout,
            "OCF_RESKEY_CRM_meta_timeout": "20000", "OCF_RESKEY_CRM_meta_interval": str(interval * 1000),
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }  # fmt: skip
        return self.module.agent.Environment(self.module.DESCRIPTION, environ, action)

    def judge(self, timeout="1s"):
        """One look: (code, reason)."""
        env = self.environment(timeout=timeout)
        known = self.module.worker.Known(env, "haproxy")
        return self.module.verdict.judge(env, self.process.pid, known)[:2]

    def until(self, code, **options):
        """The first verdict with this code."""
        deadline = time.monotonic() + 5
        while (verdict := self.judge(**options))[0] != code:
            assert time.monotonic() < deadline, verdict
            time.sleep(0.02)
        return verdict

    @contextlib.contextmanager
    def stopped(self, pid=None):
        """A process of it is stopped by a signal: the worker, or another one."""
        pid = pid or self.worker
        os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 2
        while not self.module.worker.is_stopped(self.module.worker.process(pid)):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self):
        for pid in {self.process.pid, getattr(self.module.worker.serving(self.process.pid), "pid", self.process.pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process:
            self.kill()
        for entry in (*self.sockets, self.app, self.log):
            entry.close()


def shut_listener(port):
    """Shuts the listeners of a port from outside, as the kernel can (ss(8), -K): who had them is not told."""
    command = ["ss", "--kill", "--no-header", "--numeric", "state", "listening", f"sport = :{port}"]
    shut = 0
    # Of several that share a port one call may miss some.
    while str(port) in subprocess.run(command, capture_output=True, text=True, check=True).stdout:
        shut += 1
        assert shut < 50
    assert shut
