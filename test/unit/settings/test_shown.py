"""What people see of the settings: no secret, wherever it stands."""

import json

import pytest

from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.settings import shown
from support.pillars import valid

LINES = [
    "stats auth admin:{secret}", 'stats auth "admin:{secret} y"', "user jane insecure-password {secret}",
    'user jane "insecure-password" {secret}', "user jane password '{secret} y' groups staff",
    'http-request set-header Authorization "Basic {secret}"', "http-check send hdr Authorization 'Bearer {secret}'",
    "http-request set-header X-Api-Key {secret} if TRUE",
    r'tcp-check send AUTH\ {secret}\r\n',
    "setenv REDIS_PASSWORD {secret}", "presetenv X {secret} y",
    "proxy_set_header Authorization {secret};", "secure_link_secret {secret};",
    "cluster-secret {secret}", "http-request add-header X-Shared-Secret {secret}",
    "http-request set-header X-Vault-Token '{secret}' if TRUE", "set-param DB_PASSWORD {secret}",
    "fastcgi_param DB_PASSWORD {secret};", 'set $api_key "{secret}";', 'if ($http_x_api_key != "{secret}") {{',
    r"option httpchk GET / HTTP/1.1\r\nAuthorization:\ Basic\ {secret}",
    "http-request set-var(txn.api_token) str({secret})",
    "http-request deny unless {{ hmac(sha256,{secret}) -m found }}",
    "acl known req.hdr(X-Api-Key) -m str {secret}", "http-request deny unless {{ url_param(token) {secret} }}",
    "http-request return status 200 string 'Bearer {secret}-0123456789abcdef'",
    "log https://example.com/x?token={secret}&a=b", "log https://api.telegram.org/bot1:{secret}",
    "server x https://me:{secret}@example.com", "http-request set-var(txn.x) str(dop_v1_{hex})",
    "log https://hooks.slack.com/services/{secret}",
]  # fmt: skip
PLAIN = [
    "http-request del-header Authorization unless trusted", "http-request auth realm Site if { path /a:b }",
    "use_backend x if { req.hdr(Authorization) -m found }", "user jane", "option httpchk GET /password", "stats auth",
    "http-request set-header X-Forwarded-Proto https", "server x 10.0.0.9:80 check", "password",
    "errorfile 503 /x/password", "http-request set-var(txn.token) req.hdr(X-Api-Key)",
    "auth_basic_user_file /x/passwords;",
    "http-request deny unless { req.hdr(X-Api-Key) -m found } { url_param(token) -f /x }", "set $upstream 192.0.2.1;",
]  # fmt: skip
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_carries_a_secret_hides_it(line):
    text = fileset.masked(line.format(secret="hunter2", hex=HEX) + "\nnext line")
    assert "hunter2" not in text and HEX not in text and fileset.HIDDEN in text
    assert text.endswith("\nnext line")


@pytest.mark.parametrize("line", PLAIN)
def test_other_lines_are_as_they_are(line):
    assert fileset.masked(line) == line


def test_parameters_of_agents_hide_theirs():
    tree = {
        "floating_ip:agent": "ocf:digitalocean:floatip",
        "floating_ip:params": {"do_token": "hunter2", "ip": "192.0.2.1"},
        "cluster:primitives": {
            "fence": {"agent": "stonith:fence_ibm_vpc", "params": {"apikey": "hunter2", "a": "plain"}},
        },
        "nginx:site:options": ["proxy_set_header Authorization hunter2;"],
        "haproxy:frontends:http:options": ["http-request set-header Authorization hunter2"],
    }  # fmt: skip
    settings = valid(tree).as_dict()
    assert "hunter2" in json.dumps(settings)
    people = shown.without_secrets(settings)
    assert "hunter2" not in json.dumps(people)
    assert "plain" in json.dumps(people) and "192.0.2.1" in json.dumps(people)
    assert "hunter2" in json.dumps(settings)


def test_settings_without_anything_are_shown():
    assert shown.without_secrets({"errors": ["x"]})["errors"] == ["x"]
