"""Changes of a configuration for people: each object one line, in the words of `crm configure`."""

from __future__ import annotations

from typing import Any

from saltext.pacemaker.types import Data

_UNARY = ("defined", "not_defined")
# What stands without its key, in crm's order.
_BARE = ("agent", "template", "members", "resource", "first", "with", "then")


def lines(changes: Data) -> dict[str, dict[str, str | None]]:
    """
    The changes of a Plan with one line of text for what an object was and what it becomes.

    With kind and id before it, the line of a whole object is what crm shows of it.
    """
    return {what: {side: line(data) for side, data in change.items()} for what, change in changes.items()}


def line(data: Any) -> str | None:
    """An object, or the fields of it that differ, as one line; None stays None."""
    if data is None:
        return None
    if not isinstance(data, dict):
        return _value(data)
    rest = dict(data)
    words = [_value(rest.pop(key)) for key in _BARE if isinstance(rest.get(key), (str, list))]
    head = rest.pop("score", rest.pop("kind", None))
    node = rest.pop("node", None)
    if head is not None:
        words.insert(1 if node is not None else 0, f"{_value(head)}:")
    words += [_value(node)] if node is not None else []
    for key, value in rest.items():
        words += _field(key, value)
    return " ".join(words)


def _field(key: str, value: Any) -> list[str]:
    if key == "operations":
        return [f"op {one.get('name', '')} {_pairs(one, but='name')}".strip() for one in _items(value)]
    if key == "rules":
        return [_rule(one) for one in _items(value)]
    if isinstance(value, dict):
        return [f"{key} {_pairs(value)}"]
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return [f"{key} {_pairs(one) if isinstance(one, dict) else _value(one)}" for one in value]
    return [f"{key}={_value(value)}"]


def _items(value: Any) -> list[Data]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _pairs(mapping: Data, but: str | None = None) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in mapping.items() if key != but)


def _rule(rule: Data) -> str:
    score = rule.get("score", rule.get("score-attribute"))
    operator = f" {rule.get('boolean-op', 'and')} "
    said = operator.join(map(_expression, _items(rule.get("expressions", []))))
    return f"rule {score}: {said}" if score is not None else f"rule {said}"


def _expression(one: Data) -> str:
    [(kind, parts), *more] = one.items()
    if more or not isinstance(parts, dict):
        return _pairs(one)
    if kind == "rule":
        return f"( {_rule(parts)} )"
    if kind != "expression":
        return f"{kind} {_pairs(parts)}"
    if parts.get("operation") in _UNARY:
        return f"{parts['operation']} {parts.get('attribute')}"
    return " ".join(_value(parts[key]) for key in ("attribute", "operation", "value") if key in parts)


def _value(value: Any) -> str:
    """A value; in quotes where it would not be one word."""
    if isinstance(value, dict):
        return f"( {_pairs(value)} )"
    if isinstance(value, (list, tuple)):
        return " ".join(map(_value, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"{text}"' if not text or any(letter.isspace() for letter in text) else text
