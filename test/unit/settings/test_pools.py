"""Which servers a proxy has, and which needs none."""


import pytest

from support.pillars import build, valid

HAPROXY = "haproxy_ha:haproxy"
SERVERS = (
    "required: app_servers, rest or a list of names, or in options a line that answers, such as `server ...` or "
    "`http-request return ...`"
)

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
    assert built.errors == [
        f"{HAPROXY}:backends:app_pool:servers: none, but frontend http sends requests to it; {SERVERS}"
    ]


def test_a_listen_that_redirects_to_itself_needs_a_server():
    tls = {"bind": ["anchor:81", "anchor:444 ssl crt /x.pem"], "redirect_to_https": True}
    assert len(build({"haproxy:listens": {"own": tls}}).errors) == 1


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
    assert valid({**DATABASES, **more}).haproxy["backends"]["app_pool"]["servers"] == pool


@pytest.mark.parametrize("backend, told", [
    ({"servers": ["db-1"]}, [
        f"{HAPROXY}:backends:api:servers: db-1, which is not managed, is in no other pool by itself: not in app_pool"
    ]),
    ({"servers": ["db-1"], "port": 9000}, []),
    ({"servers": ["db-1"], "mode": "tcp"}, []),
    ({"servers": ["app-1"]}, []),
])  # fmt: skip
def test_a_server_that_might_be_meant_for_both_pools_is_told(backend, told):
    assert valid({**DATABASES, "haproxy:backends": {"api": backend}}).warnings == told
