"""What no library would send by HTTP/2: frames and headers (RFC 9113, RFC 7541) without a check."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _CONTINUATION = 0, 1, 3, 4, 9
_END_STREAM, _END_HEADERS = 1, 4

Field = tuple[bytes, bytes]
Request = tuple[list[Field], bytes, list[Field]]


def request(fields: Iterable[Field], body: bytes = b"", trailers: Iterable[Field] = ()) -> bytes:
    """The beginning of a connection, with a request as its first stream."""
    trailing = _block(trailers)
    sent = [
        PREFACE, _frame(_SETTINGS, 0, 0), _frame(_HEADERS, _END_HEADERS, 1, _block(fields)),
        _frame(_DATA, 0 if trailing else _END_STREAM, 1, body),
    ]  # fmt: skip
    return b"".join(sent) + (_frame(_HEADERS, _END_HEADERS | _END_STREAM, 1, trailing) if trailing else b"")


BEGUN = PREFACE + bytes([0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0])
"""The beginning of a connection."""
UNREAD = PREFACE + bytes([0, 0, 6, _SETTINGS, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0])
"""The beginning of one whose client takes no answers: its window is 0."""


def opened(stream: int, fields: Iterable[Field], is_whole: bool = True) -> bytes:
    """A request without a body; if it is not whole, more headers have to come."""
    return _frame(_HEADERS, _END_STREAM | (_END_HEADERS if is_whole else 0), stream, _block(fields))


def continued(stream: int, fields: Iterable[Field]) -> bytes:
    """More headers, which are not the last ones."""
    return _frame(_CONTINUATION, 0, stream, _block(fields))


def reset(stream: int) -> bytes:
    """The end of a request that its client wants no more."""
    return _frame(_RESET, 0, stream, struct.pack(">I", 8))


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _block(fields: Iterable[Field]) -> bytes:
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(value: bytes) -> bytes:
    """As it is, of less than 255 bytes."""
    return (bytes([len(value)]) if len(value) < 127 else bytes([127, len(value) - 127])) + value


def read(sent: bytes) -> Request:
    """What :func:`request` has made of it: (fields, body, trailers)."""
    frames = list(_frames(sent.removeprefix(PREFACE)))
    blocks = [_fields(payload) for kind, payload in frames if kind == _HEADERS]
    body = b"".join(payload for kind, payload in frames if kind == _DATA)
    return blocks[0], body, blocks[1] if len(blocks) > 1 else []


def answered(said: bytes) -> tuple[int, int]:
    """Of what a server says: how many answers there are, and how many requests it has given up."""
    kinds = [kind for kind, _ in _frames(said)]
    return kinds.count(_HEADERS), kinds.count(_RESET)


def _frames(rest: bytes) -> Iterator[tuple[int, bytes]]:
    while rest:
        length, kind = int.from_bytes(rest[:3], "big"), rest[3]
        yield kind, rest[9 : 9 + length]
        rest = rest[9 + length :]


def _fields(block: bytes) -> list[Field]:
    found = []
    while block:
        name, block = _first(block[1:])
        value, block = _first(block)
        found.append((name, value))
    return found


def _first(block: bytes) -> tuple[bytes, bytes]:
    length, begin = (block[0], 1) if block[0] < 127 else (127 + block[1], 2)
    return block[begin : begin + length], block[begin + length :]
