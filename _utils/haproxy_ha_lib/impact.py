"""
What Pacemaker's scheduler would do, read from ``crm_simulate --output-as=xml``, and how much a change disturbs.

Actions are in crm_simulate's own words: start, stop, restart, reload, move, migrate, recover, promote, demote,
re-promote, fence.
"""

import copy
import re
import xml.etree.ElementTree as ET
from collections import Counter

SCALE = ("nothing", "reload", "restart", "move", "stop", "any")
"""Degrees of disruption, the least first."""

_DEGREE = {
    "start": "nothing",
    "reload": "reload",
    "restart": "restart",
    "recover": "restart",
    "promote": "restart",
    "demote": "restart",
    "re-promote": "restart",
    "move": "move",
    "migrate": "move",
    "stop": "stop",
    "fence": "any",
}
_SYNONYMS = {"migrate": "move", "recover": "restart", "promote": "restart", "demote": "restart", "none": "nothing"}
_BARRING = {"2": "invalid parameter", "5": "not installed"}
"""OCF return codes with which a probe is no failure, but keeps the resource off that node (measured)."""

_PENDING = "-1"
_UNKNOWN = "193"
"""The return code of an operation that is under way."""

_DETAILS = ("node", "source", "dest", "role", "next-role", "reason")


def parse(text):
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


def _status(root):
    nodes = {
        node.get("name"): {
            **{key: value == "true" for key, value in node.items() if value in ("true", "false")},
            "type": node.get("type"),
        }
        for node in root.iterfind("cluster_status/nodes/node")
    }
    return {"nodes": nodes, "resources": resources(root.find("cluster_status/resources"))}


def resources(parent, inside=()):
    """
    Every instance of every primitive below ``parent`` (the element ``resources`` of crm_simulate and crm_mon):
    {"id", "in" (its group, clone and bundle, the outermost first), "agent", "role", "nodes", "target_role" and flags}.
    """
    found = []
    for element in parent if parent is not None else ():
        if element.tag == "resource":
            found.append(
                {
                    "id": element.get("id"),
                    "in": list(inside),
                    "agent": element.get("resource_agent"),
                    "role": element.get("role"),
                    "target_role": element.get("target_role"),
                    "nodes": [node.get("name") for node in element.iterfind("node")],
                    **{key: value == "true" for key, value in element.items() if value in ("true", "false")},
                }
            )
        elif element.tag in ("clone", "group", "bundle"):
            found += resources(element, (*inside, element.get("id")))
        elif element.tag == "replica":
            found += resources(element, inside)
    return found


def _actions(root):
    found = {"resources": {}, "nodes": {}}
    for element in root.iterfind("actions/*"):
        if element.tag == "rsc_action":
            action = {"action": element.get("action")}
            action.update({key: element.get(key) for key in _DETAILS if element.get(key) is not None})
            if element.get("blocked") == "true":
                action["blocked"] = True
            found["resources"].setdefault(element.get("resource"), []).append(_tidied(action))
        elif element.tag == "node_action":
            action = {"action": element.get("task", "").split(" ")[0].lower(), "task": element.get("task")}
            if element.get("reason"):
                action["reason"] = element.get("reason")
            # A guest is called "lxc1 (resource: container1)" here.
            found["nodes"].setdefault(element.get("node", "").split(" ")[0], []).append(action)
    return {part: content for part, content in found.items() if content}


def _tidied(action):
    """One place instead of two that are the same, and ``node`` for a place that is the only one."""
    source, dest = action.get("source"), action.get("dest")
    if (source is None) != (dest is None):
        action["node"] = action.pop("dest", None) or action.pop("source")
    return action


def difference(proposed, current):
    """
    The actions of ``proposed`` without those that are in ``current`` as well: what a change alone brings about.
    """
    result = {}
    for part in ("resources", "nodes"):
        for name, actions in proposed.get(part, {}).items():
            pending = Counter(map(_key, current.get(part, {}).get(name, ())))
            for action in actions:
                if pending[_key(action)]:
                    pending[_key(action)] -= 1
                else:
                    result.setdefault(part, {}).setdefault(name, []).append(action)
    return result


def _key(action):
    """What makes two actions the same: everything but the reason."""
    return tuple(sorted((key, str(value)) for key, value in action.items() if key != "reason"))


def too_much(impact, allowed, containers=None):
    """
    The actions that are worse than allowed, as sentences; an empty list if there are none.

    allowed: a degree of SCALE (also migrate, recover, promote, demote, none), or {id: degree} with the key ``default``
    for all others. containers: {primitive id: (its group, clone, bundle, the outermost first)}, so that a degree may
    be given to any of these; of several the innermost counts. Raises ValueError for anything else.
    """
    limits = {name: _limit(degree) for name, degree in _limits(allowed).items()}
    worse = []
    for part in ("resources", "nodes"):
        for name, actions in impact.get(part, {}).items():
            around = reversed((containers or {}).get(_base(name), ()))
            limit = next((limits[one] for one in (name, _base(name), *around) if one in limits), limits["default"])
            worse += [sentence(name, one) for one in actions if _severity(one) > limit]
    return worse


def containers(*statuses):
    """
    {primitive id: (its group, clone, bundle, the outermost first)} of statuses as ``parse`` gives them.
    """
    return {_base(one["id"]): tuple(one["in"]) for status in statuses for one in status["resources"]}


def _limits(allowed):
    return {"default": "any", **allowed} if isinstance(allowed, dict) else {"default": allowed}


def _limit(degree):
    name = _SYNONYMS.get(degree.lower(), degree.lower()) if isinstance(degree, str) else None
    if name not in SCALE:
        raise ValueError(f"max_disruption: found '{degree}', allowed: {', '.join(reversed(SCALE))}")
    return SCALE.index(name)


def _severity(action):
    return SCALE.index(_DEGREE.get(action["action"], "any"))


def sentence(name, action):
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


def sentences(actions):
    """
    All actions in words.
    """
    return [
        sentence(name, one)
        for part in ("nodes", "resources")
        for name, found in actions.get(part, {}).items()
        for one in found
    ]


def under_way(cib):
    """
    The operations that nodes are carrying out (first monitors too, whose outcome counts as well), as sentences.

    cib: element tree. Their op-status is -1 (measured; crm_mon needs record-pending, which is on by default). The
    scheduler takes them for done.
    """
    return [
        f"finish the {operation.get('operation')} of {_base(history.get('id'))} on {state.get('uname')}"
        for state in cib.iterfind("status/node_state")
        if not _is_down(state)
        for history in state.iterfind("lrm/lrm_resources/lrm_resource")
        for operation in history
        if operation.get("op-status") == _PENDING and not any(_outlives(one, operation) for one in history)
    ]


def _outlives(ended, begun):
    """
    Whether an entry of a resource's history tells that another one, still pending, is over. The first run of a monitor
    leaves its entry pending when it fails, and the failure in an entry of its own (measured).
    """
    if ended.get("op-status") == _PENDING:
        return False
    if ended.get("transition-key") == begun.get("transition-key"):
        return True
    later = int(ended.get("last-rc-change", 0)) - int(begun.get("last-rc-change", 0))
    return ended.get("interval") == "0" and (later > 0 or (later == 0 and ended.get("operation") == "stop"))


def fail_counts(cib):
    """
    {(resource id, node name): fail count as text} from the status section of a CIB's element tree.
    """
    counts = {}
    for state in cib.iterfind("status/node_state"):
        for pair in state.iterfind("transient_attributes//nvpair"):
            match = _FAIL_COUNT.match(pair.get("name") or "")
            if match and pair.get("value") not in (None, "0"):
                counts[match.group(1).split(":")[0], state.get("uname")] = pair.get("value")
    return counts


def absent_nodes(cib, expected=()):
    """
    The sorted names of cluster nodes that are not online though nobody shut them down.

    cib: element tree. expected: names that have to be there even if the cluster has not heard of them yet. A node that
    left in good order has ``expected="down"`` in its state.
    """
    states = _node_states(cib)
    left = {name for name, state in states.items() if state.get("expected") == "down"}
    online = {name for name, state in states.items() if _is_up(state) and state.get("join") == "member"}
    return sorted(({*_members(cib), *expected} - online) - left)


def pending_nodes(cib):
    """
    The sorted names of the cluster nodes that are joining. cib: element tree.
    """
    states = _node_states(cib)
    return sorted(
        name for name in _members(cib) if _is_up(states.get(name, {})) and states[name].get("join") != "member"
    )


def _members(cib):
    """The names of the nodes that run corosync; remote nodes are no part of the quorum."""
    kinds = ("member", "normal", None)
    return {node.get("uname") for node in cib.iterfind("configuration/nodes/node") if node.get("type") in kinds}


def _node_states(cib):
    return {state.get("uname"): state for state in cib.iterfind("status/node_state")}


_LAYERS = ("in_ccm", "crmd")
_DOWN = ("0", "false", "offline")


def _is_up(state):
    """Whether corosync and the controller run on a node: a word, or since Pacemaker 2.1.7 the time since when."""
    return all(state.get(layer, "0") not in _DOWN for layer in _LAYERS)


def _is_down(state):
    """Whether one of them does not; of a remote node nothing is said of the controller."""
    return any(state.get(layer) in _DOWN for layer in _LAYERS)


def problems(status, counts, wanted, failures=(), stopped=False, busy=()):
    """
    What is wrong with the resources ``wanted`` (ids of primitives, groups, clones, bundles), as sentences.

    status: as ``parse`` gives it; counts: as ``fail_counts`` does; failures: as ``summary`` does, to tell what the
    agents said; stopped: whether all resources are stopped on purpose; busy: the ids of resources that the cluster is
    about to act on, which are not judged. A resource that somebody has stopped on purpose (target-role Stopped) is not
    wrong.
    """
    found = set()
    for name in set(wanted):
        instances = [one for one in status["resources"] if name in (_base(one["id"]), *one["in"])]
        for primitive in ({_base(one["id"]) for one in instances} or {name}) - set(busy):
            mine = [one for one in instances if _base(one["id"]) == primitive]
            found.update(_states_of(primitive, mine))
            if not stopped:
                found.update(_failures_of(primitive, mine, status["nodes"], counts))
    return sorted(text + _said(failures, name, node) for name, node, text in found)


def nodes_with(cib, provider):
    """
    The names of the nodes on which an agent of a provider has answered, by the history of their resources. cib: element
    tree.
    """
    return {
        state.get("uname")
        for state in cib.iterfind("status/node_state")
        for history in state.iterfind("lrm/lrm_resources/lrm_resource")
        if history.get("provider") == provider and any(_answered(one) for one in history)
    }


def _answered(operation):
    """Whether an agent was there to carry out an operation of a resource's history."""
    return operation.get("rc-code") is not None and operation.get("rc-code") not in (*_BARRING, _UNKNOWN)


def failed_probes(cib, not_installed=False):
    """
    {(resource id, node name): what its probe there gave} for the probes that keep a resource off a node: its agent, or
    what the agent needs, is not there. cib: element tree. not_installed: leave out those that an agent gave because of
    its parameters. crm_mon does not list these as failures.
    """
    found = {}
    for state in cib.iterfind("status/node_state"):
        for history in state.iterfind("lrm/lrm_resources/lrm_resource"):
            agent = ":".join(filter(None, (history.get(key) for key in ("class", "provider", "type"))))
            for probe in filter(_barring, history):
                if not_installed and _BARRING[probe.get("rc-code")] != "not installed":
                    continue
                reason = f" ({probe.get('exit-reason')})" if probe.get("exit-reason") else ""
                text = f"the probe by {agent} gave {_BARRING[probe.get('rc-code')]}{reason}"
                found[_base(history.get("id")), state.get("uname")] = text
    return found


def _barring(operation):
    """Whether an entry of a resource's history is a probe that keeps the resource off its node."""
    is_probe = operation.get("operation") == "monitor" and operation.get("interval") == "0"
    return is_probe and operation.get("rc-code") in _BARRING


def alone(cib, node):
    """
    A copy of a CIB's element tree in which all other nodes have been shut down in good order.
    """
    cib = copy.deepcopy(cib)
    for state in cib.iterfind("status/node_state"):
        if state.get("uname") != node:
            state.attrib.update(in_ccm="false", crmd="offline", join="down", expected="down")
    return cib


def unprobed(cib):
    """
    A copy of a CIB's element tree in which nothing is known of the probes that keep a resource off a node.
    """
    cib = copy.deepcopy(cib)
    for history in cib.iterfind("status/node_state/lrm/lrm_resources/lrm_resource"):
        history[:] = [operation for operation in history if not _barring(operation)]
    return cib


def arriving(actions):
    """
    {(resource id, node name)} of the resources that the scheduler would bring to a node.
    """
    return {
        (_base(name), one.get("dest", one.get("node")))
        for name, found in executable(actions).get("resources", {}).items()
        for one in found
        if one["action"] in ("start", "move", "migrate", "promote")
    }


def _base(resource):
    """The id of a resource without the number of its instance."""
    return resource.split(":")[0]


def _states_of(name, instances):
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


def _failures_of(name, instances, nodes, counts):
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


def _said(failures, name, node):
    """What the agent said when it failed on a node, or on any, in brackets."""
    said = [
        f"{one['operation']} on {one['node']}: {one['status']}" + (f", {one['reason']}" if one["reason"] else "")
        for one in failures
        if _base(one["resource"]) == name and node in (None, one["node"])
    ]
    return f" [{'; '.join(said)}]" if said else ""


def _can_run(flags):
    return flags.get("online") and not flags.get("standby") and not flags.get("maintenance")


def deliberate(status, wanted, stopped=False):
    """
    What operators have set that keeps the resources ``wanted`` from being managed or running, as sentences.
    """
    found = {"all resources are stopped on purpose (stop-all-resources)"} if stopped else set()
    for one in status["resources"]:
        if set(wanted).isdisjoint((_base(one["id"]), *one["in"])):
            continue
        if (one["target_role"] or "").lower() == "stopped":
            found.add(f"{_base(one['id'])} is stopped on purpose (target-role)")
        if one.get("managed") is False:
            found.add(f"{_base(one['id'])} is not managed")
    return sorted(found)


def left_running(status, actions):
    """
    The ids of resources that are no longer configured and yet would not be stopped.

    status, actions: as ``parse`` gives them for the proposed CIB.
    """
    stopped = {_base(name) for name in actions.get("resources", {})}
    return sorted(
        {
            _base(one["id"])
            for one in status["resources"]
            if (one.get("orphaned") or one.get("removed")) and one.get("active") and one.get("managed")
        }
        - stopped
    )


_FAIL_COUNT = re.compile(r"fail-count-(.+?)(?:#.*)?\Z")


def busy(actions):
    """
    The ids, without numbers of instances, of the resources that the scheduler would now act on.
    """
    return {_base(name) for name in executable(actions).get("resources", {})}


def executable(actions):
    """
    The actions that the scheduler would carry out now: those that nothing blocks.
    """
    result = {}
    for part, named in actions.items():
        for name, found in named.items():
            free = [one for one in found if not one.get("blocked")]
            if free:
                result.setdefault(part, {})[name] = free
    return result


def summary(root):
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
        "resources": _by_id(resources(root.find("resources"))),
        "failures": [
            {
                "resource": one.get("op_key", one.get("id", "")).rsplit("_", 2)[0],
                "operation": one.get("task", ""),
                "node": one.get("node", ""),
                "status": one.get("exitstatus") or one.get("status", ""),
                "reason": one.get("exitreason", ""),
                "time": one.get("last-rc-change", ""),
                "over": _is_over(root, one),
            }
            for one in root.iterfind("failures/failure")
        ],
    }


def _is_over(root, failure):
    """
    Whether a failure is history: crm_mon lists it until a cleanup, though its resource has gone, or has been found or
    made well on that node since. Operations are numbered as they are asked for; a recurring monitor keeps its number,
    with the outcome that it had last.
    """
    resource, call = failure.get("op_key", failure.get("id", "")).rsplit("_", 2)[0], int(failure.get("call", 0))
    if all(one.get("orphaned") == "true" for one in root.iter("resource") if _base(one.get("id")) == _base(resource)):
        return True
    return any(
        int(one.get("call", 0)) >= call and one.get("rc") == "0" and one.get("task") not in ("stop", "notify")
        for node in root.iterfind("node_history/node")
        if node.get("name") == failure.get("node")
        for history in node
        if _base(history.get("id")) == _base(resource)
        for one in history
    )


def _by_id(instances):
    """One entry per resource for the instances of all."""
    result = {}
    for one in instances:
        entry = result.setdefault(
            _base(one["id"]),
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


def missing(status, nodes=None):
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
