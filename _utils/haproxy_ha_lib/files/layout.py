"""Which files a daemon reads, and how a model becomes text."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import jinja2

from haproxy_ha_lib import corosync
from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.files.entry import FileEntry, FileSet, owned_by_root
from haproxy_ha_lib.haproxy import cfg, runtime, sandbox
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree


def filled(entry: FileEntry, template: Callable[[str], str], source: Callable[[str], str | None]) -> FileEntry:
    """
    Return an entry with its text.

    template
        Returns the text of a template by its name.
    source
        Returns the text of a file of this machine by its path.
    """
    if entry.template:
        return entry.with_content(render(template(entry.template), entry.model))
    return entry.with_content("".join(source(path) or "" for path in entry.sources)) if entry.sources else entry


def render(template_text: str, model: Any) -> str:
    """
    Return the text of a template (below haproxy_ha/files) with ``model``, which it sees under that name.

    Templates are laid out with Jinja alone, without Salt; an undefined name is an error (jinja2.UndefinedError).
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.from_string(template_text).render(model=model)


def daemon_files(
    settings: Settings, secrets: Tree | None = None, own_log_format: bool = True
) -> dict[str, FileSet]:
    """
    Return the files of each daemon of this minion: {"nginx": {path: entry}, "haproxy": ..., "corosync": ...}.

    settings
        What build.settings returned, without errors.
    secrets
        What build.secrets returned, for the files that hold it. Default: None, for files that need none.
    own_log_format
        False: nginx has a log format of our name from elsewhere, and refuses a second one. Default: True.

    Entries may have a template or sources in place of their text: see :func:`filled`. The set of a daemon that this
    minion does not run is empty. The page is not nginx's: see :func:`page`.
    """
    return {name: files_of(name, settings, secrets, own_log_format) for name in ("nginx", "haproxy", "corosync")}


def files_of(daemon: str, settings: Settings, secrets: Tree | None = None, own_log_format: bool = True) -> FileSet:
    """Return the files of one daemon, which needs no secrets of another's; see :func:`daemon_files`."""
    if daemon == "nginx":
        return _nginx(settings, own_log_format) if "app_server" in settings.roles else {}
    if "load_balancer" not in settings.roles:
        return {}
    return _haproxy(settings, secrets or {}) if daemon == "haproxy" else _corosync(settings)


def page(settings: Settings, hostname: str | None = None) -> FileSet:
    """
    Return the page of an app server in the same form; an empty set where it is off.

    hostname
        What the page calls this machine. Default: None, its minion id.
    """
    model = nginx.page(settings, hostname) if "app_server" in settings.roles else None
    return {page_path(settings): _made("index.html.jinja", model)} if model else {}


def upgrades(settings: Settings) -> FileSet:
    """
    Return the files, in the same form, that have packages upgraded on one machine of a tier after the other; there is
    none of them where pillar does not want it.
    """
    paths, roles = settings.paths, settings.roles
    wanted = {}
    if "app_server" in roles:
        wanted[paths["apt_upgrade_drop_in"]] = ("upgrades_app.service.conf.jinja", "0644")
        wanted[paths["needrestart_nginx"]] = ("needrestart_nginx", "0755")
    if "load_balancer" in roles:
        wanted[paths["apt_upgrade_drop_in"]] = ("upgrades.service.conf.jinja", "0644")
        wanted[paths["apt_hooks"]] = ("apt_hooks.jinja", "0644")
        wanted[paths["needrestart"]] = ("needrestart.conf", "0644")
        wanted[paths["needrestart_haproxy"]] = ("needrestart_haproxy", "0755")
    if settings.upgrades != "in_turn":
        return dict.fromkeys(wanted)
    model = _turns(settings)
    return {path: _made(template, model, mode) for path, (template, mode) in wanted.items()}


def repository(settings: Settings, key: str | None, pinned: bool | None) -> FileSet:
    """
    Return apt's entry for the repository of pillar, which has one.

    key
        What signs it; None: it is trusted.
    pinned
        Whether apt is kept from taking anything else from there; None: that stays as it is.
    """
    paths, wanted = settings.paths, settings.haproxy["repository"]
    option = f"signed-by={paths['apt_keyring']}" if key else "trusted=yes"
    line = f"deb [{option}] {wanted['uri']} {wanted['suite']} {' '.join(wanted['components'])}".rstrip()
    return {
        **({paths["apt_keyring"]: FileEntry(f"{key.rstrip()}\n", mode="0644")} if key else {}),
        **({} if pinned is None else {paths["apt_preferences"]: _pin(wanted) if pinned else None}),
        paths["apt_sources"]: FileEntry(f"# {fileset.MARK}.\n{line}\n", mode="0644"),
    }


# apt_preferences(5): below 0 a version is never installed, and 500 is what every other repository has.
_PIN = """\
Explanation: {mark}. From this repository comes what pillar names, and nothing else.
Package: *
Pin: origin "{host}"
Pin-Priority: -1

Package: {packages}
Pin: origin "{host}"
Pin-Priority: 500
"""


def _pin(wanted: Tree) -> FileEntry:
    host = repository_host(wanted["uri"])
    packages = " ".join(wanted["packages"])
    return FileEntry(_PIN.format(mark=fileset.MARK, host=host, packages=packages), mode="0644")


def repository_host(uri: str) -> str:
    """What apt calls the origin of a repository: its host, or nothing where it is on this machine."""
    return urllib.parse.urlsplit(uri).hostname or ""


def _turns(settings: Settings) -> Tree:
    """An app server asks nobody: its day is by its place among those that are managed; one a week at least."""
    managed = sorted(name for name, server in settings.app_servers.items() if server.managed)
    me = settings.minion_id
    count = min(7, max(1, len(managed)))
    return {
        "program": f"{settings.paths['agents_dir']}/upgrades.py",
        "count": count,
        "turn": managed.index(me) % count if me in managed else 0,
    }


def page_path(settings: Settings) -> str:
    """Where the page is."""
    return f"{settings.nginx['page']['document_root'].rstrip('/')}/index.html"


def _made(template: str, model: Any, mode: str = "0644", group: str = "root") -> FileEntry:
    return FileEntry(template=template, model=model, mode=mode, user="root", group=group)


def _nginx(settings: Settings, own_log_format: bool) -> FileSet:
    """The configuration is not world-readable: raw lines may hold passwords. nginx reads it as root."""
    own = {path: _nginx_lines({"lines": lines}) for path, lines in nginx.files(settings).items()}
    links = {path: FileEntry(link=target) for path, target in nginx.links(settings).items()}
    return {**_nginx_sites(settings, own_log_format), **own, **links}


def _nginx_lines(model: Tree) -> FileEntry:
    return _made("nginx_lines.conf.jinja", model, "0640")


def _nginx_sites(settings: Settings, own_log_format: bool) -> FileSet:
    paths, model = settings.paths, nginx.model(settings, own_log_format)
    http = {paths["nginx_http"]: _nginx_lines(model["http"]) if model["http"] else None}
    if not model["sites"]:
        return {**http, paths["nginx_site_enabled"]: None, paths["nginx_site"]: None}
    site, enabled = paths["nginx_site"], paths["nginx_site_enabled"]
    return {
        **http,
        site: _made("nginx_sites.conf.jinja", model["sites"], "0640"),
        **({enabled: FileEntry(link=site)} if enabled != site else {}),  # one file where nginx has conf.d alone
        paths["nginx_default_site_enabled"]: None,
    }


def _haproxy(settings: Settings, secrets: Tree) -> FileSet:
    """
    The configuration is not world-readable: it may hold passwords. HAProxy checks the file of states with it, which
    holds states during a reload only (haproxy_ha_host.haproxy.pool).
    """
    paths, haproxy, group = settings.paths, settings.haproxy, settings.groups["haproxy"]
    return {
        paths["haproxy_server_states"]: owned_by_root(runtime.NO_STATES) if haproxy["keep_server_states"] else None,
        **{
            cfg.certificate_path(paths, name): _certificate(name, given, secrets)
            for name, given in haproxy["certificates"].items()
        },
        paths["haproxy_drop_in"]: owned_by_root(sandbox.drop_in(fileset.MARK)) if haproxy["sandbox"] else None,
        paths["haproxy_cfg"]: _made("haproxy.cfg.jinja", cfg.model(settings, secrets), "0640", group),
    }


def _certificate(name: str, given: Tree, secrets: Tree) -> FileEntry:
    """Root's alone: HAProxy reads it before it becomes another user."""
    if not given["certificate"]:
        return owned_by_root(secrets["haproxy"]["certificates"][name]["pem"], "0600", secret=True)
    sources = tuple(path for path in (given["certificate"], given["key"]) if path)
    return FileEntry(sources=sources, mode="0600", user="root", group="root", secret=True)


def _corosync(settings: Settings) -> FileSet:
    return {settings.paths["corosync_conf"]: _made("corosync.conf.jinja", corosync.model(settings))}
