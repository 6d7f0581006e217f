"""
What an address, a port, a name, a path or a line of text is in pillar.

Each check takes a value and returns it in its normal form, or raises :class:`Invalid`. What Pacemaker takes for a
boolean, a duration or a score is in saltext.pacemaker.cib.values; how what was found instead is named, in
saltext.pacemaker.words.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from saltext.pacemaker.words import did_you_mean


class Invalid(ValueError):
    """A value is not what it must be. The text says what is allowed and never repeats the value."""


# Checks of pillar values


def bare(value: Any) -> Any:
    """A text without the blanks and line breaks around it, which gpg and YAML's block scalars leave; else the value."""
    return value.strip(_BLANKS) if isinstance(value, str) else value


_BLANKS = " \t\r\n"


def is_of_store(value: object) -> bool:
    """Whether a value is the URL of a secret in a store of Salt's sdb, in place of the secret."""
    return isinstance(value, str) and value.strip(_BLANKS).startswith("sdb://")


def store_url(value: object) -> str:
    """The URL of a secret in a store."""
    return _STORE_URL(value)


def is_ciphertext(value: object) -> bool:
    """Whether a value is what the master's gpg renderer leaves where it cannot decrypt."""
    return isinstance(value, str) and "-----BEGIN PGP MESSAGE-----" in value


NOT_DECRYPTED = (
    "could not be decrypted on the master, so the PGP message is here as it was written: its pillar file has no "
    "`#!yaml|gpg` in the first line, it lacks line breaks, or the master's gpgkeys lack its key (the master's log says "
    "which)"
)


def flag(value: object) -> bool:
    """A YAML boolean."""
    if not isinstance(value, bool):
        raise Invalid("true or false")
    return value


def whole_number(low: int, high: int) -> Callable[[object], int]:
    """Return a check for a whole number from ``low`` to ``high``."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(f"a whole number from {low} to {high}")
        return value

    return check


port = whole_number(1, 65535)


def choice(*words: str) -> Callable[[object], str]:
    """Return a check for one of ``words``."""

    def check(value: object) -> str:
        found = bare(value)
        if found not in words or not isinstance(found, str):
            raise Invalid("one of " + ", ".join(words) + did_you_mean(value, words).rstrip("?"))
        return found

    return check


def matching(pattern: str, allowed: str) -> Callable[[object], str]:
    """Return a check for a text that matches ``pattern`` as a whole; ``allowed`` describes it."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> str:
        found = bare(value)
        if not isinstance(found, str) or not compiled.fullmatch(found):
            raise Invalid(allowed)
        return found

    return check


_STORE_URL = matching(r"sdb://[^/\s]+/[!-~]([ -~]{0,510}[!-~])?", "the URL of a store, sdb://<profile>/<key>")
name = matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}", "a name of letters, digits and . _ - that begins with a letter or digit"
)
path = matching(r"(?!.*/\.\.?(/|$))(/[A-Za-z0-9._@+-]+)+/?", "an absolute path of letters, digits and . _ @ + -")
identifier = matching(r"[A-Za-z_][A-Za-z0-9._-]{0,126}", "an id of letters, digits and . _ - that begins with a letter")
agent = matching(
    r"(ocf:[A-Za-z0-9_.-]+:|(?!ocf:)[a-z]+:)[A-Za-z0-9_.@-]+", "a resource agent such as ocf:heartbeat:IPaddr2"
)
https_url = matching(r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?", "an https:// address")
http_url = matching(
    r"https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?", "an http:// or https:// address"
)
repository_uri = matching(
    r"(https?://[A-Za-z0-9.-]+(:\d{1,5})?|file:)(/[A-Za-z0-9._~+-]*)*", "an http://, https:// or file:/ address"
)
api_token = matching(r"[A-Za-z0-9_.-]{20,512}", "an API token of 20 to 512 letters, digits and _ . -")


def has_control_characters(text: str, but: str = "") -> bool:
    """Return whether ``text`` has control characters, line separators or what UTF-8 cannot say, other than ``but``."""
    return any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in but for char in text)


def line(value: object) -> str:
    """One line of text, without what is behind it. Tabs may stand between words, as in distributions' own files."""
    match = _LINE.fullmatch(value) if isinstance(value, str) else None
    text = match[1] if match else ""
    if not text.strip() or has_control_characters(text, but="\t"):
        several = "; of several lines, each is an entry of its own" if len(text.splitlines()) > 1 else ""
        raise Invalid(f"one line of text, without control characters{several}")
    return text


def line_as_it_is(value: object) -> str:
    """One line of a file, with the blanks around it; it may be empty."""
    if not isinstance(value, str) or has_control_characters(value, but="\t"):
        raise Invalid("one line of text, without control characters; it may be empty")
    return value


# An escaped blank at the end is part of the last word.
_LINE = re.compile(r"[\r\n]*(.*?(?:\\[ \t])?)[ \t\r\n]*", re.DOTALL)


def text(value: object) -> str:
    """Text of any number of lines, without control characters but tabs; one line has no line break at its end."""
    found = value.replace("\r\n", "\n") if isinstance(value, str) else "\0"
    if has_control_characters(found, but="\t\n"):
        raise Invalid("text without control characters")
    return found if "\n" in found.strip() else found.strip("\n")


def address(value: object) -> str:
    """The IPv4 or IPv6 address of a host."""
    text = bare(value)
    try:
        parsed = ipaddress.ip_address(text if isinstance(text, str) and "%" not in text else "")
    except ValueError:
        raise Invalid("an IPv4 or IPv6 address") from None
    if (
        parsed.is_unspecified
        or parsed.is_multicast
        or parsed.is_loopback
        or parsed.is_link_local
        or parsed.is_reserved
        or getattr(parsed, "ipv4_mapped", None)
    ):
        raise Invalid("an address that a host can have: not loopback, link-local, multicast, reserved or unspecified")
    return str(parsed)


def plain_data(value: object) -> Any:
    """Text, numbers, booleans, lists and mappings, with no control character in any text."""
    if isinstance(value, dict):
        return {plain_data(key): plain_data(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(inner) for inner in value]
    if isinstance(value, str):
        return text(value)
    if value is not None and not isinstance(value, (bool, int, float)):
        raise Invalid("text, a number, a boolean, a list or a mapping")
    return value


def network(value: object) -> str:
    """An address, or a network as 203.0.113.0/24."""
    text = bare(value)
    try:
        parsed = ipaddress.ip_network(text if isinstance(text, str) and "%" not in text else "")
    except ValueError:
        raise Invalid("an IP address, or a network such as 203.0.113.0/24 (no bits set behind its prefix)") from None
    if not parsed.prefixlen:
        raise Invalid("an address or a network, not all there are")
    return str(parsed.network_address) if parsed.prefixlen == parsed.max_prefixlen else str(parsed)


def is_in(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is in one of the networks."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)


def ipv6_address(value: object) -> str:
    """The IPv6 address of a host."""
    if not isinstance(value, str) or ":" not in value:
        raise Invalid("an IPv6 address")
    return address(value)


def authkey(value: object) -> str:
    """Corosync's key: base64 of 128 to 4096 bytes (corosync-keygen(8) makes 256, the least is 128)."""
    if not isinstance(value, str):
        raise Invalid("base64 of 128 to 4096 random bytes")
    try:
        decoded = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("base64 of 128 to 4096 random bytes; this is not base64") from None
    if not 128 <= len(decoded) <= 4096:
        raise Invalid(f"base64 of 128 to 4096 random bytes; this is base64 of {len(decoded)}")
    return "".join(value.split())


def public_key(value: object) -> str:
    """An armoured OpenPGP public key."""
    allowed = "an armoured OpenPGP public key (-----BEGIN PGP PUBLIC KEY BLOCK-----)"
    if not isinstance(value, str) or not value.strip().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        raise Invalid(allowed)
    if has_control_characters(value, but="\r\n"):
        raise Invalid(allowed)
    return value.replace("\r", "")


_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n(.+?)\n-----END \1-----", re.DOTALL)


cluster_name = matching(r"[A-Za-z0-9_-]{1,32}", "a name of 1 to 32 letters, digits, _ and -")
"""Return a cluster's name as corosync and Pacemaker take it."""


def certificate(value: object) -> str:
    """Certificate, chain and private key in PEM."""
    allowed = "a certificate and its private key in PEM (-----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----)"
    if not isinstance(value, str) or has_control_characters(value, but="\t\r\n"):
        raise Invalid(allowed)
    lines = "\n".join(line.strip() for line in value.splitlines() if line.strip())
    if is_encrypted(lines):
        raise Invalid(NOT_ENCRYPTED)
    kinds = [kind for kind, _ in pem_blocks(lines)]
    if "CERTIFICATE" not in kinds or not any(kind.endswith("PRIVATE KEY") for kind in kinds):
        raise Invalid(allowed)
    return lines + "\n"


NOT_ENCRYPTED = (
    "a private key without a passphrase, because nobody is there to type one when a daemon starts "
    "(openssl pkey -in KEY -out NEW takes it away)"
)


def is_encrypted(text: str) -> bool:
    """Whether a text in PEM has a private key with a passphrase: PKCS #8 (RFC 7468), or as RFC 1421 has it."""
    return bool(_ENCRYPTED.search(text))


_ENCRYPTED = re.compile(
    r"^[ \t]*(-----BEGIN [A-Z0-9 ]*ENCRYPTED|Proc-Type:[ \t]*4[ \t]*,[ \t]*ENCRYPTED)", re.MULTILINE
)


def quorum_certificate(value: object) -> str:
    """Certificate, that of its authority, and private key in PEM."""
    try:
        text = certificate(value)
    except Invalid as error:
        if str(error) == NOT_ENCRYPTED:
            raise
        text = ""
    kinds = [kind.rpartition(" ")[2] for kind, _ in pem_blocks(text)]
    if sorted(kinds) != ["CERTIFICATE", "CERTIFICATE", "KEY"]:
        raise Invalid("a certificate, that of its authority and a private key in PEM, as `salt-call --local "
                      "haproxy_ha.generate_quorum_certificates` makes them")
    return text


_CRYPT = "[./A-Za-z0-9]"
_HASHES = (
    rf"\$1\$[^$]{{0,8}}\${_CRYPT}{{22}}",  # MD5
    rf"\$2[abxy]\$\d\d\${_CRYPT}{{53}}",  # bcrypt
    rf"\$5\$(rounds=\d{{1,9}}\$)?[^$]{{0,16}}\${_CRYPT}{{43}}",  # SHA-256
    rf"\$6\$(rounds=\d{{1,9}}\$)?[^$]{{0,16}}\${_CRYPT}{{86}}",  # SHA-512
    rf"\$7\${_CRYPT}{{11,97}}\${_CRYPT}{{43}}",  # scrypt
    rf"\$g?y\${_CRYPT}+\${_CRYPT}{{1,86}}\${_CRYPT}{{43}}",  # yescrypt
)
_HASH = re.compile("|".join(_HASHES))


def is_hash(password: str) -> bool:
    """Whether a text has the form of a hash that crypt(3) makes (crypt(5)); any other text with a `$` is a password."""
    return bool(_HASH.fullmatch(password))


def pem_blocks(text: str) -> list[tuple[str, str]]:
    """Return the blocks of a text in PEM: [(kind, block)]."""
    return [(match[1], match[0]) for match in _PEM_BLOCK.finditer(text)]


def bracketed(host: str) -> str:
    """Return ``host`` as it stands before ``:port``: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
