"""
The machines of a highly available HAProxy pair and its app servers: what each should be, and whether it is.

Every command, socket and file of the two HTTP tiers is touched here; what is decided about them is in the package
``haproxy_ha_lib``. :mod:`pacemaker` has the cluster, :mod:`digitalocean` the floating IP.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import logging
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

import requests
import salt.utils.yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_lib import fileset, layout, packet_filter, runtime, sockets
from haproxy_ha_lib import settings as lib_settings

log = logging.getLogger(__name__)

__virtualname__ = "haproxy_ha"

# Salt's own PATH may lack the directories of daemons.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STATE_DIR = "/var/lib/haproxy_ha"
# A run renders its files within about a second; settings older than this are made anew.
_SETTINGS_SECONDS = 10
_CLOCK_UNITS = ("chrony", "chronyd", "systemd-timesyncd", "ntpsec", "ntp", "ntpd", "openntpd")


def __virtual__():
    return __virtualname__


# Settings


def settings(saltenv=None):
    """
    Return what this minion should be: defaults, pillar, metadata and mine, merged and checked.

    saltenv : ``None``
        The environment whose defaults are read (str); the minion's own, else ``base``.

    Returns a dict with ``roles``, ``errors`` (texts that name the pillar path; all of them), and the settings of each
    tier. No secret is in it. Within a run it is made once for the same pillar.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.settings
    """
    saltenv = saltenv or __opts__.get("saltenv") or "base"
    pillar = __pillar__.get("haproxy_ha")
    key = hashlib.sha256(json.dumps([saltenv, __opts__["id"], pillar], default=str).encode()).hexdigest()
    made, result = __context__.get("haproxy_ha.settings", {}).get(key, (None, None))
    if made is None or time.monotonic() - made > _SETTINGS_SECONDS:
        result = _build_settings(pillar, saltenv)
        __context__["haproxy_ha.settings"] = {key: (time.monotonic(), result)}
    return result


def _build_settings(pillar, saltenv):
    try:
        defaults = _formula_data("defaults.yaml", saltenv)
        families = _formula_data("os_family.yaml", saltenv)
        family = families.get(__grains__.get("os_family"))
        if family is None:
            raise CommandExecutionError(
                f"grain os_family: found {__grains__.get('os_family')!r}, allowed: {', '.join(families)}"
            )
        return lib_settings.build(
            pillar, __opts__["id"], {**defaults, **family}, __salt__["digitalocean.metadata"],
            _mine(pillar),
        )
    except CommandExecutionError as exc:
        return {"minion_id": __opts__["id"], "roles": [], "errors": [str(exc)], "warnings": []}


def _formula_data(name, saltenv):
    """Read a data file of the formula from Salt's file server."""
    source = f"salt://haproxy_ha/{name}"
    path = __salt__["cp.cache_file"](source, saltenv=saltenv)
    if not path:
        raise CommandExecutionError(f"{source} is not on Salt's file server in the environment {saltenv}")
    with open(path, encoding="utf-8") as handle:
        return salt.utils.yaml.safe_load(handle)


def _mine(pillar):
    """What the machines in pillar last sent to the mine, by minion id; None unless pillar asks for it."""
    if not isinstance(pillar, dict) or pillar.get("mine") is not True:
        return None
    names = [
        name
        for tier in ("load_balancers", "app_servers")
        if isinstance(pillar.get(tier), dict)
        for name in pillar[tier]
    ]
    return __salt__["mine.get"](names, "haproxy_ha.addresses", tgt_type="list") or {}


def _valid_settings(saltenv=None):
    """The settings, or an exception with all errors."""
    current = settings(saltenv)
    if current["errors"]:
        raise CommandExecutionError("\n".join(current["errors"]))
    return current


def roles():
    """
    Return the roles that pillar gives this minion: ``load_balancer``, ``app_server``, both or none.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.roles
    """
    return settings()["roles"]


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
    url = (__pillar__.get("haproxy_ha") or {}).get("floating_ip", {}).get("metadata_url")
    known = __salt__["digitalocean.metadata"](url) if url else __salt__["digitalocean.metadata"]()
    return {key: known[key] for key in ("private_ip", "anchor_ip", "public_ip") if known.get(key)}


def generate_authkey():
    """
    Return a new authkey for pillar's ``haproxy_ha:cluster:authkey``: base64 of 256 random bytes, as many as
    corosync-keygen(8) makes.

    CLI Example:

    .. code-block:: bash

        salt-call --local haproxy_ha.generate_authkey
    """
    return base64.b64encode(secrets.token_bytes(256)).decode()


# Programs, processes and units


def _program(name):
    return shutil.which(name, path=_PATH)


def _run(argv, timeout=60, env=None):
    """Run a program that exists; return (exit code, output). A program that does not end in time is an error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HAPROXY_")}
    environment.update({"PATH": _PATH, "LC_ALL": "C", **(env or {})})
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout, env=environment, check=False,
        )
    except FileNotFoundError:
        raise CommandExecutionError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandExecutionError(f"{' '.join(argv)} did not end within {timeout} s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def _await(condition, timeout, interval=0.1):
    """Return the first true value of ``condition()``, or its last value when ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return found


def _systemctl(*arguments, timeout=120):
    code, output = _run(["systemctl", *arguments], timeout=timeout)
    if code:
        raise CommandExecutionError(output.strip() or f"systemctl {' '.join(arguments)} failed with {code}")


def _unit_property(unit, name):
    return _run(["systemctl", "show", "--property", name, "--value", f"{unit}.service"])[1].strip()


def _systemd():
    """Whether systemd is this machine's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def unit_running(unit):
    """
    Whether a unit runs (or is reloading).

    unit
        Name of the service, without ``.service`` (str).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.unit_running haproxy
    """
    return _systemd() and _unit_property(unit, "ActiveState") in ("active", "reloading")


def time_service():
    """
    Return the time synchronisation of this machine: ``{"unit", "active", "packages"}``.

    The one that runs; else the one of the formula, with the packages to install for it.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.time_service
    """
    ours = settings()
    unit = ours["services"]["time_sync"]
    others = [name for name in (unit, *_CLOCK_UNITS) if unit_running(name)]
    if others and others[0] != unit:
        return {"unit": others[0], "active": True, "packages": []}
    return {"unit": unit, "active": bool(others), "packages": ours["packages"]["time_sync"]}


def _children(pid):
    """The processes whose parent is ``pid``, with their command lines."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as handle:
                    parent = int(handle.read().rpartition(")")[2].split()[1])
                if parent == pid:
                    with open(f"/proc/{entry}/cmdline", encoding="utf-8", errors="replace") as handle:
                        children[int(entry)] = handle.read().replace("\0", " ").strip()
    return children


# Listeners


def listeners():
    """
    Return the machine's listening TCP sockets: ``[{"address", "port", "inode"}]``.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.listeners
    """
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as handle:
            found += sockets.parse(handle.read())
    return found


def port_holders(binds):
    """
    Return who listens where somebody else wants to: ``[{"address", "port", "holder", "program", "pid"}]``.

    binds
        List of ``[address, port]`` that are wanted. ``address``/``port`` of the answer are these, ``holder`` is the
        address that is held; ``program`` and ``pid`` are None where the kernel does not tell.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.port_holders '[["10.17.1.18", 80]]'
    """
    held = [
        (address, port, listener)
        for address, port in binds
        for listener in listeners()
        if listener["port"] == port and sockets.overlap(address, listener["address"])
    ]
    owners = _socket_owners({listener["inode"] for _, _, listener in held}) if held else {}
    holders = []
    for address, port, listener in held:
        pid, program = owners.get(listener["inode"], (None, None))
        holders.append(
            {"address": address, "port": port, "holder": listener["address"], "program": program, "pid": pid}
        )
    return holders


def _socket_owners(inodes):
    """Map the inodes of sockets to the (pid, program) that has them open."""
    names = {f"socket:[{inode}]": inode for inode in inodes}
    owners = {}
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inode = names.get(os.readlink(descriptor.path))
                    if inode is not None and inode not in owners:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as handle:
                            owners[inode] = (pid, handle.read().strip())
        if len(owners) == len(names):
            break
    return owners


def expected_listeners(daemon):
    """
    Return where a daemon listens by the settings: ``[[address, port], ...]``, for ``haproxy`` or ``nginx``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.expected_listeners haproxy
    """
    return _listeners_of(daemon, _valid_settings())


def blocked_ports(ignore=()):
    """
    Return who holds the ports that this minion's roles need, other than their own daemons; see :func:`port_holders`.

    ignore : ``()``
        Programs that may hold them too (list of str), because they are about to go.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.blocked_ports
    """
    ours = _valid_settings()
    blocked = []
    for role, daemon in (("app_server", "nginx"), ("load_balancer", "haproxy")):
        if role in ours["roles"]:
            holders = port_holders(_listeners_of(daemon, ours))
            blocked += [holder for holder in holders if holder["program"] not in (daemon, *ignore)]
    return blocked


# The files of daemons


def _wanted_files(daemon, ours, saltenv):
    """The set of files of a daemon, rendered: {path: entry}, entries as in haproxy_ha_lib.fileset."""
    entries = layout.daemon_files(ours)
    if daemon not in entries:
        raise SaltInvocationError(f"daemon: found {daemon!r}, allowed: {', '.join(entries)}")
    return {entry["path"]: _rendered(entry, saltenv) for entry in entries[daemon]}


def _rendered(entry, saltenv):
    if entry["kind"] == "absent":
        return None
    if entry["kind"] == "symlink":
        return {"link": entry["target"]}
    source = f"salt://haproxy_ha/files/{entry['template']}"
    path = __salt__["cp.cache_file"](source, saltenv=saltenv)
    if not path:
        raise CommandExecutionError(f"{source} is not on Salt's file server in the environment {saltenv}")
    with open(path, encoding="utf-8") as handle:
        content = layout.render(handle.read(), entry["model"])
    return {"content": content, **{key: entry[key] for key in ("mode", "user", "group")}}


def daemon_files(daemon, saltenv=None):
    """
    Return the files that a daemon of this minion should read, rendered.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{path: {"content", "mode", "user", "group"} or {"link"} or None}``; None: nothing may be there.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.daemon_files haproxy
    """
    ours = _valid_settings(saltenv)
    return _wanted_files(daemon, ours, _environment(saltenv))


def _environment(saltenv):
    return saltenv or __opts__.get("saltenv") or "base"


def plan_files(daemon, saltenv=None):
    """
    Return what :func:`apply_files` would do, and what the daemon says to it. Writes nothing.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{"changes": {path: {"old", "new"}}, "error": text or None, "unknown": text or None, "unfinished": bool}``.
    ``error`` is the daemon's own message if it refuses the new set; ``unknown`` says why it could not be asked;
    ``unfinished`` is True after a run that was killed between installing a set and the daemon taking it.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.plan_files haproxy
    """
    ours = _valid_settings(saltenv)
    wanted = _wanted_files(daemon, ours, _environment(saltenv))
    changes = fileset.differences(_snapshot(wanted), wanted)
    unfinished = _last_good(daemon).get("unfinished", False)
    error = unknown = None
    if changes or unfinished:
        if _program(_DAEMONS[daemon]["test"][0]):
            error = _refusal(daemon, ours, wanted)
        else:
            unknown = f"{daemon} is not installed yet; once it is, it checks these files before they are installed"
    return {"changes": changes, "error": error, "unknown": unknown, "unfinished": unfinished}


def apply_files(daemon, saltenv=None):
    """
    Install a daemon's files as one set: checked by the daemon, renamed into place, taken by the daemon if it runs, and
    taken back together if it does not take them.

    daemon
        ``haproxy``, ``nginx`` or ``corosync`` (str).
    saltenv : ``None``
        The environment whose templates are used (str); see :func:`settings`.

    Returns ``{"changes": {path: {"old", "new"}}, "action": text}``. Raises CommandExecutionError with the daemon's own
    message if it refuses the set; what was there before is then there again.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.apply_files haproxy
    """
    plan = plan_files(daemon, saltenv)
    for problem in (plan["error"], plan["unknown"]):
        if problem:
            raise CommandExecutionError(problem)
    if not plan["changes"] and not plan["unfinished"]:
        return {"changes": {}, "action": ""}
    ours = _valid_settings(saltenv)
    wanted = _wanted_files(daemon, ours, _environment(saltenv))
    before = _last_good(daemon)["files"] if plan["unfinished"] else _snapshot(wanted)
    _keep_last_good(daemon, before, unfinished=True)
    try:
        _install(wanted)
        action = _activate(daemon, ours)
    except (CommandExecutionError, OSError) as exc:
        _install(before)
        restored = _reactivate(daemon)
        _keep_last_good(daemon, before, unfinished=False)
        raise CommandExecutionError(f"{exc}\nThe files of before are back in place{restored}.") from exc
    _keep_last_good(daemon, before, unfinished=False)
    return {"changes": plan["changes"], "action": action}


def _reactivate(daemon):
    """Let a running daemon take the files that were put back; says so if even that fails."""
    unit = settings()["services"][daemon]
    if not unit_running(unit):
        return ""
    try:
        _DAEMONS[daemon]["reload"](unit)
    except CommandExecutionError as exc:
        return f", but {daemon} did not take them: {exc}"
    return f", and {daemon} has taken them"


def _snapshot(paths):
    """What is at each path now, as entries."""
    return {path: _read_entry(path) for path in paths}


def _read_entry(path):
    if os.path.islink(path):
        return {"link": os.readlink(path)}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
            content, status = handle.read(), os.fstat(handle.fileno())
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandExecutionError(f"{path}: {exc.strerror}") from exc
    return {
        "content": content,
        "mode": f"{status.st_mode & 0o7777:04o}",
        "user": __salt__["file.uid_to_user"](status.st_uid),
        "group": __salt__["file.gid_to_group"](status.st_gid),
    }


def _install(entries):
    for path, entry in entries.items():
        if not fileset.entry_equal(_read_entry(path), entry):
            _install_entry(path, entry)


def _install_entry(path, entry):
    """Replace what is at a path in one step: a reader sees the old or the new. The name before the rename begins with
    a dot, because daemons load whatever lies in their directories."""
    directory, name = os.path.split(path)
    if entry is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    os.makedirs(directory, mode=0o755, exist_ok=True)
    temporary = os.path.join(directory, f".{name}.haproxy_ha")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        if "link" in entry:
            os.symlink(entry["link"], temporary)
        else:
            _write_file(temporary, entry)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_file(path, entry):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
        handle.write(entry["content"])
        handle.flush()
        shutil.chown(path, entry.get("user", "root"), entry.get("group", "root"))
        os.fchmod(handle.fileno(), int(entry.get("mode", "0644"), 8))
        os.fsync(handle.fileno())


def _last_good_path(daemon):
    return f"{_STATE_DIR}/last_good/{daemon}.json"


def _last_good(daemon):
    """The set that was replaced last: ``{"files": {path: entry}, "unfinished": bool}``, or nothing."""
    try:
        with open(_last_good_path(daemon), encoding="utf-8") as handle:
            return json.load(handle)
    except (FileNotFoundError, ValueError):
        return {}


def _keep_last_good(daemon, files, unfinished):
    os.makedirs(_STATE_DIR, mode=0o700, exist_ok=True)
    content = json.dumps({"files": files, "unfinished": unfinished}, indent=1) + "\n"
    _install_entry(_last_good_path(daemon), {"content": content, "mode": "0600"})


def _refusal(daemon, ours, wanted):
    """
    What the daemon says against a set of files, or None.

    It sees the set where production has it: in a mount namespace of its own, a copy of its directory with the set in it
    lies over the real one, so that every path, include and relative name means what it will mean.
    """
    root, command = _DAEMONS[daemon]["root"], _DAEMONS[daemon]["test"]
    stage = tempfile.mkdtemp(prefix="haproxy_ha-", dir="/run" if os.access("/run", os.W_OK) else None)
    try:
        shutil.copytree(root, stage, symlinks=True, dirs_exist_ok=True)
        for path, entry in {**wanted, **_validation_files(daemon, ours)}.items():
            _install_entry(os.path.join(stage, os.path.relpath(path, root)), entry)
        code, output = _run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _OVERLAID, "sh",
                             stage, root, _program(command[0]), *command[1:]])
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return None if code == 0 else f"{daemon} refuses its new configuration:\n{fileset.daemon_message(output)}"


# $1 is laid over $2, then the rest is run: a constant text, and every value an argument.
_OVERLAID = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


def _validation_files(daemon, ours):
    """Files that a daemon wants to see when it checks the set, though another state installs them."""
    if daemon != "corosync":
        return {}
    return {ours["paths"]["corosync_authkey"]: {"content": "0" * 256, "mode": "0400"}}


# How daemons take their files


def _activate(daemon, ours):
    """Make a running daemon take its files; returns what was done, in words."""
    unit = ours["services"][daemon]
    if not unit_running(unit):
        return f"{daemon} is not running"
    return _DAEMONS[daemon]["activate"](unit, ours)


def _reload_unit(unit):
    _systemctl("reload", unit)


def _activate_haproxy(unit, ours):
    """Reload, and see that a new worker runs; the master says at once when it does not."""
    master_socket = "/run/haproxy-master.sock"
    if not os.path.exists(master_socket):
        return _activate_workers(unit, ours, "haproxy")
    before = runtime.parse_show_proc(_ask_socket(master_socket, "show proc"))
    _reload_unit(unit)

    def outcome():
        with contextlib.suppress(OSError):
            now = runtime.parse_show_proc(_ask_socket(master_socket, "show proc"))
            if now["reloads"] != before["reloads"]:
                return now
        return None

    now = _await(outcome, 15)
    if now is None:
        raise CommandExecutionError("HAProxy's master did not answer within 15 s of the reload")
    if now["failed"] or not set(now["workers"]) - set(before["workers"]):
        raise CommandExecutionError(f"HAProxy could not start a worker with the new configuration:\n{_journal(unit)}")
    return "HAProxy was reloaded"


def _activate_nginx(unit, ours):
    return _activate_workers(unit, ours, "nginx")


def _activate_workers(unit, ours, daemon):
    """
    Reload, and see that new workers listen where they should.

    A socket on ``*:80`` and one on ``address:80`` cannot both exist, so the master cannot go from one to the other by a
    reload: then the daemon is restarted.
    """
    expected = _listeners_of(daemon, ours)
    pid = int(_unit_property(unit, "MainPID") or 0)
    if [held for held in port_holders(expected) if held["holder"] != held["address"] and held["program"] == daemon]:
        return _restart(unit, daemon, expected)
    before = set(_children(pid))
    _reload_unit(unit)
    if _await(lambda: set(_children(pid)) - before and not sockets.missing(expected, listeners()), 10):
        return f"{daemon} was reloaded"
    return _restart(unit, daemon, expected)


def _restart(unit, daemon, expected):
    _systemctl("restart", unit)
    if not _await(lambda: unit_running(unit) and not sockets.missing(expected, listeners()), 10):
        raise CommandExecutionError(f"{daemon} does not listen where it should after a restart:\n{_journal(unit)}")
    return f"{daemon} was restarted, because a reload cannot change these listeners"


def _reload_corosync(_unit):
    code, output = _run(["corosync-cfgtool", "-R"])
    if code:
        raise CommandExecutionError(f"corosync did not reload its configuration:\n{output.strip()}")


def _activate_corosync(unit, ours):
    _reload_corosync(unit)
    return "corosync was reloaded"


def _journal(unit, lines=10):
    return _run(["journalctl", "--unit", unit, "--lines", str(lines), "--output", "cat", "--no-pager"])[1].strip()


def _listeners_of(daemon, ours):
    """Where a daemon listens by settings that are at hand; see :func:`expected_listeners`."""
    if daemon == "haproxy":
        binds = [bind for frontend in ours["haproxy"]["frontends"].values() for bind in frontend["bind"]]
        return [["0.0.0.0" if bind["address"] == "*" else bind["address"], bind["port"]] for bind in binds]
    if daemon == "nginx" and ours["nginx"]["site"]["enabled"]:
        return [[ours["me"]["private_ip"], ours["app_servers"][ours["minion_id"]]["port"]]]
    return []


_DAEMONS = {
    "haproxy": {
        "root": "/etc/haproxy",
        "test": ["haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg"],
        "reload": _reload_unit,
        "activate": _activate_haproxy,
    },
    "nginx": {
        "root": "/etc/nginx",
        "test": ["nginx", "-t", "-c", "/etc/nginx/nginx.conf"],
        "reload": _reload_unit,
        "activate": _activate_nginx,
    },
    "corosync": {
        "root": "/etc/corosync",
        "test": ["corosync", "-t", "-c", "/etc/corosync/corosync.conf"],
        "reload": _reload_corosync,
        "activate": _activate_corosync,
    },
}


# Before anything is touched


def preflight(ignore=()):
    """
    Return what is certain to stop a run on this minion, before it touches anything: a list of texts, empty when nothing
    is.

    ignore : ``()``
        Programs that may hold the ports too (list of str), because they are about to go.

    A port that another program holds; a floating IP that the API does not know, a token that it refuses, an API that
    does not answer. An API that cannot be reached is no error where the same address, token and URL worked before: an
    outage of the provider must not keep anybody from changing HAProxy's configuration.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.preflight
    """
    ours = _valid_settings()
    problems = []
    for held in blocked_ports(ignore):
        who = f"{held['program']} (process {held['pid']})" if held["program"] else "another program"
        problems.append(f"{who} listens on {held['holder']} port {held['port']}, which is wanted for {held['address']}")
    if "load_balancer" in ours["roles"] and ours["floating_ip"]["provider"] == "digitalocean":
        problems += _floating_ip_problems(ours)
    return problems


def _floating_ip_problems(ours):
    try:
        __salt__["digitalocean.reserved_ip"](ours["floating_ip"]["address"], timeout=10)
    except CommandExecutionError as exc:
        # The API answered, and said no.
        final = re.search(r"\b(?:400|401|403|404)\b", str(exc))
        if final or _floating_ip_mark(ours) != _read_text(_MARK):
            return [f"floating IP {ours['floating_ip']['address']}: {exc}"]
        log.warning("haproxy_ha: floating IP not checked: %s", exc)
    return []


_MARK = f"{_STATE_DIR}/floating_ip_checked"


def _floating_ip_mark(ours):
    """Stands for the address, token and URL, and tells none of them."""
    token = (__pillar__["haproxy_ha"].get("floating_ip") or {}).get("api_token")
    parts = [ours["floating_ip"][key] for key in ("address", "api_url", "ca_file")]
    return hashlib.sha256(json.dumps([*parts, token]).encode()).hexdigest()


def mark_floating_ip():
    """
    Remember that the API knows the floating IP with the present settings; see :func:`preflight`.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.mark_floating_ip
    """
    ours = _valid_settings()
    if "load_balancer" in ours["roles"] and ours["floating_ip"]["provider"] == "digitalocean":
        mark = _floating_ip_mark(ours)
        if _read_text(_MARK) != mark:
            os.makedirs(_STATE_DIR, mode=0o700, exist_ok=True)
            _install_entry(_MARK, {"content": mark, "mode": "0600"})


def _read_text(path):
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as handle:
        return handle.read()
    return None


# Files of single states


def page(saltenv=None):
    """
    Return the page of this app server: ``{path: entry}`` as :func:`daemon_files`; empty where it is off.

    saltenv : ``None``
        The environment whose template is used (str); see :func:`settings`.

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.page
    """
    entry = layout.page(_valid_settings(saltenv))
    return {entry["path"]: _rendered(entry, _environment(saltenv))} if entry else {}


def plan_entries(entries):
    """
    Return what :func:`install_entries` would change: ``{path: {"old", "new"}}``, secrets hidden.

    entries
        ``{path: entry}`` as :func:`daemon_files` returns it (dict); an entry with ``secret: true`` is never shown.

    CLI Example:

    .. code-block:: bash

        salt app-1 haproxy_ha.plan_entries '{"/tmp/x": null}'
    """
    return fileset.differences(_snapshot(entries), entries)


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
    for path in changes:
        if entries[path] is not None:
            os.makedirs(os.path.dirname(path), mode=int(directory_mode, 8), exist_ok=True)
        _install_entry(path, entries[path])
    return changes


# Packages


def hold_units(units):
    """
    Keep units from being started, until :func:`release_units` or the next boot. A unit that runs is left alone.

    units
        Names of services (list of str).

    Returns those that are held. ``systemctl mask --runtime`` is what a package's scripts respect.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.hold_units '[haproxy]'
    """
    held = [unit for unit in units if _systemd() and not unit_running(unit)]
    if held:
        os.makedirs(_HELD, mode=0o700, exist_ok=True)
        for unit in held:
            with open(os.path.join(_HELD, unit), "w", encoding="ascii"):
                pass
        _systemctl("mask", "--runtime", *(f"{unit}.service" for unit in held))
    return held


def release_units():
    """
    Let units be started again that :func:`hold_units` held, also in a run that was killed; returns them.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.release_units
    """
    held = held_units()
    if held:
        _systemctl("unmask", "--runtime", *(f"{unit}.service" for unit in held))
        for unit in held:
            os.unlink(os.path.join(_HELD, unit))
    return held


def held_units():
    """
    Return the units that :func:`hold_units` keeps from being started.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.held_units
    """
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(_HELD))
    return []


# As the masks themselves, this is gone after a boot.
_HELD = "/run/haproxy_ha/held"


# Proof


def verify():
    """
    Make the tutorial's probes from this minion, and return what they found.

    On an app server: 127.0.0.1 and the public address refuse, and the private address turns this machine away, because
    it answers load balancers only. On a load balancer: 127.0.0.1, its public and its private address refuse; the anchor
    IP answers; the app servers answer on their private addresses and refuse on their public ones; every server that is
    up gets its share of requests; the floating IP's owner, Pacemaker's active node and a running HAProxy agree.

    Returns ``{"result": bool, "checks": [{"check", "expected", "found", "result"}], "notes": [text]}``.

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.verify
    """
    ours = _valid_settings()
    checks, notes = [], []
    if "app_server" in ours["roles"]:
        checks += _verify_app_server(ours)
    if "load_balancer" in ours["roles"]:
        checks += _verify_binds(ours)
        found, said = _verify_servers(ours)
        checks += found
        notes += said
        checks += _verify_cluster(ours)
    return {"result": all(check["result"] for check in checks), "checks": checks, "notes": notes}


def verify_wait(timeout=60):
    """
    Make the probes of :func:`verify` until all find what they should, at most for a time; return the last outcome.

    timeout : ``60``
        In seconds (int).

    CLI Example:

    .. code-block:: bash

        salt '*' haproxy_ha.verify_wait 120
    """
    last = {}

    def passed():
        last.update(verify())
        return last["result"]

    _await(passed, float(timeout), 1.0)
    return last


def _check(check, expected, found, result):
    return {"check": check, "expected": expected, "found": str(found), "result": bool(result)}


def _closed(address, port):
    found = _connect(address, port)
    return _check(f"{address} port {port}", "refuses", found, found in ("refused", "timed out", "unreachable"))


def _answers(address, port, web=True):
    if not web:
        found = _connect(address, port)
        return _check(f"{address} port {port}", "connects", found, found == "connects")
    found = _get(address, port)
    well = isinstance(found, int) and found < 500 and found != 403
    return _check(f"http://{address}:{port}/", "answers", found, well)


def _connect(address, port, timeout=2.0):
    """What a connection attempt meets: connects, refused, timed out or unreachable."""
    try:
        with socket.create_connection((address, port), timeout):
            return "connects"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except OSError:
        return "unreachable"


def _get(address, port, timeout=5.0):
    """The status of ``GET /`` (int), or what went wrong (str)."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Connection": "close", "User-Agent": "haproxy_ha-verify"})
        return connection.getresponse().status
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except (OSError, http.client.HTTPException) as exc:
        return type(exc).__name__
    finally:
        connection.close()


def _verify_app_server(ours):
    private, public = ours["me"]["private_ip"], ours["me"]["public_ip"]
    port = ours["app_servers"][ours["minion_id"]]["port"]
    if not ours["nginx"]["site"]["enabled"]:
        return [_answers(private, port, web=False)]
    checks = [_closed(address, port) for address in ("127.0.0.1", public) if address]
    if "load_balancer" in ours["roles"]:
        return [*checks, _answers(private, port)]
    found = _get(private, port)
    return [*checks, _check(f"http://{private}:{port}/", "403 to what is no load balancer", found, found == 403)]


def _binds(ours):
    """HAProxy's binds that can be asked from here: (address, port, speaks HTTP, frontend)."""
    for frontend in ours["haproxy"]["frontends"].values():
        lines = [*ours["haproxy"]["defaults"], *frontend["options"]]
        modes = [line.split()[1] for line in lines if line.split()[:1] == ["mode"] and len(line.split()) > 1]
        for bind in frontend["bind"]:
            words = bind["options"].split()
            if "transparent" in words:
                continue
            address = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind["address"], bind["address"])
            yield address, bind["port"], modes[-1:] == ["http"] and not {"ssl", "accept-proxy"} & set(words), frontend


def _verify_binds(ours):
    served = _listeners_of("haproxy", ours)
    if "app_server" in ours["roles"]:
        served = [*served, *_listeners_of("nginx", ours)]
    checks = []
    for port in sorted({port for _, port, _, _ in _binds(ours)}):
        for address in ("127.0.0.1", ours["me"]["public_ip"], ours["me"]["private_ip"]):
            if address and not any(p == port and sockets.overlap(address, a) for a, p in served):
                checks.append(_closed(address, port))
    return [*checks, *(_answers(address, port, web) for address, port, web, _ in _binds(ours))]


def _verify_servers(ours):
    """The app servers as HAProxy sees them, and as this machine does; returns (checks, notes)."""
    path = ours["paths"]["haproxy_admin_socket"]
    try:
        before = _servers(path)
    except OSError as exc:
        return [_check(f"HAProxy's runtime API {path}", "answers", exc.strerror or exc, False)], []
    down = [server for server in before if not runtime.is_up(server)]
    notes = [f"{server['backend']}/{server['server']} is {server['status']} ({server['check']})" for server in down]
    checks = []
    for name, server in ours["app_servers"].items():
        if any(gone["server"] == name for gone in down):
            continue
        checks.append(_answers(server["private_ip"], server["port"]))
        if server["managed"] and server["public_ip"] and ours["nginx"]["site"]["enabled"]:
            checks.append(_closed(server["public_ip"], server["port"]))
    return [*checks, *_verify_shares(ours, path)], notes


def _verify_shares(ours, path):
    """Every server that is up gets requests, by HAProxy's own counters."""
    for address, port, web, frontend in _binds(ours):
        backend = ours["haproxy"]["backends"].get(frontend["default_backend"])
        rotating = not any(line.split()[0] == "balance" for line in (backend or {}).get("options", ()))
        if not web or not backend or not rotating or _get(address, port) != 200:
            continue
        before = {s["server"]: s for s in _servers(path) if s["backend"] == frontend["default_backend"]}
        turns = [name for name, s in before.items() if runtime.is_up(s) and s["weight"] and not s["backup"]]
        weights = [before[name]["weight"] for name in turns]
        requests = 2 * sum(weights) // min(weights) if turns else 0
        if not 0 < requests <= 500:
            continue
        for _ in range(requests):
            _get(address, port)
        after = {s["server"]: s["sessions"] for s in _servers(path) if s["backend"] == frontend["default_backend"]}
        shares = {name: after.get(name, 0) - before[name]["sessions"] for name in turns}
        found = ", ".join(f"{name} {share}" for name, share in shares.items())
        said = f"{requests} requests to {address}:{port}"
        yield _check(said, "every server that is up gets some", found, all(shares.values()))


def _servers(path):
    return runtime.parse_show_stat(_ask_socket(path, "show stat"))


def _ask_socket(path, command, timeout=5.0):
    """Ask HAProxy's runtime API or master CLI one command."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode("utf-8", "replace")


def _verify_cluster(ours):
    """The floating IP's owner, Pacemaker's active node and the nodes with a running HAProxy agree."""
    if "FloatIP" not in ours["cluster"]["configuration"].get("primitives", {}):
        return []
    try:
        found = status()
    except CommandExecutionError as exc:
        return [_check("Pacemaker", "answers", exc, False)]
    active, running = found["active"], found["haproxy"]
    checks = [
        _check("nodes with the floating IP", "exactly one", ", ".join(active) or "none", len(active) == 1),
        _check("HAProxy on the active node", "runs", ", ".join(running) or "nowhere", set(active) <= set(running)),
    ]
    if ours["floating_ip"]["provider"] == "digitalocean":
        try:
            owner = __salt__["digitalocean.reserved_ip"](ours["floating_ip"]["address"])["droplet_id"]
            mine = __salt__["digitalocean.metadata"](ours["floating_ip"]["metadata_url"])["droplet_id"]
            agrees = (owner == mine) == (ours["minion_id"] in active)
            said = f"droplet {owner}, {'this' if owner == mine else 'another'} machine; active: {', '.join(active)}"
            checks.append(_check("owner of the floating IP", "the active node", said, agrees))
        except CommandExecutionError as exc:
            checks.append(_check("owner of the floating IP", "the active node", exc, False))
    return checks


def status():
    """
    Return who is who in the cluster now.

    Returns ``{"active": [node], "haproxy": [node], "offline": [node], "failures": [...]}``: ``active`` are the nodes on
    which FloatIP runs (one, when all is well), ``haproxy`` those on which HAProxy runs.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.status
    """
    cluster = __salt__["pacemaker.status"]()
    resources = cluster["resources"]

    def nodes(wanted):
        found = [one for name, one in resources.items() if wanted in (name, *one["in"]) and one["active"]]
        return sorted({node for one in found for node in one["nodes"]})

    return {
        "active": nodes("FloatIP"),
        "haproxy": nodes("haproxy-clone"),
        "offline": sorted(name for name, node in cluster["nodes"].items() if not node["online"]),
        "failures": cluster["failures"],
    }


def failover(to=None, timeout=60):
    """
    Move the floating IP to another load balancer, and return when it is there.

    to : ``None``
        The load balancer that shall have it (str); by default one that has not, and runs HAProxy.
    timeout : ``60``
        How long the move may take, in seconds (int).

    Returns ``{"old": node, "new": node}``. The constraint that makes the move is taken away again at the end: nothing
    holds the address on the new node but stickiness. Stands for ``crm resource move FloatIP <node>`` and ``crm resource
    clear FloatIP``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.failover
    """
    before = status()
    old = before["active"][0] if before["active"] else None
    candidates = [node for node in before["haproxy"] if node != old]
    target = to or (candidates[0] if candidates else None)
    if target is None:
        raise CommandExecutionError(f"no other node runs HAProxy: the floating IP stays on {old}")
    if target == old:
        return {"old": old, "new": old}
    if target not in before["haproxy"]:
        raise CommandExecutionError(f"to: found {target!r}, allowed: {', '.join(candidates)}")
    try:
        __salt__["pacemaker.move"]("FloatIP", target, timeout=timeout)
    finally:
        __salt__["pacemaker.clear"]("FloatIP", timeout=timeout)
    return {"old": old, "new": target}


# Taking away


def remains(part):
    """
    Return what of a part is on this machine, for :func:`remove`.

    part
        ``cluster``, ``load_balancer`` or ``app_server``: what this formula has put there, known by its own files,
        whatever pillar says now; or ``nginx``: any nginx (str).

    Returns ``{"packages": [...], "units": [...], "kept": [...], "files": [...]}``, empty when nothing is there: packages
    to purge, services to stop, directories to keep a copy of, and files to delete.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remains cluster
    """
    ours = settings()
    if "paths" not in ours:
        raise CommandExecutionError("\n".join(ours["errors"]))
    traces = _traces(part, ours)
    if not traces.pop("here"):
        return {}
    installed = __salt__["pkg.list_pkgs"]()
    pattern = re.compile("|".join(traces["packages"]))
    return {
        "packages": [name for name in installed if pattern.fullmatch(name)],
        "units": [unit for unit in traces["units"] if __salt__["service.available"](unit)],
        "kept": [path for path in traces["kept"] if os.path.isdir(path)],
        "files": [path for path in traces["files"] if os.path.lexists(path)],
    }


def _traces(part, ours):
    paths, packages, services = ours["paths"], ours["packages"], ours["services"]
    nginx = {
        "packages": ["nginx(-.+)?", "libnginx-mod-.+"],
        "units": [services["nginx"]],
        "kept": [paths["nginx_dir"]],
        "files": [],
    }
    if part == "nginx":
        return {**nginx, "here": os.path.isdir(paths["nginx_dir"]) or __salt__["service.available"](services["nginx"])}
    if part == "app_server":
        return {**nginx, "here": os.path.exists(paths["nginx_site"])}
    if part == "load_balancer":
        return {
            "here": _MANAGED in (_read_text(paths["haproxy_cfg"]) or ""),
            "packages": [re.escape(name) for name in packages["haproxy"]],
            "units": [services["haproxy"]],
            "kept": [paths["haproxy_dir"]],
            "files": [paths["apt_sources"], paths["apt_keyring"]],
        }
    if part == "cluster":
        return {
            "here": os.path.isdir(paths["agents_dir"]),
            "packages": [re.escape(name) for name in packages["cluster"]],
            "units": [services["pacemaker"], services["corosync"]],
            "kept": [os.path.dirname(paths["corosync_conf"]), "/var/lib/pacemaker/cib"],
            "files": [os.path.dirname(_token_file(ours)), paths["agents_dir"], "/var/lib/pacemaker"],
        }
    raise SaltInvocationError(f"part: found {part!r}, allowed: cluster, load_balancer, app_server, nginx")


_MANAGED = "Managed by Salt (haproxy_ha)"


def _token_file(ours):
    return ours["floating_ip"]["token_file"]


def remove(part):
    """
    Take a part away that :func:`remains` found: services stopped, a copy of the configuration kept, packages purged.

    part
        As in :func:`remains` (str). ``cluster`` first moves the floating IP to another load balancer, if there is one.

    Returns ``{"changes": {thing: {"old", "new"}}, "kept": directory or None}``.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.remove cluster
    """
    found = remains(part)
    if not found:
        return {"changes": {}, "kept": None}
    if part == "cluster":
        _hand_over()
    changes = {}
    for unit in found["units"]:
        if unit_running(unit):
            _systemctl("stop", unit, timeout=600)
            changes[f"{unit}.service"] = {"old": "running", "new": "stopped"}
    kept = _keep_copies(part, found["kept"])
    if found["packages"]:
        __salt__["pkg.purge"](pkgs=found["packages"])
        left = [name for name in found["packages"] if name in __salt__["pkg.list_pkgs"]()]
        if left:
            raise CommandExecutionError(f"could not be purged: {', '.join(left)}; the configuration is kept in {kept}")
        changes.update({name: {"old": "installed", "new": None} for name in found["packages"]})
    for path in [*found["kept"], *found["files"]]:
        changes[path] = {"old": "present", "new": None}
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
    return {"changes": changes, "kept": kept}


def _hand_over():
    """Let another load balancer have the floating IP, if one can, before this one leaves."""
    try:
        if status()["active"] == [__salt__["pacemaker.node_name"]()]:
            failover()
    except CommandExecutionError as exc:
        log.warning("haproxy_ha: the floating IP is not handed over: %s", exc)


def _keep_copies(part, directories):
    """Copy directories to a place of their own, for root alone; returns it."""
    if not directories:
        return None
    target = f"{_STATE_DIR}/backup/{part}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    os.makedirs(target, mode=0o700)
    os.chmod(_STATE_DIR, 0o700)
    for directory in directories:
        shutil.copytree(directory, target + directory, symlinks=True)
    return target


# The package repository


def repository():
    """
    Return the files of the package repository that HAProxy comes from: ``{path: entry}`` as :func:`daemon_files`; empty
    where pillar names none.

    The key of ``key_url`` is fetched once: the file that is there stays.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.repository
    """
    ours = _valid_settings()
    wanted, paths = ours["haproxy"]["repository"], ours["paths"]
    if not wanted:
        return {}
    entries = {}
    option = "trusted=yes" if wanted["trusted"] else f"signed-by={paths['apt_keyring']}"
    if not wanted["trusted"]:
        key = wanted["key"] or _read_text(paths["apt_keyring"]) or _fetch(wanted["key_url"])
        entries[paths["apt_keyring"]] = _plain(key if key.endswith("\n") else key + "\n")
    line = f"deb [{option}] {wanted['uri']} {wanted['suite']} {' '.join(wanted['components'])}".rstrip()
    entries[paths["apt_sources"]] = _plain(f"# {_MANAGED}.\n{line}\n")
    return entries


def _plain(content):
    return {"content": content, "mode": "0644", "user": "root", "group": "root"}


def _fetch(url):
    try:
        answer = requests.get(url, timeout=20)
        answer.raise_for_status()
    except requests.RequestException as exc:
        raise CommandExecutionError(f"haproxy_ha:haproxy:repository:key_url: {exc}") from None
    return answer.text


# The firewall


def firewall_plan():
    """
    Return what is missing from the host's firewall, and which rules of ours should no longer be there.

    Returns ``{"add": [text], "remove": [text], "installed": bool, "active": bool}``; a text is a rule in the words of
    ufw(8) or nft(8).

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.firewall_plan
    """
    ours = _valid_settings()
    backend = _FIREWALLS[ours["firewall"]["backend"]]
    rules = [rule for entry in ours["firewall"]["rules"] for rule in backend["rules"](entry)]
    if not _program(backend["program"]):
        return {"add": [" ".join(rule) for rule in rules], "remove": [], "installed": False, "active": False}
    present, active = backend["present"]()
    wanted = {backend["name"](rule): rule for rule in rules}
    return {
        "add": [" ".join(rule) for name, rule in wanted.items() if name not in present],
        "remove": [name for name in present if name not in wanted],
        "installed": True,
        "active": active,
    }


def firewall_apply():
    """
    Add the rules that :func:`firewall_plan` misses, take those away that it finds too many, and return the plan.

    CLI Example:

    .. code-block:: bash

        salt primary haproxy_ha.firewall_apply
    """
    plan = firewall_plan()
    ours = _valid_settings()
    backend = _FIREWALLS[ours["firewall"]["backend"]]
    if not plan["installed"]:
        raise CommandExecutionError(f"{backend['program']} is not installed")
    rules = [rule for entry in ours["firewall"]["rules"] for rule in backend["rules"](entry)]
    backend["apply"]([rule for rule in rules if " ".join(rule) in plan["add"]], plan["remove"], rules)
    return plan


def _succeed(*argv):
    code, output = _run(list(argv))
    if code:
        raise CommandExecutionError(f"{' '.join(argv)}: {output.strip()}")
    return output


def _ufw_present():
    rules = packet_filter.ufw_present(_succeed("ufw", "show", "added"))
    return {shlex.join(rule): rule for rule in rules}, "inactive" not in _succeed("ufw", "status")


def _ufw_apply(add, remove, _all):
    for rule in add:
        _succeed("ufw", *rule)
    for rule in remove:
        _succeed("ufw", "delete", *shlex.split(rule))


def _nft_present():
    code, output = _run(["nft", "--json", "--handle", "list", "chain", *packet_filter.NFT_CHAIN])
    if code:
        raise CommandExecutionError(
            f"nftables has no chain {' '.join(packet_filter.NFT_CHAIN)} to put rules into; the distribution's "
            "/etc/nftables.conf has it, and `systemctl enable --now nftables` loads that"
        )
    return packet_filter.nft_present(output), True


def _nft_apply(add, remove, every):
    """The running rules, and the same for the next boot: a file that the distribution's configuration includes."""
    handles = _nft_present()[0]
    for name in remove:
        _succeed("nft", "delete", "rule", *packet_filter.NFT_CHAIN, "handle", str(handles[name]))
    for rule in add:
        _succeed("nft", "insert", "rule", *packet_filter.NFT_CHAIN, *rule)
    lines = [f"insert rule {' '.join(packet_filter.NFT_CHAIN)} {' '.join(rule)}" for rule in every]
    _install({_NFT_RULES: _plain("\n".join([f"# {_MANAGED}.", *lines]) + "\n")})
    configuration = _read_entry("/etc/nftables.conf")
    include = f'include "{_NFT_RULES}"'
    if configuration and include not in configuration["content"]:
        content = f"{configuration['content'].rstrip()}\n\n{include}\n"
        _install({"/etc/nftables.conf": {**configuration, "content": content}})


_NFT_RULES = "/etc/haproxy_ha/firewall.nft"
_FIREWALLS = {
    "ufw": {
        "program": "ufw", "rules": packet_filter.ufw_rules, "name": shlex.join,
        "present": _ufw_present, "apply": _ufw_apply,
    },
    "nftables": {
        "program": "nft", "rules": packet_filter.nft_rules, "name": packet_filter.nft_comment,
        "present": _nft_present, "apply": _nft_apply,
    },
}
