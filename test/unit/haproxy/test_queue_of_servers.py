"""Which servers get a maxconn by what their nginx can take, and who is told."""

import pytest

from haproxy_ha_lib.haproxy import cfg, edge, queue
from haproxy_ha_lib.nginx import conf as nginx
from support.pillars import build

MINE = {"app-1": {"nginx_requests": 512}}
ONE = {"mine": True, "app_servers": {"app-1": {"private_ip": "10.132.20.236"}}}
OURS = "# Managed by Salt (haproxy_ha).\n"
LINE = "server app-1 10.132.20.236:80 check"


def lines(changes=None, mine=None, name="app_pool", **sources):
    built = build({**ONE, **(changes or {})}, mine=MINE if mine is None else mine, **sources)
    assert built.errors == []
    return next(one["lines"] for one in cfg.model(built) if one["name"] == name)


def told(changes=None, mine=None, **sources):
    built = build({**ONE, **(changes or {})}, mine=MINE if mine is None else mine, **sources)
    return [text for text in built.warnings if "queue" in text or "maxconn: the mine" in text]


def test_a_server_gets_three_quarters_of_what_its_nginx_takes():
    assert lines() == ["timeout queue 10s", f"{LINE} maxconn 384"]
    assert told() == []


def test_servers_of_several_pools_get_a_share_in_each():
    backends = {name: {"servers": ["app-1"]} for name in ("app_pool", "api", "other")}
    backends["other"]["mode"] = "tcp"
    assert lines({"haproxy:backends": backends})[-1] == f"{LINE} maxconn 192"
    assert lines({"haproxy:backends": backends}, name="other") == ["mode tcp", LINE]


POOL = {"servers": ["app-1"]}
LEFT_ALONE = {
    "a queue that nobody wants": ({"haproxy:queue": False}, LINE),
    "the mine is not asked": ({"mine": False}, LINE),
    "TCP": ({"haproxy:backends:app_pool": {**POOL, "mode": "tcp"}, "haproxy:frontends:http:mode": "tcp"}, LINE),
    "another program's port": ({"haproxy:backends:app_pool": {**POOL, "port": 3000}}, LINE.replace(":80 ", ":3000 ")),
    "one that is not ours": ({"app_servers:app-1:managed": False}, LINE),
    "nginx without a site of ours": ({"nginx:site:enabled": False}, LINE),
    "a limit in pillar": ({"app_servers:app-1:maxconn": 9}, f"{LINE} maxconn 9"),
    "a limit in raw words": ({"app_servers:app-1:options": ["maxconn 9"]}, f"{LINE} maxconn 9"),
    "a limit of all servers": ({"haproxy:backends:app_pool:options": ["default-server maxconn 9"]}, LINE),
    "a limit of the defaults": ({"haproxy:defaults": ["mode http", "default-server minconn 9 maxconn 10"]}, LINE),
    "a proxy as it was": ({"haproxy:backends:app_pool": {**POOL, "as_is": True}}, LINE),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_who_is_left_as_he_is(case):
    changes, line = LEFT_ALONE[case]
    found = lines(changes)
    assert found[-1] == line
    assert not any(text.startswith("timeout queue") for text in found)


def test_a_site_of_nginx_on_a_port_of_its_own_is_nginx_too():
    changes = {"nginx:sites": {"api": {"port": 8080, "options": []}},
               "haproxy:backends:app_pool": {**POOL, "port": 8080}}  # fmt: skip
    assert lines(changes)[-1].endswith(" maxconn 384")


@pytest.mark.parametrize("changes", [
    {"haproxy:backends:app_pool:options": ["timeout  queue 3s"]},
    {"haproxy:defaults": ["mode http", "timeout queue 3s"]},
])
def test_a_time_that_somebody_has_said_stays(changes):
    assert "timeout queue 10s" not in lines(changes)
    assert lines(changes)[-1].endswith(" maxconn 384")


@pytest.mark.parametrize("sent", ["512", 0, -1, True, 2**70, 1.5, [], {"a": 1}])
def test_nonsense_of_a_server_is_told_and_nothing_waits_for_it(sent):
    mine = {"app-1": {"nginx_requests": sent}}
    assert lines(mine=mine) == [LINE]
    (warning,) = told(mine=mine)
    assert warning.startswith("haproxy_ha:app_servers:app-1:maxconn: the mine says ")
    assert "allowed: a whole number from 1 to 1000000" in warning


def test_a_site_that_runs_is_told_for_one_release():
    assert lines(installed=OURS) == [LINE]
    (warning,) = told(installed=OURS)
    assert warning.startswith("haproxy_ha:haproxy:queue: ") and "From the next release on" in warning
    assert lines({"haproxy:queue": True}, installed=OURS)[-1].endswith(" maxconn 384")
    for changes in ({"haproxy:queue": True}, {"haproxy:queue": False}):
        assert told(changes, installed=OURS) == []


def test_a_site_that_has_the_other_defaults_already_is_told_in_the_run_that_changes_it():
    installed = f"{OURS}# {edge.SINCE}\n"
    (warning,) = told(installed=installed)
    assert "with this run" in warning
    assert told(installed=f"{installed}    timeout queue {queue.TIMEOUT}\n") == []


def test_where_nothing_would_wait_nothing_is_told():
    assert told(mine={}, installed=OURS) == []


CONFIGURATIONS = {
    "worker_processes auto;\nevents { worker_connections 768; }": 512,  # 1,024 files, two for a request
    "worker_processes 4;\nevents {\n\tworker_connections  100;\n}": 100,
    "events{worker_connections 100;}": 100,
    "": 512,
    "worker_rlimit_nofile 65536; worker_processes auto; events { worker_connections 4096; }": 4096,
    "events { worker_connections 100; }\nhttp { server { location / { proxy_pass http://x; } } }": 50,
    "events { worker_connections 100; }\n#  proxy_pass x\nhttp { # worker_connections 9;\n}": 100,
    "events { worker_connections 100; } http { proxy_pass_header X; }": 100,
}


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_how_many_requests_one_worker_of_nginx_takes(text):
    assert nginx.requests(text, 1024) == CONFIGURATIONS[text]
