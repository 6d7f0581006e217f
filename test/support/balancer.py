"""A real HAProxy under a stand-in of systemd, and applications behind it."""

import contextlib
import socket
import threading
import time

from haproxy_ha_host import daemons, files, net, waiting
from haproxy_ha_host.haproxy import pool, runtime
from haproxy_ha_lib.files.entry import owned_by_root
from haproxy_ha_lib.haproxy import runtime as lib_runtime
from support.service import Service, free_port

CFG = """\
global
    stats socket {socket}
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
TLS = b"\x16"  # how a handshake begins
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class App:
    """
    An application that counts its requests, and answers after ``delay`` seconds; with ``tls``, an SSLContext, to who
    asks by TLS too. ``clear`` counts the requests that came without.
    """

    def __init__(self, port=0, tls=None):
        self.requests, self.clear, self.delay, self.tls = 0, 0, 0.0, tls
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            secure = self.tls and connection.recv(1, socket.MSG_PEEK) == TLS
            talk = stack.enter_context(self.tls.wrap_socket(connection, server_side=True)) if secure else connection
            if talk.recv(65536):  # a health check says nothing
                self.requests += 1
                self.clear += not secure
                time.sleep(self.delay)
                talk.sendall(ANSWER)

    def close(self):
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def line(self, name, options="check inter 200"):
        return f"    server {name} 127.0.0.1:{self.port} {options}"


class Balancer(Service):
    """A HAProxy with some servers."""

    def __init__(self, directory, servers, drain_timeout=5, stats="{socket} mode 600 level admin", master=""):
        """``stats``: its stats socket; ``master``: the address of its master's, by default in ``directory``."""
        root = directory / "haproxy"
        root.mkdir()
        self.stats = stats
        self.directory, self.cfg, self.states, self.port = directory, root / "haproxy.cfg", root / "states", free_port()
        self.socket, pidfile = str(directory / "admin.sock"), directory / "haproxy.pid"
        self.haproxy = runtime.HAProxy("haproxy", str(self.cfg))
        self.pool = pool.Pool(self.haproxy, str(self.states), drain_timeout)
        daemon = daemons.Daemon("haproxy", "haproxy", str(root), ("-c", "-f", str(self.cfg)), (), self.pool)
        start = ["haproxy", "-W", "-D", "-f", str(self.cfg), "-p", str(pidfile)]
        start += ["-S", master or str(directory / "master.sock")] if master is not None else []
        super().__init__(daemon, directory, pidfile, start, "USR2")
        files.install(self.set_with(servers))
        self.begin()
        assert waiting.wait_for(lambda: net.connect("127.0.0.1", self.port) == "connects", 5)

    def set_with(self, servers, more=""):
        places = {"directory": self.directory, "port": self.port, "socket": self.stats.format(socket=self.socket)}
        text = CFG.format(**places, servers="\n".join(servers)) + more
        return {str(self.states): owned_by_root(lib_runtime.NO_STATES), str(self.cfg): owned_by_root(text)}

    def take(self, servers, more=""):
        return daemons.install(self.daemon, self.set_with(servers, more))

    def status(self):
        return {one["server"]: one["status"] for one in lib_runtime.parse_show_stat(net.ask(self.socket, "show stat"))}

    def get(self):
        return net.get("127.0.0.1", self.port)

    def rows(self):
        return {row["srv_name"]: row for row in self.haproxy.servers()}

    def say(self, command):
        """Tell HAProxy something by hand."""
        assert net.ask(self.socket, command).strip() == ""
