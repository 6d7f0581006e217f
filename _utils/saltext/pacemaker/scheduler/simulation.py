"""
What Pacemaker's scheduler would do, read from ``crm_simulate --output-as=xml``.

Actions are in crm_simulate's own words: start, stop, restart, reload, move, migrate, recover, promote, demote,
re-promote, fence.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter

from saltext.pacemaker.status import resources
from saltext.pacemaker.status.resources import base_id
from saltext.pacemaker.types import Actions, Data, Element

_PROBE = "_monitor_0"
_DETAILS = ("node", "source", "dest", "role", "next-role", "reason")


def parse(text: str) -> tuple[Data, Actions]:
    """
    (status, actions) of crm_simulate's XML output.

    status: {"nodes": {name: {flag: bool}}, "resources": [{...}]}. actions: {"resources": {id: [action]}, "nodes":
    {name: [action]}}, parts that are empty left out; an action is {"action", then node, or source and dest, role,
    next-role, reason, blocked as far as they apply}. Raises ValueError for anything that is not such output.
    """
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        raise ValueError("crm_simulate gave no XML") from None
    return _status(root), _actions(root)


def _status(root: Element) -> Data:
    nodes = {
        node.get("name"): {
            **{key: value == "true" for key, value in node.items() if value in ("true", "false")},
            "type": node.get("type"),
        }
        for node in root.iterfind("cluster_status/nodes/node")
    }
    return {"nodes": nodes, "resources": resources.read(root.find("cluster_status/resources"))}


def _actions(root: Element) -> Actions:
    found: Actions = {"resources": {}, "nodes": {}}
    for element in root.iterfind("actions/*"):
        if element.tag == "rsc_action":
            action: Data = {"action": element.get("action")}
            action.update({key: element.get(key) for key in _DETAILS if element.get(key) is not None})
            if element.get("blocked") == "true":
                action["blocked"] = True
            found["resources"].setdefault(element.get("resource", ""), []).append(_with_one_place(action))
        elif element.tag == "node_action":
            action = {"action": element.get("task", "").split(" ")[0].lower(), "task": element.get("task")}
            if element.get("reason"):
                action["reason"] = element.get("reason")
            # A guest is called "lxc1 (resource: container1)" here.
            found["nodes"].setdefault(element.get("node", "").split(" ")[0], []).append(action)
    return {part: content for part, content in found.items() if content}


def _with_one_place(action: Data) -> Data:
    """One place instead of two that are the same, and ``node`` for a place that is the only one."""
    source, dest = action.get("source"), action.get("dest")
    if (source is None) != (dest is None):
        action["node"] = action.pop("dest", None) or action.pop("source")
    return action


def difference(proposed: Actions, current: Actions) -> Actions:
    """
    The actions of ``proposed`` without those that are in ``current`` as well: what a change alone brings about.
    """
    result: Actions = {}
    for part in ("resources", "nodes"):
        for name, actions in proposed.get(part, {}).items():
            pending = Counter(map(_key, current.get(part, {}).get(name, ())))
            for action in actions:
                if pending[_key(action)]:
                    pending[_key(action)] -= 1
                else:
                    result.setdefault(part, {}).setdefault(name, []).append(action)
    return result


def _key(action: Data) -> tuple[tuple[str, str], ...]:
    """What makes two actions the same: everything but the reason."""
    return tuple(sorted((key, str(value)) for key, value in action.items() if key != "reason"))


def probes(graph: str) -> set[tuple[str, str]]:
    """
    {(resource id, node name)} of the probes in a graph that crm_simulate has saved: where it is not known yet whether
    the resource runs. Raises ValueError for anything that is not such a graph.
    """
    try:
        root = ET.fromstring(graph)
    except ET.ParseError:
        raise ValueError("crm_simulate saved no graph") from None
    return {
        (base_id(operation.get("operation_key", "")[: -len(_PROBE)]), operation.get("on_node", ""))
        for operation in root.iter("rsc_op")
        if operation.get("operation_key", "").endswith(_PROBE)
    }


def arrivals(actions: Actions) -> set[tuple[str, str]]:
    """
    {(resource id, node name)} of the resources that the scheduler would bring to a node.
    """
    return {
        (base_id(name), str(one.get("dest", one.get("node"))))
        for name, found in executable(actions).get("resources", {}).items()
        for one in found
        if one["action"] in ("start", "move", "migrate", "promote")
    }


def busy(actions: Actions) -> set[str]:
    """
    The ids, without numbers of instances, of the resources that the scheduler would now act on.
    """
    return {base_id(name) for name in executable(actions).get("resources", {})}


def executable(actions: Actions) -> Actions:
    """
    The actions that the scheduler would carry out now: those that nothing blocks.
    """
    result: Actions = {}
    for part, named in actions.items():
        for name, found in named.items():
            free = [one for one in found if not one.get("blocked")]
            if free:
                result.setdefault(part, {})[name] = free
    return result


def sentence(name: str, action: Data) -> str:
    """
    One action in words: ``move FloatIP from primary to secondary``.
    """
    if "task" in action:
        return f"{action['task'].lower()} {name}"
    words = f"{action['action']} {name}"
    if "source" in action and "dest" in action:
        words += f" from {action['source']} to {action['dest']}"
    elif "node" in action:
        words += f" on {action['node']}"
    return words + (" (blocked)" if action.get("blocked") else "")


def sentences(actions: Actions) -> list[str]:
    """
    All actions in words.
    """
    return [
        sentence(name, one)
        for part in ("nodes", "resources")
        for name, found in actions.get(part, {}).items()
        for one in found
    ]
