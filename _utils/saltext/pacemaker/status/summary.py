"""
The state of a cluster as ``crm_mon --output-as=xml`` gives it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from xml.sax.saxutils import unescape

from saltext.pacemaker.status import resources
from saltext.pacemaker.status.resources import base_id
from saltext.pacemaker.types import Data, Element

_DEGRADED = ("190", "191")  # PCMK_OCF_DEGRADED, PCMK_OCF_DEGRADED_PROMOTED
QUOTES = {"&apos;": "'", "&quot;": '"'}
"""In a reason crm_mon 2.1.5 escapes all five twice; the other three ``unescape`` knows."""


def summary(root: Element) -> Data:
    """
    The state of a cluster from crm_mon's XML output (its root element), in the form of ``pacemaker.status``.
    """
    dc = root.find("summary/current_dc")
    return {
        "dc": dc.get("name") if dc is not None and dc.get("present") == "true" else None,
        "quorum": dc is not None and dc.get("with_quorum") == "true",
        "maintenance": root.find("summary/cluster_options[@maintenance-mode='true']") is not None,
        "stopped": root.find("summary/cluster_options[@stop-all-resources='true']") is not None,
        "nodes": {
            node.get("name"): {
                **{key: value == "true" for key, value in node.items() if value in ("true", "false")},
                "remote": node.get("type") != "member",
            }
            for node in root.iterfind("nodes/node")
        },
        "resources": _by_id(resources.read(root.find("resources"))),
        "failures": [
            {
                "resource": one.get("op_key", one.get("id", "")).rsplit("_", 2)[0],
                "operation": one.get("task", ""),
                "node": one.get("node", ""),
                "status": one.get("exitstatus") or one.get("status", ""),
                "reason": unescape(one.get("exitreason", ""), QUOTES),
                "time": one.get("last-rc-change", ""),
                "over": _is_over(root, one),
            }
            for one in root.iterfind("failures/failure")
        ],
    }


def _is_over(root: Element, failure: Element) -> bool:
    """
    Whether a failure is history: crm_mon lists it until a cleanup, though its resource has gone, or has been found or
    made well on that node since.
    """
    resource, call = failure.get("op_key", failure.get("id", "")).rsplit("_", 2)[0], _call(failure)
    mine = [one for one in root.iter("resource") if base_id(one.get("id", "")) == base_id(resource)]
    if all(one.get("orphaned") == "true" for one in mine):
        return True
    # A stop mends no failure; but what was degraded ran, and runs there no more.
    mends_nothing = ("notify",) if failure.get("exitcode") in _DEGRADED else ("stop", "notify")
    return any(
        one.get("rc") == "0" and one.get("task") not in mends_nothing
        for node in root.iterfind("node_history/node")
        if node.get("name") == failure.get("node")
        for history in node
        if base_id(history.get("id", "")) == base_id(resource)
        for one in _since(history, call)
    )


def _since(history: Element, call: int) -> Iterator[Element]:
    """
    The operations of a history after a failed one. They are numbered as they are asked for. A recurring monitor keeps
    its number, and stands there twice, with its outcome from before the failure or from after it; crm_mon lists those
    of one number in the order of their time (Pacemaker's sort_op_by_callid).
    """
    failed = max((at for at, one in enumerate(history) if _call(one) == call and one.get("rc") != "0"), default=-1)
    for at, one in enumerate(history):
        if _call(one) > call or (_call(one) == call and at > failed):
            yield one


def _call(operation: Element) -> int:
    return int(operation.get("call", 0))


def _by_id(instances: list[Data]) -> dict[str, Data]:
    """One entry per resource for the instances of all."""
    result: dict[str, Data] = {}
    for one in instances:
        entry = result.setdefault(
            base_id(one["id"]),
            {
                "role": None,
                "active": False,
                "failed": False,
                "blocked": False,
                "managed": True,
                "target_role": one["target_role"],
                "nodes": [],
                "in": one["in"],
            },
        )
        roles = {role for role in (entry["role"], one["role"]) if role}
        entry["role"] = next((role for role in ("Promoted", "Master", "Started") if role in roles), one["role"])
        for flag in ("active", "failed", "blocked"):
            entry[flag] = entry[flag] or bool(one.get(flag))
        entry["managed"] = entry["managed"] and one.get("managed", True)
        entry["nodes"] = sorted({*entry["nodes"], *one["nodes"]})
    return result


def missing(status: Data, nodes: Collection[str] | None = None) -> str:
    """
    What keeps a cluster (in the form of ``pacemaker.status``) from being complete, as text; empty if nothing does.

    nodes: names that have to be online; by default those that the cluster expects to be.
    """
    if nodes is None:
        nodes = [name for name, flags in status["nodes"].items() if flags.get("expected_up")]
    absent = sorted(name for name in nodes if not status["nodes"].get(name, {}).get("online"))
    joining = sorted(name for name in nodes if status["nodes"].get(name, {}).get("pending"))
    parts = [
        "absent: " + ", ".join(absent) if absent else "",
        "still joining: " + ", ".join(joining) if joining else "",
        "" if status["dc"] else "there is no DC",
        "" if status["quorum"] else "there is no quorum",
    ]
    return "; ".join(part for part in parts if part)
