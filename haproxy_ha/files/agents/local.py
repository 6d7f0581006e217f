"""An address on an interface of this machine: whether it is here, put there, taken away, announced to neighbours.

By the kernel's own interface (rtnetlink(7)): no program is started for any of it.
"""

import errno
import os
import struct
from collections import namedtuple

import agent
from agent import Failure
from listeners import replies

# index: the interface's. length: of the prefix. is_usable: whether no neighbour has it already (RFC 4862).
Place = namedtuple("Place", "index length is_usable")
# packed: its IPv4 address. hardware: its hardware address, b"" for unknown. age: seconds since it was heard of.
Neighbour = namedtuple("Neighbour", "packed hardware index age")

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, process
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, interface
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, lengths (to, from), tos, table, protocol, scope, type, flags
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, interface, state, flags, type
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, and which of these change
_LIFETIMES = struct.Struct("=IIII")  # ifa_cacheinfo: preferred, valid, and two that the kernel fills in
_NETLINK_ROUTE, _ERROR = 0, 2
_NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS, _GET_ROUTE, _GET_NEIGHBOUR = 20, 21, 22, 26, 30
_SET_LINK = 19
_REQUEST, _ACKNOWLEDGE, _DUMP, _CREATE, _ONLY_NEW = 0x1, 0x4, 0x300, 0x400, 0x200
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 6, 8
_NO_DAD, _DAD_FAILED = 0x02, 0x08
_IFLA_AF_SPEC, _IFLA_INET_CONF = 26, 1
_ARP_ANNOUNCE, _OWN_ADDRESS = 18, 2  # IPV4_DEVCONF_ARP_ANNOUNCE, and its value
_RTA_DESTINATION, _RTA_INTERFACE = 1, 4
_NDA_DESTINATION, _NDA_LINK_LAYER, _NDA_CACHEINFO = 1, 2, 3
_FIXED = 0x40 | 0x80  # NUD_NOARP, NUD_PERMANENT
_TICKS = 100  # a second of the kernel's ages
_UNICAST = 1
_GET_FLAGS, _RUNNING = 0x8913, 0x40  # SIOCGIFFLAGS, IFF_RUNNING
_SCOPE_GLOBAL, _SCOPE_HOST = 0, 254
_WHOLE = 128  # length of a prefix that is one address, as those that move have it
_FOR_EVER = 0xFFFFFFFF
_ETHERNET, _ETH_ARP = 1, 0x0806
_BROADCAST = b"\xff" * 6
_ALL_NODES = "ff02::1"
_NEIGHBOUR_ADVERTISEMENT, _OVERRIDE, _TARGET_LINK_LAYER = 136, 0x20000000, 2
FRESH = 30.0  # seconds since a neighbour was heard of
ARP_SECONDS = 0.3  # a machine on the link answers in a millisecond
_MOST_ANSWERS = 1000
TIMEOUT = 1.0  # seconds; the kernel answers in microseconds


# --- What is asked


def is_here(address):
    """Whether an address (IPv4 or IPv6) is on an interface of this machine.

    Raises:
        Failure: The kernel does not tell.
    """
    return any(place.is_usable for place in places(address))


def places(address):
    """Where an address is on this machine: a list of Place.

    Raises:
        Failure: The kernel does not tell.
    """
    family, packed = packed_of(address)
    try:
        return [place for found, place in parse_addresses(_dumped(family)) if found == packed]
    except OSError as error:
        raise _failure(f"whether {address} is on this machine is unknown", error) from None


def link_of(address):
    """The index of the interface that has one of this machine's addresses; None for another one's, and for a name."""
    try:
        return next((place.index for place in places(address)), None)
    except Failure:
        return None


def own_address(index):
    """The IPv4 address of this machine on a link, as bytes, by which neighbours know it; zeros for none."""
    import socket

    found = parse_addresses(_dumped(socket.AF_INET))
    return next((packed for packed, place in found if place.index == index and place.length < 32), bytes(4))


def own_ipv6(index, others):
    """An IPv6 address of this machine on a link, as text, that is none of some others: the link-local one if possible.

    Args:
        others (list[str]): Addresses.

    Raises:
        Failure: The kernel does not tell.
    """
    import socket

    try:
        found = [packed for packed, place in parse_addresses(_dumped(socket.AF_INET6))
                 if place.index == index and place.is_usable and place.length < _WHOLE]  # fmt: skip
    except OSError as error:
        raise _failure(f"the addresses on {name_of(index)} are unknown", error) from None
    texts = [socket.inet_ntop(socket.AF_INET6, packed) for packed in found]
    wanted = sorted((text for text in texts if text not in others), key=lambda text: not text.startswith("fe80:"))
    return wanted[0] if wanted else ""


def interface_towards(address):
    """The index of the interface that leads to an address that is not here: of its own network, else the default route.

    Raises:
        Failure: No route leads there.
    """
    family, packed = packed_of(address)
    body = _ROUTE.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DESTINATION, packed)
    try:
        answer = _asked(_GET_ROUTE, 0, body)
        route = _ROUTE.unpack_from(answer)
        index = attributes(answer[_ROUTE.size :]).get(_RTA_INTERFACE)
    except (OSError, struct.error) as error:
        raise _failure(f"no route leads to {address}, so its interface must be named", error) from None
    if route[7] != _UNICAST or index is None:
        raise Failure(agent.ERR_GENERIC, f"no route leads to {address}, so its interface must be named")
    return int.from_bytes(index, _byte_order())


# --- What is done


def add(address, interface=""):
    """Puts an address on an interface, unless it is on one; announced to neighbours in both cases.

    No connection of this machine's own begins with it: IPv4 by its scope, IPv6 by a preferred lifetime of zero.

    Args:
        address (str): IPv4 or IPv6; the prefix is the address alone.
        interface (str): Its name. Default: the one towards the address, see :func:`interface_towards`.

    Raises:
        Failure: It is not there.
    """
    held = [place.index for place in places(address) if place.is_usable]
    index = held[0] if held else index_of(interface) if interface else interface_towards(address)
    if not held:
        try:
            _asked(_NEW_ADDRESS, _ACKNOWLEDGE | _CREATE | _ONLY_NEW, new_address(address, index))
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise _failure(f"{address} cannot be put on {name_of(index)}", error) from None
    announce(address, index)


def remove(address):
    """Takes an address off every interface of this machine; tells whether it was on one.

    Raises:
        Failure: It is still there.
    """
    found = places(address)
    for place in found:
        try:
            _asked(_DELETE_ADDRESS, _ACKNOWLEDGE, old_address(address, place))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                raise _failure(f"{address} cannot be taken off {name_of(place.index)}", error) from None
    return bool(found)


def ask_in_own_name(index):
    """Has the kernel ask for neighbours (IPv4) on a link in the machine's own name, whatever address it speaks with.

    By a message, as /proc/sys may be read-only.

    Raises:
        Failure: It does not.
    """
    try:
        _asked(_SET_LINK, _ACKNOWLEDGE, own_name(index))
    except OSError as error:
        raise _failure(f"neighbours on {name_of(index)} are not asked in this machine's own name", error) from None


def announce(address, index):
    """Tells the neighbours on a link where an address is now; where that fails, they ask when they have forgotten.

    IPv4 by a gratuitous ARP, as a request and as a reply (RFC 5227), IPv6 by an unsolicited neighbour advertisement
    (RFC 4861, 7.2.6).
    """
    import socket

    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as link:
            link.bind((socket.if_indextoname(index), 0))  # none: nothing is to be received
            kind, hardware = link.getsockname()[3:5]
            if kind != _ETHERNET:
                return
            if ":" in address:
                _advertise(address, index, hardware)
                return
            everybody = (link.getsockname()[0], _ETH_ARP, 0, 0, _BROADCAST)
            for operation in (1, 2):
                link.sendto(arp(address, hardware, operation), everybody)
    except OSError as error:
        agent.log(f"{address} is not announced: {error}")


def _advertise(address, index, hardware):
    import socket

    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as neighbours:
        neighbours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)  # else it is thrown away
        neighbours.bind((address, 0, 0, 0))
        neighbours.sendto(advertisement(address, hardware), (_ALL_NODES, 0, 0, index))


def other_owner(address):
    """The hardware address of another machine that answers for an address on its link, as text; "" for none.

    IPv4 alone, by an ARP probe, which changes what nobody has learnt (RFC 5227, 2.1.1).
    """
    import socket

    if ":" in address or not (held := places(address)):
        return ""
    index = held[0].index
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_ARP)) as link:
            link.bind((socket.if_indextoname(index), _ETH_ARP))
            kind, hardware = link.getsockname()[3:5]
            if kind != _ETHERNET:
                return ""
            link.sendto(probe(address, hardware), (link.getsockname()[0], _ETH_ARP, 0, 0, _BROADCAST))
            return _answer(link, address, hardware)
    except OSError as error:
        agent.log(f"whether another machine has {address} is unknown: {error}")
        return ""


def nobody_answers(index, doubted=False):
    """Whether no neighbour on a link (IPv4) answers, of those that this machine has heard of within half a minute.

    True without a carrier. False where it has not heard of two: the only one may be the machine that is lost.

    Args:
        index (int): The interface's.
        doubted (bool): It was so before: then whoever was ever heard of, or asked for, is asked.
    """
    import socket

    try:
        if not has_carrier(index):
            return True
        known = [one for one in parse_neighbours(_dumped_neighbours()) if one.index == index]
        fresh = [one for one in known if one.hardware and one.age <= FRESH]
        asked = {one.packed for one in (known if doubted else fresh)}
        own = own_address(index)
        if not asked or (not doubted and len({one.hardware for one in fresh}) < 2):
            return False
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_ARP)) as link:
            link.bind((socket.if_indextoname(index), _ETH_ARP))
            name, _, _, kind, hardware = link.getsockname()
            for packed in asked if kind == _ETHERNET else ():
                link.sendto(probe(socket.inet_ntoa(packed), hardware, own), (name, _ETH_ARP, 0, 0, _BROADCAST))
            return kind == _ETHERNET and not any(packed in asked for packed, _ in _answers(link))
    except OSError as error:
        if error.errno in (errno.ENETDOWN, errno.ENOBUFS):
            return True  # nobody can even be asked
        agent.log(f"whether neighbours answer on {name_of(index)} is unknown: {error}")
        return False


def _answer(link, address, hardware):
    _, wanted = packed_of(address)
    return next((owner.hex(":") for packed, owner in _answers(link) if packed == wanted and owner != hardware), "")


def _answers(link):
    """(address, hardware address) of each ARP answer that comes soon; also of those that this process reads late."""
    import time

    deadline = time.monotonic() + ARP_SECONDS
    for _ in range(_MOST_ANSWERS):
        link.settimeout(max(0.0, deadline - time.monotonic()))
        try:
            packet = link.recv(64)
        except (TimeoutError, BlockingIOError):
            return
        if packet[6:8] == b"\x00\x02":
            yield packet[14:18], packet[8:14]


# --- Interfaces


def has_carrier(index):
    """Whether an interface hears its link (netdevice(7); sysfs may be that of another network namespace)."""
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", socket.if_indextoname(index).encode(), 0)
        _, flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _GET_FLAGS, request))
    return bool(flags & _RUNNING)


def index_of(interface):
    """The index of an interface.

    Raises:
        Failure: There is none of that name.
    """
    import socket

    try:
        return socket.if_nametoindex(interface)
    except (OSError, ValueError):
        raise Failure(agent.ERR_INSTALLED, f"interface: this machine has no {interface!r}") from None


def name_of(index):
    """What an interface is called; its number where it has gone meanwhile."""
    import socket

    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"interface {index}"


# --- What is said to the kernel and to neighbours, and what the kernel says


def packed_of(address):
    """(family, bytes) of an address.

    Raises:
        Failure: It is none.
    """
    import socket

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return family, socket.inet_pton(family, address)
    except (OSError, ValueError):
        raise Failure(agent.ERR_CONFIGURED, f"found {address!r}, allowed: an IPv4 or IPv6 address") from None


def new_address(address, index):
    """The body of a message that puts an address on an interface."""
    family, packed = packed_of(address)
    body = attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if ":" not in address:
        return _ADDRESS.pack(family, 32, 0, _SCOPE_HOST, index) + body
    # Nobody else has it: whoever had it has lost it to this machine, and to look for that would take a second.
    body += attribute(_IFA_FLAGS, struct.pack("=I", _NO_DAD))
    body += attribute(_IFA_CACHEINFO, _LIFETIMES.pack(0, _FOR_EVER, 0, 0))
    return _ADDRESS.pack(family, 128, _NO_DAD, _SCOPE_GLOBAL, index) + body


def old_address(address, place):
    """The body of one that takes it away."""
    family, packed = packed_of(address)
    return _ADDRESS.pack(family, place.length, 0, 0, place.index) + attribute(_IFA_LOCAL, packed)


def own_name(index):
    """The body of a message that has neighbours of an interface asked in the machine's own name."""
    import socket

    setting = attribute(_IFLA_INET_CONF, attribute(_ARP_ANNOUNCE, struct.pack("=I", _OWN_ADDRESS)))
    return _LINK.pack(0, 0, index, 0, 0) + attribute(_IFLA_AF_SPEC, attribute(socket.AF_INET, setting))


def parse_addresses(bodies):
    """(address as bytes, Place) of each of the kernel's messages about addresses."""
    for body in bodies:
        if len(body) < _ADDRESS.size:
            continue
        _, length, flags, _, index = _ADDRESS.unpack_from(body)
        found = attributes(body[_ADDRESS.size :])
        more = int.from_bytes(found.get(_IFA_FLAGS, b""), _byte_order())
        yield found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS)), Place(index, length, not (flags | more) & _DAD_FAILED)


def parse_neighbours(bodies):
    """The Neighbour of each of the kernel's messages about neighbours that a machine may ask for."""
    for body in bodies:
        if len(body) < _NEIGHBOUR.size:
            continue
        _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        found = attributes(body[_NEIGHBOUR.size :])
        packed = found.get(_NDA_DESTINATION, b"")
        confirmed = int.from_bytes(found.get(_NDA_CACHEINFO, b"\xff\xff\xff\xff")[:4], _byte_order())
        if not state & _FIXED and len(packed) == 4:
            yield Neighbour(packed, found.get(_NDA_LINK_LAYER, b""), index, confirmed / _TICKS)


def attribute(kind, value):
    """One of a message's attributes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data):
    """A message's attributes: {type: bytes}."""
    found, place = {}, 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


def arp(address, hardware, operation):
    """An ARP packet that says who has an address (RFC 826): 1 asks, 2 answers."""
    _, packed = packed_of(address)
    target = hardware if operation == 2 else bytes(6)
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + hardware + packed + target + packed


def probe(address, hardware, own=bytes(4)):
    """An ARP packet that asks who has an address.

    Args:
        own (bytes): The asker's address. Default: none, so that nobody learns any (RFC 5227).
    """
    _, packed = packed_of(address)
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + hardware + own + bytes(6) + packed


def advertisement(address, hardware):
    """A neighbour advertisement; the kernel writes its checksum."""
    _, packed = packed_of(address)
    head = struct.pack("!BBHI", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE)
    return head + packed + struct.pack("!BB", _TARGET_LINK_LAYER, 1) + hardware


def _dumped(family):
    """The bodies of the kernel's messages about all addresses of a family."""
    with _kernel() as kernel:
        kernel.send(_message(_GET_ADDRESS, _DUMP, _ADDRESS.pack(family, 0, 0, 0, 0)))
        yield from replies(kernel.recv)


def _dumped_neighbours():
    import socket

    with _kernel() as kernel:
        kernel.send(_message(_GET_NEIGHBOUR, _DUMP, _NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0)))
        yield from replies(kernel.recv)


def _asked(kind, flags, body):
    """The body of the kernel's one answer.

    Raises:
        OSError: It refuses.
    """
    with _kernel() as kernel:
        kernel.send(_message(kind, flags, body))
        answer = kernel.recv(1 << 16)
    if len(answer) < _HEADER.size + 4:
        raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
    length, said = _HEADER.unpack_from(answer)[:2]
    found = answer[_HEADER.size : length]
    if said == _ERROR and (number := -int.from_bytes(found[:4], _byte_order(), signed=True)):
        raise OSError(number, os.strerror(number))
    return found


def _message(kind, flags, body):
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body


def _kernel():
    import socket

    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
    kernel.settimeout(TIMEOUT)
    return kernel


def _byte_order():
    import sys

    return sys.byteorder


def _failure(what, error):
    code = agent.ERR_PERM if isinstance(error, PermissionError) else agent.ERR_GENERIC
    return Failure(code, f"{what}: {getattr(error, 'strerror', None) or error}")
