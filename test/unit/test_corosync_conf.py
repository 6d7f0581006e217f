import pytest

from haproxy_ha_lib import corosync
from support.pillars import REMOVED, build, text_of, valid

THIRD = {"load_balancers:third": {"private_ip": "10.132.20.12", "node_id": 3}}
ALONE = {"load_balancers:secondary": REMOVED}
FENCED = {"cluster:fencing": {"enabled": True}}
OTHERWISE_FENCED = {"cluster:primitives": {"fence": {"agent": "stonith:fence_xvm"}}}


def section(built, name):
    """One section of corosync.conf as (lines, sections below)."""
    [found] = [one for one in corosync.model(built) if one["name"] == name]
    return dict(found["lines"]), [dict(inner["lines"]) for inner in found["sections"]]


def test_the_ring_is_encrypted_over_knet():
    lines, [link] = section(valid(), "totem")
    assert lines == {
        "version": "2", "cluster_name": "haproxy_ha", "transport": "knet", "link_mode": "active",
        "crypto_cipher": "aes256", "crypto_hash": "sha256", "token": "300", "consensus": "150",
    }
    assert link == {
        "linknumber": "0", "mcastport": "5405", "knet_ping_interval": "200", "knet_ping_timeout": "2000",
        "knet_pong_count": "1",
    }


def test_a_second_link_is_one_pillar_line():
    built = valid({"cluster:second_link": True})
    _, links = section(built, "totem")
    assert [(link["linknumber"], link["mcastport"]) for link in links] == [("0", "5405"), ("1", "5406")]
    _, nodes = section(built, "nodelist")
    assert [(node["ring0_addr"], node["ring1_addr"]) for node in nodes] == [
        ("10.132.20.10", "203.0.113.21"), ("10.132.20.11", "203.0.113.22"),
    ]
    rules = [rule for rule in built.firewall.rules if rule["protocol"] == "udp"]
    assert [(rule["port"], rule["from"], rule["to"]) for rule in rules] == [
        (5405, ["10.132.20.11"], "10.132.20.10"), (5406, ["203.0.113.22"], "203.0.113.21"),
    ]


def test_a_second_link_needs_every_public_ip():
    changes = {"cluster:second_link": True, "load_balancers:secondary:public_ip": REMOVED}
    assert build(changes).errors == [
        "haproxy_ha:load_balancers:secondary:public_ip: missing: secondary is another machine, and haproxy_ha:mine is "
        "false; set it here"
    ]


def test_nodes_are_in_pillar_s_order_with_their_ids():
    balancers = {"zulu": {"private_ip": "10.0.0.1", "node_id": 7}, "alpha": {"private_ip": "fd00::2"}}
    balancers["alpha"]["private_ip"] = "10.0.0.2"
    _, nodes = section(valid({"load_balancers": balancers}, "app-1"), "nodelist")
    assert [(node["name"], node["ring0_addr"]) for node in nodes] == [("zulu", "10.0.0.1"), ("alpha", "10.0.0.2")]
    assert nodes[0]["nodeid"] == "7"


def test_the_file_is_the_same_on_every_node():
    path = "/etc/corosync/corosync.conf"
    one, other = (text_of(valid(minion_id=minion), "corosync", path) for minion in ("primary", "secondary"))
    assert one == other


@pytest.mark.parametrize("changes, lines", [
    ({}, {"provider": "corosync_votequorum", "two_node": "1", "wait_for_all": "0"}),
    ({"cluster:wait_for_all": True}, {"provider": "corosync_votequorum", "two_node": "1", "wait_for_all": "1"}),
    (FENCED, {"provider": "corosync_votequorum", "two_node": "1", "wait_for_all": "1"}),
    (OTHERWISE_FENCED, {"provider": "corosync_votequorum", "two_node": "1", "wait_for_all": "1"}),
    ({**FENCED, "cluster:wait_for_all": False},
     {"provider": "corosync_votequorum", "two_node": "1", "wait_for_all": "0"}),
    ({**FENCED, **THIRD}, {"provider": "corosync_votequorum"}),
    (ALONE, {"provider": "corosync_votequorum"}),
    (THIRD, {"provider": "corosync_votequorum"}),
    ({**THIRD, "cluster:wait_for_all": True}, {"provider": "corosync_votequorum", "wait_for_all": "1"}),
])
def test_quorum_follows_the_number_of_nodes(changes, lines):
    assert section(valid(changes), "quorum")[0] == lines


HELPED = {"quorum_helper": {"helper": {"private_ip": "10.132.20.50"}}, "cluster:quorum_device:tls": False}


def device(changes):
    """The section of the quorum device: its lines, and those of the sections in it by their names."""
    [quorum] = [one for one in corosync.model(valid({**HELPED, **changes}, "app-1")) if one["name"] == "quorum"]
    [found] = quorum["sections"]
    return dict(found["lines"]), {inner["name"]: dict(inner["lines"]) for inner in found["sections"]}


def test_a_helper_s_vote_takes_the_place_of_two_node():
    lines, _ = section(valid(HELPED, "app-1"), "quorum")
    assert lines == {"provider": "corosync_votequorum", "wait_for_all": "0"}
    assert section(valid({**HELPED, **FENCED}, "app-1"), "quorum")[0] == lines
    own, inner = device({})
    assert own == {"model": "net", "timeout": "2000", "votes": "1"}
    assert inner["net"] == {"host": "10.132.20.50", "port": "5403", "algorithm": "ffsplit", "tls": "off"}


@pytest.mark.parametrize("changes, algorithm, votes", [
    ({}, "ffsplit", "1"),
    ({"cluster:quorum_device:algorithm": "lms"}, "lms", None),
    (THIRD, "lms", None),
    ({**THIRD, "cluster:quorum_device:algorithm": "ffsplit"}, "ffsplit", "1"),
])
def test_the_algorithm_follows_the_number_of_nodes(changes, algorithm, votes):
    own, inner = device(changes)
    assert (inner["net"]["algorithm"], own.get("votes")) == (algorithm, votes)


def test_tls_is_required_of_the_helper():
    assert device({"cluster:quorum_device:tls": True})[1]["net"]["tls"] == "required"


IPADDR2 = {"floating_ip:provider": "ipaddr2", "floating_ip:api_token": REMOVED}


@pytest.mark.parametrize("changes, command", [
    ({}, '/bin/grep -qs "^checked " /run/resource-agents/haproxy_ha-floatip-FloatIP'),
    ({**IPADDR2, "floating_ip:address": "10.132.20.99"}, "/bin/grep -qsFw 10.132.20.99 /proc/net/fib_trie"),
    ({**IPADDR2, "floating_ip:address": "fd00::99"},
     "/bin/grep -qs ^fd000000000000000000000000000099 /proc/net/if_inet6"),
])
def test_the_helper_prefers_who_has_the_address(changes, command):
    assert device(changes)[1]["heuristics"] == {"mode": "sync", "exec_holds_address": command}


def test_of_another_agent_nobody_knows_who_has_the_address():
    assert set(device({"floating_ip:agent": "ocf:heartbeat:Dummy"})[1]) == {"net"}


def test_what_a_reload_has_to_take_away():
    before, after = (corosync.keys(text_of(built, "corosync", "/etc/corosync/corosync.conf"))
                     for built in (valid(), valid({**HELPED, "cluster:quorum_device:tls": False})))
    assert corosync.not_loaded(before, before) == corosync.not_loaded(after, after) == []
    assert "quorum.two_node" in corosync.not_loaded(before, after)
    assert {"quorum.device.model", "quorum.device.net.host"} < set(corosync.not_loaded(after, before))
    assert corosync.fixed_differences(before, after) == corosync.fixed_differences(after, before) == []
    assert corosync.device(before) == {}
    assert corosync.device(after)["quorum.device.net.host"] == "10.132.20.50"


QUORUM = """\
Quorum information
------------------
Nodes:            1
Quorate:          Yes

Votequorum information
----------------------
Expected votes:   3
Highest expected: 3
Total votes:      2
Quorum:           2
Flags:            Quorate Qdevice
"""


@pytest.mark.parametrize("text, votes", [(QUORUM, (2, 3)), ("Cannot initialize QUORUM service\n", (None, None))])
def test_votes_are_read(text, votes):
    assert corosync.votes(text) == votes


@pytest.mark.parametrize("changes, token, consensus", [
    ({}, "300", "150"),
    ({"cluster:failure_detection": "fast"}, "300", "150"),
    ({"cluster:failure_detection": "balanced"}, "1000", "500"),
    ({"cluster:failure_detection": "conservative"}, "3000", "1500"),
    ({"cluster:failure_detection": "balanced", "cluster:token": 600}, "600", "300"),
    ({"cluster:consensus": 1500}, "300", "1500"),
    (THIRD, "300", None),
    (ALONE, "300", None),
    ({**THIRD, "cluster:consensus": 1500}, "300", "1500"),
])
def test_timeouts_follow_failure_detection_and_consensus_is_below_token_with_two_nodes_only(changes, token, consensus):
    lines, _ = section(valid(changes), "totem")
    assert (lines["token"], lines.get("consensus")) == (token, consensus)


def test_of_three_each_is_lost_as_soon_as_of_two():
    """Corosync's own would add 650 ms for each from the third on; a pair's file stays as it is."""
    assert section(valid(THIRD), "totem")[0]["token_coefficient"] == "0"
    assert "token_coefficient" not in section(valid(), "totem")[0]


def test_the_system_section_is_there_only_when_pillar_says_so():
    assert "system" not in [one["name"] for one in corosync.model(valid())]
    built = valid({"cluster:system": {"sched_rr": False, "move_to_root_cgroup": "auto", "priority": 5}})
    assert section(built, "system")[0] == {"sched_rr": "no", "move_to_root_cgroup": "auto", "priority": "5"}


def test_sections_are_nested_by_indentation():
    text = text_of(valid(), "corosync", "/etc/corosync/corosync.conf")
    assert """
nodelist {
    node {
        name: primary
""" in text
    assert text.count("{") == text.count("}") == 7


BY_HAND = """\
nodelist.local_node_pos (u32) = 0
nodelist.node.0.name (str) = primary
nodelist.node.0.nodeid (u32) = 1
nodelist.node.0.ring0_addr (str) = 10.132.20.10
nodelist.node.1.name (str) = secondary
nodelist.node.1.nodeid (u32) = 2
nodelist.node.1.ring0_addr (str) = 10.132.20.11
totem.cluster_name (str) = lbcluster
totem.transport (str) = knet
totem.crypto_cipher (str) = {cipher}
totem.crypto_hash (str) = {hash}
"""


def by_hand(cipher="aes256", hash="sha256"):
    return corosync.parse_cmap(BY_HAND.format(cipher=cipher, hash=hash))


def wanted(changes=None):
    return corosync.keys(text_of(valid(changes), "corosync", "/etc/corosync/corosync.conf"))


KEPT = {"cluster": {"name": "lbcluster"},
        "load_balancers": {"primary": {"node_id": 1}, "secondary": {"node_id": 2}}}  # fmt: skip


def test_what_pillar_can_keep_of_a_cluster_built_by_hand_is_all_it_takes():
    ids = {name: one.node_id for name, one in valid().load_balancers.items()}
    assert corosync.fixed_differences(by_hand(), wanted()) == [
        f"the node id of primary from 1 to {ids['primary']}",
        f"the node id of secondary from 2 to {ids['secondary']}",
        "totem.cluster_name from lbcluster to haproxy_ha",
    ]
    assert corosync.keeping(by_hand(), wanted(), None) == (KEPT, False)
    kept = wanted({"cluster:name": "lbcluster", "load_balancers:primary:node_id": 1,
                   "load_balancers:secondary:node_id": 2})  # fmt: skip
    assert corosync.fixed_differences(by_hand(), kept) == []
    assert corosync.keeping(by_hand(), kept, None) == ({}, False)


def test_what_pillar_cannot_keep_is_told_apart():
    assert corosync.keeping(by_hand("none", "none"), wanted(), None) == (KEPT, True)


def test_a_cluster_built_by_hand_as_pillar():
    assert corosync.as_pillar(by_hand(), None) == {
        "cluster": {"name": "lbcluster", "port": 5405},
        "load_balancers": {
            "primary": {"node_id": 1, "private_ip": "10.132.20.10"},
            "secondary": {"node_id": 2, "private_ip": "10.132.20.11"},
        },
    }


def test_a_node_without_a_name_has_that_of_its_machine():
    unnamed = {key: value for key, value in by_hand().items() if not key.endswith(".name")}
    assert list(corosync.as_pillar(unnamed, "primary")["load_balancers"]) == ["primary"]
    kept = wanted({"cluster:name": "lbcluster", "load_balancers:primary:node_id": 1})
    assert corosync.fixed_differences(unnamed, kept, "primary") == []
    assert corosync.fixed_differences(unnamed, kept, "other") == [
        "this machine's name in the cluster, which is other: no load balancer of pillar has it"
    ]
