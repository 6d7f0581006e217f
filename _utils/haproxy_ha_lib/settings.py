"""
The settings of one minion: pillar over defaults, checked, with every address it needs.

One pure function, :func:`build`. What is wrong is collected, not raised: a run shows all errors at once. No secret
is part of the result.
"""

import zlib

from haproxy_ha_lib import addresses, checks, cluster, corosync_conf, firewall, schema
from haproxy_ha_lib.schema import ROOT
from haproxy_ha_lib.shape import Missing, Problem


def build(pillar, minion_id, defaults, metadata=None, mine=None):
    """
    Return the settings of a minion.

    pillar
        The tree below ``haproxy_ha`` in pillar, or None where there is none.
    minion_id
        Id of the minion.
    defaults
        defaults.yaml, with the packages, services and paths that os_family.yaml has for this system.
    metadata
        What this machine's metadata service says: a mapping with private_ip, public_ip and anchor_ip, or a function
        of the service's URL that returns one. It is called at most once, and only if an address of this machine is
        left out of pillar; what it raises becomes part of the error. Default: None, there is no such service.
    mine
        What the mine function haproxy_ha.addresses returned: {minion id: mapping as above}. Default: None. It counts
        only with ``mine: true`` in pillar.

    Returns a mapping with errors and warnings (texts, by pillar path), minion_id, roles, me, load_balancers,
    app_servers, floating_ip, mine, verify, nginx, haproxy, cluster, firewall, packages, services and paths. With
    errors, the rest is incomplete.
    """
    read, problems = schema.read(pillar, defaults)
    roles = _roles(read, minion_id)
    if read["floating_ip"]["agent"]:
        read["floating_ip"]["provider"] = None
    corosync_conf.fill_in(read["cluster"], len(read["load_balancers"]))
    problems += addresses.share(read["load_balancers"], read["app_servers"])
    missing, warnings = addresses.fill_in(read, minion_id, roles, metadata, mine)
    _give_node_ids(read["load_balancers"])
    problems += [*missing, *checks.all_of(read, roles)]

    me = addresses.own(read, minion_id)
    haproxy, unknown = _haproxy(read, me)
    problems += unknown if "load_balancer" in roles else []
    objects = {section: read["cluster"].pop(section) for section in schema.CONFIGURATION_SECTIONS}
    configuration, found, doubts = cluster.configuration(read["floating_ip"], objects, read["cluster"]["fencing"])
    problems += found
    settings = {
        "minion_id": minion_id,
        "roles": roles,
        "errors": _errors(problems),
        "warnings": [*warnings, *doubts, *_alone(read["load_balancers"])],
        "me": me,
        "load_balancers": read["load_balancers"],
        "app_servers": read["app_servers"],
        "floating_ip": _without(read["floating_ip"], "api_token"),
        "mine": read["mine"],
        "verify": read["verify"],
        "nginx": read["nginx"],
        "haproxy": haproxy,
        "cluster": {**_without(read["cluster"], "authkey"), "configuration": configuration},
        "packages": defaults.get("packages", {}),
        "services": defaults.get("services", {}),
        "paths": defaults.get("paths", {}),
    }
    settings["firewall"] = {**read["firewall"], "rules": firewall.rules(settings)}
    return settings


def _without(mapping, key):
    return {name: inner for name, inner in mapping.items() if name != key}


def _errors(problems):
    """The messages in the order of their paths. Nothing is missing where pillar has something wrong instead."""
    wrong = {problem.path for problem in problems if not isinstance(problem, Missing)}
    told = {
        problem
        for problem in problems
        if not isinstance(problem, Missing) or not any(_related(problem.path, path) for path in wrong)
    }
    return [str(problem) for problem in sorted(told, key=_order)]


def _related(one, other):
    """Whether one path is above the other, or is it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _order(problem):
    """By path; numbers of list entries count as numbers."""
    return [str(step).zfill(9) if str(step).isdigit() else str(step) for step in problem.path], problem.text


def _roles(read, minion_id):
    """An app server that is not managed has no role."""
    roles = ["load_balancer"] if minion_id in read["load_balancers"] else []
    if read["app_servers"].get(minion_id, {}).get("managed"):
        roles.append("app_server")
    return roles


def _give_node_ids(balancers):
    """A node id that pillar leaves out comes from the name, never from the position: it must stay when others go.
    knet allows at most 65535."""
    for machine, entry in balancers.items():
        if entry["node_id"] is None:
            entry["node_id"] = zlib.crc32(machine.encode()) % 65535 + 1


def _alone(balancers):
    if len(balancers) == 1:
        yield f"{ROOT}:load_balancers: only one, so nothing takes over when it fails"


_UNKNOWN = {
    "public": "the public IP of this machine is unknown",
    "anchor": f"neither an anchor IP nor {ROOT}:floating_ip:address is there to bind",
}


def _haproxy(read, me):
    """HAProxy's part with every name replaced by what it stands for; returns (haproxy, problems)."""
    haproxy, problems = read["haproxy"], []
    frontends = {}
    for name, frontend in haproxy["frontends"].items():
        binds = [_resolved(bind, me, read["floating_ip"]) for bind in frontend["bind"]]
        frontends[name] = {**frontend, "bind": binds}
        for number, (written, bind) in enumerate(zip(frontend["bind"], binds, strict=True)):
            unknown = _UNKNOWN.get(written["address"])
            told = written["address"] == "anchor" and addresses.on_digitalocean(read["floating_ip"])
            if unknown and not bind["address"] and not told:
                path = (ROOT, "haproxy", "frontends", name, "bind", str(number))
                problems.append(Problem(path, unknown))
    backends = {name: {**backend, "servers": _servers(backend, read)} for name, backend in haproxy["backends"].items()}
    repository = haproxy["repository"] if haproxy["repository"]["uri"] else None
    return {**haproxy, "repository": repository, "frontends": frontends, "backends": backends}, problems


def _servers(backend, read):
    everyone = backend["servers"] == "app_servers"
    return list(read["app_servers"]) if everyone else backend["servers"] or []


def _resolved(bind, me, floating_ip):
    """
    Replace the words anchor, private and public by this machine's address.

    A virtual IP of a LAN is bound itself, and `transparent`, because a standby lacks it; likewise where another agent
    moves the address and no anchor IP is given.
    """
    word, options = bind["address"], bind["options"]
    address = me[f"{word}_ip"] if word in ("anchor", "private", "public") else word
    itself = floating_ip["provider"] == "ipaddr2" or (not address and not addresses.on_digitalocean(floating_ip))
    if word == "anchor" and itself and floating_ip["address"]:
        address = floating_ip["address"]
        options = " ".join(dict.fromkeys(["transparent", *options.split()]))
    return {"address": address, "port": bind["port"], "options": options}
