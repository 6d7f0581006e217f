"""
corosync.conf (corosync.conf(5), votequorum(5)) as data, and what a running corosync has of it (cmap_keys(7)).
Words from pillar were checked in schema.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from haproxy_ha_lib import provider
from haproxy_ha_lib.settings.types import Cluster, Machine, Settings
from haproxy_ha_lib.types import Section, Tree

Words: TypeAlias = Mapping[str, str]
"""What corosync's map, or a configuration, has: values by key."""


def model(settings: Settings) -> list[Section]:
    """
    Return the sections of corosync.conf for the cluster of ``settings``.

    A list of {"name", "lines": [[key, value], ...], "sections": [the same, nested]}; nodes are in pillar's order.
    """
    cluster, balancers = settings.cluster, settings.load_balancers
    quorum = _quorum(cluster, len(balancers), _device(settings))
    sections = [_totem(cluster, len(balancers)), _nodelist(cluster, balancers), quorum, _logging()]
    if cluster.system:
        sections.append(_section("system", cluster.system.items()))
    return sections


def _section(name: str, lines: Iterable[tuple[str, Any]], sections: Iterable[Section] = ()) -> Section:
    return {
        "name": name,
        "lines": [[key, _word(value)] for key, value in lines if value is not None],
        "sections": list(sections),
    }


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


TOKENS = {"fast": 300, "balanced": 1000, "conservative": 3000}
"""Milliseconds of token for each way of failure detection; docs/failure-detection.md has what was measured."""


def fill_in(cluster: Tree, nodes: int) -> None:
    """
    Fill in the timeouts that pillar leaves to ``failure_detection``. Changes ``cluster``.

    Consensus is half of token with exactly two nodes, where less than token is safe; else None: corosync's own.
    """
    if cluster["token"] is None:
        cluster["token"] = TOKENS[cluster["failure_detection"]]
    if cluster["consensus"] is None and nodes == 2:
        cluster["consensus"] = cluster["token"] // 2


def waits(read: Tree, fenced: bool) -> bool:
    """Whether who boots waits for all others, by a checked pillar.

    Two that fence do: one that was powered off would come back alone, and power off the one that serves.
    """
    said: bool | None = read["cluster"]["wait_for_all"]
    pair = len(read["load_balancers"]) == 2 and not read["quorum_helper"]
    return pair and fenced if said is None else said


def _totem(cluster: Cluster, nodes: int) -> Section:
    timing = _chosen(cluster, _LINK)
    links = [
        _section("interface", [("linknumber", number), ("mcastport", cluster.port + number), *timing])
        for number in range(len(link_addresses(cluster)))
    ]
    return _section("totem", [
        ("version", 2),
        ("cluster_name", cluster.name),
        ("transport", "knet"),
        # On all links at once: what is lost with a link before its pings tell would cost the token. Also with one link,
        # because a reload that adds another one does not change how it is used.
        ("link_mode", "active"),
        ("crypto_cipher", "aes256"),
        ("crypto_hash", "sha256"),
        ("token", cluster.token),
        # Corosync adds 650 ms for each node from the third on, which makes `fast` slower than `balanced` of a pair.
        ("token_coefficient", 0 if nodes > 2 else None),
        ("consensus", cluster.consensus),
    ], links)


def link_addresses(cluster: Cluster) -> list[str]:
    """Return which address of a load balancer each knet link uses: the private one, and the public one if asked for."""
    return ["private_ip", "public_ip"] if cluster.second_link else ["private_ip"]


_LINK = ("knet_ping_interval", "knet_ping_timeout", "knet_pong_count")


def _chosen(cluster: Cluster, keys: Iterable[str]) -> list[tuple[str, Any]]:
    return [(key, getattr(cluster, key)) for key in keys]


def _nodelist(cluster: Cluster, balancers: Mapping[str, Machine]) -> Section:
    def node(name: str, entry: Machine) -> Section:
        rings = [(f"ring{number}_addr", getattr(entry, key)) for number, key in enumerate(link_addresses(cluster))]
        return _section("node", [("name", name), ("nodeid", entry.node_id), *rings])

    return _section("nodelist", [], [node(name, entry) for name, entry in balancers.items()])


def _quorum(cluster: Cluster, nodes: int, device: list[Section]) -> Section:
    """two_node switches wait_for_all on unless it is set, and does not go with a device (votequorum(5))."""
    lines: list[tuple[str, Any]] = [("provider", "corosync_votequorum")]
    if nodes == 2 and not device:
        lines.append(("two_node", 1))
    if nodes == 2 or cluster.wait_for_all:
        lines.append(("wait_for_all", int(cluster.wait_for_all)))
    return _section("quorum", lines, device)


def _device(settings: Settings) -> list[Section]:
    """The section of the quorum helper in a list (corosync-qdevice(8)), empty without one."""
    chosen = settings.cluster.quorum_device
    nodes = len(settings.load_balancers)
    algorithm = chosen.algorithm or ("lms" if nodes % 2 else "ffsplit")
    # One command alone counts: of several addresses that are spread, neither half would have them all.
    holds = next(filter(None, (provider.of(one).holds_address(one) for one in settings.moving)), None)
    heuristics = [_section("heuristics", [("mode", "sync"), ("exec_holds_address", holds)])] if holds else []
    return [
        _section("device", [
            ("model", "net"),
            ("timeout", chosen.timeout),
            ("votes", 1 if algorithm == "ffsplit" else None),
        ], [
            _section("net", [
                ("host", helper.private_ip),
                ("port", helper.port),
                ("algorithm", algorithm),
                ("tls", "required" if chosen.tls else "off"),
            ]),
            *heuristics,
        ])
        for helper in settings.quorum_helper.values()
    ]


def _logging() -> Section:
    """To syslog, and so to the journal; to stderr, which its unit throws away, for the reasons of `corosync -t`."""
    return _section("logging", [("to_stderr", True), ("to_logfile", False), ("to_syslog", True), ("timestamp", "off")])


# What a running corosync has loaded


_CMAP = re.compile(r"(\S+) \(\w+\) = (.*)")
# A reload leaves these as they are, or (crypto, the port) would part the nodes until the last of them has reloaded.
_FIXED = re.compile(r"totem\.(transport|cluster_name|crypto_\w+|interface\.\d+\.mcastport)|system\..+")
_USUAL = {"totem.transport": "knet", "totem.crypto_cipher": "none", "totem.crypto_hash": "none"}
_FIRST_PORT = 5405
_NODE = "nodelist.node."


def parse_cmap(text: str) -> dict[str, str]:
    """Return what ``corosync-cmapctl`` prints as {key: value}."""
    return {match[1]: match[2] for match in map(_CMAP.fullmatch, text.splitlines()) if match}


def keys(text: str) -> dict[str, str]:
    """Return a corosync.conf as the {key: value} that corosync's map has of it once it is loaded."""
    return {".".join(path): value for path, value in _flat(_parsed("", iter(text.splitlines())), ())}


_Parsed: TypeAlias = "tuple[str, list[tuple[str, str]], list[_Parsed]]"
"""A section: its name, its words, the sections in it."""


def _parsed(name: str, lines: Iterator[str]) -> _Parsed:
    """Return one section, from the lines that follow its head."""
    words, inner = [], []
    for line in map(str.strip, lines):
        if line == "}":
            break
        if line.endswith("{"):
            inner.append(_parsed(line[:-1].strip(), lines))
        elif line and not line.startswith("#"):
            key, _, value = line.partition(":")
            words.append((key.strip(), value.strip()))
    return name, words, inner


def _flat(section: _Parsed, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (path, value); links have their number in the path, nodes their position."""
    _, words, sections = section
    yield from (((*path, key), value) for key, value in words if key != "linknumber")
    nodes = 0
    for inner in sections:
        step: tuple[str, ...] = (inner[0],)
        if inner[0] == "interface":
            step = (*step, dict(inner[1]).get("linknumber", "0"))
        elif inner[0] == "node":
            step, nodes = (*step, str(nodes)), nodes + 1
        yield from _flat(inner, (*path, *step))


def fixed_differences(loaded: Words, wanted: Words, hostname: str | None = None) -> list[str]:
    """
    Return what no reload can bring from the map ``loaded`` to ``wanted``, in words; an empty list when one can.

    ``hostname`` is the name of a node without one: that which Pacemaker gives it.
    """
    found = _differing_nodes(loaded, wanted, hostname)
    for key in sorted(filter(_FIXED.fullmatch, loaded.keys() | wanted.keys())):
        usual = _USUAL.get(key, "unset")
        if key.endswith("mcastport"):
            link = key.removesuffix("mcastport")
            if not any(other.startswith(link) for other in loaded):
                continue  # a link that is added
            usual = str(_FIRST_PORT + int(link.split(".")[2]))
        old, new = loaded.get(key, usual), wanted.get(key, usual)
        if old != new:
            found.append(f"{key} from {old} to {new}")
    return sorted(found)


def _differing_nodes(loaded: Words, wanted: Words, hostname: str | None) -> list[str]:
    """The nodes that would get another id, and this one if it would get another name, in words."""
    running, ours = _nodes(loaded, hostname), {name: identifier for identifier, name in _nodes(wanted)}
    found = [
        f"the node id of {name} from {identifier} to {ours[name]}"
        for identifier, name in running
        if ours.get(name, identifier) != identifier
    ]
    here = _here(loaded, hostname)
    if here and here[1] not in ours:
        found.append(f"this machine's name in the cluster, which is {here[1]}: no load balancer of pillar has it")
    return found


def _here(loaded: Words, hostname: str | None) -> tuple[str, str | None] | None:
    """(id, name) of this node, as corosync has it loaded; None if it has no list of nodes."""
    at = loaded.get("nodelist.local_node_pos")
    identifier = loaded.get(f"nodelist.node.{at}.nodeid")
    return (identifier, loaded.get(f"nodelist.node.{at}.name", hostname)) if identifier else None


def _nodes(words: Words, hostname: str | None = None) -> list[tuple[str, str]]:
    """(id, name) of each node; one without a name is left out, unless it is this machine."""
    positions = [key.split(".")[2] for key in words if key.startswith(_NODE) and key.endswith(".nodeid")]
    here = words.get("nodelist.local_node_pos")
    names = {at: words.get(f"nodelist.node.{at}.name", hostname if at == here else None) for at in positions}
    return [(words[f"nodelist.node.{at}.nodeid"], name) for at, name in names.items() if name]


def as_pillar(loaded: Words, hostname: str | None) -> Tree:
    """
    Return the part of pillar that keeps what a running corosync has loaded: the cluster's name and port, and the id and
    addresses of each node.
    """
    port = loaded.get("totem.interface.0.mcastport", _FIRST_PORT)
    cluster = {"name": loaded.get("totem.cluster_name"), "port": int(port)}
    at = {loaded[key]: key.split(".")[2] for key in loaded if key.startswith(_NODE) and key.endswith(".nodeid")}
    balancers = {}
    for identifier, name in _nodes(loaded, hostname):
        address = loaded.get(f"nodelist.node.{at[identifier]}.ring0_addr")
        balancers[name] = {"node_id": int(identifier), **({"private_ip": address} if address else {})}
    return {"cluster": {key: value for key, value in cluster.items() if value}, "load_balancers": balancers}


def keeping(loaded: Words, wanted: Words, hostname: str | None) -> tuple[Tree, bool]:
    """
    Return (the part of pillar that keeps what no reload can change, whether there is more that pillar cannot keep).
    """
    running = as_pillar(loaded, hostname)
    kept: Tree = {}
    rest = [text for text in fixed_differences(loaded, wanted, hostname) if not text.startswith("the node id of ")]
    for key, name in (("totem.cluster_name", "name"), ("totem.interface.0.mcastport", "port")):
        found = [text for text in rest if text.startswith(f"{key} ")]
        if found and name in running["cluster"]:
            kept.setdefault("cluster", {})[name] = running["cluster"][name]
            rest = [text for text in rest if text not in found]
    ids = {name: {"node_id": one["node_id"]} for name, one in running["load_balancers"].items()}
    ours = {name: identifier for identifier, name in _nodes(wanted)}
    if any(str(one["node_id"]) != ours.get(name) for name, one in ids.items()):
        kept["load_balancers"] = ids
    return kept, bool(rest)


def is_alone(loaded: Words) -> bool:
    """Return whether a running corosync knows no other node, as with the package's own configuration."""
    nodes = [key for key in loaded if key.startswith(_NODE) and key.endswith(".nodeid")]
    return len(nodes) <= 1 and sum(key.endswith(".status") for key in loaded if "members" in key) <= 1


def not_loaded(loaded: Words, wanted: Words) -> list[str]:
    """
    Return the keys whose value in the map is not yet the one that is wanted, and those of nodes, and of a way to count
    votes, that have to go.
    """
    missing = [key for key, value in wanted.items() if loaded.get(key) != value]
    return sorted(missing + [key for key in loaded if key.startswith(_WHOLE) and key not in wanted])


_WHOLE = ("nodelist.node.", "quorum.two_node", "quorum.device.")


def device(words: Words) -> dict[str, str]:
    """Return what corosync's map, or a configuration, has of the quorum device: {key: value}, empty without one."""
    return {key: value for key, value in words.items() if key.startswith("quorum.device.")}


def votes(text: str) -> tuple[int | None, ...]:
    """Return (present, expected) votes by what ``corosync-quorumtool -s`` prints; None where it does not tell."""
    found = [re.search(rf"^{words} votes: +(\d+)", text, re.MULTILINE) for words in ("Total", "Expected")]
    return tuple(match and int(match[1]) for match in found)
