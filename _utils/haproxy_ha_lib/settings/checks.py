"""
What schema.py cannot say about one key alone: what must be there, fit together, or differ.

Each check takes the tree that schema.read returned and this minion's roles, and yields Problems.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator
from typing import Any

from haproxy_ha_lib import provider, values
from haproxy_ha_lib.haproxy import cfg, edge
from haproxy_ha_lib.haproxy.sections import LINES, PROXIES
from haproxy_ha_lib.nginx import conf as nginx_conf
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing
from haproxy_ha_lib.settings import addresses, examples, floating, platform
from haproxy_ha_lib.settings import binds as places
from haproxy_ha_lib.types import Roles, Tree
from saltext.pacemaker import words
from saltext.pacemaker.cib import hidden
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path

_HAPROXY = (ROOT, "haproxy")
EVERY_ADDRESS = ("*", "0.0.0.0", "::")


def all_of(read: Tree, roles: Roles) -> list[Problem]:
    """Return the problems that every check finds, with the addresses filled in."""
    return [problem for check in CHECKS for problem in check(read, roles)]


def secrets(read: Tree, roles: Roles) -> Iterator[Problem]:
    """The secrets are for load balancers: other minions' pillar need not have them."""
    if "load_balancer" not in roles:
        return
    token = next(filter(None, (provider.of(one).token for one in floating.moving(read))), "")
    given = read["floating_ip"]
    if token and not given["api_token"] and not given["foreign_token"]:
        yield Missing((ROOT, "floating_ip", "api_token"), f"missing: {token}")
    if not read["cluster"]["authkey"]:
        text = "missing: run `salt-call --local haproxy_ha.generate_authkey` and put what it prints here"
        yield Missing((ROOT, "cluster", "authkey"), text)


def known_secrets(read: Tree, roles: Roles) -> Iterator[Problem]:
    """What an example has keeps nobody out."""
    if "load_balancer" in roles:
        yield from examples.of(read)


def fencing(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Not everyone who moves the address powers load balancers off as well."""
    if read["cluster"]["fencing"]["enabled"] and not provider.fencing(floating.moving(read)):
        able = " or ".join(name for name, one in provider.NAMED.items() if one.fence)
        text = f"found true, allowed with provider {able}; else bring a fence device in cluster:primitives"
        yield Problem((ROOT, "cluster", "fencing", "enabled"), text)
    for node in read["cluster"]["fencing"]["droplets"]:
        if node not in read["load_balancers"]:
            text = f"is no load balancer{words.did_you_mean(node, read['load_balancers'])}"
            yield Problem((ROOT, "cluster", "fencing", "droplets", node), text)


def quorum_helper(read: Tree, roles: Roles) -> Iterator[Problem]:
    """One third machine helps two load balancers or more."""
    helpers, balancers, path = read["quorum_helper"], read["load_balancers"], (ROOT, "quorum_helper")
    if len(helpers) > 1:
        yield Problem(path, f"found {len(helpers)} machines, allowed: one")
    for machine in helpers:
        if machine in balancers:
            yield Problem((*path, machine), "is a load balancer as well, allowed: a third machine")
    if helpers and len(balancers) == 1:
        yield Problem(path, "found one load balancer, allowed with at least two")
    device = read["cluster"]["quorum_device"]
    for role, key in (("quorum_helper", "helper_pem"), ("load_balancer", "balancer_pem")):
        if helpers and role in roles and device["tls"] and not device[key]:
            call = "salt-call --local haproxy_ha.generate_quorum_certificates"
            text = f"missing: run `{call}` and put what it prints here"
            yield Missing((ROOT, "cluster", "quorum_device", key), text)


def repository(read: Tree, roles: Roles) -> Iterator[Problem]:
    """A repository has an address, a suite, and one proof of its packages."""
    given, path = read["haproxy"]["repository"], (*_HAPROXY, "repository")
    if not given["uri"]:
        for key in ("suite", "key", "key_url", "trusted"):
            if given[key]:
                yield Missing((*path, "uri"), f"missing, but {key} is there")
        return
    if not given["suite"]:
        yield Missing((*path, "suite"), "missing: for example the distribution's code name")
    flat = (given["suite"] or "").endswith("/")  # sources.list(5): an exact path has no components
    if not given["components"] and not flat:
        yield Problem((*path, "components"), "empty, required: at least one, for example main")
    if given["components"] and flat:
        yield Problem((*path, "components"), "found some, allowed: none ([]), because the suite is a path")
    proofs = [key for key in ("key", "key_url", "trusted") if given[key]]
    if len(proofs) != 1:
        text = f"found {', '.join(proofs) or 'none'} of key, key_url and trusted, allowed: exactly one"
        yield Problem((*path, "key"), text)
    if given["trusted"] and not given["uri"].startswith("file:"):
        text = (
            "found true, allowed: only with a uri that begins with file:, because whoever is on the way could send "
            "packages; give key or key_url"
        )
        yield Problem((*path, "trusted"), text)
    if not given["packages"]:
        yield Problem((*path, "packages"), 'empty, required: at least one, for example haproxy; ["*"] for everything')


def timing(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Consensus below token is safe with exactly two nodes (corosync.conf(5)); a ping must be able to come back."""
    totem, path = read["cluster"], (ROOT, "cluster")
    token, consensus = totem["token"], totem["consensus"]
    if consensus is not None and consensus < token and len(read["load_balancers"]) != 2:
        text = f"found {consensus}, allowed: at least token ({token}) unless there are exactly two load balancers"
        yield Problem((*path, "consensus"), text)
    interval, timeout = totem["knet_ping_interval"], totem["knet_ping_timeout"]
    if timeout <= interval:
        text = f"found {timeout}, allowed: more than knet_ping_interval ({interval})"
        yield Problem((*path, "knet_ping_timeout"), text)


def node_ids(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Every node id is there once."""
    owners: dict[int, str] = {}
    for machine, entry in read["load_balancers"].items():
        first = owners.setdefault(entry["node_id"], machine)
        if first != machine:
            text = f"{entry['node_id']} is {first}'s too; give one of them another node_id"
            yield Problem((ROOT, "load_balancers", machine, "node_id"), text)


def one_family(read: Tree, roles: Roles) -> Iterator[Problem]:
    """knet's links are of one address family."""
    first = None
    for machine, entry in read["load_balancers"].items():
        family = entry["private_ip"] and ("IPv6" if ":" in entry["private_ip"] else "IPv4")
        first = first or family
        if family != first and family:
            text = f"found an {family} address, but those of other load balancers are {first}"
            yield Problem((ROOT, "load_balancers", machine, "private_ip"), text)


def distinct_addresses(read: Tree, roles: Roles) -> Iterator[Problem]:
    """No address is two machines', and a floating IP is none's."""
    owners: dict[str | None, Path] = dict(floating.places(read))
    for table in addresses.TABLES:
        for machine, entry in read[table].items():
            for key in addresses.NAMES:
                path: Path = (ROOT, table, machine, key)
                first = owners.setdefault(entry[key], path) if entry.get(key) else path
                same_machine = first[2:] == path[2:]
                # A droplet without an anchor IP has its public IP in its place.
                stands_in = first[1:3] == path[1:3] and {first[-1], path[-1]} == {"anchor_ip", "public_ip"}
                if not same_machine and not stands_in and not _share_a_host(read, first, path):
                    yield Problem(path, f"{entry[key]} is {':'.join(first)} too")


def _share_a_host(read: Tree, *paths: Path) -> bool:
    """Servers that are not ours may be several on one host; :func:`distinct_servers` compares their ports."""
    return all(path[1] == "app_servers" and not read["app_servers"][path[2]]["managed"] for path in paths)


def distinct_servers(read: Tree, roles: Roles) -> Iterator[Problem]:
    """No two app servers are one address and port."""
    owners: dict[tuple[str, int], str] = {}
    for machine, entry in read["app_servers"].items():
        first = owners.setdefault((entry["private_ip"], entry["port"]), machine)
        if first != machine and entry["private_ip"] and not entry["managed"]:
            text = f"{entry['private_ip']} port {entry['port']} is {first}'s too"
            yield Problem((ROOT, "app_servers", machine, "port"), text)


def reachable(read: Tree, roles: Roles) -> Iterator[Problem]:
    """A load balancer reaches an app server of ours from an address that nginx lets in: one of the same family."""
    managed = {machine: entry for machine, entry in read["app_servers"].items() if entry["managed"]}
    for machine, entry in managed.items():
        for balancer, node in read["load_balancers"].items():
            own = [node["private_ip"], node["private_ipv6"]]
            families = {":" in address for address in own if address}
            if entry["private_ip"] and node["private_ip"] and (":" in entry["private_ip"]) not in families:
                family = "IPv6" if ":" in entry["private_ip"] else "IPv4"
                text = f"found an {family} address, but the load balancer {balancer} has none in the private network"
                yield Problem((ROOT, "app_servers", machine, "private_ip"), text)


def proxy_names(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Names of proxies are unique: HAProxy refuses two of one name from 3.3 on."""
    haproxy = read["haproxy"]
    owners = {cfg.STATS: "the frontend of the statistics"} if cfg.stats_on(haproxy["stats"]) else {}
    owners |= {cfg.METRICS: "the frontend of the metrics"} if read["monitoring"]["sources"] else {}
    owners |= {name: "a stick table of limit_per_source" for name, _ in edge.tables(haproxy["limit_per_source"])}
    for kind, name, proxy in cfg.proxies(haproxy):
        first = owners.setdefault(name, f"a {kind}")
        if first != f"a {kind}" and not proxy["as_is"]:
            text = f"{first} has this name too; names are unique across listens, frontends and backends"
            yield Problem((*_HAPROXY, PROXIES[kind], name), text)


def own_names(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Sections of the formula's own have names of their own, where it has them."""
    haproxy = read["haproxy"]
    taken = {
        ("userlists", cfg.STATS): cfg.stats_on(haproxy["stats"]),
        ("sections", f"defaults {cfg.TCP}"): cfg.needs_tcp_defaults(haproxy),
    }
    for (table, name), is_ours in sorted(taken.items()):
        if is_ours and name in haproxy[table]:
            yield Problem((*_HAPROXY, table, name), "the formula has one of this name itself")


def order(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Sections that pillar orders are there, once."""
    haproxy, path = read["haproxy"], (*_HAPROXY, "order")
    tables = {**PROXIES, **LINES, "peers": "peers"}
    known = ["global", "defaults", *haproxy["sections"],
             *(f"{word} {name}" for word, table in tables.items() for name in haproxy[table])]
    for number, title in enumerate(haproxy["order"]):
        yield from _unknown("section", title, known, (*path, number))
        if title in haproxy["order"][:number]:
            yield Problem((*path, number), f"{title} is in this list already")


def markers(read: Tree, roles: Roles) -> Iterator[Problem]:
    """What an export has in place of a secret is none."""
    for tree in ("haproxy", "nginx"):
        for path in _marked(read[tree], (ROOT, tree)):
            text = ("found what an export has in place of a secret, allowed: the line as it was "
                    "(salt-call --local haproxy_ha.export secrets=True)")
            yield Problem(path, text)


def _marked(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, str) and hidden.MARKER in value and not value.lstrip().startswith("#"):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _marked(inner, (*path, key))


def peers(read: Tree, roles: Roles) -> Iterator[Problem]:
    """A section without a peer is dropped by HAProxy, with a warning."""
    for name, section in read["haproxy"]["peers"].items():
        if not section["port"] and not section["options"]:
            yield Missing((*_HAPROXY, "peers", name, "port"), "missing, and there are no options")


def modes(read: Tree, roles: Roles) -> Iterator[Problem]:
    """What is of HTTP alone stands where HTTP is spoken."""
    haproxy = read["haproxy"]
    for kind, name, proxy in cfg.proxies(haproxy):
        path, is_tcp = (*_HAPROXY, PROXIES[kind], name), cfg.mode(haproxy, proxy) == "tcp"
        if proxy["as_is"]:
            continue
        if is_tcp and proxy.get("redirect_to_https"):
            yield Problem((*path, "redirect_to_https"), "found true, but the mode is tcp, allowed: false")
        if is_tcp and (proxy.get("balance") or "").startswith(("uri", "url_param", "hdr(")):
            yield Problem((*path, "balance"), f"found {proxy['balance']}, but the mode is tcp: it looks at HTTP")
        backend = haproxy["backends"].get(proxy.get("default_backend"))
        if backend and not is_tcp and cfg.mode(haproxy, backend) == "tcp":
            text = f"found {proxy['default_backend']}, whose mode is tcp, but the mode of this frontend is http"
            yield Problem((*path, "default_backend"), text)


def references(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Backends, app servers, certificates and sections `defaults` that are referred to exist."""
    haproxy, apps = read["haproxy"], read["app_servers"]
    for kind, name, proxy in cfg.proxies(haproxy):
        path = (*_HAPROXY, PROXIES[kind], name)
        yield from _unknown("backend", proxy.get("default_backend"), haproxy["backends"], (*path, "default_backend"))
        yield from _unknown("section `defaults`", proxy["from"], cfg.named_defaults(haproxy), (*path, "from"))
        for number, certificate in enumerate(proxy.get("certificates", [])):
            where = (*path, "certificates", number)
            yield from _unknown("certificate", certificate, haproxy["certificates"], where)
        servers = proxy["servers"] if isinstance(proxy.get("servers"), list) else []
        for number, server in enumerate(servers):
            where = (*path, "servers", number)
            yield from _unknown("app server", server, apps, where)
            if server in servers[:number]:
                yield Problem(where, f"{server} is in this {kind} already")


def _unknown(kind: str, name: str | None, known: Collection[str], path: Path) -> Iterator[Problem]:
    if name and name not in known:
        yield Problem(path, f"there is no {kind} {name}{words.did_you_mean(name, known)}")


def served(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Who is asked has somebody who answers: a server, or a line of its own. Else every client gets 503."""
    haproxy, apps = read["haproxy"], read["app_servers"]
    asked = cfg.asked(haproxy)
    for kind, name, proxy in cfg.proxies(haproxy):
        who = {"listen": "it listens", "backend": asked.get(name)}.get(kind)
        if not who or not apps or proxy["as_is"] or cfg.servers_of(proxy, haproxy, apps) or cfg.answers(proxy, haproxy):
            continue
        found = "rest leaves none, because other proxies name them all" if proxy["servers"] == "rest" else "none"
        text = (
            f"{found}, but {who}; required: app_servers, rest or a list of names, or in options a line that answers, "
            "such as `server ...` or `http-request return ...`"
        )
        yield Missing((*_HAPROXY, PROXIES[kind], name, "servers"), text)


def binds(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Every proxy that listens does so somewhere, and no two on one address and port."""
    owners: dict[str, tuple[str, int]] = {}
    if read["monitoring"]["sources"]:
        port = read["monitoring"]["haproxy_port"]
        owners = {f"{address}:{port}": (cfg.METRICS, 0) for address in ("private", *EVERY_ADDRESS)}
    for below, name, proxy in cfg.listening(read["haproxy"]):
        path = (*_HAPROXY, *below, "bind")
        if not proxy["bind"] and not _has_raw_bind(proxy) and not proxy["as_is"]:
            yield Missing(path, "missing or empty, required: at least one <address>:<port>")
        for number, bind in enumerate(proxy["bind"]):
            where = f"{values.bracketed(bind['address'])}:{bind['port']}"
            taken = [owners.setdefault(f"{one}:{bind['port']}", (name, number)) for one in _meant(bind, read)]
            first = next((owner for owner in taken if owner != (name, number)), None)
            if first and not proxy["as_is"]:
                yield Problem((*path, number), f"{where} is bound by {first[0]} already")


def _meant(bind: Tree, read: Tree) -> list[str]:
    """What a bind's address stands for: floating IPs that are bound themselves, where others arrive, or itself."""
    word = bind["address"]
    those = places.meant(word, floating.moving(read)) or ()
    found = [address if provider.of(one).binds_address(None, address) else "anchor"
             for one in those for address in one.addresses]  # fmt: skip
    return found or [word]


def monitoring(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Metrics have ports of their own, and whoever may ask for them can reach the private addresses."""
    given, path = read["monitoring"], (ROOT, "monitoring")
    if given["haproxy_port"] == given["cluster_port"]:
        yield Problem((*path, "cluster_port"), f"found {given['cluster_port']}, which is haproxy_port's too")
    families = {":" in node["private_ip"] for node in read["load_balancers"].values() if node["private_ip"]}
    for number, source in enumerate(given["sources"]):
        if families and (":" in source) not in families:
            family = "IPv6" if ":" in source else "IPv4"
            text = f"found an {family} one, but the load balancers' private_ip are of the other family"
            yield Problem((*path, "sources", number), text)


def _has_raw_bind(proxy: Tree) -> bool:
    return any(line.startswith("bind ") for line in proxy["options"])


def certificates(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Each has one source, and is there on load balancers."""
    for name, one in read["haproxy"]["certificates"].items():
        path = (*_HAPROXY, "certificates", name)
        if one["key"] and not one["certificate"]:
            yield Missing((*path, "certificate"), "missing, but key is there")
        elif one["pem"] and one["certificate"]:
            yield Problem(path, "found both pem and certificate, allowed: one of them")
        elif not one["pem"] and not one["certificate"] and "load_balancer" in roles:
            yield Missing((*path, "pem"), "missing: certificate, chain and private key, or else the key certificate")


def tls(read: Tree, roles: Roles) -> Iterator[Problem]:
    """TLS has a certificate."""
    haproxy = read["haproxy"]
    for below, _, proxy in cfg.listening(haproxy):
        path = (*_HAPROXY, *below)
        for number, bind in enumerate(proxy["bind"]):
            lacks = cfg.has_tls(bind) and not cfg.has_certificate(bind)
            if lacks and not proxy["as_is"] and (below == ("stats",) or not cfg.certificates(haproxy, proxy)):
                text = "found ssl without a certificate: name one by `crt`" + (
                    "" if below == ("stats",) else ", or put one into haproxy_ha:haproxy:certificates"
                )
                yield Problem((*path, "bind", number), text)


def hsts(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Browsers take the header by TLS alone, and build in what hstspreload.org asks for alone."""
    for kind, name, proxy in cfg.proxies(read["haproxy"]):
        wanted = proxy.get("hsts") or {"max_age": None}
        path = (*_HAPROXY, PROXIES[kind], name, "hsts")
        if wanted["max_age"] is None:
            if any(wanted.values()):
                yield Missing((*path, "max_age"), "missing: how many seconds browsers keep to it, such as 31536000")
        elif cfg.mode(read["haproxy"], proxy) == "tcp":
            yield Problem(path, "found, but the mode is tcp: the header is HTTP's")
        elif not (any(cfg.has_tls(bind) for bind in proxy["bind"]) or _has_raw_bind(proxy)):
            yield Problem(path, "found, but no bind has ssl: browsers take the header by TLS alone")
        elif wanted["preload"] and (wanted["max_age"] < _A_YEAR or not wanted["include_subdomains"]):
            text = f"found true, allowed: with include_subdomains and a max_age of {_A_YEAR} at least"
            yield Problem((*path, "preload"), text)


_A_YEAR = 31_536_000


def statistics(read: Tree, roles: Roles) -> Iterator[Problem]:
    """What everybody can reach has a password."""
    stats = read["haproxy"]["stats"]
    if not cfg.stats_on(stats) or stats["password"] or "load_balancer" not in roles:
        return
    private = [node[key] for node in read["load_balancers"].values() for key in ("private_ip", "private_ipv6")]
    for bind in stats["bind"]:
        if bind["address"] not in ("private", "private_ipv6", *private) and not _is_loopback(bind["address"]):
            where = f"{bind['address']}:{bind['port']}"
            text = f"missing, but {where} is not only of the private network"
            yield Problem((*_HAPROXY, "stats", "password"), text)


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def port_clashes(read: Tree, roles: Roles) -> Iterator[Problem]:
    """On a machine in both roles, nginx and HAProxy want different sockets, and nginx is not to be removed."""
    haproxy = read["haproxy"]
    for machine, entry in read["app_servers"].items():
        if machine not in read["load_balancers"] or not entry["managed"]:
            continue
        if haproxy["remove_nginx"]:
            text = f"found true, but {machine} is an app server with nginx as well, allowed: false"
            yield Problem((*_HAPROXY, "remove_nginx"), text)
        for below, _, proxy in cfg.listening(haproxy):
            for bind in proxy["bind"]:
                overlaps = bind["address"] in ("private", entry["private_ip"], *EVERY_ADDRESS)
                if overlaps and bind["port"] == entry["port"]:
                    where = f"{bind['address']}:{bind['port']}"
                    text = f"found {entry['port']}, but {cfg.title(below)} on the same machine listens on {where}"
                    yield Problem((ROOT, "app_servers", machine, "port"), text)


def nginx_braces(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Raw lines leave the section they stand in as deep as they found it."""
    nginx, path = read["nginx"], (ROOT, "nginx")
    places = {(*path, "options"): nginx["options"], (*path, "site", "options"): nginx["site"]["options"]}
    places |= {(*path, "sites", name, "options"): site["options"] for name, site in nginx["sites"].items()}
    for where, lines in places.items():
        problem = nginx_conf.unbalanced(lines)
        if problem:
            yield Problem(where, problem)


def nginx_files(read: Tree, roles: Roles) -> Iterator[Problem]:
    """A path is a file or a link."""
    for path in read["nginx"]["links"]:
        if path in read["nginx"]["files"]:
            yield Problem((ROOT, "nginx", "links", path), "nginx:files has it as a file")


CHECKS = (
    secrets,
    known_secrets,
    *floating.CHECKS,
    fencing,
    quorum_helper,
    repository,
    timing,
    node_ids,
    one_family,
    distinct_addresses,
    distinct_servers,
    reachable,
    proxy_names,
    own_names,
    order,
    markers,
    peers,
    modes,
    references,
    served,
    binds,
    certificates,
    tls,
    hsts,
    statistics,
    monitoring,
    port_clashes,
    nginx_braces,
    nginx_files,
    platform.check,
)
