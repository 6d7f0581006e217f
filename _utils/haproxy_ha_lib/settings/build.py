"""
The settings of one minion: pillar over defaults, checked, with every address it needs.

One pure function, :func:`settings`. What is wrong is collected, not raised: a run shows all errors at once. No secret
is part of the result.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from haproxy_ha_lib import corosync
from haproxy_ha_lib.cluster import objects as cluster
from haproxy_ha_lib.firewall import rules
from haproxy_ha_lib.haproxy import cfg, edge, queue
from haproxy_ha_lib.haproxy.sections import PROXIES
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.pillar import pasted, schema
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.pillar.shape import Missing, shown
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.settings import addresses, binds, checks, floating, neighbours, platform
from haproxy_ha_lib.settings.types import Firewall, Settings
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.errors import Problem
from saltext.pacemaker.types import Path


def settings(
    pillar: Any,
    minion_id: str,
    defaults: Tree,
    metadata: addresses.Metadata = None,
    mine: Mapping[str, Any] | None = None,
    memory: int | None = None,
    osfinger: str | None = None,
    installed: Callable[[str], str] | None = None,
) -> Settings:
    """
    Return the settings of a minion.

    pillar
        The tree below ``haproxy_ha`` in pillar, or None where there is none.
    minion_id
        Id of the minion.
    defaults
        defaults.yaml, with what os_family.yaml has for this system.
    metadata
        What this machine's metadata service says: a mapping with private_ip, public_ip and anchor_ip, or a function
        of the service's URL that returns one. It is called at most once, and only if an address of this machine is
        left out of pillar; what it raises becomes part of the error. Default: None, there is no such service.
    mine
        What the mine function haproxy_ha.addresses returned: {minion id: mapping as above}. Default: None. It counts
        only with ``mine: true`` in pillar.

    memory
        The machine's memory in MB. Default: None, nobody knows.
    osfinger
        The grain of this name: its OpenSSL. Default: None, any.
    installed
        Returns the haproxy.cfg of ours that is on this machine, by its path, or an empty text: what could break a site
        that runs is only said. Default: None, there is none.

    Returns the :class:`Settings`; errors and warnings are texts, by pillar path. With errors, the rest is incomplete.
    """
    read, problems = schema.read(pillar, defaults)
    roles = _roles(read, minion_id)
    lookup = read["lookup"]
    lookup["paths"] = platform.filled(lookup["paths"], lookup["paths"])
    before = installed(lookup["paths"]["haproxy_cfg"]) if installed else ""
    later = edge.settle(read["haproxy"], memory, before)
    read["floating_ip"]["foreign_token"] = not read["floating_ip"]["api_token"] and _names_token_file(pillar)
    floating.settle(read)
    corosync.fill_in(read["cluster"], len(read["load_balancers"]))
    problems += addresses.share(read)
    missing, warnings = addresses.fill_in(read, minion_id, roles, metadata, mine)
    problems += missing
    missing, doubts = neighbours.fill_in(read, minion_id, roles, mine, before)
    told = queue.settle(read, mine, before)
    warnings += [*doubts, *(f"{ROOT}:{text}" for text in told if "load_balancer" in roles)]
    _give_node_ids(read["load_balancers"])
    problems += [*missing, *checks.all_of(read, roles)]

    read, secret = schema.split(read)
    me = addresses.own(read, minion_id)
    moving = floating.moving(read)
    haproxy, unknown = _haproxy(read, secret, moving, me)
    problems += unknown if "load_balancer" in roles else []
    problems += _unknown_in_nginx(read["nginx"]["files"], me) if "app_server" in roles else []
    objects = {section: read["cluster"].pop(section) for section in schema.CONFIGURATION_SECTIONS}
    configuration, found, doubts = cluster.configuration(
        moving, objects, read["cluster"]["fencing"], read["cluster"]["replaces"],
        {"unit": f"{lookup['services']['haproxy']}.service", "config": lookup["paths"]["haproxy_cfg"]},
        read["cluster"]["events"], len(read["load_balancers"]), read["cluster"]["spread"],
    )
    read["cluster"]["wait_for_all"] = corosync.waits(read, cluster.is_fenced(configuration))
    problems += found
    warnings += [*doubts, *_alone(read["load_balancers"]), *_left_out(read),
                 *(f"{ROOT}:haproxy:{text}" for text in later if "load_balancer" in roles)]  # fmt: skip
    hide = pasted.hidden(secrets(pillar))
    settings = Settings.of({
        "minion_id": minion_id,
        "roles": roles,
        "errors": [hide(text) for text in _errors(problems)],
        "warnings": [hide(text) for text in warnings],
        "me": me,
        "load_balancers": read["load_balancers"],
        "app_servers": read["app_servers"],
        "quorum_helper": read["quorum_helper"],
        "floating_ip": read["floating_ip"],
        "floating_ips": read["floating_ips"],
        "mine": read["mine"],
        "verify": read["verify"],
        "untested_platform": read["untested_platform"],
        "upgrades": read["upgrades"],
        "nginx": read["nginx"],
        "haproxy": haproxy,
        "cluster": {**read["cluster"], "configuration": configuration},
        **platform.names(defaults, lookup, configuration),
        "tls_groups": edge.groups(defaults.get("tls_groups", {}), osfinger),
        "has_run": edge.has_run(before),
        "firewall": read["firewall"],
        "monitoring": read["monitoring"],
    })
    return settings if settings.errors else replace(settings, firewall=_firewall(settings))


def secrets(pillar: Any) -> Tree:
    """
    Return what the schema marks secret and hence is not in the settings, by its place in pillar, in its normal form:
    {"floating_ip": {"api_token": text or None}, "haproxy": {"certificates": {name: {"pem": PEM}}, ...}, ...}.

    pillar
        As in :func:`settings`. What is wrong in it is returned as it is.
    """
    return schema.split(pillar)[1]


def _firewall(settings: Settings) -> Firewall:
    return replace(settings.firewall, rules=rules.rules(settings))


def _errors(problems: Iterable[Problem]) -> list[str]:
    """The messages in the order of their paths. Nothing is missing where pillar has something wrong instead."""
    wrong = {problem.path for problem in problems if not isinstance(problem, Missing)}
    told = {
        problem
        for problem in problems
        if not isinstance(problem, Missing) or not any(_related(problem.path, path) for path in wrong)
    }
    return [shown(problem) for problem in sorted(told, key=_order)]


def _related(one: Path, other: Path) -> bool:
    """Whether one path is above the other, or is it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _order(problem: Problem) -> tuple[list[str], str]:
    """By path; numbers of list entries count as numbers."""
    return [str(step).zfill(9) if str(step).isdigit() else str(step) for step in problem.path], problem.text


def _names_token_file(pillar: Any) -> bool:
    """Only a file that pillar names may be somebody else's: a token that was forgotten stays an error."""
    floating_ip = pillar.get("floating_ip") if isinstance(pillar, dict) else None
    return isinstance(floating_ip, dict) and floating_ip.get("token_file") is not None


def _roles(read: Tree, minion_id: str) -> list[str]:
    """An app server or quorum helper that is not managed has no role."""
    roles = ["load_balancer"] if minion_id in read["load_balancers"] else []
    for role, table in (("app_server", "app_servers"), ("quorum_helper", "quorum_helper")):
        if read[table].get(minion_id, {}).get("managed"):
            roles.append(role)
    return roles


def _give_node_ids(balancers: Tree) -> None:
    """A node id that pillar leaves out comes from the name, never from the position: it must stay when others go.
    knet allows at most 65535."""
    for machine, entry in balancers.items():
        if entry["node_id"] is None:
            entry["node_id"] = zlib.crc32(machine.encode()) % 65535 + 1


def _alone(balancers: Tree) -> Iterator[str]:
    if len(balancers) == 1:
        yield f"{ROOT}:load_balancers: only one, so nothing takes over when it fails"


def _left_out(read: Tree) -> Iterator[str]:
    """A server that another proxy names for HTTP, at its own port, might be meant for both pools."""
    haproxy = read["haproxy"]
    pools = {title: (kind, proxy) for kind, title, proxy in cfg.proxies(haproxy) if kind != "frontend"}
    rest = ", ".join(title for title, (_, proxy) in pools.items() if proxy["servers"] == "rest")
    for server, title in cfg.others(haproxy, read["app_servers"]).items():
        kind, proxy = pools[title]
        if rest and cfg.mode(haproxy, proxy) == "http" and not proxy["port"]:
            text = f"{server}, which is not managed, is in no other pool by itself: not in {rest}"
            yield f"{ROOT}:haproxy:{PROXIES[kind]}:{title}:servers: {text}"


def _haproxy(read: Tree, secret: Tree, moving: Sequence[FloatingIP], me: Tree) -> tuple[Tree, list[Problem]]:
    """HAProxy's part with every name replaced by what it stands for; returns (haproxy, problems)."""
    haproxy, problems = read["haproxy"], []
    for path, _, proxy in cfg.listening(haproxy):
        for number, bind in enumerate(proxy["bind"]):
            for problem in binds.problems(bind, me, moving):
                problems.append(Problem((ROOT, "haproxy", *path, "bind", number), problem))

    def resolved(proxy: Tree) -> Tree:
        parts = dict(proxy)
        if "bind" in proxy:
            parts["bind"] = [one for bind in proxy["bind"] for one in binds.resolved(bind, me, moving)]
        if "servers" in proxy:
            parts["servers"] = cfg.servers_of(proxy, haproxy, read["app_servers"])
        return parts

    tables = {table: {name: resolved(proxy) for name, proxy in haproxy[table].items()} for table in PROXIES.values()}
    return {
        **haproxy,
        **tables,
        "repository": haproxy["repository"] if haproxy["repository"]["uri"] else None,
        "stats": {**resolved(haproxy["stats"]), "password": bool(secret["haproxy"]["stats"]["password"])},
    }, problems


def _unknown_in_nginx(files: Tree, me: Tree) -> list[Problem]:
    """The words for addresses that this machine lacks; the private one is told by addresses.fill_in already."""
    return [
        Problem((ROOT, "nginx", "files", path, number), binds.unknown(word))
        for path, lines in files.items() for number, line in enumerate(lines) for word in nginx.own_words(line)
        if word != "private" and not me[schema.OWN_ADDRESSES[word]]
    ]  # fmt: skip
