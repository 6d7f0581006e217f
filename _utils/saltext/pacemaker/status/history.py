"""
What the status section of a CIB says of nodes, and of what has become of operations there.

``cib`` is always the root of an element tree.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator

from saltext.pacemaker.status.resources import base_id
from saltext.pacemaker.types import Counts, Element

_BARRING = {"2": "invalid parameter", "5": "not installed"}
"""OCF return codes with which a probe is no failure, but keeps the resource off that node (measured)."""

_PENDING = "-1"

_UNKNOWN = "193"
"""The return code of an operation that is under way."""

_FAIL_COUNT = re.compile(r"fail-count-(.+?)(?:#.*)?\Z")

_LAYERS = ("in_ccm", "crmd")

_DOWN = ("0", "false", "offline")


def under_way(cib: Element) -> list[str]:
    """
    The operations that nodes are carrying out (first monitors too, whose outcome counts as well), as sentences.

    cib: element tree. Their op-status is -1 (measured; crm_mon needs record-pending, which is on by default). The
    scheduler takes them for done.
    """
    return [
        f"finish the {operation.get('operation')} of {resource} on {node}"
        for resource, node, operation in _pending(cib)
    ]


def probes_under_way(cib: Element) -> set[tuple[str, str]]:
    """
    {(resource id, node name)} of the probes that nodes are carrying out. cib: element tree.
    """
    return {(resource, node) for resource, node, operation in _pending(cib) if _is_probe(operation)}


def _pending(cib: Element) -> Iterator[tuple[str, str, Element]]:
    """(resource id, node name, operation) of what nodes are carrying out."""
    for state in cib.iterfind("status/node_state"):
        for history in () if _is_down(state) else state.iterfind("lrm/lrm_resources/lrm_resource"):
            for operation in history:
                if operation.get("op-status") == _PENDING and not any(_outlives(one, operation) for one in history):
                    yield base_id(history.get("id", "")), state.get("uname", ""), operation


def _is_probe(operation: Element) -> bool:
    return operation.get("operation") == "monitor" and operation.get("interval") == "0"


def _outlives(ended: Element, begun: Element) -> bool:
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


def fail_counts(cib: Element) -> Counts:
    """
    {(resource id, node name): fail count as text} from the status section of a CIB's element tree.
    """
    counts: Counts = {}
    for state in cib.iterfind("status/node_state"):
        for pair in state.iterfind("transient_attributes//nvpair"):
            match = _FAIL_COUNT.match(pair.get("name") or "")
            count = pair.get("value", "0")
            if match and count != "0":
                counts[base_id(match.group(1)), state.get("uname", "")] = count
    return counts


def absent_nodes(cib: Element, expected: Collection[str] = ()) -> list[str]:
    """
    The sorted names of cluster nodes that are not online though nobody shut them down.

    cib: element tree. expected: names that have to be there even if the cluster has not heard of them yet. A node that
    left in good order has ``expected="down"`` in its state.
    """
    states = _node_states(cib)
    left = {name for name, state in states.items() if state.get("expected") == "down"}
    online = {name for name, state in states.items() if _is_up(state) and state.get("join") == "member"}
    return sorted(({*_members(cib), *expected} - online) - left)


def pending_nodes(cib: Element) -> list[str]:
    """
    The sorted names of the cluster nodes that are joining. cib: element tree.
    """
    states = _node_states(cib)
    known = [name for name in _members(cib) if name in states]
    return sorted(name for name in known if _is_up(states[name]) and states[name].get("join") != "member")


def _members(cib: Element) -> set[str]:
    """The names of the nodes that run corosync; remote nodes are no part of the quorum."""
    kinds = ("member", "normal", None)
    return {node.get("uname", "") for node in cib.iterfind("configuration/nodes/node") if node.get("type") in kinds}


def _node_states(cib: Element) -> dict[str, Element]:
    return {state.get("uname", ""): state for state in cib.iterfind("status/node_state")}


def _is_up(state: Element) -> bool:
    """Whether corosync and the controller run on a node: a word, or since Pacemaker 2.1.7 the time since when."""
    return all(state.get(layer, "0") not in _DOWN for layer in _LAYERS)


def _is_down(state: Element) -> bool:
    """Whether one of them does not; of a remote node nothing is said of the controller."""
    return any(state.get(layer) in _DOWN for layer in _LAYERS)


def nodes_with(cib: Element, provider: str) -> set[str]:
    """
    The names of the nodes on which an agent of a provider has answered, by the history of their resources. cib: element
    tree.
    """
    return {
        state.get("uname", "")
        for state in cib.iterfind("status/node_state")
        for history in state.iterfind("lrm/lrm_resources/lrm_resource")
        if history.get("provider") == provider and any(_answered(one) for one in history)
    }


def _answered(operation: Element) -> bool:
    """Whether an agent was there to carry out an operation of a resource's history."""
    return operation.get("rc-code") is not None and operation.get("rc-code") not in (*_BARRING, _UNKNOWN)


def failed_probes(cib: Element, not_installed: bool = False) -> dict[tuple[str, str], str]:
    """
    {(resource id, node name): what its probe there gave} for the probes that keep a resource off a node: its agent, or
    what the agent needs, is not there. cib: element tree. not_installed: leave out those that an agent gave because of
    its parameters. crm_mon does not list these as failures.
    """
    found: dict[tuple[str, str], str] = {}
    for state in cib.iterfind("status/node_state"):
        for history in state.iterfind("lrm/lrm_resources/lrm_resource"):
            agent = ":".join(filter(None, (history.get(key) for key in ("class", "provider", "type"))))
            for probe in filter(_barring, history):
                meaning = _BARRING[probe.get("rc-code", "")]
                if not_installed and meaning != "not installed":
                    continue
                reason = f" ({probe.get('exit-reason')})" if probe.get("exit-reason") else ""
                text = f"the probe by {agent} gave {meaning}{reason}"
                found[base_id(history.get("id", "")), state.get("uname", "")] = text
    return found


def _barring(operation: Element) -> bool:
    """Whether an entry of a resource's history is a probe that keeps the resource off its node."""
    return _is_probe(operation) and operation.get("rc-code") in _BARRING


def starts(cib: Element) -> dict[tuple[str, str], int]:
    """
    {(resource id, node name): since when it has run there, in seconds since 1970} by the last operation that started it
    or, of one that ran before, found it; what runs now is for others to tell. cib: element tree.
    """
    found: dict[tuple[str, str], int] = {}
    for state in cib.iterfind("status/node_state"):
        for history in state.iterfind("lrm/lrm_resources/lrm_resource"):
            key = base_id(history.get("id", "")), state.get("uname", "")
            for one in filter(_begins, history):
                found[key] = max(found.get(key, 0), int(one.get("last-rc-change", 0)))
    return found


def uses(cib: Element, resource: str) -> dict[str, int]:
    """
    {node name: when a resource was last started or stopped there, or found running, in seconds since 1970}.

    cib: element tree.
    """
    found: dict[str, int] = {}
    for state in cib.iterfind("status/node_state"):
        for history in state.iterfind("lrm/lrm_resources/lrm_resource"):
            times = [int(one.get("last-rc-change", 0)) for one in history if _begins(one) or _ends(one)]
            if times and base_id(history.get("id", "")) == resource:
                node = state.get("uname", "")
                found[node] = max(found.get(node, 0), *times)
    return found


def _ends(operation: Element) -> bool:
    return operation.get("rc-code") == "0" and operation.get("operation") in ("stop", "migrate_to")


def _begins(operation: Element) -> bool:
    found = _is_probe(operation) or operation.get("operation") in ("start", "migrate_from")
    return operation.get("rc-code") == "0" and found


def last_written(cib: Element) -> str:
    """Who wrote the configuration last, and when, in Pacemaker's words; "" where it does not say. cib: element tree."""
    words = (("", "cib-last-written"), ("by ", "update-user"), ("with ", "update-client"), ("on ", "update-origin"))
    return " ".join(f"{word}{cib.get(key)}" for word, key in words if cib.get(key))


def alone(cib: Element, node: str) -> Element:
    """
    A copy of a CIB's element tree in which all other nodes have been shut down in good order.
    """
    cib = copy.deepcopy(cib)
    for state in cib.iterfind("status/node_state"):
        if state.get("uname") != node:
            state.attrib.update(in_ccm="false", crmd="offline", join="down", expected="down")
    return cib


def unprobed(cib: Element) -> Element:
    """
    A copy of a CIB's element tree in which nothing is known of the probes that keep a resource off a node.
    """
    cib = copy.deepcopy(cib)
    for history in cib.iterfind("status/node_state/lrm/lrm_resources/lrm_resource"):
        history[:] = [operation for operation in history if not _barring(operation)]
    return cib
