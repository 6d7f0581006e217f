"""Metrics of a real HAProxy and a real cluster in a real Prometheus; each alert, by promtool."""

import contextlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.metrics import lay_out
from support import REPOSITORY, cluster_changes, metrics, two_nodes
from support.metrics import NODES, changed, runs, series, well
from support.pillars import text_of, valid
from support.place import addresses, in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "prometheus", "promtool", "ha_cluster_exporter"),
    pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image"),
]

A, B = (f"{address}:9664" for address in NODES.values())
A_HAPROXY, A_NODE = (f"{NODES['a']}:{port}" for port in (8405, 9100))
ENDS = "haproxy_ha_certificate_end_timestamp_seconds"
NODE, RESOURCE = "ha_cluster_pacemaker_nodes", "ha_cluster_pacemaker_resources"
REACH = "ha_cluster_pacemaker_node_attributes"


def moved_away():
    """A pair of which one has lost its power: nobody asks it any more, and the other one tells."""
    found = {one: value for one, value in well().items() if ("instance", B) not in one[1]}
    return changed({**found, **series("up", 0, instance=B)}, NODE, 0, node="b", status="online")


def no_fence_device():
    return changed(well(), RESOURCE, None, resource="fencing")


FAULTS = {
    "nobody has the address": (
        changed(well(), RESOURCE, None, resource="FloatIP"), {"AddressNowhere": 1}, "45s", "90s"),
    "two have the address": (
        changed(well(), RESOURCE, None, resource="FloatIP", instance=B) | runs("FloatIP", "b", B), {"AddressTwice": 1},
        "45s", "90s"),
    "a load balancer is gone": (
        changed(moved_away(), RESOURCE, None, resource="haproxy", node="b"), {"LoadBalancerLost": 1, "TargetDown": 1},
        "45s", "3m"),
    "one is not powered off yet": (changed(well(), NODE, 1, node="b", status="unclean"), {"LoadBalancerUnclean": 1},
                                   "45s", "90s"),
    "HAProxy is down": (
        changed(well(), RESOURCE, None, resource="haproxy", node="b"), {"HaproxyDown": 1}, "45s", "90s"),
    "no server is up": (changed(well(), "haproxy_backend_status", 1, state="DOWN", instance=A_HAPROXY),
                        {"BackendWithoutServers": 1}, "15s", "45s"),
    "a server is down": (changed(well(), "haproxy_server_status", 1, state="DOWN"), {"ServerDown": 1}, "45s", "90s"),
    "a failure": (changed(well(), "ha_cluster_pacemaker_fail_count", 2, node="a"), {"ResourceFailed": 1}, None, "0s"),
    "a resource is blocked": (changed(well(), RESOURCE, 1, resource="FloatIP", status="blocked"), {"ResourceStuck": 1},
                              "105s", "150s"),
    "a gateway does not answer": (
        changed(well(), REACH, None, node="a") | series(REACH, node="a", name="haproxy_ha-reach", value="1000"),
        {"Degraded": 1}, "45s", "90s"),
    "no connection is left": (changed(well(), "haproxy_process_current_connections", 99, instance=A_HAPROXY),
                              {"ConnectionsAtLimit": 1}, "45s", "90s"),
    "no fence device": (no_fence_device(), {"FencingFailed": 1}, "105s", "150s"),
    "no fencing is wanted": (changed(no_fence_device(), "ha_cluster_pacemaker_stonith_enabled", 0), {}, None, "15m"),
    "no quorum": (changed(well(), "ha_cluster_corosync_quorate", 0, instance=A), {"QuorumLost": 1}, "15s", "45s"),
    "standby": (
        changed(changed(well(), NODE, 1, node="b", status="standby"), RESOURCE, None, resource="haproxy", node="b"),
        {"Forgotten": 1}, "11h", "13h"),
    "maintenance": (changed(well(), NODE, 1, status="maintenance"), {"Forgotten": 2}, "11h", "13h"),
    "maintenance of the cluster": (
        changed(well(), RESOURCE, None, resource="FloatIP") | runs("FloatIP", "a", A, "false"), {"Forgotten": 1}, "11h",
        "13h"),
    "the mark of a handover": (
        well() | series(REACH, node="a", name="haproxy_ha-handover", value="1"), {"Forgotten": 1}, "11h", "13h"),
    "something to look at": (
        well() | series("haproxy_ha_note", instance=A_NODE, note="closed by hand: frontend http"), {"ToLookAt": 1},
        "4m", "6m"),
    "a certificate ends": (
        changed(well(), ENDS, 604_800 + 6 * 3600, instance=A_NODE), {"CertificateEnds": 1}, "5h", "7h"),
    "nobody asks": (changed(well(), "haproxy_ha_asked_timestamp_seconds", 0, instance=A_NODE), {"NotAsked": 1}, "14m",
                    "16m"),
    "Pacemaker does not answer": (changed(well(), "ha_cluster_scrape_success", 0, collector="pacemaker", instance=A),
                                  {"MetricsIncomplete": 1}, "105s", "150s"),
    "a target is down": (changed(well(), "up", 0, instance=A_HAPROXY), {"TargetDown": 1}, "105s", "150s"),
    "nothing is monitored": ({("up", frozenset({"job": "other"}.items())): 1}, {"NotMonitored": 1}, "9m", "11m"),
    "another system's metrics": (
        {(name, frozenset(dict(labels, pair="").items())): 0 if name == "up" else value for (name, labels), value in
         changed(well(), RESOURCE, None, resource="FloatIP").items()} | series("up"), {}, None, "15m"),
    "a pair that is well": (well(), {}, None, "13h"),
}  # fmt: skip
"""What is told, which alerts fire (each how often), until when none does, and when they do."""


@pytest.mark.parametrize(("step", "unit"), [(15, "sm"), (300, "h")], ids=["minutes", "hours"])
def test_each_alert_fires_on_its_fault_and_is_silent_otherwise(tmp_path, step, unit):
    cases = [(found, {**({before: {}} if before else {}), after: alerts})
             for found, alerts, before, after in FAULTS.values() if after[-1] in unit]  # fmt: skip
    path = tmp_path / "tests.yml"
    path.write_text(metrics.promtool_file(cases, step), encoding="utf-8")
    test = ["promtool", "test", "rules", str(path)]
    done = subprocess.run(test, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_fault():
    assert {name for _, alerts, _, _ in FAULTS.values() for name in alerts} == set(metrics.alerts())


def test_the_document_has_every_alert():
    rows = metrics.PAGE.partition("## Alerts")[2].partition("##")[0]
    assert [name for name in metrics.alerts() if f"`HaproxyHa{name}`" not in rows] == []


LEFT_AS_THEY_ARE = (".definition", ".builtIn", ".titleFormat", ".textFormat")
"""What Grafana writes itself when it exports a dashboard, and its own description of one does not have."""


def test_grafana_knows_all_that_the_dashboard_says():
    """Read and written by Grafana's own types, which leave out what they do not know."""
    from grafana_foundation_sdk.cog import encoder, plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    given = json.loads(metrics.DASHBOARD.read_text(encoding="utf-8"))
    read = dict(leaves(json.loads(encoder.JSONEncoder().encode(Dashboard.from_json(given)))))
    unknown = [path for path, value in leaves(given) if value is not None and read.get(path) != value]
    assert [path for path in unknown if not path.endswith(LEFT_AS_THEY_ARE)] == []


def leaves(found, path=""):
    """Each value of a document, with its path."""
    parts = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else None
    if parts is None:
        yield path, found
    for name, part in parts or ():
        yield from leaves(part, f"{path}.{name}")


def test_no_panel_of_the_dashboard_lies_over_another_one():
    given = json.loads(metrics.DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [cell for panel in given for cell in cells_of(**panel["gridPos"])]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in given}) == len(given)


def cells_of(x, y, w, h):
    return [(x + right, y + down) for right in range(w) for down in range(h)]


ADDRESS = {"agent": cluster_changes.DUMMY, "operations": [{"name": "monitor", "interval": "1s"}]}
MARKS = ("haproxy_ha-reach", "haproxy_ha-takeover")
SITE = {
    "load_balancers:primary": {"private_ip": NODES["a"], "anchor_ip": "10.17.1.18"},
    "load_balancers:secondary:private_ip": NODES["b"],
    "monitoring:sources": ["127.0.0.1", "192.0.2.0/31"],
}
LOOK = {"time": time.time(), "notes": ["closed by hand: frontend http"], "certificate_ends": {"/etc/www.pem": 2e9}}


@pytest.fixture(scope="module")
def node():
    """A node of a cluster with HAProxy, its exporter and Prometheus."""
    nodes = two_nodes.start()
    one, started = nodes["n1"], []

    def start(*argv):
        started.append(subprocess.Popen(one.command(*argv), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    for address in ("10.17.1.18", "10.132.20.236", "10.132.20.237"):
        one.run("ip", "address", "add", address, "dev", "lo")
    one.run("mkdir", "/run/haproxy")
    configuration = text_of(valid(SITE), "haproxy", "/etc/haproxy/haproxy.cfg")
    one.run("sh", "-c", "cat > /run/haproxy.cfg; echo > /run/rules.yml", input=configuration)
    one.run("sh", "-c", "mkdir /run/metrics && cat > /run/metrics/haproxy_ha.prom", input=lay_out(LOOK))
    targets = [f"{NODES['a']}:{port}" for port in (8405, 9664, 9100)]
    one.run("sh", "-c", "cat > /run/prometheus.yml", input=metrics.configuration(targets, str(metrics.RULES), "1s"))
    resource = {"primitives": {"FloatIP": ADDRESS}, "properties": {"stonith-enabled": False}}
    call = ("python3", str(REPOSITORY / "test/support/engine_calls.py"))
    one.run(*call, input=json.dumps([["apply", {"desired": resource}], ["settle", {}]]))
    for name in MARKS:
        one.run("attrd_updater", "--name", name, "--update", "2000")
    for app in ("10.132.20.236", "10.132.20.237"):
        start("python3", "-m", "http.server", "--directory", "/srv", "--bind", app, "80")
    start("haproxy", "-db", "-f", "/run/haproxy.cfg")
    user = ("setpriv", "--reuid=hacluster", "--regid=haclient", "--clear-groups", "--bounding-set=-all")
    start(*user, "ha_cluster_exporter", f"--web.listen-address={NODES['a']}:9664")
    start("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
          "--collector.textfile.directory=/run/metrics")  # fmt: skip
    start("prometheus", "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/prometheus",
          "--web.listen-address=127.0.0.1:9090")  # fmt: skip
    yield one
    two_nodes.stop(nodes)
    for process in started:
        process.wait(30)


def answer(node, expression):
    """What Prometheus answers."""
    said = node.run("curl", "--silent", "--fail", metrics.query(expression), check=False).stdout
    found = json.loads(said) if said else {"status": "not yet"}
    assert found["status"] != "error", found
    return found.get("data", {}).get("result", [])


@pytest.mark.slow
def test_each_query_of_the_dashboard_has_data(node):
    for title, queries in metrics.dashboard_queries().items():
        for expression in queries:
            two_nodes.wait_for(f"{title}: {expression}", lambda expression=expression: answer(node, expression), 30)


@pytest.mark.slow
def test_what_is_wrong_is_told_in_words_and_nothing_else(node):
    """The cluster runs no HAProxy here, and there is a note; both collectors of the exporter understand it."""
    two_nodes.wait_for("both alerts", lambda: len(answer(node, "ALERTS")) > 1, 30)
    names = {one["metric"]["alertname"] for one in answer(node, "ALERTS")}
    assert names == {"HaproxyHaHaproxyDown", "HaproxyHaToLookAt"}
    assert len(answer(node, "ha_cluster_scrape_success == 1")) == 2
    alerts = json.loads(node.run("curl", "--silent", "http://127.0.0.1:9090/api/v1/alerts").stdout)["data"]["alerts"]
    words = [word for alert in alerts for word in alert["annotations"].values()]
    assert {"HAProxy does not run on n1 of www.", f"www: {LOOK['notes'][0]}"} <= set(words)
    assert [word for word in words if "<" in word or "{" in word] == []


def test_haproxy_answers_who_may_ask_alone(tmp_path):
    path = tmp_path / "haproxy.cfg"
    path.write_text(text_of(valid(SITE), "haproxy", "/etc/haproxy/haproxy.cfg"), encoding="utf-8")
    Path("/run/haproxy").mkdir(exist_ok=True)
    url = f"http://{A_HAPROXY}/metrics"
    with addresses(NODES["a"], "10.17.1.18", "10.132.20.10"), running("haproxy", "-db", "-f", str(path)):
        two_nodes.wait_for("HAProxy", lambda: asked(url) == "200", 10)
        assert asked(url, "--interface", "10.132.20.10") == "403"
        assert asked(f"http://{A_HAPROXY}/") == "404"


def asked(url, *how):
    """The status of an answer."""
    ask = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *how, url]
    return subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False).stdout


@contextlib.contextmanager
def running(*argv):
    """A program, for as long as this lasts."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()


def test_without_the_private_address_haproxy_starts_all_the_same(tmp_path):
    """`transparent`: what is there for monitoring does not keep clients from being served."""
    text = text_of(valid(SITE), "haproxy", "/etc/haproxy/haproxy.cfg")
    assert f"frontend {cfg.METRICS}\n    bind {A_HAPROXY} transparent\n" in text
    path = tmp_path / "haproxy.cfg"
    path.write_text(text, encoding="utf-8")
    Path("/run/haproxy").mkdir(exist_ok=True)
    with addresses("10.17.1.18"), running("haproxy", "-db", "-f", str(path)):
        two_nodes.wait_for("HAProxy", lambda: asked("http://10.17.1.18/") == "503", 10)
