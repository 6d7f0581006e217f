"""A cluster that somebody has built by hand is adopted, and what operators and agents set stays theirs."""

from __future__ import annotations

import base64

import pytest
import yaml

from lab import audit, formula, lab, outcome, salt
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import BALANCERS, HOSTS
from support import REPOSITORY

EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]
BOTH = ",".join(BALANCERS)
NODE = """    node {{
        name: {name}
        nodeid: {number}
        ring0_addr: {address}
    }}
"""
COROSYNC = """totem {{
    version: 2
    cluster_name: lbcluster
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
}}
nodelist {{
{nodes}}}
quorum {{
    provider: corosync_votequorum
    two_node: 1
}}
logging {{
    to_syslog: yes
}}
"""
HAPROXY = """global
    daemon
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend http
    bind {anchor}:80
    default_backend app_pool
backend app_pool
    server app-1 {app}:80 check
"""
# What the tutorial downloads: one agent that drives the service, and one that moves the address, here on paper.
SERVICE = """#!/bin/sh
case "$1" in
    start) systemctl start haproxy ;;
    stop) systemctl stop haproxy ;;
    monitor) systemctl --quiet is-active haproxy || exit 7 ;;
    meta-data) echo '<resource-agent name="haproxy" version="1"><version>1.0</version><parameters/><actions>
        <action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/>
        <action name="meta-data" timeout="5s"/></actions></resource-agent>' ;;
    *) exit 3 ;;
esac
"""
# Keeps its state in the configuration, as agents of databases do: an attribute of each node, and a set of properties.
KEEPER = """#!/bin/sh
node=$(crm_node --name)
status() { crm_attribute --lifetime forever --node "$node" --name own-data-status --update "$1"; }
case "$1" in
    start)
        touch /run/own.running
        status LATEST
        crm_attribute --type crm_config --set-name own_replication --name own_REPL_INFO --update "$node"
        ;;
    stop) rm -f /run/own.running; status DISCONNECT ;;
    monitor) test -e /run/own.running || exit 7 ;;
    meta-data) echo '<resource-agent name="own" version="1"><version>1.0</version><parameters>
        <parameter name="floating_ip"><content type="string"/></parameter></parameters><actions>
        <action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/>
        <action name="meta-data" timeout="5s"/></actions></resource-agent>' ;;
    *) exit 3 ;;
esac
"""
TUTORIAL = """
configure property stonith-enabled=false
configure property no-quorum-policy=ignore
configure primitive FloatIP ocf:digitalocean:floatip params floating_ip=203.0.113.10
configure primitive haproxy ocf:heartbeat:haproxy op monitor interval=15s
configure clone haproxy-clone haproxy
configure colocation FloatIP-haproxy inf: FloatIP haproxy-clone
configure primitive own ocf:own:keeper op monitor interval=20s
"""
INSTALL = (
    "apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -o Dpkg::Options::=--force-confold "
    "--no-install-recommends haproxy corosync pacemaker crmsh resource-agents pacemaker-cli-utils"
)


def crm(*arguments: str) -> str:
    return machine("primary").run("crm", *arguments).stdout


@pytest.fixture(scope="module")
def by_hand():
    lab.up()
    salt.sync()
    nodes = "".join(
        NODE.format(name=name, number=number, address=HOSTS[name].private) for number, name in enumerate(BALANCERS, 1)
    )
    key = base64.b64decode(EXAMPLE["cluster"]["authkey"])
    for name in BALANCERS:
        host = machine(name)
        host.write("/etc/corosync/corosync.conf", COROSYNC.format(nodes=nodes))
        host.write("/etc/haproxy/haproxy.cfg", HAPROXY.format(anchor=HOSTS[name].anchor, app=HOSTS["app-1"].private))
        for agent, text in (("heartbeat/haproxy", SERVICE), ("digitalocean/floatip", KEEPER), ("own/keeper", KEEPER)):
            mark = agent.replace("/", "-")
            host.write(f"/usr/lib/ocf/resource.d/{agent}", text.replace("own.running", f"{mark}.running"), 0o755)
        (host.root / "etc/corosync/authkey").write_bytes(key)
    salt.call("cmd.run", INSTALL, target=BOTH)
    salt.call("cmd.run", "systemctl restart corosync pacemaker; systemctl disable haproxy", target=BOTH)
    wait_for("both nodes to be online", lambda: f"Online: [ {' '.join(BALANCERS)} ]" in crm("status"), 60)
    for command in TUTORIAL.strip().splitlines():
        crm(*command.split())
    yield
    lab.down()


def apply(*options: str) -> dict:
    """A run on both balancers at the same moment."""
    return salt.call("state.apply", "haproxy_ha", *options, target=BOTH)


def exported() -> dict:
    return salt.call("pacemaker.export", target="primary")["primary"]


@pytest.fixture(scope="module")
def refused(by_hand) -> dict:
    formula.set_pillar()
    salt.call("saltutil.refresh_pillar", "wait=True")
    return apply()


@pytest.fixture(scope="module")
def adopted(refused) -> dict:
    """The run with the pillar that the refusal has told, and the agent that keeps state as part of pillar."""
    said = outcome.by_id(refused, "primary", "haproxy_ha-cluster-config")["comment"]
    kept = yaml.safe_load(said.split("Pillar keeps what runs with: ")[1].split(". To change")[0])["haproxy_ha"]
    cluster = {**kept["cluster"], "primitives": {"own": exported()["primitives"]["own"]}}
    formula.set_pillar(cluster=cluster, own=kept["load_balancers"])
    salt.call("saltutil.refresh_pillar", "wait=True")
    formula.apply("haproxy_ha.app")
    return apply()


@pytest.mark.slow
def test_what_no_reload_can_change_is_told_with_the_pillar_that_keeps_it(refused):
    for name in BALANCERS:
        state = outcome.by_id(refused, name, "haproxy_ha-cluster-config")
        assert state["result"] is False
        assert "Pillar keeps what runs with: haproxy_ha: {cluster: {name: \"lbcluster\"}" in state["comment"]
        assert not [one for one in outcome.states(refused, name) if "Nothing was changed" in one["comment"]]
    printed = salt.call("haproxy_ha.export_corosync", target=BOTH)
    for name in BALANCERS:
        tree = printed[name]["haproxy_ha"]
        assert tree["cluster"] == {"name": "lbcluster", "port": 5405}
        assert [one["node_id"] for one in tree["load_balancers"].values()] == [1, 2]


@pytest.mark.slow
def test_the_first_run_with_that_pillar_is_green_on_both_and_the_second_changes_nothing(adopted):
    assert outcome.failed(adopted) == []
    again = apply()
    assert (outcome.failed(again), outcome.changed(again)) == ([], [])
    audit.settle()
    assert crm("resource", "status", "haproxy-clone").count("is running on") == 2


@pytest.mark.slow
def test_what_operators_and_agents_set_stays_through_runs(adopted):
    """Each run may fail, because operators have switched something off; it sets nothing back."""
    for switch, unset in (
        (("maintenance", "on"), ("maintenance", "off")),
        (("resource", "stop", "own"), ("resource", "start", "own")),
        (("node", "standby", "secondary"), ("node", "online", "secondary")),
        (("resource", "ban", "own", "primary"), ("resource", "clear", "own")),
    ):
        crm(*switch)
        wait_for("the cluster to settle", lambda: "S_IDLE" in dc_state(), 60)
        before = exported()
        assert before["switches"]
        returned = apply()
        changed = [name for name in BALANCERS for one in outcome.states(returned, name) for name in one["changes"]]
        assert changed == [], (switch, changed)
        after = exported()
        assert after == before, switch
        crm(*unset)
        wait_for("the cluster to settle", lambda: "S_IDLE" in dc_state(), 60)
    before = exported()["observed"]
    assert {one["own-data-status"] for one in before["node_attributes"].values()} == {"LATEST", "DISCONNECT"}, before
    assert before["properties"]["own_REPL_INFO"] in BALANCERS
    green = apply()
    assert (outcome.failed(green), outcome.changed(green)) == ([], [])
    assert exported()["observed"] == before


def dc_state() -> str:
    dc = machine("primary").run("crmadmin", "--dc_lookup", "--quiet").stdout.split()[-1]
    return machine("primary").run("crmadmin", f"--status={dc}", "--quiet", check=False).stdout
