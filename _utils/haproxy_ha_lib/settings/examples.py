"""Secrets that everybody knows: those of pillar.example, and what documents write in the place of one."""

from __future__ import annotations

import base64
import functools
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from haproxy_ha_lib import values
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.settings import floating
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path

NOBODYS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
"""Networks for documents (RFC 5737, RFC 3849), where no machine is but in a lab: there the example's secrets may be."""

_BALANCERS = ("10.132.20.10", "10.132.20.11")
"""The private addresses of the example's load balancers."""

_EXAMPLES = {
    "api_token": "9846d9928b6d38b824ac266fb2b0669ad2c0e0de5019b957da952ea4edaf2b7f",
    "authkey": "886ea7c467c1d08deb96921d2bbb28cea46701e3e50f752bfbf3b229955b7819",
}
"""The SHA-256 of those of pillar.example."""

# What the documents of DigitalOcean have for a token, and what people write until they have one.
_TOKEN = re.compile(r"77e027c7447f468068a7d4fea41e7149a75a94088082c66fcf555de3977f69d3|(do[a-z]_v1_)?(.)\2+"
                    r"|.*(change[._-]?me|placeholder|example|your[._-]).*", re.IGNORECASE)
_PASSWORD = re.compile(
    r"(.)\1+|(please)?[._-]?change[._-]?(me|it|this)[0-9._!-]*|(your|my)?[._-]?password[0-9._!-]*|placeholder",
    re.IGNORECASE,
)


def of(read: Tree) -> Iterator[Problem]:
    """Yield a problem for each secret of a load balancer that everybody knows; ``read``: pillar over the defaults."""
    machines = [(machine["private_ip"], machine["public_ip"]) for machine in read["load_balancers"].values()]
    if are_in_a_lab(next((address for address, _ in floating.places(read)), None), machines):
        return
    for path in _KNOWN:
        secret: Any = functools.reduce(lambda branch, step: branch[step], path, read)
        if secret and not values.is_of_store(secret) and (allowed := instead_of(path, secret)):
            yield Problem((ROOT, *path), f"everybody knows this one, from an example; allowed: {allowed}")


def instead_of(path: Path, secret: str) -> str:
    """Return what has to be at a path below the root in place of a secret that everybody knows (str); else nothing."""
    is_known, allowed = _KNOWN.get(path, (None, ""))
    return allowed if is_known and is_known(secret) else ""


def are_in_a_lab(address: str | None, machines: Sequence[tuple[str | None, str | None]]) -> bool:
    """
    Return whether nobody else has the addresses (bool): the floating IP's is one for documents; or it is private, and
    the load balancers have those of the example. Public ones alone tell nothing: on a LAN nobody needs them.

    address
        The floating IP; None: unknown.
    machines
        (private, public) address of each load balancer; None: unknown.
    """
    if address and (values.is_in(address, NOBODYS) or ipaddress.ip_address(address).is_global):
        return values.is_in(address, NOBODYS)
    return all(
        private in _BALANCERS and public is not None and values.is_in(public, NOBODYS) for private, public in machines
    )


def _is_known_token(token: str) -> bool:
    return _is_example("api_token", token) or bool(_TOKEN.fullmatch(token))


def _is_known_key(key: str) -> bool:
    return _is_example("authkey", key) or len(set(base64.b64decode(key))) == 1


def _is_known_password(password: str) -> bool:
    return bool(_PASSWORD.fullmatch(password))


def _is_example(key: str, secret: str) -> bool:
    return hashlib.sha256(secret.encode()).hexdigest() == _EXAMPLES[key]


_KNOWN: Mapping[Path, tuple[Callable[[str], bool], str]] = {
    ("floating_ip", "api_token"): (_is_known_token, "a token of your own"),
    ("cluster", "authkey"): (_is_known_key, "what `salt-call --local haproxy_ha.generate_authkey` prints"),
    ("haproxy", "stats", "password"): (_is_known_password, "a password of your own"),
}
