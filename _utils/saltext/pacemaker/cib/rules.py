"""
Rules and their expressions. As data, a rule has Pacemaker's own names: ``score`` or ``score-attribute``,
``boolean-op``, ``role`` and ``expressions``, a list whose items are one of ``expression``, ``date_expression``,
``rsc_expression``, ``op_expression`` and ``rule``. (Pacemaker Explained, "Rules".)
"""

from __future__ import annotations

from saltext.pacemaker.cib.fields import Attribute, Many, Single
from saltext.pacemaker.cib.shapes import Shape, Shapes

_NODE = Shape(
    Attribute("attribute", required=True),
    Attribute(
        "operation",
        required=True,
        choices=("lt", "gt", "lte", "gte", "eq", "ne", "defined", "not_defined"),
        kind="word",
    ),
    Attribute("value"),
    Attribute("type", kind="word"),
    Attribute("value-source", kind="word"),
    suffix="expression",
)
_PERIODS = (
    "years", "months", "weeks", "days", "hours", "minutes", "seconds",
    "monthdays", "weekdays", "yeardays", "yearsdays", "weekyears", "moon",
)  # fmt: skip
_DATE = Shape(
    Attribute("operation", kind="word"),
    Attribute("start"),
    Attribute("end"),
    Single("duration", Shape(*(Attribute(name) for name in _PERIODS))),
    Single("date_spec", Shape(*(Attribute(name) for name in _PERIODS))),
    suffix="date",
)
_RESOURCE = Shape(Attribute("class"), Attribute("provider"), Attribute("type"), suffix="rsc")
_OPERATION = Shape(Attribute("name", required=True), Attribute("interval", kind="duration"), suffix="op")


def _expressions() -> Shapes:
    return {
        "expression": _NODE,
        "date_expression": _DATE,
        "rsc_expression": _RESOURCE,
        "op_expression": _OPERATION,
        "rule": RULE,
    }


RULE = Shape(
    Attribute("score", kind="score"),
    Attribute("score-attribute"),
    Attribute("boolean-op", kind="word", choices=("and", "or")),
    Attribute("role", kind="role"),
    Many("expressions", _expressions),
    suffix="rule",
)
