"""A whole system whose HAProxy and nginx have their files elsewhere (docs/platforms.md), from first run to clean."""

from __future__ import annotations

import pytest
import yaml

from lab import audit, lab, outcome, salt
from lab.machine import machine
from lab.topology import APP_SERVERS, BALANCERS
from lab.traffic import probe
from support import REPOSITORY

pytestmark = pytest.mark.slow

CONFIG = "haproxy_ha-load-balancer-config"
DIRECTORY = "/srv/haproxy"
DROP_IN = "/etc/systemd/system/haproxy.service.d/place.conf"
CONF_D_ALONE = {"nginx_site": "/etc/nginx/conf.d/site.conf", "nginx_site_enabled": "/etc/nginx/conf.d/site.conf"}


@pytest.fixture
def bare():
    lab.up()
    for name in BALANCERS:
        machine(name).run("mkdir", "--parents", DIRECTORY, DROP_IN.rpartition("/")[0])
    yield
    lab.down()


def set_paths(paths: dict[str, str]) -> None:
    document = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    document["haproxy_ha"]["lookup"] = {"paths": {"haproxy_dir": DIRECTORY, **paths}}
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))


def run_whole(*options: str) -> dict:
    return salt.call("state.apply", "haproxy_ha", *options)


def is_done() -> None:
    """A dry run, a live one, one that changes nothing, and a pair that serves."""
    assert outcome.failed(run_whole("test=True")) == []
    live, second = run_whole(), run_whole()
    assert outcome.failed(live) == outcome.failed(second) == []
    assert outcome.changed(live) != [] and outcome.changed(second) == []
    assert audit.settle() in BALANCERS


def test_a_pair_whose_files_are_elsewhere(bare):
    set_paths({})
    salt.sync()

    # The package's own service reads what is in /etc: nothing of HAProxy's is installed.
    said = f"haproxy would not read {DIRECTORY}/haproxy.cfg: its service has it read /etc/haproxy/haproxy.cfg"
    for run in (run_whole(), run_whole("test=True")):
        for name in BALANCERS:
            state = outcome.by_id(run, name, CONFIG)
            assert state["result"] is False and said in state["comment"]
            assert list((machine(name).root / DIRECTORY[1:]).iterdir()) == []

    for name in BALANCERS:
        machine(name).write(DROP_IN, f"[Service]\nEnvironment=CONFIG={DIRECTORY}/haproxy.cfg\n")
        machine(name).run("systemctl", "daemon-reload")
    is_done()
    with probe(20) as record:
        assert salt.call("haproxy_ha.failover", target=BALANCERS[0])
        audit.settle()
    assert record.failed == []

    # The site moves to where nginx has conf.d alone; what it was before goes.
    set_paths(CONF_D_ALONE)
    with probe(20) as record:
        is_done()
    assert record.failed == []
    for name in APP_SERVERS:
        nginx = machine(name).root / "etc/nginx"
        left = [str(path.relative_to(nginx)) for path in nginx.rglob("*") if path.name in ("haproxy_ha", "site.conf")]
        assert left == ["conf.d/site.conf"]

    # Another file on the command line by hand: a run says so, and leaves all as it is.
    other = machine(BALANCERS[0])
    other.write(DROP_IN, "[Service]\nEnvironment=CONFIG=/etc/haproxy/haproxy.cfg\n")
    other.run("systemctl", "daemon-reload")
    refused = outcome.by_id(run_whole(), BALANCERS[0], CONFIG)
    assert refused["result"] is False and refused["changes"] == {} and said in refused["comment"]
    assert audit.settle() in BALANCERS
    other.write(DROP_IN, f"[Service]\nEnvironment=CONFIG={DIRECTORY}/haproxy.cfg\n")
    other.run("systemctl", "daemon-reload")

    for name in reversed(BALANCERS):
        gone = salt.call("state.apply", "haproxy_ha.clean", target=name)
        assert outcome.failed(gone) == []
        assert [path.name for path in (machine(name).root / DIRECTORY[1:]).rglob("*")] == []
