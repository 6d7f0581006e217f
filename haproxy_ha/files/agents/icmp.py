"""Echo requests and their answers, of IPv4 (RFC 792) and IPv6 (RFC 4443)."""

import struct

_SOL_RAW, _ICMP_FILTER = 255, 1  # raw(7): all that comes is handed to a raw socket otherwise
_ICMPV6_FILTER = 1  # RFC 3542, 3.2
_REQUEST, _REPLY = (8, 128), (0, 129)  # of IPv4, of IPv6


def opened(ipv6=False):
    """A raw socket that hears echo replies alone."""
    import socket

    if not ipv6:
        connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        connection.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY[0]) & 0xFFFFFFFF))
        return connection
    connection = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    blocked = [0xFFFFFFFF] * 8
    blocked[_REPLY[1] // 32] &= ~(1 << _REPLY[1] % 32)
    connection.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("=8I", *blocked))
    return connection


def request(identifier, sequence, ipv6=False):
    """An echo request without data; the kernel writes the checksum of an IPv6 one."""
    words = [_REQUEST[ipv6] << 8, 0, identifier, sequence]
    if not ipv6:
        total = sum(words)
        words[1] = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!4H", *words)


def is_reply(packet, identifier, ipv6=False):
    """Whether what a raw socket has heard is the answer to an echo request of ours."""
    start = 0 if ipv6 or not packet else (packet[0] & 15) * 4  # of IPv4 the header comes along
    message = packet[start:]
    return message[:1] == bytes([_REPLY[ipv6]]) and message[4:6] == struct.pack("!H", identifier)


def destination(address):
    """Where a socket sends to what is for an address; an IPv6 one may name its interface, as in fe80::1%eth0.

    Raises:
        OSError: There is no such interface.
    """
    import socket

    host, _, interface = address.partition("%")
    if ":" not in host:
        return host, 0
    return host, 0, 0, socket.if_nametoindex(interface) if interface else 0


def spelt(address):
    """An address as a socket tells it of a sender; IPv6 may be written in more than one way."""
    import socket

    host, percent, interface = address.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, host)) + percent + interface
