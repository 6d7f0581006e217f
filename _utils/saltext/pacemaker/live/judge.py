"""
Judge a change before it is made: plan it, verify it, simulate it, and say what is in the way.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping

from saltext.pacemaker.cib import document as cib
from saltext.pacemaker.cib import kinds, parameters
from saltext.pacemaker.cib import plan as plans
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.errors import CibError, DanglingError, Failed, Invalid
from saltext.pacemaker.live import reading
from saltext.pacemaker.live.machine import Machine
from saltext.pacemaker.request import (
    Judgement,
    Request,
    check_ids_of_limits,
    complaints,
    nodes_in,
    not_ready,
    unknown_secrets,
    unsafe,
    unseen,
)
from saltext.pacemaker.scheduler import limits, simulation
from saltext.pacemaker.status import health, history, resources
from saltext.pacemaker.types import Containers, Data, Element


def plan(machine: Machine, request: Request, cib_file: str | None = None, from_nothing: bool = False) -> Data:
    """What a commit would change, and what the cluster would then do: the result of ``pacemaker.plan``."""
    try:
        if from_nothing:
            return Judgement(make_plan(cib.Document.empty(nodes_in(request.desired)), request)).result()
        return judge(machine, reading.text(machine, cib_file), request, live=cib_file is None).result()
    except DanglingError as problem:
        if not request.partial:
            raise impossible_error(problem) from None
        nothing = plans.Plan(before=None, changes=plans.given(request.desired))
        return Judgement(nothing, lacking=[str(problem)]).result()


def foreign(machine: Machine, request: Request, cib_file: str | None = None) -> Data:
    """What others have made and the request would leave there, in the form of an export."""
    document = reading.document(reading.text(machine, cib_file))
    left = set(make_plan(document, request).foreign)
    exported = cib.export(document, owner=request.owner, secrets=False)
    return {
        section: kept
        for section, content in exported.items()
        if (kept := {name: one for name, one in content.items() if _label_of(section, name) in left})
    }


def _label_of(section: str, name: str) -> str | None:
    """What an object of an exported section is called in lists; None for what is no object."""
    return plans.label(section, name) if section in kinds.KINDS else None


def make_plan(document: Document, request: Request) -> plans.Plan:
    """The Plan for a request. DanglingError if it refers to what is not there; Invalid if it cannot be."""
    try:
        return plans.fulfil(document, request)
    except DanglingError:
        raise
    except CibError as problem:
        raise impossible_error(problem) from None


def impossible_error(problem: CibError) -> Invalid:
    """The error for desired data that cannot be."""
    return Invalid(f"The desired configuration cannot be:\n{problem}")


def judge(machine: Machine, text: str, request: Request, live: bool, lost: Judgement | None = None) -> Judgement:
    """
    The Judgement of a request on the CIB ``text``.

    live: whether it is that of the running cluster. lost: the Judgement of a commit which has just lost a race. The
    very same change is not simulated again, unless its effects are bound: a loser that takes as long as the winner's
    next commit would lose for ever.
    """
    document = reading.document(text)
    made = make_plan(document, request)
    after = made.after
    if after is None:
        stale = _stale_probes(machine, document, made.resources) if live else []
        return Judgement(made, refused=list(made.conflicts), stale_probes=stale)
    if plans.lacks_tags(after):
        raise _outdated_error(document)
    if lost is not None and lost.plan.digest == made.digest and not request.binds_effects:
        waiting = not_ready(document.root, request) + _unseen(machine, text, document, after)
        return Judgement(made, lost.impact, waiting=waiting)
    check_ids_of_limits(request.max_disruption, document, made)
    return _try_out(machine, text, request, document, made, after, live)


def _try_out(
    machine: Machine, text: str, request: Request, document: Document, made: plans.Plan, after: Document, live: bool
) -> Judgement:
    """The Judgement by what Pacemaker's own tools say of the new CIB."""
    verified, *simulated = machine.run_together(
        (reading.VERIFY, after.judged_text()), (reading.SIMULATE, text), (reading.SIMULATE, after.text())
    )
    breaches, errors = _new_errors(machine, document, verified[2])
    now, current = reading.read_scheduler(*simulated[0][:2])
    if document.is_outdated and (breaches or simulated[1][0]):
        raise _outdated_error(document)
    if breaches:
        raise Failed(f"Pacemaker would refuse the configuration: {'; '.join(breaches)}")
    then, proposed = reading.read_scheduler(*simulated[1][:2], "that it would have")
    judgement = Judgement(made, simulation.difference(proposed, current))
    judgement.refused += made.conflicts + unknown_secrets(made)
    if live:
        judgement.waiting = not_ready(document.root, request) + _unseen(machine, text, document, after)
        judgement.lacking = errors + _agent_problems(machine, made, after)
        judgement.refused += unsafe(made, then, proposed)
        judgement.problems = problems_of(machine, after, then, made.resources, simulation.busy(proposed))
        judgement.stale_probes = _stale_probes(machine, document, made.resources)
    judgement.refused += _broken_bounds(judgement, request, resources.containers(now, then))
    return judgement


def _unseen(machine: Machine, text: str, document: Document, after: Document) -> list[str]:
    """What goes and has not been looked for on every node yet."""
    dropped = plans.dropped(document, after)
    if not dropped:
        return []
    return unseen(reading.probes(machine, text) | history.probes_under_way(document.root), dropped)


def _broken_bounds(judgement: Judgement, request: Request, containers: Containers) -> list[str]:
    """Why a plan is refused that does more, or something else, than the request allows."""
    reasons = []
    worse = limits.too_much(judgement.impact, request.max_disruption, containers)
    if worse:
        reasons.append(f"more than max_disruption allows ({_limits(request.max_disruption)}): {', '.join(worse)}")
    if request.expect is not None and request.expect != judgement.digest:
        reasons.append(f"this is not the plan that was reviewed: its digest is {judgement.digest}")
    return reasons


def _limits(max_disruption: object) -> str:
    """A limit, or each one's, as pillar has it."""
    if not isinstance(max_disruption, Mapping):
        return str(max_disruption)
    return ", ".join(f"{name}: {limit}" for name, limit in max_disruption.items())


def _outdated_error(document: Document) -> Failed:
    """An error for a change that the schema of an older Pacemaker does not allow."""
    return Failed(
        f"The CIB has still the schema {document.root.get('validate-with')} of an older Pacemaker, in which this "
        "change cannot be made. Upgrade it first, which keeps what it means: salt-call pacemaker.upgrade_schema "
        "(cibadmin --upgrade --force). Then export it again"
    )


def _new_errors(machine: Machine, before: Document, said: str) -> tuple[list[str], list[str]]:
    """(breaches of the schema, other errors) in what crm_verify has said that it does not say of ``before`` too."""
    found = complaints(said)
    if not any(found):
        return [], []
    known = complaints(machine.run(*reading.VERIFY, stdin=before.judged_text())[2])
    breaches, errors = ([line for line in new if line not in old] for new, old in zip(found, known, strict=True))
    return breaches, errors


def _agent_problems(machine: Machine, made: plans.Plan, after: Document) -> list[str]:
    """Agents of new and changed primitives that are not installed here, and parameters that they do not take."""
    found = []
    agents = sorted({agent for agent, _ in made.agents.values()})
    metadata = {agent: reading.metadata(machine, agent) for agent in agents}
    for name, (agent, params) in sorted(made.agents.items()):
        described = metadata[agent]
        if described is None:
            found.append(f"the agent {agent} of {name} is not installed on this node")
            continue
        template = ("templates", name) in after.objects
        found += [f"{name}: {text}" for text in parameters.problems(agent, described, params, template)]
    return found


def problems_of(
    machine: Machine, document: Document, state: Data, wanted: Collection[str], busy: Collection[str] = ()
) -> list[str]:
    """What is wrong with resources, with what the agents said."""
    counts = history.fail_counts(document.root)
    stopped = plans.flag(document, "stop-all-resources") is True
    found = health.problems(state, counts, wanted, stopped=stopped, busy=busy)
    if found:
        found = health.problems(state, counts, wanted, reading.status(machine)["failures"], stopped, busy)
    return found + _barred_by_probes(machine, document, state, wanted)


def _stale_probes(machine: Machine, document: Document, wanted: Collection[str]) -> list[str]:
    """The primitives that a probe on this node keeps off it because their agent was missing, and it is here by now."""
    probes = history.failed_probes(document.root, not_installed=True)
    here = reading.node_name(machine) if probes else None
    inside = {name for name, node in probes if node == here and name in document.resources_of(wanted)}
    agents = {name: document.agent(document.data(("primitives", name))) for name in inside}
    return sorted(name for name in inside if reading.metadata(machine, agents[name]) is not None)


def _barred_by_probes(machine: Machine, document: Document, state: Data, wanted: Collection[str]) -> list[str]:
    """
    The resources that a failed probe, and nothing else, keeps off a node if that is the only one left, as sentences.
    """
    inside = {name for name, one in resources.containers(state).items() if not {name, *one}.isdisjoint(wanted)}
    probes = {key: text for key, text in history.failed_probes(document.root).items() if key[0] in inside}
    barred = set()
    for node in {node for _, node in probes}:
        alone = history.alone(document.root, node)
        could, does = (_arrivals(machine, root) for root in (history.unprobed(alone), alone))
        barred |= could - does
    return [
        f"{name} cannot run on {node}: {text}, which counts until pacemaker.cleanup"
        for (name, node), text in sorted(probes.items())
        if (name, node) in barred
    ]


def _arrivals(machine: Machine, root: Element) -> set[tuple[str, str]]:
    return simulation.arrivals(reading.run_scheduler(machine, ET.tostring(root, encoding="unicode"))[1])
