"""
What schema.py cannot say about one key alone: what must be there, fit together, or differ.

Each check takes the tree that schema.read returned and this minion's roles, and yields Problems.
"""

from haproxy_ha_lib import addresses, values
from haproxy_ha_lib.schema import ROOT
from haproxy_ha_lib.shape import Missing, Problem

EVERY_ADDRESS = ("*", "0.0.0.0", "::")


def all_of(read, roles):
    """Return the problems that every check finds, with the addresses filled in."""
    return [problem for check in CHECKS for problem in check(read, roles)]


def secrets(read, roles):
    """The secrets are for load balancers: other minions' pillar need not have them."""
    if "load_balancer" not in roles:
        return
    if addresses.on_digitalocean(read["floating_ip"]) and not read["floating_ip"]["api_token"]:
        text = "missing: a token of DigitalOcean's API that may read and write reserved IPs"
        yield Missing((ROOT, "floating_ip", "api_token"), text)
    if not read["cluster"]["authkey"]:
        text = "missing: run `salt-call haproxy_ha.generate_authkey` and put what it prints here"
        yield Missing((ROOT, "cluster", "authkey"), text)


def floating_ip(read, roles):
    """There is an address to move, of a kind that the provider can move."""
    floating, path = read["floating_ip"], (ROOT, "floating_ip", "address")
    if not floating["address"]:
        if not floating["agent"]:
            yield Missing(path, "missing: the address that moves")
    elif addresses.on_digitalocean(floating) and ":" in floating["address"]:
        yield Problem(path, f"found {floating['address']}, allowed: an IPv4 address (DigitalOcean's reserved IPs)")


def fencing(read, roles):
    """Only DigitalOcean's API powers load balancers off for us."""
    if read["cluster"]["fencing"]["enabled"] and not addresses.on_digitalocean(read["floating_ip"]):
        text = "found true, allowed with provider digitalocean; else bring a fence device in cluster:primitives"
        yield Problem((ROOT, "cluster", "fencing", "enabled"), text)


def repository(read, roles):
    """A repository has an address, a suite, and one proof of its packages."""
    given, path = read["haproxy"]["repository"], (ROOT, "haproxy", "repository")
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


def timing(read, roles):
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


def node_ids(read, roles):
    """Every node id is there once."""
    owners = {}
    for machine, entry in read["load_balancers"].items():
        first = owners.setdefault(entry["node_id"], machine)
        if first != machine:
            text = f"{entry['node_id']} is {first}'s too; give one of them another node_id"
            yield Problem((ROOT, "load_balancers", machine, "node_id"), text)


def one_family(read, roles):
    """knet's links are of one address family."""
    first = None
    for machine, entry in read["load_balancers"].items():
        family = entry["private_ip"] and ("IPv6" if ":" in entry["private_ip"] else "IPv4")
        first = first or family
        if family != first and family:
            text = f"found an {family} address, but those of other load balancers are {first}"
            yield Problem((ROOT, "load_balancers", machine, "private_ip"), text)


def distinct_addresses(read, roles):
    """No address is two machines', and the floating IP is none's."""
    owners = {read["floating_ip"]["address"]: (ROOT, "floating_ip", "address")}
    for table in ("load_balancers", "app_servers"):
        for machine, entry in read[table].items():
            for key in addresses.NAMES:
                path = (ROOT, table, machine, key)
                first = owners.setdefault(entry[key], path) if entry.get(key) else path
                same_machine = first[2:] == path[2:]
                # A droplet without an anchor IP has its public IP in its place.
                stands_in = first[1:3] == path[1:3] and {first[-1], path[-1]} == {"anchor_ip", "public_ip"}
                if not same_machine and not stands_in and not _share_a_host(read, first, path):
                    yield Problem(path, f"{entry[key]} is {':'.join(first)} too")


def _share_a_host(read, *paths):
    """Servers that are not ours may be several on one host; :func:`distinct_servers` compares their ports."""
    return all(path[1] == "app_servers" and not read["app_servers"][path[2]]["managed"] for path in paths)


def distinct_servers(read, roles):
    """No two app servers are one address and port."""
    owners = {}
    for machine, entry in read["app_servers"].items():
        first = owners.setdefault((entry["private_ip"], entry["port"]), machine)
        if first != machine and entry["private_ip"] and not entry["managed"]:
            text = f"{entry['private_ip']} port {entry['port']} is {first}'s too"
            yield Problem((ROOT, "app_servers", machine, "port"), text)


def proxy_names(read, roles):
    """Names of proxies are unique: HAProxy refuses two of one name from 3.3 on."""
    haproxy = read["haproxy"]
    for name in haproxy["backends"]:
        if name in haproxy["frontends"]:
            text = "a frontend has this name too; names are unique across frontends and backends"
            yield Problem((ROOT, "haproxy", "backends", name), text)


def references(read, roles):
    """Backends and app servers that are referred to exist."""
    haproxy, apps, path = read["haproxy"], read["app_servers"], (ROOT, "haproxy")
    for name, frontend in haproxy["frontends"].items():
        backend = frontend["default_backend"]
        if backend and backend not in haproxy["backends"]:
            text = f"there is no backend {backend}{values.did_you_mean(backend, haproxy['backends'])}"
            yield Problem((*path, "frontends", name, "default_backend"), text)
    for name, backend in haproxy["backends"].items():
        servers = backend["servers"] if isinstance(backend["servers"], list) else []
        for number, server in enumerate(servers):
            where = (*path, "backends", name, "servers", str(number))
            if server not in apps:
                yield Problem(where, f"there is no app server {server}{values.did_you_mean(server, apps)}")
            elif server in servers[:number]:
                yield Problem(where, f"{server} is in this backend already")


def binds(read, roles):
    """Every frontend listens somewhere, and no two on one address and port."""
    owners = {}
    for name, frontend in read["haproxy"]["frontends"].items():
        path = (ROOT, "haproxy", "frontends", name, "bind")
        if not frontend["bind"] and not any(line.startswith("bind ") for line in frontend["options"]):
            yield Missing(path, "missing or empty, required: at least one <address>:<port>")
        for number, bind in enumerate(frontend["bind"]):
            where = f"{values.bracketed(bind['address'])}:{bind['port']}"
            first = owners.setdefault(where, (name, number))
            if first != (name, number):
                yield Problem((*path, str(number)), f"{where} is bound by frontend {first[0]} already")


def port_clashes(read, roles):
    """On a machine in both roles, nginx and HAProxy want different sockets, and nginx is not to be removed."""
    haproxy = read["haproxy"]
    for machine, entry in read["app_servers"].items():
        if machine not in read["load_balancers"] or not entry["managed"]:
            continue
        if haproxy["remove_nginx"]:
            text = f"found true, but {machine} is an app server with nginx as well, allowed: false"
            yield Problem((ROOT, "haproxy", "remove_nginx"), text)
        for name, frontend in haproxy["frontends"].items():
            for bind in frontend["bind"]:
                overlaps = bind["address"] in ("private", entry["private_ip"], *EVERY_ADDRESS)
                if overlaps and bind["port"] == entry["port"]:
                    where = f"{bind['address']}:{bind['port']}"
                    text = f"found {entry['port']}, but frontend {name} on the same machine listens on {where}"
                    yield Problem((ROOT, "app_servers", machine, "port"), text)


CHECKS = (
    secrets,
    floating_ip,
    fencing,
    repository,
    timing,
    node_ids,
    one_family,
    distinct_addresses,
    distinct_servers,
    proxy_names,
    references,
    binds,
    port_clashes,
)
