"""
The outcomes that make a highly available HAProxy pair and its app servers.

What a state is about comes from the settings (:func:`haproxy_ha.settings <haproxy_ha>`), that is from pillar; secrets
are read here by name and are never an argument.
"""

import functools
from collections.abc import Callable
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.settings import minion

__virtualname__ = "haproxy_ha"

# Salt's loader puts these here.
__env__: str
__opts__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]
__states__: dict[str, Callable[..., Any]]


def __virtual__():
    return __virtualname__


def _state(function):
    """A state: errors become result False, and a comment in place of a traceback."""

    @functools.wraps(function)
    def wrapper(name, *args, **kwargs):
        ret = {"name": name, "changes": {}, "result": True, "comment": ""}
        try:
            ret.update(function(name, *args, **kwargs))
        except (CommandExecutionError, SaltInvocationError, OSError) as exc:
            ret.update(result=False, comment=str(exc))
        return ret

    return wrapper


def _done(comment, changes=None):
    return {"comment": comment, "changes": changes or {}}


def _would(comment, changes=None):
    return {"result": None, "comment": comment, "changes": changes or {}}


def _converge(part):
    """A part of this machine (:func:`haproxy_ha.plan <haproxy_ha>`) is as it should be, or in a dry run would be."""
    verb = "plan" if __opts__["test"] else "apply"
    return _told(__salt__[f"haproxy_ha.{verb}"](part, __env__))


def _told(outcome):
    """What planning or applying came to, as a state says it; of a plan that is refused nothing would change."""
    test, comment, changes = __opts__["test"], outcome["comment"], outcome["changes"]
    if outcome["refusal"]:
        return {"result": False, "comment": comment, "changes": {} if test else changes}
    return _would(comment, changes) if test and changes else _done(comment, changes)


@_state
def settings_valid(name, rendered=None):
    """
    Pillar makes sense, this minion has a part in it, and the SLS files were rendered from what is true now.

    rendered : ``None``
        What the SLS files were rendered from, the ``seen`` of :func:`haproxy_ha.rendered <haproxy_ha>` (dict). What was
        wrong then is a failure even if it is right by now, because its states were left out.

    Fails with every error, each by its pillar path. A minion without a role is well, and is told so, unless something
    of this formula is on it: then it has lost its place in pillar, or was never taken away.

    .. code-block:: yaml

        haproxy_ha-settings:
          haproxy_ha.settings_valid
    """
    ours, seen = __salt__["haproxy_ha.settings"](__env__), rendered or {}
    errors = ours["errors"] if ours["tree"] else []
    if seen.get("errors") and not errors:
        return _failed("Nothing was done. While the SLS files were rendered, this was wrong:", *seen["errors"],
                       "It is right now: run it again.")
    if errors or seen.get("errors"):
        return _failed("Nothing was done, because of:", *(errors or seen["errors"]))
    changed = _changed(seen.get("digests"))
    if changed:
        return _failed(f"Nothing was done: {', '.join(changed)} changed while the SLS files were rendered, in pillar, "
                       "the metadata service or the mine. Run it again.")
    if not ours["roles"]:
        return _without_a_role(ours)
    return _done("\n".join([f"This minion is: {', '.join(ours['roles'])}", *_strays(), *ours["warnings"]]))


def _failed(*lines):
    return {"result": False, "comment": "\n".join(lines)}


def _changed(digests):
    """The parts of the settings that are other ones than when ``digests`` was made."""
    now = minion.digests(__salt__["haproxy_ha.settings"](__env__)) if digests else {}
    return sorted(key for key in {*now, *(digests or {})} if now.get(key) != digests.get(key))


def _without_a_role(ours):
    if ours["tree"]:
        why = (
            f"the minion id {ours['minion_id']} is in none of haproxy_ha:load_balancers, haproxy_ha:app_servers and "
            "haproxy_ha:quorum_helper of its pillar, or it is not managed."
        )
    else:
        why = f"the pillar of {ours['minion_id']} has no haproxy_ha."
    left = __salt__["haproxy_ha.left_over"](__env__)
    if not left:
        return _done(f"Nothing to do: {why}")
    clusters = ["It may still take the floating IP."] if "cluster" in left else []
    return _failed(
        f"Nothing was done: {why} But there is still of this formula: {_listed(left)}.", *clusters,
        f"Give it its place in pillar again, or take it all away: salt '{ours['minion_id']}' state.apply "
        "haproxy_ha.clean",
    )


def _listed(parts):
    names = {"memory": "what it keeps in /var/lib/haproxy_ha"}
    return ", ".join(names.get(part, part.replace("_", " ")) for part in parts)


def _strays():
    left = __salt__["haproxy_ha.left_over"](__env__)
    calls = ", ".join(f"haproxy_ha.remove {part}" for part in left)
    return [f"There is still of this formula, though pillar does not say so: {_listed(left)}; {calls}"] if left else []


@_state
def preflight(name, rendered=()):
    """
    Nothing is known that would stop the run later: the ports are free or their daemon's own, the API knows the floating
    IP, no load balancer runs that pillar no longer names. See :func:`haproxy_ha.preflight <haproxy_ha>`.

    rendered : ``()``
        What was in the way while the SLS files were rendered (list of str). They then have this state alone, so that
        there is one failure, and none for each state that needs this one.

    .. code-block:: yaml

        haproxy_ha-preflight:
          haproxy_ha.preflight
    """
    problems = __salt__["haproxy_ha.preflight"](__env__, max_age=10)
    if problems:
        return _failed("Nothing was done, because:", *problems)
    if rendered:
        return _failed("Nothing was done. While the SLS files were rendered, this was in the way:", *rendered,
                       "It is not any more: run it again.")
    notes = __salt__["haproxy_ha.preflight_notes"](__env__, remember=not __opts__["test"])
    return _done("\n".join(["Nothing stands in the way", *notes]))


@_state
def tidied(name):
    """
    Nothing is left of runs that were killed: files without their name, copies of keys, services that are kept from
    being started, marks of a planned failover. See :func:`haproxy_ha.plan <haproxy_ha>`.

    .. code-block:: yaml

        haproxy_ha-tidied:
          haproxy_ha.tidied
    """
    return _converge("leftovers")


@_state
def packages_installed(name, pkgs, units=()):
    """
    Packages are installed, and their services have not been started with the package's own configuration.

    pkgs
        Names of packages (list of str); ``one | other`` for one that systems call differently.
    units : ``()``
        Services to hold while packages are installed (list of str, without ``.service``); those that run are not
        touched. A hold that a killed run left is released.

    .. code-block:: yaml

        haproxy_ha-app-package:
          haproxy_ha.packages_installed:
            - pkgs: [nginx]
            - units: [nginx]
    """
    return _told(__salt__["haproxy_ha.install_packages"](pkgs, units, __env__, test=__opts__["test"]))


@_state
def running(name):
    """
    A service runs, and is started at boot.

    name
        The service (str), without ``.service``.

    Does what ``service.running`` with ``enable: true`` does, and asks systemd once where that asks four times. With
    ``watch`` it is restarted when what it watches has changed.

    .. code-block:: yaml

        haproxy_ha-app-service:
          haproxy_ha.running:
            - name: nginx
    """
    return _converge(f"running:{name}")


@_state
def mod_watch(name, sfun=None, **kwargs):
    """
    What Salt calls for ``watch``: a service that :func:`running` is about is restarted.

    name
        The service (str), without ``.service``.
    sfun : ``None``
        The state function that watches (str); only ``running`` can.
    """
    if sfun != "running":
        return _failed(f"haproxy_ha.{sfun} cannot watch")
    return _converge(f"restarted:{name}")


@_state
def dead(name):
    """
    A service does not run, and is not started at boot. One that is not installed is fine.

    name
        The service (str), without ``.service``.

    Does what ``service.dead`` with ``enable: false`` does, and asks systemd once where that asks four times.

    .. code-block:: yaml

        haproxy_ha-cluster-quorum-device:
          haproxy_ha.dead:
            - name: corosync-qdevice
    """
    return _converge(f"dead:{name}")


@_state
def disabled(name):
    """
    A service is not started at boot, because the cluster starts it; an upgrade of its package does not change that.

    name
        The service (str), without ``.service``.

    Unlike ``service.disabled`` it does not fail in a dry run because the service is not installed yet.

    .. code-block:: yaml

        haproxy_ha-load-balancer-service:
          haproxy_ha.disabled:
            - name: haproxy
    """
    return _converge(f"disabled:{name}")


@_state
def files(name):
    """
    The files that a daemon reads are what the settings say, and the daemon has taken them if it runs.

    name
        ``haproxy``, ``nginx`` or ``corosync`` (str).

    They are one set: checked together by the daemon (in a dry run too), renamed into place, taken by a reload that is
    confirmed, or put back together. The comment of a failure is the daemon's own message, with its line.

    .. code-block:: yaml

        haproxy_ha-load-balancer-config:
          haproxy_ha.files:
            - name: haproxy
    """
    return _converge(f"files:{name}")


@_state
def agents(name):
    """
    The resource agents and the fence agent are those of the formula, all that they consist of from the same version.

    They change in one step, under a running cluster: an action that has begun ends with the version that it began with,
    and the next one has the new one. See :func:`haproxy_ha.plan <haproxy_ha>`.

    .. code-block:: yaml

        haproxy_ha-cluster-agents:
          haproxy_ha.agents
    """
    return _converge("agents")


@_state
def page(name):
    """
    The page that names the host and its public address is there.

    name
        For people; where the page is comes from ``haproxy_ha:nginx:page``. A page of people's own that is in its place
        is copied first.

    .. code-block:: yaml

        haproxy_ha-app-page:
          haproxy_ha.page
    """
    return _converge("page")


@_state
def secret_file(name, secret):
    """
    A file holds a secret of pillar, and only root reads it. The secret is shown nowhere.

    name
        For people; where the file is comes from the settings. A directory that is missing is made, for root alone.
    secret
        ``api_token`` of ``haproxy_ha:floating_ip``, or ``authkey`` of ``haproxy_ha:cluster`` (its bytes).

    .. code-block:: yaml

        haproxy_ha-cluster-authkey:
          haproxy_ha.secret_file:
            - name: /etc/corosync/authkey
            - secret: authkey
    """
    return _converge(f"secret:{secret}")


@_state
def quorum_certificates(name):
    """
    The quorum helper, or a load balancer as its client, has the certificates of pillar.

    name
        ``helper`` or ``balancer`` (str): whose database of certificates it is. Of one that was there before, a copy is
        kept. Private keys are shown nowhere.

    .. code-block:: yaml

        haproxy_ha-quorum-helper-certificates:
          haproxy_ha.quorum_certificates:
            - name: helper
    """
    return _converge(f"certificates:{name}")


@_state
def nginx_removed(name):
    """
    There is no nginx on this machine: not in the cluster, not as a service, not as a package.

    As the tutorial removes it: the cluster's nginx resources with whatever refers to them, then the service, the
    packages and ``/etc/nginx``, of which a copy is kept.

    .. code-block:: yaml

        haproxy_ha-load-balancer-nginx-removed:
          haproxy_ha.nginx_removed
    """
    changes = {}
    for resource in _nginx_resources():
        ret = __states__["pacemaker.primitive_absent"](name=resource)
        changes.update(ret["changes"])
        if ret["result"] is False:
            return {"result": False, "comment": ret["comment"], "changes": changes}
    ret = _converge("removed:nginx")
    if changes and __opts__["test"]:
        ret = {"result": None, **ret}
    return {**ret, "changes": {**changes, **ret["changes"]}}


def _nginx_resources():
    """The cluster's resources whose agent is nginx's."""
    if not __salt__["pacemaker.running"]():
        return []
    primitives = __salt__["pacemaker.export"]().get("primitives", {})
    return [name for name, one in primitives.items() if one.get("agent", "").split(":")[-1].split(".")[0] == "nginx"]


@_state
def removed(name):
    """
    A part of the formula is no longer on this machine.

    name
        ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper``, ``events``, ``monitoring``,
        ``memory``, what the formula has kept in mind about the machine, ``copies``, of what it has replaced, or
        ``former_token``, files with one that it wrote and pillar no longer names (str). What is there is known by the
        formula's own files. ``cluster`` hands the floating IP over first.

    Services are stopped, packages purged, and a copy of the configuration is kept; the comment says where.

    .. code-block:: yaml

        haproxy_ha-clean-cluster:
          haproxy_ha.removed:
            - name: cluster
    """
    return _converge(f"removed:{name}")


@_state
def repository(name):
    """
    apt knows the repository of ``haproxy_ha:haproxy:repository``, and the key that signs it.

    .. code-block:: yaml

        haproxy_ha-load-balancer-repository:
          haproxy_ha.repository
    """
    return _converge("repository")


@_state
def upgrades(name):
    """
    Packages are upgraded on one machine of a tier after the other, as ``haproxy_ha:upgrades`` says: the files of
    unattended-upgrades, apt and needrestart, and systemd has read them.

    .. code-block:: yaml

        haproxy_ha-upgrades:
          haproxy_ha.upgrades
    """
    return _converge("upgrades")


@_state
def firewall(name):
    """
    The host's firewall lets pass what this minion serves: the rules of the settings, and no rule of ours beyond them.

    Rules of others, and whether the firewall is active, are left alone.

    .. code-block:: yaml

        haproxy_ha-firewall:
          haproxy_ha.firewall
    """
    return _converge("firewall")


@_state
def firewall_absent(name):
    """
    No rule of ours is in the host's firewall; rules of others are left alone.

    .. code-block:: yaml

        haproxy_ha-clean-firewall:
          haproxy_ha.firewall_absent
    """
    return _converge("removed:firewall")


@_state
def cluster_membership(name, nodes, timeout=120):
    """
    All nodes are online in Pacemaker, which remembers no node that has left.

    nodes
        Names of the nodes (list of str). Another one is forgotten once it is offline, unless it is a remote node.
    timeout : ``120``
        How long to wait for them at most, in seconds (int). One that was there and whose machine does not answer is not
        waited for, and one whose cluster was stopped for ten seconds: see :func:`haproxy_ha.absent <haproxy_ha>`. 0:
        who is absent is named, and is no failure.

    .. code-block:: yaml

        haproxy_ha-cluster-membership:
          haproxy_ha.cluster_membership:
            - nodes: [primary, secondary]
            - timeout: 120
    """
    if __opts__["test"]:
        try:
            found = __salt__["haproxy_ha.absent"](nodes, timeout, __env__)
        except CommandExecutionError as exc:
            return _would(f"Would wait for {', '.join(nodes)}: {exc}")
        return _joined(nodes, found, timeout)
    found = __salt__["haproxy_ha.absent"](list(nodes), timeout, __env__, wait=True)
    ret = _joined(nodes, found, timeout)
    for node in ret["changes"]:
        __salt__["pacemaker.forget"](node)
    return ret


def _joined(nodes, found, timeout):
    """What a cluster is that somebody has waited for, or in a dry run what a live one would find."""
    changes = standing.departed(nodes, found["nodes"])
    if not found["missing"] and not (changes and __opts__["test"]):
        return _done(f"Online: {', '.join(nodes)}", changes)
    if not found["missing"]:
        return _would(f"Would forget {', '.join(changes)}", changes)
    if not timeout and found["absent"]:
        return _done("\n".join(["Nobody is waited for (haproxy_ha:cluster:expected_timeout: 0):", *found["absent"]]))
    if __opts__["test"] and found["seconds"]:
        return _would(f"Would wait, for {found['seconds']} s at most: {found['missing']}", changes)
    said = ["The cluster is not complete, and no wait would change that:" if not found["seconds"] else
            f"The cluster is not complete after {found['seconds']:.0f} s:", found["missing"], found["remedy"]]
    return {"result": False, "comment": "\n".join(filter(None, said)), "changes": {}}


@_state
def cluster_ready(name, timeout=120):
    """
    Nothing keeps the cluster's configuration from being committed: every node that is online has the agents, and
    nothing would be there twice.

    timeout : ``120``
        How long to wait for the runs on the other nodes to come as far, in seconds (int).

    .. code-block:: yaml

        haproxy_ha-cluster-ready:
          haproxy_ha.cluster_ready:
            - timeout: 120
    """
    if __opts__["test"] and not __salt__["pacemaker.running"]():
        return _done("The cluster does not run here yet")
    is_live = not __opts__["test"]
    found = __salt__["haproxy_ha.cluster_obstacles"](timeout if is_live else 0, __env__, ready=is_live)
    names = ", ".join(found["unready"])
    if found["twins"]:
        return {"result": False, "comment": "\n".join(["There would be two:", *found["twins"]])}
    if names and __opts__["test"]:
        return _would(f"Not known to have the agents yet: {names}. A live run would wait for the run there")
    if names:
        return {"result": False, "comment": standing.without_agents(names, timeout)}
    return _done("Every node that is online has the agents")


@_state
def passive(name, timeout=60):
    """
    This load balancer does not hold the floating IP: another one, which runs HAProxy, does.

    timeout : ``60``
        How long the move may take, in seconds (int).

    .. code-block:: yaml

        haproxy_ha-load-balancer-passive:
          haproxy_ha.passive
    """
    now, node = __salt__["haproxy_ha.status"](), __salt__["pacemaker.node_name"]()
    if node not in now["active"]:
        return _done(f"The floating IP is on {', '.join(now['active']) or 'no node'}")
    others = [other for other in now["haproxy"] if other != node]
    if not others:
        return {"result": False, "comment": f"No other node runs HAProxy: the floating IP stays on {node}"}
    changes = {"floating IP": {"old": node, "new": others[0]}}
    if __opts__["test"]:
        return _would(f"The floating IP would move to {others[0]}", changes)
    moved = __salt__["haproxy_ha.failover"](others[0], timeout)
    return _done(f"The floating IP is on {moved['new']}", {"floating IP": moved})


@_state
def verified(name, timeout=60):
    """
    The tiers work together: the probes of :func:`haproxy_ha.verify <haproxy_ha>` find what they should.

    timeout : ``60``
        How long to ask again while something is not as it should be, in seconds (int): machines that are set up at the
        same moment are not ready at the same moment.

    Where an operator keeps HAProxy from running here (standby, maintenance, a resource that is stopped or unmanaged),
    the comment says so and how it ends; what can be proven without it is, and that another load balancer serves. What
    will not change by itself is not waited for. A dry run makes no probe.

    .. code-block:: yaml

        haproxy_ha-verified:
          haproxy_ha.verified
    """
    if __opts__["test"]:
        return _done("\n".join(["The probes are made in a live run", *__salt__["haproxy_ha.off"](__env__)]))
    found = __salt__["haproxy_ha.verify"](timeout, __env__)
    if not found["result"]:
        return {"result": False, "comment": "\n".join(["Not so:", *found["failed"], *found["notes"]])}
    return _done("\n".join([f"{len(found['passed'])} probes found what they should", *found["notes"]]))
