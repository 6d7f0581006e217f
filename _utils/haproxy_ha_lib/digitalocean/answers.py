"""What the API and the metadata service answer, as data: whatever its shape, it is understood or it is none."""

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


def normalise_metadata(document: Any) -> dict[str, Any]:
    """The metadata document (`/metadata/v1.json`) with one name for each fact.

    Args:
        document (dict): The decoded JSON; a list of one, as the documentation's sample has it, is accepted.

    Returns:
        dict: `droplet_id`, `hostname`, `region`, `public_ip`, `private_ip`, `anchor_ip`, `public_ipv6` (each None where
        absent), `reserved_ip` and `reserved_ipv6` {`active`, `ip`}.

    Raises:
        ValueError: It is no metadata document.
    """
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not is_id(leaf(document, "droplet_id")):
        raise ValueError("no droplet_id in the metadata")
    public, private = (leaf(document, "interfaces", kind, 0) for kind in ("public", "private"))
    return {
        "droplet_id": document["droplet_id"],
        "hostname": text(document.get("hostname")),
        "region": text(document.get("region")),
        "public_ip": text(leaf(public, "ipv4", "ip_address")),
        "private_ip": text(leaf(private, "ipv4", "ip_address")),
        "anchor_ip": text(leaf(public, "anchor_ipv4", "ip_address")),
        "public_ipv6": text(leaf(public, "ipv6", "ip_address")),
        "reserved_ip": _reserved(document, "ipv4", "floating_ip", "reserved_ip"),
        "reserved_ipv6": _reserved(document, "ipv6", "reserved_ip"),
    }


def _reserved(document: Any, family: str, *keys: str) -> dict[str, Any]:
    """What it says of a reserved address: of two spellings the one that is active."""
    reserved: Any = {}
    for key in keys:
        entry = leaf(document, key, family)
        if isinstance(entry, dict) and (entry.get("active") is True or not reserved):
            reserved = entry
    return {"active": reserved.get("active") is True, "ip": text(reserved.get("ip_address"))}
