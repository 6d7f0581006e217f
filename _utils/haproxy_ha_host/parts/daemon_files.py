"""The files of a daemon: one set that it checks, takes, or is freed of again (``haproxy_ha_host.daemons``)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import daemons, files, lock, stores, units, verdicts
from haproxy_ha_host.haproxy import pool, runtime, service
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Changes, Outcome
from haproxy_ha_lib import listeners
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.files.entry import FileEntry, FileSet
from haproxy_ha_lib.haproxy import sandbox
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree


@dataclass(frozen=True)
class DaemonFiles:
    """
    The files of a daemon.

    minion
        The minion.
    name
        ``nginx``, ``haproxy`` or ``corosync``.
    """

    minion: Minion
    name: str

    def plan(self) -> Outcome:
        """What :meth:`apply` would do, and what the daemon says to it."""
        settings, (secrets, notes) = self.minion.valid_settings(), self._secrets()
        with lock.alone(f"haproxy_ha.plan files:{self.name}"):
            return _noted(self._plan(settings, secrets), notes)

    def apply(self) -> Outcome:
        """
        Install the set: checked by the daemon, renamed into place, taken by the daemon if it runs, and taken back as a
        whole if it does not take it. CommandExecutionError says so, with the daemon's own message.
        """
        settings, (secrets, notes) = self.minion.valid_settings(), self._secrets()
        with lock.alone(f"haproxy_ha.apply files:{self.name}"):
            return _noted(self._apply(settings, secrets), notes)

    def _secrets(self) -> tuple[Tree, tuple[str, ...]]:
        """What is secret in the files, and what people should know of where it comes from."""
        if self.name != "haproxy":
            return {}, ()
        secrets, notes = stores.secrets(self.minion, "haproxy")
        return {"haproxy": secrets}, notes

    def wanted(self, settings: Settings, secrets: Tree) -> FileSet:
        """The set that the daemon should read. Raises :class:`entries.Absent`."""
        own_log_format = not _log_format_elsewhere(settings.paths)
        wanted = entries.filled(self.minion, layout.files_of(self.name, settings, secrets, own_log_format))
        left_over = {"haproxy": _left_over, "nginx": _left_over_of_nginx}.get(self.name)
        return {**left_over(wanted, settings), **wanted} if left_over else wanted

    def shown(self) -> dict[str, Any]:
        """The set as people may see it: {path: entry as data}."""
        wanted = self.wanted(self.minion.valid_settings(), self._secrets()[0])
        return {path: fileset.shown(entry) for path, entry in wanted.items()}

    def _plan(self, settings: Settings, secrets: Tree) -> Outcome:
        try:
            wanted = self.wanted(settings, secrets)
        except entries.Absent as exc:  # another state may put it there
            unknown = f"{exc}: a live run fails unless another state has put it there before"
            return Outcome(unknown, self._not_taken(), unknown=unknown)
        target = daemon(self.name, settings)
        return _with_servers(self._compare(target, wanted, settings), target, wanted)

    def _compare(self, target: daemons.Daemon, wanted: FileSet, settings: Settings) -> Outcome:
        changes = _changes(wanted, settings)
        if elsewhere := self._elsewhere(settings):
            return Outcome(elsewhere, changes or self._not_taken(), refusal=elsewhere)
        if not changes and not daemons.unfinished(target):
            return Outcome(self._there())
        outcome = Outcome(f"{self.name} accepts the new files; they would be installed", changes or self._not_taken())
        if not daemons.installed(target):
            unknown = f"{self.name} is not installed yet; it will check these files before they are installed"
            return replace(outcome, said=unknown, unknown=unknown)
        refusal = daemons.refusal(target, {**wanted, **_read_too(target, settings)})
        return replace(outcome, refusal=refusal, notes=_later(changes, settings))

    def _elsewhere(self, settings: Settings) -> str:
        """Why HAProxy would read something else (str); nginx and corosync are asked by their checks."""
        haproxy = self.name == "haproxy"
        return service.obstacle(settings.services["haproxy"], settings.paths["haproxy_cfg"]) if haproxy else ""

    def _apply(self, settings: Settings, secrets: Tree) -> Outcome:
        wanted, target = self.wanted(settings, secrets), daemon(self.name, settings)
        returned = _returned(pool.take_back(target.servers)) if target.servers else {}
        planned = self._compare(target, wanted, settings)
        if planned.refusal:
            raise CommandExecutionError(f"{planned.refusal}\nNo file of {self.name} was changed.")
        if planned.unknown:
            raise CommandExecutionError(f"{self.name} is not installed")
        if not planned.changes:
            daemons.forget(target)
            return Outcome(self._there(), returned)
        kept = entries.keep(self.name, _changes(wanted, settings), fileset.foreign)
        done = daemons.install(target, wanted)
        return Outcome(self._there(), {**planned.changes, **returned}, notes=(done, *planned.notes), kept=kept)

    def _there(self) -> str:
        return f"The files of {self.name} are in place"

    def _not_taken(self) -> Changes:
        return {self.name: {"old": "not taken", "new": "taken"}}


def _noted(outcome: Outcome, notes: tuple[str, ...]) -> Outcome:
    return replace(outcome, notes=(*outcome.notes, *notes))


def _changes(wanted: FileSet, settings: Settings) -> Changes:
    present = fileset.secret_below(settings.paths["haproxy_certificates"], files.snapshot(wanted))
    return fileset.differences(present, wanted)


def _later(changes: Changes, settings: Settings) -> tuple[str, ...]:
    """What has no effect yet."""
    sandboxed = settings.paths["haproxy_drop_in"] in changes
    return ("what its service may do counts from its next start on",) if sandboxed else ()


def _with_servers(outcome: Outcome, target: daemons.Daemon, wanted: FileSet) -> Outcome:
    """A plan, with what it means for HAProxy's servers while it runs."""
    if not target.servers or outcome.refusal or not units.running(target.unit):
        return outcome
    returned = _returned(pool.left_drained(target.servers))
    if outcome.changes:
        notes = (*outcome.notes, *filter(None, [pool.warning(target.servers, wanted)]))
        return replace(outcome, changes={**outcome.changes, **returned}, notes=notes)
    said = f"Would be put into rotation again: {', '.join(returned)}" if returned else outcome.said
    return replace(outcome, said=said, changes=returned)


def _returned(servers: Iterable[tuple[str, str]]) -> Changes:
    """The servers that a run which was killed had drained, as changes."""
    return {f"{backend}/{server}": {"old": "drained", "new": "ready"} for backend, server in servers}


def _read_too(target: daemons.Daemon, settings: Settings) -> FileSet:
    """What the daemon reads when it checks its files, though another part installs it."""
    return {settings.paths["corosync_authkey"]: FileEntry("0" * 256)} if target.name == "corosync" else {}


def _left_over(wanted: FileSet, settings: Settings) -> FileSet:
    """The certificates that an earlier run has installed and pillar no longer names; what others put there stays."""
    directory = settings.paths["haproxy_certificates"]
    known = sorted(daemons.installed_before(daemon("haproxy", settings)))
    return {path: None for path in known if os.path.dirname(path) == directory and path not in wanted}


def _left_over_of_nginx(wanted: FileSet, settings: Settings) -> FileSet:
    """The files that an earlier run has installed and pillar no longer names; without nginx.conf there is no nginx."""
    known = sorted(daemons.installed_before(daemon("nginx", settings)) - {nginx.main_file(settings)})
    return {path: None for path in known if path not in wanted}


def _log_format_elsewhere(paths: Mapping[str, str]) -> bool:
    """Whether people's own nginx configuration has the log format, as a server that was built by hand after the
    tutorial has it."""
    own = paths["nginx_http"]
    included = [f"{paths['nginx_dir']}/nginx.conf", *entries.beside(os.path.dirname(own), own)]
    return any(nginx.defines_log_format(files.text(path) or "") for path in included)


# The settings' daemons


def daemon(name: str, settings: Settings) -> daemons.Daemon:
    """A daemon as :mod:`haproxy_ha_host.daemons` knows it."""
    paths = settings.paths
    root, check = {
        "haproxy": (paths["haproxy_dir"], ("-c", "-f", paths["haproxy_cfg"])),
        "nginx": (paths["nginx_dir"], ("-T", "-c", os.path.join(paths["nginx_dir"], "nginx.conf"))),
        "corosync": (os.path.dirname(paths["corosync_conf"]), ("-t", "-c", paths["corosync_conf"])),
    }[name]
    place = (name, settings.services[name], root, check, listeners.of(name, settings))
    variables = paths["service_variables"]
    if name != "haproxy":
        included = (paths["nginx_http"], paths["nginx_site_enabled"]) if name == "nginx" else ()
        return daemons.Daemon(*place, included=included, variables=variables)
    properties = sandbox.PROPERTIES if settings.haproxy["sandbox"] else ()
    agent = verdicts.agent_of(standing.HAPROXY, settings)
    return daemons.Daemon(*place, _pool(settings), agent, properties, variables=variables)


def _pool(settings: Settings) -> pool.Pool:
    paths, haproxy = settings.paths, settings.haproxy
    states = paths["haproxy_server_states"] if haproxy["keep_server_states"] else None
    running = runtime.HAProxy(settings.services["haproxy"], paths["haproxy_cfg"])
    return pool.Pool(running, states, haproxy["drain_timeout"])
