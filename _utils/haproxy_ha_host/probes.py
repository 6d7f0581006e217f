"""
The tutorial's probes, each made from the machine where the tutorial makes it.

A probe is ``{"check", "expected", "found", "result"}``. Settings are those of ``haproxy_ha_lib.settings.build``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

from haproxy_ha_host import net, verdicts
from haproxy_ha_host.haproxy.runtime import HAProxy
from haproxy_ha_lib import net as sockets
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.haproxy import certificates as certs
from haproxy_ha_lib.haproxy import cfg, runtime
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree

Probe: TypeAlias = dict[str, Any]
Found = TypeVar("Found")

_MOST_REQUESTS = 500
_COUNTING_SECONDS = 30
_AT_ONCE = 32
CLOSED = "refuses"
"""What is expected of a port that nobody should find open."""


def probe(check: str, expected: str, found: object, result: object) -> Probe:
    """A probe, as it is reported."""
    return {"check": check, "expected": expected, "found": str(found), "result": bool(result)}


def line(made: Probe) -> str:
    """A probe as one line."""
    if made["result"]:
        return f"{made['check']}: {made['found']}"
    return f"{made['check']}: expected: {made['expected']}, found: {made['found']}"


def all_of(probes: Iterable[Callable[[], Found]]) -> list[Found]:
    """What probes (functions) find, made at the same moment: one that is not answered waits for seconds."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda make: make(), probes))


def judged(agent: verdicts.Agent) -> Probe:
    """The cluster does not take a resource that runs here for failed."""
    complaint = verdicts.complaint(agent)
    return probe(f"{agent.resource}, by its agent", "well", complaint or "well", not complaint)


def _closed(address: str, port: int) -> Probe:
    found = net.connect(address, port)
    return probe(f"{address} port {port}", CLOSED, found, found != "connects")


def _answers(address: str, port: int, web: bool = True, proxied: bool = False) -> Probe:
    if not web:
        met = net.connect(address, port)
        return probe(f"{address} port {port}", "connects", met, met == "connects")
    found = net.get(address, port, proxied=proxied)
    well = isinstance(found, int) and found < 500 and found != 403
    return probe(f"http://{address}:{port}/", "answers", found, well)


def _turned_away(address: str, port: int, proxied: bool) -> Probe:
    found = net.get(address, port, proxied=proxied)
    return probe(f"http://{address}:{port}/", "403 to what is no load balancer", found, found == 403)


def app_server(ours: Settings) -> list[Probe]:
    """Loopback and the public address refuse; the private address answers load balancers only, and this is none."""
    private, public = ours.me.private_ip or "", ours.me.public_ip
    if not nginx.has_sites(ours.nginx):
        port = ours.app_servers[ours.minion_id].port
        return [_answers(private, port, web=False)]
    probes, proxied = [], _proxied(ours)
    for port in nginx.ports(ours):
        probes += [partial(_closed, address, port) for address in ("127.0.0.1", public) if address]
        private_probe = _answers if "load_balancer" in ours.roles else _turned_away
        probes.append(partial(private_probe, private, port, proxied=proxied))
    return all_of(probes)


def _proxied(ours: Settings) -> bool:
    """Whether the app servers that are ours expect the PROXY protocol."""
    return ours.nginx["client_address"] == "proxy_protocol"


def balancer_addresses(ours: Settings, listening: Iterable[tuple[str, int]], serves: bool = True) -> list[Probe]:
    """
    The addresses that HAProxy binds answer; loopback, the public and the private address refuse.

    listening
        The (address, port) that this machine's daemons are meant to listen on.
    serves : ``True``
        False: HAProxy is not meant to run here now, so nothing is asked through it.
    """
    probes = []
    for port in sorted({port for _, port, _, _ in _binds(ours)}):
        for address in ("127.0.0.1", ours.me.public_ip, ours.me.private_ip):
            if address and not any(p == port and sockets.overlap(address, a) for a, p in listening):
                probes.append(partial(_closed, address, port))
    binds = _binds(ours) if serves else ()
    return all_of([*probes, *(partial(_answers, address, port, web) for address, port, web, _ in binds)])


def _binds(ours: Settings) -> Iterator[tuple[str, int, bool, tuple[str, Tree]]]:
    """HAProxy's binds that can be asked from here: (address, port, speaks HTTP, (name, proxy))."""
    for _, name, proxy in cfg.listening(ours.haproxy):
        http = cfg.mode(ours.haproxy, proxy) == "http"
        for bind in proxy["bind"]:
            words = set(bind["options"].split())
            if "transparent" not in words:
                address = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind["address"], bind["address"])
                web = http and not {"ssl", "accept-proxy"} & words and _serves_pages(proxy)
                yield address, bind["port"], web, (name, proxy)


# Without any of these HAProxy has nothing but 503, as at a frontend that is there for its `monitor-uri`.
_PAGES = {"default_backend", "use_backend", "server", "server-template", "dispatch", "stats", "redirect",
          "http-request"}  # fmt: skip


def _serves_pages(proxy: Tree) -> bool:
    """Whether there is more behind a proxy than HAProxy's own 503."""
    lines = {line.split()[0] for line in proxy["options"]}
    return bool("page" in proxy or proxy.get("default_backend") or proxy.get("servers") or lines & _PAGES)


def balancer_servers(ours: Settings) -> tuple[list[Probe], list[str]]:
    """
    The app servers that HAProxy sees up answer this machine on their private address and refuse on their public one,
    and each gets its share of requests.

    Returns (probes, notes); a note tells of a server that is not up.
    """
    haproxy = HAProxy(ours.services["haproxy"], ours.paths["haproxy_cfg"])
    try:
        present = servers(haproxy)
    except OSError as exc:
        return [probe("HAProxy's runtime API", "answers", exc.strerror or exc, False)], []
    gone = [server for server in present if not runtime.is_up(server)]
    notes = [f"{server['backend']}/{server['server']} is {server['status']} ({server['check']})" for server in gone]
    down = {(server["backend"], server["server"]) for server in gone}
    up = [place for place in _places(ours) if (place.backend, place.server) not in down]
    return [*all_of(_of_servers(ours, up)), *_shares(ours, haproxy)], standing.some(notes)


def app_servers(ours: Settings) -> tuple[list[Probe], list[str]]:
    """
    The same, asked without HAProxy, which does not run here: what no connection reaches is a note, as a server is that
    is not up.
    """
    places = _places(ours)
    found = all_of(partial(net.connect, place.address, place.port) for place in places)
    silent = [(place, said) for place, said in zip(places, found, strict=True) if said != "connects"]
    notes = [f"{place.backend}/{place.server} does not answer from here: {said}" for place, said in silent]
    up = [place for place, said in zip(places, found, strict=True) if said == "connects"]
    return all_of(_of_servers(ours, up)), standing.some(notes)


def certificates(ours: Settings) -> tuple[list[Probe], list[str]]:
    """
    The certificates that HAProxy uses count at this moment: all that it has read, wherever they stand.

    Returns (probes, notes); a note tells of one that ends soon.
    """
    try:
        found = HAProxy(ours.services["haproxy"], ours.paths["haproxy_cfg"]).certificates()
    except PermissionError as exc:
        return [], [f"until when certificates count, HAProxy does not say: {exc}"]
    except OSError:  # told by balancer_servers
        return [], []
    invalid = certs.invalid(found, time.time())
    answer = "; ".join(standing.some(invalid)) or f"all of {len(found)}"
    made = [probe("certificates", "count at this moment", answer, not invalid)] if found else []
    return made, standing.some(certs.ending(found, time.time()))


class _Place(NamedTuple):
    """Where a backend has an app server, and whether it speaks HTTP there."""

    backend: str
    server: str
    address: str
    port: int
    http: bool


def _places(ours: Settings) -> list[_Place]:
    """Where HAProxy reaches app servers, each once for each backend."""
    haproxy = ours.haproxy
    return [
        _Place(name, server, ours.app_servers[server].private_ip or "",
               proxy["port"] or ours.app_servers[server].port, cfg.mode(haproxy, proxy) == "http")
        for kind, name, proxy in cfg.proxies(haproxy)
        if kind != "frontend"
        for server in proxy["servers"]
    ]  # fmt: skip


def _of_servers(ours: Settings, places: Iterable[_Place]) -> Iterator[Callable[[], Probe]]:
    """The probes (functions) of app servers, made from a load balancer; one place is asked once."""
    for server, address, port, http in dict.fromkeys(place[1:] for place in places):
        machine = ours.app_servers[server]
        yield partial(_answers, address, port, http, proxied=cfg.sends_proxy(machine, ours))
        if machine.managed and machine.public_ip and nginx.has_sites(ours.nginx):
            yield partial(_closed, machine.public_ip, port)


def _shares(ours: Settings, haproxy: HAProxy) -> Iterator[Probe]:
    """Every server that is up gets requests, by HAProxy's own counters, where the algorithm takes turns."""
    for address, port, web, (name, proxy) in _binds(ours):
        name = proxy.get("default_backend") or name
        backend = ours.haproxy["backends"].get(name) or ours.haproxy["listens"].get(name)
        if not web or not backend or not _takes_turns(ours.haproxy, proxy, backend):
            continue
        before = {one["server"]: one for one in servers(haproxy) if one["backend"] == name}
        turns = [one for one in before.values() if runtime.is_up(one) and one["weight"] and not one["backup"]]
        weights = [one["weight"] for one in turns]
        requests = 2 * sum(weights) // min(weights) if weights else 0
        if not 0 < requests <= _MOST_REQUESTS:
            continue
        deadline, made = time.monotonic() + _COUNTING_SECONDS, 0
        while made < requests and time.monotonic() < deadline:
            net.get(address, port)
            made += 1
        after = {one["server"]: one["sessions"] for one in servers(haproxy) if one["backend"] == name}
        shares = {one["server"]: after.get(one["server"], 0) - one["sessions"] for one in turns}
        found = ", ".join(f"{server} {share}" for server, share in shares.items())
        said = f"{made} requests to {address}:{port}"
        yield probe(said, "every server that is up gets some", found, all(share > 0 for share in shares.values()))


# What sends some requests elsewhere, or to a server of its own choice.
_CHOOSES = ("balance", "redirect", "use_backend", "use-server", "http-request", "tcp-request", "stick", "cookie")


def _takes_turns(haproxy: Tree, proxy: Tree, backend: Tree) -> bool:
    """Whether every request through a proxy goes to the next server in turn, as far as the configuration tells."""
    lines = [*haproxy["defaults"], *proxy["options"], *backend["options"]]
    chosen = any(line.split()[0] in _CHOOSES for line in lines) or backend["from"] or proxy["redirect_to_https"]
    return not chosen and backend["balance"] in (None, "roundrobin")


def servers(haproxy: HAProxy) -> list[runtime.Row]:
    """The servers of a HAProxy, as ``runtime.parse_show_stat``; OSError if it does not answer."""
    return runtime.parse_show_stat(haproxy.ask("show stat"))


def quorum_helper(ours: Settings) -> list[Probe]:
    """The quorum helper's daemon answers on the private address, and not on the others."""
    address, port = ours.me.private_ip or "", ours.quorum_helper[ours.minion_id].port
    return [_answers(address, port, web=False), _closed("127.0.0.1", port)]


def agreement(addresses: Mapping[str, list[str]], running: list[str]) -> list[Probe]:
    """One node has each floating IP, and HAProxy runs on it. ``addresses``: its nodes; ``running``: HAProxy's."""
    here, active = ", ".join(running) or "nowhere", {node for nodes in addresses.values() for node in nodes}
    return [
        *(probe(f"nodes with {standing.spoken(name)}", "exactly one", ", ".join(nodes) or "none", len(nodes) == 1)
          for name, nodes in addresses.items()),
        probe(f"HAProxy on the active node{'s'[:len(active) > 1]}", "runs", here, active and active <= set(running)),
    ]  # fmt: skip
