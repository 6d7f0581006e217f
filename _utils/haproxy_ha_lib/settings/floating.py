"""
The addresses that move: pillar's ``floating_ip``, and ``floating_ips``, which take from it how its API is asked.

A check takes the tree that schema.read returned, settled here, and yields Problems.
"""

from __future__ import annotations

from collections.abc import Iterator

from haproxy_ha_lib import provider
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.types import Roles, Tree
from saltext.pacemaker import words
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path

SHORT = "floating_ip"
"""The key of the one that has no name, and what others call it."""

_OF_THE_API = ("api_url", "metadata_url", "ca_file", "token_file", "foreign_token")


def as_given(tree: object) -> Tree:
    """Return what pillar's tree has of ``floating_ip``, as it is given; empty where that is no mapping."""
    found = tree.get(SHORT) if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}


def settle(read: Tree) -> None:
    """Fill in what ``floating_ips`` take from ``floating_ip``, and where each starts. Changes ``read``."""
    short, named = read["floating_ip"], read["floating_ips"]
    for name, entry in named.items():
        entry |= {"name": name, **{key: short[key] for key in _OF_THE_API}}
        entry["provider"] = entry["provider"] or short["provider"]
    for entry in (short, *named.values()):
        if entry["agent"]:
            entry["provider"] = None
        entry["api_url"] = entry["api_url"] or provider.api_url(entry["provider"])
    if read["cluster"]["spread"] != "never":
        _prefer(read)


def _prefer(read: Tree) -> None:
    """Of several that need not be together, each prefers the next load balancer."""
    nodes = list(read["load_balancers"])
    free = [one for one in moving(read) if one.stays_with is None]
    for number, one in enumerate(free if len(free) > 1 and nodes else ()):
        entry = read["floating_ip"] if one.name is None else read["floating_ips"][one.name]
        entry["prefers"] = one.prefers or nodes[number % len(nodes)]


def moving(read: Tree) -> tuple[FloatingIP, ...]:
    """Return the floating IPs of settled settings, in pillar's order."""
    named = {name: FloatingIP.of(entry) for name, entry in read["floating_ips"].items()}
    return provider.moving(FloatingIP.of(read["floating_ip"]), named)


def path_of(one: FloatingIP) -> Path:
    """Return where pillar has one."""
    return (ROOT, SHORT) if one.name is None else (ROOT, "floating_ips", one.name)


def places(read: Tree) -> Iterator[tuple[str, Path]]:
    """Yield each address that moves, and where pillar has it."""
    for one in moving(read):
        for number, address in enumerate(one.addresses):
            yield address, (*path_of(one), *(("addresses", number - 1) if number else ("address",)))


# Checks


def addresses(read: Tree, roles: Roles) -> Iterator[Problem]:
    """There are addresses to move, as many as the provider moves together."""
    for one in moving(read):
        mover, path = provider.of(one), path_of(one)
        if not one.addresses and mover.needs_address:
            yield Missing((*path, "address"), "missing: the address that moves")
        if len(one.addresses) > 1 and not mover.several:
            able = " or ".join(name for name, other in provider.NAMED.items() if other.several)
            text = (f"found some, allowed with provider {able}; else floating_ips, each with an address of its own, "
                    "and stays_with for those that are to be together")
            yield Problem((*path, "addresses"), text)
        if one.replaces and (one.replaces == one.address or (":" in one.replaces) != (":" in (one.address or ""))):
            text = f"found {one.replaces}, allowed: the address of the same family that {one.address} comes in place of"
            yield Problem((*path, "replaces"), text)


def kinds(read: Tree, roles: Roles) -> Iterator[Problem]:
    """The provider can move each address, which is there once."""
    by = {address: provider.of(one) for one in moving(read) for address in one.addresses}
    first: dict[str, Path] = {}
    for address, path in places(read):
        if allowed := by[address].allowed(address):
            yield Problem(path, f"found {address}, allowed: {allowed}")
        if first.setdefault(address, path) != path:
            yield Problem(path, f"{address} is {':'.join(map(str, first[address]))} too")


def one_of_a_family(read: Tree, roles: Roles) -> Iterator[Problem]:
    """After a loss one load balancer has them all: where a machine can hold but one of a family, so can the pair."""
    first: dict[tuple[str | None, bool], Path] = {}
    for one in moving(read):
        mover, key = provider.of(one), (one.provider, ":" in (one.address or ""))
        taken = first.setdefault(key, path_of(one)) if one.address and mover.one_of_a_family else path_of(one)
        if taken != path_of(one):
            text = (f"found {one.address}, but {':'.join(map(str, taken))} is of the same family: a machine holds one "
                    "at a time there, so that one load balancer could not take both")
            yield Problem((*path_of(one), "address"), text)


def companions(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Who stays with another has one to stay with, and goes where that goes."""
    known = {one.name or SHORT: one for one in moving(read)}
    for one in known.values():
        if one.stays_with is None:
            continue
        path = (*path_of(one), "stays_with")
        other = known.get(one.stays_with)
        if other is None or other is one:
            others = [name for name in known if name != one.name]
            yield Problem(path, f"there is no other {one.stays_with}{words.did_you_mean(one.stays_with, others)}")
        elif other.stays_with:
            yield Problem(path, f"found {one.stays_with}, which stays with {other.stays_with} itself: name that one")
        if one.prefers:
            yield Problem((*path_of(one), "prefers"), f"found beside stays_with: it goes where {one.stays_with} goes")


def preferences(read: Tree, roles: Roles) -> Iterator[Problem]:
    """What is preferred is a load balancer."""
    nodes = read["load_balancers"]
    for one in moving(read):
        if one.prefers and one.prefers not in nodes:
            text = f"{one.prefers} is no load balancer{words.did_you_mean(one.prefers, nodes)}"
            yield Problem((*path_of(one), "prefers"), text)


def one_api(read: Tree, roles: Roles) -> Iterator[Problem]:
    """A machine is in one cloud: there is one token, and one URL."""
    asked = {one.provider: path_of(one) for one in reversed(moving(read)) if provider.of(one).api}
    for name, path in [*asked.items()][:-1]:
        first = [*asked][-1]
        yield Problem((*path, "provider"), f"found {name}, allowed: {first} or one without an API, as the others have")


CHECKS = (addresses, kinds, one_of_a_family, companions, preferences, one_api)
