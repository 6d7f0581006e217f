"""What HAProxy and nginx read on this machine, as pillar."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import commands, processes, units
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.haproxy import export
from haproxy_ha_lib.nginx import conf as nginx_conf
from haproxy_ha_lib.nginx import export as nginx_export
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree

_DAEMONS = ("haproxy", "nginx")


@dataclass(frozen=True)
class _Places:
    """Where the daemons have what they read. Where neither pillar nor the formula's files are at hand: the usual."""

    cfg: str = "/etc/haproxy/haproxy.cfg"
    unit: str = "haproxy"
    nginx: str = "/etc/nginx"


def as_pillar(minion: Minion, path: str | None, secrets: bool, daemon: str | None = None) -> Tree:
    """
    Return the pillar of what HAProxy or nginx reads here, or of a file or directory, and notes; CommandExecutionError
    where a line cannot stand in pillar.
    """
    settings = minion.settings() if minion.tree() else None
    places = _places(settings)
    daemon = daemon or _meant(path, places)
    if daemon not in _DAEMONS:
        raise SaltInvocationError(f"daemon: found {daemon!r}, allowed: {', '.join(_DAEMONS)}")
    own = export.own_addresses(settings.me) if settings else {}
    of_daemon = _of_haproxy if daemon == "haproxy" else _of_nginx
    tree, notes = of_daemon(path, places, own, secrets)
    return {"haproxy_ha": {daemon: tree}, "notes": [*([] if own else [_UNKNOWN]), *notes]}


_UNKNOWN = (
    "Pillar has no address of this machine here (`salt-call --local` has no master's): those that differ between the "
    "machines stay as they are. Write anchor, private or public in their place."
)


def _places(settings: Settings | None) -> _Places:
    if settings is None:
        return _Places()
    return _Places(settings.paths["haproxy_cfg"], settings.services["haproxy"], settings.paths["nginx_dir"])


def _meant(path: str | None, places: _Places) -> str:
    """The daemon that a path is of, or whose configuration is here."""
    if path:
        return "nginx" if f"{os.path.abspath(path)}/".startswith(f"{places.nginx}/") else "haproxy"
    return "haproxy" if os.path.exists(places.cfg) or not os.path.isdir(places.nginx) else "nginx"


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError as exc:
        raise CommandExecutionError(f"{path} cannot be read: {exc}") from None


# HAProxy


def _of_haproxy(path: str | None, places: _Places, own: Mapping[str, str], secrets: bool) -> tuple[Tree, list[str]]:
    files = [file for given in ([path] if path else _read_by_service(places)) for file in _files(given)]
    text = "".join(map(_text, files))
    try:
        haproxy = export.pillar(text, export.BUILT_IN, own, secrets)
    except export.Unreadable as exc:
        raise CommandExecutionError(f"{', '.join(files)}: {exc}") from None
    return haproxy, [*export.notes(haproxy), *_several(files)]


def _read_by_service(places: _Places) -> list[str]:
    """What the HAProxy that runs reads (-f); without one, the file of its package."""
    words = processes.command_line(units.main_pid(places.unit))
    return [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-f"] or [places.cfg]


def _files(path: str) -> list[str]:
    """A file, or those of a directory that HAProxy reads, in its order (its management guide, 3)."""
    return sorted(glob.glob(f"{glob.escape(path)}/*.cfg"), key=os.fsencode) if os.path.isdir(path) else [path]


def _several(files: list[str]) -> list[str]:
    text = "The formula writes one file in place of these; take the others off HAProxy's command line (-f): "
    return [text + ", ".join(files)] if len(files) > 1 else []


# nginx


def _of_nginx(path: str | None, places: _Places, own: Mapping[str, str], secrets: bool) -> tuple[Tree, list[str]]:
    directory = places.nginx
    asked = _files_below(path) if path else _read_by_nginx(directory)
    real = {one: os.path.realpath(one) for one in asked}
    elsewhere = [one for one in asked if not path and not _below(directory, real[one])]
    carried = {one: file for one, file in real.items() if one not in elsewhere}
    try:
        nginx = nginx_export.pillar(_texts(directory, carried.values()), _links(directory, carried), own, secrets)
    except nginx_export.Unreadable as exc:
        raise CommandExecutionError(str(exc)) from None
    return nginx, [*nginx_export.notes(nginx), *_not_carried(directory, elsewhere)]


def _read_by_nginx(directory: str) -> list[str]:
    """
    The files that nginx reads, as it tells them itself, without those that are as their packages have brought them, so
    that they are on every machine.
    """
    code, output = commands.run([commands.program("nginx") or "nginx", "-T", "-c", f"{directory}/nginx.conf"])
    if code:
        raise CommandExecutionError(f"nginx refuses its configuration:\n{fileset.daemon_message(output)}")
    read, brought = nginx_conf.files_read(output), _of_packages()
    return [path for path in dict.fromkeys(read) if os.path.isfile(path) and not _is_brought(path, brought)]


def _of_packages() -> dict[str, str]:
    """The configuration files of packages and the MD5 sums that they came with."""
    if not commands.program("dpkg-query"):
        return {}
    _, output = commands.run(["dpkg-query", "--show", "--showformat=${Conffiles}\\n"])
    return dict(re.findall(r"^ (/\S+) ([0-9a-f]{32})", output, re.MULTILINE))


def _is_brought(path: str, brought: Mapping[str, str]) -> bool:
    """Debian's modules-enabled leads to files of modules below /usr/share."""
    real = os.path.realpath(path)
    if real.startswith("/usr/share/"):
        return True
    with open(real, "rb") as file:
        return brought.get(real) == hashlib.md5(file.read(), usedforsecurity=False).hexdigest()


def _files_below(path: str) -> list[str]:
    """A file, or those of a directory and of what is below it."""
    found = glob.iglob(f"{glob.escape(path)}/**", recursive=True) if os.path.isdir(path) else [path]
    return sorted(one for one in found if not os.path.isdir(one))


def _below(directory: str, path: str) -> str:
    """The path below nginx's directory; empty where it is not there."""
    return path.removeprefix(f"{directory}/") if path.startswith(f"{directory}/") else ""


def _texts(directory: str, files: Iterable[str]) -> dict[str, str]:
    texts = {file: _text(file) for file in files}
    return {
        _below(directory, file) or nginx_export.place(os.path.basename(file), text): text
        for file, text in texts.items()
    }


def _links(directory: str, files: Mapping[str, str]) -> dict[str, str]:
    """Links below nginx's directory as they are."""
    links = {_below(directory, path): path for path in files if os.path.islink(path)}
    return {place: os.readlink(path) for place, path in links.items() if place}


def _not_carried(directory: str, elsewhere: list[str]) -> list[str]:
    return [f"Not carried, because they are not below {directory}: {', '.join(elsewhere)}"] if elsewhere else []
