"""
Listening sockets as data: the kernel's ``/proc/net/tcp`` and ``/proc/net/tcp6`` (proc(5)), and which listener is in
whose way.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable
from typing import Any, TypeAlias

Socket: TypeAlias = dict[str, Any]
"""A socket as :func:`parse` returns it."""

LISTEN = "0A"


def parse(text: str) -> list[Socket]:
    """
    The listening sockets in the text of ``/proc/net/tcp`` or ``/proc/net/tcp6``.

    Returns ``[{"address": "10.0.0.1", "port": 80, "inode": 12345}]``. An IPv4 address mapped into IPv6 is returned as
    IPv4.
    """
    sockets = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTEN:
            continue
        host, _, port = fields[1].partition(":")
        sockets.append({"address": _address(host), "port": int(port, 16), "inode": int(fields[9])})
    return sockets


def _address(text: str) -> str:
    """The kernel prints an address as 32-bit words, each in the machine's own byte order."""
    raw = b"".join(int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8))
    address = ipaddress.ip_address(raw)
    return str(getattr(address, "ipv4_mapped", None) or address)


_UNREACHABLE = 0x0200  # RTF_REJECT, as the kernel has it in each table without a route


def has_default_route(text: str) -> bool:
    """Whether the text of ``/proc/net/ipv6_route`` has a default route that leads somewhere."""
    routes = [line.split() for line in text.splitlines()]
    return any(
        fields[:2] == ["0" * 32, "00"] and not int(fields[8], 16) & _UNREACHABLE for fields in routes if len(fields) > 8
    )


def overlap(one: str, other: str) -> bool:
    """
    Whether listeners on two addresses (and the same port) are in each other's way: equal, or one is a wildcard.

    The IPv6 wildcard takes IPv4 too unless the program asked otherwise, which cannot be seen from outside.
    """
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first == second:
        return True
    wildcards = [address for address in (first, second) if address.is_unspecified]
    return any(address.version == 6 for address in wildcards) or (bool(wildcards) and first.version == second.version)


def missing(expected: Iterable[tuple[str, int]], listening: list[Socket]) -> list[tuple[str, int]]:
    """Those of the expected (address, port) pairs that nobody listens on exactly."""
    present = {(ipaddress.ip_address(s["address"]), s["port"]) for s in listening}
    return [(a, p) for a, p in expected if (ipaddress.ip_address(a), p) not in present]
