"""What stands for an address in HAProxy's binds, and the addresses of this machine that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

from haproxy_ha_lib import provider
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.pillar.schema import FLOATING, ROOT
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.types import Tree
from saltext.pacemaker import words


def resolved(bind: Tree, me: Tree, moving: Sequence[FloatingIP]) -> list[Tree]:
    """
    Return the binds that one of pillar stands for (list of {"address", "port", "options"}).

    me
        What is known of this machine.
    moving
        All floating IPs. What moves from machine to machine itself is bound `transparent`, because a standby lacks it.
    """
    word = bind["address"]
    if word in schema.OWN_ADDRESSES and word != "anchor":
        return [{**bind, "address": me[schema.OWN_ADDRESSES[word]]}]
    if (those := meant(word, moving)) is None:
        return [bind]
    found = [_arrival(bind, me, address, one) for one in those for address in one.addresses or (None,)]
    return [one for number, one in enumerate(found) if one not in found[:number]]


def meant(word: str, moving: Sequence[FloatingIP]) -> list[FloatingIP] | None:
    """Return the floating IPs that a word stands for; None: it is none of theirs."""
    if word == "anchor":
        return list(moving)
    if not word.startswith(FLOATING):
        return None
    return [one for one in moving if one.name == word.removeprefix(FLOATING)]


def _arrival(bind: Tree, me: Tree, address: str | None, one: FloatingIP) -> Tree:
    """Where the requests to an address arrive."""
    anchor = me["anchor_ip"]
    if not address or not provider.of(one).binds_address(anchor, address):
        return {**bind, "address": anchor}
    return {**bind, "address": address, "options": " ".join(dict.fromkeys(["transparent", *bind["options"].split()]))}


def problems(bind: Tree, me: Tree, moving: Sequence[FloatingIP]) -> list[str]:
    """Return why a bind has no address here, as texts."""
    word = bind["address"]
    if meant(word, moving) == []:
        return [f"there is no floating IP {word}{words.did_you_mean(word, _names(moving))}"]
    is_known = all(one["address"] for one in resolved(bind, me, moving))
    return [] if is_known or _told(word, moving) else [unknown(word)]


def _names(moving: Sequence[FloatingIP]) -> list[str]:
    return [f"{FLOATING}{one.name}" for one in moving if one.name]


def _told(word: str, moving: Sequence[FloatingIP]) -> bool:
    """Whether an address that is unknown is told by addresses.fill_in already."""
    return word == "private" or any(provider.arrives_at_anchor(one) for one in meant(word, moving) or ())


def unknown(word: str) -> str:
    """Return what to say of a word whose address is unknown."""
    if word == "anchor" or word.startswith(FLOATING):
        return f"neither an anchor IP nor {ROOT}:floating_ip:address is there to bind"
    return f"the {schema.OWN_ADDRESSES[word]} of this machine is unknown"
