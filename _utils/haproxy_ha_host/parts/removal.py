"""
Taking parts of the formula away again. What is there is known by the formula's own files, whatever pillar says now.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import daemons, files, lock, provider, tokens, units
from haproxy_ha_host.cluster import operate
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import daemon_files, entries
from haproxy_ha_host.parts.outcome import Changes, Outcome
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings

log = logging.getLogger(__name__)

_HANDOVER_SECONDS = 60
_NGINX_PACKAGES = ("nginx(-.+)?", "libnginx-mod-.+")


@dataclass(frozen=True)
class Trace:
    """
    What a part has put on a machine.

    packages : ``()``
        Names of packages to purge; where it is sought for, patterns of them.
    units : ``()``
        Services to stop.
    kept : ``()``
        Directories of which a copy is kept.
    deleted : ``()``
        Paths to delete.
    taken : ``()``
        Paths that an nginx with other sites has to do without.
    """

    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())


@dataclass(frozen=True)
class Removal:
    """
    A part of the formula that is to go.

    minion
        The minion.
    name
        One of :data:`TRACES`.
    """

    minion: Minion
    name: str

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        changes = _changes(self.find())
        said = f"{self.name} would be removed" if changes else self._absent()
        return Outcome(said, changes, notes=self._made_before() if self.name == "copies" else ())

    def apply(self) -> Outcome:
        """
        Stop its services, keep a copy of its configuration, purge its packages. The cluster first moves the floating IP
        to another load balancer, if there is one.
        """
        found = self.find()
        if not found:
            return Outcome(self._absent())
        changes = _changes(found)
        if self.name == "cluster":
            self._hand_over()
        if found.taken:
            self._take_from_nginx(found.taken)
        for unit in filter(units.running, found.units):
            units.systemctl("stop", unit, timeout=600)
        kept = files.keep_copies(self.name, found.kept)
        self._purge(found.packages, kept)
        _delete(found.deleted)
        tokens.forget_absent()
        return Outcome(f"{self.name} is removed", changes, kept=kept)

    def find(self) -> Trace:
        """What of it is on this machine."""
        trace = TRACES[self.name](self.minion.readable_settings(), self.minion.salt["service.available"])
        pattern = re.compile("|".join(trace.packages))
        return Trace(
            packages=tuple(name for name in self.minion.salt["pkg.list_pkgs"]() if pattern.fullmatch(name)),
            units=tuple(filter(self.minion.salt["service.available"], trace.units)),
            kept=tuple(filter(os.path.isdir, trace.kept)),
            deleted=tuple(filter(os.path.lexists, (*trace.kept, *trace.deleted))),
            taken=tuple(filter(os.path.lexists, trace.taken)),
        )

    def _absent(self) -> str:
        return f"Nothing of {self.name} is here"

    def _made_before(self) -> tuple[str, ...]:
        """haproxy_ha.purge takes parts away before it comes to the copies."""
        parts = [name for name in TRACES if name not in _NO_ROLES]
        made = [path for name in parts for path in Removal(self.minion, name).find().kept]
        text = f"what the same run takes away before ({', '.join(made)}) is copied then, and these copies go, too"
        return (text,) if made else ()

    def _purge(self, packages: tuple[str, ...], kept: str | None) -> None:
        if not packages:
            return
        self.minion.salt["pkg.purge"](pkgs=list(packages))
        left = sorted({*packages}.intersection(self.minion.salt["pkg.list_pkgs"]()))
        if left:
            raise CommandExecutionError(f"could not be purged: {', '.join(left)}; its configuration is kept in {kept}")

    def _take_from_nginx(self, paths: tuple[str, ...]) -> None:
        """Take our files from an nginx that serves other sites: checked, reloaded, or put back."""
        wanted = dict.fromkeys(paths)
        target = daemon_files.daemon("nginx", replace(self.minion.readable_settings(), roles=[]))
        with lock.alone("haproxy_ha.apply removed:app_server"):
            refusal = daemons.refusal(target, wanted)
            if refusal:
                raise CommandExecutionError(f"our site stays, because without it {refusal}")
            daemons.install(target, wanted)

    def _hand_over(self) -> None:
        """Let another load balancer have the floating IPs, if one can, before this one leaves."""
        try:
            now, me = operate.status(self.minion), self.minion.salt["pacemaker.node_name"]()
            others = [node for node in now["haproxy"] if node not in (me, *now["standby"])]
            if me in now["active"] and others:
                operate.failover(self.minion, others[0], _HANDOVER_SECONDS)
        except CommandExecutionError as exc:
            log.warning("haproxy_ha: the floating IP is not handed over: %s", exc)


def _changes(found: Trace) -> Changes:
    running = filter(units.running, found.units)
    return {
        **{units.full_name(unit): {"old": "running", "new": "stopped"} for unit in running},
        **{name: {"old": "installed", "new": None} for name in found.packages},
        **{path: {"old": "present", "new": None} for path in (*found.taken, *found.deleted)},
    }


def _delete(paths: tuple[str, ...]) -> None:
    for path in paths:
        files.delete(path)
    if any(path.startswith(units.FILES) for path in paths) and units.systemd():
        units.systemctl("daemon-reload")  # a drop-in that is gone counts until then


# What each part has put on a machine, by the settings; nothing where its own files are not there. ``available`` tells
# whether a service is installed.


def _nginx(settings: Settings, available: Callable[[str], bool]) -> Trace:
    directory, unit = settings.paths["nginx_dir"], settings.services["nginx"]
    if not os.path.isdir(directory) and not available(unit):
        return Trace()
    return Trace(packages=_NGINX_PACKAGES, units=(unit,), kept=(directory,))


def _app_server(settings: Settings, available: Callable[[str], bool]) -> Trace:
    """nginx goes with our site, unless it serves other sites too."""
    paths = settings.paths
    named = tuple(paths[key] for key in ("nginx_site_enabled", "nginx_site", "nginx_http"))
    known = daemons.installed_before(daemon_files.daemon("nginx", settings)) - {*named, nginx.main_file(settings)}
    own = (*named, *sorted(known))
    if not any(map(os.path.lexists, own)):
        return Trace()
    index = layout.page_path(settings)
    deleted: tuple[str, ...] = (index,) if nginx.is_page(files.text(index) or "") else ()
    deleted += _ours(paths, "apt_upgrade_drop_in", "needrestart_nginx")
    if any(entries.beside(os.path.dirname(path), *own) for path in (paths["nginx_site_enabled"], paths["nginx_http"])):
        return Trace(taken=own, deleted=deleted)
    return replace(_nginx(settings, available), deleted=deleted)


def _load_balancer(settings: Settings, available: Callable[[str], bool]) -> Trace:
    paths = settings.paths
    if not _ours(paths, "haproxy_cfg"):
        return Trace()
    return Trace(
        packages=tuple(map(re.escape, settings.packages["haproxy"])),
        units=(settings.services["haproxy"],),
        kept=(paths["haproxy_dir"],),
        deleted=(*(paths[f"apt_{one}"] for one in ("sources", "preferences", "keyring")), paths["haproxy_drop_in"]),
    )


def _cluster(settings: Settings, available: Callable[[str], bool]) -> Trace:
    paths, packages, services = settings.paths, settings.packages, settings.services
    if not os.path.lexists(paths["agents_dir"]):
        return Trace()
    names = " | ".join([*packages["cluster"], *packages["resource_agents"], *packages["quorum_device"]]).split(" | ")
    running = tuple(services[key] for key in ("watch", "pacemaker_watch", "pacemaker", "quorum_device", "corosync"))
    told, metrics = _events(settings, available), _monitoring(settings, available)
    return Trace(
        packages=(*map(re.escape, names), *metrics.packages),
        units=(*told.units, *metrics.units, *running),
        kept=(os.path.dirname(paths["corosync_conf"]), "/var/lib/pacemaker/cib"),
        deleted=(
            *("/var/lib/pacemaker", provider.memory()),
            *tokens.own(settings.floating_ip.token_file, settings.floating_ip.foreign_token),
            *(paths["agents_dir"], os.path.dirname(paths["agents_versions"]), *_fence_agents(paths)),
            *(paths[key] for key in ("corosync_drop_in", "qdevice_drop_in", "pacemaker_watch", "watch", "maintenance")),
            *_ours(paths, "apt_hooks", "apt_upgrade_drop_in", "needrestart", "needrestart_haproxy"),
            *(f"{units.FILES}/multi-user.target.wants/{services[key]}.service" for key in ("pacemaker_watch", "watch")),
            *told.deleted,
            *metrics.deleted,
        ),
    )


def _fence_agents(paths: Mapping[str, str]) -> list[str]:
    """The links to ours among all fence agents; that of an earlier release is a file."""
    folder, ours = os.path.dirname(paths["fence_agent"]), f"{paths['agents_dir']}/fence/"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths_of_all = [os.path.join(folder, name) for name in names if name.startswith("fence_")]
    links = [path for path in paths_of_all if os.path.islink(path) and os.readlink(path).startswith(ours)]
    return list(dict.fromkeys([paths["fence_agent"], *links]))


def _events(settings: Settings, available: Callable[[str], bool]) -> Trace:
    paths, unit = settings.paths, settings.services["events"]
    if not os.path.lexists(paths["events_path"]):
        return Trace()
    wanted = f"{units.FILES}/multi-user.target.wants/{unit}"
    return Trace(units=(unit,), deleted=(wanted, paths["events_path"], paths["events_service"], paths["events_spool"]))


def _monitoring(settings: Settings, available: Callable[[str], bool]) -> Trace:
    found = _ours(settings.paths, "cluster_metrics_drop_in")
    if not found:
        return Trace()
    packages = tuple(map(re.escape, settings.packages["cluster_metrics"]))
    return Trace(packages=packages, units=(settings.services["cluster_metrics"],), deleted=found)


def _quorum_helper(settings: Settings, available: Callable[[str], bool]) -> Trace:
    paths = settings.paths
    if not _ours(paths, "qnetd_options"):
        return Trace()
    return Trace(
        packages=tuple(map(re.escape, settings.packages["quorum_helper"])),
        units=(settings.services["quorum_helper"],),
        kept=("/etc/corosync/qnetd",),
        deleted=(paths["qnetd_options"], paths["qnetd_drop_in"]),
    )


def _memory(settings: Settings, available: Callable[[str], bool]) -> Trace:
    """What is kept in mind about the machine; the copies of what was there before are people's, and stay."""
    names = sorted(os.listdir(files.STATE)) if os.path.isdir(files.STATE) else []
    return Trace(deleted=tuple(os.path.join(files.STATE, name) for name in names if name != "backup"))


def _copies(settings: Settings, available: Callable[[str], bool]) -> Trace:
    return Trace(deleted=(f"{files.STATE}/backup",)) if os.path.isdir(f"{files.STATE}/backup") else Trace()


def _former_token(settings: Settings, available: Callable[[str], bool]) -> Trace:
    """The token files that the formula has written and the cluster no longer reads."""
    current = settings.floating_ip.token_file if provider.needs_token(settings) else None
    return Trace(deleted=tuple(tokens.former(current)))


def _ours(paths: Mapping[str, str], *keys: str) -> tuple[str, ...]:
    """Those of some files that say that they are the formula's."""
    return tuple(paths[key] for key in keys if fileset.MARK in (files.text(paths[key]) or ""))


TRACES: dict[str, Callable[[Any, Callable[[str], bool]], Trace]] = {
    "cluster": _cluster,
    "load_balancer": _load_balancer,
    "app_server": _app_server,
    "events": _events,
    "monitoring": _monitoring,
    "quorum_helper": _quorum_helper,
    "memory": _memory,
    "copies": _copies,
    "nginx": _nginx,
    "former_token": _former_token,
}
_NO_ROLES = ("copies", "nginx", "former_token", "events", "monitoring")
"""What may be here, whatever a machine is in pillar."""


def remains(part: str, minion: Minion) -> dict[str, Any]:
    """Return what of a part is on this machine, as data; empty where nothing is."""
    if part not in TRACES:
        raise SaltInvocationError(f"part: found {part!r}, allowed: {', '.join(TRACES)}")
    found = Removal(minion, part).find()
    lists = {key: list(names) for key, names in vars(found).items()}
    return {**lists, "changes": _changes(found)} if found else {}


def left_over(minion: Minion) -> list[str]:
    """Return which parts are on this machine though pillar does not give them to it."""
    settings = minion.settings()
    if not settings or not settings.paths:
        return []
    available = minion.salt["service.available"]
    present = [part for part, trace in TRACES.items() if part not in _NO_ROLES and trace(settings, available)]
    return minion.surplus(present)
