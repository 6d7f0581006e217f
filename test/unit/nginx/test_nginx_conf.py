import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings import build
from support.pillars import DEFAULTS, REMOVED, changed, rendered, text_of, valid

BALANCERS = ("primary", "secondary")
SITE = "/etc/nginx/sites-available/haproxy_ha"
LOG_FORMAT = "/etc/nginx/conf.d/haproxy_ha.conf"


def statements(text):
    """The statements of an nginx file, without comments and spacing."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [" ".join(statement.split()) for statement in " ".join(lines).replace("{", ";").replace("}", ";").split(";")]


def test_the_site_listens_on_the_private_ip_alone_and_answers_the_load_balancers_alone():
    found = statements(text_of(valid(minion_id="app-1"), "nginx", SITE))
    assert [one for one in found if one.startswith("listen")] == ["listen 10.132.20.236:80"]
    assert [one for one in found if one.split(" ")[0] in ("allow", "deny")] == [
        "allow 10.132.20.10", "allow 10.132.20.11", "deny all",
    ]
    assert "access_log /var/log/nginx/access.log haproxy_log" in found
    assert "root /var/www/html" in found
    assert "try_files $uri $uri/ =404" in found


def test_balancers_are_allowed_in_pillar_s_order():
    balancers = {name: {"private_ip": f"10.0.0.{number}"} for number, name in enumerate("cab", 1)}
    found = statements(text_of(valid({"load_balancers": balancers}, "app-1"), "nginx", SITE))
    assert [one for one in found if one.startswith("allow")] == ["allow 10.0.0.1", "allow 10.0.0.2", "allow 10.0.0.3"]


@pytest.mark.parametrize("server, listen", [
    ({"port": 8080}, "listen 10.132.20.236:8080"),
    ({"private_ip": "fd00::236"}, "listen [fd00::236]:80"),
])
def test_where_the_site_listens(server, listen):
    ipv6 = {f"load_balancers:{name}:private_ipv6": f"fd00::{number}" for number, name in enumerate(BALANCERS, 10)}
    built = valid({f"app_servers:app-1:{key}": value for key, value in server.items()} | ipv6, "app-1")
    assert listen in statements(text_of(built, "nginx", SITE))


def test_the_log_format_is_the_tutorial_s():
    assert statements(text_of(valid(minion_id="app-1"), "nginx", LOG_FORMAT))[0] == (
        "log_format haproxy_log "
        "'ProxyIP: $remote_addr - ClientIP: $http_x_forwarded_for - $remote_user [$time_local] ' "
        "'\"$request\" $status $body_bytes_sent \"$http_referer\" ' "
        "'\"$http_user_agent\"'"
    )


@pytest.mark.parametrize("how, header, listen", [
    ("real_ip", "X-Forwarded-For", "listen 10.132.20.236:80"),
    ("proxy_protocol", "proxy_protocol", "listen 10.132.20.236:80 proxy_protocol"),
])
def test_the_client_address_is_believed_from_load_balancers_alone(how, header, listen):
    built = valid({"nginx:client_address": how, "load_balancers:primary:private_ipv6": "fd00::10"}, "app-1")
    site = statements(text_of(built, "nginx", SITE))
    balancers = ["10.132.20.10", "fd00::10", "10.132.20.11"]
    trusted = [one.split(" ")[1] for one in site if one.startswith("set_real_ip_from")]
    assert trusted == balancers
    assert f"real_ip_header {header}" in site and listen in site
    # The peer's own address decides who is answered, whatever the client's is said to be.
    assert "if ($haproxy_ha_balancer = 0)" in site and "return 403" in site
    assert not [one for one in site if one.startswith(("allow", "deny"))]
    http = statements(text_of(built, "nginx", LOG_FORMAT))
    assert http[1] == "geo $realip_remote_addr $haproxy_ha_balancer"
    assert http[2:6] == ["default 0", *(f"{one} 1" for one in balancers)]
    assert "ProxyIP: $realip_remote_addr - ClientIP: $remote_addr" in http[0]


@pytest.mark.parametrize("lines, problem", [
    ([], None),
    (["location / {", "}"], None),
    (["location ~ ^/(a|b)\\.{2}$ {", "}"], None),
    (["return 200 \"}\"; # }", "# {"], None),
    (["set $x \"${host}\";", "set $y ${host};"], None),
    (["}"], "line 0 closes a block that none of these lines opens"),
    (["location / {", "} server {"], "1 of the blocks that these lines open stay open"),
    (["add_header X a#b; }"], "line 0 closes a block that none of these lines opens"),
    (["return 200 '\\'}';", "}"], "line 1 closes a block that none of these lines opens"),
])
def test_the_braces_of_raw_lines(lines, problem):
    assert nginx.unbalanced(lines) == problem


@pytest.mark.parametrize("changes, text", [
    ({"nginx:page:content": "Hello,\n  <world>\n\n"}, "Hello,\n  <world>\n"),
    ({}, "Droplet: app-1, IP Address: 203.0.113.31\n"),
    ({"app_servers:app-1:public_ip": REMOVED}, "Droplet: app-1\n"),
])
def test_the_page(changes, text):
    [(path, entry)] = layout.page(valid(changes, "app-1")).items()
    assert path == "/var/www/html/index.html"
    assert rendered(entry) == text


def test_the_page_names_the_droplet_where_the_metadata_service_does():
    built = valid(minion_id="app-1")
    [entry] = layout.page(built, "web-9").values()
    assert rendered(entry) == "Droplet: web-9, IP Address: 203.0.113.31\n"


@pytest.mark.parametrize("place, word", [
    ("nginx:page:document_root", "/srv"), ("app_servers:app-1:private_ip", "10.0.0.9"),
    ("load_balancers:primary:private_ip", "10.0.0.9"),
])
@examples(max_examples=25, deadline=None)
@given(hostile=st.text(st.sampled_from("/a1.:;{}$#'\"\\ \n\r\t\0") | st.characters(), max_size=15)
       | st.sampled_from(["/srv/www", "/a;deny all", "/a}", "/a\n", "10.0.0.9;allow all", "fd00::9", "/$a", "/a b"]))
def test_no_value_leaves_its_directive(place, word, hostile):
    def shape(value):
        built = build.settings(changed({place: value}), "app-1", DEFAULTS)
        return None if built.errors else [
            line.split()[0] for line in text_of(built, "nginx", SITE).split("\n") if line.strip()
        ]

    assert shape(word)
    assert shape(hostile) in (None, shape(word))
