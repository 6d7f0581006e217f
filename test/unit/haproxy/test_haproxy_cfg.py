import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.haproxy import cfg, edge
from haproxy_ha_lib.settings import build
from support.pillars import DEFAULTS, changed, text_of, valid

CFG = "/etc/haproxy/haproxy.cfg"


def section(built, kind, name=None):
    """The lines of one section of haproxy.cfg."""
    [found] = [one for one in cfg.model(built) if (one["type"], one["name"]) == (kind, name)]
    return found["lines"]


@pytest.mark.parametrize("minion, anchor", [("primary", "10.17.1.18"), ("secondary", "10.17.1.19")])
def test_the_tutorial_s_proxies(minion, anchor):
    text = text_of(valid(minion_id=minion), "haproxy", CFG)
    assert f"\nfrontend http\n    bind {anchor}:80\n    http-request del-header " in text
    assert text.endswith("""
    default_backend app_pool

backend app_pool
    server app-1 10.132.20.236:80 check
    server app-2 10.132.20.237:80 check
""")


def test_the_tutorial_s_options_are_defaults():
    lines = section(valid(), "defaults")
    assert "option forwardfor" in lines
    assert "option http-server-close" in lines
    assert "option idle-close-on-response" in lines


def test_two_load_balancers_differ_in_the_anchor_ip_alone():
    one, other = (text_of(valid(minion_id=minion), "haproxy", CFG) for minion in ("primary", "secondary"))
    assert one.replace("10.17.1.18", "10.17.1.19") == other


@pytest.mark.parametrize("server, line", [
    ({}, "server x 10.0.0.9:80 check"),
    ({"port": 8080}, "server x 10.0.0.9:8080 check"),
    ({"weight": 0}, "server x 10.0.0.9:80 check weight 0"),
    ({"backup": True}, "server x 10.0.0.9:80 check backup"),
    ({"weight": 10, "backup": True, "maxconn": 9, "options": ["inter 2s", "fall 5"]},
     "server x 10.0.0.9:80 check weight 10 backup maxconn 9 inter 2s fall 5"),
    ({"private_ip": "fd00::9"}, "server x [fd00::9]:80 check"),
])
def test_the_line_of_a_server(server, line):
    built = valid({"app_servers:x": {"private_ip": "10.0.0.9", "managed": False, **server}})
    assert section(built, "backend", "app_pool")[-1] == line


@pytest.mark.parametrize("bind, line", [
    ("anchor:80", "bind 10.17.1.18:80"),
    ("*:443 ssl crt /etc/haproxy/site.pem alpn h2", "bind *:443 ssl crt /etc/haproxy/site.pem alpn h2"),
    ("[2001:db8::1]:80", "bind [2001:db8::1]:80"),
])
def test_the_line_of_a_bind(bind, line):
    built = valid({"haproxy:frontends:http:bind": [bind]})
    lines = section(built, "frontend", "http")
    assert (lines[0], lines[-1]) == (line, "default_backend app_pool")


@pytest.mark.parametrize("how, server, sent", [
    ("log", {}, False),
    ("proxy_protocol", {}, True),
    ("proxy_protocol", {"managed": False}, False),
    ("log", {"managed": False, "options": ["inter 2s send-proxy-v2"]}, True),
])
def test_who_is_sent_the_proxy_protocol(how, server, sent):
    built = valid({"nginx:client_address": how, "app_servers:theirs": {"private_ip": "10.0.0.9", **server}})
    assert cfg.sends_proxy(built.app_servers["theirs"], built) is sent
    assert ("send-proxy-v2" in cfg.server_line("theirs", {"port": None}, built)) is sent


def test_sections_servers_and_raw_lines_keep_their_order():
    changes = {
        "app_servers": {name: {"private_ip": f"10.0.0.{number}"} for number, name in enumerate("zya", 1)},
        "haproxy:frontends": {
            "zulu": {"bind": ["anchor:81"], "options": ["http-request set-header Z 1", "http-request set-header A 2"]},
            "http": {"default_backend": "main"},
        },
        "haproxy:backends": {"main": {"servers": ["a", "z"], "options": ["balance leastconn"]}, "all": {}},
    }
    built = valid({**changes, "haproxy:backends:all": {"servers": "app_servers"}})
    assert [(one["type"], one["name"]) for one in cfg.model(built)] == [
        ("global", None), ("defaults", None), ("frontend", "zulu"), ("frontend", "http"),
        ("backend", "main"), ("backend", "all"), ("backend", "app_pool"),
    ]
    own = ["http-request set-header Z 1", "http-request set-header A 2"]
    assert [line for line in section(built, "frontend", "zulu") if line in own] == own
    assert section(built, "backend", "main") == [
        "balance leastconn", "server a 10.0.0.3:80 check", "server z 10.0.0.1:80 check",
    ]
    assert [line.split()[1] for line in section(built, "backend", "all")] == ["z", "y", "a"]


def test_the_servers_of_a_file_are_found_in_its_text():
    built = valid({"haproxy:listens": {"x": {"bind": ["anchor:1"], "servers": ["app-2"], "port": 9}},
                   "haproxy:backends:app_pool": {"servers": "app_servers"}})
    assert cfg.servers(text_of(built, "haproxy", CFG)) == {
        ("x", "app-2"): "10.132.20.237:9", ("app_pool", "app-1"): "10.132.20.236:80",
        ("app_pool", "app-2"): "10.132.20.237:80",
    }


TEXT = """\
global
    stats socket /run/own.sock level admin
    stats  socket "ipv4@127.0.0.1:9999"
    stats timeout 9s
frontend site
    use-server a if TRUE
listen one
    server a 10.0.0.1:80 check
    # server b 10.0.0.2:80
    "server" c "10.0.0.3:${PORT}"
    server-template t 2-3 app.example.com:80
backend two
    server-template u 2 _app._tcp.example.com
    .if version_atleast(9)
    server x 10.0.0.4:80
    server y 10.0.0.5:80
    .else
    server x 10.0.0.4:81
    server y 10.0.0.5:80 backup
    .endif
"""


def test_servers_in_every_way_that_they_are_written():
    assert cfg.servers(TEXT) == {
        ("one", "a"): "10.0.0.1:80", ("one", "c"): "10.0.0.3:${PORT}",
        ("one", "t2"): "app.example.com:80", ("one", "t3"): "app.example.com:80",
        ("two", "u1"): "_app._tcp.example.com", ("two", "u2"): "_app._tcp.example.com",
        ("two", "x"): "$", ("two", "y"): "10.0.0.5:80",
    }  # fmt: skip


def test_the_stats_sockets_of_a_file():
    assert cfg.stats_sockets(TEXT) == ["/run/own.sock", "ipv4@127.0.0.1:9999"]


def test_the_mode_of_a_proxy_is_its_own_or_that_of_its_defaults():
    built = valid({
        "haproxy:sections": {"defaults tcp": ["mode tcp"], "defaults none": ["timeout client 1s"]},
        "haproxy:backends": {"a": {}, "b": {"from": "tcp"}, "c": {"mode": "tcp"}, "d": {"options": ["mode tcp"]},
                             "e": {"from": "none"}, "f": {"from": "tcp", "mode": "http"}},
    })  # fmt: skip
    backends = built.haproxy["backends"]
    assert {name: cfg.mode(built.haproxy, backends[name]) for name in "abcdef"} == {
        "a": "http", "b": "tcp", "c": "tcp", "d": "tcp", "e": "tcp", "f": "http",
    }


@pytest.mark.parametrize("line, kept", [
    ("option httpchk GET /health", ["option httpchk GET /health"]),
    ("http-check expect status 200", ["http-check expect status 200"]),
    ("option\thttplog", ["option tcplog"]),
    ('log-format "%ci [%tr] %ST"', ["option tcplog"]),
    ('log-format "%ci %{+Q}HU"', ["option tcplog"]),
    ('error-log-format "%ci %r"', []),
    ('log-format "%ci %ts"', ['log-format "%ci %ts"']),
    ("option forwardfor", []),
    ("option redispatch 1", ["option redispatch 1"]),
    ("timeout http-request 9s", []),
    ("timeout client 9s", ["timeout client 9s"]),
    ("balance hdr(Host)", []),
    ("balance leastconn", ["balance leastconn"]),
    ("default-server check cookie x inter 3s", ["default-server check inter 3s"]),
])  # fmt: skip
def test_what_of_http_s_defaults_counts_in_tcp_mode(line, kept):
    assert cfg.in_tcp_mode(["mode http", line]) == kept


def test_a_log_of_tcp_of_one_s_own_is_not_replaced():
    lines = ["option httplog", 'log-format "%ci %ts"']
    assert cfg.in_tcp_mode(lines) == lines[1:]


def test_raw_global_lines_of_one_s_own_keep_their_state_file():
    lines = {"global": ["server-state-file /own"], "defaults": ["load-server-state-from-file none"]}
    built = valid({"haproxy:tls:bind": "none", **{f"haproxy:{key}": value for key, value in lines.items()}})
    lines["global"].insert(0, f"# {edge.SINCE}")
    assert {key: section(built, key) for key in lines} == lines


SERVER = {"private_ip": "10.0.0.9"}
PLACES = {
    "name of a server": lambda word: {"app_servers": {word: SERVER}},
    "address of a server": lambda word: {"app_servers": {"x": {"private_ip": word}}},
    "name of a frontend": lambda word: {"haproxy": {"frontends": {word: {"bind": ["anchor:81"]}}}},
    "name of a backend": lambda word: {"haproxy": {"backends": {word: {"servers": []}}}},
    "default backend": lambda word: {
        "haproxy": {"backends": {word: {"servers": "app_servers"}}, "frontends": {"http": {"default_backend": word}}}
    },
    "address of a bind": lambda word: {"haproxy": {"frontends": {"http": {"bind": [f"{word}:80"]}}}},
}
SPECIAL = set("#'\"\\$`{}|;\t\r\0")
WORDS = st.text(st.sampled_from("ab1.-_:* \t\r\n\0#'\"\\${}|;") | st.characters(), max_size=12) | st.sampled_from(
    ["a.b-c_d", "10.9.8.7", "fd00::9", "[fd00::9]", "*", "anchor", "private", "anchor:80 ssl\nlisten x", "global"]
)


def layout_of(place, word):
    """How many words each line of haproxy.cfg has with ``word`` in a place, and the lines; None if it is refused."""
    built = build.settings(changed(PLACES[place](word)), "primary", DEFAULTS)
    if built.errors:
        return None
    lines = text_of(built, "haproxy", CFG).split("\n")
    return [len(line.split()) for line in lines], lines


@pytest.mark.parametrize("place", PLACES)
@examples(max_examples=25, deadline=None)
@given(word=WORDS)
def test_no_value_but_a_raw_one_leaves_its_word(place, word):
    harmless = layout_of(place, "10.9.9.9" if "address" in place else "harmless")
    accepted = layout_of(place, word)
    if accepted and not (place == "address of a bind" and " " in word.strip()):
        assert accepted[0] == harmless[0]
        assert not SPECIAL & set("".join(set(accepted[1]) - set(harmless[1])))


@pytest.mark.parametrize("place", PLACES)
def test_every_place_takes_a_harmless_word(place):
    assert layout_of(place, "10.9.9.9" if "address" in place else "harmless")
