"""What a firewall has to let pass to this minion: pure data."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from haproxy_ha_lib import corosync
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.checks import EVERY_ADDRESS
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Rule


def rules(settings: Settings) -> list[Rule]:
    """
    Return the rules for the minion of ``settings``, in a fixed order.

    Each is {"port", "protocol", "from": [address, ...] or None for anywhere, "to": address or None for any address of
    this machine, "comment"}.
    """
    result = []
    if "load_balancer" in settings.roles:
        result += [*_corosync(settings), *_peers(settings), *_proxies(settings), *_metrics(settings)]
    if "app_server" in settings.roles:
        result += _application(settings)
    if "quorum_helper" in settings.roles:
        port = settings.quorum_helper[settings.minion_id].port
        result.append(_rule(port, "tcp", _balancers(settings), settings.me.private_ip, "quorum device"))
    return result


def _rule(port: int, protocol: str, sources: list[str] | None, to: str | None, comment: str) -> Rule:
    return {"port": port, "protocol": protocol, "from": sources, "to": to, "comment": f"haproxy_ha: {comment}"}


def _balancers(settings: Settings, but: str | None = None, key: str = "private_ip") -> list[str]:
    return [getattr(entry, key) for name, entry in settings.load_balancers.items() if name != but]


def _corosync(settings: Settings) -> Iterator[Rule]:
    for number, key in enumerate(corosync.link_addresses(settings.cluster)):
        peers = _balancers(settings, but=settings.minion_id, key=key)
        if peers:
            yield _rule(settings.cluster.port + number, "udp", peers, getattr(settings.me, key), "corosync")


def _peers(settings: Settings) -> Iterator[Rule]:
    peers = _balancers(settings, but=settings.minion_id)
    for name, section in settings.haproxy["peers"].items():
        if peers and section["port"]:
            yield _rule(section["port"], "tcp", peers, settings.me.private_ip, f"peers {name}")


def _proxies(settings: Settings) -> Iterator[Rule]:
    """What the world may reach: not what is bound to the private network or to loopback."""
    private = (settings.me.private_ip, settings.me.private_ipv6)
    for below, _, proxy in cfg.listening(settings.haproxy):
        said = cfg.title(below)
        for bind in proxy["bind"]:
            address = bind["address"]
            if address in EVERY_ADDRESS:
                yield _rule(bind["port"], "tcp", None, None, said)
            elif address and address not in private and not ipaddress.ip_address(address).is_loopback:
                yield _rule(bind["port"], "tcp", None, address, said)


def _metrics(settings: Settings) -> Iterator[Rule]:
    given = settings.monitoring
    for port, whose in ((given.haproxy_port, "HAProxy"), (given.cluster_port, "the cluster")):
        if given.sources:
            yield _rule(port, "tcp", [*given.sources], settings.me.private_ip, f"metrics of {whose}")


def _application(settings: Settings) -> Iterator[Rule]:
    """From the load balancers' addresses of the family that this machine has."""
    me = settings.me.private_ip or ""
    sources = [address for address in nginx.balancers(settings) if (":" in address) == (":" in me)]
    for port in nginx.ports(settings):
        yield _rule(port, "tcp", sources, me, "load balancers to the application")
