"""Who listens on this machine, and where, by the kernel's own word: nobody is connected to.

The kernel's socket diagnosis (sock_diag(7), linux/inet_diag.h) lists the listening sockets alone, whatever number of
connections there is: 0.1 ms, where /proc/net/tcp takes 50 ms with 10,000 of them.
"""

import errno
import os
import struct
from collections import namedtuple

import agent

# address: as text, IPv4 where it is mapped into IPv6. device: the index of the interface that the socket is bound to,
# or 0. floats: the address need not be this machine's (IP_TRANSPARENT or IP_FREEBIND). queue: connections that nobody
# has accepted yet.
Listener = namedtuple("Listener", "inode address port device floats queue")

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, process
_REQUEST = struct.Struct("=BBBBI48x")  # inet_diag_req_v2: family, protocol, extensions, -, states, any socket
_ANSWER = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # inet_diag_msg
_DONE, _ERROR, _BY_FAMILY = 3, 2, 20  # NLMSG_DONE, NLMSG_ERROR, SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_NETLINK_SOCK_DIAG, _TCP_LISTEN, _INET_DIAG_SOCKOPT = 4, 10, 22
_FREEBIND, _TRANSPARENT = 2, 5  # bits of inet_diag_sockopt's first byte
_IPV4_MAPPED = bytes(10) + b"\xff\xff"
_WILDCARDS = ("0.0.0.0", "::")
_MOST_BYTES = 64 << 20
# HAProxy opens its listeners first, so they have the lowest numbers; what lies between them are its log sockets, its
# pipes, and a few for each thread.
FURTHEST = 2048


def table():
    """The listening TCP sockets of this network namespace: {inode: Listener}; None where the kernel does not tell."""
    import socket

    found = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            for family in (socket.AF_INET, socket.AF_INET6):
                request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _TCP_LISTEN)
                kernel.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 0, 0) + request)
                found.update((one.inode, one) for one in parse(replies(kernel.recv)))
    except OSError as error:
        agent.log(f"the kernel does not tell who listens (tcp_diag): {error}")
        return None
    return found


def replies(receive):
    """The kernel's answer to one dump: its messages' bodies.

    Args:
        receive (function): Takes a number of bytes and returns the next datagram.

    Raises:
        OSError: The kernel refuses, or its answer makes no sense.
    """
    total = 0
    while True:
        data = receive(1 << 18)
        total += len(data)
        if not data or total > _MOST_BYTES:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        place = 0
        while place + _HEADER.size <= len(data):
            length, kind = _HEADER.unpack_from(data, place)[:2]
            body = data[place + _HEADER.size : place + length]
            if kind == _DONE:
                return
            if kind == _ERROR or length < _HEADER.size:
                number = -int.from_bytes(body[:4], "little", signed=True) if len(body) >= 4 else errno.EBADMSG
                raise OSError(number, os.strerror(number) if 0 < number < 4096 else "no sense")
            yield body
            place += (length + 3) & ~3


def parse(messages):
    """Listeners of the bodies of the kernel's messages; one without an inode belongs to the kernel."""
    import socket

    for body in messages:
        if len(body) < _ANSWER.size:
            continue
        family, state, _, _, port, _, source, _, device, _, _, queue, _, _, inode = _ANSWER.unpack_from(body)
        if state != _TCP_LISTEN or not inode:
            continue
        if family == socket.AF_INET:
            address = socket.inet_ntop(family, source[:4])
        elif source.startswith(_IPV4_MAPPED):
            address = socket.inet_ntop(socket.AF_INET, source[12:])
        else:
            address = socket.inet_ntop(socket.AF_INET6, source)
        yield Listener(inode, address, int.from_bytes(port, "big"), device, _floats(body[_ANSWER.size :]), queue)


def _floats(attributes):
    place = 0
    while place + 4 < len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, place)
        if length < 4:
            break
        if kind == _INET_DIAG_SOCKOPT:
            return bool(attributes[place + 4] & (_bit(_FREEBIND) | _bit(_TRANSPARENT)))
        place += (length + 3) & ~3
    return True  # a kernel before 5.10 does not tell


def _bit(number):
    import sys

    return 1 << number if sys.byteorder == "little" else 0x80 >> number


def of_process(pid, kernel):
    """Those of the kernel's listeners that a process has open.

    Args:
        pid (int): The process.
        kernel (dict): As from :func:`table`.

    Returns:
        dict: As the argument. All descriptors of a process with 50,000 connections would cost 300 ms.
    """
    found, number, last = {}, 0, 0
    while len(found) < len(kernel) and number - last <= FURTHEST:
        listener = kernel.get(_socket_inode(f"/proc/{pid}/fd/{number}"))
        if listener:
            found[listener.inode] = listener
            last = number
        number += 1
    return found


def _socket_inode(path):
    try:
        target = os.readlink(path)
    except OSError:
        return None
    return agent.number(target[8:-1], None) if target.startswith("socket:[") else None


def holders(wanted):
    """Who has listeners open, in words: one text for each process.

    Args:
        wanted (Iterable): Inodes of their sockets.
    """
    wanted, found = set(wanted), []
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue  # it has ended
        if any(_socket_inode(f"/proc/{pid}/fd/{number}") in wanted for number in numbers):
            found.append(f"{(agent.read_file(f'/proc/{pid}/comm') or '').strip()} (process {pid})")
    return found or ["another process"]


def recalled(inode, address, port, device, floats):
    """A listener by the words in which it is remembered.

    Raises:
        ValueError: They make no sense.
    """
    import socket

    numbers = [agent.number(one, None) for one in (inode, port, device)]
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError as error:
        raise ValueError(f"{address}: {error}") from None
    if None in numbers or numbers[2] >= 1 << 31:
        raise ValueError(f"{inode}, {port}, {device}")
    return Listener(numbers[0], address, numbers[1], numbers[2], floats == "True", 0)


def gone(listeners):
    """The listeners whose address has left this machine: the socket stays, and no client comes to it."""
    kept = {}
    return [one for one in listeners if not (one.floats or _may_float(one.address, kept) or _is_here(one, kept))]


def _may_float(address, kept):
    """Whether the machine lets programs listen on addresses that it does not have (ip_nonlocal_bind)."""
    family = "ipv6" if ":" in address else "ipv4"
    if family not in kept:
        kept[family] = (agent.read_file(f"/proc/sys/net/{family}/ip_nonlocal_bind") or "0").strip() != "0"
    return kept[family]


def _is_here(listener, kept):
    key = (listener.address, listener.device)
    if key not in kept:
        kept[key] = listener.address in _WILDCARDS or has_address(listener.address, listener.device)
    return kept[key]


def has_address(address, device=0):
    """Whether this machine has an address, by the kernel's routing: also one on a route of its own, without interface.

    Args:
        address (str): IPv4 or IPv6.
        device (int): The index of the interface that it must be on; 0 for any.
    """
    import socket

    six = ":" in address
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            if device:
                name = socket.if_indextoname(device)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
            probe.bind((address, 0, 0, device) if six else (address, 0))
        except OSError as error:
            # ENXIO and ENODEV: the interface is gone. Other errors say nothing of the address.
            absent = error.errno in (errno.EADDRNOTAVAIL, errno.ENXIO, errno.ENODEV)
            return not absent or (six and _is_tentative(address))
    return True


def _is_tentative(address):
    """Whether an IPv6 address has just come, and the kernel still looks whether a neighbour has it (RFC 4862)."""
    import socket

    wanted = socket.inet_pton(socket.AF_INET6, address).hex()
    for line in (agent.read_file("/proc/net/if_inet6") or "").splitlines():
        fields = line.split()
        if len(fields) > 4 and fields[0] == wanted:
            flags = _flags(fields[4])
            return bool(flags & 0x40) and not flags & 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
    return False


def _flags(text):
    try:
        return int(text, 16)
    except ValueError:
        return 0


def is_loopback(address):
    """Whether only this machine itself comes to an address."""
    return address.startswith("127.") or address == "::1"


def shown(listener):
    """An address with its port, in HAProxy's form."""
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{address}:{listener.port}"


def listed(listeners):
    """Addresses with their ports, each once."""
    return ", ".join(dict.fromkeys(shown(one) for one in listeners))
