"""corosync.conf (corosync.conf(5), votequorum(5)) as data. Words from pillar were checked in schema.py."""


def model(settings):
    """
    Return the sections of corosync.conf for the cluster of ``settings``.

    A list of {"name", "lines": [[key, value], ...], "sections": [the same, nested]}; nodes are in pillar's order.
    """
    cluster, balancers = settings["cluster"], settings["load_balancers"]
    nodes = len(balancers)
    sections = [_totem(cluster, nodes), _nodelist(cluster, balancers), _quorum(cluster, nodes), _logging()]
    if cluster["system"]:
        sections.append(_section("system", cluster["system"].items()))
    return sections


def _section(name, lines, sections=()):
    return {
        "name": name,
        "lines": [[key, _word(value)] for key, value in lines if value is not None],
        "sections": list(sections),
    }


def _word(value):
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def consensus(cluster, nodes):
    """Return the consensus timeout in ms, None for corosync's own: less than token is safe with two nodes only."""
    if cluster["consensus"] is None and nodes == 2:
        return max(60, cluster["token"] * 3 // 10)
    return cluster["consensus"]


def _totem(cluster, nodes):
    timing = _chosen(cluster, _LINK)
    links = [
        _section("interface", [("linknumber", number), ("mcastport", cluster["port"] + number), *timing])
        for number in range(len(link_addresses(cluster)))
    ]
    return _section("totem", [
        ("version", 2),
        ("cluster_name", cluster["name"]),
        ("transport", "knet"),
        ("crypto_cipher", "aes256"),
        ("crypto_hash", "sha256"),
        ("token", cluster["token"]),
        ("consensus", consensus(cluster, nodes)),
    ], links)


def link_addresses(cluster):
    """Return which address of a load balancer each knet link uses: the private one, and the public one if asked for."""
    return ["private_ip", "public_ip"] if cluster["second_link"] else ["private_ip"]


_LINK = ("knet_ping_interval", "knet_ping_timeout", "knet_pong_count")


def _chosen(mapping, keys):
    return [(key, mapping[key]) for key in keys]


def _nodelist(cluster, balancers):
    def node(name, entry):
        rings = [(f"ring{number}_addr", entry[key]) for number, key in enumerate(link_addresses(cluster))]
        return _section("node", [("name", name), ("nodeid", entry["node_id"]), *rings])

    return _section("nodelist", [], [node(name, entry) for name, entry in balancers.items()])


def _quorum(cluster, nodes):
    """two_node switches wait_for_all on unless it is set (votequorum(5))."""
    lines = [("provider", "corosync_votequorum")]
    if nodes == 2:
        lines.append(("two_node", 1))
    if nodes == 2 or cluster["wait_for_all"]:
        lines.append(("wait_for_all", int(cluster["wait_for_all"])))
    return _section("quorum", lines)


def _logging():
    """To stderr alone: systemd takes it to the journal, and `corosync -t` gives its reasons there too."""
    return _section("logging", [("to_stderr", True), ("to_logfile", False), ("to_syslog", False), ("timestamp", "off")])
