"""What a firewall has to let pass to this minion: pure data."""

import ipaddress

WILDCARDS = ("*", "0.0.0.0", "::")


def rules(settings):
    """
    Return the rules for the minion of ``settings``, in a fixed order.

    Each is {"port", "protocol", "from": [address, ...] or None for anywhere, "to": address or None for any address of
    this machine, "comment"}.
    """
    result = []
    if "load_balancer" in settings["roles"]:
        result += _corosync(settings) + _frontends(settings)
    if "app_server" in settings["roles"]:
        result.append(_rule(settings["app_servers"][settings["minion_id"]]["port"], "tcp", _balancers(settings),
                            settings["me"]["private_ip"], "the load balancers to the application"))
    return result


def _rule(port, protocol, sources, to, comment):
    return {"port": port, "protocol": protocol, "from": sources, "to": to, "comment": f"haproxy_ha: {comment}"}


def _balancers(settings, but=None):
    return [machine["private_ip"] for name, machine in settings["load_balancers"].items() if name != but]


def _corosync(settings):
    peers = _balancers(settings, but=settings["minion_id"])
    if not peers:
        return []
    return [_rule(settings["cluster"]["port"], "udp", peers, settings["me"]["private_ip"], "corosync")]


def _frontends(settings):
    """What the world may reach: not what is bound to the private network or to loopback."""
    return [
        _rule(bind["port"], "tcp", None, None if bind["address"] in WILDCARDS else bind["address"], f"frontend {name}")
        for name, frontend in settings["haproxy"]["frontends"].items()
        for bind in frontend["bind"]
        if bind["address"] and bind["address"] != settings["me"]["private_ip"] and not _loopback(bind["address"])
    ]


def _loopback(address):
    return address not in WILDCARDS and ipaddress.ip_address(address).is_loopback
