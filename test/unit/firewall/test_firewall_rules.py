import pytest

from support.pillars import REMOVED, valid

COROSYNC = {"port": 5405, "protocol": "udp", "from": ["10.132.20.11"], "to": "10.132.20.10",
            "comment": "haproxy_ha: corosync"}
HTTP = {"port": 80, "protocol": "tcp", "from": None, "to": "10.17.1.18", "comment": "haproxy_ha: frontend http"}
APPLICATION = {"port": 80, "protocol": "tcp", "from": ["10.132.20.10", "10.132.20.11"], "to": "10.132.20.236",
               "comment": "haproxy_ha: load balancers to the application"}


@pytest.mark.parametrize("minion, rules", [
    ("primary", [COROSYNC, HTTP]),
    ("app-1", [APPLICATION]),
    ("elsewhere", []),
])
def test_each_tier_lets_in_what_it_needs(minion, rules):
    built = valid(minion_id=minion)
    assert built.firewall.rules == rules
    assert built.firewall.enabled is False


def test_ports_follow_pillar():
    built = valid({"cluster:port": 5500, "haproxy:frontends:http:bind": ["anchor:8080"]})
    assert [(rule["port"], rule["protocol"]) for rule in built.firewall.rules] == [(5500, "udp"), (8080, "tcp")]


def test_only_what_the_world_may_reach_is_opened_to_it():
    binds = ["anchor:80", "private:8404", "127.0.0.1:8405", "10.132.20.10:8406", "public:81", "*:82", "[::]:83"]
    built = valid({"haproxy:frontends:http:bind": binds})
    assert [(rule["port"], rule["to"]) for rule in built.firewall.rules[1:]] == [
        (80, "10.17.1.18"), (81, "203.0.113.21"), (82, None), (83, None),
    ]


def test_metrics_are_for_who_may_ask():
    sources = ["10.132.0.2", "10.132.8.0/24"]
    built = valid({"monitoring": {"sources": sources, "haproxy_port": 8500}})
    assert [(rule["port"], rule["from"], rule["to"]) for rule in built.firewall.rules[2:]] == [
        (8500, sources, "10.132.20.10"), (9664, sources, "10.132.20.10"),
    ]


def test_a_load_balancer_alone_has_no_peer_to_let_in():
    assert valid({"load_balancers:secondary": REMOVED}).firewall.rules == [HTTP]


def test_a_machine_of_both_tiers_has_the_rules_of_both():
    built = valid({"app_servers:secondary": {"port": 8080}}, "secondary")
    assert [rule["comment"] for rule in built.firewall.rules] == [
        "haproxy_ha: corosync", "haproxy_ha: frontend http", "haproxy_ha: load balancers to the application",
    ]


def test_the_quorum_helper_lets_in_the_load_balancers():
    built = valid({"quorum_helper": {"app-1": {"port": 5404}}, "cluster:quorum_device:tls": False}, "app-1")
    rule = {"port": 5404, "protocol": "tcp", "from": ["10.132.20.10", "10.132.20.11"], "to": "10.132.20.236",
            "comment": "haproxy_ha: quorum device"}
    assert built.firewall.rules == [APPLICATION, rule]
