"""
The Pacemaker objects that make the system, as data in the form of `pacemaker.export`, with pillar's merged over them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from haproxy_ha_lib import provider
from haproxy_ha_lib.cluster import addresses
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing, shown
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib import desired, switches
from saltext.pacemaker.cib.kinds import RESOURCE_SECTIONS
from saltext.pacemaker.cib.nvsets import as_sets, pairs
from saltext.pacemaker.cib.shapes import Context
from saltext.pacemaker.errors import CibError, Problem
from saltext.pacemaker.words import did_you_mean

MAINTENANCE_ATTRIBUTE = "haproxy_ha-maintenance"
"""Which maintenance is announced of a node: for people, and for the watchers of the others."""

PATIENT_START = "20s"
"""Pacemaker's own `dc-deadtime`: one that decides sooner has a node fenced that boots five seconds later than it."""

AGENTS_ATTRIBUTE = "haproxy_ha-agents"
"""A node with this attribute has the agents."""

PROVIDER = "haproxy_ha"
"""The provider of the agents."""

ALERT = f"/usr/lib/ocf/resource.d/{PROVIDER}/alert/alert_spool.sh"
"""Leaves what Pacemaker tells for haproxy_ha-events.service."""

TOLD: Tree = {
    "select_nodes": {}, "select_resources": {}, "select_attributes": [{"name": MAINTENANCE_ATTRIBUTE}],
}  # fmt: skip
"""Which alerts events are made of."""

HAPROXY_AGENT = f"ocf:{PROVIDER}:haproxy"
_TAKEN_BY_ITSELF = {"unit": "haproxy.service", "config": "/etc/haproxy/haproxy.cfg"}


def configuration(
    moving: Sequence[FloatingIP], given: Tree, fencing: Tree, replaces: Collection[str] = (),
    haproxy: Mapping[str, str] | None = None, events: bool = False, nodes: int = 2, spread: str = "start",
) -> tuple[Tree, list[Problem], list[str]]:
    """
    Return (configuration, problems, warnings): the built-in objects with ``given`` (sections as in pillar) over them.

    ``fencing`` ({enabled, delay, droplets}) adds the fence device. Mappings merge, lists replace, null takes away.
    Empty sections are left out, and what an export shows apart. ``replaces``: ids of resources that must not be there.
    ``haproxy``: HAProxy's ``unit`` and ``config``, of which its agent is told what it does not take by itself.
    ``moving``: the floating IPs. ``events`` adds the alert agent. ``nodes``: how many load balancers there are.
    ``spread``: of pillar.
    """
    given = {section: objects for section, objects in given.items() if section not in switches.SECTIONS}
    built_in = _built_in(moving, nodes, spread)
    if events:
        built_in["alerts"] = {"haproxy_ha-events": {"path": ALERT, "select": TOLD}}
    if fencing["enabled"]:
        _add_fencing(built_in, moving, fencing)
    elif _fences(given):
        del built_in["properties"]["stonith-enabled"]
    if fencing["enabled"] or _fences(given) or _turns_fencing_on(given["properties"]):
        built_in["properties"]["dc-deadtime"] = PATIENT_START
    merged = {section: _laid_over(built_in.get(section, {}), objects) for section, objects in given.items()}
    merged = {section: objects for section, objects in merged.items() if objects}
    _tell_the_agent(merged)
    _tell_haproxys_agent(merged, haproxy or {})
    problems, warnings = _check(merged)
    for section in RESOURCE_SECTIONS if replaces else ():
        merged[section] = {**dict.fromkeys(replaces), **merged.get(section, {})}
    return merged, [*_take_away_what_is_not_there(built_in, given), *problems], warnings


def _built_in(moving: Sequence[FloatingIP], nodes: int, spread: str) -> Tree:
    objects: Tree = {
        # A start that fails once is tried again; with fencing absent, nothing else may wait for it.
        # At a load average above 80 % Pacemaker does one thing after the other, to spare a cluster of many resources.
        # Here that keeps the address from leaving a HAProxy that stops only when it has left: no load does it.
        # transition-delay: if CIB updates are pending when the scheduler is to be asked, it is asked a second later;
        # after a loss of power they often are. The delay lets them end.
        # dc-deadtime: balancers that boot together wait no longer for one that decides already.
        "properties": {"no-quorum-policy": "stop", "start-failure-is-fatal": False, "stonith-enabled": False,
                       "load-threshold": "100000%", "transition-delay": "60ms", "dc-deadtime": "2s"},
        "resource_defaults": {"resource-stickiness": addresses.STICKINESS},
        "primitives": {
            "haproxy": {
                "agent": HAPROXY_AGENT,
                # After three failures the other node serves; a minute later (more than any timeout) this one may again.
                "meta": {"migration-threshold": 3, "failure-timeout": "60s"},
                "operations": [
                    addresses.operation("monitor", "5s", "10s"),
                    addresses.operation("start", "0s", "30s"),
                    addresses.operation("stop", "0s", "40s"),
                ],
            },
        },
        "clones": {"haproxy-clone": {"resource": "haproxy", "meta": {"interleave": True}}},
    }
    for one in moving:
        _add(objects, addresses.objects(one, moving, nodes, spread))
    return objects


def _add(objects: Tree, more: Tree) -> None:
    for section, added in more.items():
        objects[section] = {**objects.get(section, {}), **added}


def _add_fencing(objects: Tree, moving: Sequence[FloatingIP], fencing: Tree) -> None:
    """One device for all nodes. Of two that shoot at each other, the one with the address is spared for a while."""
    able = provider.fencing(moving)
    if not able:
        return  # checks.fencing tells
    fence, one = able
    objects["primitives"]["fencing"] = {
        "agent": fence.agent,
        "params": {**fence.params(one, fencing["droplets"]), **_waits_alone(fencing["delay"])},
        # A device whose monitor fails is started again every few seconds, and each look is some calls of the API, whose
        # limit it shares with the address. One that rests fences all the same: the fencer asks no resource's state.
        "meta": {"migration-threshold": 3, "failure-timeout": "120s"},
        "operations": [addresses.operation("monitor", "60s", "20s")],
    }
    for one in moving:
        objects["primitives"][one.resource]["meta"]["priority"] = 10
    objects["properties"] |= {"stonith-enabled": True, "priority-fencing-delay": f"{fencing['delay']}s"}


_POWER_TAKEN, _ALONE_DELAY = 25, 40
"""Seconds in which a cloud has taken the power, and what the fence agents wait by default (usual.py)."""


def _waits_alone(delay: int) -> Tree:
    """Who is cut off waits for longer than the other one, which spares the one with the address for ``delay``."""
    wanted = delay + _POWER_TAKEN
    return {"alone_delay": str(wanted)} if wanted > _ALONE_DELAY else {}


def fenced_by_api(configured: Tree, nodes: Iterable[str]) -> dict[str, str]:
    """
    Return what a fence agent of ours would power off for each of ``nodes``: {node: name or id}; empty where another
    agent fences, or none. ``configured`` is the cluster's configuration.
    """
    for fence, primitive in _fences_of_ours(configured):
        named = fence.plugs(primitive.get("params") or {})
        return {node: named.get(node, node) for node in nodes}
    return {}


def _fences_of_ours(configured: Tree) -> Iterator[tuple[provider.Fence, Tree]]:
    for primitive in configured.get("primitives", {}).values():
        agent = primitive.get("agent") if isinstance(primitive, dict) else None
        if isinstance(agent, str) and agent in provider.FENCES:
            yield provider.FENCES[agent], primitive


def _tell_the_agent(merged: Tree) -> None:
    """What pillar tells Pacemaker of the nodes alone, the agent has to know too."""
    for fence, primitive in _fences_of_ours(merged):
        params = primitive.get("params")
        if isinstance(params, dict):
            params |= fence.told(params)


def _tell_haproxys_agent(merged: Tree, haproxy: Mapping[str, str]) -> None:
    primitive = merged.get("primitives", {}).get("haproxy") or {}
    other = {name: value for name, value in haproxy.items() if value != _TAKEN_BY_ITSELF[name]}
    if other and primitive.get("agent") == HAPROXY_AGENT:
        primitive["params"] = {**other, **(primitive.get("params") or {})}


def _fences(given: Tree) -> bool:
    """Whether pillar brings a fence device: then Pacemaker's own default, fencing on, holds."""
    primitives = given["primitives"].values()
    agents = [str(primitive.get("agent")) for primitive in primitives if isinstance(primitive, dict)]
    return any(agent.startswith("stonith:") for agent in agents)


def _turns_fencing_on(properties: Any) -> bool:
    """Whether pillar's properties do that, as for a device that the cluster has already."""
    said = properties.get("stonith-enabled") if isinstance(properties, dict) else None
    return str(said).lower() in ("true", "on", "yes", "y", "1")


def is_fenced(configured: Tree) -> bool:
    """Whether nodes that are lost are powered off, by the cluster's configuration: Pacemaker's own default."""
    said = configured.get("properties", {}).get("stonith-enabled", True)
    return str(said).lower() not in ("false", "off", "no", "n", "0")


def _take_away_what_is_not_there(built_in: Tree, given: Tree) -> Iterator[Problem]:
    """Yield a problem for each null that means no built-in object: somebody's slip of the pen."""
    for section, objects in given.items():
        names = built_in.get(section, {})
        for name, value in objects.items() if isinstance(objects, dict) else ():
            if value is None and name not in names:
                text = "null takes a built-in away, and there is none of this name" + did_you_mean(name, names)
                yield Missing((ROOT, "cluster", section, name), text)


def _laid_over(base: Any, over: Any) -> Any:
    """``over`` laid over ``base``: mappings merge, null takes away, anything else replaces."""
    if not isinstance(over, dict):
        return over
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _laid_over(result.get(key), value)
    return result


def _check(data: Tree) -> tuple[list[Problem], list[str]]:
    """
    Return (problems, warnings) of a configuration that has to stand on its own: what it refers to is in it. A value
    that Pacemaker would not understand is a warning, because an adopted cluster may have it.
    """
    try:
        doubts = desired.read_alone(data).doubts.values()
    except CibError as error:
        return [problem.below(ROOT, "cluster") for problem in error.problems], []
    return [], [shown(doubt.below(ROOT, "cluster")) for found in doubts for doubt in found]


def needs_agents(wanted: Tree) -> bool:
    """
    Whether a configuration has primitives with the agents of this formula.
    """
    primitives = [one for one in wanted.get("primitives", {}).values() if one]
    return any(str(one.get("agent")).startswith(f"ocf:{PROVIDER}:") for one in primitives)


def twins(wanted: Tree, others: Tree, moving: Iterable[FloatingIP]) -> Iterator[str]:
    """
    What is in the cluster and would be there twice, as texts with the way out: a HAProxy, the floating IP, or a clone
    or group around one of ours.

    wanted: the configuration. others: what others have made and a commit would leave, in the same form. moving: the
    floating IPs.
    """
    held_by = {address: one.resource for one in moving for address in one.addresses}
    ours = {name for name, content in wanted.get("primitives", {}).items() if content}
    for name, one in others.get("primitives", {}).items():
        agent = one.get("agent") or others.get("templates", {}).get(one.get("template"), {}).get("agent") or ""
        if "haproxy" in ours and _HAPROXY.search(agent):
            yield _twin("primitive", name, agent, "runs HAProxy, as haproxy will")
            continue
        for address in sorted(_values(one.get("params")) & held_by.keys()):
            if held_by[address] in ours:
                yield _twin("primitive", name, agent, f"has the address {address}, as {held_by[address]} will")
    for section, kind in (("clones", "clone"), ("groups", "group")):
        for name, one in others.get(section, {}).items():
            held = ours.intersection([one.get("resource"), *(one.get("members") or ())])
            if held:
                yield _twin(kind, name, None, f"holds {', '.join(sorted(held))}")


_HAPROXY = re.compile(r":haproxy(@.*)?(\.service)?\Z")


def _twin(kind: str, name: str, agent: str | None, what: str) -> str:
    described = f"{kind} {name} ({agent})" if agent else f"{kind} {name}"
    return (
        f"the cluster's {described} {what}. {ROOT}:cluster:replaces: [{name}] in pillar takes it away in the same "
        "commit, with what refers to it"
    )


def _values(params: Any) -> set[str]:
    """Every value of params, without the width of a network."""
    found = [pairs(one.get("attributes"), Context()) for one in as_sets(params)]
    return {str(value).partition("/")[0] for one in found for value in one.values()}
