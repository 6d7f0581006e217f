"""
The configuration of a Pacemaker cluster as data, and what operators do with a running one.

Every function that reads or plans takes ``cib_file``, the path of a saved CIB, and then needs no cluster. Changes are
written with Pacemaker's own tools (cibadmin, crm_diff, crm_simulate, crm_verify); neither crmsh nor pcs is used. What
``crm`` would do is named at each function.

The form of the data
--------------------
``export`` prints it; ``plan`` and ``apply`` take it. Sections that are empty are left out. All names are Pacemaker's.

.. code-block:: yaml

    properties: {no-quorum-policy: stop}          # cluster options
    resource_defaults: {resource-stickiness: 100}
    operation_defaults: {timeout: 20s}
    templates:
      web: {agent: "ocf:heartbeat:apache", operations: [{name: monitor, interval: 10s}]}
    primitives:
      ip:
        agent: "ocf:heartbeat:IPaddr2"            # class:provider:type or class:type
        description: an address
        params: {ip: 192.0.2.1}
        meta: {migration-threshold: 3}
        utilization: {cpu: 1}
        operations:                               # also start-delay, enabled, role, on-fail, params, meta
          - {name: monitor, interval: 10s, timeout: 20s}
      other: {template: web}
    groups: {g: {members: [ip, other], meta: {}}}
    clones: {c: {resource: haproxy, meta: {interleave: true}}}          # promotable: meta promotable: true
    bundles:
      boxes:
        docker: {image: "app:1", replicas: 3, network: host}            # or podman, rkt
        network: {control-port: 3121, port-mappings: [{port: 80, internal-port: 8080}]}
        storage: [{source-dir: /srv, target-dir: /data, options: rw}]
        primitive: app
    locations:
      l1: {resource: ip, node: primary, score: 50, resource-discovery: exclusive}
      l2:                                         # resource-pattern instead of resource; role, lifetime
        resource: ip
        rules:
          - score: -INFINITY                      # or score-attribute; boolean-op, role
            expressions:
              - expression: {attribute: gateway, operation: lt, value: 1, type: number}
              - date_expression: {operation: date_spec, date_spec: {hours: 9-16}}   # in_range, gt, lt: start, end
              - rsc_expression: {class: ocf, provider: heartbeat, type: IPaddr2}
              - op_expression: {name: monitor, interval: 10s}
              - rule: {boolean-op: or, expressions: []}
    colocations:                                  # score-attribute, score-attribute-mangle, node-attribute, influence
      c1: {resource: ip, with: c, score: INFINITY}                      # role, with-role, lifetime
      c2: {score: 10, sets: [{resources: [ip, other], sequential: false}]}
    orders:
      o1: {first: c, then: ip, kind: Mandatory, symmetrical: false}     # first-action, then-action, lifetime
      o2: {sets: [{resources: [ip, other]}, {resources: [c], action: start, require-all: false}]}
    tickets: {t1: {ticket: site, resource: ip, role: Started, loss-policy: stop}}
    fencing_levels: {f1: {target: primary, index: 1, devices: [ipmi]}}  # target-pattern; target-attribute, target-value
    node_attributes: {primary: {rack: 1}}
    utilization: {primary: {cpu: 8}}
    alerts: {a1: {path: /usr/local/bin/alert, params: {}, meta: {}, recipients: {a1-r: {value: ops}}}}  # select
    acls:
      roles: {read: {permissions: [{kind: read, xpath: /cib}]}}
      targets: {alice: {roles: [read]}}
      groups: {ops: {roles: [read]}}
    tags: {all: [ip, haproxy]}

``params``, ``meta``, ``utilization``, ``properties`` and the defaults are one set of names and values, or, where there
are several sets or conditions, a list: ``[{score: 2, rule: {...}, attributes: {...}}, {id-ref: other-set}]``.
``null`` instead of an object, or of a value in the key by key sections (properties, defaults, node attributes), means
that it must not be there.

What operators and agents set
-----------------------------
``export`` shows it apart, in two sections that say nothing in desired data:

* ``switches``: what operators set while a cluster runs. The properties maintenance-mode, stop-all-resources and
  is-managed-default; standby, maintenance and terminate of a node; target-role, is-managed and maintenance of a
  resource of any kind, of a template, and in resource_defaults, unless a rule says when they apply; enabled of an
  operation and of an alert; trace_ra and trace_file; the constraints of crm_resource and pcs (cli-ban-, cli-prefer-,
  cli-standby-, pcs-relocate-).
* ``observed``: what nobody can know the author of, because agents write it too. Attributes and utilization of nodes;
  sets of properties beside cib-bootstrap-options, and properties that Pacemaker does not have; the utilization that
  VirtualDomain and Xen set on themselves; constraints of DRBD's handlers (drbd-fence-by-). What an owner has recorded,
  because its desired data stated it, is configuration.

Neither is written or removed, not even with ``purge``, until the desired data states it where it belongs, for example
``properties: {maintenance-mode: false}``. A switch that was stated once and no longer is stays as it is; ``null`` takes
it away.

An owner's objects are listed in a CIB tag named after the owner. Each owner removes only what it has created and no
longer names, with what refers to it, whoever made that. It changes what is its own or nobody's; a change of what
another owner has made is refused without ``take_over``. See ``plan``.
"""

from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from saltext.pacemaker.cib import crm
from saltext.pacemaker.errors import Failed, Invalid
from saltext.pacemaker.live import commit, judge, machine, operate, reading, waiting
from saltext.pacemaker.request import Request
from saltext.pacemaker.scheduler import simulation

__virtualname__ = "pacemaker"

# Salt's loader puts it here.
__opts__: dict[str, Any]


def __virtual__():
    return __virtualname__


def _engine(function, *given):
    """What a function of the engine returns; what it raises, as Salt's errors."""
    try:
        return function(*given)
    except Failed as problem:
        raise CommandExecutionError(str(problem)) from None
    except Invalid as problem:
        raise SaltInvocationError(str(problem)) from None


def _request(desired, owner, options):
    # Salt tells a function that takes any option who has published it.
    known = {name: value for name, value in options.items() if not name.startswith("__")}
    return _engine(Request.of, desired, owner, known)


# Reading and planning


def export(cib_file=None, secrets=False):
    """
    Return the cluster's configuration as data, and apart from it what operators and agents have set; a run of
    ``pacemaker.configured`` with it changes nothing, then or later.

    The tutorial's cluster, built by hand, is adopted this way: paste the output into pillar. Compare
    ``crm configure show``.

    cib_file : ``None``
        A saved CIB (path) instead of the live cluster.
    secrets : ``False``
        True shows the values of parameters whose names look like secrets. Otherwise a marker stands there, which in
        desired data means "the value that the cluster has". Only with ``salt-call --local``: a master would keep them.

    Returns a dict of sections; see the form of the data above. Raises CommandExecutionError when there is no CIB.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.export --out=yaml
    """
    if secrets and __opts__.get("file_client") != "local":
        raise CommandExecutionError(
            "secrets: the master would keep them in its job cache, where others may read them: "
            "salt-call --local pacemaker.export secrets=True"
        )
    return _engine(reading.export, machine.HERE, cib_file, "haproxy_ha", secrets)


def simulate(cib_file=None):
    """
    Return what the scheduler would do now with the configuration as it is. Compare ``crm_simulate -R -L``.

    cib_file : ``None``
        A saved CIB (path) instead of the live cluster.

    Returns ``{"resources": {id: [action]}, "nodes": {name: [action]}}``; parts without actions are left out. An action
    is ``{"action": "move", "source": ..., "dest": ...}`` in crm_simulate's own terms (start, stop, restart, reload,
    move, migrate, recover, promote, demote, re-promote, fence), with ``node`` where there is one place, and ``role``,
    ``next-role``, ``reason``, ``blocked`` where they apply.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.simulate
    """
    return _engine(reading.simulate, machine.HERE, cib_file)


def plan(desired, cib_file=None, owner="haproxy_ha", from_nothing=False, **options):
    """
    Return what ``apply`` would change, and what the cluster would then do. Nothing is written.

    desired
        The configuration (dict) in the form of ``export``.
    cib_file : ``None``
        A saved CIB (path) instead of the live cluster.
    owner : ``haproxy_ha``
        Whose objects these are. What this owner has created and ``desired`` no longer names is removed.
    purge : ``False``
        True: everything else is removed too, but not what operators and agents set (see above).
    max_disruption : ``any``
        The worst that the change may do: any, stop, move, restart, reload or nothing; or a dict of these by the id of a
        resource (primitive, group, clone or bundle; of several that apply the innermost counts), with ``default`` for
        the others.
    expect : ``None``
        The digest of the plan that was reviewed; another plan is refused.
    allow_partition : ``False``
        True: a commit may be made while a node is absent or there is no quorum.
    expected_nodes : ``None``
        Names of nodes (list) that have to be there, beside those that the cluster knows.
    adopt : ``False``
        True: objects that are as desired and nobody's become the owner's at once, even if nothing else changes.
    take_over : ``False``
        True: what another owner has created and ``desired`` names becomes this owner's. Otherwise such an object is
        left with its owner while it is as desired, and the plan is refused if it is not.
    partial : ``False``
        True: ``desired`` names only some of the owner's objects; the others stay.
    from_nothing : ``False``
        True: plan for a cluster without any configuration, with no command run and no impact.

    Returns ``changes`` ({"kind id": {"old", "new"}}, only the parts that differ), ``impact`` (simulate of the result
    less simulate of what is), ``foreign`` and ``adoptable`` (names of objects of others; of unowned ones that are as
    desired), ``unknown`` (what was met and not understood; it is left alone), ``resources`` (the ids of the desired
    resources), ``stale_probes`` (primitives that a probe keeps off this node because their agent was missing, though
    it is installed here by now; ``cleanup`` repeats it), ``digest``, and what is in the way of a commit: ``refused``
    (the change itself), ``lacking`` (agents on this node, parameters, other objects, which may be there before it is
    made), and ``waiting`` (a DC, quorum, absent and joining nodes: ``apply`` waits for these). ``problems`` are desired
    resources that would be down or failed all the same, because the cluster would not act on them. Whether the other
    nodes have an agent is known only when the cluster has probed there; ``settle`` then tells. Another agent for the
    resource of a clone is a change after which Pacemaker 2.1 may do less than its scheduler says: it forgets an
    instance before it has stopped it. Raises SaltInvocationError for desired data that cannot be, CommandExecutionError
    for a change that Pacemaker would refuse.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.plan '{properties: {no-quorum-policy: stop}}' owner=me
    """
    return _engine(judge.plan, machine.HERE, _request(desired, owner, options), cib_file, from_nothing)


def foreign(desired, cib_file=None, owner="haproxy_ha", purge=False):
    """
    Return what others have made and ``apply`` with the same arguments would leave there: objects that the desired data
    does not name and the owner has not recorded.

    desired, cib_file, owner, purge
        As for ``plan``.

    Returns data in the form of ``export``, secrets hidden; settings are left out.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.foreign '{primitives: {haproxy: {agent: "ocf:haproxy_ha:haproxy"}}}'
    """
    return _engine(judge.foreign, machine.HERE, _request(desired, owner, {"purge": purge}), cib_file)


def upgrade_schema(cib_file=None):
    """
    Let the CIB have the newest schema that this Pacemaker knows. What it means stays the same. Compare
    ``crm configure upgrade``.

    cib_file : ``None``
        A saved CIB (path): it is rewritten, in place of the live cluster.

    Returns ``{"old": name of the schema, "new": the same}``. Raises CommandExecutionError if Pacemaker cannot do it.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.upgrade_schema
    """
    return _engine(commit.upgrade_schema, machine.HERE, cib_file)


# Committing


def apply(desired, cib_file=None, owner="haproxy_ha", timeout=0, **options):
    """
    Make the cluster's configuration mean ``desired``, in one commit or not at all. Compare ``crm configure load``.

    The commit holds only if nobody has changed the CIB since it was read; else it is read and planned anew, at most 20
    times. The parameters and the result are those of ``plan``, and:

    cib_file : ``None``
        A saved CIB (path): it is rewritten, in place of the live cluster.
    timeout : ``0``
        Seconds to wait for a DC, for quorum, and for nodes that are absent or still joining, when there is something to
        commit.

    Raises SaltInvocationError and CommandExecutionError as ``plan`` does, and CommandExecutionError when the plan is
    refused; nothing has been written then.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.apply '{properties: {no-quorum-policy: stop}}' owner=me max_disruption=nothing
    """
    return _engine(commit.apply, machine.HERE, _request(desired, owner, options), cib_file, timeout)


# Looking


def running():
    """
    Whether Pacemaker runs on this machine, so that its CIB can be read.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.running
    """
    return _engine(reading.running, machine.HERE)


def status():
    """
    Return the cluster's state, from crm_mon. Compare ``crm status``.

    Returns ``{"dc": name or None, "quorum": bool, "maintenance": bool, "stopped": bool, "nodes": {name: {"online",
    "standby", "maintenance", "pending", "remote", ...}}, "resources": {id: {"role", "active", "failed", "blocked",
    "managed", "target_role", "nodes"}}, "failures": [{"resource", "operation", "node", "status", "reason", "time",
    "over"}]}``. ``maintenance`` and ``stopped``: the cluster's properties maintenance-mode and stop-all-resources. A
    resource with several instances has the roles of all, and flags that hold for any (``managed`` for all). A failure
    is listed until ``cleanup``; ``over`` (bool): the resource has been well on that node since, or is gone.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.status
    """
    return _engine(reading.status, machine.HERE)


def wait(nodes=None, timeout=120):
    """
    Wait until there is a DC and a quorum and all nodes are online, none joining.

    nodes : ``None``
        Names of nodes (list) to wait for; by default those that the cluster knows and nobody has shut down.
    timeout : ``120``
        Seconds.

    Returns the ``status``. Raises CommandExecutionError that says who or what is missing when time is up.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.wait '[primary, secondary]' timeout=60
    """
    return _engine(waiting.until_complete, machine.HERE, nodes, timeout)


def settle(resources=None, timeout=120):
    """
    Wait until the cluster has nothing left to do, then say what is wrong with its resources.

    resources : ``None``
        Ids of resources (list) to look at; all by default.
    timeout : ``120``
        Seconds.

    Returns ``{"pending": [text], "problems": [text], "deliberate": [text]}``: what the scheduler still wants done, and
    what is under way, when time is up; resources that are not running, failed, blocked, or kept off a node because
    its probe found no agent there, or not what the agent needs; and what is stopped or unmanaged on purpose.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.settle '[FloatIP]' timeout=60
    """
    return _engine(waiting.settle, machine.HERE, resources, timeout)


def nodes_with(provider):
    """
    Return the nodes on which agents of a provider are known to be installed, because one has answered there: a sorted
    list of names. No node can look at the files of another one.

    provider
        The provider of the agents, the middle word of ``ocf:heartbeat:IPaddr2`` (str).

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.nodes_with heartbeat
    """
    return _engine(reading.nodes_with, machine.HERE, provider)


def node_name():
    """
    Return this machine's name in the cluster.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.node_name
    """
    return _engine(reading.node_name, machine.HERE)


# Operating


def standby(node=None, timeout=120):
    """
    Let a node run no resources; they move away. Compare ``crm node standby``.

    node : ``None``
        The node's name; this node by default.
    timeout : ``120``
        Seconds to wait until the cluster has settled.

    Returns True if something was changed, False if the node was in standby. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.standby secondary
    """
    return _engine(operate.set_standby, machine.HERE, node, True, timeout)


def online(node=None, timeout=120):
    """
    Let a node that is in standby run resources again. Compare ``crm node online``.

    node : ``None``
        The node's name; this node by default.
    timeout : ``120``
        Seconds to wait until the cluster has settled.

    Returns True if something was changed, False if the node was not in standby. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.online secondary
    """
    return _engine(operate.set_standby, machine.HERE, node, False, timeout)


def move(resource, node, timeout=120):
    """
    Move a resource to a node and keep it there until ``clear``. Compare ``crm resource move``.

    resource
        The id of the resource.
    node
        The name of the node.
    timeout : ``120``
        Seconds to wait until the cluster has settled.

    Returns True if something was changed, False if the resource was kept there already. Raises CommandExecutionError if
    it does not run there afterwards.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.move FloatIP secondary
    """
    return _engine(operate.move, machine.HERE, resource, node, timeout)


def clear(resource, timeout=120):
    """
    Forget where ``move`` (or a ban) has put a resource. Compare ``crm resource clear``.

    resource
        The id of the resource.
    timeout : ``120``
        Seconds to wait until the cluster has settled.

    Returns True if something was changed, False if there was nothing to forget. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.clear FloatIP
    """
    return _engine(operate.clear, machine.HERE, resource, timeout)


def cleanup(resource=None, node=None, timeout=120):
    """
    Forget failures, those of probes too, so that the cluster tries again. Compare ``crm resource cleanup``.

    resource : ``None``
        The id of one resource; all by default.
    node : ``None``
        The name of one node; all by default.
    timeout : ``120``
        Seconds to wait until the cluster has settled.

    Returns True if there were failures, False if there was nothing to forget. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.cleanup haproxy-clone
    """
    return _engine(operate.cleanup, machine.HERE, resource, node, timeout)


def forget(node):
    """
    Let the cluster, and this machine, forget a node that has left it for good, because it counts as lost while it is
    remembered. On each machine, which remembers by itself. Compare ``crm node delete``.

    node
        The node's name. Corosync must know it no more.

    Returns True if it was known. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.forget tertiary
    """
    return _engine(operate.forget, machine.HERE, node)


def maintenance(enabled=True, node=None, timeout=120):
    """
    Let the cluster leave everything (or one node) alone, or care for it again. Compare ``crm maintenance``.

    enabled : ``True``
        False ends it.
    node : ``None``
        The name of one node; the whole cluster by default.
    timeout : ``120``
        Seconds to wait, when it ends, until the cluster has settled.

    Returns True if something was changed. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.maintenance False
    """
    return _engine(operate.set_maintenance, machine.HERE, enabled, node, timeout)


def describe(actions):
    """
    Return the actions of ``simulate``, or the impact of ``plan``, in words.

    actions
        ``{"resources": {...}, "nodes": {...}}`` (dict).

    Returns a list of texts such as ``move FloatIP from primary to secondary``.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.describe '{resources: {FloatIP: [{action: start, node: primary}]}}'
    """
    return simulation.sentences(actions)


def in_words(changes):
    """
    Return the changes of ``plan`` or ``apply`` with one line for each object, in the words of ``crm configure``.

    changes
        ``{"kind id": {"old": data, "new": data}}`` (dict).

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.in_words '{"clone web": {"old": null, "new": {"resource": "apache"}}}'
    """
    return crm.lines(changes)
