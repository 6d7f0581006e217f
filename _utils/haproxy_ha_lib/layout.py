"""Which files a daemon reads, and how a model becomes text."""

import jinja2

from haproxy_ha_lib import corosync_conf, haproxy_cfg, nginx_conf


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


def daemon_files(settings, own_log_format=True):
    """
    Return the files of each daemon of this minion: {"nginx": [...], "haproxy": [...], "corosync": [...]}.

    settings
        What settings.build returned, without errors.
    own_log_format
        False: nginx has a log format of our name from elsewhere, and refuses a second one. Default: True.

    Each entry has a "path" and a "kind": "file" ("template", "model", "mode", "user", "group"), "symlink" ("target")
    or "absent". A daemon that this minion does not run has an empty list. The page is not nginx's: see :func:`page`.
    """
    balancer, app = ("load_balancer" in settings["roles"]), ("app_server" in settings["roles"])
    return {
        "nginx": _nginx(settings, own_log_format) if app else [],
        "haproxy": _haproxy(settings) if balancer else [],
        "corosync": _corosync(settings) if balancer else [],
    }


def page(settings):
    """Return the entry of the page of an app server in the same form, or None where it is off."""
    model = nginx_conf.model(settings)["page"] if "app_server" in settings["roles"] else None
    return model and _file(page_path(settings), "index.html.jinja", model)


def page_path(settings):
    """Where the page is."""
    return settings["nginx"]["page"]["document_root"].rstrip("/") + "/index.html"


def _file(path, template, model, mode="0644", group="root"):
    return {"path": path, "kind": "file", "template": template, "model": model,
            "mode": mode, "user": "root", "group": group}


def _nginx(settings, own_log_format):
    paths, model = settings["paths"], nginx_conf.model(settings)
    if not model["site"]:
        return [_absent(paths[key]) for key in ("nginx_log_format", "nginx_site_enabled", "nginx_site")]
    log_format = _file(paths["nginx_log_format"], "nginx_log_format.conf.jinja", model["log_format"])
    return [
        log_format if own_log_format else _absent(paths["nginx_log_format"]),
        _file(paths["nginx_site"], "nginx_site.conf.jinja", model["site"]),
        {"path": paths["nginx_site_enabled"], "kind": "symlink", "target": paths["nginx_site"]},
        _absent(paths["nginx_default_site_enabled"]),
    ]


def _absent(path):
    return {"path": path, "kind": "absent"}


def _haproxy(settings):
    """Not world-readable: raw lines may hold passwords."""
    paths, model = settings["paths"], haproxy_cfg.model(settings)
    return [_file(paths["haproxy_cfg"], "haproxy.cfg.jinja", model, "0640", paths["haproxy_group"])]


def _corosync(settings):
    return [_file(settings["paths"]["corosync_conf"], "corosync.conf.jinja", corosync_conf.model(settings))]
