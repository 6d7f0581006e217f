"""haproxy.cfg as data: sections in order, each with its lines. Words from pillar were checked in schema.py."""

from haproxy_ha_lib.values import bracketed


def model(settings):
    """
    Return the sections of haproxy.cfg for the minion of ``settings``.

    A list of {"type", "name" (None for global and defaults), "lines": [text, ...]}; nothing is sorted.
    """
    haproxy = settings["haproxy"]
    return [
        _section("global", None, haproxy["global"]),
        _section("defaults", None, haproxy["defaults"]),
        *(_section("frontend", name, _frontend(frontend)) for name, frontend in haproxy["frontends"].items()),
        *(
            _section("backend", name, _backend(backend, settings["app_servers"]))
            for name, backend in haproxy["backends"].items()
        ),
    ]


def _section(kind, name, lines):
    return {"type": kind, "name": name, "lines": list(lines)}


def _frontend(frontend):
    binds = [
        _words("bind", f"{bracketed(bind['address'])}:{bind['port']}", bind["options"]) for bind in frontend["bind"]
    ]
    last = [f"default_backend {frontend['default_backend']}"] if frontend["default_backend"] else []
    return [*binds, *frontend["options"], *last]


def _backend(backend, app_servers):
    return [*backend["options"], *(server_line(name, app_servers[name]) for name in backend["servers"])]


def server_line(name, server):
    """Return the `server` line of an app server."""
    weight = f"weight {server['weight']}" if server["weight"] is not None else ""
    backup = "backup" if server["backup"] else ""
    where = f"{bracketed(server['private_ip'])}:{server['port']}"
    return _words("server", name, where, "check", weight, backup, *server["options"])


def _words(*words):
    return " ".join(word for word in words if word)
