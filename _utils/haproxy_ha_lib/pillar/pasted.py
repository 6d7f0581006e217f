"""Secrets of pillar that somebody has pasted into another key: a message about that key does not repeat them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from haproxy_ha_lib import values
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.types import Tree

HIDDEN = "(a secret of pillar)"

# The least that a secret has; and of one that words.shorten has cut, the least that is worth hiding.
_SHORTEST, _SHORTEST_CUT, _LONGEST_CUT = 8, 4, 57
_KEYS = {step for path, _ in schema.every_key() for step in path}


def hidden(secrets: Tree) -> Callable[[str], str]:
    """
    Return a function that hides secrets in a message.

    secrets
        Those of :func:`schema.split`. What is a key of the schema as well is no secret, and the URL of a store is none.
    """
    texts = sorted({text for one in _leaves(secrets) for text in _spelled(one)}, key=len, reverse=True)

    def hide(message: str) -> str:
        found, comma, allowed = message.rpartition(_ALLOWED)
        for text in texts:
            found, allowed = _without(text, found), allowed if comma else _without(text, allowed)
        return found + comma + allowed

    return hide


_ALLOWED = ", allowed: "
"""What is behind it is the schema's own."""


def _leaves(secrets: Any) -> Iterator[str]:
    if isinstance(secrets, dict):
        for inner in secrets.values():
            yield from _leaves(inner)
    elif secrets is not None and not values.is_of_store(secrets):
        yield str(secrets)


def _spelled(secret: str) -> Iterator[str]:
    """Each line of a secret as it is, and as messages may quote it; the frame of a PEM is none of it."""
    for line in map(str.strip, secret.splitlines()):
        if len(line) >= _SHORTEST and not line.startswith("-----") and line not in _KEYS:
            yield from (line, ascii(line)[1:-1], ascii(line + "'\"")[1:-4])


def _without(secret: str, text: str) -> str:
    text = text.replace(secret, HIDDEN)
    if "..." in text:
        for length in range(min(len(secret), _LONGEST_CUT), _SHORTEST_CUT - 1, -1):
            text = text.replace(f"{secret[:length]}...", f"{HIDDEN}...")
    return text
