"""Which files a daemon reads, and how a model becomes text."""

import jinja2

from haproxy_ha_lib import corosync, nginx
from haproxy_ha_lib.haproxy import cfg, runtime


def render(template_text, model):
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


def daemon_files(settings, secrets=None, own_log_format=True):
    """
    Return the files of each daemon of this minion: {"nginx": [...], "haproxy": [...], "corosync": [...]}.

    settings
        What build.settings returned, without errors.
    secrets
        What build.secrets returned, for the files that hold it. Default: None, for files that need none.
    own_log_format
        False: nginx has a log format of our name from elsewhere, and refuses a second one. Default: True.

    Each entry has a "path" and a "kind": "file" ("template", "model", "mode", "user", "group"), "text" ("content"
    instead of template and model), "joined" ("sources": files of this machine whose texts it is), "symlink" ("target")
    or "absent". A daemon that this minion does not run has an empty list. The page is not nginx's: see :func:`page`.
    """
    balancer, app = ("load_balancer" in settings["roles"]), ("app_server" in settings["roles"])
    return {
        "nginx": _nginx(settings, own_log_format) if app else [],
        "haproxy": _haproxy(settings, secrets) if balancer else [],
        "corosync": _corosync(settings) if balancer else [],
    }


def page(settings):
    """Return the entry of the page of an app server in the same form, or None where it is off."""
    model = nginx.model(settings)["page"] if "app_server" in settings["roles"] else None
    return model and _file(page_path(settings), "index.html.jinja", model)


def upgrades(settings):
    """
    Return the entries, in the same form, that have packages upgraded on one machine of a tier after the other; all
    absent where pillar wants none of them.
    """
    paths, roles = settings["paths"], settings["roles"]
    wanted = {}
    if "app_server" in roles:
        wanted[paths["apt_upgrade_drop_in"]] = ("upgrades_app.service.conf.jinja", "0644")
        wanted[paths["needrestart_nginx"]] = ("needrestart_nginx", "0755")
    if "load_balancer" in roles:
        wanted[paths["apt_upgrade_drop_in"]] = ("upgrades.service.conf.jinja", "0644")
        wanted[paths["apt_hooks"]] = ("apt_hooks.jinja", "0644")
        wanted[paths["needrestart"]] = ("needrestart.conf", "0644")
        wanted[paths["needrestart_haproxy"]] = ("needrestart_haproxy", "0755")
    if settings["upgrades"] != "in_turn":
        return [_absent(path) for path in wanted]
    model = _turns(settings)
    return [_file(path, template, model, mode) for path, (template, mode) in wanted.items()]


def _turns(settings):
    """An app server asks nobody: its day is by its place among those that are managed; one a week at least."""
    managed = sorted(name for name, server in settings["app_servers"].items() if server["managed"])
    me = settings["minion_id"]
    count = min(7, max(1, len(managed)))
    return {
        "program": f"{settings['paths']['agents_dir']}/upgrades.py",
        "count": count,
        "turn": managed.index(me) % count if me in managed else 0,
    }


def page_path(settings):
    """Where the page is."""
    return settings["nginx"]["page"]["document_root"].rstrip("/") + "/index.html"


def _file(path, template, model, mode="0644", group="root"):
    return {"path": path, "kind": "file", "template": template, "model": model,
            "mode": mode, "user": "root", "group": group}


def _nginx(settings, own_log_format):
    paths, model = settings["paths"], nginx.model(settings, own_log_format)
    http = paths["nginx_http"]
    entries = [_file(http, "nginx_http.conf.jinja", model["http"]) if model["http"] else _absent(http)]
    if not model["sites"]:
        return [*entries, _absent(paths["nginx_site_enabled"]), _absent(paths["nginx_site"])]
    return [
        *entries,
        _file(paths["nginx_site"], "nginx_sites.conf.jinja", model["sites"]),
        {"path": paths["nginx_site_enabled"], "kind": "symlink", "target": paths["nginx_site"]},
        _absent(paths["nginx_default_site_enabled"]),
    ]


def _absent(path):
    return {"path": path, "kind": "absent"}


def _haproxy(settings, secrets):
    """
    The configuration is not world-readable: it may hold passwords. The certificates are root's: HAProxy reads them
    before it becomes another user.
    """
    paths, model = settings["paths"], cfg.model(settings, secrets)
    states = {"path": paths["haproxy_server_states"], "kind": "absent"}
    if settings["haproxy"]["keep_server_states"]:
        # HAProxy checks it with its configuration. It holds states during a reload only (haproxy_ha_host.haproxy.pool).
        states = {**states, "kind": "text", "content": runtime.NO_STATES, "mode": "0644", "user": "root",
                  "group": "root"}
    return [
        states,
        *(_certificate(name, given, settings, secrets) for name, given in settings["haproxy"]["certificates"].items()),
        _file(paths["haproxy_cfg"], "haproxy.cfg.jinja", model, "0640", paths["haproxy_group"]),
    ]


def _certificate(name, given, settings, secrets):
    entry = {"path": cfg.certificate_path(settings["paths"], name), "mode": "0600", "user": "root",
             "group": "root", "secret": True}
    if given["certificate"]:
        return {**entry, "kind": "joined", "sources": [path for path in (given["certificate"], given["key"]) if path]}
    return {**entry, "kind": "text", "content": secrets["haproxy"]["certificates"][name]["pem"]}


def _corosync(settings):
    return [_file(settings["paths"]["corosync_conf"], "corosync.conf.jinja", corosync.model(settings))]
