"""
The settings of one minion: pillar over defaults, checked, with every address it needs.

One pure function, :func:`build`. What is wrong is collected, not raised: a run shows all errors at once. No secret
is part of the result.
"""

import zlib

from haproxy_ha_lib import cluster, firewall, schema, values
from haproxy_ha_lib.schema import ROOT, Problem

ADDRESSES = ("private_ip", "public_ip", "anchor_ip")


def with_os_family(defaults, families, os_family):
    """
    Return ``defaults`` (defaults.yaml) with the part of ``families`` (os_family.yaml) for the grain ``os_family``.

    For a family that is not there :func:`build` reports an error.
    """
    return {**defaults, **families.get(os_family, {}), "os_family": os_family, "os_families": sorted(families)}


def build(pillar, minion_id, defaults, metadata=None, mine=None):
    """
    Return the settings of a minion.

    pillar
        The tree below ``haproxy_ha`` in pillar, or None where there is none.
    minion_id
        Id of the minion.
    defaults
        What :func:`with_os_family` returns.
    metadata
        What this machine's metadata service says: a mapping with private_ip, public_ip and anchor_ip, or a function
        that returns one. It is called at most once, and only if an address of this machine is left out of pillar; what
        it raises becomes part of the error. Default: None, there is no such service.
    mine
        What the mine function haproxy_ha.addresses returned: {minion id: mapping as above}. Default: None. It counts
        only with ``mine: true`` in pillar.

    Returns a mapping with errors and warnings (texts, by pillar path), minion_id, roles, me, load_balancers,
    app_servers, floating_ip, mine, verify, nginx, haproxy, cluster, firewall, packages, services and paths. With
    errors, the rest is incomplete.
    """
    read, problems = schema.read(schema.SCHEMA, pillar, defaults)
    lookup = _Lookup(read, minion_id, metadata, mine)
    balancers, apps = read["load_balancers"], read["app_servers"]
    roles = _roles(read, minion_id)
    for check in (_secrets, _floating_ip, _repository, _timing, _proxies, _nginx_removal):
        problems += check(read, roles)
    _share_addresses(balancers, apps, problems)
    lookup.fill(roles, problems)
    _node_ids(balancers, problems)
    problems += _distinct(read)
    problems += _port_clashes(read)
    problems += _one_family(balancers)
    if "packages" not in defaults:
        problems.append(Problem((ROOT,), f"the os_family {defaults.get('os_family')} is not supported, only "
                                + ", ".join(defaults.get("os_families", []))))

    settings = {
        "minion_id": minion_id,
        "roles": roles,
        "me": lookup.me(),
        "load_balancers": balancers,
        "app_servers": apps,
        "floating_ip": _without(read["floating_ip"], "api_token"),
        "mine": read["mine"],
        "verify": read["verify"],
        "nginx": read["nginx"],
        "packages": defaults.get("packages", {}),
        "services": defaults.get("services", {}),
        "paths": defaults.get("paths", {}),
    }
    settings["haproxy"] = _haproxy(read, settings["me"], problems if "load_balancer" in roles else [])
    settings["cluster"] = {key: inner for key, inner in read["cluster"].items()
                           if key != "authkey" and key not in schema.CONFIGURATION_SECTIONS}
    settings["cluster"]["configuration"], found = cluster.configuration(
        settings["floating_ip"], {key: read["cluster"][key] for key in schema.CONFIGURATION_SECTIONS})
    problems += found
    settings["firewall"] = {**read["firewall"], "rules": firewall.rules(settings)}
    settings["errors"] = [str(problem) for problem in sorted(set(problems), key=_order)]
    settings["warnings"] = lookup.warnings + _warnings(balancers)
    return settings


def _without(mapping, key):
    return {name: inner for name, inner in mapping.items() if name != key}


def _order(problem):
    """Paths in order, numbers of list entries as numbers."""
    return [(step.zfill(9) if isinstance(step, str) and step.isdigit() else str(step)) for step in problem.path], problem.text


def _roles(read, minion_id):
    roles = ["load_balancer"] if minion_id in read["load_balancers"] else []
    if read["app_servers"].get(minion_id, {}).get("managed"):
        roles.append("app_server")
    return roles


def digitalocean(floating_ip):
    """Return whether DigitalOcean's API moves the address."""
    return floating_ip["provider"] == "digitalocean" and not floating_ip["agent"]


# Addresses

class _Lookup:
    """Where the addresses come from that pillar leaves out: the metadata service for this machine, the mine for others."""

    def __init__(self, read, minion_id, metadata, mine):
        self.read, self.minion_id, self.metadata = read, minion_id, metadata
        self.mine = (mine or {}) if read["mine"] else None
        self.failure = "there is no metadata service"
        self.warnings = []
        self._own = None

    def machines(self):
        """Every machine as (path, mapping)."""
        for table in ("load_balancers", "app_servers"):
            for machine, settings in self.read[table].items():
                yield (ROOT, table, machine), settings

    def me(self):
        """What is known of this machine, from both tables."""
        mine = [settings for path, settings in self.machines() if path[2] == self.minion_id]
        return {key: next((settings[key] for settings in mine if settings.get(key)), None)
                for key in (*ADDRESSES, "node_id")}

    def fill(self, roles, problems):
        """Fill in the addresses that this minion needs; what stays unknown is a problem."""
        for path, machine in self.machines():
            own = path[2] == self.minion_id
            for key in self._needed(path, roles):
                if machine[key]:
                    continue
                machine[key], reason = self._from_metadata(key) if own else self._from_mine(path[2], key)
                if machine[key]:
                    continue
                if key == "public_ip":
                    self.warnings.append(f"{':'.join((*path, key))}: unknown, the page shows none: {reason}")
                else:
                    problems.append(Problem((*path, key), f"missing: {reason}; set it here"))

    def _needed(self, path, roles):
        _, table, machine = path
        own = machine == self.minion_id
        if not roles or (table == "app_servers" and not own and "load_balancer" not in roles):
            return []
        needed = ["private_ip"]
        if own and table == "load_balancers" and digitalocean(self.read["floating_ip"]):
            needed.append("anchor_ip")
        return [*needed, "public_ip"] if own else needed

    def _from_metadata(self, key):
        if self._own is None:
            self._own = self._ask()
        value = self._own.get(key)
        if value is None:
            return None, self.failure or "the metadata service does not know it"
        return _checked(value, "the metadata service")

    def _ask(self):
        if not callable(self.metadata):
            self.failure = self.failure if self.metadata is None else None
            return self.metadata or {}
        try:
            answer = self.metadata()
        except Exception as error:  # whatever stops the caller's function is the reason that the person needs
            self.failure = f"the metadata service did not answer ({error})"
            return {}
        self.failure = None
        return answer or {}

    def _from_mine(self, machine, key):
        if self.mine is None:
            return None, f"it is another machine's; {ROOT}:mine: true lets it come from the mine"
        value = (self.mine.get(machine) or {}).get(key)
        if value is None:
            return None, f"the mine has no {key} of {machine} (mine function haproxy_ha.addresses; salt {machine} mine.update)"
        return _checked(value, "the mine")


def _checked(value, source):
    try:
        return values.address(value), None
    except values.Invalid as error:
        return None, f"{source} says {values.describe(value)}, allowed: {error}"


def _share_addresses(balancers, apps, problems):
    """A machine in both tables has one set of addresses; each may be written in either."""
    for machine in balancers.keys() & apps.keys():
        for key in ("private_ip", "public_ip"):
            written = [table[machine][key] for table in (balancers, apps) if table[machine][key]]
            if len(set(written)) > 1:
                problems.append(Problem((ROOT, "app_servers", machine, key),
                                        f"found {written[1]}, but the same machine as a load balancer has {written[0]}"))
            balancers[machine][key] = apps[machine][key] = written[0] if written else None


def _node_ids(balancers, problems):
    """Give every load balancer its node id: pillar's, or one derived from its name, so that it never depends on position."""
    owners = {}
    for machine, settings in balancers.items():
        if settings["node_id"] is None:
            settings["node_id"] = zlib.crc32(machine.encode()) % 65535 + 1
        first = owners.setdefault(settings["node_id"], machine)
        if first != machine:
            problems.append(Problem((ROOT, "load_balancers", machine, "node_id"),
                                    f"{settings['node_id']} is {first}'s too; give one of them another node_id"))


def _distinct(read):
    """No address belongs to two machines, and the floating IP to none. Two unmanaged servers may share a host."""
    owners = {}
    if read["floating_ip"]["address"]:
        owners[read["floating_ip"]["address"]] = ((ROOT, "floating_ip", "address"), None)
    for table in ("load_balancers", "app_servers"):
        for machine, settings in read[table].items():
            for key in ADDRESSES:
                if not settings.get(key):
                    continue
                path = (ROOT, table, machine, key)
                first, owner = owners.setdefault(settings[key], (path, machine))
                shared_host = first[1] == table == "app_servers" and not settings["managed"] and not read[table][owner]["managed"]
                if shared_host and owner != machine and settings["port"] == read[table][owner]["port"]:
                    yield Problem((ROOT, table, machine, "port"),
                                  f"{settings[key]} port {settings['port']} is {owner}'s too")
                elif (owner != machine or first[3] != key) and not shared_host:
                    yield Problem(path, f"{settings[key]} is {':'.join(first)} too")


def _one_family(balancers):
    """knet's links are of one address family."""
    families = {":" in settings["private_ip"] for settings in balancers.values() if settings["private_ip"]}
    if len(families) > 1:
        yield Problem((ROOT, "load_balancers"), "private_ip: IPv4 and IPv6 mixed, allowed: one of them for all load balancers")


# What schema.py cannot say about one key alone

def _secrets(read, roles):
    """The secrets are for load balancers only; other minions' pillar need not have them."""
    if "load_balancer" not in roles:
        return
    if digitalocean(read["floating_ip"]) and not read["floating_ip"]["api_token"]:
        yield Problem((ROOT, "floating_ip", "api_token"), "missing: a token of DigitalOcean's API that may read and write reserved IPs")
    if not read["cluster"]["authkey"]:
        yield Problem((ROOT, "cluster", "authkey"), "missing: run `salt-call haproxy_ha.generate_authkey` and put what it prints here")


def _floating_ip(read, roles):
    floating = read["floating_ip"]
    path = (ROOT, "floating_ip", "address")
    if not floating["address"]:
        if not floating["agent"]:
            yield Problem(path, "missing: the address that moves")
    elif digitalocean(floating) and ":" in floating["address"]:
        yield Problem(path, f"found {floating['address']}, allowed: an IPv4 address (DigitalOcean's reserved IPs)")


def _repository(read, roles):
    repository, path = read["haproxy"]["repository"], (ROOT, "haproxy", "repository")
    if not repository["uri"]:
        for key in ("suite", "key", "key_url", "trusted"):
            if repository[key]:
                yield Problem((*path, "uri"), f"missing, but {key} is there")
        return
    if not repository["suite"]:
        yield Problem((*path, "suite"), "missing: for example the distribution's code name")
    proofs = [key for key in ("key", "key_url", "trusted") if repository[key]]
    if len(proofs) != 1:
        yield Problem(path, f"found {', '.join(proofs) or 'none'} of key, key_url and trusted, allowed: exactly one")


def _timing(read, roles):
    totem, path = read["cluster"], (ROOT, "cluster")
    if totem["consensus"] is not None and totem["consensus"] < totem["token"] and len(read["load_balancers"]) != 2:
        yield Problem((*path, "consensus"), f"found {totem['consensus']}, allowed: at least token ({totem['token']}) "
                      "unless there are exactly two load balancers")
    if totem["knet_ping_timeout"] <= totem["knet_ping_interval"]:
        yield Problem((*path, "knet_ping_timeout"), f"found {totem['knet_ping_timeout']}, allowed: more than "
                      f"knet_ping_interval ({totem['knet_ping_interval']})")


def _proxies(read, roles):
    """Names are unique (HAProxy 3.3 refuses two proxies of one name), and what is referred to exists."""
    frontends, backends = read["haproxy"]["frontends"], read["haproxy"]["backends"]
    path, seen = (ROOT, "haproxy"), {}
    for name in frontends.keys() & backends.keys():
        yield Problem((*path, "backends", name), "a frontend has this name too; names of proxies are unique")
    for name, frontend in frontends.items():
        backend = frontend["default_backend"]
        if backend and backend not in backends:
            yield Problem((*path, "frontends", name, "default_backend"),
                          f"there is no backend {backend}{values.did_you_mean(backend, backends)}")
        if not frontend["bind"] and not any(line.split()[0] == "bind" for line in frontend["options"]):
            yield Problem((*path, "frontends", name, "bind"), "missing or empty, required: at least one <address>:<port>")
        for number, bind in enumerate(frontend["bind"]):
            first = seen.setdefault((bind["address"], bind["port"]), name)
            if first != name or [_socket(other) for other in frontend["bind"]].index(_socket(bind)) != number:
                yield Problem((*path, "frontends", name, "bind", str(number)),
                              f"{bind['address']}:{bind['port']} is bound by frontend {first} already")
    for name, backend in backends.items():
        servers = backend["servers"] if isinstance(backend["servers"], list) else []
        for number, server in enumerate(servers):
            where = (*path, "backends", name, "servers", str(number))
            if server not in read["app_servers"]:
                yield Problem(where, f"there is no app server {server}{values.did_you_mean(server, read['app_servers'])}")
            elif server in servers[:number]:
                yield Problem(where, f"{server} is there twice")


def _socket(bind):
    return bind["address"], bind["port"]


def _nginx_removal(read, roles):
    """nginx cannot be removed from a machine that is an app server of ours too."""
    if read["haproxy"]["remove_nginx"]:
        for machine, settings in read["app_servers"].items():
            if machine in read["load_balancers"] and settings["managed"]:
                yield Problem((ROOT, "haproxy", "remove_nginx"), f"{machine} is an app server with nginx as well, allowed: false")


def _port_clashes(read):
    """On a machine in both roles, nginx and HAProxy must not want one port of one address."""
    for machine, server in read["app_servers"].items():
        if machine not in read["load_balancers"] or not server["managed"]:
            continue
        for name, frontend in read["haproxy"]["frontends"].items():
            for bind in frontend["bind"]:
                taken = bind["address"] in ("private", "*", "0.0.0.0", "::", server["private_ip"])
                if taken and bind["port"] == server["port"]:
                    yield Problem((ROOT, "app_servers", machine, "port"), f"found {server['port']}, but frontend {name} of "
                                  f"the same machine listens on {bind['address']}:{bind['port']}")


# HAProxy's part, with names replaced by what they stand for

def _haproxy(read, me, problems):
    haproxy = read["haproxy"]
    frontends = {}
    for name, frontend in haproxy["frontends"].items():
        binds = []
        for number, bind in enumerate(frontend["bind"]):
            binds.append(_resolved(bind, me, read["floating_ip"]))
            if not binds[-1]["address"] and bind["address"] == "public":
                problems.append(Problem((ROOT, "haproxy", "frontends", name, "bind", str(number)),
                                        "the public IP of this machine is unknown"))
        frontends[name] = {**frontend, "bind": binds}
    backends = {}
    for name, backend in haproxy["backends"].items():
        servers = backend["servers"]
        backends[name] = {**backend, "servers": list(read["app_servers"]) if servers == "app_servers" else servers or []}
    repository = haproxy["repository"] if haproxy["repository"]["uri"] else None
    return {**haproxy, "repository": repository, "frontends": frontends, "backends": backends}


def _resolved(bind, me, floating_ip):
    """Replace the words anchor, private and public. Without an anchor IP, HAProxy binds the floating IP itself,
    `transparent`, because only the active node has it."""
    word = bind["address"]
    address, options = me.get(f"{word}_ip") if word in ("anchor", "private", "public") else word, bind["options"]
    if word == "anchor" and not address and not digitalocean(floating_ip):
        address = floating_ip["address"]
        options = options if "transparent" in options.split() else f"transparent {options}".strip()
    return {"address": address, "port": bind["port"], "options": options}


def _warnings(balancers):
    return [f"{ROOT}:load_balancers: only one, so nothing takes over when it fails"] if len(balancers) == 1 else []
