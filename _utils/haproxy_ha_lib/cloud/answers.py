"""What a cloud's API and metadata service answer, as data: whatever its shape, it is understood or it is none."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:  # the agents start without it
    from typing import Any


def decoded(body: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        ValueError: It is no JSON, or none that can be read: nested beyond Python's limit, a number of 5,000 digits.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decoded_object(body: bytes) -> dict[str, Any] | None:
    try:
        document = decoded(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def leaf(document: Any, *path: str | int) -> Any:
    """What is at a path in decoded JSON; None where it does not lead."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def text(value: Any) -> str | None:
    """A text that may be shown and compared: what cannot be printed becomes a question mark. None for no text."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(character if character.isprintable() else "?" for character in value[:1000])


def is_id(value: Any) -> bool:
    """Whether decoded JSON is an id: True is none, and neither is 10 to the 400th."""
    return type(value) is int and 0 < value < 2**63


def number(digits: str) -> int | None:
    """An id in ASCII digits; None for any other text."""
    found = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    return found if is_id(found) else None
