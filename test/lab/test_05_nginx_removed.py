"""A cluster that was built with the tutorial's nginx: it goes, with everything that refers to it."""

from __future__ import annotations

import pytest
import yaml

from lab import audit, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS
from lab.traffic import ask
from support import REPOSITORY

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")


@pytest.fixture
def previous_nginx(active):
    """nginx on both balancers, on a port that is free, and the tutorial's commands on one of them."""
    for name in BALANCERS:
        host = machine(name)
        host.run("systemctl", "mask", "--runtime", "nginx")  # its default site wants a port that HAProxy has
        host.run("apt-get", "-qq", "install", "--no-install-recommends", "nginx")
        host.run("systemctl", "unmask", "--runtime", "nginx")
        host.write("/etc/nginx/sites-available/default", "server { listen 127.0.0.1:8081; }\n")
    for command in (
        "primitive Nginx ocf:heartbeat:nginx",
        "clone Nginx-clone Nginx",
        "colocation FloatIP-Nginx inf: FloatIP Nginx-clone",
    ):
        machine(active).run("crm", "configure", *command.split())
    machine(active).run("crm_resource", "--wait", "--timeout=60s")
    yield
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []


def test_the_tutorials_nginx_goes_when_pillar_says_so(previous_nginx, active):
    kept = salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))
    assert outcome.failed(kept) == []
    assert outcome.changed(kept) == []  # off by default: another formula may own it

    tree = yaml.safe_load(EXAMPLE)
    tree["haproxy_ha"].setdefault("haproxy", {})["remove_nginx"] = True
    salt.set_pillar(yaml.safe_dump(tree, sort_keys=False))
    assert outcome.failed(salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))) == []
    assert outcome.changed(salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))) == []

    assert "Nginx" not in machine(active).run("cibadmin", "--query", "--scope", "configuration").stdout
    for name in BALANCERS:
        host = machine(name)
        assert host.run("dpkg-query", "-W", "nginx", check=False).returncode != 0
        assert not (host.root / "etc/nginx").exists()
        assert list((host.root / "var/lib/haproxy_ha/backup").rglob("nginx.conf"))
    assert audit.settle() == active
    assert ask()[0] == 200
