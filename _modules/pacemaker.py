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
        agent: "ocf:heartbeat:IPaddr2"            # class:provider:type or class:type; or else template: web
        description: an address
        params: {ip: 192.0.2.1}
        meta: {migration-threshold: 3}
        utilization: {cpu: 1}
        operations:                               # also start-delay, enabled, role, on-fail, params, meta
          - {name: monitor, interval: 10s, timeout: 20s}
    groups: {g: {members: [ip, other], meta: {}}}
    clones: {c: {resource: haproxy, meta: {interleave: true}}}          # promotable: meta promotable: true
    bundles:
      b:
        docker: {image: "app:1", replicas: 3, network: host}            # or podman, rkt
        network: {control-port: 3121, port-mappings: [{port: 80, internal-port: 8080}]}
        storage: [{source-dir: /srv, target-dir: /data, options: rw}]
        primitive: app
    locations:
      l1: {resource: ip, node: primary, score: 50, resource-discovery: exclusive}
      l2:                                         # resource-pattern instead of resource; role
        resource: ip
        rules:
          - score: -INFINITY                      # or score-attribute; boolean-op, role
            expressions:
              - expression: {attribute: gateway, operation: lt, value: 1, type: number}
              - date_expression: {operation: date_spec, date_spec: {hours: 9-16}}   # in_range, gt, lt: start, end
              - rsc_expression: {class: ocf, provider: heartbeat, type: IPaddr2}
              - op_expression: {name: monitor, interval: 10s}
              - rule: {boolean-op: or, expressions: []}
    colocations:
      c1: {resource: ip, with: c, score: INFINITY}                      # role, with-role, node-attribute, influence
      c2: {score: 10, sets: [{resources: [ip, other], sequential: false}]}
    orders:
      o1: {first: c, then: ip, kind: Mandatory, symmetrical: false}     # first-action, then-action, require-all
      o2: {sets: [{resources: [a, b]}, {resources: [c], action: start, require-all: false}]}
    tickets: {t1: {ticket: site, resource: ip, role: Started, loss-policy: stop}}
    fencing_levels: {f1: {target: primary, index: 1, devices: [ipmi]}}  # target-pattern; target-attribute, target-value
    node_attributes: {primary: {rack: 1}}
    utilization: {primary: {cpu: 8}}
    alerts: {a1: {path: /usr/local/bin/alert, params: {}, meta: {}, recipients: {a1-r: {value: ops}}}}
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

import contextlib
import logging
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ET

from salt.exceptions import CommandExecutionError, SaltInvocationError

from saltext.pacemaker import words
from saltext.pacemaker.cib import crm, kinds, parameters
from saltext.pacemaker.cib import document as cib_document
from saltext.pacemaker.cib import plan as cib_plan
from saltext.pacemaker.scheduler import limits, simulation
from saltext.pacemaker.status import health, history, resources
from saltext.pacemaker.status import summary as cluster_summary

log = logging.getLogger(__name__)

__virtualname__ = "pacemaker"

# Salt's own PATH may lack the directories of daemons.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMMAND_SECONDS = 120
_SIMULATE = ("crm_simulate", "--run", "--xml-pipe", "--output-as=xml")
_VERIFY = ("crm_verify", "--xml-pipe", "--verbose")
_UPGRADE = ("cibadmin", "--upgrade", "--force")
_ATTEMPTS = 20
# Who has lost a race reads again at once: the longer it waits, the sooner the others are ahead of it again.
_JITTER_SECONDS = 0.05
_POLL_SECONDS = 0.5
_SAY_SECONDS = 5

# How libxml2 begins a message about a document that breaks its schema, or whose references dangle.
_BREACH = re.compile(r"(Expecting|Did not expect|Element|Extra|Invalid|IDREF|ID|Type|Error validating|Datatype) ")
# Where a patch names the digest of the CIB that it makes, and how often the status of its source has changed.
_DIGEST = re.compile(r'(<diff\b[^>]*?) digest="[^"]*"')
_UPDATES = re.compile(r'(<source\b[^>]*?) num_updates="[^"]*"')
# How long to look for a change that the cluster has not confirmed.
_UNCONFIRMED_SECONDS = 30

# Exit codes of Pacemaker's tools (crm_error -l -X).
_INTERNAL = 70
_OLD_DATA = 103
_TIMEOUT = 124
# With these cibadmin has certainly written nothing.
_REFUSALS = (64, 65, 66, 76, 77, 78, 105, 106)
_MEANINGS = {
    77: "no permission: Pacemaker's tools need root",
    78: "Pacemaker refuses the configuration: it breaks the schema or refers to something that is not there",
    76: "the CIB's feature set is newer than the tools on this node",
    102: "Pacemaker is not running on this node",
    105: "no such object",
    106: "the cluster has no quorum",
    124: "the cluster did not answer in time",
}


def __virtual__():
    return __virtualname__


class _NoEnd(CommandExecutionError):
    """A command did not end in time."""


# Commands


def _run(*command, stdin=None, timeout=_COMMAND_SECONDS):
    """Run a command; return (exit code, standard output, errors)."""
    [done] = _run_together((command, stdin), timeout=timeout)
    return done


def _run_together(*given, timeout=_COMMAND_SECONDS):
    """
    Run several (command, standard input) at the same time; return [(exit code, standard output, errors)] in their
    order. _NoEnd if one does not end in time.
    """
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        processes = []
        for command, stdin in given:
            processes.append(stack.enter_context(_start(command, stdin)))
            stack.callback(processes[-1].kill)
        try:
            said = [process.communicate(timeout=max(0.0, deadline - time.monotonic())) for process in processes]
        except subprocess.TimeoutExpired as problem:
            raise _NoEnd(f"{os.path.basename(problem.cmd[0])} did not end within {timeout:.0f} s") from None
        return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def _start(command, stdin=None):
    """
    Start a command; every external command of this module is started here. Return its process.

    Nothing is logged but the name: input and output may hold the whole CIB. The input is a file in memory, so that the
    command reads it while others are being started.
    """
    binary = shutil.which(command[0], path=_PATH)
    if binary is None:
        raise CommandExecutionError(f"{command[0]} is not installed on this machine (package pacemaker-cli-utils)")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LD_", "CIB_"))},
        "LC_ALL": "C",
        "PATH": _PATH,
    }
    log.debug("Running %s", command[0])
    with open(os.memfd_create("input"), "w+", encoding="utf-8") as file:
        file.write(stdin or "")
        file.seek(0)
        return subprocess.Popen(
            [binary, *command[1:]],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )


def _failed(what, code):
    """An error for a command that failed, without its output."""
    return CommandExecutionError(f"{what}: {_meaning(code)}")


def _meaning(code):
    return _MEANINGS.get(code, f"exit code {code}")


def _cib_text(cib_file=None):
    """The CIB as XML."""
    if cib_file is not None:
        try:
            with open(cib_file, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as problem:
            raise CommandExecutionError(f"The CIB file {cib_file} cannot be read: {problem}") from None
    for name in ("CIB_shadow", "CIB_file"):
        if os.environ.get(name):
            raise CommandExecutionError(
                f"{name} is set in the environment: Pacemaker's tools would not work on the live cluster. Unset it, "
                "or give cib_file."
            )
    code, output, _ = _run("cibadmin", "--query")
    if code:
        raise _failed("The cluster's configuration cannot be read", code)
    return output


def _document(text):
    return _parsed(cib_document.Document.parse, text)


def _tree(text):
    return _parsed(cib_document.tree, text)


def _parsed(parse, text):
    try:
        return parse(text)
    except cib_document.CibError as problem:
        raise CommandExecutionError(f"The CIB cannot be worked with: {problem}") from None


def _simulated(text):
    """(status, actions) of the scheduler for a CIB."""
    return _foretold(*_run(*_SIMULATE, stdin=text)[:2])


def _foretold(code, output, which="that the cluster has"):
    """(status, actions) of what crm_simulate has returned for a configuration."""
    if code == 0:
        with contextlib.suppress(ValueError):
            return simulation.parse(output)
    raise _failed(f"The scheduler cannot work with the configuration {which}", code)


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
        desired data means "the value that the cluster has".

    Returns a dict of sections; see the form of the data above. Raises CommandExecutionError when there is no CIB.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.export --out=yaml
    """
    return cib_document.export(_document(_cib_text(cib_file)), owner="haproxy_ha", secrets=secrets)


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
    return _simulated(_cib_text(cib_file))[1]


def plan(
    desired,
    cib_file=None,
    owner="haproxy_ha",
    purge=False,
    max_disruption="any",
    expect=None,
    allow_partition=False,
    expected_nodes=None,
    adopt=False,
    take_over=False,
    partial=False,
    from_nothing=False,
):
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
    options = _Options(owner, purge, max_disruption, expect, allow_partition, expected_nodes, adopt, take_over, partial)
    try:
        if from_nothing:
            return _result(_Judgement(_made(cib_document.Document.empty(_nodes_in(desired)), desired, options)))
        return _result(_judged(_cib_text(cib_file), desired, options, live=cib_file is None))
    except cib_document.DanglingError as problem:
        if not partial:
            raise _impossible(problem) from None
        nothing = _Judgement(cib_plan.Plan(before=None, changes=cib_plan.given(desired)), lacking=[str(problem)])
        return _result(nothing)


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
    document = _document(_cib_text(cib_file))
    options = _Options(owner, purge, "any", None, False, None, False, False, False)
    left = set(_made(document, desired, options).foreign)
    exported = cib_document.export(document, owner=owner, secrets=False)
    return {
        section: kept
        for section, content in exported.items()
        if (kept := {name: one for name, one in content.items() if _labelled(section, name) in left})
    }


def _labelled(section, name):
    """What an object of an exported section is called in lists; None for what is no object."""
    return cib_plan.label(section, name) if section in kinds.KINDS else None


def _nodes_in(desired):
    """The names of the nodes that desired data has attributes for."""
    sections = [desired.get(name) for name in ("node_attributes", "utilization")] if isinstance(desired, dict) else []
    return sorted({str(node) for section in sections if isinstance(section, dict) for node in section})


class _Options:
    """What plan and apply have been told."""

    def __init__(
        self, owner, purge, max_disruption, expect, allow_partition, expected_nodes, adopt, take_over, partial
    ):
        self.owner = owner
        self.purge = purge
        self.max_disruption = max_disruption
        self.expect = expect
        self.allow_partition = allow_partition
        self.expected_nodes = tuple(expected_nodes or ())
        self.adopt = adopt
        self.take_over = take_over
        self.partial = partial
        try:
            limits.too_much({}, max_disruption)
        except ValueError as problem:
            raise SaltInvocationError(str(problem)) from None

    @property
    def binds_effects(self):
        """Whether the plan may be carried out only with the effects that were found."""
        return self.max_disruption != "any" or self.expect is not None


class _Judgement:
    """A Plan, what the cluster would do, and what is in the way of a commit."""

    def __init__(self, plan, impact=None, lacking=()):
        self.plan = plan
        self.impact = impact or {}
        self.refused = []
        self.lacking = list(lacking)
        self.waiting = []
        self.problems = []
        self.stale_probes = []
        self.digest = cib_plan.fingerprint([plan.digest, simulation.sentences(self.impact)])


def _made(document, desired, options):
    try:
        return cib_plan.make(
            document,
            desired,
            options.owner,
            purge=options.purge,
            adopt=options.adopt,
            take_over=options.take_over,
            partial=options.partial,
        )
    except cib_document.DanglingError:
        raise
    except cib_document.CibError as problem:
        raise _impossible(problem) from None


def _impossible(problem):
    return SaltInvocationError(f"The desired configuration cannot be:\n{problem}")


def _judged(text, desired, options, live, lost=None):
    """
    The _Judgement of the desired data on the CIB ``text``.

    lost: that of a commit which has just lost a race. The very same change is not simulated again, unless its effects
    are bound: a loser that takes as long as the winner's next commit would lose for ever.
    """
    document = _document(text)
    made = _made(document, desired, options)
    if made.after is None:
        judgement = _Judgement(made)
        judgement.refused += made.conflicts
        judgement.stale_probes = _stale_probes(document, made.resources) if live else []
        return judgement
    if cib_plan.lacks_tags(made.after):
        raise _outdated(document)
    if lost is not None and lost.plan.digest == made.digest and not options.binds_effects:
        judgement = _Judgement(made, lost.impact)
        judgement.waiting = _not_ready(document.root, options)
        return judgement
    _check_ids_of_limits(options.max_disruption, document, made)
    verified, *simulated = _run_together(
        (_VERIFY, made.after.judged_text()), (_SIMULATE, text), (_SIMULATE, made.after.text())
    )
    breaches, errors = _new_errors(document, verified[2])
    now, current = _foretold(*simulated[0][:2])
    if document.is_outdated and (breaches or simulated[1][0]):
        raise _outdated(document)
    if breaches:
        raise CommandExecutionError(f"Pacemaker would refuse the configuration: {'; '.join(breaches)}")
    then, proposed = _foretold(*simulated[1][:2], "that it would have")
    judgement = _Judgement(made, simulation.difference(proposed, current))
    judgement.refused += made.conflicts + _unknown_secrets(made)
    if live:
        judgement.waiting = _not_ready(document.root, options)
        judgement.lacking = errors + _agent_problems(made)
        judgement.refused += _unsafe(made, then, proposed)
        judgement.problems = _foreseen(made, then, proposed)
        judgement.stale_probes = _stale_probes(document, made.resources)
    worse = limits.too_much(judgement.impact, options.max_disruption, resources.containers(now, then))
    if worse:
        judgement.refused.append(f"more than max_disruption allows ({options.max_disruption}): {', '.join(worse)}")
    if options.expect is not None and options.expect != judgement.digest:
        judgement.refused.append(f"this is not the plan that was reviewed: its digest is {judgement.digest}")
    return judgement


def _outdated(document):
    """An error for a change that the schema of an older Pacemaker does not allow."""
    return CommandExecutionError(
        f"The CIB has still the schema {document.root.get('validate-with')} of an older Pacemaker, in which this "
        "change cannot be made. Upgrade it first, which keeps what it means: salt-call pacemaker.upgrade_schema "
        "(cibadmin --upgrade --force). Then export it again"
    )


def _unknown_secrets(made):
    if not made.unresolved:
        return []
    names = ", ".join(made.unresolved)
    return [f"it cannot be told what the secret {names} is: the cluster has no value in its place, or several; give it"]


def _check_ids_of_limits(max_disruption, document, made):
    """Refuse a max_disruption for a resource that is nowhere: a slip would take all limits away."""
    known = {*document.resources(), *made.resources, "default"}
    for name in max_disruption if isinstance(max_disruption, dict) else ():
        if name.split(":")[0] not in known:
            near = words.did_you_mean(name, known)
            raise SaltInvocationError(f"max_disruption:{name}: there is no resource {name}{near}")


def _unsafe(made, then, proposed):
    """Why a change must not be written, whatever else is done before."""
    reasons = list(made.doubts)
    left = health.left_running(then, proposed)
    if left and cib_plan.flag(made.after, "stop-orphan-resources") is not False:
        reasons.append(
            f"would be left running: {', '.join(left)}. Without a fence device Pacemaker stops nothing unless "
            "stonith-enabled is false: keep that property until the resources are gone"
        )
    return reasons


def _foreseen(made, then, proposed):
    """What would be wrong with the desired resources that the cluster would not act on after the change."""
    return _wrong(made.after, then, made.resources, simulation.busy(proposed))


def _wrong(document, state, wanted, busy=()):
    """What is wrong with resources, with what the agents said."""
    counts = history.fail_counts(document.root)
    stopped = cib_plan.flag(document, "stop-all-resources") is True
    found = health.problems(state, counts, wanted, stopped=stopped, busy=busy)
    if found:
        found = health.problems(state, counts, wanted, status()["failures"], stopped, busy)
    return found + _barred(document, state, wanted)


def _stale_probes(document, wanted):
    """The primitives that a probe on this node keeps off it because their agent was missing, and it is here by now."""
    probes = history.failed_probes(document.root, not_installed=True)
    here = node_name() if probes else None
    inside = {name for name, node in probes if node == here and name in document.resources_of(wanted)}
    agents = {name: document.agent(document.data(("primitives", name))) for name in inside}
    return sorted(name for name in inside if _metadata(agents[name]) is not None)


def _barred(document, state, wanted):
    """
    The resources that a failed probe, and nothing else, keeps off a node if that is the only one left, as sentences.
    """
    inside = {name for name, one in resources.containers(state).items() if not {name, *one}.isdisjoint(wanted)}
    probes = {key: text for key, text in history.failed_probes(document.root).items() if key[0] in inside}
    barred = set()
    for node in {node for _, node in probes}:
        alone = history.alone(document.root, node)
        could, does = (_arriving(root) for root in (history.unprobed(alone), alone))
        barred |= could - does
    return [
        f"{name} cannot run on {node}: {text}, which counts until pacemaker.cleanup"
        for (name, node), text in sorted(probes.items())
        if (name, node) in barred
    ]


def _arriving(root):
    return simulation.arriving(_simulated(ET.tostring(root, encoding="unicode"))[1])


def _result(judgement):
    made = judgement.plan
    return {
        "changes": made.changes,
        "impact": judgement.impact,
        "foreign": made.foreign,
        "adoptable": made.adoptable,
        "unknown": made.unknown,
        "resources": made.resources,
        "digest": judgement.digest,
        "refused": judgement.refused,
        "lacking": judgement.lacking,
        "waiting": judgement.waiting,
        "problems": judgement.problems,
        "stale_probes": judgement.stale_probes,
    }


def _not_ready(root, options):
    """Why the cluster is in no state to take a commit, by its CIB."""
    if not root.get("dc-uuid"):
        return ["the cluster has no DC yet"]
    reasons = []
    if options.allow_partition:
        return reasons
    if root.get("have-quorum") not in ("1", "true"):
        reasons.append("the cluster has no quorum")
    absent = history.absent_nodes(root, options.expected_nodes)
    if absent:
        reasons.append(
            f"absent: {', '.join(absent)}. A commit made without it may be lost when it returns "
            "(allow_partition: true makes it all the same)"
        )
    pending = history.pending_nodes(root)
    if pending:
        reasons.append(f"still joining: {', '.join(pending)}")
    return reasons


def _new_errors(before, said):
    """(breaches of the schema, other errors) in what crm_verify has said that it does not say of ``before`` too."""
    found = _complaints(said)
    if not any(found):
        return [], []
    known = _complaints(_run(*_VERIFY, stdin=before.judged_text())[2])
    return tuple([line for line in new if line not in old] for new, old in zip(found, known, strict=True))


def _complaints(said):
    """
    (breaches of the schema, other errors) in what crm_verify has said, without positions.

    A message of libxml2 is a breach, Pacemaker's own are errors. Pacemaker 2.1 writes "(function) error: ..." and
    "... validity error : ...", 3.0 "error: ..." and the bare message.
    """
    breaches, errors = set(), set()
    for line in said.splitlines():
        text = line.rpartition("validity error :")[2].strip()
        if _BREACH.match(text):
            breaches.add(text)
        elif "error:" in line and "schema validation" not in line and "<" not in line:
            errors.add(line.split("error:", 1)[1].strip())
    return sorted(breaches), sorted(errors)


def _agent_problems(made):
    """Agents of new and changed primitives that are not installed here, and parameters that they do not take."""
    found = []
    metadata = {agent: _metadata(agent) for agent in sorted({agent for agent, _ in made.agents.values()})}
    for name, (agent, params) in sorted(made.agents.items()):
        if metadata[agent] is None:
            found.append(f"the agent {agent} of {name} is not installed on this node")
            continue
        template = ("templates", name) in made.after.objects
        found += [f"{name}: {text}" for text in parameters.problems(agent, metadata[agent], params, template)]
    return found


def _metadata(agent):
    """What an agent says of itself; None if it is not installed here."""
    code, output, _ = _run("crm_resource", "--show-metadata", agent)
    return None if code else output


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
    before = _tree(_cib_text(cib_file)).get("validate-with")
    if cib_file is None:
        _do("Nothing was upgraded", *_UPGRADE)
    else:
        _write_file(cib_file, _upgraded(_cib_text(cib_file)))
    return {"old": before, "new": _tree(_cib_text(cib_file)).get("validate-with")}


def _upgraded(text):
    """The text of a CIB with the newest schema."""
    with tempfile.TemporaryDirectory(prefix=".pacemaker-") as folder:  # mode 0700
        path = os.path.join(folder, "cib.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        _do("Nothing was upgraded", "env", f"CIB_file={path}", *_UPGRADE)
        return _cib_text(path)


# Committing


def apply(
    desired,
    cib_file=None,
    owner="haproxy_ha",
    purge=False,
    max_disruption="any",
    expect=None,
    allow_partition=False,
    expected_nodes=None,
    adopt=False,
    take_over=False,
    partial=False,
    timeout=0,
):
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
    options = _Options(owner, purge, max_disruption, expect, allow_partition, expected_nodes, adopt, take_over, partial)
    deadline = time.monotonic() + timeout
    judgement = None
    for _ in range(_ATTEMPTS):
        text, judgement = _ready(desired, options, cib_file, deadline, judgement)
        if judgement.plan.after is None and not judgement.refused:
            return _result(judgement)
        against = judgement.refused + judgement.lacking + judgement.waiting
        if against:
            raise CommandExecutionError("Nothing was written: " + "; ".join(against))
        if cib_file is not None:
            _write_file(cib_file, judgement.plan.after.text())
            return _result(judgement)
        if _commit(text, judgement.plan.after, options):
            return _result(judgement)
        time.sleep(random.uniform(0, _JITTER_SECONDS))
    raise CommandExecutionError(
        f"Nothing was written: {_ATTEMPTS} times others changed the configuration between reading and writing"
    )


def _ready(desired, options, cib_file, deadline, lost=None):
    """The CIB and its _Judgement, as soon as the cluster can take a commit or the deadline has passed."""
    say = _Waiting(deadline)
    while True:
        try:
            text = _cib_text(cib_file)
            judgement = _judged(text, desired, options, live=cib_file is None, lost=lost)
            hopeless = judgement.refused or judgement.lacking
            if not judgement.waiting or hopeless or time.monotonic() >= deadline:
                return text, judgement
            say("; ".join(judgement.waiting))
        except cib_document.DanglingError as problem:
            raise _impossible(problem) from None
        except CommandExecutionError:
            starting = cib_file is None and shutil.which("cibadmin", path=_PATH) and not running()
            if not starting or time.monotonic() >= deadline:
                raise
            say("Pacemaker to start")
        time.sleep(_POLL_SECONDS)


class _Waiting:
    """Says in the log what is waited for: at once, and every few seconds."""

    def __init__(self, deadline):
        self._deadline, self._said = deadline, None

    def __call__(self, text):
        now = time.monotonic()
        if self._said is None or now - self._said >= _SAY_SECONDS:
            log.warning("pacemaker: waiting, for %.0f s at most: %s", max(0.0, self._deadline - now), text)
            self._said = now


def _commit(text, after, options):
    """
    Write ``after`` if the configuration is still that of ``text``. False: it is not, plan again.

    A resource that starts or fails counts up the CIB's version too. Then the same patch is offered again, bound to the
    version of the configuration alone, if the cluster is ready for it; but what it would do may have become something
    else, so that a plan whose effects are bound is made anew.
    """
    before = _document(text)
    patch = _patch(text, after.text())
    code = _send(patch)
    if code == _OLD_DATA:
        if options.binds_effects:
            return False
        now = _tree(_cib_text())
        if _but_updates(now) != _but_updates(before.root) or _not_ready(now, options):
            return False
        code = _send(_for_any_status(patch))
        if code in (_OLD_DATA, _INTERNAL):
            return False
    if code in _REFUSALS:
        raise _failed("Nothing was written", code)
    return code == 0 or _arrived(before, after, options.owner, code)


def _but_updates(root):
    """All that the CIB says of itself but how often its status has changed. A patch writes these attributes too."""
    return {name: value for name, value in root.items() if name != "num_updates"}


def _arrived(before, after, owner, code):
    """
    Whether a change is in the configuration though the cluster has not confirmed it; False: others have changed the
    configuration, plan again. CommandExecutionError if it cannot be told, or the change is not there (yet).
    """
    found = "it cannot be read whether it was written"
    deadline = time.monotonic() + _UNCONFIRMED_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(CommandExecutionError):
            now = _document(_cib_text())
            if now.version[:2] != before.version[:2]:
                return not cib_plan.compare(now, after, owner)[0]
            found = "it is not in the configuration, but may still arrive there"
        time.sleep(_POLL_SECONDS)
    raise CommandExecutionError(f"The change was sent and not confirmed, and {found}: {_meaning(code)}")


def _patch(old, new):
    """The difference of two CIBs as a patch, bound to the version of the first."""
    with tempfile.TemporaryDirectory(prefix=".pacemaker-") as folder:  # mode 0700
        paths = []
        for name, text in (("old", old), ("new", new)):
            paths.append(os.path.join(folder, name))
            with open(os.open(paths[-1], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        code, patch, _ = _run("crm_diff", "--cib", "--original", paths[0], "--new", paths[1])
    if code != 1 or not patch:
        raise _failed("Nothing was written: the change cannot be put into a patch", code)
    return patch


def _for_any_status(patch):
    """
    A patch of the configuration that holds however often the status has changed meanwhile.

    The number of status updates that the source does not give is taken from the CIB at hand (Pacemaker 2.1 and 3.0,
    lib/common/patchset.c); a version that wants it there refuses the patch with an internal error.
    """
    return _UPDATES.sub(r"\1", _DIGEST.sub(r"\1", patch, count=1), count=1)


def _send(patch):
    """Send a patch; the exit code of cibadmin."""
    try:
        return _run("cibadmin", "--patch", "--xml-pipe", stdin=patch)[0]
    except _NoEnd:
        return _TIMEOUT


def _write_file(path, text):
    """Replace a saved CIB, keeping its mode and owner; a reader sees the old or the new one."""
    try:
        old = os.stat(path)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(os.path.abspath(path)))
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, old.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):
                os.chown(temporary, old.st_uid, old.st_gid)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as problem:
        raise CommandExecutionError(f"The CIB file {path} cannot be written: {problem}") from None


# Looking


def running():
    """
    Whether Pacemaker runs on this machine, so that its CIB can be read.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.running
    """
    try:
        return _run("cibadmin", "--query")[0] == 0
    except CommandExecutionError:
        return False


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
    code, output, _ = _run("crm_mon", "--one-shot", "--inactive", "--output-as=xml")
    try:
        root = ET.fromstring(output)
    except ET.ParseError:
        raise _failed("The cluster's state cannot be read", code or 102) from None
    if code:
        raise _failed("The cluster's state cannot be read", code)
    return cluster_summary.summary(root)


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
    deadline = time.monotonic() + timeout
    while True:
        try:
            now = status()
            missing = cluster_summary.missing(now, nodes)
        except CommandExecutionError as problem:
            missing = str(problem)
        if not missing:
            return now
        if time.monotonic() >= deadline:
            raise CommandExecutionError(f"After {timeout} s the cluster is not complete: {missing}")
        time.sleep(_POLL_SECONDS)


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
    began = time.monotonic()
    say = _Waiting(began + timeout)
    while True:
        looked = time.monotonic()
        text = _cib_text()
        state, actions = _simulated(text)
        document = _document(text)
        wanted = list(resources) if resources is not None else [one["id"] for one in state["resources"]]
        pending = [*simulation.sentences(simulation.executable(actions)), *history.under_way(document.root)]
        now = time.monotonic()
        if not pending or now - began >= timeout:
            break
        if now - began >= _SAY_SECONDS:  # what takes less is the cluster's usual work
            say(f"the cluster to {', '.join(pending)}")
        # `crm_resource --wait` takes 2 s at least and, as the scheduler, takes what is under way for done. To look may
        # take long where there is much to look at: half of the time at most.
        time.sleep(min(max(0.2, now - looked), began + timeout - now))
    stopped = cib_plan.flag(document, "stop-all-resources") is True
    return {
        "pending": pending,
        "problems": _wrong(document, state, wanted),
        "deliberate": health.deliberate(state, wanted, stopped),
    }


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
    return sorted(history.nodes_with(_tree(_cib_text()), provider))


def node_name():
    """
    Return this machine's name in the cluster.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.node_name
    """
    code, output, _ = _run("crm_node", "--name")
    if code or not output.strip():
        raise _failed("This node's name is not known", code or 102)
    return output.strip()


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
    return _set_standby(node, True, timeout)


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
    return _set_standby(node, False, timeout)


def _set_standby(node, wanted, timeout):
    node = node or node_name()
    if _known_node(node)["standby"] == wanted:
        return False
    change = ["--update", "on"] if wanted else ["--delete"]
    _do(f"The node {node}", "crm_attribute", "--node", node, "--name", "standby", "--lifetime", "forever", *change)
    _settled(timeout)
    if status()["nodes"][node]["standby"] != wanted:
        raise CommandExecutionError(f"The node {node} is {'not' if wanted else 'still'} in standby")
    return True


def _known_node(name):
    nodes = status()["nodes"]
    if name not in nodes:
        raise SaltInvocationError(f"The cluster has no node {name}; it has {', '.join(sorted(nodes)) or 'none'}")
    return nodes[name]


def _known_resource(name):
    document = _document(_cib_text())
    known = {key[1] for key in document.objects if key[0] in ("primitives", "groups", "clones", "bundles")}
    if name not in known:
        raise SaltInvocationError(f"The cluster has no resource {name}; it has {', '.join(sorted(known)) or 'none'}")
    return document


def _do(what, *command):
    code, _, _ = _run(*command)
    if code:
        raise _failed(what, code)


def _settled(timeout):
    """Wait until the cluster is idle; CommandExecutionError if it is not in time."""
    pending = settle(resources=[], timeout=timeout)["pending"]
    if pending:
        raise CommandExecutionError(f"After {timeout} s the cluster still has to {', '.join(pending)}")


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
    _known_node(node)
    preferred = _known_resource(resource).objects.get(("locations", f"cli-prefer-{resource}"))
    changed = preferred is None or preferred.get("node") != node
    if changed:
        _do(f"The resource {resource}", "crm_resource", "--resource", resource, "--move", "--node", node)
    _settled(timeout)
    where = _running_on(resource)
    if node not in where:
        raise CommandExecutionError(f"{resource} does not run on {node}; it runs on {', '.join(where) or 'no node'}")
    return changed


def _running_on(resource):
    return sorted(
        {
            node
            for name, one in status()["resources"].items()
            if resource in (name, *one["in"])
            for node in one["nodes"]
            if one["active"]
        }
    )


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
    document = _known_resource(resource)
    made = [
        name
        for section, name in document.objects
        if section == "locations"
        and name.startswith(("cli-prefer-", "cli-ban-"))
        and document.data((section, name)).get("resource") == resource
    ]
    if not made:
        return False
    _do(f"The resource {resource}", "crm_resource", "--resource", resource, "--clear")
    _settled(timeout)
    return True


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
    if node is not None:
        _known_node(node)
    if resource is not None:
        _known_resource(resource)
    failures, probes = _failures(resource, node)
    if failures:
        command = ["crm_resource", "--cleanup"]
        command += ["--resource", resource] if resource else []
        command += ["--node", node] if node else []
        _do("The failures", *command)
    for name, place in probes:  # --cleanup does not forget these
        _do("The failed probes", "crm_resource", "--refresh", "--resource", name, "--node", place)
    if probes:  # simulate does not show that they are to be repeated
        with contextlib.suppress(_NoEnd):
            _run("crm_resource", "--wait", f"--timeout={max(1, int(timeout))}s", timeout=timeout + 5)
    if failures or probes:
        _settled(timeout)
    return bool(failures or probes)


def _failures(resource, node):
    """[(resource, node)] of failures recorded for a resource (or any) on a node (or any), and the same of probes."""
    now, root = status(), _document(_cib_text()).root
    inside = {name for name, one in now["resources"].items() if resource in (None, name, *one["in"])}
    recorded = {(one["resource"].split(":")[0], one["node"]) for one in now["failures"]}
    recorded |= set(history.fail_counts(root))

    def meant(found):
        return sorted(key for key in found if (resource is None or key[0] in inside) and node in (None, key[1]))

    return meant(recorded), meant(history.failed_probes(root))


def forget(node):
    """
    Let the cluster forget a node that has left it for good: while it is remembered it counts as lost, and as long as a
    node is lost the floating IP is not taken from a machine that answers there. Compare ``crm node delete``.

    node
        The node's name. Corosync must know it no more.

    Returns True if it was known. Raises CommandExecutionError.

    CLI Example:

    .. code-block:: bash

        salt-call pacemaker.forget tertiary
    """
    if node not in status()["nodes"]:
        return False
    code, _, _ = _run("crm_node", "--force", "--remove", node)
    if code and node in status()["nodes"]:  # another node may have done it at the same moment
        raise _failed(f"Forgetting {node}", code)
    return True


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
    if node is None:
        command = ["crm_attribute", "--type", "crm_config", "--name", "maintenance-mode"]
        now = cib_plan.flag(_document(_cib_text()), "maintenance-mode") is True
    else:
        command = ["crm_attribute", "--node", node, "--name", "maintenance", "--lifetime", "forever"]
        now = _known_node(node)["maintenance"]
    if now == bool(enabled):
        return False
    _do("Maintenance", *command, *(["--update", "true"] if enabled else ["--delete"]))
    if not enabled:
        _settled(timeout)
    return True


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
