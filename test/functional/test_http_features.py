"""What pillar can say about the two HTTP tiers, read by the real daemons: each feature, and what it must not do."""

import subprocess
from pathlib import Path

import pytest

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.settings import build
from support.certificates import self_signed
from support.pillars import DEFAULTS, changed, rendered, valid
from support.place import requires_tools

pytestmark = requires_tools("haproxy", "nginx", "openssl")

CFG = "/etc/haproxy/haproxy.cfg"
VALID = "Configuration file is valid\n"  # HAProxy 2.6 says so; 3.0 is silent
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate with its key, as a file: (certificate, key)."""
    return self_signed(tmp_path_factory.mktemp("pem"), "www.example.com")


@pytest.fixture
def haproxy(pem, tmp_path):
    """Renders HAProxy's set into a directory of its own, and asks HAProxy: (exit code, what it said, haproxy.cfg)."""

    def check(changes, minion="primary"):
        tree = changed(changes)
        for certificate in (tree.get("haproxy", {}).get("certificates") or {}).values():
            if certificate.get("pem") == "PEM":
                certificate["pem"] = "".join(path.read_text() for path in pem)
        built = build.settings(tree, minion, DEFAULTS)
        assert built.errors == []
        entries = layout.daemon_files(built, build.secrets(tree))["haproxy"]
        text = rendered(entries.pop(CFG))
        for path, entry in entries.items():
            if entry:
                own = tmp_path / Path(path).name
                own.write_text(rendered(entry), encoding="utf-8")
                text = text.replace(path, str(own))
        (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["haproxy", "-c", "-dW", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).removesuffix(VALID), text

    return check


HTTPS = {"haproxy:certificates": {"www.example.com": {"pem": "PEM"}}}
ALGORITHMS = [
    "roundrobin", "static-rr", "leastconn", "first", "source", "random", "random(2)", "rdp-cookie", "rdp-cookie(x)",
    "hdr(Host)", "hdr(Host) use_domain_only", "url_param id", "url_param id check_post", "uri", "uri whole",
    "uri len 9 depth 2 path-only", "hash req.hdr(x),lower",
]  # fmt: skip
FEATURES = {
    "TLS with every certificate, HTTP/2, redirect": (
        HTTPS | {"haproxy:frontends": {"http": {"bind": ["anchor:80", "anchor:443 ssl"], "redirect_to_https": True}}},
        [
            "bind 10.17.1.18:443 ssl crt {dir}/www.example.com.pem alpn h2,http/1.1",
            "http-request redirect location https://%[req.fhdr(host),regsub(:[0-9]+$,)]%[pathq] code 301"
            " unless { ssl_fc }",
            "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        ],
    ),
    "one certificate of two, and ALPN of one's own": (
        {"haproxy:certificates": {"a": {"pem": "PEM"}, "b": {"pem": "PEM"}},
         "haproxy:frontends": {"http": {"bind": ["anchor:443 ssl alpn http/1.1"], "certificates": ["b"]}}},
        ["bind 10.17.1.18:443 ssl alpn http/1.1 crt {dir}/b.pem"],
    ),
    "rules of one's own around ours": (
        HTTPS | {"haproxy:frontends": {"http": {
            "bind": ["anchor:80", "anchor:443 ssl"], "redirect_to_https": True,
            "options": ["acl acme path_beg /.well-known/", "tcp-request content accept if HTTP",
                        "http-request return status 200 if acme", "use_backend app_pool if { path /x }"],
        }}},
        [],
    ),
    "a check by HTTP": (
        {"haproxy:backends:app_pool:check": {"path": "/health", "host": "www.example.com", "status": "200,204"}},
        ["option httpchk", "http-check send meth GET uri /health ver HTTP/1.1 hdr Host www.example.com",
         "http-check expect status 200,204"],
    ),
    "a check by HTTP without a host": (
        {"haproxy:backends:app_pool:check": {"path": "/", "status": 204}},
        ["http-check send meth GET uri /", "http-check expect status 204"],
    ),
    "algorithms": (
        {"haproxy:backends": {name: {"servers": "app_servers", "balance": algorithm} for name, algorithm in {
            "a": "leastconn", "b": "source", "c": "uri depth 2", "d": "hdr(Host)", "e": "random(2)", "f": "first",
        }.items()}},
        ["balance hdr(Host)"],
    ),
    "a pool on another port, with weights, a backup and a limit": (
        {"app_servers:app-1:weight": 10, "app_servers:app-1:maxconn": 50, "app_servers:app-2:backup": True,
         "haproxy:backends": {"api": {"servers": ["app-2", "app-1"], "port": 9000}}},
        ["server app-2 10.132.20.237:9000 check backup", "server app-1 10.132.20.236:9000 check weight 10 maxconn 50"],
    ),
    "a listen in TCP mode by a section defaults of its own": (
        {"haproxy:sections": {"defaults tcp": ["mode tcp", "timeout connect 5s", "timeout client 1m",
                                               "timeout server 1m", "option tcplog", "log global"]},
         "haproxy:listens": {"database": {"from": "tcp", "bind": ["private:5432"], "servers": "app_servers",
                                          "port": 5432, "balance": "leastconn"}}},
        ["listen database from tcp", "server app-2 10.132.20.237:5432 check"],
    ),
    "every kind of section": (
        {"haproxy:userlists": {"staff": ["user jane insecure-password secret99"]},
         "haproxy:peers": {"balancers": {"port": 1024}},
         "haproxy:resolvers": {"own": ["nameserver one 127.0.0.1:53", "hold valid 10s"]},
         "haproxy:caches": {"small": ["total-max-size 4", "max-age 60"]},
         "haproxy:sections": {"mailers alerts": ["mailer one 192.0.2.25:25"], "ring log": ["size 32764"],
                              "http-errors site": ["errorfile 503 /etc/haproxy/errors/503.http"]},
         "haproxy:frontends:http:options": [
             "http-request auth unless { http_auth(staff) }", "errorfiles site",
             "stick-table type ipv6 size 10k expire 30s store http_req_rate(10s) peers balancers",
             "http-request track-sc0 src", "http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100 }"],
         "haproxy:backends:app_pool:options": [
             "http-request cache-use small", "http-response cache-store small", "email-alert mailers alerts",
             "email-alert from lb@example.com", "email-alert to staff@example.com"]},
        ["localpeer primary", "peer primary 10.132.20.10:1024", "peer secondary 10.132.20.11:1024", "ring log"],
    ),
    "statistics and metrics on loopback": (
        {"haproxy:stats": {"page": True, "prometheus": True}},
        ["bind 127.0.0.1:8404", "stats enable", "http-request use-service prometheus-exporter if { path /metrics }"],
    ),
    "statistics for everybody with a password": (
        {"haproxy:stats": {"page": True, "bind": ["anchor:8404"], "password": PASSWORD}},
        [f"user admin insecure-password {PASSWORD}",
         "http-request auth realm HAProxy unless { http_auth(haproxy_ha_stats) }"],
    ),
    "statistics with a hash": (
        {"haproxy:stats": {"page": True, "bind": ["*:8404"],
                           "password": "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"}},
        ["user admin password $5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8"],
    ),
    "every algorithm": (
        {"haproxy:backends": {f"b{number}": {"balance": one} for number, one in enumerate(ALGORITHMS)}},
        [f"balance {one}" for one in ALGORITHMS],
    ),
    "metrics alone": ({"haproxy:stats": {"prometheus": True}}, ["http-request return status 404"]),
    "the PROXY protocol to servers of ours": (
        {"nginx:client_address": "proxy_protocol", "app_servers:theirs": {"private_ip": "10.0.0.9", "managed": False}},
        ["server app-1 10.132.20.236:80 check send-proxy-v2", "server theirs 10.0.0.9:80 check"],
    ),
    "IPv6 beside IPv4": (
        {"load_balancers:primary:public_ipv6": "2001:db8::21", "load_balancers:primary:private_ipv6": "fd00::10",
         "haproxy:frontends:http:bind": ["anchor:80", "public_ipv6:80", "private_ipv6:8080"]},
        ["bind [2001:db8::21]:80", "bind [fd00::10]:8080"],
    ),
    "keep-alive by one line": (
        {"haproxy:keep_alive": True}, ["option http-keep-alive"],
    ),
    "no states kept": ({"haproxy:keep_server_states": False}, []),
}


@pytest.mark.parametrize("case", FEATURES)
def test_a_feature_is_rendered_and_taken_without_a_warning(haproxy, tmp_path, case):
    changes, expected = FEATURES[case]
    status, said, text = haproxy(changes)
    assert (status, said) == (0, ""), said
    lines = [line.strip() for line in text.splitlines()]
    assert [line for line in (one.replace("{dir}", str(tmp_path)) for one in expected) if line not in lines] == []


# Lines of `defaults` that HAProxy takes where HTTP is spoken.
LINES = [
    "option httplog", "option  httplog clf", "option httpslog", "option tcplog",
    "option forwardfor except 127.0.0.0/8", "option originalto", "option http-server-close", "option httpclose",
    "option http-keep-alive", "option http-no-delay", "option http-pretend-keepalive", "option http-ignore-probes",
    "option http-buffer-request", "option http-use-proxy-header", "option http-restrict-req-hdr-names preserve",
    "no option http-keep-alive", "option idle-close-on-response", "option disable-h2-upgrade", "option checkcache",
    "option accept-invalid-http-request", "option accept-invalid-http-response",
    "no option accept-invalid-http-request", "option prefer-last-server", "option h1-case-adjust-bogus-client",
    "option httpchk", "option httpchk GET /health", "http-check expect status 200", "http-check send meth GET uri /",
    "http-check disable-on-404", "option tcp-check", "option mysql-check", "option ssl-hello-chk",
    "option redispatch", "option abortonclose", "option tcp-smart-connect", "option contstats",
    "option log-health-checks", "option persist", "http-reuse always", "http-send-name-header X-Server",
    "http-error status 503 errorfile /etc/haproxy/errors/503.http", "errorloc302 503 http://x/", "errorfiles site",
    "cookie SRV insert indirect nocache", "dynamic-cookie-key x", "compression algo gzip", "monitor-uri /up",
    "stats enable", "stats uri /stats", "stats auth admin:secret", "stats refresh 10s", "stats hide-version",
    "timeout http-keep-alive 9s", "timeout tunnel 1h", "timeout queue 9s", "retries 3",
    "retry-on all-retryable-errors", "unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid",
    "unique-id-header X-Id", "maxconn 900", "fullconn 9", "balance uri whole", "balance url_param id",
    "balance hdr(Host)", "balance leastconn", "balance hash src", "balance hash req.hdr(x),lower",
    "default-server inter 3s rise 2 cookie x", "default-server check proto h2", "default-server ssl verify none",
    "source 0.0.0.0", "backlog 99", "persist rdp-cookie",
    'log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc %sq/%bq %hr %hs %{+Q}r"',
    'log-format "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"',
    "log-format %ci\\ %HM\\ %HP", 'log-format "%ci %[ssl_fc_sni] %[src]"',
    'log-format "%ci %[capture.req.hdr(0)] %[var(txn.x)]"', 'log-format "%ci 100%%tr"', 'log-format "%ci %%%HU"',
    'log-format-sd "[x@1 status=\\"%ST\\" uri=\\"%HU\\"]"', 'log-format-sd "[x@1 client=\\"%ci\\"]"',
    'error-log-format "%ci %r"', 'error-log-format "%ci"',
]  # fmt: skip
MODES = {"key": {"mode": "tcp"}, "raw": {"options": ["mode tcp"]}}


@pytest.mark.parametrize("how", MODES)
@pytest.mark.parametrize("line", LINES)
def test_a_proxy_in_tcp_mode_is_taken_beside_whatever_defaults_say_of_http(haproxy, line, how):
    lines = [*(one for one in DEFAULTS["haproxy"]["defaults"] if "log" not in line or one != "option httplog"), line]
    sections = {"haproxy:sections": {"http-errors site": ["errorfile 503 /etc/haproxy/errors/503.http"]}}
    http = {"haproxy:defaults": lines, **sections}
    assert haproxy(http)[:2] == (0, "")
    tcp = {"bind": ["private:5432"], "servers": "app_servers", "port": 5432, **MODES[how]}
    code, said, text = haproxy(http | {"haproxy:listens": {"database": tcp}})
    assert (code, said) == (0, "")
    assert "listen database from haproxy_ha_tcp" in text


def test_certificates_from_files_of_the_machine(haproxy, pem):
    files = {"certificate": str(pem[0]), "key": str(pem[1])}
    changes = {"haproxy:certificates": {"x": files}, "haproxy:frontends": {"http": {"bind": ["anchor:443 ssl"]}}}
    assert haproxy(changes)[:2] == (0, "")


def test_a_raw_line_anywhere_is_where_it_was_written(haproxy):
    order = [f"http-request set-header X-{number} {number}" for number in (3, 1, 2)]
    _, _, text = haproxy({"haproxy:frontends:http:options": order})
    lines = [line.strip() for line in text.splitlines()]
    assert lines[lines.index(order[0]) :][:3] == order


# nginx


def nginx_says(built, tmp_path):
    """nginx's word on an app server's files, as its own nginx.conf includes them."""
    for name in ("conf.d", "sites"):
        (tmp_path / name).mkdir()
    for path, entry in layout.daemon_files(built)["nginx"].items():
        if entry and entry.template:
            below = "conf.d/x.conf" if "conf.d" in path else "sites/x"
            (tmp_path / below).write_text(rendered(entry), encoding="utf-8")
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ include conf.d/*.conf; include sites/*; }}\n", encoding="utf-8"
    )
    nginx = ["nginx", "-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    script = f"ip link set lo up && ip address add {built.me.private_ip} dev lo && exec \"$@\""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, "sh", *nginx], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


SITES = {
    "real_ip": {"nginx:client_address": "real_ip"},
    "PROXY protocol, and two sites": {
        "nginx:client_address": "proxy_protocol",
        "nginx:sites": {"shop": {"server_names": ["shop.example.com", "*.shop.example.com"],
                                 "document_root": "/srv/shop",
                                 "options": ["location / {", "    try_files $uri =404;", "}"]},
                        "api": {"port": 8081, "options": ["location / {", "    proxy_pass http://backend;", "}"]}},
        "nginx:options": ["upstream backend {", "    server 127.0.0.1:3000;", "}"],
    },
    "own sites alone": {"nginx:site": {"enabled": False}, "nginx:sites": {"x": {"options": ["return 204;"]}}},
    "lines of the section http alone": {
        "nginx:site": {"enabled": False}, "nginx:options": ["map $host $kind {", "    default one;", "}"],
    },
    "own lines in the site": {"nginx:site:options": ["location / {", "    return 200 '}';", "}", "# { a comment"]},
}


@pytest.mark.parametrize("case", SITES)
def test_nginx_takes_its_files(case, tmp_path):
    status, said = nginx_says(valid(SITES[case], "app-1"), tmp_path)
    assert (status, said) == (0, ""), said
