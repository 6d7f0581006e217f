"""
What is asked for, what was found of it, and what is in the way: the decisions that need no command.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

from saltext.pacemaker.cib import plan as plans
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.errors import Invalid
from saltext.pacemaker.scheduler import limits, simulation
from saltext.pacemaker.status import health, history
from saltext.pacemaker.types import Actions, Data, Element
from saltext.pacemaker.words import did_you_mean

# How libxml2 begins a message about a document that breaks its schema, or whose references dangle.
_BREACH = re.compile(r"(Expecting|Did not expect|Element|Extra|Invalid|IDREF|ID|Type|Error validating|Datatype) ")


@dataclass(frozen=True)
class Request(plans.Terms):
    """What a plan is made of, and what it may do; the parameters of ``pacemaker.plan``."""

    max_disruption: Any = "any"
    expect: str | None = None
    allow_partition: bool = False
    expected_nodes: Any = ()

    @classmethod
    def of(cls, desired: Any, owner: str, options: Data) -> Request:
        """The Request with these {name: value} of the further fields. Invalid if one is none."""
        known = {one.name for one in fields(cls)} - {"desired", "owner"}
        for name in options:
            if name not in known:
                raise Invalid(f"{name}: there is no such option{did_you_mean(name, known)}")
        try:
            limits.too_much({}, options.get("max_disruption", "any"))
        except ValueError as problem:
            raise Invalid(str(problem)) from None
        return cls(desired, owner, **options)

    @property
    def binds_effects(self) -> bool:
        """Whether the plan may be carried out only with the effects that were found."""
        return self.max_disruption != "any" or self.expect is not None


@dataclass
class Judgement:
    """A Plan, what the cluster would do, and what is in the way of a commit."""

    plan: plans.Plan
    impact: Actions = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stale_probes: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Of the changes and of what they do."""
        return plans.fingerprint([self.plan.digest, simulation.sentences(self.impact)])

    def result(self) -> Data:
        """What people are told."""
        plan = self.plan
        return {
            "changes": plan.changes,
            "impact": self.impact,
            "foreign": plan.foreign,
            "adoptable": plan.adoptable,
            "unknown": plan.unknown,
            "resources": plan.resources,
            "digest": self.digest,
            "refused": self.refused,
            "lacking": self.lacking,
            "waiting": self.waiting,
            "problems": self.problems,
            "stale_probes": self.stale_probes,
        }


def unknown_secrets(plan: plans.Plan) -> list[str]:
    """Why a plan is refused whose secrets cannot be told."""
    if not plan.unresolved:
        return []
    names = ", ".join(plan.unresolved)
    return [f"it cannot be told what the secret {names} is: the cluster has no value in its place, or several; give it"]


def check_ids_of_limits(max_disruption: Any, document: Document, plan: plans.Plan) -> None:
    """Refuse a max_disruption for a resource that is nowhere: a slip would take all limits away."""
    known = {*document.resources(), *plan.resources, "default"}
    for name in max_disruption if isinstance(max_disruption, dict) else ():
        if name.split(":")[0] not in known:
            raise Invalid(f"max_disruption:{name}: there is no resource {name}{did_you_mean(name, known)}")


def unsafe(plan: plans.Plan, then: Data, proposed: Data) -> list[str]:
    """Why a change must not be written, whatever else is done before."""
    reasons = [str(doubt) for doubt in plan.doubts]
    left = health.left_running(then, proposed)
    if left and plan.after and plans.flag(plan.after, "stop-orphan-resources") is not False:
        reasons.append(
            f"would be left running: {', '.join(left)}. Without a fence device Pacemaker stops nothing unless "
            "stonith-enabled is false: keep that property until the resources are gone"
        )
    return reasons


def not_ready(root: Element, request: Request) -> list[str]:
    """Why the cluster is in no state to take a commit, by its CIB."""
    if not root.get("dc-uuid"):
        return ["the cluster has no DC yet"]
    reasons: list[str] = []
    if request.allow_partition:
        return reasons
    if root.get("have-quorum") not in ("1", "true"):
        reasons.append("the cluster has no quorum")
    absent = history.absent_nodes(root, request.expected_nodes or ())
    if absent:
        reasons.append(
            f"absent: {', '.join(absent)}. A commit made without it may be lost when it returns "
            "(allow_partition: true makes it all the same)"
        )
    pending = history.pending_nodes(root)
    if pending:
        reasons.append(f"still joining: {', '.join(pending)}")
    return reasons


def unseen(probes: Collection[tuple[str, str]], dropped: Collection[str]) -> list[str]:
    """
    Why a change has to wait: Pacemaker does not know yet whether what goes runs, so that it would neither stop it nor
    keep its successor from starting beside it.
    """
    return [
        f"not known yet: whether {name}, which goes or gets another agent, runs on {node}"
        for name, node in sorted(probes)
        if name in dropped
    ]


def complaints(said: str) -> tuple[list[str], list[str]]:
    """
    (breaches of the schema, other errors) in what crm_verify has said, without positions.

    A message of libxml2 is a breach, Pacemaker's own are errors. Pacemaker 2.1 writes "(function) error: ..." and
    "... validity error : ...", 3.0 "error: ..." and the bare message.
    """
    breaches, errors = set(), set()
    for line in said.splitlines():
        text = line.rpartition("validity error :")[2].strip()
        if _BREACH.match(text):
            breaches.add(text)
        elif "error:" in line and "schema validation" not in line and "<" not in line:
            errors.add(line.split("error:", 1)[1].strip())
    return sorted(breaches), sorted(errors)


def nodes_in(desired: Any) -> list[str]:
    """The names of the nodes that desired data has attributes for."""
    sections = [desired.get(name) for name in ("node_attributes", "utilization")] if isinstance(desired, dict) else []
    return sorted({str(node) for section in sections if isinstance(section, dict) for node in section})
