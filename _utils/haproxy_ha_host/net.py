"""Listening sockets, connections and HAProxy's control sockets."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Collection
from typing import Any

from haproxy_ha_host import commands, processes
from haproxy_ha_lib import net
from haproxy_ha_lib.net import Socket


def listeners() -> list[Socket]:
    """The machine's listening TCP sockets: [{"address", "port", "inode"}]."""
    found: list[Socket] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as handle:
            found += net.parse(handle.read())
    return found


def has_ipv6_default_route() -> bool:
    """Whether what is not near can be reached by IPv6."""
    try:
        with open("/proc/net/ipv6_route", encoding="ascii") as handle:
            return net.has_default_route(handle.read())
    except FileNotFoundError:  # a kernel without IPv6
        return False


def holders(binds: Collection[tuple[str, int]]) -> list[dict[str, Any]]:
    """
    Who listens where somebody wants to: [{"address", "port", "held", "program", "pid"}].

    binds
        The (address, port) that are wanted. ``held`` is the address of the listener that is in the way; ``program`` and
        ``pid`` are None where the kernel does not tell.
    """
    held = [
        (address, port, listener)
        for listener in (listeners() if binds else ())
        for address, port in binds
        if listener["port"] == port and net.overlap(address, listener["address"])
    ]
    owners = processes.socket_owners({listener["inode"] for _, _, listener in held}) if held else {}
    found = []
    for address, port, listener in held:
        pid, program = owners.get(listener["inode"], (None, None))
        found.append(
            {"address": address, "port": port, "held": listener["address"], "program": program, "pid": pid}
        )
    return found


def connect(address: str, port: int, timeout: float = 2.0) -> str:
    """What a connection attempt meets: ``connects``, ``refused``, ``timed out`` or ``unreachable``."""
    try:
        with socket.create_connection((address, port), timeout):
            return "connects"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except OSError:
        return "unreachable"


def answers(address: str, timeout: float = 1.0) -> bool | None:
    """
    Whether a machine is at an address: True; False if nobody has it; None if nothing answers, which may be the doing of
    a firewall. ``timeout`` in seconds, for a ping and for a connection each.
    """
    ping = ["ping", "-n", "-q", "-c", "1", "-W", f"{max(1, int(timeout))}", address]
    if commands.program("ping") and commands.run(ping, timeout + 5)[0] == 0:
        return True
    return {"connects": True, "refused": True, "unreachable": False}.get(connect(address, _SSH, timeout))


_SSH = 22


def get(address: str, port: int, timeout: float = 5.0, proxied: bool = False) -> int | str:
    """The status of ``GET /`` (int), or what went wrong (str); ``proxied`` by the PROXY protocol, without a client."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.connect()
        if proxied:
            connection.sock.sendall(b"PROXY UNKNOWN\r\n")
        connection.request("GET", "/", headers={"Connection": "close", "User-Agent": "haproxy_ha-verify"})
        return connection.getresponse().status
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__
    finally:
        connection.close()


def ask(address: str, command: str, timeout: float = 5.0) -> str:
    """
    Ask HAProxy's runtime API or its master CLI one command; OSError if nobody answers in time.

    address
        Where it is, as ``stats socket`` and ``-S`` name it (str): a path, ``abns@<name>`` or ``<address>:<port>``.
    """
    with _connection(address, timeout) as connection:
        connection.sendall(command.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode("utf-8", "replace")


_UNIX_NAME = 108  # sun_path of unix(7); HAProxy fills an abstract name up to it


def _connection(address: str, timeout: float) -> socket.socket:
    family, _, name = address.rpartition("@")
    if not name.startswith("/") and family not in ("unix", "abns"):
        host, _, port = name.rpartition(":")
        host = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host)
        if not port.isdigit():
            raise OSError(f"{address} is no address to ask HAProxy at")
        return socket.create_connection((host.strip("[]"), int(port)), timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(name if family != "abns" else f"\0{name}".ljust(_UNIX_NAME, "\0"))
    except BaseException:
        connection.close()
        raise
    return connection


def addresses_of(name: str) -> set[str]:
    """The addresses of a host name (set of str), empty where it is unknown here."""
    with contextlib.suppress(OSError, UnicodeError):
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    return set()
