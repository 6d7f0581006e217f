#!/usr/bin/env python3
"""Ask at a high, steady rate in several ways at once; runs inside a host, with the standard library alone.

    load.py ADDRESS ONCE KEPT TLS

ONCE requests per second with a connection each, KEPT over connections that are kept alive (ten per second on each), and
TLS by HTTPS on port 443 with a connection each. Until standard input closes; then prints one JSON object: for each way
how many requests were made, how long they took (median and 99th percentile, in seconds), and the first failures.

A request is never made again: whatever it meets but a 200 within three seconds is a failure. A kept connection that the
server has closed before a request is sent is opened anew, as every client does. It is written on epoll, because the
machine that it shares with what it measures is small.
"""

import collections
import json
import os
import select
import socket
import ssl
import sys
import time

TIMEOUT = 3.0
PER_CLIENT = 10
REQUEST = b"GET / HTTP/1.1\r\nHost: load\r\nConnection: %s\r\n\r\n"


class Way:
    """A way of asking, and what came of it."""

    def __init__(self, address, port, keep=False, context=None):
        self.target, self.keep, self.context = (address, port), keep, context
        self.request = REQUEST % (b"keep-alive" if keep else b"close")
        self.taken, self.failures = [], []

    def report(self):
        taken = sorted(self.taken) or [0.0]
        return {"requests": len(self.taken), "median": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100],
                "failed": len(self.failures), "failures": self.failures[:20]}


class Connection:
    """A connection with at most one request under way."""

    def __init__(self, way, poll):
        self.way, self.poll = way, poll
        self.began, self.data, self.asking = 0.0, b"", False
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(way.target)
        self.ready = False
        poll.register(self.socket, select.EPOLLOUT)

    def ask(self):
        self.began, self.data, self.asking = time.monotonic(), b"", True
        if self.ready:
            self.socket.send(self.way.request)

    def handle(self):
        """Go on after epoll has told of the connection; an OSError or an early end fails the request."""
        try:
            if not self.ready:
                self._connect()
            elif self._receive():
                self.done(int(self.data.split(b" ", 2)[1]))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self.done(None, f"{type(error).__name__}: {error}")

    def _connect(self):
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        if self.way.context and not isinstance(self.socket, ssl.SSLSocket):
            self.socket = self.way.context.wrap_socket(self.socket, do_handshake_on_connect=False)
            self.poll.modify(self.socket, select.EPOLLIN)
        if self.way.context:
            self.socket.do_handshake()
        self.ready = True
        self.poll.modify(self.socket, select.EPOLLIN)
        self.socket.send(self.way.request)

    def _receive(self):
        """Whether the answer is whole."""
        part = self.socket.recv(65536)
        if not part:
            if self.asking and b" " in self.data:
                return True  # an answer without a length ends with the connection, as HAProxy's own pages do
            if self.asking:
                raise ConnectionError("closed without an answer")
            self.close()  # an idle connection, which may be closed at any time
            return False
        self.data += part
        head, _, body = self.data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return bool(length) and len(body) >= int(length)

    def done(self, status, problem=""):
        if self.asking:
            self.way.taken.append(time.monotonic() - self.began)
            if status != 200:
                self.way.failures.append([time.time(), problem or f"status {status}"])
        self.asking = False
        if not self.way.keep or status != 200 or b"\r\nconnection: close" in self.data.lower():
            self.close()

    def expire(self):
        self.done(None, f"no answer in {TIMEOUT:g} s")

    @property
    def open(self):
        return self.socket.fileno() >= 0

    def close(self):
        if self.open:
            self.poll.unregister(self.socket)
            self.socket.close()


class Load:
    """All ways at once, each on its schedule."""

    def __init__(self, address, once, kept, tls):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.poll, self.connections = select.epoll(), {}
        self.ways = {"once": Way(address, 80), "kept": Way(address, 80, keep=True),
                     "tls": Way(address, 443, context=context)}
        self.rates = [(self.ways["once"], once), (self.ways["tls"], tls)]
        self.started = [0, 0]
        self.clients = [None] * (kept // PER_CLIENT)
        self.under_way = collections.deque()  # in the order of their start

    def run(self):
        self.poll.register(sys.stdin, select.EPOLLIN)
        began, closing = time.monotonic(), False
        self.due = [began + number / max(1, len(self.clients)) / PER_CLIENT for number in range(len(self.clients))]
        while not closing or any(one.asking for one in self.under_way):
            now = time.monotonic()
            if not closing:
                self._start(now, now - began)
            for number, _ in self.poll.poll(0.005):
                if number == sys.stdin.fileno():
                    closing = True
                    self.poll.unregister(sys.stdin)
                elif number in self.connections:
                    self.connections[number].handle()
            while self.under_way and (not self.under_way[0].asking or self.under_way[0].began < now - TIMEOUT):
                one = self.under_way.popleft()
                if one.asking:
                    one.expire()

    def _start(self, now, seconds):
        for number, (way, rate) in enumerate(self.rates):
            for _ in range(int(seconds * rate) - self.started[number]):
                self._ask(Connection(way, self.poll))
                self.started[number] += 1
        for number, client in enumerate(self.clients):
            if self.due[number] <= now and not (client and client.asking):
                if not client or not client.open:
                    client = self.clients[number] = Connection(self.ways["kept"], self.poll)
                self._ask(client)
                self.due[number] = max(self.due[number] + 1 / PER_CLIENT, now - 1)

    def _ask(self, connection):
        self.connections[connection.socket.fileno()] = connection
        self.under_way.append(connection)
        try:
            connection.ask()
        except OSError as error:
            connection.done(None, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    load = Load(sys.argv[1], *map(int, sys.argv[2:]))
    print("running", flush=True)
    load.run()
    print(json.dumps({name: way.report() for name, way in load.ways.items()}))
