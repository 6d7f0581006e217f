"""
The tutorial's probes, each made from the machine where the tutorial makes it.

A probe is ``{"check", "expected", "found", "result"}``. Settings are those of ``haproxy_ha_lib.settings``.
"""

import time

from haproxy_ha_host import net
from haproxy_ha_lib import runtime, sockets

_MOST_REQUESTS = 500
_COUNTING_SECONDS = 30


def probe(check, expected, found, result):
    """A probe, as it is reported."""
    return {"check": check, "expected": expected, "found": str(found), "result": bool(result)}


def _closed(address, port):
    found = net.connect(address, port)
    return probe(f"{address} port {port}", "refuses", found, found != "connects")


def _answers(address, port, web=True):
    if not web:
        found = net.connect(address, port)
        return probe(f"{address} port {port}", "connects", found, found == "connects")
    found = net.get(address, port)
    well = isinstance(found, int) and found < 500 and found != 403
    return probe(f"http://{address}:{port}/", "answers", found, well)


def app_server(ours):
    """Loopback and the public address refuse; the private address answers load balancers only, and this is none."""
    private, public = ours["me"]["private_ip"], ours["me"]["public_ip"]
    port = ours["app_servers"][ours["minion_id"]]["port"]
    if not ours["nginx"]["site"]["enabled"]:
        return [_answers(private, port, web=False)]
    closed = [_closed(address, port) for address in ("127.0.0.1", public) if address]
    if "load_balancer" in ours["roles"]:
        return [*closed, _answers(private, port)]
    found = net.get(private, port)
    return [*closed, probe(f"http://{private}:{port}/", "403 to what is no load balancer", found, found == 403)]


def balancer_addresses(ours, listening):
    """
    The addresses that HAProxy binds answer; loopback, the public and the private address refuse.

    listening
        The (address, port) that this machine's daemons are meant to listen on.
    """
    probes = []
    for port in sorted({port for _, port, _, _ in _binds(ours)}):
        for address in ("127.0.0.1", ours["me"]["public_ip"], ours["me"]["private_ip"]):
            if address and not any(p == port and sockets.overlap(address, a) for a, p in listening):
                probes.append(_closed(address, port))
    return [*probes, *(_answers(address, port, web) for address, port, web, _ in _binds(ours))]


def _binds(ours):
    """HAProxy's binds that can be asked from here: (address, port, speaks HTTP, frontend)."""
    for frontend in ours["haproxy"]["frontends"].values():
        lines = [line.split() for line in [*ours["haproxy"]["defaults"], *frontend["options"]]]
        modes = [words[1] for words in lines if words[0] == "mode" and len(words) > 1]
        for bind in frontend["bind"]:
            words = set(bind["options"].split())
            if "transparent" not in words:
                address = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind["address"], bind["address"])
                yield address, bind["port"], modes[-1:] == ["http"] and not {"ssl", "accept-proxy"} & words, frontend


def balancer_servers(ours):
    """
    The app servers that HAProxy sees up answer this machine on their private address and refuse on their public one,
    and each gets its share of requests.

    Returns (probes, notes); a note tells of a server that is not up.
    """
    path = ours["paths"]["haproxy_admin_socket"]
    try:
        present = _servers(path)
    except OSError as exc:
        return [probe(f"HAProxy's runtime API {path}", "answers", exc.strerror or exc, False)], []
    gone = [server for server in present if not runtime.is_up(server)]
    notes = [f"{server['backend']}/{server['server']} is {server['status']} ({server['check']})" for server in gone]
    probes = []
    for name, server in ours["app_servers"].items():
        if name not in {server["server"] for server in gone}:
            probes.append(_answers(server["private_ip"], server["port"]))
            if server["managed"] and server["public_ip"] and ours["nginx"]["site"]["enabled"]:
                probes.append(_closed(server["public_ip"], server["port"]))
    return [*probes, *_shares(ours, path)], notes


def _shares(ours, path):
    """Every server that is up gets requests, by HAProxy's own counters, where the algorithm takes turns."""
    for address, port, web, frontend in _binds(ours):
        name = frontend["default_backend"]
        backend = ours["haproxy"]["backends"].get(name)
        if not web or not backend or any(line.split()[0] == "balance" for line in backend["options"]):
            continue
        before = {one["server"]: one for one in _servers(path) if one["backend"] == name}
        turns = [one for one in before.values() if runtime.is_up(one) and one["weight"] and not one["backup"]]
        weights = [one["weight"] for one in turns]
        requests = 2 * sum(weights) // min(weights) if weights else 0
        if not 0 < requests <= _MOST_REQUESTS:
            continue
        deadline, made = time.monotonic() + _COUNTING_SECONDS, 0
        while made < requests and time.monotonic() < deadline:
            net.get(address, port)
            made += 1
        after = {one["server"]: one["sessions"] for one in _servers(path) if one["backend"] == name}
        shares = {one["server"]: after.get(one["server"], 0) - one["sessions"] for one in turns}
        found = ", ".join(f"{server} {share}" for server, share in shares.items())
        said = f"{made} requests to {address}:{port}"
        yield probe(said, "every server that is up gets some", found, all(share > 0 for share in shares.values()))


def _servers(path):
    return runtime.parse_show_stat(net.ask(path, "show stat"))


def agreement(active, running):
    """One node has the floating IP, and HAProxy runs on it. ``active`` and ``running`` are lists of node names."""
    here = ", ".join(running) or "nowhere"
    return [
        probe("nodes with the floating IP", "exactly one", ", ".join(active) or "none", len(active) == 1),
        probe("HAProxy on the active node", "runs", here, active and set(active) <= set(running)),
    ]
