"""How this machine and its pair stand now, asked of whoever knows: Pacemaker, HAProxy, the API, its own memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from salt.exceptions import CommandExecutionError

import saltext.pacemaker
from haproxy_ha_host import changes, commands, files, probes, provider, units
from haproxy_ha_host.cluster import operate
from haproxy_ha_host.haproxy.runtime import HAProxy
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import metrics
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.files.entry import owned_by_root
from haproxy_ha_lib.haproxy import runtime
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.errors import Failed
from saltext.pacemaker.live import machine, reading
from saltext.pacemaker.status import history


def find(minion: Minion) -> Tree:
    """Return what there is to tell (dict); see ``haproxy_ha_lib.overview.lay_out``."""
    settings = minion.valid_settings()
    found = {
        "minion": settings.minion_id, "version": saltext.pacemaker.__version__, "time": time.time(),
        "roles": list(settings.roles), "changed": changes.last(), **_NOTHING,
    }  # fmt: skip
    return {**found, **(_balancer(minion, settings) if "load_balancer" in settings.roles else _services(settings))}


_NOTHING: Tree = {
    "services": {}, "address": None, "addresses": {}, "cluster": {}, "nodes": [], "since": {}, "written": "",
    "haproxy": {}, "servers": [], "certificates": [], "certificate_ends": {}, "api": "", "fencing": "", "notes": [],
    "hindrances": [],
}  # fmt: skip


def write_metrics(minion: Minion, path: str | None) -> str:
    """Return what is told as metrics; write it to a file that all may read, if there is a path."""
    text = metrics.lay_out(find(minion))
    if path:
        files.put(path, owned_by_root(text))
    return text


def _balancer(minion: Minion, settings: Settings) -> Tree:
    cluster = _cluster(minion)
    haproxy = HAProxy(settings.services["haproxy"], settings.paths["haproxy_cfg"])
    servers = _or(lambda: probes.servers(haproxy), [])
    dated, ending = probes.certificates(settings)
    invalid = [probes.line(one) for one in dated if not one["result"]]
    api, fencing = _api(minion, settings), _fencing(minion, settings)
    down = [f"{row['backend']}/{row['server']}" for row in servers if not runtime.is_up(row)]
    ill = [text for text, well in (api, fencing) if text and not well]
    notes = [
        *cluster["notes"], *invalid, *ending,
        *([f"servers that get no requests: {', '.join(standing.some(down))}"] if down else []), *ill,
    ]  # fmt: skip
    return {
        "address": settings.moving[0].address,
        "addresses": {one.resource: list(one.addresses) for one in settings.moving},
        "cluster": cluster,
        "nodes": sorted(settings.load_balancers),
        **_of_cib(),
        "haproxy": _haproxy(haproxy),
        "servers": servers,
        "certificates": [*invalid, *ending],
        "certificate_ends": {one.name: one.ends for one in _or(haproxy.certificates, [])},
        "api": api[0],
        "fencing": fencing[0],
        "notes": notes,
        "hindrances": [*standing.present(cluster["notes"]), *ill],
    }


def _cluster(minion: Minion) -> Tree:
    """How the cluster stands; notes alone where it does not tell."""
    try:
        status = operate.status(minion)
        return status if commands.program("crm_mon") else {"notes": status["notes"]}
    except CommandExecutionError as exc:
        return {"notes": [f"{exc} (systemctl status corosync pacemaker; a run of haproxy_ha starts them)"]}


def _services(settings: Settings) -> Tree:
    """Whether what serves on a machine that is no load balancer runs."""
    wanted = [settings.services[service] for role, service in _OF_ROLES.items() if role in settings.roles]
    services = {service: units.running(service) for service in wanted}
    notes = [f"{name} does not run (systemctl status {name})" for name, runs in services.items() if not runs]
    return {"services": services, "notes": notes}


_OF_ROLES = {"app_server": "nginx", "quorum_helper": "quorum_helper"}


def _of_cib() -> Tree:
    """Since when resources run where they do, and who wrote the configuration last; nothing without a cluster."""
    try:
        cib = reading.tree(reading.text(machine.HERE))
    except Failed:
        return {"since": {}, "written": ""}
    since: dict[str, dict[str, int]] = {}
    for (resource, node), start in history.starts(cib).items():
        since.setdefault(resource, {})[node] = start
    return {"since": since, "written": history.last_written(cib)}


def _haproxy(haproxy: HAProxy) -> Tree:
    try:
        said = runtime.parse_show_info(haproxy.ask("show info"))
    except OSError as exc:
        return {"problem": exc.strerror or str(exc)}
    return {"version": said["Version"], "uptime": int(said["Uptime_sec"]), "connections": int(said["CurrConns"])}


def _api(minion: Minion, settings: Settings) -> tuple[str, bool]:
    """What the API says of the addresses, and whether it answers; "" without one."""
    if not provider.has_api(settings):
        return "", True
    apis, owners = minion.apis(settings), []
    for api in apis:
        which = "the address" if len(apis) == 1 else api.floating_ip.address
        try:
            owners.append(f"{which} is {api.owner()[1]}")
        except CommandExecutionError as exc:
            return f"the API does not tell who has {which}: {exc}", False
    return f"answers: {', '.join(owners)}", True


def _fencing(minion: Minion, settings: Settings) -> tuple[str, bool]:
    """Whether fencing would find each load balancer, and whether that is well; "" without it."""
    if not settings.cluster.fencing.enabled:
        return "", True
    try:
        found = provider.ask_fencing(minion, settings)
    except CommandExecutionError as exc:
        return f"fencing cannot be checked: {exc}", False
    return "; ".join([*found["problems"], found["unknown"]]).strip("; ") or "on", not found["problems"]


def _or(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What asking gives; something else where HAProxy does not answer."""
    try:
        return ask()
    except OSError:
        return otherwise
