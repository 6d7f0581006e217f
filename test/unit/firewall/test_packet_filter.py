"""Rules of the settings in the words of ufw(8), nft(8) and firewalld.richlanguage(5)."""

import json
import shlex

import pytest

from haproxy_ha_lib.firewall import packet_filter

COROSYNC = {"port": 5405, "protocol": "udp", "from": ["10.0.0.2", "10.0.0.3"], "to": "10.0.0.1",
            "comment": "haproxy_ha: corosync"}
PUBLIC = {"port": 80, "protocol": "tcp", "from": None, "to": "10.17.0.1", "comment": "haproxy_ha: frontend http"}
ANYWHERE = {"port": 443, "protocol": "tcp", "from": None, "to": None, "comment": "haproxy_ha: frontend https"}
NETWORK = {"port": 9664, "protocol": "tcp", "from": ["10.0.8.0/24"], "to": "10.0.0.1", "comment": "haproxy_ha: metrics"}
V6 = {"port": 80, "protocol": "tcp", "from": ["fd00::2"], "to": "fd00::1", "comment": "haproxy_ha: app"}

UFW = {
    "corosync": (COROSYNC, [
        "allow from 10.0.0.2 to 10.0.0.1 port 5405 proto udp comment 'haproxy_ha: corosync'",
        "allow from 10.0.0.3 to 10.0.0.1 port 5405 proto udp comment 'haproxy_ha: corosync'",
    ]),
    "public": (PUBLIC, ["allow to 10.17.0.1 port 80 proto tcp comment 'haproxy_ha: frontend http'"]),
    "anywhere": (ANYWHERE, ["allow 443/tcp comment 'haproxy_ha: frontend https'"]),
}
NFT = {
    "corosync": (COROSYNC, [
        "ip saddr 10.0.0.2 ip daddr 10.0.0.1 udp dport 5405 accept comment "
        '"haproxy_ha: corosync 10.0.0.2 > 10.0.0.1 udp/5405"',
        "ip saddr 10.0.0.3 ip daddr 10.0.0.1 udp dport 5405 accept comment "
        '"haproxy_ha: corosync 10.0.0.3 > 10.0.0.1 udp/5405"',
    ]),
    "anywhere": (ANYWHERE, ['tcp dport 443 accept comment "haproxy_ha: frontend https any > any tcp/443"']),
    "a network": (NETWORK, [
        'ip saddr 10.0.8.0/24 ip daddr 10.0.0.1 tcp dport 9664 accept comment '
        '"haproxy_ha: metrics 10.0.8.0/24 > 10.0.0.1 tcp/9664"',
    ]),
    "IPv6": (V6, [
        'ip6 saddr fd00::2 ip6 daddr fd00::1 tcp dport 80 accept comment "haproxy_ha: app fd00::2 > fd00::1 tcp/80"'
    ]),
}


@pytest.mark.parametrize("case", UFW)
def test_ufw_rules(case):
    entry, lines = UFW[case]
    assert [shlex.join(rule) for rule in packet_filter.ufw_rules(entry)] == lines


def test_ufw_rules_that_are_there_are_ours_alone():
    listing = "\n".join([
        "Added user rules (see 'ufw status' for running firewall):",
        *(f"ufw {line}" for _, lines in UFW.values() for line in lines),
        "ufw allow 22/tcp",
        "ufw allow 80/tcp comment 'the shop'",
    ])
    ours = [rule for entry, _ in UFW.values() for rule in packet_filter.ufw_rules(entry)]
    assert packet_filter.ufw_present(listing) == ours


@pytest.mark.parametrize("case", NFT)
def test_nft_rules(case):
    entry, lines = NFT[case]
    assert [" ".join(rule) for rule in packet_filter.nft_rules(entry)] == lines


def test_nft_rules_that_are_there_are_ours_alone():
    [rule] = packet_filter.nft_rules(ANYWHERE)
    listing = {"nftables": [
        {"metainfo": {"version": "1.0.6"}},
        {"chain": {"name": "input"}},
        {"rule": {"handle": 4, "comment": packet_filter.nft_comment(rule)}},
        {"rule": {"handle": 5, "comment": "the shop"}},
        {"rule": {"handle": 6}},
    ]}
    assert packet_filter.nft_present(json.dumps(listing)) == {"haproxy_ha: frontend https any > any tcp/443": 4}


@pytest.mark.parametrize(("entry", "rules"), [
    (COROSYNC, [
        f'rule family="ipv4" source address="{source}" destination address="10.0.0.1" '
        'port port="5405" protocol="udp" accept'
        for source in ("10.0.0.2", "10.0.0.3")
    ]),
    (PUBLIC, ['rule family="ipv4" destination address="10.17.0.1" port port="80" protocol="tcp" accept']),
    (ANYWHERE, ['rule port port="443" protocol="tcp" accept']),
    (V6, [
        'rule family="ipv6" source address="fd00::2" destination address="fd00::1" port port="80" protocol="tcp" accept'
    ]),
])  # fmt: skip
def test_firewalld_rules(entry, rules):
    assert packet_filter.firewalld_rules(entry) == rules
