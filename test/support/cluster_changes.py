"""Changes of a cluster's configuration, and what is compared after each: the actions that were predicted, and those
that the DC has let be done, by its log.

For two nodes without anything else, and for the lab's balancers with the formula's own resources beside.
"""

import re

DUMMY = "ocf:pacemaker:Dummy"


def base(home):
    """Three resources on one node."""
    return {
        "primitives": {
            name: {"agent": DUMMY, "meta": {"resource-stickiness": 0}, "operations": [MONITOR]} for name in "abc"
        },
        "locations": {f"{name}-home": {"resource": name, "node": home, "score": 10} for name in "abc"},
    }


def edit(path, value):
    """A change of the configuration: set the value at a path (with None: take it away)."""

    def change(data):
        *parts, last = path.split("/")
        for part in parts:
            data = data.setdefault(part, {})
        if value is None:
            del data[last]
        else:
            data[last] = value

    return change


def several(*changes):
    def change(data):
        for one in changes:
            one(data)

    return change


MONITOR = {"name": "monitor", "interval": "60s"}
STATEFUL = {
    "agent": "ocf:pacemaker:Stateful",
    "operations": [{**MONITOR, "role": "Promoted"}, {**MONITOR, "interval": "61s", "role": "Unpromoted"}],
}


def promoted_on(node):
    rule = {"score": 500, "role": "Promoted", "expressions": [
        {"expression": {"attribute": "#uname", "operation": "eq", "value": node}}]}  # fmt: skip
    return edit("locations/s-promoted", {"resource": "s-clone", "rules": [rule]})


def steps(home, other):
    """[(name, change)] from ``base`` on; each change starts from what the one before has left."""
    return [
        ("three resources", lambda data: None),
        ("a reloadable parameter", edit("primitives/a/params", {"fake": "2"})),
        ("a parameter that needs a restart", edit("primitives/a/params/state", "/run/a.state")),
        ("another interval", edit("primitives/a/operations", [{**MONITOR, "interval": "50s"}])),
        ("another timeout", edit("primitives/a/operations", [{**MONITOR, "interval": "50s", "timeout": "31s"}])),
        ("another home", edit("locations/a-home/node", other)),
        ("a ban", edit("locations/b-ban", {"resource": "b", "node": home, "score": "-INFINITY"})),
        ("no ban", edit("locations/b-ban", None)),
        ("live migration allowed", edit("primitives/c/meta/allow-migrate", True)),
        ("a migration", edit("locations/c-home/node", other)),
        ("stopped", edit("primitives/c/meta/target-role", "Stopped")),
        ("started", edit("primitives/c/meta/target-role", "Started")),
        ("not managed", edit("primitives/a/meta/is-managed", False)),
        ("a change of what is not managed", edit("primitives/a/params/state", "/run/other.state")),
        ("managed again", edit("primitives/a/meta/is-managed", True)),
        ("a colocation", edit("colocations/b-c", {"resource": "b", "with": "c", "score": "INFINITY"})),
        ("an anticolocation", edit("colocations/a-c", {"resource": "a", "with": "c", "score": "-INFINITY"})),
        ("no colocations", edit("colocations", {})),
        ("an order", edit("orders/a-b", {"first": "a", "then": "b"})),
        ("a parameter of the first of an order", edit("primitives/a/params/state", "/run/third.state")),
        ("a group", several(
            edit("orders", {}), edit("groups/g", {"members": ["b", "c"]}), edit("locations/c-home", None))),
        ("the group in another order", edit("groups/g/members", ["c", "b"])),
        ("a smaller group", edit("groups/g/members", ["c"])),
        ("a clone", several(edit("primitives/d", {"agent": DUMMY}), edit("clones/d-clone", {"resource": "d"}))),
        ("a clone on one node", edit("clones/d-clone/meta", {"clone-max": 1})),
        ("a clone on both nodes", edit("clones/d-clone/meta", {"clone-max": 2})),
        # Not that of a clone: for each of its instances Pacemaker 2.1 takes both for outdated on both nodes, and may
        # forget one before it has stopped it, which is then found to run under its new agent.
        ("another agent", edit("primitives/b/agent", "ocf:heartbeat:Dummy")),
        ("a promotable clone", several(
            edit("primitives/s", STATEFUL), promoted_on(home),
            edit("clones/s-clone", {"resource": "s", "meta": {"promotable": True}}),
        )),
        ("the other one is promoted", promoted_on(other)),
        ("a with the promoted", edit("colocations/a-s", {
            "resource": "a", "with": "s-clone", "with-role": "Promoted", "score": "INFINITY"})),
        ("both in turn", promoted_on(home)),
        # Of one that is removed while it runs Pacemaker 2.1 takes both instances for promoted, plans two demotes and,
        # once the agent has taken its promotion score back, sometimes makes only one.
        ("the promotable clone stopped", several(
            edit("colocations/a-s", None), edit("clones/s-clone/meta/target-role", "Stopped"))),
        ("no promotable clone", several(*(edit(path, None) for path in (
            "clones/s-clone", "primitives/s", "locations/s-promoted")))),
        ("a rule by node attribute", several(
            edit(f"node_attributes/{home}", {"good": 1}), edit(f"node_attributes/{other}", {"good": 2}),
            edit("locations/b-good", {"resource": "b", "rules": [{"score-attribute": "good", "expressions": [
                {"expression": {"attribute": "good", "operation": "defined"}}]}]}))),
        ("another node attribute", edit(f"node_attributes/{other}/good", 50)),
        ("a template", several(
            edit("templates/t", {"agent": DUMMY, "params": {"fake": "t"}}), edit("primitives/e", {"template": "t"}))),
        ("another template parameter", edit("templates/t/params/fake", "u")),
        ("a limit of failures", edit("resource_defaults", {"migration-threshold": 3})),
        ("stickiness", edit("resource_defaults/resource-stickiness", 200)),
        ("a home that does not stick", edit("locations/e-home", {"resource": "e", "node": home, "score": 100})),
        ("utilization", several(
            edit("properties/placement-strategy", "utilization"), edit("primitives/a/utilization", {"m": 2}),
            edit("utilization", {home: {"m": 1}, other: {"m": 9}}))),
        ("standby", edit(f"node_attributes/{other}/standby", "on")),
        ("online", edit(f"node_attributes/{other}/standby", "off")),
        ("maintenance", several(edit("properties/maintenance-mode", True), edit("primitives/f", {"agent": DUMMY}))),
        ("maintained", edit("properties/maintenance-mode", False)),
        ("one less", several(edit("primitives/f", None), edit("clones/d-clone", None), edit("primitives/d", None))),
        ("everything stopped", edit("properties/stop-all-resources", True)),
    ]  # fmt: skip


def without_switches(nodes):
    """What takes away the switches that the steps leave: nobody's are removed because they are no longer stated."""
    return {
        "properties": {"maintenance-mode": None, "stop-all-resources": None},
        "node_attributes": {node: {"standby": None} for node in nodes},
    }


# Enough to see one of each action; all of them take a minute more.
SOME = {
    "three resources", "a reloadable parameter", "a parameter that needs a restart", "another home",
    "live migration allowed", "a migration", "stopped", "a clone", "a promotable clone", "the other one is promoted",
}  # fmt: skip
_INITIATED = re.compile(
    r"Initiating (\S+) operation (\S+?)_(?:migrate_to|migrate_from|[a-z-]+)_\d+ (?:locally )?on (\S+)"
)
# Beside an action, not actions: watching, telling, forgetting.
_UNSEEN = ("monitor", "notify", "cancel", "delete")
_OPERATIONS = {
    "start": lambda one: [("start", one["node"])],
    "stop": lambda one: [("stop", one["node"])],
    "restart": lambda one: [("stop", one["node"]), ("start", one["node"])],
    "recover": lambda one: [("stop", one["node"]), ("start", one["node"])],
    "move": lambda one: [("stop", one["source"]), ("start", one["dest"])],
    "migrate": lambda one: [
        ("migrate_to", one["source"]), ("migrate_from", one["dest"]), ("stop", one["source"])],
    "reload": lambda one: [("reload-agent", one["node"])],
    "promote": lambda one: [("promote", one["node"])],
    "demote": lambda one: [("demote", one["node"])],
}  # fmt: skip


def operations(impact):
    """{(resource, operation, node)} that the actions of a plan stand for."""
    found = set()
    for name, actions in impact.get("resources", {}).items():
        for one in actions:
            done = _OPERATIONS[one["action"]](one)
            if one["action"] in ("stop", "restart") and one.get("role") == "Promoted":
                done.append(("demote", one["node"]))
            if one["action"] == "promote" and one.get("role") == "Stopped":
                done.append(("start", one["node"]))
            found |= {(name.split(":")[0], operation, node) for operation, node in done}
    return found


def initiated(before, after):
    """{(resource, operation, node)} that the DC has let be done, by what the nodes have logged meanwhile."""
    found = set()
    for name, text in after.items():
        for operation, resource, node in _INITIATED.findall(text[len(before[name]) :]):
            if operation not in _UNSEEN:
                found.add((resource.split(":")[0], operation, node))
    return found


def differing(logs, change, data, steps):
    """
    Make the changes of ``data`` one after the other; {name: what was only predicted, what was only seen} of those where
    that is not the same.

    logs: returns {node: the whole of its log}. change: carries out (name, data), waits until the cluster has settled,
    and returns the impact that was predicted.
    """
    found = {}
    for name, edited in steps:
        edited(data)
        before = logs()
        predicted = operations(change(name, data))
        seen = initiated(before, logs())
        if predicted != seen:
            found[name] = {"predicted only": predicted - seen, "seen only": seen - predicted}
    return found
