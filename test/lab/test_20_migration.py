"""docs/migrate.md: what others have built becomes this formula's, while clients ask; at most one planned move."""

from __future__ import annotations

import json

import pytest
import yaml

from bench.failover.systems import SYSTEMS
from lab import audit, formula, lab, outcome, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import APP_SERVERS, BALANCERS, FLOATING_IP, HOSTS
from lab.traffic import Record, ask, probe
from support import REPOSITORY, documents

pytestmark = pytest.mark.slow
EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
BOTH = ",".join(BALANCERS)
INSTALL = "apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends"
VIRTUAL_IP = "10.132.20.100"
[SHOWN] = [one.text for one in documents.examples() if one.document == "docs/migrate.md"]
LONGEST = 2.5
"""Seconds without an answer that are no move: the machine of the tests may be busy with others."""
INTERRUPTION = 30
"""Seconds that an exchange of the agents may take, on a machine that is busy with others."""
LOG_FORMAT = """\
    log_format haproxy_log 'ProxyIP: $remote_addr - ClientIP: $http_x_forwarded_for - $remote_user [$time_local] '
        '"$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';
"""
SITE = """\
server {{
    listen {own}:80;
{allowed}    deny all;
    access_log /var/log/nginx/access.log haproxy_log;
    root /var/www/html;
    location / {{ try_files $uri $uri/ =404; }}
}}
"""
BY_HAND = """
    option forwardfor
    option http-server-close

frontend http
    bind {anchor}:80
    default_backend app_pool

backend app_pool
{servers}"""
KEEPALIVED = """\
vrrp_instance VI_1 {{
    state BACKUP
    nopreempt
    interface eth1
    virtual_router_id 33
    priority {priority}
    virtual_ipaddress {{
        10.132.20.100
    }}
}}
"""
# As the template of haproxy-formula lays a pillar out.
HAPROXY = """\
# HAProxy configuration
#
# This file is managed by Salt.

#------------------
# Global settings
#------------------
global
    log /dev/log    local0
    log /dev/log    local1 notice
    user haproxy
    group haproxy
    chroot  /var/lib/haproxy
    daemon
    stats socket /run/haproxy/admin.sock mode 0660 level admin user haproxy group haproxy

#------------------
# common defaults that all the 'listen' and 'backend' sections will
# use- if not designated in their block
#------------------
defaults
    log global
    mode http
    retries 3
    option\thttplog
    option\tdontlognull
    timeout connect 5s
    timeout client 50s
    timeout server 50s

#------------------
# frontend instances
#------------------
frontend www-http
    bind {bind}
    default_backend www-backend

#------------------
# backend instances
#------------------
backend www-backend
    balance roundrobin
    option\thttpchk GET /
    stats auth admin1:AdMiN123
{servers}"""


def haproxy_cfg(bind: str) -> str:
    servers = "".join(f"    server {name} {HOSTS[name].private}:80 check\n" for name in APP_SERVERS)
    return HAPROXY.format(bind=bind, servers=servers)


@pytest.fixture
def bare():
    """Hosts with app servers that are nobody's of this formula, and its modules."""
    lab.up()
    salt.sync()
    salt.call("cmd.run", f"{INSTALL} nginx", target=",".join(APP_SERVERS))
    yield
    lab.down()


def run_haproxy(host: str, bind: str) -> None:
    salt.call("cmd.run", f"{INSTALL} haproxy", target=host)
    machine(host).write("/etc/haproxy/haproxy.cfg", haproxy_cfg(bind))
    machine(host).run("systemctl", "restart", "haproxy")


def set_pillar(exported: dict, **tree: dict) -> None:
    """The pillar of docs/migrate.md: pillar.example's secrets, these hosts, and what was exported."""
    document = yaml.safe_load(EXAMPLE)
    example = document["haproxy_ha"]
    example["load_balancers"] = {
        name: {"private_ip": HOSTS[name].private, "public_ip": HOSTS[name].public, "anchor_ip": HOSTS[name].anchor}
        for name in BALANCERS
    }
    example["app_servers"] = {name: {"private_ip": HOSTS[name].private, "managed": False} for name in APP_SERVERS}
    example.update(exported, **tree)
    salt.set_pillar("#!yaml\n" + yaml.safe_dump(document, sort_keys=False))


def exported() -> dict:
    """What the export prints on the first load balancer, with secrets."""
    printed = machine(BALANCERS[0]).run(
        "salt-call", "--local", "--out=json", "haproxy_ha.export", "secrets=True"
    )  # fmt: skip
    return json.loads(printed.stdout)["local"]["haproxy_ha"]


def changed_lines(states: dict) -> list[str]:
    """The lines that a run takes out of haproxy.cfg, less blanks at their beginnings and between words."""
    found = []
    for host in BALANCERS:
        [change] = [state["changes"]["/etc/haproxy/haproxy.cfg"] for state in outcome.states(states, host)
                    if "/etc/haproxy/haproxy.cfg" in state["changes"]]  # fmt: skip
        new = {" ".join(line[2:].split()) for line in change["new"].splitlines()}
        found += [line for line in change["old"].splitlines() if line.startswith("- ") and line[2:].strip()
                  and " ".join(line[2:].split()) not in new]  # fmt: skip
    return found


def told(record: Record) -> None:
    print(f"{len(record.samples)} requests, {len(record.failed)} failed; longest gap {record.longest_gap:.3f} s")


def assert_migrated() -> None:
    """A second run changes nothing, and the address moves when it is asked to."""
    again = salt.call("state.apply", "haproxy_ha", target=BOTH)
    assert (outcome.failed(again), outcome.changed(again)) == ([], [])
    holder = audit.active()
    assert isinstance(salt.call("haproxy_ha.failover", target=holder)[holder], dict)
    assert audit.active() == audit.passive_of(holder)


def moves() -> int:
    return len(control.state(str(CONTROL))["moves"])


def test_from_haproxy_formula(bare):
    """No move: the cluster finds the address where it is, and HAProxy running."""
    for host in BALANCERS:
        run_haproxy(host, "*:80")
    control.assign(str(CONTROL), FLOATING_IP, HOSTS["primary"].droplet_id)
    before = moves()
    wait_for("a client to be served", lambda: ask()[0] == 200, 30)
    with probe(20) as record:
        set_pillar({})
        set_pillar(exported())
        dry = salt.call("state.apply", "haproxy_ha.load_balancer", "test=True", target=BOTH)
        assert (outcome.failed(dry), changed_lines(dry)) == ([], [])
        formula.apply("haproxy_ha", BOTH)
        audit.settle()
    told(record)
    assert record.longest_gap < LONGEST
    assert (audit.active(), moves()) == ("primary", before)
    assert_migrated()


def holders() -> list[str]:
    """The load balancers that have the virtual IP on an interface."""
    return [host for host in BALANCERS if f" {VIRTUAL_IP}/" in machine(host).run("ip", "-o", "address").stdout]


def serves() -> bool:
    return ask(VIRTUAL_IP, source="master")[0] == 200


def test_from_keepalived(bare):
    """No move: a keepalived that is killed leaves its address, where Pacemaker finds it."""
    salt.call("cmd.run", f"{INSTALL} keepalived", target=BOTH)
    for number, host in enumerate(BALANCERS):
        run_haproxy(host, "*:80")
        machine(host).write("/etc/keepalived/keepalived.conf", KEEPALIVED.format(priority=101 - number))
        machine(host).run("systemctl", "restart", "keepalived")
    wait_for("a client to be served", serves, 30)
    [active] = holders()
    with probe(20, VIRTUAL_IP, source="master") as record:
        address = yaml.safe_load(SHOWN)["haproxy_ha"]["floating_ip"]
        set_pillar({}, floating_ip=address)
        set_pillar(exported(), floating_ip=address)
        assert outcome.failed(salt.call("state.apply", "haproxy_ha", "test=True", target=BOTH)) == []
        machine(audit.passive_of(active)).run("systemctl", "disable", "--now", "keepalived")
        machine(active).run("systemctl", "disable", "keepalived")
        machine(active).run("systemctl", "kill", "--signal=KILL", "keepalived")
        formula.apply("haproxy_ha", BOTH)
    told(record)
    assert record.longest_gap < LONGEST
    assert (audit.active(), holders()) == (active, [active])
    assert_migrated()
    assert holders() == [audit.passive_of(active)]
    assert serves()


@pytest.fixture
def tutorial():
    """The tutorial as written: app servers, HAProxy, corosync, Pacemaker, and the agents that it downloads."""
    lab.up()
    salt.sync()
    salt.call("cmd.run", f"{INSTALL} nginx", target=",".join(APP_SERVERS))
    for name in APP_SERVERS:
        app_server(name)
    salt.call("cmd.run", f"{INSTALL} haproxy; systemctl disable --now haproxy", target=BOTH)
    servers = "".join(f"    server {name} {HOSTS[name].private}:80 check\n" for name in APP_SERVERS)
    for name in BALANCERS:
        path, host = "/etc/haproxy/haproxy.cfg", machine(name)
        host.write(path, host.read(path) + BY_HAND.format(anchor=HOSTS[name].anchor, servers=servers))
    SYSTEMS["tutorial"].pair()
    wait_for("a client to be served", lambda: ask()[0] == 200, 60)
    yield
    lab.down()


def app_server(name: str) -> None:
    """An app server as the tutorial has it."""
    host, allowed = machine(name), "".join(f"    allow {HOSTS[one].private};\n" for one in BALANCERS)
    path = "/etc/nginx/nginx.conf"
    host.write(path, host.read(path).replace("http {\n", f"http {{\n{LOG_FORMAT}", 1))
    host.write("/etc/nginx/sites-available/default", SITE.format(own=HOSTS[name].private, allowed=allowed))
    host.write("/var/www/html/index.html", f"Droplet: {name}, IP Address: {HOSTS[name].public}\n")
    host.run("systemctl", "restart", "nginx")


def told_pillar(refused: dict) -> dict:
    """The pillar that a refusal tells, because it keeps what the corosync that runs cannot change."""
    said = outcome.by_id(refused, "primary", "haproxy_ha-cluster-config")["comment"]
    return yaml.safe_load(said.split("Pillar keeps what runs with: ")[1].split(". ")[0])["haproxy_ha"]


def test_from_the_tutorial(tutorial):
    """One interruption, when the agents are changed, and no more than one move."""
    before = moves()
    with probe(20) as record:
        formula.set_pillar()
        kept = told_pillar(salt.call("state.apply", "haproxy_ha.cluster.config", target=BOTH))
        formula.set_pillar(cluster=kept["cluster"], own=kept["load_balancers"])
        for name in APP_SERVERS:
            formula.apply("haproxy_ha.app", name)
        salt.call("pacemaker.maintenance", target="primary")
        salt.call("cmd.run", "systemctl stop pacemaker corosync", target=BOTH)
        formula.apply("haproxy_ha.cluster.service")
        salt.call("pacemaker.maintenance", "False", target="primary")
        prepared = len(record.samples)
        formula.apply("haproxy_ha", BOTH)
        audit.settle()
    told(record)
    print(f"failed before the agents: {[one for one in record.samples[:prepared] if one['status'] != 200]}")
    assert moves() - before <= 1
    assert record.longest_gap < INTERRUPTION
    assert_migrated()
