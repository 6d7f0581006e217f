"""Debian's Prometheus asks a pair: each alert on its fault and none otherwise, and each query of the dashboard."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest
import yaml

from lab import audit, cloud, formula, network, salt
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.simulator import control
from lab.topology import APP_SERVERS, BALANCERS, HOSTS, MINIONS
from lab.traffic import ask
from support import metrics

pytestmark = pytest.mark.slow

PORTS = (8405, 9664)
NODE_PORT = 9100
RULES = "/etc/prometheus/haproxy_ha.yml"
DROP_IN = "/etc/systemd/system/ha_cluster_exporter.service.d/haproxy_ha.conf"
SECOND = {"second": {"bind": ["anchor:8081"], "default_backend": "app_pool"}}
OF_WHAT_IS_NOT_HERE = ("What there is to look at", "Certificates end in")
"""The one panel has data when there is something, below; the other with certificates, in test_monitoring.py."""
FENCING = {"fencing": {"enabled": True}}


@pytest.fixture(scope="module")
def prometheus(first_run) -> Iterator[None]:
    """A pair with metrics, and Prometheus on the master, by the page; its alerts wait for nothing."""
    install("prometheus-node-exporter", *BALANCERS)
    apply()
    salt.call("saltutil.refresh_pillar", "wait=True")
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    install("prometheus", "master")
    configure(instances(BALANCERS))
    yield
    machine("master").run("systemctl", "disable", "--now", "prometheus")
    for name in BALANCERS:
        machine(name).run("systemctl", "disable", "--now", "prometheus-node-exporter")
    formula.set_pillar()
    formula.apply()


def install(package: str, *names: str) -> None:
    for name in names:
        machine(name).run("apt-get", "-qq", "update")
        machine(name).run("apt-get", "-qq", "install", "--no-install-recommends", package)


def apply(firewall: bool = False, frontends: dict | None = None, **cluster) -> None:
    """The pillar of the page, its schedule in a hurry, and a run."""
    [(name, job)] = metrics.SCHEDULE.items()
    formula.set_pillar(cluster=cluster, monitoring=metrics.PILLAR, firewall={"enabled": firewall},
                       frontends=frontends, beside={"schedule": {name: {**job, "seconds": 10}}})  # fmt: skip
    formula.apply()


def instances(names) -> list[str]:
    return [f"{HOSTS[name].private}:{port}" for name in names for port in (*PORTS, NODE_PORT)]


def configure(targets: list[str]) -> None:
    """Prometheus with these targets."""
    master = machine("master")
    master.write("/etc/prometheus/prometheus.yml", metrics.configuration(targets, RULES, "1s"))
    master.write(RULES, metrics.hasty_rules())
    master.run("systemctl", "reload-or-restart", "prometheus")


def answer(expression: str) -> list[dict]:
    """What Prometheus answers."""
    said = machine("master").run("curl", "--silent", "--fail", metrics.query(expression), check=False).stdout
    found = json.loads(said) if said else {"status": "not yet"}
    assert found["status"] != "error", found
    return found.get("data", {}).get("result", [])


def firing() -> set[str]:
    """The alerts that fire."""
    return {one["metric"]["alertname"].removeprefix("HaproxyHa") for one in answer('ALERTS{alertstate="firing"}')}


def fires(*names: str, timeout: float = 60) -> None:
    """Wait until all of these alerts have fired."""
    seen: set[str] = set()

    def fired() -> bool:
        seen.update(firing())
        return set(names) <= seen

    wait_for(f"{', '.join(names)} to fire", fired, timeout)


def quiet() -> None:
    """The pair is well again, and no alert fires."""
    audit.settle(180)
    found: list[str] = []

    def ended() -> bool:
        found[:] = [f"{one['metric']} is {one['value'][1]}" for one in answer('ALERTS{alertstate="firing"} or up == 0')]
        return not found

    try:
        wait_for("all alerts to end", ended, 150)
    except LabError as error:
        raise LabError(f"{error}: {'; '.join(found)}") from error


def test_a_pair_that_is_well_has_no_alert(prometheus):
    wait_for("all targets", lambda: len(answer('up{pair="www"} == 1')) == len(instances(BALANCERS)), 60)
    quiet()


def test_the_page_s_state_brings_the_rules(prometheus):
    salt.call("state.single", "file.managed", "/root/rules.yml", "source=" + source(), target="app-1")
    assert machine("app-1").read("/root/rules.yml") == metrics.RULES.read_text(encoding="utf-8")


def source() -> str:
    [arguments] = yaml.safe_load(metrics.STATE)[RULES].values()
    return arguments[0]["source"]


def test_each_query_of_the_dashboard_has_data(prometheus):
    for _ in range(20):
        ask()
    for title, queries in metrics.dashboard_queries().items():
        for expression in queries if title not in OF_WHAT_IS_NOT_HERE else ():
            wait_for(f"{title}: {expression}", lambda expression=expression: answer(expression), 60)


def test_nobody_else_is_answered_by_haproxy(prometheus):
    assert ask(HOSTS["primary"].private, PORTS[0], source="app-1", path="/metrics")[0] == 403


def test_servers_that_are_down(prometheus):
    machine("app-1").run("systemctl", "stop", "nginx")
    fires("ServerDown")
    assert "BackendWithoutServers" not in firing()
    machine("app-2").run("systemctl", "stop", "nginx")
    fires("BackendWithoutServers", "Degraded")
    for name in APP_SERVERS:
        machine(name).run("systemctl", "start", "nginx")
    quiet()


def test_a_frontend_that_somebody_has_closed(prometheus):
    """HAProxy's own metrics call it up; what is to be looked at is told in words."""
    apply(frontends=SECOND)
    one = machine(audit.passive())
    told(one, "disable frontend second")
    fires("ToLookAt")
    [looked_at] = metrics.dashboard_queries()["What there is to look at"]
    assert [one for one in answer(looked_at) if "closed by hand: frontend second" in one["metric"]["note"]]
    told(one, "enable frontend second")
    quiet()
    apply()


def test_the_formula_s_firewall_lets_those_pass_who_may_ask(prometheus):
    install("ufw", *MINIONS)
    apply(firewall=True)
    for name in BALANCERS:
        machine(name).run("ufw", "allow", str(NODE_PORT))
        machine(name).run("ufw", "--force", "enable")
    wait_for("all targets", lambda: len(answer('up{pair="www"} == 1')) == len(instances(BALANCERS)), 60)
    quiet()
    for port in PORTS:
        url = f"http://{HOSTS['primary'].private}:{port}/metrics"
        done = machine("app-1").run("curl", "--silent", "--max-time", "2", "--output", "/dev/null", url, check=False)
        assert done.returncode == 28, done  # nobody answers
    for name in BALANCERS:
        machine(name).run("ufw", "disable")
    apply()


def test_an_haproxy_that_fails(prometheus):
    """A listener that is gone: one that hangs is ended, and starts again, before the cluster knows."""
    machine(audit.passive()).run("ss", "--kill", "state", "listening", "sport = :80")
    fires("ResourceFailed")
    quiet()


def test_an_haproxy_that_does_not_run(prometheus):
    name = audit.passive()
    machine(name).run("crm_resource", "--ban", "--resource", "haproxy-clone", "--node", name)
    fires("HaproxyDown", "TargetDown")
    machine(name).run("crm_resource", "--clear", "--resource", "haproxy-clone")
    quiet()


def test_a_standby_is_forgotten_and_no_haproxy_is_missed(prometheus):
    name = audit.passive()
    machine(name).run("crm_standby", "--node", name, "--update", "on")
    fires("Forgotten")
    wait_for("HAProxy to stop", lambda: len(answer('up{job="haproxy_ha"} == 0')) == 1, 30)
    assert "HaproxyDown" not in firing()
    machine(name).run("crm_standby", "--node", name, "--delete")
    quiet()


def test_a_maintenance_is_forgotten(prometheus):
    """Pacemaker tells that of resources alone."""
    one = machine(audit.active())
    one.run("crm_attribute", "--name", "maintenance-mode", "--update", "true")
    fires("Forgotten")
    one.run("crm_attribute", "--name", "maintenance-mode", "--delete")
    quiet()


def test_an_address_that_nobody_has(prometheus):
    one = machine(audit.active())
    one.run("crm", "resource", "stop", "FloatIP")
    fires("AddressNowhere")
    one.run("crm_resource", "--resource", "FloatIP", "--meta", "--delete-parameter", "target-role")
    quiet()


def test_two_that_do_not_see_each_other(prometheus):
    network.set_path(*BALANCERS, "down")
    fires("LoadBalancerLost", "AddressTwice", timeout=90)
    network.set_path(*BALANCERS, "up")
    quiet()


def test_a_cluster_that_does_not_answer(prometheus):
    name = audit.passive()
    machine(name).run("systemctl", "stop", "pacemaker")
    fires("MetricsIncomplete", "LoadBalancerLost")
    machine(name).run("systemctl", "start", "pacemaker")
    quiet()


def test_votes_that_are_missing(prometheus):
    """One that starts alone waits for the other."""
    apply(wait_for_all=True)
    for name in BALANCERS:
        machine(name).power_off()
    machine("primary").power_on()
    fires("QuorumLost", timeout=120)
    machine("secondary").power_on()
    quiet()
    apply()


def test_a_limit_that_is_reached(prometheus):
    one = machine(audit.passive())
    with limited(one):
        fires("ConnectionsAtLimit")
    quiet()


@contextlib.contextmanager
def limited(one) -> Iterator[None]:
    """HAProxy takes no more connections than somebody holds."""
    told(one, "set maxconn global 1")
    yield
    told(one, "set maxconn global 1000")


def told(one, command: str) -> None:
    """Tell HAProxy something by hand."""
    program = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
    one.run("python3", "-c", f"{program}s.sendall(b'{command}\\n')")


def test_a_resource_that_cannot_be_stopped(prometheus):
    """Its agent fails at that, and nobody fences."""
    agent = "#!/bin/sh\ncase $1 in start) touch /run/stuck;; stop) [ ! -e /run/stuck ] || exit 1;; " \
            "monitor) [ -e /run/stuck ] || exit 7;; meta-data) cat %s;; esac\n"
    for name in BALANCERS:
        machine(name).run("mkdir", "-p", "/usr/lib/ocf/resource.d/lab")
        machine(name).write("/usr/lib/ocf/resource.d/lab/stuck.xml", META_DATA)
        machine(name).write("/usr/lib/ocf/resource.d/lab/stuck", agent % "/usr/lib/ocf/resource.d/lab/stuck.xml", 0o755)
    one = machine(audit.active())
    one.run("crm", "--force", "configure", "primitive", "stuck", "ocf:lab:stuck")
    where = ("crm_resource", "--resource", "stuck", "--locate")
    wait_for("it to run", lambda: "is running on" in one.run(*where).stdout, 30)
    one.run("crm", "resource", "stop", "stuck")
    fires("ResourceStuck")
    for name in BALANCERS:
        machine(name).run("rm", "-f", "/run/stuck")
    one.run("crm", "--wait", "resource", "cleanup", "stuck")
    one.run("crm", "--wait", "configure", "delete", "stuck")
    quiet()


META_DATA = """<?xml version="1.0"?><resource-agent name="stuck"><version>1</version><parameters/><actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>"""


def test_a_load_balancer_without_power_while_fencing_does_not_work(prometheus):
    apply(**FENCING)
    quiet()
    lost = audit.passive()
    control.fault(str(cloud.CONTROL), "status")
    fires("FencingFailed", timeout=180)
    machine(lost).power_off()
    fires("LoadBalancerLost", "LoadBalancerUnclean", "TargetDown", timeout=90)
    control.clear(str(cloud.CONTROL))
    wait_for("fencing to power it off and on", machine(lost).leader, 120)
    quiet()
    apply()


def test_no_targets(prometheus):
    configure([])
    fires("NotMonitored")
    configure(instances(BALANCERS))
    quiet()


def test_without_the_key_nothing_of_it_stays(prometheus):
    formula.set_pillar()
    salt.call("saltutil.refresh_pillar", "wait=True")
    formula.apply()
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    for name in BALANCERS:
        host = machine(name)
        assert host.run("ls", DROP_IN, check=False).stdout == ""
        assert "prometheus-hacluster-exporter" not in host.run("dpkg", "--list").stdout
        listening = host.run("ss", "-Htln").stdout
        assert not [port for port in PORTS if f":{port} " in listening]
