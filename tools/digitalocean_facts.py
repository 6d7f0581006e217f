"""
What DigitalOcean's OpenAPI description says about the answers that this project relies on, as a table; and how an
answer differs from it.

Source: https://github.com/digitalocean/openapi, commit 7c1300c of 7 August 2026, below specification/:
resources/reserved_ips, resources/reserved_ipv6, resources/byoip_prefixes, resources/droplets,
resources/actions/models/action.yml, resources/regions/models/region.yml,
shared/models/error.yml, shared/meta.yml. Facts only: names, types, required or not, statuses, scopes.
"""

from __future__ import annotations

import re

Null = type(None)

# A field with a question mark may be missing. A text is a model; a list one of its entries; a set the allowed values.
MODELS = {
    "region": {"name": str, "slug": str, "available": bool, "features": [str], "sizes": [str]},
    "network_v4": {"?ip_address": str, "?netmask": str, "?gateway": (str, Null), "?type": {"public", "private"}},
    "networks": {"?v4": ["network_v4"], "?v6": [dict]},
    "droplet": {
        "id": int, "name": str, "memory": int, "vcpus": int, "disk": int, "locked": bool,
        "status": {"new", "active", "off", "archive"}, "created_at": str, "features": [str], "backup_ids": [int],
        "next_backup_window": (dict, Null), "snapshot_ids": [int], "image": dict, "volume_ids": [str], "size": dict,
        "size_slug": str, "networks": "networks", "region": "region", "tags": [str],
    },
    "reserved_ip": {
        "?ip": str, "?region": "region", "?droplet": ("droplet", Null), "?locked": bool, "?project_id": str,
    },
    "reserved_ipv6": {"?ip": str, "?reserved_at": str, "?region_slug": str, "?droplet": ("droplet", Null)},
    "byoip_prefix": {
        "?uuid": str, "?prefix": str, "?status": str, "?region": str, "?advertised": bool, "?locked": bool,
    },
    "action": {
        "?id": int, "?status": {"in-progress", "completed", "errored"}, "?type": str, "?started_at": str,
        "?completed_at": (str, Null), "?resource_id": (int, Null), "?resource_type": str, "?region": "region",
        "?region_slug": (str, Null),
    },
    "meta": {"total": int},
    "error": {"id": str, "message": str, "?request_id": str},
}  # fmt: skip

# (method, path): (scope, status of success, its document)
OPERATIONS = {
    ("GET", r"/v2/reserved_ips"): ("reserved_ip:read", 200, {"reserved_ips": ["reserved_ip"], "meta": "meta"}),
    ("GET", r"/v2/reserved_ips/[0-9.]+"): ("reserved_ip:read", 200, {"reserved_ip": "reserved_ip"}),
    ("GET", r"/v2/reserved_ips/[0-9.]+/actions"): ("reserved_ip:read", 200, {"actions": ["action"], "meta": "meta"}),
    ("GET", r"/v2/reserved_ips/[0-9.]+/actions/\d+"): ("reserved_ip:read", 200, {"action": "action"}),
    ("POST", r"/v2/reserved_ips/[0-9.]+/actions"): ("reserved_ip:update", 201, {"action": "action"}),
    ("GET", r"/v2/reserved_ipv6"): ("reserved_ip:read", 200, {"reserved_ipv6s": ["reserved_ipv6"], "meta": "meta"}),
    ("GET", r"/v2/reserved_ipv6/[0-9a-f:]+"): ("reserved_ip:read", 200, {"reserved_ipv6": "reserved_ipv6"}),
    ("POST", r"/v2/reserved_ipv6/[0-9a-f:]+/actions"): ("reserved_ip:update", 201, {"action": "action"}),
    ("GET", r"/v2/byoip_prefixes"): ("byoip_prefix:read", 200, {"byoip_prefixes": ["byoip_prefix"], "meta": "meta"}),
    ("GET", r"/v2/droplets"): ("droplet:read", 200, {"droplets": ["droplet"], "meta": "meta"}),
    ("GET", r"/v2/droplets/\d+"): ("droplet:read", 200, {"droplet": "droplet"}),
    ("GET", r"/v2/droplets/\d+/actions"): ("droplet:read", 200, {"actions": ["action"], "meta": "meta"}),
    ("POST", r"/v2/droplets/\d+/actions"): ("droplet:update", 201, {"action": "action"}),
}

# Every other status has the error's document: by name 401, 404, 429 and 500, and the rest as `default`.


def operation(method: str, path: str) -> tuple[str, int, dict]:
    """The (scope, status, document) of a request; KeyError for one that is not in the table."""
    for (verb, pattern), found in OPERATIONS.items():
        if verb == method and re.fullmatch(pattern, path.partition("?")[0]):
            return found
    raise KeyError(f"{method} {path}")


def differences(method: str, path: str, status: int, document: object) -> list[str]:
    """In what an answer is other than described; a line for each place."""
    _, success, described = operation(method, path)
    if status == success:
        return list(_of_fields(document, described, ""))
    if 200 <= status < 400:
        return [f"status {status}, described: {success}"]
    return list(_of_fields(document, MODELS["error"], ""))


def _of_fields(found: object, fields: dict, place: str):
    if not isinstance(found, dict):
        yield f"{place or 'the document'}: {type(found).__name__}, described: an object"
        return
    for name, kind in fields.items():
        key = name.removeprefix("?")
        if key in found:
            yield from _of_value(found[key], kind, f"{place}.{key}".lstrip("."))
        elif key == name:
            yield f"{place}.{key}".lstrip(".") + ": is missing, and required"


def _of_value(found: object, kind: object, place: str):
    if isinstance(kind, tuple):
        tried = [list(_of_value(found, one, place)) for one in kind]
        yield from min(tried, key=len) if all(tried) else []
    elif isinstance(kind, str):
        yield from _of_fields(found, MODELS[kind], place)
    elif isinstance(kind, list):
        if not isinstance(found, list):
            yield f"{place}: {type(found).__name__}, described: a list"
        for number, entry in enumerate(found if isinstance(found, list) else ()):
            yield from _of_value(entry, kind[0], f"{place}[{number}]")
    elif isinstance(kind, set):
        if found not in kind:
            yield f"{place}: {found!r}, described: {', '.join(sorted(kind))}"
    elif type(found) is not kind:
        yield f"{place}: {type(found).__name__}, described: {kind.__name__}"
