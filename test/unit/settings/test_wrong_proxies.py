"""What is wrong in pillar about HAProxy, nginx and packages, with its messages."""


import pytest

from saltext.pacemaker.cib.hidden import MARKER
from support.pillars import PEM, build

NODES = "haproxy_ha:load_balancers"
APPS = "haproxy_ha:app_servers"
HAPROXY = "haproxy_ha:haproxy"
NAME = "a name of letters, digits and . _ - that begins with a letter or digit"
SERVERS = (
    "required: app_servers, rest or a list of names, or in options a line that answers, such as `server ...` or "
    "`http-request return ...`"
)

# What is changed in pillar.example, and all the messages that it gives on the load balancer `primary`.
WRONG = {
    "a queue that is no flag": (
        {"haproxy:queue": "10s"}, [f"{HAPROXY}:queue: found '10s' (a string), allowed: true or false"],
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
    "a section of the formula's own": (
        {"haproxy:listens": {"api": {"mode": "tcp", "bind": ["anchor:81"], "servers": ["app-1"]}},
         "haproxy:backends": {"app_pool": {"servers": ["app-2"]}},
         "haproxy:sections": {"defaults haproxy_ha_tcp": ["mode tcp"]}},
        [f"{HAPROXY}:sections:defaults haproxy_ha_tcp: the formula has one of this name itself"],
    ),
    "a userlist of the formula's own": (
        {"haproxy:stats": {"page": True, "password": "x" * 16}, "haproxy:userlists": {"haproxy_ha_stats": []}},
        [f"{HAPROXY}:userlists:haproxy_ha_stats: the formula has one of this name itself"],
    ),
    "all servers in another pool": (
        {"haproxy:listens": {"api": {"mode": "tcp", "bind": ["anchor:81"], "servers": ["app-1", "app-2"]}}},
        [f"{HAPROXY}:backends:app_pool:servers: rest leaves none, because other proxies name them all, but frontend "
         f"http sends requests to it; {SERVERS}"],
    ),
    "HSTS where nobody comes by TLS": (
        {"haproxy:frontends:http:hsts": {"max_age": 31536000}},
        [f"{HAPROXY}:frontends:http:hsts: found, but no bind has ssl: browsers take the header by TLS alone"],
    ),
    "HSTS without a time": (
        {"haproxy:frontends:http:hsts": {"preload": True}},
        [f"{HAPROXY}:frontends:http:hsts:max_age: missing: how many seconds browsers keep to it, such as 31536000"],
    ),
    "HSTS in TCP mode": (
        {"haproxy:listens": {"tls": {"mode": "tcp", "bind": ["anchor:443 ssl crt /x.pem"], "servers": "app_servers",
                                     "hsts": {"max_age": 0}}},
         "haproxy:backends:app_pool:servers": "app_servers"},
        [f"{HAPROXY}:listens:tls:hsts: found, but the mode is tcp: the header is HTTP's"],
    ),
    "HSTS that no browser builds in": (
        {"haproxy:frontends:http:bind": ["anchor:443 ssl crt /x.pem"],
         "haproxy:frontends:http:hsts": {"max_age": 31536000, "preload": True}},
        [f"{HAPROXY}:frontends:http:hsts:preload: found true, allowed: with include_subdomains and a max_age of "
         "31536000 at least"],
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
            "anchor, private, public, private_ipv6, public_ipv6, floating:NAME, * or an IP address ([...] around IPv6)",
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
         "acme, crt-store, defaults, fcgi-app, http-errors, log-forward, log-profile, mailers, program, ring; or any "
         "header and a label, as `defaults #2`"],
    ),
    "a label behind what is no header": (
        {"haproxy:sections": {"fronted x #1": ["bind *:80"]}},
        [f"{HAPROXY}:sections:fronted x #1: found 'fronted x #1' (a string), allowed: <keyword> <name> with the keyword"
         " acme, crt-store, defaults, fcgi-app, http-errors, log-forward, log-profile, mailers, program, ring; or any "
         "header and a label, as `defaults #2`"],
    ),
    "an order with what is not there, and with one twice": (
        {"haproxy:order": ["global", "frontend htp", "global"]},
        [f"{HAPROXY}:order:1: there is no section frontend htp, did you mean frontend http?",
         f"{HAPROXY}:order:2: global is in this list already"],
    ),
    "a marker of an export": (
        {"haproxy:userlists": {"ops": [f"# {MARKER}", f"user a password {MARKER}"]}},
        [f"{HAPROXY}:userlists:ops:1: found what an export has in place of a secret, allowed: the line as it was "
         "(salt-call --local haproxy_ha.export secrets=True)"],
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
        {"haproxy:repository": {"uri": "file:/srv/packages", "suite": "./", "trusted": True}},
        [f"{HAPROXY}:repository:components: found some, allowed: none ([]), because the suite is a path"],
    ),
    "a repository without components": (
        {"haproxy:repository": {"uri": "file:/p", "suite": "x", "components": [], "trusted": True}},
        [f"{HAPROXY}:repository:components: empty, required: at least one, for example main"],
    ),
    "a repository that whoever is on the way can write": (
        {"haproxy:repository": {"uri": "https://packages.example.com", "suite": "bookworm", "trusted": True}},
        [f"{HAPROXY}:repository:trusted: found true, allowed: only with a uri that begins with file:, because whoever "
         "is on the way could send packages; give key or key_url"],
    ),
    "a repository that may bring nothing": (
        {"haproxy:repository": {"uri": "file:/p", "suite": "x", "packages": [], "trusted": True}},
        [f"{HAPROXY}:repository:packages: empty, required: at least one, for example haproxy; [\"*\"] for everything"],
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
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pillar_gives_exactly_its_messages(case):
    changes, messages, *minion = WRONG[case]
    assert build(changes, *minion).errors == messages
