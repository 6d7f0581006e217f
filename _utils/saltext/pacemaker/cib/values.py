"""
What a boolean, a score, a duration and a role are to Pacemaker, and which option has which type.

``meaning`` maps every accepted spelling of a value to one: two values are the same to Pacemaker exactly when their
meanings are equal. A value that its type does not accept stands for itself, because Pacemaker keeps it too.

Sources: Pacemaker Explained, sections "Score", "ISO 8601 durations", "Cluster Options", "Resource Meta-Attributes",
"Properties of an Operation", "Alert Meta-Attributes"; lib/common/{strings,scores}.c for the accepted spellings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from saltext.pacemaker import words

INFINITY = 1000000

_TRUE = ("true", "on", "yes", "y", "1")
_FALSE = ("false", "off", "no", "n", "0")
_UNIT_MS = {
    "": 1000, "s": 1000, "sec": 1000, "ms": 1, "msec": 1, "us": 0.001, "usec": 0.001,
    "m": 60000, "min": 60000, "h": 3600000, "hr": 3600000,
}  # fmt: skip
_DURATION = re.compile(r"\s*(\d+)\s*([a-z]*)\s*\Z", re.IGNORECASE)
_ISO_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?\Z", re.IGNORECASE
)
_ISO_SECONDS = (365 * 86400, 30 * 86400, 7 * 86400, 86400, 3600, 60, 1)
_ROLES = {"master": "Promoted", "slave": "Unpromoted"}
ROLES = ("Stopped", "Started", "Promoted", "Unpromoted")


def text(value: Any) -> str:
    """
    The spelling of a YAML value in the CIB: ``true`` for True, ``INFINITY`` for an infinite float, ``10`` for 10.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            return "INFINITY" if value > 0 else "-INFINITY"
        return str(int(value)) if value.is_integer() else str(value)
    return str(value)


def boolean(value: Any) -> bool:
    """
    True or False for any spelling that Pacemaker takes for one; ValueError for anything else.
    """
    word = text(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("true or false")


def score(value: Any) -> int | str:
    """
    A score as a whole number, cut to plus or minus 1,000,000; a node health colour stands for itself.
    """
    word = text(value).strip().lower()
    if word in ("red", "yellow", "green"):
        return word
    if word.lstrip("+-") in ("infinity", "inf"):
        return -INFINITY if word.startswith("-") else INFINITY
    if not re.fullmatch(r"[+-]?\d+", word):
        raise ValueError("a whole number, INFINITY or -INFINITY")
    return max(-INFINITY, min(INFINITY, int(word)))


def duration(value: Any) -> int:
    """
    A duration in milliseconds: ``10``, ``10s``, ``10000ms``, ``PT10S`` are one. ValueError for anything else.
    """
    word = text(value).strip()
    match = _DURATION.match(word)
    if match and match.group(2).lower() in _UNIT_MS:
        return int(int(match.group(1)) * _UNIT_MS[match.group(2).lower()])
    match = _ISO_DURATION.match(word)
    if match and any(match.groups()):
        return sum(int(n or 0) * seconds for n, seconds in zip(match.groups(), _ISO_SECONDS, strict=True)) * 1000
    raise ValueError("a duration such as 10s, 500ms, 2min or PT1H")


def role(value: Any) -> str:
    """
    One of ROLES; Master and Slave are the former names of Promoted and Unpromoted.
    """
    word = text(value).strip().lower()
    name = _ROLES.get(word, word.capitalize())
    if name not in ROLES:
        raise ValueError("one of " + ", ".join(ROLES))
    return name


def integer(value: Any) -> int:
    """
    A whole number. ValueError for anything else.
    """
    word = text(value).strip()
    if not re.fullmatch(r"[+-]?\d+", word):
        raise ValueError("a whole number")
    return int(word)


def word(value: Any) -> str:
    """
    A keyword that Pacemaker compares without regard to case.
    """
    return text(value).strip().lower()


_READERS = {
    "boolean": boolean,
    "score": score,
    "duration": duration,
    "role": role,
    "integer": integer,
    "word": word,
    "text": text,
}


def meaning(kind: str, value: Any) -> str:
    """
    What ``value`` means as a ``kind`` (boolean, score, duration, role, integer, word, text), as text, so that
    meanings can be compared and ordered. A value that is not of its kind stands for itself.
    """
    try:
        return text(_READERS[kind](value))
    except ValueError:
        return text(value)


def allowed(kind: str, value: Any) -> str | None:
    """
    None if ``value`` is a ``kind``, else what would be, in words.
    """
    if value is None or isinstance(value, (dict, list, tuple)):
        return "a single value"
    if isinstance(value, str) and value.startswith("#"):  # "#default" and the names of node attributes
        return None
    try:
        _READERS[kind](value)
    except ValueError as problem:
        return str(problem)
    return None


def _table(**names: str) -> dict[str, str]:
    return {name: kind for kind, text_ in names.items() for name in text_.split()}


_PROPERTIES = _table(
    boolean="concurrent-fencing enable-acl enable-startup-probes fencing-enabled have-watchdog maintenance-mode "
    "remove-after-stop shutdown-lock start-failure-is-fatal startup-fencing stonith-enabled stop-all-resources "
    "stop-orphan-actions stop-orphan-resources stop-removed-actions stop-removed-resources symmetric-cluster",
    duration="cluster-delay cluster-recheck-interval dc-deadtime election-timeout fencing-timeout "
    "join-finalization-timeout join-integration-timeout node-pending-timeout priority-fencing-delay "
    "shutdown-escalation shutdown-lock-limit stonith-timeout transition-delay",
    score="node-health-base node-health-green node-health-red node-health-yellow stonith-max-attempts "
    "fencing-max-attempts",
    integer="batch-limit migration-limit node-action-limit pe-error-series-max pe-input-series-max pe-warn-series-max",
    word="fence-reaction fencing-action no-quorum-policy node-health-strategy placement-strategy stonith-action",
)
_META = _table(
    boolean="allow-migrate allow-unhealthy-nodes critical enabled globally-unique interleave is-managed maintenance "
    "notify ordered promotable remote-allow-migrate",
    duration="failure-timeout remote-connect-timeout",
    score="migration-threshold priority resource-stickiness",
    integer="clone-max clone-min clone-node-max promoted-max promoted-node-max",
    role="target-role",
    word="multiple-active requires resource-discovery",
)
_OPERATION = _table(
    boolean="enabled record-pending", duration="interval start-delay timeout", role="role", word="on-fail"
)
_ALERT_META = _table(boolean="enabled", duration="timeout", text="timestamp-format")
_NODE_ATTRIBUTES = _table(boolean="standby maintenance")
_TYPES = {
    "properties": _PROPERTIES,
    "meta": _META,
    "operation_meta": _OPERATION,
    "alert_meta": _ALERT_META,
    "node_attributes": _NODE_ATTRIBUTES,
    "params": {},  # an agent gets the very string: two spellings are two values
    "utilization": {},
}
_UNTYPED = {
    "properties": "cluster-ipc-limit crmd-finalization-timeout crmd-integration-timeout crmd-transition-delay "
    "default-action-timeout default-resource-failure-stickiness default-resource-stickiness load-threshold "
    "notification-agent notification-recipient stonith-watchdog-timeout transition-idle-timeout".split()
}
"""Further options that Pacemaker has or had."""

_ALIASES = {
    "properties": {
        "fencing-enabled": "stonith-enabled",
        "fencing-timeout": "stonith-timeout",
        "fencing-action": "stonith-action",
        "fencing-max-attempts": "stonith-max-attempts",
        "fencing-watchdog-timeout": "stonith-watchdog-timeout",
        "stop-removed-resources": "stop-orphan-resources",
        "stop-removed-actions": "stop-orphan-actions",
    },
    "meta": {"master-max": "promoted-max", "master-node-max": "promoted-node-max"},
}


def canonical_name(table: str, name: Any) -> str:
    """
    The one name of an option that has had several; any other name is its own.
    """
    return _ALIASES.get(table, {}).get(text(name), text(name))


def canonical_names(table: str, names: Iterable[str]) -> dict[str, str]:
    """
    {name: its ``canonical_name``}, but of several names for one option that are there together each is its own: which
    of them counts depends on Pacemaker's release.
    """
    found = Counter(canonical_name(table, name) for name in names)
    return {name: canonical_name(table, name) if found[canonical_name(table, name)] == 1 else name for name in names}


def option_type(table: str, name: Any) -> str:
    """
    The type of option ``name`` in ``table`` (properties, meta, operation_meta, alert_meta, node_attributes, params,
    utilization); what is not known to be anything else is text.
    """
    return _TYPES[table].get(canonical_name(table, name), "text")


def is_known_option(table: str, name: str) -> bool:
    """
    Whether Pacemaker has, or had, an option ``name`` in ``table``; it once took them with underscores too.
    """
    known = {*_TYPES[table], *_UNTYPED.get(table, ())}
    return canonical_name(table, text(name).replace("_", "-")) in known


def spelled(kind: str, value: Any, old_roles: bool = False) -> str:
    """
    How a desired value is written into the CIB: as given, but infinite scores and roles in the schema's words.
    """
    written = text(value)
    if kind == "score" and written.lower().lstrip("+-") == "inf":
        return "-INFINITY" if written.startswith("-") else "INFINITY"
    if kind == "role":
        name = meaning("role", written)
        return {"Promoted": "Master", "Unpromoted": "Slave"}.get(name, name) if old_roles else name
    return written


_ID = re.compile(r"[^\W\d][\w.-]*\Z")


def is_id(word: str) -> bool:
    """
    Whether a word can be the id of an XML element: a letter or underscore, then letters, digits, ``_``, ``.``, ``-``.
    """
    return bool(_ID.match(word))


_SECRET = re.compile(
    r"(token|passw|passphrase|secret|credential|api_?key|priv(ate)?[_-]?key|webhook"
    r"|(^|[_-])(key|pwd|pw|pass|community)\Z)",
    re.I,
)
_PLACE = re.compile(r"([_-](file|path|script|dir|url)|_?privkey)\Z", re.I)


def is_secret(name: str, value: Any = None) -> bool:
    """
    Whether a parameter's value is not to be shown, judged by its name, and by what it looks like: a private key, a
    token of a known form, a URL with a password. No agent's metadata says it; cibsecret(8) leaves a word in the CIB.
    """
    if value == "lrm://":
        return False
    if isinstance(value, str) and words.is_credential(value):
        return True
    return bool(_SECRET.search(name)) and not _PLACE.search(name)
