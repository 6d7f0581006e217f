"""In whose name this machine asks for neighbours, as it speaks with an address that moves.

A kernel asks in the name of the address that a packet leaves with, and who is asked sends clients here from then on: a
machine that has lost an address, and still answers for it, would draw it back as soon as its link is mended. IPv4 has a
setting (arp_announce, ip-sysctl). For IPv6 the packet filter puts another address of the machine in the question's
place (nft(8)), the checksum with it.
"""

import local
from rules import apply

LAN = "haproxy_ha-lan-"  # files of whoever has addresses here
_TABLE = "ip6 haproxy_ha_asks"
_RULE = "icmpv6 type nd-neighbor-solicit ip6 saddr set ip6 saddr map @own"


def in_own_name(env, addresses):
    """From now on.

    Raises:
        Failure: Not so.
    """
    found = {}
    for address in addresses:
        index = next((place.index for place in local.places(address)), None)
        if index is not None and ":" not in address:
            local.ask_in_own_name(index)
        elif index is not None and (own := local.own_ipv6(index, addresses)):
            found[address] = own
    if found:
        elements = [change for address, own in found.items() for change in _elements(address, own)]
        apply(env, *_table(), *elements)


def as_it_is(env, addresses, last):
    """As the kernel does by itself: the addresses are not here any more.

    Args:
        last (bool): No others are.

    Raises:
        Failure: Not so.
    """
    gone = [address for address in addresses if ":" in address]
    if not gone:
        return
    elements = [f"add table {_TABLE}", f"delete table {_TABLE}"] if last else _table()
    apply(env, *elements, *(change for address in gone if not last for change in _elements(address)))


def _table():
    return [
        f"add table {_TABLE}",
        f"add chain {_TABLE} output {{ type filter hook output priority filter; }}",
        f"add map {_TABLE} own {{ type ipv6_addr : ipv6_addr; }}",
        f"flush chain {_TABLE} output",
        f"add rule {_TABLE} output {_RULE}",
    ]


def _elements(address, own=""):
    """An element is replaced by taking it away, which it must be there for."""
    where = f"element {_TABLE} own"
    changes = [f"add {where} {{ {address} : {own or address} }}", f"delete {where} {{ {address} }}"]
    return [*changes, f"add {where} {{ {address} : {own} }}"] if own else changes
