"""What is wrong in pillar about machines, the floating IP and the cluster, with its messages."""


import pytest

from support.pillars import PEM, QUORUM_PEM, REMOVED, build

NODES = "haproxy_ha:load_balancers"
APPS = "haproxy_ha:app_servers"
HAPROXY = "haproxy_ha:haproxy"
NAME = "a name of letters, digits and . _ - that begins with a letter or digit"
HELPER = "haproxy_ha:quorum_helper"
IN_THE_CLEAR = {"cluster:quorum_device:tls": False}
SERVERS = (
    "required: app_servers, rest or a list of names, or in options a line that answers, such as `server ...` or "
    "`http-request return ...`"
)
# What is changed in pillar.example, and all the messages that it gives on the load balancer `primary`.
WRONG = {
    "no load balancers": (
        {"load_balancers": REMOVED},
        [f"{NODES}: missing, required: at least one minion id"],
        "app-1",
    ),
    "empty load balancers": ({"load_balancers": {}}, [f"{NODES}: empty, required: at least one minion id"], "app-1"),
    "a command that is one text": (
        {"cluster:maintenance:command": "curl x"},
        ["haproxy_ha:cluster:maintenance:command: found 'curl x' (a string), allowed: a list"],
    ),
    "no app servers": ({"app_servers": REMOVED}, [f"{APPS}: missing, required: at least one minion id"]),
    "empty app servers": ({"app_servers": {}}, [f"{APPS}: empty, required: at least one minion id"]),
    "app servers as a list": (
        {"app_servers": ["app-1"]},
        [f"{APPS}: found a list, allowed: a mapping from minion id to its settings"],
    ),
    "a server as a text": (
        {"app_servers:app-1": "10.132.20.236"},
        [
            f"{APPS}:app-1: found '10.132.20.236' (a string), allowed: a mapping with private_ip, public_ip, port, "
            "managed, weight, backup, maxconn, options",
        ],
    ),
    "a minion id that is a number": (
        {"app_servers": {101: {"private_ip": "10.0.0.1"}}},
        [f"{APPS}:101: found 101 (a whole number), allowed: {NAME}"],
    ),
    "a minion id with a line break": (
        {"app_servers:app\nx": {"private_ip": "10.0.0.1"}},
        [f"{APPS}:'app\\nx' (a string): found 'app\\nx' (a string), allowed: {NAME}"],
    ),
    "port in words": (
        {"app_servers:app-1:port": "eighty"},
        [f"{APPS}:app-1:port: found 'eighty' (a string), allowed: a whole number from 1 to 65535"],
    ),
    "port as text": (
        {"app_servers:app-1:port": "80"},
        [f"{APPS}:app-1:port: found '80' (a string), allowed: a whole number from 1 to 65535"],
    ),
    "port too large": (
        {"app_servers:app-1:port": 65536},
        [f"{APPS}:app-1:port: found 65536 (a whole number), allowed: a whole number from 1 to 65535"],
    ),
    "port zero": (
        {"cluster:port": 0},
        ["haproxy_ha:cluster:port: found 0 (a whole number), allowed: a whole number from 1 to 65535"],
    ),
    "weight too large": (
        {"app_servers:app-2:weight": 257},
        [f"{APPS}:app-2:weight: found 257 (a whole number), allowed: a whole number from 0 to 256"],
    ),
    "a word for a boolean": (
        {"app_servers:app-1:managed": "sometimes"},
        [f"{APPS}:app-1:managed: found 'sometimes' (a string), allowed: true or false"],
    ),
    "impossible address": (
        {"load_balancers:primary:anchor_ip": "10.17.1.300"},
        [
            f"{NODES}:primary:anchor_ip: found '10.17.1.300' (a string), allowed: an IPv4 or IPv6 address",
        ],
    ),
    "a loopback address": (
        {"app_servers:app-1:public_ip": "127.0.0.1"},
        [
            f"{APPS}:app-1:public_ip: found '127.0.0.1' (a string), allowed: an address that a host can have: not "
            "loopback, link-local, multicast, reserved or unspecified"
        ],
    ),
    "anybody may ask for metrics": (
        {"monitoring:sources": ["0.0.0.0/0"]},
        ["haproxy_ha:monitoring:sources:0: found '0.0.0.0/0' (a string), allowed: an address or a network, not all "
         "there are"],
    ),
    "who asks for metrics has another family": (
        {"monitoring:sources": ["10.132.0.2", "fd00::2"]},
        ["haproxy_ha:monitoring:sources:1: found an IPv6 one, but the load balancers' private_ip are of the other "
         "family"],
    ),
    "metrics on one port": (
        {"monitoring": {"sources": ["10.132.0.2"], "cluster_port": 8405}},
        ["haproxy_ha:monitoring:cluster_port: found 8405, which is haproxy_port's too"],
    ),
    "a frontend where the metrics are": (
        {"monitoring:sources": ["10.132.0.2"], "haproxy:frontends:http:bind": ["private:8405"]},
        ["haproxy_ha:haproxy:frontends:http:bind:0: private:8405 is bound by haproxy_ha_metrics already"],
    ),
    "a proxy with the name of the metrics": (
        {"monitoring:sources": ["10.132.0.2"], "haproxy:backends": {"haproxy_ha_metrics": {"servers": "app_servers"}}},
        ["haproxy_ha:haproxy:backends:haproxy_ha_metrics: the frontend of the metrics has this name too; names are "
         "unique across listens, frontends and backends"],
    ),
    "a network instead of an address": (
        {"floating_ip:address": "203.0.113.0/24"},
        [
            "haproxy_ha:floating_ip:address: found '203.0.113.0/24' (a string), allowed: an IPv4 or IPv6 address",
        ],
    ),
    "no floating IP": (
        {"floating_ip:address": REMOVED},
        ["haproxy_ha:floating_ip:address: missing: the address that moves"],
    ),
    "an IPv6 address in place of an IPv4 one": (
        {"floating_ip:address": "2001:db8::10", "floating_ip:replaces": "203.0.113.10"},
        [
            "haproxy_ha:floating_ip:replaces: found 203.0.113.10, allowed: the address of the same family that "
            "2001:db8::10 comes in place of"
        ],
    ),
    "two machines with one address": (
        {"app_servers:app-2:private_ip": "10.132.20.236"},
        [f"{APPS}:app-2:private_ip: 10.132.20.236 is {APPS}:app-1:private_ip too"],
    ),
    "a load balancer with an app server's address": (
        {"app_servers:app-2:private_ip": "10.132.20.11"},
        [f"{APPS}:app-2:private_ip: 10.132.20.11 is {NODES}:secondary:private_ip too"],
    ),
    "two anchors of one address": (
        {"load_balancers:secondary:anchor_ip": "10.17.1.18"},
        [f"{NODES}:secondary:anchor_ip: 10.17.1.18 is {NODES}:primary:anchor_ip too"],
    ),
    "the floating IP is a machine's": (
        {"floating_ip:address": "203.0.113.21"},
        [f"{NODES}:primary:public_ip: 203.0.113.21 is haproxy_ha:floating_ip:address too"],
    ),
    "two unmanaged servers on one port": (
        {"app_servers:old": {"private_ip": "10.0.0.9", "managed": False},
         "app_servers:older": {"private_ip": "10.0.0.9", "managed": False}},
        [f"{APPS}:older:port: 10.0.0.9 port 80 is old's too"],
    ),
    "one machine with two addresses": (
        {"app_servers:secondary": {"private_ip": "10.132.20.99", "port": 8080}},
        [
            f"{APPS}:secondary:private_ip: found 10.132.20.99, but the same machine as a load balancer has 10.132.20.11"
        ],
    ),
    "two quorum helpers": (
        {"quorum_helper": {"app-1": None, "app-2": None}, **IN_THE_CLEAR},
        [f"{HELPER}: found 2 machines, allowed: one"],
    ),
    "a load balancer as quorum helper": (
        {"quorum_helper": {"secondary": None}, **IN_THE_CLEAR},
        [f"{HELPER}:secondary: is a load balancer as well, allowed: a third machine"],
    ),
    "a quorum helper for one load balancer": (
        {"quorum_helper": {"app-1": None}, "load_balancers:secondary": REMOVED, **IN_THE_CLEAR},
        [f"{HELPER}: found one load balancer, allowed with at least two"],
    ),
    "a quorum helper without an address": (
        {"quorum_helper": {"helper": None}, **IN_THE_CLEAR},
        [f"{HELPER}:helper:private_ip: missing: helper is another machine, and haproxy_ha:mine is false; set it here"],
    ),
    "a quorum helper with another machine's address": (
        {"quorum_helper": {"helper": {"private_ip": "10.132.20.11"}}, **IN_THE_CLEAR},
        [f"{HELPER}:helper:private_ip: 10.132.20.11 is {NODES}:secondary:private_ip too"],
    ),
    "a quorum helper with two addresses": (
        {"quorum_helper": {"app-1": {"private_ip": "10.132.20.99"}}, **IN_THE_CLEAR},
        [f"{HELPER}:app-1:private_ip: found 10.132.20.99, but the same machine as an app server has 10.132.20.236"],
    ),
    "a quorum helper without certificates": (
        {"quorum_helper": {"app-1": None}},
        ["haproxy_ha:cluster:quorum_device:balancer_pem: missing: run `salt-call --local "
         "haproxy_ha.generate_quorum_certificates` and put what it prints here"],
    ),
    "a quorum helper's own certificates": (
        {"quorum_helper": {"app-1": None}, "cluster:quorum_device:balancer_pem": QUORUM_PEM},
        ["haproxy_ha:cluster:quorum_device:helper_pem: missing: run `salt-call --local "
         "haproxy_ha.generate_quorum_certificates` and put what it prints here"],
        "app-1",
    ),
    "certificates without their authority's": (
        {"cluster:quorum_device:balancer_pem": PEM},
        [f"haproxy_ha:cluster:quorum_device:balancer_pem: found a string of {len(PEM)} characters, allowed: a "
         "certificate, that of its authority and a private key in PEM, as `salt-call --local "
         "haproxy_ha.generate_quorum_certificates` makes them"],
    ),
    "one node id twice": (
        {"load_balancers:primary:node_id": 7, "load_balancers:secondary:node_id": 7},
        [f"{NODES}:secondary:node_id: 7 is primary's too; give one of them another node_id"],
    ),
    "a node id that knet refuses": (
        {"load_balancers:primary:node_id": 65536},
        [f"{NODES}:primary:node_id: found 65536 (a whole number), allowed: a whole number from 1 to 65535"],
    ),
    "IPv4 and IPv6 in one ring": (
        {"load_balancers:secondary:private_ip": "fd00::11"},
        [
            *(f"{APPS}:{app}:private_ip: found an IPv4 address, but the load balancer secondary has none in the "
              "private network" for app in ("app-1", "app-2")),
            f"{NODES}:secondary:private_ip: found an IPv6 address, but those of other load balancers are IPv4",
        ],
    ),
    "unknown key": ({"flotaing_ip": {}}, ["haproxy_ha:flotaing_ip: unknown key, did you mean floating_ip?"]),
    "unknown key below": (
        {"load_balancers:primary:private": "10.132.20.10"},
        [f"{NODES}:primary:private: unknown key, did you mean private_ip?"],
    ),
    "unknown key like no other": (
        {"firewall:zzz": 1},
        ["haproxy_ha:firewall:zzz: unknown key, allowed: enabled, backend"],
    ),
    "fencing without DigitalOcean": (
        {"floating_ip": {"address": "10.132.20.100", "provider": "ipaddr2"}, "cluster:fencing": {"enabled": True}},
        [
            "haproxy_ha:cluster:fencing:enabled: found true, allowed with provider digitalocean or hetzner; else bring "
            "a fence device in cluster:primitives"
        ],
    ),
    "a droplet of nobody": (
        {"cluster:fencing": {"enabled": True, "droplets": {"primar": "lb1", "secondary": "a b"}}},
        [
            "haproxy_ha:cluster:fencing:droplets:primar: is no load balancer, did you mean primary?",
            "haproxy_ha:cluster:fencing:droplets:secondary: found 'a b' (a string), allowed: a droplet's name or "
            "id",
        ],
    ),
    "an address that replaces itself": (
        {"floating_ip:address": "203.0.113.10", "floating_ip:replaces": "203.0.113.10"},
        [
            "haproxy_ha:floating_ip:replaces: found 203.0.113.10, allowed: the address of the same family that "
            "203.0.113.10 comes in place of"
        ],
    ),
    "unknown provider": (
        {"floating_ip:provider": "digitalocan"},
        [
            "haproxy_ha:floating_ip:provider: found 'digitalocan' (a string), allowed: one of digitalocean, hetzner, "
            "ipaddr2, lan, did you mean digitalocean"
        ],
    ),
    "no token of Hetzner's": (
        {"floating_ip:api_token": REMOVED, "floating_ip:provider": "hetzner"},
        ["haproxy_ha:floating_ip:api_token: missing: a token of Hetzner Cloud's API that may read and write"],
    ),
    "no token": (
        {"floating_ip:api_token": REMOVED},
        [
            "haproxy_ha:floating_ip:api_token: missing: a token of DigitalOcean's API that may read and write reserved "
            "IPs"
        ],
    ),
    "a token with a line break": (
        {"floating_ip:api_token": "dop_v1_" + "a" * 64 + "\nX"},
        [
            "haproxy_ha:floating_ip:api_token: found a string of 73 characters, allowed: an API token of 20 to 512 "
            "letters, digits and _ . -",
        ],
    ),
    "the API without TLS": (
        {"floating_ip:api_url": "http://api.digitalocean.com"},
        [
            "haproxy_ha:floating_ip:api_url: found 'http://api.digitalocean.com' (a string), allowed: an https:// "
            "address"
        ],
    ),
    "no authkey": (
        {"cluster:authkey": REMOVED},
        [
            "haproxy_ha:cluster:authkey: missing: run `salt-call --local haproxy_ha.generate_authkey` and put what it "
            "prints here"
        ],
    ),
    "consensus below token with three": (
        {"load_balancers:third": {"private_ip": "10.132.20.12"}, "cluster:consensus": 200},
        [
            "haproxy_ha:cluster:consensus: found 200, allowed: at least token (300) unless there are exactly two load "
            "balancers"
        ],
    ),
    "a failure detection that there is not": (
        {"cluster:failure_detection": "quick"},
        [
            "haproxy_ha:cluster:failure_detection: found 'quick' (a string), allowed: one of fast, balanced, "
            "conservative"
        ],
    ),
    "a ping that cannot come back": (
        {"cluster:knet_ping_interval": 2000},
        ["haproxy_ha:cluster:knet_ping_timeout: found 2000, allowed: more than knet_ping_interval (2000)"],
    ),
    "nginx and HAProxy on one port": (
        {"app_servers:secondary": {"port": 8080}, "haproxy:frontends:http:bind": ["anchor:80", "*:8080"]},
        [f"{APPS}:secondary:port: found 8080, but frontend http on the same machine listens on *:8080"],
    ),
    "nginx and HAProxy on one private port": (
        {"app_servers:secondary": {"port": 8080}, "haproxy:frontends:http:bind": ["anchor:80", "private:8080"]},
        [f"{APPS}:secondary:port: found 8080, but frontend http on the same machine listens on private:8080"],
    ),
    "an app server that its load balancers cannot reach": (
        {"app_servers:app-1:private_ip": "fd00::236", "load_balancers:primary:private_ipv6": "fd00::10"},
        [f"{APPS}:app-1:private_ip: found an IPv6 address, but the load balancer secondary has none in the private "
         "network"],
    ),
    "null for a built-in that is not there": (
        {"cluster:primitives": {"FloatP": None}},
        [
            "haproxy_ha:cluster:primitives:FloatP: null takes a built-in away, and there is none of this name, did you "
            "mean FloatIP?"
        ],
    ),
    "a constraint on nothing": (
        {"cluster:colocations": {"x": {"resource": "mail", "with": "FloatIP", "score": "INFINITY"}}},
        ["haproxy_ha:cluster:colocations:x:resource: there is no resource mail"],
    ),
    "a primitive without agent, and a key that is none": (
        {"cluster:primitives": {"mail": {"metta": {}}}},
        [
            "haproxy_ha:cluster:primitives:mail: needs an agent, or else a template",
            "haproxy_ha:cluster:primitives:mail:metta: unknown key, did you mean meta?",
        ],
    ),
    "options that are no mapping": (
        {"cluster:properties": "stop"},
        ["haproxy_ha:cluster:properties: found 'stop' (a string), allowed: a mapping from id to its settings"],
    ),
    "a disruption that is none": (
        {"cluster:max_disruption": {"FloatIP": "nothng"}},
        [
            "haproxy_ha:cluster:max_disruption:FloatIP: found 'nothng' (a string), allowed: one of any, stop, move, "
            "migrate, restart, recover, promote, demote, reload, nothing, did you mean nothing"
        ],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pillar_gives_exactly_its_messages(case):
    changes, messages, *minion = WRONG[case]
    assert build(changes, *minion).errors == messages
