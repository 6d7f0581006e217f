"""The other pages, on a pair that is well."""

from __future__ import annotations

import json
import re
import shutil

import yaml

from lab import audit, cloud, network, salt
from lab.machine import machine
from lab.scenes.stage import changed, given, heard, move_to, pillar, runs, scene, tells, told
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import BALANCERS, HOSTS, MINIONS, SECOND_FLOATING_IP
from lab.traffic import ask
from lab.typed import Page
from support import REPOSITORY, metrics


@scene("docs/adopt.md, 1. Take over what is there")
def a_cluster_as_pillar(typed: Page) -> None:
    """What is printed is what the cluster has."""
    typed("salt-call saltutil.sync_all")
    configuration = yaml.safe_load(typed("salt-call pacemaker.export --out=yaml"))["local"]
    plan = salt.call("pacemaker.plan", repr(configuration), target="primary")["primary"]
    assert (set(configuration["primitives"]), plan["changes"]) == ({"FloatIP", "haproxy"}, {})


@scene("docs/adopt.md, 3. Go on to the formula")
def what_corosync_has(typed: Page) -> None:
    """The pillar that is printed changes nothing here, and the key is pillar's."""
    kept = yaml.safe_load(typed("salt-call --local haproxy_ha.export_corosync --out=yaml"))["local"]["haproxy_ha"]
    assert sorted(kept["load_balancers"]) == sorted(BALANCERS)
    assert typed("base64 --wrap=0 /etc/corosync/authkey") == "".join(given("cluster")["authkey"].split())
    assert changed(typed("salt '*' state.apply haproxy_ha test=True")) == 0


@scene("docs/digitalocean.md, Another floating IP")
def assigned_beforehand(typed: Page) -> None:
    """The passive one answers at the new address."""
    move_to("primary")
    try:
        typed("salt secondary digitalocean.assign address=203.0.113.11")
        assert ask(SECOND_FLOATING_IP)[0] == 200
    finally:
        control.assign(str(cloud.CONTROL), SECOND_FLOATING_IP, None)


@scene("docs/digitalocean.md, Fencing")
def fenced(typed: Page) -> None:
    """A load balancer is powered off and on, and comes back."""
    with told(cluster={"fencing": {"enabled": True}}):
        salt.call("state.apply", "haproxy_ha")
        move_to("primary")
        with typed.watching("crm_mon -f") as shown:
            wait_for("crm_mon to show it", lambda: "FloatIP" in "".join(shown), 20)
        tells(typed("journalctl -u pacemaker"), "pacemaker")
        before = machine("secondary").leader()
        typed("stonith_admin --reboot <node>")
        machine("secondary").wait_rebooted(before)
        audit.settle(180)


@scene("docs/digitalocean.md, The simulator and the real API")
def the_same_questions(typed: Page) -> None:
    """On the master, which reaches the lab's API; every answer is as described."""
    root = machine("master").root
    for name in ("tools", "_utils"):
        shutil.copytree(REPOSITORY / name, root / name, dirs_exist_ok=True)
    [line] = typed.left
    assert typed(line, host="master").count("as described") > 2


@scene("docs/events.md, Events")
def a_failover_is_heard_of(typed: Page) -> None:
    """On the master, with where it went."""
    with told(cluster={"events": True}):
        salt.call("state.apply", "haproxy_ha")
        with heard(typed, "salt-run state.event 'haproxy_ha/*' pretty=True") as events:
            move_to("primary")
            move_to("secondary")
            wait_for("the failover to be told", lambda: '"to": "secondary"' in "".join(events), 60)
        tells("".join(events), "haproxy_ha/failover", '"from": "primary"')


@scene("docs/monitoring.md, Monitoring")
def an_haproxy_with_its_exporter(typed: Page) -> None:
    """Debian's is built with it."""
    tells(typed("haproxy -vv"), "prometheus-exporter")


@scene("docs/monitoring.md, What only the load balancer knows")
def a_schedule_in_pillar(typed: Page) -> None:
    """It begins and ends with the command."""
    [(name, job)] = metrics.SCHEDULE.items()
    at = machine("primary")
    job = {**job, "seconds": 5, "kwargs": {"path": "/run/haproxy_ha.prom"}}
    salt.set_pillar(yaml.safe_dump({**yaml.safe_load(pillar()), "schedule": {name: job}}))
    typed.rest()
    wait_for("the metrics", lambda: "haproxy_ha_notes" in at.run("cat", job["kwargs"]["path"], check=False).stdout, 60)
    salt.set_pillar(pillar())
    salt.call("saltutil.refresh_pillar", "wait=True")
    assert name not in str(salt.call("schedule.list", target="primary"))


@scene("docs/reference/haproxy_ha.md, send_events")
def nothing_to_send(typed: Page) -> None:
    with told(cluster={"events": True}):
        salt.call("state.apply", "haproxy_ha")
        typed.rest()


@scene("docs/lab.md, The lab")
def the_lab(typed: Page) -> None:
    """It is up, and this process uses it."""
    tells(typed("make lab"), "the lab is up")
    said = typed("make lab-enter HOST=master CMD=\"salt '*' state.apply haproxy_ha\"")
    assert (runs(said), changed(said)) == (len(MINIONS), 0)
    typed("make lab-enter HOST=client")
    before = machine("primary").leader()
    typed("make lab-reboot HOST=primary")
    machine("primary").wait_rebooted(before)
    typed("make lab-power-off HOST=primary")
    assert machine("primary").leader() is None
    machine("primary").power_on()
    machine("primary").wait_booted()
    audit.settle(180)
    typed("make lab-cut HOST=primary LINK=private")
    wait_for("the pair to lose sight", lambda: audit.members("secondary") == ["secondary"], 60)
    network.set_link("primary", "private", "up")
    assert typed("make lab-status").count(" up ") == len(HOSTS)
    while "make lab-down" in typed.left:
        tells(typed("make lab-down", code=2), "is using the lab")


@scene("docs/pillar.md, Pillar", "CONTRIBUTING.md, Set up", "CONTRIBUTING.md, Where a change goes")
def generated(typed: Page) -> None:
    """What is generated is in the repository as it is."""
    typed.rest()
    lists = ("haproxy_ha/modules.sha256", "haproxy_ha/agents.sha256")
    for name in ("docs/pillar.md", "pillar.example", *lists, "docs/reference/haproxy_ha.md"):
        assert (typed.checkout / name).read_bytes() == (REPOSITORY / name).read_bytes()


@scene("docs/quorum-helper.md, A quorum helper")
def three_votes(typed: Page) -> None:
    made = machine("app-1").run("salt-call", "--local", "--out=json", "haproxy_ha.generate_quorum_certificates")
    device = json.loads(made.stdout)["local"]
    with told(quorum_helper={"app-1": {}}, cluster={"quorum_device": device}):
        typed("salt '*' saltutil.sync_all")
        typed("salt '*' state.apply haproxy_ha")
        wait_for("three votes", lambda: "Total votes:      3" in votes(), 60)
    typed("salt helper haproxy_ha.remove quorum_helper")
    wait_for("two votes", lambda: "Total votes:      2" in votes(), 60)


def votes() -> str:
    return machine("primary").run("corosync-quorumtool", "-s", check=False).stdout


@scene("docs/secrets.md, In a store")
def a_store(typed: Page) -> None:
    host = machine("primary")
    profile = {"own": {"driver": "yaml", "files": ["/etc/salt/secrets.yaml"]}}
    host.write("/etc/salt/minion.d/own.conf", yaml.safe_dump(profile))
    host.write("/etc/salt/secrets.yaml", "haproxy:\n  token: told\n", 0o600)
    assert typed("salt-call --local sdb.get sdb://own/haproxy:token").split() == ["local:", "told"]


@scene("docs/security.md, Packages")
def released(typed: Page) -> None:
    typed("make release")
    assert list((typed.checkout / "build").glob("*.tar.gz")) and list((typed.checkout / "build").glob("SHA256SUMS*"))


@scene("docs/security.md, What runs")
def sandboxed(typed: Page) -> None:
    """The figures of the page are what systemd says, or up to 0.2 more."""
    with told(haproxy={"sandbox": True}):
        move_to("secondary")
        salt.call("state.apply", "haproxy_ha")
        typed("systemctl restart haproxy")
        said = typed("systemd-analyze security")
    seen = dict(re.findall(r"(?m)^\W*(\S+\.service)\s+(\d+\.\d)", said))
    page = (REPOSITORY / "docs/security.md").read_text(encoding="utf-8")
    units = {f"haproxy_ha-{name}.service": "" for name in ("pacemaker-watch", "watch")}
    units |= {"haproxy.service": " with `sandbox: true`"}
    figures = {unit: re.search(rf"\| {re.escape(unit + how)} \| (\d+\.\d) \|", page)[1] for unit, how in units.items()}
    assert all(-0.05 < float(figures[unit]) - float(seen[unit]) < 0.25 for unit in units), (figures, seen)


@scene("docs/reference/haproxy_ha.md, export")
def nothing_to_export(typed: Page) -> None:
    """Its own files the formula does not export; docs/adopt.md is where others are."""
    for daemon, host in (("", "primary"), ("daemon=nginx ", "app-1")):
        said = typed(f"salt-call --local haproxy_ha.export {daemon}--out=yaml", host=host, code=1)
        tells(said, "is the formula's own: its pillar is there already")


@scene("docs/reference/pacemaker.md, standby")
def out_and_in(typed: Page) -> None:
    typed.rest()
    for name in BALANCERS:
        salt.call("pacemaker.online", name, target="primary")


@scene("docs/reference/pacemaker.md, apply")
def a_property_of_my_own(typed: Page) -> None:
    [line] = typed.left
    typed(line)
    wanted = ("{properties: {no-quorum-policy: stop}}", "owner=me")
    planned = salt.call("pacemaker.plan", *wanted, target="primary")["primary"]
    assert (planned["changes"], planned["adoptable"]) == ({}, [])


@scene("extension/saltext-pacemaker/README.md, A cluster that is there already")
def by_hand(typed: Page) -> None:
    """What crm makes is in what is printed."""
    while typed.left:
        said = typed(typed.left[0])
    exported = yaml.safe_load(said)["local"]
    assert {"web", "web-address"} <= set(exported["primitives"]) and "web-with-address" in exported["colocations"]
    machine("primary").run("crm", "configure", "delete", "--force", "web-with-address", "web", "web-address")


@scene("extension/saltext-pacemaker/README.md, A database with a virtual IP")
def a_database(typed: Page) -> None:
    """A dry run of the page's own example."""
    page = (REPOSITORY / "extension/saltext-pacemaker/README.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    machine("master").write("/srv/salt/database.sls", example)
    tells(typed("salt 'db*' state.apply database test=True"), "primitive address")


@scene("docs/reference/haproxy_ha.md, remove")
def removed(typed: Page) -> None:
    [line] = typed.left
    typed(line)
    assert not (machine("primary").root / "etc/haproxy_ha/token").exists()
