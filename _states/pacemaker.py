"""
The configuration of a Pacemaker cluster as an outcome.

``configured`` carries a whole configuration. For people's own SLS there is a pair of states for every kind of object,
``primitive_present`` and ``primitive_absent`` and so on; each makes one commit with the same comparison, preview,
commit and verification. The form of the data: :mod:`pacemaker <modules.pacemaker>`.
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
        return {**ret, "result": False, "changes": {}, "comment": "Would be refused: " + "; ".join(plan["refused"])}
    if plan["changes"]:
        ret.update(result=None, comment=_effects("Would change", plan) + f" Digest of this plan: {plan['digest']}.")
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


def _unchanged(plan):
    text = "The cluster has this configuration."
    if plan["adoptable"]:
        text += f" Not recorded as this owner's: {', '.join(plan['adoptable'])} (adopt: true does it)."
    return text
