"""A HAProxy of which threads come to no end, by Lua that its configuration has for a while.

Blocked, they use no CPU, and HAProxy's own watchdog does not see them; busy, it ends the worker after three seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .machine import machine
from .shell import wait_for

BLOCK, SPIN = "block", "spin"
CONFIG, CHROOT = "/etc/haproxy/haproxy.cfg", "/var/lib/haproxy"
LOOKED = 12.0  # seconds: the longest interval of a monitor here is ten
MARK = "\n# of the lab, for a while\n"
LUA = """\
core.register_action("block", {"http-req"}, function() io.open("/stuck") end)
core.register_action("spin", {"http-req"}, function() string.find(string.rep("a", 5000), ".-.-.-.-b") end)
"""
SECTIONS = """\
global
    lua-load-per-thread /etc/haproxy/stuck.lua
listen stuck
    mode http
    bind 127.0.0.1:8099
    http-request lua.block if { path /block }
    http-request lua.spin if { path /spin }
    http-request return status 200
"""
ASK = """\
import socket, sys, time
def ask(path):
    connection = socket.create_connection(("127.0.0.1", 8099), timeout=2)
    connection.sendall(f"GET /{path} HTTP/1.0\\r\\n\\r\\n".encode())
    connection.settimeout(1)
    return connection
def answers():
    try:
        return bool(ask("well").recv(9))
    except OSError:  # it does not answer, or has been ended already
        return False
deadline, kept = time.monotonic() + 20, [ask(sys.argv[1])]
while sys.argv[1] == "block" and any(answers() for _ in range(3)):
    if time.monotonic() > deadline:
        sys.exit("some thread still answers")
    try:
        kept.append(ask(sys.argv[1]))
    except OSError:
        break
"""
"""Asks until each thread has got such a request; of those that spin, one is enough."""


def prepare(host: str, reload: Callable[[str], None]) -> None:
    """Give a host's HAProxy what it takes, and let everybody look at the new process who looks now and then."""
    target = machine(host)
    target.write("/etc/haproxy/stuck.lua", LUA)
    target.run("sh", "-c", f"test -p {CHROOT}/stuck || mkfifo -m 666 {CHROOT}/stuck")
    target.write(CONFIG, target.read(CONFIG) + MARK + SECTIONS, 0o640)
    reload(host)
    seen = time.monotonic() + LOOKED
    wait_for("the looks of all who look at HAProxy", lambda: time.monotonic() > seen, LOOKED + 5, 0.1)


def strike(host: str, how: str) -> None:
    """Have threads of it come to no end: ``block`` all of them, or have one ``spin``."""
    machine(host).run("python3", "-c", ASK, how)


def mend(host: str, reload: Callable[[str], None]) -> None:
    """Give it its configuration back."""
    target = machine(host)
    target.write(CONFIG, target.read(CONFIG).partition(MARK)[0], 0o640)
    target.run("rm", "-f", "/etc/haproxy/stuck.lua", f"{CHROOT}/stuck")
    reload(host)


def by_systemd(host: str) -> None:
    """The reload of a HAProxy that is a unit."""
    machine(host).run("systemctl", "reload", "haproxy")
