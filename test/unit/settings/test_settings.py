import copy
import json

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.pillar import shape
from haproxy_ha_lib.settings.build import secrets, settings
from saltext.pacemaker.errors import Problem
from support.pillars import DEFAULTS, EXAMPLE, REMOVED, build, changed, text_of, valid

NODES = "haproxy_ha:load_balancers"
APPS = "haproxy_ha:app_servers"
HAPROXY = "haproxy_ha:haproxy"
NAME = "a name of letters, digits and . _ - that begins with a letter or digit"

PEM = """\
-----BEGIN CERTIFICATE-----
c2VjcmV0IGNlcnRpZmljYXRl
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
c2VjcmV0IGtleQ==
-----END PRIVATE KEY-----
"""

HELPER = "haproxy_ha:quorum_helper"
IN_THE_CLEAR = {"cluster:quorum_device:tls": False}
QUORUM_PEM = "".join(f"-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----\n"
                     for kind in ("CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"))

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
    "a default backend without servers": (
        {"haproxy:frontends:http:default_backend": "web", "haproxy:backends": {"web": {"balance": "leastconn"}}},
        [f"{HAPROXY}:backends:web:servers: none, but frontend http sends requests to it; {SERVERS}"],
    ),
    "a backend of a rule without servers": (
        {"haproxy:frontends:http:options": ["use_backend api if { path_beg /api }"], "haproxy:backends": {"api": {}}},
        [f"{HAPROXY}:backends:api:servers: none, but frontend http sends requests to it; {SERVERS}"],
    ),
    "the default pool emptied": (
        {"haproxy:backends": {"app_pool": {"servers": []}}},
        [f"{HAPROXY}:backends:app_pool:servers: none, but frontend http sends requests to it; {SERVERS}"],
    ),
    "a listen without servers": (
        {"haproxy:listens": {"database": {"mode": "tcp", "bind": ["private:5432"], "options": ["timeout server 1h"]}}},
        [f"{HAPROXY}:listens:database:servers: none, but it listens; {SERVERS}"],
    ),
    "all servers in another pool": (
        {"haproxy:listens": {"api": {"mode": "tcp", "bind": ["anchor:81"], "servers": ["app-1", "app-2"]}}},
        [f"{HAPROXY}:backends:app_pool:servers: rest leaves none, because other proxies name them all, but frontend "
         f"http sends requests to it; {SERVERS}"],
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
    "a floating IPv6 address": (
        {"floating_ip:address": "2001:db8::10"},
        [
            "haproxy_ha:floating_ip:address: found 2001:db8::10, allowed: an IPv4 address (DigitalOcean's reserved IPs)"
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
        ["haproxy_ha:cluster:quorum_device:balancer_pem: missing: run `salt-call "
         "haproxy_ha.generate_quorum_certificates` and put what it prints here"],
    ),
    "a quorum helper's own certificates": (
        {"quorum_helper": {"app-1": None}, "cluster:quorum_device:balancer_pem": QUORUM_PEM},
        ["haproxy_ha:cluster:quorum_device:helper_pem: missing: run `salt-call "
         "haproxy_ha.generate_quorum_certificates` and put what it prints here"],
        "app-1",
    ),
    "certificates without their authority's": (
        {"cluster:quorum_device:balancer_pem": PEM},
        [f"haproxy_ha:cluster:quorum_device:balancer_pem: found a string of {len(PEM)} characters, allowed: a "
         "certificate, that of its authority and a private key in PEM, as haproxy_ha.generate_quorum_certificates "
         "makes them"],
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
            "haproxy_ha:cluster:fencing:enabled: found true, allowed with provider digitalocean; else bring a fence "
            "device in cluster:primitives"
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
            "haproxy_ha:floating_ip:replaces: found 203.0.113.10, allowed: the IPv4 address that 203.0.113.10 comes in "
            "place of"
        ],
    ),
    "unknown provider": (
        {"floating_ip:provider": "digitalocan"},
        [
            "haproxy_ha:floating_ip:provider: found 'digitalocan' (a string), allowed: one of digitalocean, ipaddr2, "
            "did you mean digitalocean"
        ],
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
            "haproxy_ha:cluster:authkey: missing: run `salt-call haproxy_ha.generate_authkey` and put what it prints "
            "here"
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
    "a raw line with a line break": (
        {"haproxy:defaults": ["mode http\nlisten evil"]},
        [
            f"{HAPROXY}:defaults:0: found 'mode http\\nlisten evil' (a string), allowed: one line of text, without "
            "control characters; of several lines, each is an entry of its own"
        ],
    ),
    "a raw line that begins a section": (
        {"haproxy:global": ["daemon", "listen evil"]},
        [
            f"{HAPROXY}:global:1: found 'listen evil' (a string), allowed: a line within its section, not one that "
            "begins a section"
        ],
    ),
    "lines that are no list": (
        {"haproxy:defaults": "mode http"},
        [f"{HAPROXY}:defaults: found 'mode http' (a string), allowed: a list"],
    ),
    "one name for two proxies": (
        {"haproxy:backends:http": {"servers": "app_servers"}},
        [f"{HAPROXY}:backends:http: a frontend has this name too; names are unique across listens, frontends and "
         "backends"],
    ),
    "a backend that is not there": (
        {"haproxy:frontends:http:default_backend": "app_pol"},
        [f"{HAPROXY}:frontends:http:default_backend: there is no backend app_pol, did you mean app_pool?"],
    ),
    "a default backend taken away": (
        {"haproxy:backends:app_pool": None},
        [f"{HAPROXY}:frontends:http:default_backend: there is no backend app_pool"],
    ),
    "null for what is no default": (
        {"haproxy:frontends:htpp": None},
        [
            f"{HAPROXY}:frontends:htpp: null takes a default away, and there is none of this name, did you mean http?"
        ],
    ),
    "a server that is not there, and one twice": (
        {"haproxy:backends:app_pool:servers": ["app-1", "app-3", "app-1"]},
        [
            f"{HAPROXY}:backends:app_pool:servers:1: there is no app server app-3, did you mean app-2?",
            f"{HAPROXY}:backends:app_pool:servers:2: app-1 is in this backend already",
        ],
    ),
    "a bind without port": (
        {"haproxy:frontends:http:bind": ["anchor"]},
        [
            f"{HAPROXY}:frontends:http:bind:0: found 'anchor' (a string), allowed: <address>:<port> with the address "
            "anchor, private, public, private_ipv6, public_ipv6, * or an IP address ([...] around IPv6)",
        ],
    ),
    "a frontend that listens nowhere": (
        {"haproxy:frontends:other": {"default_backend": "app_pool"}},
        [f"{HAPROXY}:frontends:other:bind: missing or empty, required: at least one <address>:<port>"],
    ),
    "two frontends on one port": (
        {"haproxy:frontends:other": {"bind": ["private:81", "anchor:80"]}},
        [f"{HAPROXY}:frontends:http:bind:0: anchor:80 is bound by other already"],
    ),
    "nginx and HAProxy on one port": (
        {"app_servers:secondary": {"port": 8080}, "haproxy:frontends:http:bind": ["anchor:80", "*:8080"]},
        [f"{APPS}:secondary:port: found 8080, but frontend http on the same machine listens on *:8080"],
    ),
    "nginx and HAProxy on one private port": (
        {"app_servers:secondary": {"port": 8080}, "haproxy:frontends:http:bind": ["anchor:80", "private:8080"]},
        [f"{APPS}:secondary:port: found 8080, but frontend http on the same machine listens on private:8080"],
    ),
    "nginx wanted and removed": (
        {"app_servers:secondary": {"port": 8080}, "haproxy:remove_nginx": True},
        [
            f"{HAPROXY}:remove_nginx: found true, but secondary is an app server with nginx as well, allowed: false"
        ],
    ),
    "one name for a listen and a frontend": (
        {"haproxy:listens": {"http": {"bind": ["anchor:81"], "servers": "app_servers"}}},
        [f"{HAPROXY}:frontends:http: a listen has this name too; names are unique across listens, frontends and "
         "backends"],
    ),
    "a name that the statistics have": (
        {"haproxy:stats": {"page": True}, "haproxy:backends:haproxy_ha_stats": {}},
        [f"{HAPROXY}:backends:haproxy_ha_stats: the frontend of the statistics has this name too; names are unique "
         "across listens, frontends and backends"],
    ),
    "a section `defaults` that is not there": (
        {"haproxy:sections": {"defaults tcp": ["mode tcp"]}, "haproxy:backends:app_pool:from": "tpc"},
        [f"{HAPROXY}:backends:app_pool:from: there is no section `defaults` tpc, did you mean tcp?"],
    ),
    "a section that is another key's": (
        {"haproxy:sections": {"frontend x": ["bind *:80"]}},
        [f"{HAPROXY}:sections:frontend x: found 'frontend x' (a string), allowed: <keyword> <name> with the keyword "
         "acme, crt-store, defaults, fcgi-app, http-errors, log-forward, log-profile, mailers, program, ring"],
    ),
    "a raw line that begins a section in quotes": (
        {"haproxy:sections": {"ring x": ['"list"en evil', "'listen' evil"]}},
        [f"{HAPROXY}:sections:ring x:{number}: found {found} (a string), allowed: a line within its section, not one "
         "that begins a section" for number, found in enumerate(("'\"list\"en evil'", '"\'listen\' evil"'))],
    ),
    "a certificate that is none": (
        {"haproxy:certificates": {"x": {"pem": "hunter2 hunter2"}}},
        [f"{HAPROXY}:certificates:x:pem: found a string of 15 characters, allowed: a certificate and its private key "
         "in PEM (-----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----)"],
    ),
    "certificates from nowhere and from everywhere": (
        {"haproxy:certificates": {"none": {}, "both": {"pem": PEM, "certificate": "/etc/x.pem"},
                                  "key": {"key": "/etc/x.key"}}},
        [f"{HAPROXY}:certificates:both: found both pem and certificate, allowed: one of them",
         f"{HAPROXY}:certificates:key:certificate: missing, but key is there",
         f"{HAPROXY}:certificates:none:pem: missing: certificate, chain and private key, or else the key certificate"],
    ),
    "TLS without a certificate": (
        {"haproxy:frontends:http:bind": ["anchor:80", "anchor:443 ssl"]},
        [f"{HAPROXY}:frontends:http:bind:1: found ssl without a certificate: name one by `crt`, or put one into "
         "haproxy_ha:haproxy:certificates"],
    ),
    "a certificate that is not there": (
        {"haproxy:certificates": {"x": {"pem": PEM}},
         "haproxy:frontends:http": {"bind": ["anchor:443 ssl"], "certificates": ["y"]}},
        [f"{HAPROXY}:frontends:http:certificates:0: there is no certificate y"],
    ),
    "a redirect in TCP mode": (
        {"haproxy:frontends:http:mode": "tcp", "haproxy:frontends:http:redirect_to_https": True},
        [f"{HAPROXY}:frontends:http:redirect_to_https: found true, but the mode is tcp, allowed: false"],
    ),
    "statistics for everybody": (
        {"haproxy:stats": {"page": True, "bind": ["127.0.0.1:8404", "anchor:8404"]}},
        [f"{HAPROXY}:stats:password: missing, but anchor:8404 is not only of the private network"],
    ),
    "a password with a space": (
        {"haproxy:stats": {"password": "hunter2 hunter2"}},
        [f"{HAPROXY}:stats:password: found a string of 15 characters, allowed: a password, or crypt(3)'s hash of one, "
         "of 8 to 128 letters, digits and ._~!@$%^&*()+=:,;<>?/|{}-"],
    ),
    "an algorithm that breaks out": (
        {"haproxy:backends:app_pool:balance": "leastconn #"},
        [f"{HAPROXY}:backends:app_pool:balance: found 'leastconn #' (a string), allowed: an algorithm such as "
         "leastconn or hdr(Host)"],
    ),
    "an algorithm that HAProxy does not know": (
        {"haproxy:backends:app_pool:balance": "a"},
        [f"{HAPROXY}:backends:app_pool:balance: found 'a' (a string), allowed: an algorithm such as "
         "leastconn or hdr(Host)"],
    ),
    "a check's path that breaks out": (
        {"haproxy:backends:app_pool:check": {"path": "/ hdr X y"}},
        [f"{HAPROXY}:backends:app_pool:check:path: found '/ hdr X y' (a string), allowed: a path such as /health"],
    ),
    "an app server that its load balancers cannot reach": (
        {"app_servers:app-1:private_ip": "fd00::236", "load_balancers:primary:private_ipv6": "fd00::10"},
        [f"{APPS}:app-1:private_ip: found an IPv6 address, but the load balancer secondary has none in the private "
         "network"],
    ),
    "nginx's lines that close what they do not open": (
        {"nginx:site": {"options": ["location / {", "} } server {", "}"]}},
        ["haproxy_ha:nginx:site:options: line 1 closes a block that none of these lines opens"],
    ),
    "nginx's lines that leave a block open": (
        {"nginx:options": ["map $host $x {"], "nginx:sites": {"x": {"options": ["# }", "location / {", "'}';"]}}},
        ["haproxy_ha:nginx:options: 1 of the blocks that these lines open stay open",
         "haproxy_ha:nginx:sites:x:options: 1 of the blocks that these lines open stay open"],
    ),
    "a name of a server that breaks out": (
        {"nginx:sites": {"x": {"server_names": ["a;b"]}}},
        ["haproxy_ha:nginx:sites:x:server_names:0: found 'a;b' (a string), allowed: a host name, *.example.com or _"],
    ),
    "a repository of one directory with components": (
        {"haproxy:repository": {"uri": "https://packages.example.com", "suite": "./", "trusted": True}},
        [f"{HAPROXY}:repository:components: found some, allowed: none ([]), because the suite is a path"],
    ),
    "a repository without components": (
        {"haproxy:repository": {"uri": "https://p.example.com", "suite": "x", "components": [], "trusted": True}},
        [f"{HAPROXY}:repository:components: empty, required: at least one, for example main"],
    ),
    "a repository without proof": (
        {"haproxy:repository": {"uri": "https://packages.example.com", "suite": "bookworm"}},
        [f"{HAPROXY}:repository:key: found none of key, key_url and trusted, allowed: exactly one"],
    ),
    "a repository without address": (
        {"haproxy:repository": {"suite": "bookworm"}},
        [f"{HAPROXY}:repository:uri: missing, but suite is there"],
    ),
    "a document root that breaks out": (
        {"nginx:page:document_root": "/var/www; deny all"},
        [
            "haproxy_ha:nginx:page:document_root: found '/var/www; deny all' (a string), allowed: an absolute path of "
            "letters, digits and . _ @ + -"
        ],
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
    assert build(changes, *minion)["errors"] == messages


def test_pillar_example_is_right_for_every_machine():
    for minion in ("primary", "secondary", "app-1", "app-2", "elsewhere"):
        built = valid(minion_id=minion)
        assert built["warnings"] == []


def test_no_pillar_is_one_error():
    built = settings(None, "primary", DEFAULTS)
    assert built["errors"] == ["haproxy_ha: this minion's pillar has no such tree; pillar.example shows one"]
    assert built["roles"] == []


@pytest.mark.parametrize("tree", ["text", ["list"], 5, True])
def test_a_pillar_that_is_no_mapping_is_an_error(tree):
    assert "haproxy_ha: found" in "\n".join(settings(tree, "primary", DEFAULTS)["errors"])


def test_all_errors_at_once_sorted_by_path_with_list_entries_in_order():
    lines = ["daemon"] * 12
    lines[2] = lines[10] = 5
    errors = build({"haproxy:global": lines, "verify": 1, "app_servers:app-1:port": 0, "cluster:token": "x"})["errors"]
    assert [error.split(": ")[0] for error in errors] == [
        "haproxy_ha:app_servers:app-1:port",
        "haproxy_ha:cluster:token",
        "haproxy_ha:haproxy:global:2",
        "haproxy_ha:haproxy:global:10",
        "haproxy_ha:verify",
    ]


def test_the_pillar_and_the_defaults_are_left_as_they_were():
    tree, defaults = copy.deepcopy(EXAMPLE), copy.deepcopy(DEFAULTS)
    settings(tree, "primary", defaults)
    assert (tree, defaults) == (EXAMPLE, DEFAULTS)


# Roles


@pytest.mark.parametrize("minion, roles", [
    ("primary", ["load_balancer"]),
    ("app-1", ["app_server"]),
    ("secondary", ["load_balancer", "app_server"]),
    ("legacy", []),
    ("app-2", ["app_server", "quorum_helper"]),
    ("elsewhere", []),
])
def test_roles(minion, roles):
    changes = {"app_servers:secondary": {"port": 8080}, "quorum_helper": {"app-2": None}, **IN_THE_CLEAR,
               "app_servers:legacy": {"private_ip": "10.132.20.9", "managed": False}}
    assert valid(changes, minion)["roles"] == roles


def test_a_minion_without_a_role_needs_no_address_but_its_pillar_is_checked():
    bare = {"load_balancers": {"primary": None}, "app_servers": {"app-1": None}}
    assert valid(bare, "elsewhere")["roles"] == []
    assert build({**bare, "verify": 1}, "elsewhere")["errors"] != []


def test_unmanaged_servers_may_share_a_host():
    valid({"app_servers:old": {"private_ip": "10.0.0.9", "managed": False},
           "app_servers:older": {"private_ip": "10.0.0.9", "port": 81, "managed": False}})


def test_a_quorum_helper_that_is_not_ours_to_configure_has_no_role():
    helper = {"helper": {"private_ip": "10.132.20.50", "managed": False}}
    built = valid({"quorum_helper": helper, **IN_THE_CLEAR}, "helper")
    assert (built["roles"], built["firewall"]["rules"]) == ([], [])


def test_a_quorum_helper_needs_the_balancers_addresses_and_its_own():
    bare = {"load_balancers": {"primary": None, "secondary": None}, "app_servers": {"app-1": None},
            "quorum_helper": {"helper": None}, "mine": True, **IN_THE_CLEAR}
    mine = {"primary": OF_PRIMARY, **IN_THE_MINE}
    built = valid(bare, "helper", metadata={"private_ip": "10.132.20.50"}, mine=mine)
    assert built["me"]["private_ip"] == "10.132.20.50"
    assert [node["private_ip"] for node in built["load_balancers"].values()] == ["10.132.20.10", "10.132.20.11"]


def test_only_load_balancers_need_the_secrets():
    without = {"floating_ip:api_token": REMOVED, "cluster:authkey": REMOVED}
    valid(without, "app-1")
    assert len(build(without, "primary")["errors"]) == 2


# Where addresses come from

BARE = {"load_balancers": {"primary": None, "secondary": None}, "app_servers": {"app-1": None}}
OF_PRIMARY = {"private_ip": "10.132.20.10", "public_ip": "203.0.113.21", "anchor_ip": "10.17.1.18", "hostname": "p"}
OF_APP = {"private_ip": "10.132.20.236", "public_ip": "203.0.113.31", "anchor_ip": "10.17.1.30"}
IN_THE_MINE = {
    "secondary": {"private_ip": "10.132.20.11", "public_ip": "203.0.113.22", "anchor_ip": "10.17.1.19"},
    "app-1": OF_APP,
}


def test_own_addresses_from_the_metadata_service_others_from_the_mine():
    built = valid({**BARE, "mine": True}, metadata=OF_PRIMARY, mine=IN_THE_MINE)
    assert built["me"] == {"private_ip": "10.132.20.10", "public_ip": "203.0.113.21", "anchor_ip": "10.17.1.18",
                           "node_id": built["load_balancers"]["primary"]["node_id"], "private_ipv6": None,
                           "public_ipv6": None}
    assert built["load_balancers"]["secondary"]["private_ip"] == "10.132.20.11"
    assert built["app_servers"]["app-1"]["private_ip"] == "10.132.20.236"


def test_an_app_server_needs_no_other_app_server():
    mine = {"primary": OF_PRIMARY, "secondary": IN_THE_MINE["secondary"]}
    built = valid({**BARE, "app_servers:app-2": None, "mine": True}, "app-1", metadata=OF_APP, mine=mine)
    assert built["app_servers"]["app-1"]["private_ip"] == "10.132.20.236"
    assert built["app_servers"]["app-2"]["private_ip"] is None


def test_what_nobody_knows_is_named_with_both_remedies():
    errors = build(BARE, metadata=None)["errors"]
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: app-1 is another machine, and haproxy_ha:mine is false; set it here",
        f"{NODES}:primary:anchor_ip: missing: there is no metadata service; set it here",
        f"{NODES}:primary:private_ip: missing: there is no metadata service; set it here",
        f"{NODES}:secondary:private_ip: missing: secondary is another machine, and haproxy_ha:mine is false; set it "
        "here",
    ]


def test_a_machine_that_the_mine_does_not_know_is_named():
    errors = build({**BARE, "mine": True}, metadata=OF_PRIMARY, mine={"secondary": IN_THE_MINE["secondary"]})["errors"]
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: the mine has none of app-1 (mine function haproxy_ha.addresses; salt '*' "
        "saltutil.refresh_pillar and then salt '*' mine.update, which prints True, send it); set it here"
    ]


def test_the_mine_counts_only_when_pillar_asks_for_it():
    assert len(build(BARE, metadata=OF_PRIMARY, mine=IN_THE_MINE)["errors"]) == 2


@pytest.mark.parametrize("sent", ["10.132.20.12", ["10.132.20.12"], 7, True])
def test_mine_data_that_is_no_mapping_is_one_error_that_names_the_machine(sent):
    mine = {**IN_THE_MINE, "app-1": sent}
    (error,) = build({**BARE, "mine": True}, metadata=OF_PRIMARY, mine=mine)["errors"]
    assert error.startswith(f"{APPS}:app-1:private_ip: missing: the mine has ")
    assert "of app-1, allowed: what haproxy_ha.addresses returns" in error


def test_what_the_mine_and_the_metadata_service_say_is_checked():
    wrong = {**OF_PRIMARY, "anchor_ip": "10.17.1.18\nbind *:81"}
    mine = {**IN_THE_MINE, "app-1": {"private_ip": "localhost"}}
    errors = build({**BARE, "mine": True}, metadata=wrong, mine=mine)["errors"]
    assert errors == [
        f"{APPS}:app-1:private_ip: missing: the mine says 'localhost' (a string), allowed: an IPv4 or IPv6 address; "
        "set it here",
        f"{NODES}:primary:anchor_ip: missing: the metadata service says '10.17.1.18\\nbind *:81' (a string), allowed: "
        "an IPv4 or IPv6 address; set it here",
    ]


def test_the_metadata_service_is_asked_once_by_its_url_and_only_when_needed():
    asked = []

    def metadata(url):
        asked.append(url)
        return OF_PRIMARY

    valid(metadata=metadata)
    assert asked == []
    valid({"load_balancers:primary": None}, metadata=metadata)
    assert asked == ["http://169.254.169.254"]


@pytest.mark.parametrize("answer, reason", [
    (OSError("no route to host"), " (no route to host)"),
    (None, ""),
])
def test_a_metadata_service_that_does_not_answer_is_the_reason(answer, reason):
    def metadata(url):
        if answer:
            raise answer

    errors = build({"load_balancers:primary:anchor_ip": REMOVED}, metadata=metadata)["errors"]
    assert errors == [
        f"{NODES}:primary:anchor_ip: missing: the metadata service http://169.254.169.254 did not answer{reason}; "
        "set it here"
    ]


def test_a_droplet_without_an_anchor_ip_has_its_public_ip_in_its_place():
    metadata = {**OF_PRIMARY, "anchor_ip": None}
    built = valid({"load_balancers:primary": {"private_ip": "10.132.20.10"}}, metadata=metadata)
    assert built["me"]["anchor_ip"] == "203.0.113.21"
    assert built["haproxy"]["frontends"]["http"]["bind"] == [{"address": "203.0.113.21", "port": 80, "options": ""}]
    assert built["warnings"] == [
        f"{NODES}:primary:anchor_ip: this droplet has none, so HAProxy binds its public IP 203.0.113.21"
    ]


def test_an_unknown_public_ip_is_a_warning():
    built = valid({"app_servers:app-1:public_ip": REMOVED}, "app-1")
    assert built["warnings"] == [f"{APPS}:app-1:public_ip: missing: there is no metadata service; set it here"]
    assert built["me"]["public_ip"] is None


def test_a_bind_on_an_unknown_public_ip_is_an_error():
    changes = {"load_balancers:primary:public_ip": REMOVED, "haproxy:frontends:http:bind": ["anchor:80", "public:81"]}
    assert build(changes)["errors"] == [f"{HAPROXY}:frontends:http:bind:1: the public_ip of this machine is unknown"]


def test_a_machine_in_both_roles_shares_its_addresses():
    built = valid({"app_servers:secondary": {"port": 8080}}, "secondary")
    assert built["app_servers"]["secondary"]["private_ip"] == "10.132.20.11"
    assert built["me"]["anchor_ip"] == "10.17.1.19"


def test_node_ids_depend_on_the_name_alone():
    before = valid({"load_balancers:third": {"private_ip": "10.132.20.12"}})["load_balancers"]
    after = valid({"load_balancers:secondary": REMOVED, "load_balancers:third": {"private_ip": "10.132.20.12"}})
    assert before["third"]["node_id"] == after["load_balancers"]["third"]["node_id"]
    assert all(1 <= entry["node_id"] <= 65535 for entry in before.values())


def test_binds_name_this_machine():
    changes = {"haproxy:frontends:http:bind": ["anchor:80", "private:81", "public:82", "*:83", "[fd00::5]:84 v6only"]}
    bound = valid(changes, "secondary")["haproxy"]["frontends"]["http"]["bind"]
    assert bound == [
        {"address": "10.17.1.19", "port": 80, "options": ""},
        {"address": "10.132.20.11", "port": 81, "options": ""},
        {"address": "203.0.113.22", "port": 82, "options": ""},
        {"address": "*", "port": 83, "options": ""},
        {"address": "fd00::5", "port": 84, "options": "v6only"},
    ]


NO_ANCHORS = {"load_balancers:primary:anchor_ip": REMOVED, "load_balancers:secondary:anchor_ip": REMOVED}


@pytest.mark.parametrize("floating_ip, others", [
    ({"provider": "ipaddr2"}, {}),
    ({"provider": "ipaddr2"}, NO_ANCHORS),
    ({"agent": "ocf:heartbeat:awsvip"}, NO_ANCHORS),
])
def test_haproxy_binds_the_floating_ip_itself_where_no_anchor_ip_stands_for_it(floating_ip, others):
    changes = {"floating_ip": {"address": "10.132.20.100", **floating_ip}, **others}
    bound = valid(changes)["haproxy"]["frontends"]["http"]["bind"]
    assert bound == [{"address": "10.132.20.100", "port": 80, "options": "transparent"}]


def test_another_agent_may_bring_the_address_to_an_anchor_ip():
    changes = {"floating_ip": {"address": "198.51.100.7", "agent": "ocf:heartbeat:awseip"}}
    bound = valid(changes)["haproxy"]["frontends"]["http"]["bind"]
    assert bound == [{"address": "10.17.1.18", "port": 80, "options": ""}]


def test_a_bind_on_an_address_that_nobody_tells_is_an_error():
    changes = {"floating_ip": {"agent": "ocf:heartbeat:awsvip"}, **NO_ANCHORS}
    assert build(changes)["errors"] == [
        f"{HAPROXY}:frontends:http:bind:0: neither an anchor IP nor haproxy_ha:floating_ip:address is there to bind"
    ]


def test_what_pacemaker_would_not_understand_is_a_warning_because_an_adopted_cluster_may_have_it():
    [warning] = valid({"cluster:properties": {"stonith-enabled": "maybe"}})["warnings"]
    assert warning.startswith("haproxy_ha:cluster:properties:") and "allowed: true or false" in warning


def test_one_load_balancer_is_allowed_with_a_warning():
    built = valid({"load_balancers:secondary": REMOVED})
    assert built["warnings"] == [f"{NODES}: only one, so nothing takes over when it fails"]


# Secrets


def test_no_secret_is_in_the_result():
    stats = {"page": True, "password": "hunter2hunter2"}
    changes = {"haproxy:certificates": {"x": {"pem": PEM}}, "haproxy:stats": stats,
               "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM}}
    text = json.dumps(valid(changes))
    assert "hunter2" not in text and "c2VjcmV0" not in text
    assert EXAMPLE["floating_ip"]["api_token"] not in text
    assert "".join(EXAMPLE["cluster"]["authkey"].split()) not in text


SECRET = "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
PLACES = ["floating_ip", "floating_ip:address", "floating_ip:api_tokn", "floating_ip:api_url", "mine", "verify",
          "cluster:name", "cluster:authkey", "app_servers:app-1:port", "load_balancers:primary", "haproxy:frontends",
          "nginx:page:document_root", f"floating_ip:{SECRET[:40]}", f"app_servers:{SECRET[:40]} "]


@pytest.mark.parametrize("place", PLACES)
def test_a_token_in_the_wrong_place_is_not_echoed(place):
    errors = build({place: SECRET})["errors"]
    assert errors
    assert SECRET[:20] not in "\n".join(errors)


@pytest.mark.parametrize("value", ["hunter2", 12345678, ["hunter2"], {"hunter2": "hunter2"}, "hunter2 hunter2!"])
@pytest.mark.parametrize("place", ["floating_ip:api_token", "cluster:authkey", "haproxy:certificates:x:pem",
                                   "haproxy:stats:password", "cluster:quorum_device:balancer_pem"])
def test_a_wrong_secret_is_not_echoed(place, value):
    errors = "\n".join(build({place: value})["errors"])
    assert place.split(":")[1] in errors
    assert "hunter2" not in errors and "12345678" not in errors


# Any pillar at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)
                        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3), max_leaves=8)


def branches(tree, path=()):
    """Every path of a tree of mappings."""
    yield path
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from branches(inner, (*path, key))


@examples(max_examples=150, deadline=None)
@given(st.sampled_from([path for path in branches(DEFAULTS | EXAMPLE) if path and path[0] not in
                        ("packages", "services", "paths")]), ANYTHING, st.sampled_from(["primary", "app-1", "other"]))
def test_anything_anywhere_gives_messages_and_never_a_traceback(path, value, minion):
    built = settings(changed_at(path, value), minion, DEFAULTS)
    assert all(error.startswith("haproxy_ha") and error.isprintable() for error in built["errors"])


def changed_at(path, value):
    tree = changed({})
    branch = tree
    for step in path[:-1]:
        branch = branch.setdefault(step, {})
    branch[path[-1]] = value
    return tree


def test_a_problem_is_shown_on_one_printable_line():
    problem = Problem(("haproxy_ha", "a\nb", 5, True, "x" * 99), "wrong")
    told = "haproxy_ha:'a\\nb' (a string):5:True (a boolean):a string of 99 characters: wrong"
    assert shape.shown(problem) == told


def test_a_repository_of_one_directory_has_no_components():
    repository = {"uri": "https://packages.example.com", "suite": "./", "components": [], "trusted": True}
    assert valid({"haproxy:repository": repository})["haproxy"]["repository"]["suite"] == "./"


ANSWERING = [
    ["server own 10.0.0.9:80"], ["server-template own 1-3 app.example.com:80"], ["redirect prefix https://example.com"],
    ["http-request return status 503 content-type text/html file /etc/haproxy/errors/503.http"], ["http-request deny"],
    ["http-request  redirect location /down"], ["errorfile 503 /etc/haproxy/errors/503.http"], ["stats enable"],
    ["http-request use-service prometheus-exporter"], ["dispatch 10.0.0.9:80"], ["option transparent"],
    ["http-error status 503 content-type text/plain string down"], ["http-request tarpit"], ["http-request deny"],
    ["redirect scheme https code 301"], ["http-request return status 200 if { path /challenge }"],
    ["http-request deny unless { path /challenge }", "http-request return status 200"],
]  # fmt: skip
SILENT = [
    ["http-request deny if { src 10.9.0.0/16 }"], ["http-request deny deny_status 429 unless { path / }"],
    ["redirect scheme https code 301 if !{ ssl_fc }"], ["http-request redirect scheme https unless { ssl_fc }"],
    ["http-request auth unless { http_auth(staff) }"], ["errorfile 404 /etc/haproxy/errors/400.http"],
    ["tcp-request content reject if { src 10.9.0.0/16 }"], ["http-request set-header X Y"], ["timeout server 9s"],
    ["http-check send meth GET uri /"], ["# server own 10.0.0.9:80"], ["use-server own if TRUE"],
]  # fmt: skip


@pytest.mark.parametrize("lines", SILENT)
def test_a_backend_whose_lines_answer_some_at_most_needs_a_server(lines):
    built = build({"haproxy:backends": {"app_pool": {"servers": [], "options": lines}}})
    assert built["errors"] == [
        f"{HAPROXY}:backends:app_pool:servers: none, but frontend http sends requests to it; {SERVERS}"
    ]


def test_a_listen_that_redirects_to_itself_needs_a_server():
    tls = {"bind": ["anchor:81", "anchor:444 ssl crt /x.pem"], "redirect_to_https": True}
    assert len(build({"haproxy:listens": {"own": tls}})["errors"]) == 1


@pytest.mark.parametrize("lines", ANSWERING)
def test_a_backend_that_answers_by_a_line_of_its_own_needs_no_server(lines):
    valid({"haproxy:backends": {"app_pool": {"servers": [], "options": lines}}})


def test_a_listen_that_answers_by_itself_needs_no_server():
    valid({"haproxy:listens": {
        "statistics": {"bind": ["private:8405"], "options": ["stats enable", "stats uri /"]},
        "old": {"bind": ["anchor:81"], "redirect_to_https": True},
        "router": {"bind": ["anchor:82"], "options": ["default_backend app_pool"]},
        "shared": {"bind": ["anchor:83"], "from": "down"},
    }, "haproxy:sections": {"defaults down": ["mode http", "http-request return status 503"]}})  # fmt: skip


DATABASES = {f"app_servers:db-{number}": {"private_ip": f"10.132.20.20{number}", "managed": False} for number in (1, 2)}


@pytest.mark.parametrize("more, pool", [
    ({}, ["app-1", "app-2", "db-1", "db-2"]),
    ({"haproxy:listens": {"database": {"mode": "tcp", "bind": ["private:5432"], "servers": ["db-1", "db-2"],
                                       "port": 5432}}}, ["app-1", "app-2"]),
    ({"haproxy:backends": {"database": {"mode": "tcp", "servers": ["db-2"]}}}, ["app-1", "app-2", "db-1"]),
    ({"haproxy:backends": {"app_pool": {"servers": "app_servers"}, "database": {"servers": ["db-1", "db-2"]}}},
     ["app-1", "app-2", "db-1", "db-2"]),
    ({"haproxy:backends": {"database": {"servers": ["db-1"]}}}, ["app-1", "app-2", "db-2"]),
    ({"haproxy:backends": {"api": {"servers": ["app-1", "app-2"], "port": 9000}}}, ["app-1", "app-2", "db-1", "db-2"]),
    ({"haproxy:backends": {"app_pool": {"servers": ["app-2"]}}}, ["app-2"]),
    ({"haproxy:backends": {"app_pool": {"balance": "leastconn"}, "all": {"servers": "app_servers"}}},
     ["app-1", "app-2", "db-1", "db-2"]),
])  # fmt: skip
def test_a_server_of_one_pool_joins_the_default_one_only_if_it_is_asked_to(more, pool):
    assert valid({**DATABASES, **more})["haproxy"]["backends"]["app_pool"]["servers"] == pool


@pytest.mark.parametrize("backend, told", [
    ({"servers": ["db-1"]}, [
        f"{HAPROXY}:backends:api:servers: db-1, which is not managed, is in no other pool by itself: not in app_pool"
    ]),
    ({"servers": ["db-1"], "port": 9000}, []),
    ({"servers": ["db-1"], "mode": "tcp"}, []),
    ({"servers": ["app-1"]}, []),
])  # fmt: skip
def test_a_server_that_might_be_meant_for_both_pools_is_told(backend, told):
    assert valid({**DATABASES, "haproxy:backends": {"api": backend}})["warnings"] == told


# What is around one line: a line break as gpg and block scalars leave it, Windows' own, blanks.

SECRETS = {
    "haproxy:certificates": {"shop": {"pem": PEM}},
    "haproxy:stats": {"page": True, "user": "jane", "password": "$ecret-word12"},
    "quorum_helper": {"app-2": {"private_ip": "10.132.20.237"}},
    "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM},
    "haproxy:repository": {"uri": "http://10.0.0.1/debian", "suite": "bookworm", "trusted": True},
    "floating_ip:api_url": "https://api.example.com/x",
}


def ended(tree, end):
    """The tree with ``end`` behind each text in it."""
    if isinstance(tree, dict):
        return {key: ended(inner, end) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [ended(inner, end) for inner in tree]
    return tree + end if isinstance(tree, str) else tree


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("minion", ["primary", "app-1", "app-2"])
def test_a_line_break_behind_each_value_of_pillar_changes_nothing(minion, end):
    tree = changed(SECRETS)
    built = settings(tree, minion, DEFAULTS)
    assert built["errors"] == []
    assert settings(ended(tree, end), minion, DEFAULTS) == built
    assert secrets(ended(tree, end)) == secrets(tree)


def test_a_password_with_a_dollar_is_plain_and_a_hash_is_a_hash():
    for password, how in (("$ecret-word12", "insecure-password"), ("$5$salt$" + "a" * 43, "password")):
        pillar = {"haproxy:stats": {"page": True, "password": password + "\n"}}
        text = text_of(valid(pillar), "haproxy", "/etc/haproxy/haproxy.cfg", secrets(changed(pillar)))
        assert f"    user admin {how} {password}\n" in text


@pytest.mark.parametrize("path", ["haproxy:certificates:shop:pem", "cluster:quorum_device:balancer_pem"])
def test_an_encrypted_key_of_pillar_is_named(path):
    pem = PEM.replace("PRIVATE", "ENCRYPTED PRIVATE")
    [error] = build({**SECRETS, path: pem})["errors"]
    assert error.startswith(f"haproxy_ha:{path}: found a string of ")
    assert "without a passphrase" in error and "c2VjcmV0" not in error


def test_tabs_between_words_are_one_blank():
    lines = {"haproxy:global": ["log /dev/log\tlocal0"], "haproxy:defaults": ["\tmode\thttp\r", "option\t httplog"],
             "haproxy:frontends": {"http": {"bind": ["anchor:80\taccept-proxy"], "options": ["bind\t*:81"]}},
             "app_servers:app-1:options": ["inter\t2s"], "haproxy:userlists": {"x": ["user\ta\tpassword\tb"]}}
    haproxy = valid(lines)["haproxy"]
    assert (haproxy["global"], haproxy["defaults"]) == (["log /dev/log local0"], ["mode http", "option httplog"])
    assert haproxy["frontends"]["http"]["options"] == ["bind *:81"]
    assert haproxy["frontends"]["http"]["bind"][0]["options"] == "accept-proxy"
    assert haproxy["userlists"]["x"] == ["user a password b"]
    assert valid(lines)["app_servers"]["app-1"]["options"] == ["inter 2s"]


@pytest.mark.parametrize("line", ["\tlisten\tevil", "\\x6cisten evil", "'global'\t", "a\n\tlisten evil"])
def test_a_line_that_begins_a_section_is_refused_however_it_is_written(line):
    [error] = build({"haproxy:defaults": [line]})["errors"]
    assert error.startswith("haproxy_ha:haproxy:defaults:0: found ")
