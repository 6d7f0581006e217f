"""
What is told on Salt's event bus, made of what Pacemaker's alerts say on this node and of what was told before.

A node hears of its own operations alone, and each node of all that come and go: of those that are left the first tells
that, and of a return whoever told the loss.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from haproxy_ha_lib import provider
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.cluster.objects import MAINTENANCE_ATTRIBUTE
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.status.resources import base_id

TAG = "haproxy_ha"

_NAME = re.compile(r"[\w.:-]{1,255}")
_VALUE = re.compile(r"[\w.:-]{0,64}")
_FIELDS = ("time", "kind", "node", "what", "resource", "task", "interval", "code", "expected")
# OCF return codes of what works, and should be looked at.
_DEGRADED = ("190", "191")


@dataclass(frozen=True)
class Alert:
    """
    A line of the alert agent.

    time
        In seconds since 1970.
    kind
        ``node``, ``resource`` or ``attribute``.
    what
        Of a node: ``member`` or ``lost``.
    resource, task
        Of an attribute: its name and its value.
    code, expected
        What the operation returned, and what it should.
    """

    time: int
    kind: str
    node: str
    what: str = ""
    resource: str = ""
    task: str = ""
    interval: str = ""
    code: str = ""
    expected: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether an operation did what it should."""
        return self.code == self.expected


def read(line: str) -> Alert | None:
    """Return what a line says; None for what the alert agent cannot have written, or what nothing is made of."""
    said = line.rstrip("\n").split("\t")
    if len(said) != len(_FIELDS):
        return None
    words = dict(zip(_FIELDS, said, strict=True))
    if not re.fullmatch(r"\d{1,12}", words["time"]) or not _NAME.fullmatch(words["node"]):
        return None
    alert = Alert(int(words.pop("time")), **{**words, "resource": base_id(words["resource"])})
    of_node = alert.kind == "node" and alert.what in ("member", "lost")
    of_resource = alert.kind == "resource" and _NAME.fullmatch(alert.resource) is not None
    of_attribute = alert.kind == "attribute" and alert.resource == MAINTENANCE_ATTRIBUTE
    return alert if of_node or of_resource or of_attribute and _VALUE.fullmatch(alert.task) else None


@dataclass
class Memory:
    """
    What has been told.

    lost
        The nodes whose loss was told here.
    ill
        {resource: ``failed`` or ``degraded``} on this node.
    left
        {floating IP: when it was last stopped here, in seconds since 1970}.
    """

    lost: list[str] = field(default_factory=list)
    ill: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Any) -> Memory:
        """Return the memory of what :func:`vars` of one gave; an empty one of what is spoilt."""
        try:
            ill = {str(name): str(how) for name, how in plain["ill"].items()}
            left = plain["left"] if isinstance(plain["left"], dict) else {provider.RESOURCE: plain["left"]}
            times = {str(name): int(moment) for name, moment in left.items()}
            return cls([str(name) for name in plain["lost"]], ill, times)
        except (TypeError, KeyError, ValueError, AttributeError):
            return cls()


@dataclass(frozen=True)
class Event:
    """Something to tell: its tag below :data:`TAG`, and its data."""

    name: str
    data: Tree

    @property
    def tag(self) -> str:
        """The whole tag."""
        return f"{TAG}/{self.name}"


@dataclass(frozen=True)
class Known:
    """
    What the cluster knows at this moment.

    me
        This node's name.
    members
        The nodes that are in the cluster.
    planned
        Those that were asked to leave.
    reasons
        {resource: why an operation of it failed here, or found it degraded}.
    used
        {floating IP: {node: when it last started or stopped there, in seconds since 1970}} of the other nodes.
    """

    me: str
    members: Collection[str]
    planned: Collection[str] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def made_of(alert: Alert, memory: Memory, known: Known) -> Event | None:
    """Return what an alert is to be told as, None for nothing, and note it in the memory."""
    told = _MADE[alert.kind](alert, memory, known)
    if told is None:
        return None
    name, data = told
    return Event(name, {"time": alert.time, **data})


def _of_node(alert: Alert, memory: Memory, known: Known) -> tuple[str, Tree] | None:
    if alert.what == "lost":
        teller = min({*known.members} - {alert.node}, default=None)
        if teller != known.me or alert.node in memory.lost:
            return None
        memory.lost.append(alert.node)
        return "node/lost", {"node": alert.node, "planned": alert.node in known.planned, "told_by": known.me}
    if alert.node not in memory.lost:
        return None
    memory.lost.remove(alert.node)
    return "node/returned", {"node": alert.node, "told_by": known.me}


def _of_resource(alert: Alert, memory: Memory, known: Known) -> tuple[str, Tree] | None:
    is_address = bool(standing.addresses([alert.resource]))
    if is_address and alert.succeeded and alert.task == "stop":
        memory.left[alert.resource] = alert.time
    if not alert.succeeded:
        return _of_illness(alert, memory, known)
    if alert.task not in ("start", "monitor") or alert.interval in ("", "0") and alert.task == "monitor":
        return None
    was = memory.ill.pop(alert.resource, None)
    former = _former(memory, known, alert.resource, was_ill=bool(was))
    if is_address and alert.task == "start" and former:
        return "failover", {"from": former, "to": alert.node, "resource": alert.resource}
    return ("recovered", {"node": alert.node, "resource": alert.resource, "was": was}) if was else None


def _of_illness(alert: Alert, memory: Memory, known: Known) -> tuple[str, Tree] | None:
    how = "degraded" if alert.code in _DEGRADED else "failed"
    if memory.ill.get(alert.resource) == how:
        return None
    memory.ill[alert.resource] = how
    data = {"node": alert.node, "resource": alert.resource, "reason": known.reasons.get(alert.resource, "")}
    return how, data if how == "degraded" else {**data, "task": alert.task}


def _of_maintenance(alert: Alert, memory: Memory, known: Known) -> tuple[str, Tree]:
    """Told by the one node that writes attributes to the configuration."""
    if alert.task:
        return "maintenance/announced", {"node": alert.node, "what": alert.task, "told_by": known.me}
    return "maintenance/over", {"node": alert.node, "told_by": known.me}


_MADE = {"node": _of_node, "resource": _of_resource, "attribute": _of_maintenance}


def _former(memory: Memory, known: Known, resource: str, was_ill: bool) -> str | None:
    """
    The node that had a floating IP since this one last did; None if none had it meanwhile. Times are in seconds: of two
    that are the same, one is that of a restart here if it was ill.
    """
    used = known.used.get(resource, {})
    node = max(used, key=lambda name: used[name], default=None)
    if node is None:
        return None
    left = memory.left.get(resource, 0)
    return node if used[node] > left or (used[node] == left and not was_ill) else None
