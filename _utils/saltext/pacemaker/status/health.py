"""
What is wrong with resources, what is so on purpose, and what a change would leave behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from saltext.pacemaker.status.resources import base_id
from saltext.pacemaker.types import Actions, Counts, Data


def problems(
    status: Data,
    counts: Counts,
    wanted: Collection[str],
    failures: Collection[Data] = (),
    stopped: bool = False,
    busy: Collection[str] = (),
) -> list[str]:
    """
    What is wrong with the resources ``wanted`` (ids of primitives, groups, clones, bundles), as sentences.

    status: as ``parse`` gives it; counts: as ``fail_counts`` does; failures: as ``summary`` does, to tell what the
    agents said; stopped: whether all resources are stopped on purpose; busy: the ids of resources that the cluster is
    about to act on, which are not judged. A resource that somebody has stopped on purpose (target-role Stopped) is not
    wrong.
    """
    found: set[tuple[str, str | None, str]] = set()
    for name in set(wanted):
        instances = [one for one in status["resources"] if name in (base_id(one["id"]), *one["in"])]
        for primitive in ({base_id(one["id"]) for one in instances} or {name}) - set(busy):
            mine = [one for one in instances if base_id(one["id"]) == primitive]
            found.update(_states_of(primitive, mine))
            if not stopped:
                found.update(_failures_of(primitive, mine, status["nodes"], counts))
    return sorted(text + _agents_words(failures, name, node) for name, node, text in found)


def _states_of(name: str, instances: list[Data]) -> Iterator[tuple[str, str | None, str]]:
    """Yield (resource, node or None, sentence) for instances in a state in which they should not be."""
    for one in instances:
        node = one["nodes"][0] if one["nodes"] else None
        where = f" on {', '.join(one['nodes'])}" if one["nodes"] else ""
        if one.get("blocked"):
            yield name, node, f"{name} is blocked{where}"
        elif one.get("failed") and not one.get("failure_ignored"):
            yield name, node, f"{name} has failed{where}"
        if len(one["nodes"]) > 1:
            yield name, None, f"{name} is active on several nodes: {', '.join(one['nodes'])}"


def _failures_of(
    name: str, instances: list[Data], nodes: Data, counts: Counts
) -> Iterator[tuple[str, str | None, str]]:
    """Yield the same for what does not run where it should."""
    if any((one["target_role"] or "").lower() == "stopped" for one in instances):
        return
    running = {node for one in instances if one.get("active") for node in one["nodes"]}
    failed = {node: count for (resource, node), count in counts.items() if resource == name and node not in running}
    if not running and not any(one.get("blocked") or one.get("failed") for one in instances):
        yield name, None, f"{name} runs nowhere"
    if len(instances) > 1 or not running:
        for node, count in failed.items():
            if _can_run(nodes.get(node, {})):
                yield name, node, f"{name} does not run on {node}, its fail count there is {count}"


def _agents_words(failures: Collection[Data], name: str, node: str | None) -> str:
    """What the agent said when it failed on a node, or on any, in brackets."""
    said = [
        f"{one['operation']} on {one['node']}: {one['status']}" + (f", {one['reason']}" if one["reason"] else "")
        for one in failures
        if base_id(one["resource"]) == name and node in (None, one["node"])
    ]
    return f" [{'; '.join(said)}]" if said else ""


def _can_run(flags: Data) -> bool:
    return bool(flags.get("online") and not flags.get("standby") and not flags.get("maintenance"))


def deliberate(status: Data, wanted: Collection[str], stopped: bool = False) -> list[str]:
    """
    What operators have set that keeps the resources ``wanted`` from being managed or running, as sentences.
    """
    found = {"all resources are stopped on purpose (stop-all-resources)"} if stopped else set()
    for one in status["resources"]:
        if set(wanted).isdisjoint((base_id(one["id"]), *one["in"])):
            continue
        if (one["target_role"] or "").lower() == "stopped":
            found.add(f"{base_id(one['id'])} is stopped on purpose (target-role)")
        if one.get("managed") is False:
            found.add(f"{base_id(one['id'])} is not managed")
    return sorted(found)


def left_running(status: Data, actions: Actions) -> list[str]:
    """
    The ids of resources that are no longer configured and yet would not be stopped.

    status, actions: as ``parse`` gives them for the proposed CIB.
    """
    stopped = {base_id(name) for name in actions.get("resources", {})}
    return sorted(
        {
            base_id(one["id"])
            for one in status["resources"]
            if (one.get("orphaned") or one.get("removed")) and one.get("active") and one.get("managed")
        }
        - stopped
    )
