"""
A daemon takes its files: checked by itself before they are installed, reloaded, confirmed, or put back.

The files of one daemon are one set (``haproxy_ha_lib.files.entry.FileSet``).
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, corosync, files, net, processes, units, verdicts, waiting
from haproxy_ha_host.haproxy import pool, service
from haproxy_ha_host.haproxy.runtime import HAProxy
from haproxy_ha_lib import net as sockets
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.files.entry import FileEntry, FileSet
from haproxy_ha_lib.haproxy import command, sandbox
from haproxy_ha_lib.nginx import conf as nginx

# $1 is laid over $2, then the rest is run: a constant text, and every value an argument.
_OVERLAID = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
RELOAD_SECONDS = 15


@dataclass(frozen=True)
class Daemon:
    """
    A daemon, as this machine has it.

    name
        ``haproxy``, ``nginx`` or ``corosync``; also its program.
    unit
        Its service.
    root
        The directory that its files are in.
    check
        The arguments with which it checks its configuration.
    listeners : ``()``
        The (address, port) that it has to listen on with the new files.
    servers : ``None``
        HAProxy's servers, a :class:`pool.Pool`.
    agent : ``None``
        The resource agent by which the cluster judges it, a :class:`verdicts.Agent`.
    sandbox : ``()``
        The properties of systemd that its service has beyond those of its package.
    included : ``()``
        Those of its files that its own configuration has to include; its check prints what it reads.
    variables : ``/etc/default``
        The directory with the file of its service's variables, which the check gets, too.
    """

    name: str
    unit: str
    root: str
    check: tuple[str, ...]
    listeners: tuple[tuple[str, int], ...] = ()
    servers: pool.Pool | None = None
    agent: verdicts.Agent | None = None
    sandbox: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    variables: str = "/etc/default"


def installed(daemon: Daemon) -> bool:
    """Whether the daemon's program is on this machine."""
    return commands.program(daemon.name) is not None


def refusal(daemon: Daemon, wanted: FileSet) -> str | None:
    """
    What the daemon says against a set of files, or None.

    It sees the set where production has it: in a mount namespace of its own, a copy of its directory with the set in it
    lies over the real one, so that every path, include and relative name means what it will mean. A service with a
    sandbox is checked in it.
    """
    if not os.path.isdir(daemon.root):
        return f"{daemon.name}: there is no directory {daemon.root}; {_WHERE}"
    obstacle = sandbox.obstacle(_text(daemon, wanted)) if daemon.sandbox else None
    if obstacle:
        return obstacle
    private = tempfile.mkdtemp(prefix=f"{STAGE}{processes.mark()}-", dir="/run" if os.access("/run", os.W_OK) else None)
    stage = os.path.join(private, "stage")
    try:
        shutil.copytree(daemon.root, stage, symlinks=True, ignore=_not_read)
        for path, entry in wanted.items():
            if _is_below(path, daemon.root):
                files.put(os.path.join(stage, os.path.relpath(path, daemon.root)), entry)
        check = _in_sandbox if daemon.sandbox and units.systemd() else _in_namespace
        code, output = check(daemon, stage)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    if code:
        return f"{daemon.name} refuses the new configuration:\n{fileset.daemon_message(output)}"
    if daemon.name == "corosync" and units.running(daemon.unit):
        return corosync.obstacle(_corosync_conf(wanted))
    unread = _unread(daemon, wanted, output)
    return f"{daemon.name} would not read {', '.join(unread)}; {_WHERE}" if unread else None


_WHERE = "haproxy_ha:lookup:paths says where they are (docs/platforms.md)"


def _unread(daemon: Daemon, wanted: FileSet, printed: str) -> list[str]:
    """Which of the files that the daemon has to come to by its includes it does not; ``printed``: what it reads."""
    read = set(map(_real, nginx.files_read(printed)))
    return [path for path in daemon.included if wanted.get(path) and _real(path) not in read]


def _real(path: str) -> str:
    """A path without the links on the way to it, of which includes may have others."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def _text(daemon: Daemon, wanted: FileSet) -> str:
    entry = wanted.get(daemon.check[-1])
    return entry.content or "" if entry else ""


def _check(daemon: Daemon) -> list[str]:
    """The command by which the daemon checks its configuration; HAProxy all that its service has it read."""
    read = service.read_by_unit(daemon.unit) if daemon.name == "haproxy" else []
    arguments = ["-c", *(word for path in read for word in ("-f", path))] if read else daemon.check
    return [commands.program(daemon.name) or daemon.name, *arguments]


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(f"{directory}/")


def _in_namespace(daemon: Daemon, stage: str) -> tuple[int, str]:
    """Have a daemon check its configuration with what is staged."""
    argv = [
        *("unshare", "--mount", "--propagation", "private", "sh", "-c", _OVERLAID, "sh", stage, daemon.root),
        *_check(daemon),
    ]
    return commands.run(argv, env=_environment(daemon))


def _in_sandbox(daemon: Daemon, stage: str) -> tuple[int, str]:
    """The same, as a service that may do what its own service may."""
    properties = (
        *daemon.sandbox, f"BindReadOnlyPaths={stage}:{daemon.root}",
        f"EnvironmentFile=-{daemon.variables}/{daemon.name}", f"RuntimeMaxSec={CHECK_SECONDS}",
    )  # fmt: skip
    argv = [
        *("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"),
        *(f"--property={one}" for one in properties),
        *_check(daemon),
    ]
    code, output = commands.run(argv)
    return code, output or (f"it ends with {code} in its sandbox" if code else "")


CHECK_SECONDS = 60
STAGE = "haproxy_ha-"
"""Begins the name of a directory in /run with a set that is being checked; whose it is follows (``processes.mark``)."""


def _not_read(directory: str, names: Iterable[str]) -> list[str]:
    """What no daemon reads from a directory: files on their way to their names, sockets and pipes."""
    paths = {name: os.path.join(directory, name) for name in names}
    return [
        name for name, path in paths.items()
        if files.TEMPORARY in name or not (os.path.islink(path) or os.path.isfile(path) or os.path.isdir(path))
    ]


def _corosync_conf(wanted: FileSet) -> str:
    return next(
        entry.content or "" for path, entry in wanted.items() if entry and path.endswith("/corosync.conf")
    )


def _environment(daemon: Daemon) -> dict[str, str]:
    """The variables of the service's defaults file, which a configuration may use."""
    return command.variables(files.text(f"{daemon.variables}/{daemon.name}") or "")


def unfinished(daemon: Daemon) -> bool:
    """Whether a run was killed between installing a set and the daemon taking it."""
    return _last_good(daemon).get("unfinished", False)


def install(daemon: Daemon, wanted: FileSet) -> str:
    """
    Install a set that :func:`refusal` has nothing against; let the daemon take it if it runs.

    Returns what was done, in words. Raises CommandExecutionError if the daemon does not take it, or the cluster would
    take it for failed; the files of before are then back.
    """
    before = {**files.snapshot(wanted), **(_last_good(daemon)["files"] if unfinished(daemon) else {})}
    was_running = units.settled(daemon.unit) == "active"
    was_well = was_running and not _complaint(daemon)
    ours, present = installed_before(daemon), {path for path, entry in wanted.items() if entry is not None}
    _remember(daemon, before, ours | present, unfinished=True)
    try:
        done = _install(daemon, wanted)
        if was_well:
            _prove(daemon)
    except (CommandExecutionError, OSError) as exc:
        _place(before)
        taken = _take_back(daemon) if was_running else ""
        _remember(daemon, {}, ours, unfinished=False)
        raise CommandExecutionError(f"{exc}\nThe files of before are back in place{taken}.") from exc
    _remember(daemon, {}, present, unfinished=False)
    return done


def forget(daemon: Daemon) -> None:
    """Keep no text of a set that was replaced long ago, as earlier releases did: there may be old keys in it."""
    if _last_good(daemon).get("files") and not unfinished(daemon):
        _remember(daemon, {}, installed_before(daemon), unfinished=False)


def _complaint(daemon: Daemon) -> str:
    return verdicts.complaint(daemon.agent) if daemon.agent else ""


def _prove(daemon: Daemon) -> None:
    """A set after which the cluster would restart the daemon, or move what depends on it, is no set to keep."""
    complaint = _complaint(daemon)
    # What the cluster has stopped meanwhile is none of these files' doing.
    if complaint and units.settled(daemon.unit) == "active":
        raise CommandExecutionError(
            f"{daemon.name} took the new files, and the cluster would take it for failed: {complaint}"
        )


def _install(daemon: Daemon, wanted: FileSet, again: bool = True) -> str:
    """Install a set, for whatever runs of the daemon: the cluster may stop it or start it anew meanwhile."""
    pid = units.main_pid(daemon.unit)
    try:
        return _hand_over(daemon, wanted) if pid else _put(daemon, wanted)
    except (CommandExecutionError, OSError):
        stands = units.settled(daemon.unit) in ("active", "inactive")
        if again and stands and units.main_pid(daemon.unit) != pid:
            return _install(daemon, wanted, again=False)
        raise


def _place(entries: FileSet) -> None:
    """Install a set, and have systemd read what is its own of that."""
    own = {path: entry for path, entry in entries.items() if _is_below(path, units.FILES)}
    stale = fileset.differences(files.snapshot(own), own)
    files.install(entries)
    if stale and units.systemd():
        units.systemctl("daemon-reload")


def _put(daemon: Daemon, wanted: FileSet) -> str:
    _place(wanted)
    if units.running(daemon.unit):  # started meanwhile, it may have read the files of before
        return _activate(daemon, wanted)
    return f"{daemon.name} is not running" + (": the cluster starts it" if daemon.name == "haproxy" else "")


def _hand_over(daemon: Daemon, wanted: FileSet) -> str:
    """Install a set and make the running daemon take it; returns what was done, in words."""
    if daemon.servers is None:
        _place(wanted)
        return _activate(daemon, wanted)
    with pool.drained(daemon.servers, wanted) as drained:
        _place(wanted)
        with pool.states_kept(daemon.servers, wanted):
            return "; ".join(filter(None, [drained, _activate(daemon, wanted)]))


def last_good_path(name: str) -> str:
    """Where what is remembered of a daemon's files is kept."""
    return f"{files.STATE}/last_good/{name}.json"


def installed_before(daemon: Daemon) -> set[str]:
    """The paths at which earlier runs have put the daemon's files (set of str); what else is there is not ours."""
    known = _last_good(daemon)
    return {*known.get("installed", known.get("files", ()))}


def _last_good(daemon: Daemon) -> dict[str, Any]:
    """
    What is remembered: {"files": {path: entry}, the set to go back to while one is "unfinished" (bool), "installed":
    the paths of the one that is there}; empty if there was none.
    """
    with contextlib.suppress(ValueError):
        known = json.loads(files.text(last_good_path(daemon.name)) or "{}")
        entries = {path: data and FileEntry(**data) for path, data in known.get("files", {}).items()}
        return {**known, "files": entries} if known else {}
    return {}


def _remember(daemon: Daemon, entries: FileSet, installed: Iterable[str], unfinished: bool) -> None:
    data = {path: entry and entry.data() for path, entry in entries.items()}
    content = json.dumps({"files": data, "installed": sorted(installed), "unfinished": unfinished}, indent=1)
    files.put_private(last_good_path(daemon.name), content + "\n")


def _take_back(daemon: Daemon) -> str:
    """Let a daemon that ran take the files that were put back; says how that went."""
    try:
        if units.settled(daemon.unit) == "failed":
            units.systemctl("start", daemon.unit)
        elif units.running(daemon.unit):
            _reload(daemon)
    except CommandExecutionError as exc:
        return f", but {daemon.name} did not take them: {exc}"
    return f", and {daemon.name} has taken them"


def _reload(daemon: Daemon) -> None:
    if daemon.name == "corosync":
        commands.succeed("corosync-cfgtool", "-R")
    else:
        units.systemctl("reload", daemon.unit)


def _activate(daemon: Daemon, wanted: FileSet) -> str:
    """Make a running daemon take its files; returns what was done, in words."""
    if daemon.name == "corosync":
        return corosync.take(_corosync_conf(wanted))
    haproxy = HAProxy(daemon.unit, "")
    if daemon.name == "haproxy" and haproxy.master():
        return _reload_by_master(daemon, haproxy)
    return _reload_workers(daemon)


def _reload_by_master(daemon: Daemon, haproxy: HAProxy) -> str:
    """Reload HAProxy, and see that a new worker serves; the master tells at once when it does not."""
    before = _processes(haproxy, lambda now: True, "of being asked")
    _reload(daemon)
    identity = operator.itemgetter("master", "reloads")
    now = _processes(haproxy, lambda now: identity(now) != identity(before), "of the reload")
    if now["failed"] or not set(now["workers"]) - set(before["workers"]):
        raise CommandExecutionError(f"HAProxy did not start with the new configuration:\n{units.journal(daemon.unit)}")
    return "haproxy was reloaded"


def _processes(haproxy: HAProxy, wanted: Callable[[dict[str, Any]], bool], since: str) -> dict[str, Any]:
    """What HAProxy's master says of its processes, once that is as wanted; it is away while it reloads."""

    def answer() -> dict[str, Any] | None:
        with contextlib.suppress(OSError):
            now = haproxy.processes()
            return now if wanted(now) else None
        return None

    now = waiting.wait_for(answer, RELOAD_SECONDS)
    if not now:
        raise CommandExecutionError(f"HAProxy's master did not answer within {RELOAD_SECONDS} s {since}")
    return now


def _reload_workers(daemon: Daemon) -> str:
    """
    Reload, and see that new workers listen where they should.

    A socket on ``*:80`` and one on ``address:80`` cannot both exist, so the master cannot go from one to the other by a
    reload: then the daemon is restarted.
    """
    in_the_way = [
        held for held in net.holders(daemon.listeners)
        if held["held"] != held["address"] and held["program"] == daemon.name
    ]
    if in_the_way:
        return _restart(daemon)
    before = processes.children(units.main_pid(daemon.unit))
    _reload(daemon)

    def taken() -> bool:
        return bool(processes.children(units.main_pid(daemon.unit)) - before) and not _not_listening(daemon)

    if waiting.wait_for(taken, RELOAD_SECONDS):
        return f"{daemon.name} was reloaded"
    if _not_listening(daemon):
        return _restart(daemon)
    raise CommandExecutionError(f"{daemon.name} has no new workers {RELOAD_SECONDS} s after the reload")


def _not_listening(daemon: Daemon) -> list[tuple[str, int]]:
    return sockets.missing(daemon.listeners, net.listeners())


def _restart(daemon: Daemon) -> str:
    with contextlib.suppress(CommandExecutionError):  # what counts is whether it listens
        units.systemctl("restart", daemon.unit)
    if not waiting.wait_for(lambda: units.running(daemon.unit) and not _not_listening(daemon), RELOAD_SECONDS):
        where = ", ".join(f"{address}:{port}" for address, port in _not_listening(daemon))
        raise CommandExecutionError(
            f"{daemon.name} does not listen on {where} after a restart:\n{units.journal(daemon.unit)}"
        )
    return f"{daemon.name} was restarted, because a reload cannot change where it listens in this way"
