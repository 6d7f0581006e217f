"""What HAProxy takes from strangers: the lines, the defaults, and what a site that runs is told of them."""

import pytest

from haproxy_ha_lib.haproxy import edge
from support.pillars import build, text_of, valid

CFG = "/etc/haproxy/haproxy.cfg"
OF_AN_EARLIER_RELEASE = "# Managed by Salt (haproxy_ha).\nglobal\n    daemon\n"


def section(text, title):
    """The lines of a section."""
    _, _, rest = text.partition(f"\n{title}\n")
    return [line.strip() for line in rest.partition("\n\n")[0].splitlines()]


def frontend(changes=None, **sources):
    return section(text_of(valid(changes, **sources), "haproxy", CFG), "frontend http")


def test_what_clients_say_of_themselves_is_removed_before_anything_looks_at_it():
    lines = frontend({"haproxy:frontends:http:options": ["tcp-request content accept if HTTP", "http-request deny"]})
    removed = [f"http-request del-header {name}" for name in edge.FORWARDED]
    told = "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]"
    place, behind = lines.index(removed[0]), lines.index(told)
    assert lines[place : place + len(removed)] == removed
    assert all("Connection" in line or "Upgrade" in line for line in lines[place + len(removed) : behind])
    assert lines[place - 1] == "tcp-request content accept if HTTP"
    assert lines[behind + 1] == "http-request deny"


def test_who_is_trusted_may_say_on_whose_behalf_he_asks():
    lines = frontend({"haproxy:trust_forwarded_from": ["203.0.113.0/24", "2001:db8::/32", "192.0.2.1"]})
    assert "acl haproxy_ha_trusted src 203.0.113.0/24 2001:db8::/32 192.0.2.1" in lines
    assert "http-request del-header forwarded -m sub unless haproxy_ha_trusted" in lines
    assert ("http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)] unless haproxy_ha_trusted "
            "{ req.hdr(X-Forwarded-Proto) -m found }") in lines  # fmt: skip


def test_everybody_may_be_trusted():
    lines = frontend({"haproxy:trust_forwarded_from": "any"})
    assert not [line for line in lines if "del-header" in line or "X-Forwarded-Proto" in line]
    by_tls = {"haproxy:trust_forwarded_from": "any", "haproxy:frontends:http:bind": ["anchor:443 ssl crt /x"]}
    assert [line for line in frontend(by_tls) if "set-header X-Forwarded-Proto" in line]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("203.0.113.1", "trust_forwarded_from: found '203.0.113.1' (a string), allowed: any, or a list of addresses"),
        (["203.0.113.1/24"], "trust_forwarded_from:0: found '203.0.113.1/24'"),
        (["0.0.0.0/0"], "trust_forwarded_from:0: found '0.0.0.0/0'"),
        (["cdn.example.com"], "trust_forwarded_from:0: found 'cdn.example.com'"),
    ],
)
def test_who_is_trusted_is_an_address_or_a_network(value, message):
    [error] = build({"haproxy:trust_forwarded_from": value}).errors
    assert error.startswith(f"haproxy_ha:haproxy:{message}")


def test_a_proxy_in_tcp_mode_has_none_of_it():
    changes = {"haproxy:listens": {"db": {"mode": "tcp", "bind": ["private:5432"], "servers": ["app-1"], "port": 5432}}}
    text = text_of(valid(changes), "haproxy", CFG)
    assert not [line for line in section(text, "listen db from haproxy_ha_tcp") if line.startswith("http-request")]


def test_bodies_have_a_time():
    assert [line for line in frontend() if "wait-for-body time 10s" in line]
    assert not [line for line in frontend({"haproxy:body_timeout": 0}) if "wait-for-body" in line]
    lines = frontend({"haproxy:body_timeout": "3s", "haproxy:frontends:http:options": ["http-request deny if TRUE"]})
    assert lines.index("http-request deny if TRUE") < next(n for n, line in enumerate(lines) if "time 3s" in line)


@pytest.mark.parametrize(("changes", "grpc"), [
    ({}, False),
    ({"app_servers:app-1:options": ["ssl verify none alpn h2"]}, True),
    ({"app_servers:app-1:options": ["ssl verify none alpn h2c,x"]}, False),
    ({"haproxy:backends:rpc": {"servers": [], "options": ["server one 10.132.9.9:1 proto h2"]}}, True),
    ({"haproxy:backends:rpc": {"servers": [], "options": ["# proto h2", "server one 10.132.9.9:1"]}}, False),
    ({"haproxy:sections": {"defaults rpc": ["default-server alpn http/1.1,h2"]}}, True),
    ({"haproxy:frontends:http:bind": ["anchor:443 ssl crt /x alpn h2"]}, False),
])  # fmt: skip
def test_grpc_is_left_alone_where_a_server_speaks_http_2(changes, grpc):
    [line] = [line for line in frontend(changes) if "wait-for-body" in line]
    assert ("application/grpc" in line) is grpc


@pytest.mark.parametrize(
    ("memory", "connections"), [(None, 0), (100, 2000), (487, 4000), (990, 9000), (1987, 19000)]
)
def test_connections_by_the_machines_memory(memory, connections):
    lines = section(text_of(valid(memory=memory), "haproxy", CFG), "global")
    bound = [line for line in lines if line.startswith(("maxconn", "fd-hard-limit"))]
    assert bound == ([f"fd-hard-limit {2 * connections}"] if connections else [])


def test_so_many_connections_as_pillar_says():
    lines = section(text_of(valid({"haproxy:maxconn": 5000}, memory=1987), "haproxy", CFG), "global")
    assert [line for line in lines if line.startswith(("maxconn", "fd-hard-limit"))] == ["maxconn 5000"]


def test_a_line_of_ones_own_counts():
    options = ["maxconn 7", "ssl-default-bind-ciphers HIGH"]
    lines = section(text_of(valid({"haproxy:global": options}, memory=1987), "haproxy", CFG), "global")
    assert [line for line in lines if line.startswith(("maxconn", "fd-hard-limit"))] == ["maxconn 7"]
    assert [line for line in lines if line.startswith("ssl-default-bind-ciphers ")] == ["ssl-default-bind-ciphers HIGH"]


def test_a_limit_for_each_source():
    lines = frontend({"haproxy:limit_per_source": 40, "haproxy:trust_forwarded_from": ["203.0.113.1"]})
    tracked = "src table haproxy_ha_connections if !haproxy_ha_trusted"
    assert f"tcp-request connection track-sc1 {tracked}" in lines
    few = "{ sc2_conn_cur(haproxy_ha_requests) gt 40 }"
    refused = lines.index(f"http-request deny deny_status 429 if {few} !haproxy_ha_trusted")
    assert lines[refused - 1] == f"http-request reject if {few.replace('40', '80')} !haproxy_ha_trusted"


def test_names_of_its_tables_are_taken():
    changes = {"haproxy:limit_per_source": 9, "haproxy:backends:haproxy_ha_requests": {"servers": "app_servers"}}
    assert "a stick table of limit_per_source has this name too" in build(changes).errors[0]


def test_a_site_that_runs_is_told_and_stays_as_it_is():
    built = valid(memory=990, installed=OF_AN_EARLIER_RELEASE)
    text = text_of(built, "haproxy", CFG)
    new = ("del-header", "X-Forwarded-Proto", "wait-for-body", "maxconn", "fd-hard-limit", edge.SINCE)
    assert not [word for word in new if word in text]
    warnings = "\n".join(built.warnings)
    for key in ("trust_forwarded_from", "body_timeout", "maxconn"):
        assert f"haproxy_ha:haproxy:{key}: " in warnings
    assert "From the next release on it takes 9000." in warnings
    assert "haproxy_ha:haproxy:tls:bind: clients are offered Mozilla's intermediate profile" in warnings


def test_the_next_run_says_no_more_of_what_has_changed():
    after = text_of(valid(installed=OF_AN_EARLIER_RELEASE), "haproxy", CFG)
    warnings = "\n".join(valid(installed=after).warnings)
    assert "tls:bind" not in warnings
    assert "trust_forwarded_from" in warnings


def test_a_site_that_an_unreleased_version_has_set_up_is_told_what_more_is_removed():
    now = text_of(valid(), "haproxy", CFG)
    before = now.replace("del-header forwarded -m sub", "del-header X-Forwarded- -m beg")
    [warning] = valid(installed=before).warnings
    assert warning.startswith("haproxy_ha:haproxy:trust_forwarded_from: more of what clients say of themselves is ")
    assert valid(installed=now).warnings == []
    assert valid({"haproxy:trust_forwarded_from": "any"}, installed=before).warnings == []


def test_a_site_that_decides_is_told_nothing():
    decided = {"trust_forwarded_from": [], "body_timeout": 0, "maxconn": 0, "tls:bind": "none"}
    changes = {f"haproxy:{key}": value for key, value in decided.items()}
    assert valid(changes, installed=OF_AN_EARLIER_RELEASE).warnings == []


def test_a_new_site_has_them_and_keeps_them():
    first = text_of(valid(memory=990), "haproxy", CFG)
    assert f"# {edge.SINCE}" in first
    assert valid(memory=990, installed=first).warnings == []
    assert text_of(valid(memory=990, installed=first), "haproxy", CFG) == first


def test_none_leaves_tls_as_it_was():
    lines = section(text_of(valid({"haproxy:tls:bind": "none"}), "haproxy", CFG), "global")
    assert [line for line in lines if line.startswith("ssl-")] == [
        "ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets", "ssl-default-server-options ssl-min-ver TLSv1.2",
    ]  # fmt: skip


def test_the_profile_of_clients_says_protocols_suites_groups_and_who_chooses():
    lines = section(text_of(valid(), "haproxy", CFG), "global")
    keywords = {line.split()[0] for line in lines if line.startswith("ssl-default-bind-")}
    assert keywords == {f"ssl-default-bind-{what}" for what in ("ciphers", "ciphersuites", "curves", "options")}
    words = [word for line in lines if line.startswith("ssl-default-bind-options ") for word in line.split()[1:]]
    assert sorted(words) == ["TLSv1.2", "no-tls-tickets", "prefer-client-ciphers", "ssl-min-ver"]
    own = section(text_of(valid({"haproxy:global": []}), "haproxy", CFG), "global")
    assert "ssl-default-bind-options prefer-client-ciphers ssl-min-ver TLSv1.2 no-tls-tickets" in own
    mine = section(text_of(valid({"haproxy:global": ["ssl-default-bind-options no-sslv3"]}), "haproxy", CFG), "global")
    assert not [line for line in mine if "prefer-client-ciphers" in line]


def test_a_site_whose_haproxy_has_chosen_among_these_suites_is_told_that_clients_do():
    now = text_of(valid(), "haproxy", CFG)
    before = now.replace("    ssl-default-bind-options prefer-client-ciphers\n", "")
    [warning] = valid(installed=before).warnings
    assert warning.startswith("haproxy_ha:haproxy:tls:bind: clients choose among the suites with this run")
    assert before != now and valid(installed=now).warnings == []
