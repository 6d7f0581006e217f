"""docs/adopt.md: what others have made, on machines that the formula has left."""

from __future__ import annotations

import re

import yaml

from lab import salt
from lab.machine import machine
from lab.scenes.stage import pillar, scene, tells
from lab.typed import Page


def left_by_the_formula() -> None:
    salt.set_pillar(pillar())
    salt.call("state.apply", "haproxy_ha.clean")


HAPROXY_CFG = """\
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend www   # theirs
    bind 10.132.20.10:8080
    default_backend pool
backend pool
    server one 10.132.20.236:80 check
"""
SITE = "server {\n    listen 10.132.20.236:8081;\n    location / { return 204; }\n}\n"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qq update; apt-get -qq install --no-install-recommends"


@scene("docs/adopt.md, A haproxy.cfg that is there already")
def a_haproxy_cfg(typed: Page) -> None:
    """Rendered again it has no other line."""
    left_by_the_formula()
    host = machine("primary")
    host.run("sh", "-c", f"{INSTALL} haproxy")
    host.write("/etc/haproxy/haproxy.cfg", HAPROXY_CFG)
    host.run("systemctl", "restart", "haproxy")
    into_pillar(typed("salt-call --local haproxy_ha.export --out=yaml"))
    gone = lines_that_go(typed("salt primary state.apply haproxy_ha.load_balancer test=True"))
    assert [line for line in gone if line not in ("", "frontend www   # theirs")] == []
    typed("salt-call --local haproxy_ha.export secrets=True")


@scene("docs/adopt.md, An nginx that is there already")
def an_nginx(typed: Page) -> None:
    left_by_the_formula()
    host = machine("app-1")
    host.run("sh", "-c", f"{INSTALL} nginx")
    host.write("/etc/nginx/sites-available/shop", SITE)
    host.run("ln", "-sf", "../sites-available/shop", "/etc/nginx/sites-enabled/shop")
    host.run("systemctl", "restart", "nginx")
    into_pillar(typed("salt-call --local haproxy_ha.export daemon=nginx --out=yaml", host="app-1"))
    tells(typed("nginx -T", host="app-1"), "sites-enabled/shop")
    assert lines_that_go(typed("salt app-1 state.apply haproxy_ha.app test=True")) == []


def into_pillar(printed: str) -> None:
    exported = yaml.safe_load(printed)["local"]["haproxy_ha"]
    salt.set_pillar("#!yaml\n" + pillar(**exported))


def lines_that_go(said: str) -> list[str]:
    """The lines that a printed run would take out of files."""
    return [line.strip()[1:].strip() for line in said.splitlines() if re.match(r"\s+-[^-]", line)]
