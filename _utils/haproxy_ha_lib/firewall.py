"""What a firewall has to let pass to this minion: pure data."""

import ipaddress

from haproxy_ha_lib import corosync_conf
from haproxy_ha_lib.checks import EVERY_ADDRESS


def rules(settings):
    """
    Return the rules for the minion of ``settings``, in a fixed order.

    Each is {"port", "protocol", "from": [address, ...] or None for anywhere, "to": address or None for any address of
    this machine, "comment"}.
    """
    result = []
    if "load_balancer" in settings["roles"]:
        result += [*_corosync(settings), *_frontends(settings)]
    if "app_server" in settings["roles"]:
        result.append(_application(settings))
    return result


def _rule(port, protocol, sources, to, comment):
    return {"port": port, "protocol": protocol, "from": sources, "to": to, "comment": f"haproxy_ha: {comment}"}


def _balancers(settings, but=None, key="private_ip"):
    return [entry[key] for name, entry in settings["load_balancers"].items() if name != but]


def _corosync(settings):
    for number, key in enumerate(corosync_conf.link_addresses(settings["cluster"])):
        peers = _balancers(settings, but=settings["minion_id"], key=key)
        if peers:
            yield _rule(settings["cluster"]["port"] + number, "udp", peers, settings["me"][key], "corosync")


def _frontends(settings):
    """What the world may reach: not what is bound to the private network or to loopback."""
    for name, frontend in settings["haproxy"]["frontends"].items():
        for bind in frontend["bind"]:
            address = bind["address"]
            if address in EVERY_ADDRESS:
                yield _rule(bind["port"], "tcp", None, None, f"frontend {name}")
            elif address and address != settings["me"]["private_ip"] and not ipaddress.ip_address(address).is_loopback:
                yield _rule(bind["port"], "tcp", None, address, f"frontend {name}")


def _application(settings):
    port = settings["app_servers"][settings["minion_id"]]["port"]
    return _rule(port, "tcp", _balancers(settings), settings["me"]["private_ip"], "load balancers to the application")
