"""OpenPGP public keys as far as a fingerprint needs them (RFC 9580, 4.2, 5.5.4 and 6): a bare Debian has no gpg."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_BEGIN, _END = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
_BLOCK = re.compile(
    rf"{_BEGIN}\r?\n(?:[^\r\n:]+:[^\r\n]*\r?\n)*\r?\n(.*?)(?:\r?\n=[A-Za-z0-9+/]{{4}})?\r?\n{_END}", re.DOTALL
)
_PUBLIC_KEY = 6  # the tag of a packet that has a primary key


def fingerprints(text: str) -> list[str]:
    """
    Return the fingerprints of the primary keys in an armoured block, in hexadecimal digits; empty if it holds none.
    """
    found = []
    for block in _BLOCK.findall(text):
        try:
            found += [_fingerprint(body) for tag, body in _packets(base64.b64decode(block)) if tag == _PUBLIC_KEY]
        except (binascii.Error, IndexError):
            return []
    return found


def armored(data: bytes) -> str:
    """
    Return a keyring, as programs read it, as the block of text that people have; empty if it holds no key.
    """
    try:
        keys = [tag for tag, _ in _packets(data) if tag == _PUBLIC_KEY]
    except IndexError:
        return ""
    if not keys:
        return ""
    text = base64.b64encode(data).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    checksum = base64.b64encode(_crc24(data).to_bytes(3, "big")).decode("ascii")
    return "\n".join([f"{_BEGIN}\n", *lines, f"={checksum}", f"{_END}\n"])


def _crc24(data: bytes) -> int:
    """The checksum of a block (RFC 4880, 6.1): RFC 9580 has none, and older programs ask for it."""
    crc = 0xB704CE
    for octet in data:
        crc ^= octet << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc & 0xFFFFFF


def _fingerprint(body: bytes) -> str:
    """By the version of the key: 4, or 6."""
    if body[0] == 6:
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, body) of each packet; keys are in none of partial length."""
    while data:
        head, data = data[0], data[1:]
        if head & 0x40:
            tag, size, data = head & 0x3F, *_length(data)
        else:
            octets = {0: 1, 1: 2, 2: 4}.get(head & 3, len(data))
            tag, size, data = head >> 2 & 0xF, int.from_bytes(data[:octets], "big"), data[octets:]
        if size > len(data):
            raise IndexError("the packet is cut off")
        yield tag, data[:size]
        data = data[size:]


def _length(data: bytes) -> tuple[int, bytes]:
    """The length of a packet, and what follows it."""
    first = data[0]
    if first < 192:
        return first, data[1:]
    if first < 224:
        return ((first - 192) << 8) + data[1] + 192, data[2:]
    return int.from_bytes(data[1:5], "big"), data[5:]
