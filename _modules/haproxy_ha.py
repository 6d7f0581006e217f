"""
The machines of a highly available HAProxy pair and its app servers: what each should be, and whether it is.

What is decided about them is in the package ``haproxy_ha_lib``; commands, sockets and files are touched by the package
``haproxy_ha_host``, for this module. :mod:`pacemaker` has the cluster, :mod:`digitalocean` the floating IP.
"""

import base64
import dataclasses
import functools
import importlib
import inspect
import logging
import os
import re
import secrets

import requests
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import (
    agents,
    apt,
    corosync,
    daemons,
    files,
    leftovers,
    lock,
    nss,
    provider,
    rendering,
    system,
    verdicts,
    verification,
)
from haproxy_ha_host import firewall as host_firewall
from haproxy_ha_host import preflight as host_preflight
from haproxy_ha_host.cluster import membership, operate
from haproxy_ha_host.haproxy import pool, runtime
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import agents as lib_agents
from haproxy_ha_lib import listeners, values
from haproxy_ha_lib import nginx as nginx_conf
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.files.entry import FileEntry
from haproxy_ha_lib.settings import minion as lib_minion

log = logging.getLogger(__name__)

__virtualname__ = "haproxy_ha"

_QNETD = "corosync-qnetd"
_CLOCK_UNITS = ("chrony", "chronyd", "systemd-timesyncd", "ntpsec", "ntp", "ntpd", "openntpd")


def __virtual__():
    return __virtualname__


def _minion(saltenv=None):
    """This minion, as what is below the modules is told of it."""
    # A run's pillar is another object than that of the run before.
    pillar = getattr(__pillar__, "value", lambda: __pillar__)()
    modules = os.path.dirname(os.path.abspath(__file__))
    return Minion(__salt__, __opts__, __grains__, pillar, __context__, modules, saltenv)


# Settings


def settings(saltenv=None):
    """
    Return what this minion should be: defaults, pillar, metadata and mine, merged and checked.

    saltenv : ``None``
        The environment whose defaults are read (str); the minion's own, else ``base``. Where one is named, as in the
        states, the pillar is that at hand, which is a run's own; without one, as people call, it is read anew: no
        ``saltutil.refresh_pillar`` is needed. So do all functions of this module.

    Returns a dict with ``roles`` (none while something is wrong or missing), ``errors`` (texts that name the
    pillar path; all of them), and the settings of each tier. No secret is in it, and passwords in raw lines are hidden.
    Within a run it is made once for the same pillar.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.settings
    """
    return _minion(saltenv).shown_settings()


def rendered(saltenv=None, preflighted=True):
    """
    Return the settings that the SLS files of a run are rendered from: made once for all of them, however long that
    takes. For SLS files; :func:`settings` is for everybody else.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.
    preflighted : ``True``
        False: do not ask :func:`preflight`.

    Returns what :func:`settings` returns, without roles where preflight finds something, and ``problems``, what it
    found; ``missing``, the formula's modules that are not here and what :func:`stale` returns; ``seen``, with which
    the state ``haproxy_ha.settings_valid`` tells whether what was rendered is still true when it runs: ``{"roles",
    "errors", "digests"}``; ``time_service``, what keeps the clock: ``{"unit", "packages"}``, with those to install.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.rendered
    """
    minion = _minion(saltenv)
    return rendering.settings(minion, functools.partial(preflight, saltenv) if preflighted else None)


def _valid_settings(saltenv=None):
    return _minion(saltenv).valid_settings()


def _readable_settings(saltenv=None):
    return _minion(saltenv).readable_settings()


def _environment(saltenv):
    return _minion(saltenv).environment


def _formula_text(name, saltenv):
    return _minion(saltenv).formula_text(name)


def _file_server_text(source, saltenv):
    return _minion(saltenv).file_server_text(source)


def stale(saltenv=None):
    """
    Return which of the formula's modules on this minion are not those that belong to its states: a list of files, empty
    once they are synced (``saltutil.sync_all``). By the file ``haproxy_ha/modules.sha256`` of the states: one look-up,
    whatever the number of modules.

    saltenv : ``None``
        The environment of the states (str); the minion's own, else ``base``.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.stale
    """
    return _minion(saltenv).stale()


def roles(saltenv=None):
    """
    Return the roles that pillar gives this minion: a list of ``load_balancer``, ``app_server`` and ``quorum_helper``,
    empty where pillar has nothing for it.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    Raises CommandExecutionError with all errors while something is wrong in pillar or modules are missing.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.roles
    """
    return _minion(saltenv).roles()


def addresses():
    """
    Return this machine's own addresses, by its metadata service: ``private_ip``, ``anchor_ip``, ``public_ip``.

    The mine function with which machines tell each other their addresses (``mine: true`` in pillar):

    .. code-block:: yaml

        mine_functions:
          haproxy_ha.addresses: []

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.addresses
    """
    return _minion().addresses()


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
    with its private key. Both are signed by an authority of their own whose key is thrown away, and last 100 years, as
    those of corosync-qnetd-certutil(8). Needs openssl.

    cluster : ``"haproxy_ha"``
        Name of the cluster (str), pillar's ``haproxy_ha:cluster:name``: the helper expects it in the certificate.

    Raises CommandExecutionError without ``--local``: a master would keep the keys.

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.generate_quorum_certificates
    """
    _minion().refuse_to_tell_master("haproxy_ha.generate_quorum_certificates")
    try:
        helper, balancer = nss.generate(values.cluster_name(cluster))
    except values.Invalid as exc:
        raise SaltInvocationError(f"cluster: found {cluster!r}, allowed: {exc}") from None
    return {"helper_pem": helper, "balancer_pem": balancer}


# Before anything is touched


def preflight(saltenv=None, max_age=0):
    """
    Return what is certain to stop a run on this minion, before it touches anything: a list of texts, empty when nothing
    is.

    A load balancer that pillar no longer names and that runs in the cluster, or was one and has another role now; a
    port that another program holds; a floating IP that the API does not know or would never assign to this droplet (of
    another region, or the droplet holds another one), a token that it refuses, an API that does not answer; with
    fencing through the API, a load balancer that is not one droplet of the token's, or a token that may not switch
    droplets. An API that cannot be reached is no error where the same address, token and URL worked before: an outage
    of the provider must not keep anybody from changing HAProxy's configuration.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.
    max_age : ``0``
        How old the answer may be, in seconds (float), if it was given while the SLS files of this run were rendered.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.preflight
    """
    minion = _minion(saltenv)
    known = rendering.problems(minion, max_age)
    if known is not None:
        return known
    return host_preflight.find_problems(minion, left_over(saltenv))


def preflight_notes(saltenv=None, remember=False):
    """
    Return what a person should know before the first run with a floating IP: a list of texts, empty once that has
    worked.

    The address belongs to a droplet that is none of the load balancers, from which the cluster will take it; it has a
    pending action; whether the token may power droplets off, for fencing, is unknown.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.
    remember : ``False``
        True, as the state ``haproxy_ha.preflight`` does once nothing stands in the way: remember that the API knows the
        floating IP with the present settings.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.preflight_notes
    """
    return host_preflight.find_notes(_minion(saltenv), remember)


# Files


def _filled(entries, saltenv):
    """A set of haproxy_ha_lib.files.layout with the text of each file."""

    def template(name):
        return _formula_text(f"files/{name}", _environment(saltenv))

    return {path: entry and layout.filled(entry, template, _source) for path, entry in entries.items()}


def _source(path):
    """The text of a file of this machine that is part of another one."""
    found = files.read(os.path.realpath(path))
    if found is None:
        raise _Absent(f"{path} is not on this machine")
    if values.is_encrypted(found.content):
        raise CommandExecutionError(f"{path}: found a private key with a passphrase, allowed: {values.NOT_ENCRYPTED}")
    return found.content.rstrip("\n") + "\n"


class _Absent(CommandExecutionError):
    """A file that a set is made from is not there (yet)."""


def _files_of(daemon, ours, saltenv):
    secrets = _minion(saltenv).secrets()
    sets = layout.daemon_files(ours, secrets, own_log_format=not _log_format_elsewhere(ours["paths"]))
    if daemon not in sets:
        raise SaltInvocationError(f"daemon: found {daemon!r}, allowed: {', '.join(sets)}")
    wanted = _filled(sets[daemon], saltenv)
    return _left_over(wanted, ours) | wanted if daemon == "haproxy" else wanted


def _left_over(wanted, ours):
    """The certificates that an earlier run has installed and pillar no longer names; what others put there stays."""
    directory = ours["paths"]["haproxy_certificates"]
    known = sorted(daemons.installed_before(_daemon("haproxy", ours)))
    return {path: None for path in known if os.path.dirname(path) == directory and path not in wanted}


def _log_format_elsewhere(paths):
    """Whether people's own nginx configuration has the log format, as a server that was built by hand after the
    tutorial has it."""
    own = paths["nginx_http"]
    included = [f"{paths['nginx_dir']}/nginx.conf", *_others(os.path.dirname(own), own)]
    return any(nginx_conf.defines_log_format(files.text(path) or "") for path in included)


def _others(directory, *ours):
    """What is in a directory that a daemon reads, but for our own files and those that it does not read."""
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    found = [os.path.join(directory, name) for name in names if not name.startswith(".")]
    return [path for path in found if path not in ours]


def daemon_files(daemon, saltenv=None):
    """
    Return the files that a daemon of this minion should read, rendered.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{path: {"content", "mode", "user", "group"} or {"link"} or None}``; None: nothing may be there. Secrets
    and passwords are hidden in it.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.daemon_files haproxy
    """
    wanted = _files_of(daemon, _valid_settings(saltenv), saltenv)
    return {path: fileset.shown(entry) for path, entry in wanted.items()}


def _daemon(name, ours):
    """A daemon as haproxy_ha_host.daemons knows it."""
    paths = ours["paths"]
    root, check = {
        "haproxy": (paths["haproxy_dir"], ("-c", "-f", paths["haproxy_cfg"])),
        "nginx": (paths["nginx_dir"], ("-t", "-c", os.path.join(paths["nginx_dir"], "nginx.conf"))),
        "corosync": (os.path.dirname(paths["corosync_conf"]), ("-t", "-c", paths["corosync_conf"])),
    }[name]
    servers, agent = (_pool(ours), verdicts.agent_of(standing.HAPROXY, ours)) if name == "haproxy" else (None, None)
    return daemons.Daemon(name, ours["services"][name], root, check, listeners.of(name, ours), servers, agent)


def _pool(ours):
    paths, haproxy = ours["paths"], ours["haproxy"]
    states = paths["haproxy_server_states"] if haproxy["keep_server_states"] else None
    return pool.Pool(_haproxy(ours), states, haproxy["drain_timeout"])


def _haproxy(ours):
    return runtime.HAProxy(ours["services"]["haproxy"], ours["paths"]["haproxy_cfg"])


def plan_files(daemon, saltenv=None):
    """
    Return what :func:`apply_files` would do, and what the daemon says to it. Writes nothing.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{"changes": {path: {"old", "new"}}, "refusal", "unknown", "unfinished", "warning", "returned"}``:
    ``refusal`` is the daemon's own message to the new set (str or None); ``unknown`` says why it could not be asked
    (str or None); ``unfinished`` (bool) tells that a run was killed between installing a set and the daemon taking it;
    ``warning`` says what HAProxy's control sockets do not allow to do for its servers (str, empty if nothing);
    ``returned`` are changes too: the servers that a run which was killed had drained, and that are put back.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.plan_files haproxy
    """
    ours = _valid_settings(saltenv)
    with lock.alone(f"haproxy_ha.plan_files {daemon}"):
        return _planned_files(daemon, ours, saltenv)


def _planned_files(daemon, ours, saltenv):
    try:
        wanted = _files_of(daemon, ours, saltenv)
    except _Absent as exc:  # another state may put it there
        unknown = f"{exc}: a live run fails unless another state has put it there before"
        return {"changes": {}, "unfinished": False, "refusal": None, "unknown": unknown, "warning": "", "returned": {}}
    target = _daemon(daemon, ours)
    plan = _plan_files(target, wanted, ours)
    if target.servers and system.running(target.unit):
        plan["warning"] = pool.warning(target.servers, wanted) if plan["changes"] else ""
        plan["returned"] = _returned(pool.left_drained(target.servers))
    return plan


def _plan_files(daemon, wanted, ours):
    plan = {
        "changes": fileset.differences(_present(wanted, ours), wanted),
        "unfinished": daemons.unfinished(daemon),
        "refusal": None,
        "unknown": None,
        "warning": "",
        "returned": {},
    }
    if plan["changes"] or plan["unfinished"]:
        if daemons.installed(daemon):
            plan["refusal"] = daemons.refusal(daemon, {**wanted, **_seen_too(daemon, ours)})
        else:
            plan["unknown"] = f"{daemon.name} is not installed yet; it will check these files before they are installed"
    return plan


def _returned(servers):
    return {f"{backend}/{server}": {"old": "drained", "new": "ready"} for backend, server in servers}


def _present(wanted, ours):
    return fileset.secret_below(ours["paths"]["haproxy_certificates"], files.snapshot(wanted))


def _seen_too(daemon, ours):
    """What the daemon reads when it checks its files, though another state installs it."""
    return {ours["paths"]["corosync_authkey"]: FileEntry("0" * 256)} if daemon.name == "corosync" else {}


def apply_files(daemon, saltenv=None):
    """
    Install a daemon's files as one set: checked by the daemon, renamed into place, taken by the daemon if it runs, and
    taken back together if it does not take them.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{"changes": {path: {"old", "new"}}, "done": text, "kept": directory or None}``: what somebody else wrote
    is copied first. One process at a time does so; another one waits for it, for two minutes at most. Raises
    CommandExecutionError with the daemon's own message if it refuses the set (what was there before is then there
    again), or with who is at work for longer.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.apply_files haproxy
    """
    ours = _valid_settings(saltenv)
    with lock.alone(f"haproxy_ha.apply_files {daemon}"):
        return _apply_files(daemon, ours, saltenv)


def _apply_files(daemon, ours, saltenv):
    wanted, target = _files_of(daemon, ours, saltenv), _daemon(daemon, ours)
    returned = _returned(pool.take_back(target.servers)) if target.servers else {}
    plan = _plan_files(target, wanted, ours)
    if plan["refusal"]:
        raise CommandExecutionError(f"{plan['refusal']}\nNo file of {daemon} was changed.")
    if plan["unknown"]:
        raise CommandExecutionError(f"{daemon} is not installed")
    if not plan["changes"] and not plan["unfinished"]:
        return {"changes": returned, "done": "", "kept": None}
    kept = _keep(daemon, plan["changes"], fileset.foreign)
    done = daemons.install(target, wanted)
    changes = plan["changes"] or {daemon: {"old": "not taken", "new": "taken"}}
    return {"changes": {**changes, **returned}, "done": done, "kept": kept}


def export_corosync(secrets=False):
    """
    Return the part of pillar that keeps what the corosync that runs here has: the cluster's name and port, the id and
    address of each node. A running corosync can change none of them; a cluster that was built by hand goes on with
    this in pillar. The rest of corosync.conf is the formula's, and what it changes is reloaded.

    secrets : ``False``
        True: the cluster's key too, in base64 (bool). Only with ``salt-call --local``: a master would keep it.

    Returns ``{"haproxy_ha": {"cluster": {...}, "load_balancers": {...}}}``. Raises CommandExecutionError where corosync
    does not run. Source: corosync-cmapctl, corosync.conf(5).

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.export_corosync --out=yaml
    """
    kept = corosync.as_pillar()
    if secrets:
        _minion().refuse_to_tell_master("haproxy_ha.export_corosync secrets=True")
        kept["cluster"]["authkey"] = corosync.key()
    return {"haproxy_ha": kept}


def _keep(what, paths, worth):
    """Copy those of the paths whose entry is worth it; returns where to, or None."""
    return files.keep_copies(what, [path for path, entry in files.snapshot(paths).items() if worth(entry)])


def page(saltenv=None):
    """
    Return the page of this app server: ``{path: entry}`` as :func:`daemon_files`; empty where it is off. It names the
    host as the metadata service does, by its minion id where there is no such service.

    saltenv : ``None``
        The environment whose template is used (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.page
    """
    ours = _valid_settings(saltenv)
    return _filled(layout.page(ours, _droplet_name(ours)), saltenv)


def _droplet_name(ours):
    """What the metadata service calls this machine; None where there is no such service."""
    api = _minion().api(ours)
    try:
        return api and api.hostname()
    except CommandExecutionError as exc:
        log.info("haproxy_ha: the page names the minion id: %s", exc)
        return None


def repository(saltenv=None):
    """
    Return the files of the package repository that HAProxy comes from: ``{path: entry}`` as :func:`daemon_files`; empty
    where pillar names none.

    The key of ``key_url`` is fetched once: the file that is there stays.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.repository
    """
    ours = _valid_settings(saltenv)
    wanted, paths = ours["haproxy"]["repository"], ours["paths"]
    if not wanted:
        return {}
    entries = {}
    option = "trusted=yes" if wanted["trusted"] else f"signed-by={paths['apt_keyring']}"
    if not wanted["trusted"]:
        key = wanted["key"] or files.text(paths["apt_keyring"]) or _fetch(wanted["key_url"])
        entries[paths["apt_keyring"]] = FileEntry(key.rstrip() + "\n", mode="0644")
    line = f"deb [{option}] {wanted['uri']} {wanted['suite']} {' '.join(wanted['components'])}".rstrip()
    entries[paths["apt_sources"]] = FileEntry(f"# {fileset.MARK}.\n{line}\n", mode="0644")
    return entries


def upgrades(saltenv=None):
    """
    Return the files that have packages upgraded on one machine of a tier after the other: ``{path: entry}`` as
    :func:`daemon_files`; each is None where pillar wants none of it (``haproxy_ha:upgrades``).

    A file of somebody else's that is in the place of one of them is left out, and so left alone.

    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.upgrades
    """
    entries = _filled(layout.upgrades(_valid_settings(saltenv)), saltenv)
    return {path: entry for path, entry in entries.items() if not fileset.foreign(files.read(path))}


def install_upgrades(saltenv=None):
    """
    Install what :func:`upgrades` returns, have systemd read it, and return what changed.

    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.install_upgrades
    """
    entries = upgrades(saltenv)
    changes = install_entries(entries)
    ours = _valid_settings(saltenv)
    drop_in = ours["paths"]["apt_upgrade_drop_in"]
    # A directory of drop-ins that is new is unknown to systemd: it does not even say that it should read it.
    if system.systemd() and (changes or _is_read(drop_in, ours) != bool(entries.get(drop_in))):
        system.systemctl("daemon-reload")
    return changes


def _is_read(drop_in, ours):
    """Whether systemd has read a drop-in of apt's daily upgrade."""
    return drop_in in system.unit_property(ours["services"]["upgrades"], "DropInPaths").split()


def _fetch(url):
    try:
        answer = requests.get(url, timeout=20)
        answer.raise_for_status()
    except requests.RequestException as exc:
        raise CommandExecutionError(f"haproxy_ha:haproxy:repository:key_url: {exc}") from None
    return answer.text


def plan_entries(entries):
    """
    Return what :func:`install_entries` would change: ``{path: {"old", "new"}}``, secrets hidden.

    entries
        ``{path: entry}`` as :func:`daemon_files` returns it (dict); an entry with ``secret: true`` is never shown.

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.plan_entries '{"/tmp/x": null}'
    """
    return fileset.differences(files.snapshot(entries), entries)


def install_page(saltenv=None):
    """
    Install the page of this app server; a page that is not the tutorial's is copied first.

    saltenv : ``None``
        The environment whose template is used (str); see :func:`settings`.

    Returns ``{"changes": {path: {"old", "new"}}, "kept": directory or None}``.

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.install_page
    """
    entries = page(saltenv)
    kept = _keep("page", plan_entries(entries), _own_page)
    return {"changes": install_entries(entries), "kept": kept}


def _own_page(entry):
    """Whether somebody else's page is there."""
    return fileset.foreign(entry) and not nginx_conf.is_page(entry.content)


def install_entries(entries, directory_mode="0755"):
    """
    Make each path what its entry says, in one step each, and return what changed.

    entries
        As in :func:`plan_entries` (dict).
    directory_mode : ``0755``
        Mode of a directory that has to be made (str).

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.install_entries '{"/tmp/x": null}'
    """
    changes = plan_entries(entries)
    files.install(entries, int(directory_mode, 8))
    return changes


# The agents


def plan_agents(saltenv=None):
    """
    Return what :func:`install_agents` would change: ``{path: {"old", "new"}}``, in which a file is its mode and the
    beginning of its SHA-256. Writes nothing.

    saltenv : ``None``
        The environment whose files are used (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.plan_agents
    """
    return agents.plan(*_agents(saltenv))


def install_agents(saltenv=None):
    """
    Make the resource agents and the fence agent those of the file server, all that they consist of in one step; return
    what changed.

    saltenv : ``None``
        The environment whose files are used (str); see :func:`settings`.

    Each version has a directory of its own (``/usr/lib/haproxy_ha/agents/<digest>``), and the provider's directory is a
    link to it. The version of before stays for an hour at least, for actions that have begun. Raises
    CommandExecutionError, with nothing changed, if an agent does not run.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.install_agents
    """
    with lock.alone("haproxy_ha.install_agents"):
        return agents.install(*_agents(saltenv))


def _agents(saltenv):
    """Where the agents are, and their version on the file server."""
    paths = _valid_settings(saltenv)["paths"]
    place = agents.Place(paths["agents_dir"], paths["agents_versions"], os.path.dirname(paths["fence_agent"]))
    return place, lib_agents.version(_agent_sources(_environment(saltenv)))


def _agent_sources(saltenv):
    """The text of each file of the agents, by its name."""
    listing = __salt__["cp.list_master"](saltenv, lib_agents.FOLDER)
    sources = {name: _formula_text(f"files/agents/{name}", saltenv) for name in lib_agents.names(listing)}
    sources.update(_shared_sources(saltenv))
    lacking = lib_agents.absent(sources)
    if lacking:
        who = ", ".join(f"{module}.py, which {' and '.join(by)} needs" for module, by in lacking.items())
        raise CommandExecutionError(f"salt://{lib_agents.FOLDER} has no {who}; new files are listed after 20 s")
    return sources


def _shared_sources(saltenv):
    """Of the same file server where it has them, so that they fit; an extension brings them with its modules."""
    is_served = set(lib_agents.SHARED) <= set(__salt__["cp.list_master"](saltenv, "_utils"))
    return {
        lib_agents.shared_name(path): _file_server_text(f"salt://{path}", saltenv) if is_served else _module_text(path)
        for path in lib_agents.SHARED
    }


def _module_text(path):
    return inspect.getsource(importlib.import_module(lib_agents.shared_module(path)))


# Packages


def choose_packages(pkgs, saltenv=None):
    """
    Return which packages are to be installed on this machine: ``{"missing": [name], "lacking": [entry]}``. ``lacking``
    are those that apt does not know.

    pkgs
        Names of packages (list of str), or several names with `` | `` between them, of which the first that is
        installed, else the first that apt can install, is the right one.
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.choose_packages '["resource-agents | resource-agents-base"]'
    """
    installed = __salt__["pkg.list_pkgs"]()
    names = {name for entry in pkgs for name in entry.split(" | ")}
    absent = sorted(names.difference(installed))
    known = apt.candidates(absent) if absent and not _repository_is_new(saltenv) else None
    wanted, lacking = lib_minion.chosen(pkgs, installed, known)
    return {"missing": [name for name in wanted if name not in installed], "lacking": lacking}


def _repository_is_new(saltenv):
    """Whether apt does not know the repository of pillar yet, and hence not its packages."""
    ours = _minion(saltenv).settings()
    return bool(ours and ours.haproxy["repository"]) and not os.path.exists(ours.paths["apt_sources"])


def hold_units(units):
    """
    Keep services from being started, until :func:`release_units` or the next boot; return them. One that runs is left
    alone.

    units
        Names of services (list of str).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.hold_units '[haproxy]'
    """
    return system.hold(units)


def release_units():
    """
    Let services be started again that :func:`hold_units` held, also in a run that was killed; return them.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.release_units
    """
    return system.release()


def held_units():
    """
    Return the services that :func:`hold_units` keeps from being started.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.held_units
    """
    return system.held()


def upgrade_enables(unit):
    """
    Whether the next upgrade of its package would have a service started at boot, though nobody has enabled it.

    unit
        Its name (str), without ``.service``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.upgrade_enables haproxy
    """
    return system.upgrade_enables(unit)


def keep_off(unit):
    """
    Have a service not started at boot, now and after an upgrade of its package.

    unit
        Its name (str), without ``.service``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.keep_off haproxy
    """
    system.systemctl("disable", f"{unit}.service")
    system.keep_off(unit)


def unit_running(unit):
    """
    Whether a service runs (or is reloading).

    unit
        Its name (str), without ``.service``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.unit_running haproxy
    """
    return system.running(unit)


def unit(name):
    """
    Return a service as systemd has it: ``{"active", "at_boot", "stale"}``; empty if it is not installed.

    name
        Its name (str), without ``.service``.

    ``active`` and ``at_boot`` are systemd's words (``active``, ``inactive``, ``failed`` ...; ``enabled``, ``disabled``,
    ``masked`` ...). ``stale`` (bool): its files have changed, and systemd has to read them again (``daemon-reload``).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.unit haproxy
    """
    return system.unit(name)


# The certificates of the quorum helper


_DATABASES = {"helper": nss.HELPER, "balancer": nss.BALANCER}


def _quorum_certificate(which, ours, saltenv):
    """The database, its certificate in PEM, and the name that has to be in it."""
    if which not in _DATABASES:
        raise SaltInvocationError(f"which: found {which!r}, allowed: {', '.join(_DATABASES)}")
    pem = _minion(saltenv).secrets()["cluster"]["quorum_device"][f"{which}_pem"]
    return _DATABASES[which], pem, nss.HELPER_NAME if which == "helper" else ours["cluster"]["name"]


def plan_quorum_certificates(which, saltenv=None):
    """
    Return what :func:`install_quorum_certificates` would change: ``{directory: {"old", "new"}}``, which are the SHA-256
    of the certificates; empty when the right ones are there.

    which
        ``helper``: those that corosync-qnetd reads; ``balancer``: those that corosync-qdevice reads (str).
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.plan_quorum_certificates balancer
    """
    database, pem, name = _quorum_certificate(which, _valid_settings(saltenv), saltenv)
    if nss.holds(database, pem):
        return {}
    if system.program("openssl"):
        nss.check_name(pem, name)
    return {database.path: {"old": nss.fingerprint(database), "new": nss.fingerprint_of(pem)}}


def install_quorum_certificates(which, saltenv=None):
    """
    Make the certificates of the quorum helper, or of a load balancer as its client, those of pillar.

    which
        As in :func:`plan_quorum_certificates` (str).
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    Returns ``{"changes": {directory: {"old", "new"}}, "kept": directory or None}``: what was there before is copied.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.install_quorum_certificates balancer
    """
    changes = plan_quorum_certificates(which, saltenv)
    if not changes:
        return {"changes": {}, "kept": None}
    database, pem, _ = _quorum_certificate(which, _valid_settings(saltenv), saltenv)
    with lock.alone(f"haproxy_ha.install_quorum_certificates {which}"):
        kept = files.keep_copies("quorum", [path for path in changes if os.path.isdir(path)])
        nss.build(database, pem)
    return {"changes": changes, "kept": kept}


# The firewall


def firewall(wanted=True, saltenv=None):
    """
    Return which of our rules are missing from the host's firewall, and which should no longer be there, in the one of
    pillar or in another.

    wanted : ``True``
        False: none should be there.
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    Returns ``{"add": [text], "remove": [text], "active": bool}``; ``active``: the rules count now.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.firewall
    """
    add, remove, active = [], [], False
    for backend, named in _firewalls(wanted, saltenv):
        if system.program(backend.program):
            missing, surplus = backend.plan(named)
            active = active or (bool(named) and backend.active())
        else:
            missing, surplus = list(named), []
        add += missing
        remove += surplus
    return {"add": add, "remove": remove, "active": active}


def _firewalls(wanted, saltenv):
    """Each kind of firewall, and which rules of ours should be in it: [(backend, {text: words})]."""
    ours = _readable_settings(saltenv)["firewall"]
    return [
        (backend, backend.named(ours["rules"]) if wanted and name == ours["backend"] else {})
        for name, backend in host_firewall.BACKENDS.items()
    ]


def firewall_apply(wanted=True, saltenv=None):
    """
    Make our rules in the host's firewall those of the settings; rules of others stay.

    wanted : ``True``
        False: take all of ours away.
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.firewall_apply
    """
    for backend, named in _firewalls(wanted, saltenv):
        if named or system.program(backend.program):
            backend.apply(named)


# Proof


def verify(timeout=0, saltenv=None):
    """
    Make the tutorial's probes from this minion, and return what they found.

    timeout : ``0``
        How long to make them again while one does not find what it should, in seconds (int).
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    On an app server: 127.0.0.1 and the public address refuse, and the private address turns this machine away, because
    it answers load balancers only. On a load balancer: 127.0.0.1, its public and its private address refuse; the anchor
    IP answers; the app servers answer on their private addresses and refuse on their public ones; every server that is
    up gets its share of requests; the floating IP's owner, Pacemaker's active node and a running HAProxy agree; the
    agents, asked as the cluster asks them, find nothing wrong with what runs here; the address can come to this
    machine; fencing through the API would find each load balancer, with a token that may do it; with a quorum helper,
    all votes of the quorum are there. On the quorum helper: 127.0.0.1 refuses, the private address answers.

    Where an operator keeps HAProxy from running here (standby, maintenance, a resource that is stopped or unmanaged),
    nothing is asked through it, the app servers are asked directly, and a note says so: that another load balancer
    serves is what counts then.

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

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.off
    """
    return verification.off(_minion(saltenv))


def status():
    """
    Return who is who in the cluster now, what operators have set, and what is wrong.

    Returns ``{"active", "haproxy", "offline", "standby", "maintenance", "failures", "notes"}``, lists of nodes but for
    the last two: ``active`` are those on which FloatIP runs (one, when all is well), ``haproxy`` those on which HAProxy
    runs, on this one by its service, on others by what Pacemaker says; ``maintenance`` is ``[the cluster]`` if all of
    it is. ``failures`` is that of ``pacemaker.status``: with ``time``, and ``over`` where the resource has been well
    since. ``notes`` are sentences: what is not as it should be, what operators have set, and what ends it; none when
    all is well. On a minion without a cluster the lists are empty, and a note says what it is.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.status
    """
    return operate.status(_minion())


def failover(to=None, timeout=60):
    """
    Move the floating IP to another load balancer, and return when it is there.

    to : ``None``
        The load balancer that shall have it (str); by default one that has not, and runs HAProxy.
    timeout : ``60``
        How long the move may take, in seconds (int).

    HAProxy runs on: only requests that are under way while the address moves can be lost. Returns ``{"old": node,
    "new": node}``. Made with a transient node attribute that the constraint ``FloatIP-handover`` obeys, and that is
    taken away at the end: nothing holds the address on the new node but stickiness. Stands for ``crm resource move
    FloatIP <node>`` and ``crm resource clear FloatIP``. Raises CommandExecutionError: at once where the cluster will
    not move it, as in maintenance.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.failover
    """
    return operate.failover(_minion(), to, timeout)


# What runs that were killed have left


def leftovers_found(saltenv=None):
    """
    Return what is left of runs that were killed, and that no run at work has: ``{thing: what it is}``; a thing is a
    path, a service that is kept from being started, or a node with the mark of a planned failover.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.leftovers_found
    """
    return leftovers.find(leftovers.places(_minion(saltenv).readable_settings()))


def leftovers_removed(saltenv=None):
    """
    Take away what :func:`leftovers_found` finds; return what it was.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.leftovers_removed
    """
    return leftovers.remove(leftovers.places(_minion(saltenv).readable_settings()))


# Who is there


def absent(nodes, timeout=120, saltenv=None, wait=False):
    """
    Return who of the load balancers is not in the cluster.

    nodes
        Names of the nodes that should be there (list of str).
    timeout : ``120``
        How long somebody would wait for them, in seconds (int).
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.
    wait : ``False``
        True: wait for them, as long as it makes sense; what for is said at once and every few seconds, in the log and
        as an event.

    Returns ``{"missing": text, "absent": [text], "remedy": text, "seconds": int, "nodes": {...}}``: ``missing`` is all
    that the cluster lacks, empty when it is complete; ``absent`` says of each node what is known of it; ``seconds`` is
    how long it makes sense to wait: not at all for a machine that was in the cluster and does not answer, ten seconds
    for one whose cluster was stopped, and ``timeout`` for one that may be joining for the first time.

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
        How long to wait for nodes that are not ready, in seconds (int); who is waited for is said at once, in the log
        and as an event.
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.
    ready : ``False``
        True: tell the cluster first that this node has the agents and what they need, where it cannot know that.

    ``twins`` are a HAProxy or the floating IP that the cluster has under another name, so that there would be a second
    one. ``unready`` are nodes that are online and not known to have the agents: none has answered there, nor has a run
    there told so.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.cluster_obstacles
    """
    minion = _minion(saltenv)
    if ready:
        membership.mark_agents(minion)
    return membership.find_obstacles(minion, timeout)


# Taking away


def left_over(saltenv=None):
    """
    Return which parts of the formula are on this machine though pillar does not give them to it: a list of
    ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper`` and, on a machine without a role, ``memory``, what
    the formula has kept in mind about the machine.

    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.left_over
    """
    ours = _minion(saltenv).settings()
    if not ours or not ours.paths:
        return []
    return lib_minion.surplus(ours, [part for part in _PARTS if _TRACES[part](ours)])


def remains(part, saltenv=None):
    """
    Return what of a part is on this machine, for :func:`remove`.

    part
        ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper`` or ``memory`` (what the formula has kept in
        mind about the machine, but for copies of what was there before): what this formula has put there, known by
        its own files, whatever pillar says now; or ``nginx``: any nginx (str).
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    Returns ``{"packages": [...], "units": [...], "kept": [...], "deleted": [...], "taken": [...], "changes":
    {thing: {"old", "new"}}}``, empty when nothing is there: packages to purge, services to stop, directories of which a
    copy is kept, paths to delete, paths that an nginx with other sites has to do without, and all of that as changes.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remains cluster
    """
    ours = _readable_settings(saltenv)
    if part not in _TRACES:
        raise SaltInvocationError(f"part: found {part!r}, allowed: {', '.join(_TRACES)}")
    trace = {"packages": [], "units": [], "kept": [], "deleted": [], "taken": [], **_TRACES[part](ours)}
    pattern = re.compile("|".join(trace["packages"]))
    found = {
        "packages": [name for name in __salt__["pkg.list_pkgs"]() if pattern.fullmatch(name)],
        "units": [unit for unit in trace["units"] if __salt__["service.available"](unit)],
        "kept": [path for path in trace["kept"] if os.path.isdir(path)],
        "deleted": [path for path in [*trace["kept"], *trace["deleted"]] if os.path.lexists(path)],
        "taken": [path for path in trace["taken"] if os.path.lexists(path)],
    }
    return {**found, "changes": _taken_away(found)} if any(found.values()) else {}


def _taken_away(found):
    present = [*found["taken"], *found["deleted"]]
    return {
        **{f"{unit}.service": {"old": "running", "new": "stopped"} for unit in found["units"] if system.running(unit)},
        **{name: {"old": "installed", "new": None} for name in found["packages"]},
        **{path: {"old": "present", "new": None} for path in present},
    }


_NGINX_PACKAGES = ["nginx(-.+)?", "libnginx-mod-.+"]


# What each part has put on a machine; empty where its own files are not there.


def _trace_nginx(ours):
    directory, unit = ours["paths"]["nginx_dir"], ours["services"]["nginx"]
    if not os.path.isdir(directory) and not __salt__["service.available"](unit):
        return {}
    return {"packages": _NGINX_PACKAGES, "units": [unit], "kept": [directory]}


def _trace_app_server(ours):
    """nginx goes with our site, unless it serves other sites too."""
    paths = ours["paths"]
    own = [paths[key] for key in ("nginx_site_enabled", "nginx_site", "nginx_http")]
    if not any(map(os.path.lexists, own)):
        return {}
    index = layout.page_path(ours)
    of_ours = [index] if nginx_conf.is_page(files.text(index) or "") else []
    of_ours += _own_upgrades(paths, "apt_upgrade_drop_in", "needrestart_nginx")
    if any(_others(os.path.dirname(path), *own) for path in (paths["nginx_site_enabled"], paths["nginx_http"])):
        return {"taken": own, "deleted": of_ours}
    return {**_trace_nginx(ours), "deleted": of_ours}


def _trace_load_balancer(ours):
    paths = ours["paths"]
    if fileset.MARK not in (files.text(paths["haproxy_cfg"]) or ""):
        return {}
    return {
        "packages": [re.escape(name) for name in ours["packages"]["haproxy"]],
        "units": [ours["services"]["haproxy"]],
        "kept": [paths["haproxy_dir"]],
        "deleted": [paths["apt_sources"], paths["apt_keyring"]],
    }


def _trace_cluster(ours):
    paths = ours["paths"]
    if not os.path.lexists(paths["agents_dir"]):
        return {}
    return {
        "packages": [
            re.escape(name)
            for entry in (*ours["packages"]["cluster"], *ours["packages"]["quorum_device"])
            for name in entry.split(" | ")
        ],
        "units": [ours["services"][key] for key in ("pacemaker_watch", "pacemaker", "quorum_device", "corosync")],
        "kept": [os.path.dirname(paths["corosync_conf"]), "/var/lib/pacemaker/cib"],
        "deleted": [
            *("/var/lib/pacemaker", ours["floating_ip"]["token_file"], provider.CHECKED),
            *(paths["agents_dir"], os.path.dirname(paths["agents_versions"]), paths["fence_agent"]),
            *(paths["corosync_drop_in"], paths["qdevice_drop_in"], paths["pacemaker_watch"]),
            *_own_upgrades(paths, "apt_hooks", "apt_upgrade_drop_in", "needrestart", "needrestart_haproxy"),
            f"/etc/systemd/system/multi-user.target.wants/{ours['services']['pacemaker_watch']}.service",
        ],
    }


def _own_upgrades(paths, *keys):
    return [paths[key] for key in keys if fileset.MARK in (files.text(paths[key]) or "")]


def _trace_quorum_helper(ours):
    options = ours["paths"]["qnetd_options"]
    if fileset.MARK not in (files.text(options) or ""):
        return {}
    return {
        "packages": [re.escape(name) for name in ours["packages"]["quorum_helper"]],
        "units": [ours["services"]["quorum_helper"]],
        "kept": ["/etc/corosync/qnetd"],
        "deleted": [options, ours["paths"]["qnetd_drop_in"]],
    }


def _trace_memory(ours):
    """The copies of what was there before are people's, and stay."""
    names = os.listdir(system.STATE) if os.path.isdir(system.STATE) else []
    known = [os.path.join(system.STATE, name) for name in sorted(names) if name != "backup"]
    return {"deleted": known} if known else {}


_TRACES = {
    "cluster": _trace_cluster,
    "load_balancer": _trace_load_balancer,
    "app_server": _trace_app_server,
    "quorum_helper": _trace_quorum_helper,
    "memory": _trace_memory,
    "nginx": _trace_nginx,
}
_PARTS = [*lib_minion.PARTS, "memory"]


def remove(part, saltenv=None):
    """
    Take a part away that :func:`remains` found: services stopped, a copy of the configuration kept, packages purged.

    part
        ``cluster``, ``load_balancer``, ``app_server``, ``quorum_helper`` or ``nginx`` (str), as in :func:`remains`.
        ``cluster`` first moves the floating IP to another load balancer, if there is one.
    saltenv : ``None``
        The environment whose defaults are read (str); see :func:`settings`.

    Returns ``{"changes": {thing: {"old", "new"}}, "kept": directory or None}``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remove cluster
    """
    found = remains(part, saltenv)
    if not found:
        return {"changes": {}, "kept": None}
    if part == "cluster":
        _hand_over()
    if found["taken"]:
        _take_from_nginx(found["taken"], saltenv)
    for unit in filter(system.running, found["units"]):
        system.systemctl("stop", unit, timeout=600)
    kept = files.keep_copies(part, found["kept"])
    if found["packages"]:
        __salt__["pkg.purge"](pkgs=found["packages"])
        left = sorted(set(found["packages"]).intersection(__salt__["pkg.list_pkgs"]()))
        if left:
            raise CommandExecutionError(f"could not be purged: {', '.join(left)}; its configuration is kept in {kept}")
    for path in found["deleted"]:
        files.delete(path)
    if any(path.startswith(_UNITS) for path in found["deleted"]) and system.systemd():
        system.systemctl("daemon-reload")  # a drop-in that is gone counts until then
    return {"changes": found["changes"], "kept": kept}


_UNITS = "/etc/systemd/system/"


def _take_from_nginx(paths, saltenv):
    """Take our files from an nginx that serves other sites: checked, reloaded, or put back."""
    wanted, nginx = dict.fromkeys(paths), _daemon("nginx", dataclasses.replace(_readable_settings(saltenv), roles=[]))
    with lock.alone("haproxy_ha.remove nginx"):
        refusal = daemons.refusal(nginx, wanted)
        if refusal:
            raise CommandExecutionError(f"our site stays, because without it {refusal}")
        daemons.install(nginx, wanted)


def _hand_over():
    """Let another load balancer have the floating IP, if one can, before this one leaves."""
    try:
        if status()["active"] == [__salt__["pacemaker.node_name"]()]:
            failover()
    except CommandExecutionError as exc:
        log.warning("haproxy_ha: the floating IP is not handed over: %s", exc)
