"""Secrets that everybody knows: those of pillar.example, and what documents write in the place of one."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from haproxy_ha_lib import values
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.errors import Problem

NOBODYS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
"""Networks for documents (RFC 5737, RFC 3849), where no machine is but in a lab: there the example's secrets may be."""

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
    if _in_a_lab(read):
        return
    floating, cluster, stats = read["floating_ip"], read["cluster"], read["haproxy"]["stats"]
    known: Mapping[tuple[str, ...], tuple[str | None, Callable[[str], bool], str]] = {
        ("floating_ip", "api_token"): (floating["api_token"], _is_known_token, "a token of your own"),
        ("cluster", "authkey"): (
            cluster["authkey"], _is_known_key, "what `salt-call --local haproxy_ha.generate_authkey` prints"
        ),
        ("haproxy", "stats", "password"): (stats["password"], _is_known_password, "a password of your own"),
    }  # fmt: skip
    for path, (secret, is_known, allowed) in known.items():
        if secret and not values.is_of_store(secret) and is_known(secret):
            yield Problem((ROOT, *path), f"everybody knows this one, from an example; allowed: {allowed}")


def _in_a_lab(read: Tree) -> bool:
    """Whether the machines have addresses that nobody else has."""
    floating = read["floating_ip"]["address"]
    public = [machine["public_ip"] for machine in read["load_balancers"].values() if machine["public_ip"]]
    if floating and (ipaddress.ip_address(floating).is_global or not public or values.is_in(floating, NOBODYS)):
        return values.is_in(floating, NOBODYS)
    return bool(public) and all(values.is_in(address, NOBODYS) for address in public)


def _is_known_token(token: str) -> bool:
    return _is_example("api_token", token) or bool(_TOKEN.fullmatch(token))


def _is_known_key(key: str) -> bool:
    return _is_example("authkey", key) or len(set(base64.b64decode(key))) == 1


def _is_known_password(password: str) -> bool:
    return bool(_PASSWORD.fullmatch(password))


def _is_example(key: str, secret: str) -> bool:
    return hashlib.sha256(secret.encode()).hexdigest() == _EXAMPLES[key]
