"""
The configuration of a Pacemaker cluster as an outcome.

``configured`` carries a whole configuration. For people's own SLS there is a pair of states for every kind of object,
``primitive_present`` and ``primitive_absent`` and so on; each makes one commit, with the same comparison, preview,
compare-and-swap and verification. With Salt's ``aggregate`` the first one commits all, and the others verify.

The form of the data is that of ``pacemaker.export``; see the execution module ``pacemaker``.

.. code-block:: yaml

    ip:
      pacemaker.primitive_present:
        - agent: ocf:heartbeat:IPaddr2
        - params: {ip: 192.0.2.1}
        - operations: [{name: monitor, interval: 10s}]
    ip-with-web:
      pacemaker.colocation_present: [resource: ip, with: web, score: INFINITY]
    no-quorum-policy:
      pacemaker.property_present: [value: stop]
    old-ip:
      pacemaker.primitive_absent: []
"""

from salt.exceptions import CommandExecutionError, SaltInvocationError

__virtualname__ = "pacemaker"


def __virtual__():
    return __virtualname__


def configured(
    name,
    configuration=None,
    purge=False,
    max_disruption="any",
    expect=None,
    allow_partition=False,
    expected_nodes=None,
    adopt=False,
    timeout=120,
):
    """
    The cluster has this configuration, is settled, and every resource of it is as it should be.

    name
        The owner: what this owner has created and the configuration no longer names is removed.
    configuration : ``None``
        The desired objects (dict) in the form of ``pacemaker.export``; None means that the owner has none.
    purge : ``False``
        True: everything that the configuration does not name is removed, whoever made it.
    max_disruption : ``any``
        The worst that the change may do to what runs: any, stop, move, restart, reload or nothing; or a dict of these
        by resource id with ``default`` for the others. A change that does more is refused before anything is written.
    expect : ``None``
        The digest of the plan that was reviewed (``pacemaker.plan``, or this state with test=True); any other plan is
        refused.
    allow_partition : ``False``
        True: commit also while a node is absent or there is no quorum. Such a commit can be lost when the nodes meet.
    expected_nodes : ``None``
        Names of the nodes (list) that have to be there, even if the cluster has not heard of them yet.
    adopt : ``False``
        True: objects that are as desired but unowned become the owner's even if nothing else changes.
    timeout : ``120``
        Seconds to wait for the cluster to form before a commit, and again for it to settle.

    Example:

    .. code-block:: yaml

        web_cluster:
          pacemaker.configured:
            - name: web
            - configuration:
                properties: {no-quorum-policy: stop}
                primitives:
                  ip: {agent: "ocf:heartbeat:IPaddr2", params: {ip: 192.0.2.1}}
    """
    options = {
        "owner": name,
        "purge": purge,
        "max_disruption": max_disruption,
        "expect": expect,
        "allow_partition": allow_partition,
        "expected_nodes": expected_nodes,
        "adopt": adopt,
    }
    return _configured(name, configuration or {}, options, timeout)


def _configured(name, desired, options, timeout):
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        if __opts__["test"]:
            return _predicted(ret, desired, options)
        done = __salt__["pacemaker.apply"](desired, timeout=timeout, **options)
        ret["changes"] = done["changes"]
        if not done["changes"] and not done["resources"]:
            return {**ret, "comment": _unchanged(done)}
        settled = __salt__["pacemaker.settle"](done["resources"], timeout=timeout)
    except (CommandExecutionError, SaltInvocationError) as problem:
        return _false(ret, problem)
    return _judged(ret, done, settled, timeout)


def _false(ret, problem):
    written = "The configuration was written, but: " if ret["changes"] else ""
    return {**ret, "result": False, "comment": f"{written}{problem}"}


def _predicted(ret, desired, options):
    try:
        plan = __salt__["pacemaker.plan"](desired, **options)
    except CommandExecutionError:
        if __salt__["pacemaker.running"]():
            raise
        plan = __salt__["pacemaker.plan"](desired, from_nothing=True, **options)
        ret.update(result=None, changes=plan["changes"])
        ret["comment"] = (
            "Pacemaker does not run on this machine yet. The changes are those for a cluster without any configuration; "
            "what they do to resources cannot be known until the cluster runs."
        )
        return ret
    ret["changes"] = plan["changes"]
    if plan["refused"]:
        return {**ret, "result": False, "changes": {}, "comment": f"Would be refused: {_list(plan['refused'])}"}
    if plan["changes"]:
        ret.update(result=None, comment=_effects("Would change", plan) + f" Digest of this plan: {plan['digest']}.")
        if plan["waiting"]:
            ret["comment"] += (
                f" It would wait for the cluster first, and write nothing otherwise: {_list(plan['waiting'])}."
            )
        return ret
    ret["comment"] = _unchanged(plan)
    return ret


def _judged(ret, done, settled, timeout):
    wrong = [*settled["problems"]]
    if settled["pending"]:
        wrong.append(f"after {timeout} s the cluster still has to {', '.join(settled['pending'])}")
    said = _effects("Changed", done) if done["changes"] else _unchanged(done)
    if settled["deliberate"]:
        said += f" Left as operators set it: {', '.join(settled['deliberate'])}."
    if wrong:
        return {**ret, "result": False, "comment": f"{'; '.join(wrong)}. {said}"}
    return {**ret, "comment": said}


def _effects(verb, plan):
    lines = [f"{verb}: {', '.join(plan['changes'])}."]
    impact = __salt__["pacemaker.describe"](plan["impact"])
    lines.append(f"The cluster's reaction: {', '.join(impact) or 'none'}.")
    if plan["unknown"]:
        lines.append(f"Not understood and left alone: {', '.join(plan['unknown'])}.")
    return " ".join(lines)


def _list(texts):
    return "; ".join(texts)


def _unchanged(plan):
    text = "The cluster has this configuration."
    if plan["adoptable"]:
        text += f" Not recorded as this owner's: {', '.join(plan['adoptable'])} (adopt: true does it)."
    return text


# One object each

_COMMON = """
    owner : ``salt``
        Whose object this becomes; see ``configured``.
    max_disruption : ``any``
        The worst that the change may do to what runs; see ``configured``.
    allow_partition : ``False``
        True: commit also while a node is absent or there is no quorum.
    timeout : ``120``
        Seconds to wait for the cluster to form before a commit, and again for it to settle.
"""
_PRESENT = """
    The {thing} is there, as described, and whatever it is that runs is well.

    name
        The id{of_name}.
    {arguments}
        The description, in the form of ``pacemaker.export``. What is left out is removed from an object that is there,
        but not what operators set by hand.
"""
_ABSENT = """
    The {thing} is not there, nor anything that refers to it.

    name
        The id{of_name}.
"""
_VALUE_PRESENT = """
    The {thing} has this value.

    name
        Its name.{node}
    value
        The value.
"""
_VALUE_ABSENT = """
    The {thing} is not set.

    name
        Its name.{node}
"""
_NODE = """
    node
        The name of the node."""
_OBJECTS = {
    "primitive": ("primitives", "agent (or template), params, meta, utilization, operations, description"),
    "template": ("templates", "agent, params, meta, utilization, operations, description"),
    "group": ("groups", "members, params, meta, description"),
    "clone": ("clones", "resource, params, meta, description"),
    "bundle": ("bundles", "docker (or podman, rkt), network, storage, primitive, params, meta, description"),
    "location": ("locations", "resource (or resource-pattern, sets), node and score (or rules), role, lifetime"),
    "colocation": ("colocations", "resource and with (or sets), score, role, with-role, node-attribute, influence"),
    "order": ("orders", "first and then (or sets), first-action, then-action, kind, symmetrical, require-all"),
    "ticket": ("tickets", "ticket, resource (or sets), role, loss-policy"),
    "fencing_level": ("fencing_levels", "target (or target-pattern, target-attribute), index, devices"),
    "alert": ("alerts", "path, params, meta, select, recipients, description"),
    "acl_role": ("acls:roles", "permissions, description"),
    "acl_target": ("acls:targets", "roles"),
    "acl_group": ("acls:groups", "roles"),
    "tag": ("tags", "members"),
}
_VALUES = {
    "property": "properties",
    "resource_default": "resource_defaults",
    "operation_default": "operation_defaults",
    "node_attribute": "node_attributes",
    "node_utilization": "utilization",
}


def _nested(section, name, content):
    """Desired data with one object; ``acls:roles`` is the key roles below acls."""
    data = {name: content}
    for part in reversed(section.split(":")):
        data = {part: data}
    return data


def _merged(one, other):
    """Two desired data as one."""
    both = dict(one)
    for key, value in other.items():
        both[key] = _merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


def _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout):
    options = {
        "owner": owner,
        "max_disruption": max_disruption,
        "allow_partition": allow_partition,
        "partial": True,
    }
    return _configured(name, _merged(aggregated or {}, desired), options, timeout)


def _object_states(thing, section, arguments):
    """The pair of states for one kind of object."""

    def present(
        name, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None, **description
    ):
        content = {key: value for key, value in description.items() if not key.startswith("__")}
        desired = _nested(section, name, content)
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    def absent(name, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None):
        desired = _nested(section, name, None)
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    words = {"thing": thing.replace("_", " "), "of_name": "", "arguments": arguments}
    return _titled(thing, present, absent, _PRESENT.format(**words), _ABSENT.format(**words))


def _value_states(thing, section):
    """The pair of states for one kind of setting of the whole cluster."""

    def present(name, value, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None):
        desired = {section: {name: value}}
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    def absent(name, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None):
        desired = {section: {name: None}}
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    words = {"thing": thing.replace("_", " "), "node": ""}
    return _titled(thing, present, absent, _VALUE_PRESENT.format(**words), _VALUE_ABSENT.format(**words))


def _node_value_states(thing, section):
    """The pair of states for one kind of setting of a node."""

    def present(
        name, node, value, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None
    ):
        desired = {section: {node: {name: value}}}
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    def absent(name, node, owner="salt", max_disruption="any", allow_partition=False, timeout=120, aggregated=None):
        desired = {section: {node: {name: None}}}
        return _single(name, desired, aggregated, owner, max_disruption, allow_partition, timeout)

    words = {"thing": thing.replace("_", " "), "node": _NODE}
    return _titled(thing, present, absent, _VALUE_PRESENT.format(**words), _VALUE_ABSENT.format(**words))


def _titled(thing, present, absent, present_doc, absent_doc):
    present.__name__, absent.__name__ = f"{thing}_present", f"{thing}_absent"
    present.__doc__, absent.__doc__ = present_doc + _COMMON, absent_doc + _COMMON
    return {function.__name__: function for function in (present, absent)}


for _thing, (_section, _arguments) in _OBJECTS.items():
    globals().update(_object_states(_thing, _section, _arguments))
for _thing, _section in _VALUES.items():
    _made = _node_value_states if _thing.startswith("node_") else _value_states
    globals().update(_made(_thing, _section))
