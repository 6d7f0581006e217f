"""Where the daemons of this minion have to listen."""

from __future__ import annotations

from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings

QNETD = "corosync-qnetd"

Listeners = tuple[tuple[str, int], ...]


def of(daemon: str, settings: Settings) -> Listeners:
    """
    Return the (address, port) that a daemon has to listen on; empty for one that this minion does not run.

    daemon
        Its name; ``haproxy``, ``nginx`` and :data:`QNETD` listen.
    settings
        What build.settings returned, without errors.
    """
    asked = _OF.get(daemon)
    return asked(settings) if asked else ()


def _of_haproxy(settings: Settings) -> Listeners:
    if "load_balancer" not in settings.roles:
        return ()
    binds = [bind for _, _, proxy in cfg.listening(settings.haproxy) for bind in proxy["bind"]]
    metrics = cfg.metrics_bind(settings)
    binds += [metrics] if metrics else []
    return tuple(("0.0.0.0" if bind["address"] == "*" else bind["address"], bind["port"]) for bind in binds)


def _of_nginx(settings: Settings) -> Listeners:
    address = settings.me.private_ip
    if "app_server" not in settings.roles or not nginx.has_sites(settings.nginx) or not address:
        return ()
    return tuple((address, port) for port in nginx.ports(settings))


def _of_qnetd(settings: Settings) -> Listeners:
    address = settings.me.private_ip
    if "quorum_helper" not in settings.roles or not address:
        return ()
    return ((address, settings.quorum_helper[settings.minion_id].port),)


_OF = {"haproxy": _of_haproxy, "nginx": _of_nginx, QNETD: _of_qnetd}
