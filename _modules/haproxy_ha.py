"""
The machines of a highly available HAProxy pair and its app servers: what each should be, and whether it is.

What is decided about them is in the package ``haproxy_ha_lib``; commands, sockets and files are touched by the package
``haproxy_ha_host``, for this module. :mod:`pacemaker` has the cluster, :mod:`digitalocean` the floating IP.

Most functions take the same last parameter:

saltenv : ``None``
    The environment whose defaults and templates are read (str); the minion's own, else ``base``. Where one is named, as
    in the states, the pillar is that at hand, which is a run's own; without one, as people call, it is read anew: no
    ``saltutil.refresh_pillar`` is needed.
"""

import functools
from collections.abc import Callable
from typing import Any

import saltext.pacemaker
from haproxy_ha_host import preflight as host_preflight
from haproxy_ha_host import rendering
from haproxy_ha_host.cluster import membership
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import firewall as parts_firewall
from haproxy_ha_host.parts import former, packages, removal, table

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


def settings(saltenv=None):
    """
    Return what this minion should be: defaults, pillar, metadata and mine, merged and checked.

    Returns a dict with ``roles`` (none while something is wrong or missing), ``errors`` (texts that name the pillar
    path; all of them), and the settings of each tier, without secrets. Within a run it is made once.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.settings
    """
    return _minion(saltenv).public_settings()


def rendered(saltenv=None, preflighted=True):
    """
    Return the settings that the SLS files of a run are rendered from: made once for all of them, however long that
    takes. For SLS files; :func:`settings` is for everybody else.

    preflighted : ``True``
        False: do not ask :func:`preflight`.

    Returns what :func:`settings` returns, without roles where preflight finds something, and ``problems``, what it
    found; ``missing``, the formula's modules that are not here and what :func:`stale` returns; ``seen``, by which
    ``haproxy_ha.settings_valid`` tells whether that is still true; ``time_service``: ``{"unit", "packages"}``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.rendered
    """
    minion = _minion(saltenv)
    return rendering.settings(minion, functools.partial(preflight, saltenv) if preflighted else None)


def version():
    """
    Return the formula's version (str), which FORMULA and the extensions have too.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.version
    """
    return saltext.pacemaker.__version__


def stale(saltenv=None):
    """
    Return which of the formula's modules on this minion are not those that belong to its states: a list of files, empty
    once they are synced (``saltutil.sync_all``). By the file ``haproxy_ha/modules.sha256`` of the states.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.stale
    """
    return _minion(saltenv).stale()


def roles(saltenv=None):
    """
    Return the roles that pillar gives this minion: a list of ``load_balancer``, ``app_server`` and ``quorum_helper``,
    empty where pillar has nothing for it.

    Raises CommandExecutionError with all errors while something is wrong in pillar or modules are missing.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.roles
    """
    return _minion(saltenv).roles()


def addresses():
    """
    Return this machine's own addresses, by its metadata service: ``private_ip``, ``anchor_ip``, ``public_ip`` (str);
    and where nginx is, ``nginx_requests`` (int): how many it takes at the same time. As a mine function, with it
    machines tell each other (``mine: true`` in pillar):

    .. code-block:: yaml

        mine_functions:
          haproxy_ha.addresses: []

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.addresses
    """
    return _minion().addresses()


def preflight(saltenv=None, max_age=0):
    """
    Return what is certain to stop a run on this minion, before it touches anything: a list of texts, empty when nothing
    is.

    A load balancer that pillar no longer names and that runs in the cluster, or has another role now; a port that
    another program holds; a floating IP that the API does not know or would never assign to this droplet, a token that
    it refuses, an API that does not answer, unless the same address, token and URL worked before; with fencing through
    the API, a load balancer that is not one droplet of the token's, or a token that may not switch droplets.

    max_age : ``0``
        How old the answer may be, in seconds (float), if it was given while the SLS files of this run were rendered.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.preflight
    """
    minion = _minion(saltenv)
    known = rendering.problems(minion, max_age)
    return host_preflight.find_problems(minion, left_over(saltenv)) if known is None else known


def preflight_notes(saltenv=None, remember=False):
    """
    Return what a person should know before the first run with a floating IP: a list of texts, empty once that has
    worked. The address is of a droplet that is no load balancer, from which the cluster will take it; it has a pending
    action; whether the token may power droplets off, for fencing, is unknown.

    remember : ``False``
        True, as ``haproxy_ha.preflight`` does: remember that the API knows the floating IP with the present settings.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.preflight_notes
    """
    return host_preflight.find_notes(_minion(saltenv), remember)


def absent(nodes, timeout=120, saltenv=None, wait=False):
    """
    Return who of the load balancers is not in the cluster.

    nodes
        Names of the nodes that should be there (list of str).
    timeout : ``120``
        How long somebody would wait for them, in seconds (int).
    wait : ``False``
        True: wait for them, as long as it makes sense; what for is said every few seconds, in the log and as an event.

    Returns ``{"missing": text, "absent": [text], "remedy": text, "seconds": int, "nodes": {...}}``: ``missing`` is all
    that the cluster lacks, empty when it is complete; ``absent`` says of each node what is known of it; ``seconds`` is
    how long it makes sense to wait: not for one that does not answer, ``timeout`` for one that may be joining.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.absent '[primary, secondary]'
    """
    find = membership.join if wait else membership.absent
    return find(_minion(saltenv), nodes, timeout)


def cluster_obstacles(timeout=0, saltenv=None, ready=False):
    """
    Return what keeps the cluster's configuration from being committed now: ``{"twins": [text], "unready": [node]}``.

    timeout : ``0``
        How long to wait for nodes that are not ready, in seconds (int); who is waited for is said at once.
    ready : ``False``
        True: tell the cluster first that this node has the agents and what they need, where it cannot know that.

    ``twins`` are a HAProxy or the floating IP that the cluster has under another name. ``unready`` are nodes that are
    online and not known to have the agents.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.cluster_obstacles
    """
    return membership.find_obstacles(_minion(saltenv), timeout, ready)


# Parts of this machine


def plan(part, saltenv=None):
    """
    Return what :func:`apply` would do about a part of this machine. Writes nothing.

    part
        Its name (str):

        - ``files:haproxy``, ``files:nginx``, ``files:corosync``: the files that a daemon reads, as one set: checked by
          the daemon, in a plan too; renamed into place; taken by it if it runs, else put back.
        - ``page``: the page of an app server.
        - ``repository``: where HAProxy's packages come from.
        - ``upgrades``: how packages are upgraded.
        - ``agents``: the resource agents and the fence agent, all that they consist of in one step.
        - ``secret:api_token``, ``secret:authkey``: files with what pillar keeps secret, for root alone.
        - ``certificates:helper``, ``certificates:balancer``: those of the quorum helper, and of its clients.
        - ``leftovers``: what killed runs left is gone: paths, holds on services, marks of a planned failover.
        - ``firewall``: the rules of the settings, and no rule of ours beyond them; rules of others stay.
        - ``running:<service>``, ``restarted:<service>``, ``dead:<service>``: a service that runs, now and after a boot,
          is restarted, or does not run.
        - ``disabled:<service>``: one that the cluster starts, and neither a boot nor an upgrade of its package.
        - ``removed:cluster``, ``removed:load_balancer``, ``removed:app_server``, ``removed:quorum_helper``,
          ``removed:events``, ``removed:monitoring``, ``removed:memory``, ``removed:copies``, ``removed:former_token``,
          ``removed:nginx``, ``removed:firewall``: what :func:`remains` names is gone, packages too, and a copy of its
          configuration is kept; our rules are gone.

    Returns ``{"changes": {thing: {"old", "new"}}, "refusal", "unknown", "notes", "kept", "comment"}``: ``changes`` is
    empty where all is as it should be; ``refusal`` is why it cannot be made so (str or None); ``unknown`` is
    why only a live run can tell (str or None); ``notes`` are texts for people; ``kept`` is the directory with copies of
    what was there before (str or None, in a plan None); ``comment`` is a sentence. Secrets are hidden.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.plan files:haproxy
    """
    return table.find(part, _minion(saltenv)).plan().data()


def apply(part, saltenv=None):
    """
    Make a part of this machine what the settings say; the exit code tells whether it is.

    part
        Its name, as in :func:`plan` (str). What it is made of comes from pillar and from the formula's files.

    Returns what :func:`plan` does. What somebody else wrote is copied first. One run waits for another, for two minutes
    at most. Raises CommandExecutionError with what was in the way; what was there before is then there again.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.apply files:haproxy
    """
    return _made(table.apply(part, _minion(saltenv)))


def _made(outcome):
    """An outcome as Salt returns it; one that is refused is a failure for whoever called."""
    if outcome.refusal:
        __context__["retcode"] = 1
    return outcome.data()


def install_packages(pkgs, units=(), saltenv=None, test=False):
    """
    Install packages without having their services started, as Debian's packages do; return what :func:`apply` does.

    pkgs
        Names of packages (list of str); of several with `` | `` between them the first that is installed, else that can
        be.
    units : ``()``
        Services to hold meanwhile (list of str, without ``.service``); one that runs is left alone.
    test : ``False``
        True: return what would be done, as :func:`plan` does.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.install_packages '["resource-agents | resource-agents-base"]'
    """
    wanted = packages.Packages(_minion(saltenv), tuple(pkgs), tuple(units))
    return wanted.plan().data() if test else _made(wanted.apply())


def daemon_files(daemon, saltenv=None):
    """
    Return the files that a daemon of this minion should read, rendered.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).

    Returns ``{path: {"content", "mode", "user", "group"} or {"link"} or None}``; None: nothing may be there. No secret.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.daemon_files haproxy
    """
    return table.files_of(daemon, _minion(saltenv)).shown()


def apply_files(daemon, saltenv=None):
    """
    Install a daemon's files as one set: :func:`apply` of ``files:<daemon>``.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.apply_files haproxy
    """
    return apply(f"files:{daemon}", saltenv)


def firewall(wanted=True, saltenv=None):
    """
    Return which of our rules the host's firewall lacks, and which should no longer be there, in pillar's or another.

    wanted : ``True``
        False: none should be there.

    Returns ``{"add": [text], "remove": [text], "active": bool}``; ``active``: the rules count now.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.firewall
    """
    return parts_firewall.Firewall(_minion(saltenv), wanted).rules()


def left_over(saltenv=None):
    """
    Return which parts of the formula are on this machine though pillar does not give them to it: a list of
    ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper`` and, without a role, ``memory``.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.left_over
    """
    return removal.left_over(_minion(saltenv))


def remains(part, saltenv=None):
    """
    Return what of a part is on this machine, for :func:`remove`.

    part
        ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper``, ``events``, ``monitoring`` or ``memory``
        (what the formula has kept in mind about the machine, but for copies of what was there before): what this
        formula has put there, known by its own files, whatever pillar says now; or ``nginx``: any nginx (str).

    Returns ``{"packages", "units", "kept", "deleted", "taken", "changes"}``, empty when nothing is there: packages to
    purge, services to stop, directories of which a copy is kept, paths to delete, paths that an nginx with other sites
    has to do without, and all of that as changes.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remains cluster
    """
    return removal.remains(part, _minion(saltenv))


def remove(part, saltenv=None):
    """
    Take a part away that :func:`remains` found: services stopped, a copy of the configuration kept, packages purged.
    It is :func:`apply` of ``removed:<part>``.

    part
        ``cluster``, which first moves the floating IP to another load balancer, if there is one; ``load_balancer``,
        ``app_server``, ``quorum_helper``, ``events``, ``monitoring``, ``memory`` or ``nginx`` (str).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remove cluster
    """
    return apply(f"removed:{part}", saltenv)


globals().update(former.names(plan, apply))
