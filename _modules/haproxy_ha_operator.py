"""
What operators call: how the pair stands and whether it works, the planned move of the address, what was here before as
pillar, new keys. These are functions of the module ``haproxy_ha``, whose other file has what states call.
"""

import base64
import secrets
from collections.abc import Callable
from typing import Any

from haproxy_ha_host import corosync, events, exported, nss, verification
from haproxy_ha_host import overview as host_overview
from haproxy_ha_host import traffic as host_traffic
from haproxy_ha_host.cluster import operate
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import overview as screen

__virtualname__ = "haproxy_ha"

# Salt's loader puts these here.
__context__: dict[str, Any]
__grains__: dict[str, Any]
__opts__: dict[str, Any]
__pillar__: dict[str, Any]
__salt__: dict[str, Callable[..., Any]]


def __virtual__():
    return __virtualname__


def _minion(saltenv=None):
    """This minion, as what is below the modules is told of it."""
    return Minion.of_module(__file__, __salt__, __opts__, __grains__, __pillar__, __context__, saltenv)


def generate_authkey():
    """
    Return a new authkey for pillar's ``haproxy_ha:cluster:authkey``: base64 of 256 random bytes, as many as
    corosync-keygen(8) makes. Raises CommandExecutionError without ``--local``: a master would keep it.

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.generate_authkey
    """
    _minion().refuse_to_tell_master("haproxy_ha.generate_authkey")
    return base64.b64encode(secrets.token_bytes(256)).decode()


def generate_quorum_certificates(cluster="haproxy_ha"):
    """
    Return new certificates for pillar's ``haproxy_ha:cluster:quorum_device``: ``{"helper_pem", "balancer_pem"}``, each
    with its private key, of an authority whose key is thrown away; they last 100 years. Needs openssl.

    cluster : ``"haproxy_ha"``
        Name of the cluster (str), pillar's ``haproxy_ha:cluster:name``: the helper expects it in the certificate.

    Raises CommandExecutionError without ``--local``: a master would keep the keys.

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.generate_quorum_certificates
    """
    _minion().refuse_to_tell_master("haproxy_ha.generate_quorum_certificates")
    return nss.generate_for_pillar(cluster)


def export_corosync(secrets=False):
    """
    Return the part of pillar that keeps what the corosync that runs here has and cannot change: the cluster's name and
    port, the id and address of each node. The rest of corosync.conf is the formula's, and is reloaded.

    secrets : ``False``
        True: the cluster's key too, in base64 (bool). Only with ``salt-call --local``: a master would keep it.

    Returns ``{"haproxy_ha": {"cluster": {...}, "load_balancers": {...}}}``. Raises CommandExecutionError where corosync
    does not run. Source: corosync-cmapctl, corosync.conf(5).

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.export_corosync --out=yaml
    """
    if secrets:
        _minion().refuse_to_tell_master("haproxy_ha.export_corosync secrets=True")
    return {"haproxy_ha": corosync.as_pillar(secrets)}


def export(path=None, secrets=False, daemon=None, saltenv=None):
    """
    Return the haproxy.cfg that is here, or nginx's files, as pillar. Rendered again they have the same sections and
    lines in the same order, comments too; nothing of the formula's is added to them.

    path : ``None``
        A file, or a directory of ``.cfg`` files of HAProxy or of files of nginx (str). Default: what the HAProxy that
        runs reads (``-f``); what nginx reads below its directory (``nginx -T``), less what packages have brought.
    secrets : ``False``
        True: secrets in lines too, in place of markers, which a run refuses (bool). Only with ``salt-call --local``.
    daemon : ``None``
        ``haproxy`` or ``nginx`` (str). Default: nginx for a path below its directory, and where no haproxy.cfg is.

    Where pillar has ``lookup:paths`` and ``lookup:services``, these say where the daemons' files are.

    Returns ``{"haproxy_ha": {daemon: {...}}, "notes": [text]}``; notes say what the first run changes, and what the
    formula does not know. Raises CommandExecutionError, with its number, for a line that pillar cannot have.

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.export --out=yaml
        salt-call --local haproxy_ha.export daemon=nginx --out=yaml
    """
    minion = _minion(saltenv)
    if secrets:
        minion.refuse_to_tell_master("haproxy_ha.export secrets=True")
    return exported.as_pillar(minion, path, secrets, daemon)


def verify(timeout=0, saltenv=None):
    """
    Make the tutorial's probes from this minion, and return what they found.

    timeout : ``0``
        How long to make them again while one does not find what it should, in seconds (int).

    On an app server: 127.0.0.1 and the public address refuse, and the private address turns this machine away. On a
    load balancer: 127.0.0.1, its public and private address refuse; the anchor IP answers; app servers answer on their
    private addresses and refuse on public ones; every server that is up gets its share of requests; no certificate has
    ended (within 30 days: a note); the floating IP's owner, Pacemaker's active node and a running HAProxy agree; the
    agents find nothing wrong; the address can come here; fencing would find each load balancer, with a token that may;
    with a quorum helper, all votes are there. On it, 127.0.0.1 alone refuses.

    Where an operator keeps HAProxy from running here (standby, maintenance), nothing is asked through it, the app
    servers are asked directly, and a note says so.

    Returns ``{"result": bool, "passed": [text], "failed": [text], "notes": [text]}``, one line for each probe.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.verify
    """
    return verification.verify(_minion(saltenv), timeout)


def off(saltenv=None):
    """
    Return why HAProxy does not run on this load balancer by the will of an operator: a list of texts, each with the
    way to end it; empty if it should run, or this is no load balancer.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.off
    """
    return verification.off(_minion(saltenv))


def overview(data=False):
    """
    Return one screen about this load balancer and its pair: who has the address and since when, nodes, HAProxy,
    servers, certificates that end within 30 days, what the API and fencing say, what the last run changed, what to do.
    It changes nothing; the API is asked.

    data : ``False``
        True: the same as data (bool): ``{"minion", "time", "version", "roles", "address", "cluster", "nodes", "since",
        "haproxy", "servers", "certificates", "certificate_ends", "api", "fencing", "changed", "written", "notes",
        "hindrances"}``. ``cluster`` is what :func:`status` returns, ``since`` is ``{resource: {node: seconds since
        1970}}``, ``certificate_ends`` is ``{file: seconds since 1970}`` of all that HAProxy uses, ``notes`` is what to
        look at, ``hindrances`` what of it is in the way of a move now.

    On an app server it has what is known there. Raises CommandExecutionError while something is wrong in pillar.

    CLI Example:

    .. code-block:: bash

        salt-call haproxy_ha.overview
    """
    found = host_overview.find(_minion())
    return found if data else screen.lay_out(found)


def metrics(path=None):
    """
    Return what an overview knows and no exporter tells, for Prometheus: what is to be looked at, in words, until when
    certificates count, and when that was asked. docs/monitoring.md has a schedule that calls it, and alerts.

    path : ``None``
        A file to write it to (str), such as one that Debian's prometheus-node-exporter reads, where all may read it;
        it is replaced in one step.

    Raises CommandExecutionError while something is wrong in pillar: the file stays as it was.

    CLI Example:

    .. code-block:: bash

        salt-call haproxy_ha.metrics
    """
    return host_overview.write_metrics(_minion(), path)


def status():
    """
    Return who is who in the cluster now, what operators have set, and what is wrong.

    Returns ``{"active", "addresses", "haproxy", "offline", "standby", "maintenance", "failures", "notes"}``, lists of
    nodes but for ``addresses`` and the last two: ``active`` are those that have a floating IP, ``addresses`` is
    ``{resource: nodes}`` (each has one, when all is well), ``haproxy`` those on which HAProxy runs; ``maintenance`` is
    ``[the cluster]`` if all of it is. ``failures`` is that of ``pacemaker.status``. ``notes`` are sentences: what is
    not as it should be, what operators have set, and what ends it. On a minion without a cluster all are empty, and a
    note says what it is.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.status
    """
    return operate.status(_minion())


def traffic(url, seconds=10, interval=0.02, verify=True):
    """
    Ask a URL at a steady rate, each time on a connection of its own, and return what each request got: what the drill
    is measured by (``salt-run state.orchestrate haproxy_ha.orchestrate.drill``). For any minion.

    url
        What to ask (str): ``http://`` or ``https://``, a host, a path.
    seconds : ``10``
        For how long (float), at most 600.
    interval : ``0.02``
        How often, in seconds (float), at least 0.005.
    verify : ``True``
        False: the certificate is not checked (bool).

    Returns ``{"samples": [[start, seconds, status]]}``: when each began in seconds since 1970, how long it took, and
    the status of the answer; 0 for none within a second. Raises SaltInvocationError for arguments that make no sense.

    CLI Example:

    .. code-block:: bash

        salt client haproxy_ha.traffic http://203.0.113.10/ seconds=5
    """
    return {"samples": [list(sample) for sample in host_traffic.record(url, seconds, interval, verify)]}


def failover(to=None, timeout=60, address=None):
    """
    Move the floating IP to another load balancer, and return when it is there; of several, all.

    to : ``None``
        The load balancer that shall have it (str); by default one that has not, and runs HAProxy. Required for several
        that are on different ones.
    timeout : ``60``
        How long the move may take, in seconds (int).
    address : ``None``
        Of several floating IPs the one that moves (str): its name in pillar's ``floating_ips``, or ``floating_ip``. By
        default all.

    HAProxy runs on: only requests that are under way while the address moves can be lost. Returns ``{"old": node,
    "new": node}``. Stands for ``crm resource move FloatIP <node>`` and ``crm resource clear FloatIP``: at the end
    nothing holds the address but stickiness. Raises CommandExecutionError, at once where the cluster will not move it.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.failover
    """
    return operate.failover(_minion(), to, timeout, address)


def spread(timeout=60, test=None):
    """
    Move each of several floating IPs to the load balancer that it prefers, and return when all are there: after a loss
    the survivor has them all, and none moves back by itself (pillar's ``haproxy_ha:cluster:spread``).

    timeout : ``60``
        How long the moves may take, in seconds (int).
    test : ``None``
        True: only tell what would move (bool); by default the minion's own option.

    HAProxy runs on everywhere: only requests that are under way while an address moves can be lost. Returns ``{name:
    {"old": node, "new": node}}``, empty where all are where they prefer to be. Raises CommandExecutionError if none
    prefers a load balancer, and at once where the cluster will not move one.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.spread
    """
    minion = _minion()
    return operate.spread(minion, timeout, bool(minion.opts.get("test") if test is None else test))


def send_events():
    """
    Send what the cluster has told on this node to the master's event bus, and return it (list of dicts with ``tag`` and
    ``data``). haproxy_ha-events.service calls it as soon as there is something, where pillar's
    ``haproxy_ha:cluster:events`` is true; docs/events.md has the events.

    Raises CommandExecutionError if the master does not take one, or Pacemaker does not run here: it is sent again then.

    CLI Example:

    .. code-block:: bash

        salt-call haproxy_ha.send_events
    """
    return events.send(_minion())
