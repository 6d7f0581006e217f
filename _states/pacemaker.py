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

from collections.abc import Callable
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError
from salt.state import STATE_INTERNAL_KEYWORDS

from saltext.pacemaker.cib.kinds import KINDS
from saltext.pacemaker.cib.settings import SETTINGS

__virtualname__ = "pacemaker"

# Salt's loader puts these here.
__opts__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]


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
    take_over=False,
    timeout=120,
    forming=None,
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
        by the id of a resource (primitive, group, clone, bundle; of several that apply the innermost counts) with
        ``default`` for the others. A change that does more is refused before anything is written.
    expect : ``None``
        The digest of the plan that was reviewed (``pacemaker.plan``, or this state with test=True); any other plan is
        refused.
    allow_partition : ``False``
        True: commit also while a node is absent or there is no quorum. Such a commit can be lost when the nodes meet.
    expected_nodes : ``None``
        Names of the nodes (list) that have to be there, even if the cluster has not heard of them yet.
    adopt : ``False``
        True: objects that are as desired but unowned become the owner's even if nothing else changes.
    take_over : ``False``
        True: what another owner has created and the configuration names becomes this owner's. Otherwise such an object
        is left with its owner while it is as desired, and the state is False if it is not.
    timeout : ``120``
        Seconds to wait for the cluster to form before a commit, and again for it to settle.
    forming : ``None``
        Seconds to wait for the cluster to form, where that is another time: nodes that are known to be off will not
        come while a state waits.

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
        "take_over": take_over,
    }
    ret = _configure(name, configuration or {}, options, timeout, timeout if forming is None else forming)
    return {**ret, "changes": _changes_in_words(ret["changes"])}


def _configure(name, desired, options, timeout, forming):
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        if __opts__["test"]:
            return _predict(ret, desired, options, timeout)
        done = __salt__["pacemaker.apply"](desired, timeout=forming, **options)
        ret["changes"] = done["changes"]
        if not done["changes"] and not done["resources"]:
            return {**ret, "comment": _nothing_to_do(done)}
        _probe_again(ret, done["stale_probes"], timeout)
        settled = __salt__["pacemaker.settle"](done["resources"], timeout=timeout)
    except (CommandExecutionError, SaltInvocationError) as problem:
        return _failure(ret, problem)
    return _verdict(ret, done, settled, timeout)


def _changes_in_words(changes):
    """The changes of a plan, one line an object; those of probes are words already."""
    objects = {name: change for name, change in changes.items() if not name.startswith("probe of ")}
    return {**changes, **__salt__["pacemaker.in_words"](objects)}


def _probe_again(ret, stale, timeout):
    """Repeat the probes on this node that found no agent, which has been installed since."""
    for name in stale:
        __salt__["pacemaker.cleanup"](name, __salt__["pacemaker.node_name"](), timeout)
    ret["changes"] = {**ret["changes"], **_repeated_probes(stale)}


def _repeated_probes(names):
    return {f"probe of {name}": {"old": "not installed", "new": "repeated"} for name in names}


def _failure(ret, problem):
    written = "The configuration was written, but: " if ret["changes"] else ""
    return {**ret, "result": False, "comment": f"{written}{problem}"}


def _predict(ret, desired, options, timeout):
    """What a live run would do. It waits for the cluster too: only then can it say how things will stand."""
    try:
        plan = __salt__["pacemaker.plan"](desired, **options)
    except CommandExecutionError:
        if __salt__["pacemaker.running"]():
            raise
        plan = __salt__["pacemaker.plan"](desired, from_nothing=True, **options)
        ret.update(result=None, changes=plan["changes"])
        ret["comment"] = (
            "Pacemaker does not run on this machine yet. The changes are those for a cluster without any "
            "configuration; what they do to resources cannot be known until the cluster runs."
        )
        return ret
    ret["changes"] = plan["changes"]
    if plan["refused"]:
        return {**ret, "result": False, "changes": {}, "comment": f"Would be refused: {_enumerate(plan['refused'])}"}
    stale = plan["stale_probes"]
    if plan["changes"]:
        ret["changes"] = {**plan["changes"], **_repeated_probes(stale)}
        return {**ret, **_outlook(plan)}
    if not plan["resources"]:
        return {**ret, "comment": _nothing_to_do(plan)}
    if stale:
        said = f"The agents of {', '.join(stale)} are installed by now: their probes here would be repeated."
        return {**ret, "result": None, "changes": _repeated_probes(stale), "comment": f"{said} {_nothing_to_do(plan)}"}
    return _verdict(ret, plan, __salt__["pacemaker.settle"](plan["resources"], timeout=timeout), timeout)


def _outlook(plan):
    """Result and comment of a dry run that has found changes."""
    comment = [_effects("Would change", plan), f"Digest of this plan: {plan['digest']}."]
    if plan["lacking"]:
        comment.append(f"It would be refused if this still holds by then: {_enumerate(plan['lacking'])}.")
    if plan["waiting"]:
        comment.append(f"It would first wait for the cluster, which is not ready: {_enumerate(plan['waiting'])}.")
    elif plan["problems"]:
        comment.append(f"The change itself does not mend this: {_enumerate(plan['problems'])}.")
    # With nothing set in motion nothing else can mend it.
    hopeless = plan["problems"] and not plan["impact"] and not plan["waiting"]
    return {"result": False if hopeless else None, "comment": " ".join(comment)}


def _verdict(ret, done, settled, timeout):
    wrong = [*settled["problems"]]
    if settled["pending"]:
        wrong.append(f"after {timeout} s the cluster still has to {', '.join(settled['pending'])}")
    said = _effects("Changed", done) if done["changes"] else _nothing_to_do(done)
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


def _enumerate(texts):
    return "; ".join(texts)


def _nothing_to_do(plan):
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
    take_over : ``False``
        True: also if it belongs to another owner; it then becomes this one's.
    allow_partition : ``False``
        True: commit also while a node is absent or there is no quorum.
    timeout : ``120``
        Seconds to wait for the cluster to form before a commit, and again for it to settle.
"""
_PRESENT = """
    The {thing} is there, as described, and whatever it is that runs is well.

    name
        The id.
    {arguments}
        The description, in the form of ``pacemaker.export``. What is left out is removed from an object that is there,
        but not what operators set by hand.
"""
_ABSENT = """
    The {thing} is not there, nor anything that refers to it.

    name
        The id.
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
_OBJECTS = {kind.name: (kind.section, kind.fields_in_words) for kind in KINDS.values()}
_VALUES = {settings.name: settings.section for settings in SETTINGS.values()}
_OPTIONS = ("owner", "max_disruption", "take_over", "allow_partition", "timeout")
# Requisites under which a state may not run at all: it commits on its own then.
_CONDITIONS = ("onchanges", "onfail", "onlyif", "prereq", "unless", "creates")


def _desired(function, name, given):
    """Desired data for one state: a function's name, and its arguments that are not options."""
    thing, _, outcome = function.rpartition("_")
    if thing in _OBJECTS:
        path, content = (*_OBJECTS[thing][0].split(":"), name), given
    elif "node" in given:
        path, content = (_VALUES[thing], given["node"], name), given.get("value")
    else:
        path, content = (_VALUES[thing], name), given.get("value")
    content = content if outcome == "present" else None
    for part in reversed(path):
        content = {part: content}
    return content


def _merge(one, other):
    """Two desired data as one."""
    both = dict(one)
    for key, value in other.items():
        both[key] = _merge(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


def mod_aggregate(low, chunks, running):
    """
    With Salt's ``aggregate``: give the first of these states the objects of those that follow with the same options.
    It makes one commit for all; the others then find nothing to change, and verify.
    """
    if not _can_aggregate(low):
        return low
    together: dict[str, Any] = {}
    for chunk in chunks:
        tag = "_|-".join(chunk[key] for key in ("state", "__id__", "name", "fun"))
        alike = all(chunk.get(option) == low.get(option) for option in _OPTIONS)
        if tag not in running and alike and _can_aggregate(chunk):
            together = _merge(together, _desired(chunk["fun"], chunk["name"], _arguments(chunk)))
            chunk["__agg__"] = True
    low["aggregated"] = together
    return low


def _can_aggregate(chunk):
    return (
        chunk.get("state") == __virtualname__
        and chunk.get("fun", "").endswith(("_present", "_absent"))
        and not any(chunk.get(condition) for condition in _CONDITIONS)
    )


def _arguments(chunk):
    """What a chunk says to its function beside the options."""
    internal = STATE_INTERNAL_KEYWORDS | {"name", "aggregate", "aggregated", *_OPTIONS}
    return {key: value for key, value in chunk.items() if key not in internal and not key.startswith("__")}


def _wrong_arguments(function, given):
    """What is wrong with the arguments of a state whose description is not checked by the module, else None."""
    thing, _, outcome = function.rpartition("_")
    needed = {"node"} if thing.startswith("node_") else set()
    if outcome == "present":
        if thing in _OBJECTS:
            return None
        needed.add("value")
    if set(given) == needed:
        return None
    return f"found the arguments {', '.join(['name', *sorted(given)])}, needed: {', '.join(['name', *sorted(needed)])}"


def _states_of(thing):
    """The pair of states for one kind of object or setting."""

    def present(
        name,
        owner="salt",
        max_disruption="any",
        take_over=False,
        allow_partition=False,
        timeout=120,
        aggregated=None,
        **description,
    ):
        options = _options(owner, max_disruption, take_over, allow_partition)
        return _single(f"{thing}_present", name, description, aggregated, options, timeout)

    def absent(
        name,
        owner="salt",
        max_disruption="any",
        take_over=False,
        allow_partition=False,
        timeout=120,
        aggregated=None,
        **description,
    ):
        options = _options(owner, max_disruption, take_over, allow_partition)
        return _single(f"{thing}_absent", name, description, aggregated, options, timeout)

    node = _NODE if thing.startswith("node_") else ""
    words = {"thing": thing.replace("_", " "), "node": node, "arguments": _OBJECTS.get(thing, ("", ""))[1]}
    docs = (_PRESENT, _ABSENT) if thing in _OBJECTS else (_VALUE_PRESENT, _VALUE_ABSENT)
    return _named_pair(thing, present, absent, *(text.format(**words) for text in docs))


def _options(owner, max_disruption, take_over, allow_partition):
    return {
        "owner": owner,
        "max_disruption": max_disruption,
        "take_over": take_over,
        "allow_partition": allow_partition,
        "partial": True,
    }


def _single(function, name, description, aggregated, options, timeout):
    given = {key: value for key, value in description.items() if not key.startswith("__")}
    wrong = _wrong_arguments(function, given)
    if wrong:
        return {"name": name, "changes": {}, "result": False, "comment": wrong}
    desired = _merge(aggregated or {}, _desired(function, name, given))
    return _configure(name, desired, options, timeout, timeout)


def _named_pair(thing, present, absent, present_doc, absent_doc):
    present.__name__, absent.__name__ = f"{thing}_present", f"{thing}_absent"
    present.__doc__, absent.__doc__ = present_doc + _COMMON, absent_doc + _COMMON
    return {function.__name__: function for function in (present, absent)}


for _thing in (*_OBJECTS, *_VALUES):
    globals().update(_states_of(_thing))
