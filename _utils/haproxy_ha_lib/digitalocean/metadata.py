"""What the metadata service says of a droplet, as data."""

from __future__ import annotations

from typing import Any

from haproxy_ha_lib.cloud.answers import is_id, leaf, text


def normalised(document: Any) -> dict[str, Any]:
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
