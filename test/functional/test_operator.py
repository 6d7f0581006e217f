"""
What operators ask and set on two live nodes with a real HAProxy: states look first, say what they find, and do not wait
for what will not come. Resources are Pacemaker's Dummy: what is looked at is the cluster, not the agents.
"""

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from support import REPOSITORY, documents, two_nodes
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "crm_mon", "ip"),
    pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image"),
]
NODES = two_nodes.NODES
ENGINE = (sys.executable, str(REPOSITORY / "test/support/engine_calls.py"))
# As for an operator, for whom what was synced is compiled once; the tests' own processes leave no bytecode.
SALTS = ("PATH=/opt/salt/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=")
DUMMY = "ocf:pacemaker:Dummy"
MONITOR = {"name": "monitor", "interval": "10s"}
ADDRESSES = {"n1": "192.0.2.1", "n2": "192.0.2.2", "n3": "192.0.2.3"}
ANCHORS = {"n1": "10.17.0.1", "n2": "10.17.0.2", "n3": "10.17.0.3"}
APP = "10.1.1.1"
MINION = """\
id: {name}
file_client: local
root_dir: {home}
file_roots: {{base: [{repository}]}}
pillar_roots: {{base: [{home}/pillar]}}
log_level_logfile: quiet
"""
# What is asked of systemd here: whether HAProxy runs, by its process; and since when Pacemaker does (for long).
SYSTEMCTL = """\
#!/bin/sh
case "$*" in
*ActiveEnterTimestampMonotonic*) echo 1 ;;
*MainPID*haproxy.service*) pgrep -x -o -r R,S haproxy || echo 0 ;;
*haproxy.service*) if pgrep -x -r R,S haproxy >/dev/null; then echo active; else echo inactive; fi ;;
*) echo active ;;
esac
"""


def pillar(balancers=("n1", "n2"), **cluster):
    return {
        "load_balancers": {name: {"private_ip": ADDRESSES[name], "anchor_ip": ANCHORS[name]} for name in balancers},
        "app_servers": {"app": {"private_ip": APP, "managed": False}},
        "floating_ip": {"address": "203.0.113.10", "agent": DUMMY},
        "cluster": {"authkey": "QUFB" * 60, **cluster},
    }  # fmt: skip


CONFIGURATION = {
    "properties": {"stonith-enabled": False, "no-quorum-policy": "stop"},
    "primitives": {name: {"agent": DUMMY, "operations": [MONITOR]} for name in ("haproxy", "FloatIP")},
    "clones": {"haproxy-clone": {"resource": "haproxy"}},
    "colocations": {"FloatIP-haproxy": {"resource": "FloatIP", "with": "haproxy-clone", "score": "INFINITY"}},
    "locations": {"home": {"resource": "FloatIP", "node": "n1", "score": 50}},
}


class Operator:
    """What somebody does on the two nodes with salt-call."""

    def __init__(self, nodes, home):
        self.nodes, self.home, self.files = nodes, home, {}
        for name in nodes:
            (home / name / "pillar").mkdir(parents=True)
            config = MINION.format(name=name, home=home / name, repository=REPOSITORY)
            (home / name / "minion").write_text(config, encoding="utf-8")
            top = home / name / "pillar" / "top.sls"
            top.write_text("base: {'*': [own]}", encoding="utf-8")
        self.pillar()
        for name in nodes:
            self.call("saltutil.sync_all", node=name)

    def pillar(self, *balancers, **cluster):
        tree = json.dumps({"haproxy_ha": pillar(balancers or ("n1", "n2"), **cluster)})
        for name in self.nodes:
            (self.home / name / "pillar" / "own.sls").write_text(tree, encoding="utf-8")

    def said(self, function, *arguments, node="n1", errors=True):
        """(what salt-call prints, what it logs) of a function."""
        argv = ("salt-call", f"--config-dir={self.home / node}", "--out=json", "--log-level=warning")
        done = self.nodes[node].run("env", *SALTS, *argv, function, *arguments, check=errors)
        return done.stdout, done.stderr

    def call(self, function, *arguments, node="n1"):
        return json.loads(self.said(function, *arguments, node=node)[0])["local"]

    def state(self, function, *arguments, node="n1"):
        """One state's return, with what was logged and how long it took, in seconds."""
        out, log = self.said("state.single", function, "x", *arguments, node=node, errors=False)
        [ret] = json.loads(out)["local"].values()
        return {**ret, "log": log, "seconds": ret["duration"] / 1000}

    def membership(self, *nodes, timeout=120, **options):
        return self.state("haproxy_ha.cluster_membership", f"nodes={json.dumps(nodes or ('n1', 'n2'))}",
                          f"timeout={timeout}", **options)  # fmt: skip

    def engine(self, *calls):
        """Functions of the module pacemaker, one after the other, without Salt around: quicker."""
        done = json.loads(self.nodes["n1"].run(*ENGINE, input=json.dumps(calls)).stdout)
        assert not [one for one in done if isinstance(one, dict) and set(one) == {"error"}], done
        return done

    def haproxy(self, name, runs=True):
        """Start HAProxy with the file of the formula, or end it."""
        node = self.nodes[name]
        node.run("pkill", "-KILL", "-x", "haproxy", check=False)
        if runs:
            if name not in self.files:
                self.files[name] = self.call("haproxy_ha.daemon_files", "haproxy", node=name)
            node.run("mkdir", "-p", "/run/haproxy")
            node.run("tee", "/run/haproxy.cfg", input=self.files[name]["/etc/haproxy/haproxy.cfg"]["content"])
            node.run("haproxy", "-W", "-D", "-S", "/run/haproxy-master.sock,level,admin", "-f", "/run/haproxy.cfg")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    systemctl = Path("/usr/local/sbin/systemctl")
    systemctl.write_text(SYSTEMCTL, encoding="utf-8")
    systemctl.chmod(0o755)
    nodes = two_nodes.start()
    try:
        for name, node in nodes.items():
            node.run("mkdir", "-p", "/run/systemd/system")
            for address in (ANCHORS[name], APP):
                node.run("ip", "address", "add", f"{address}/32", "dev", "lo")
            web = node.command("python3", "-m", "http.server", "--bind", APP, "--directory", "/var/empty", "80")
            subprocess.Popen(web, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            node.run("mkdir", "-p", "/var/empty")
        yield Operator(nodes, tmp_path_factory.mktemp("operator"))
    finally:
        two_nodes.stop(nodes)
        systemctl.unlink()


@pytest.fixture
def operator(started):
    """The pair, well: HAProxy on both, the address on n1."""
    started.engine(
        *(["online", {"node": name}] for name in started.nodes), ["maintenance", {"enabled": False}],
        ["apply", {"desired": CONFIGURATION, "timeout": 30}], ["cleanup", {}], ["settle", {}],
    )  # fmt: skip
    for name in started.nodes:
        started.haproxy(name)
    started.pillar()
    return started


@contextlib.contextmanager
def set_by(operator, set_, end):
    """What an operator sets, and its end."""
    operator.nodes["n1"].run(*set_)
    operator.engine(["settle", {}])
    try:
        yield
    finally:
        operator.nodes["n1"].run(*end)


def test_a_commit_waits_for_the_agents_on_every_node_that_is_online(operator):
    """No agent of the formula has run here, as in a cluster that somebody has built by hand."""
    dry = operator.state("haproxy_ha.cluster_ready", "test=True")
    assert (dry["result"], dry["changes"]) == (None, {}), dry
    assert "Not known to have the agents yet: n1, n2" in dry["comment"]
    alone = operator.state("haproxy_ha.cluster_ready", "timeout=3")
    assert alone["result"] is False
    assert "no run on n2 has installed what" in alone["comment"]
    assert "s at most: the agents on n2" in alone["log"]
    for node in ("n2", "n1"):
        ready = operator.state("haproxy_ha.cluster_ready", "timeout=3", node=node)
        assert (ready["result"], ready["changes"]) == (True, {}), ready


def test_what_would_be_there_twice_is_refused_with_the_key_that_takes_it_away(operator):
    lb = {"primitives": {"lb": {"agent": "lsb:haproxy", "meta": {"target-role": "Stopped"}}}}
    operator.engine(["apply", {"desired": lb, "owner": "somebody"}])
    try:
        for test in ("test=True", "test=False"):
            ret = operator.state("haproxy_ha.cluster_ready", test)
            assert ret["result"] is False
            assert "the cluster's primitive lb (lsb:haproxy) runs HAProxy, as haproxy will" in ret["comment"]
        operator.pillar(replaces=["lb"])
        assert operator.state("haproxy_ha.cluster_ready", "test=True")["result"] is not False
    finally:
        operator.engine(["apply", {"desired": {}, "owner": "somebody"}], ["settle", {}])


def test_a_pair_that_is_well(operator):
    status = operator.call("haproxy_ha.status")
    assert status == {
        "active": ["n1"], "addresses": {"FloatIP": ["n1"]}, "haproxy": ["n1", "n2"], "offline": [], "standby": [],
        "maintenance": [], "failures": [], "notes": [],
    }  # fmt: skip
    ret = operator.membership()
    assert (ret["result"], ret["changes"], ret["comment"]) == (True, {}, "Online: n1, n2")
    ret = operator.state("haproxy_ha.verified")
    assert ret["result"] is True, ret["comment"]
    verified = operator.call("haproxy_ha.verify")
    assert (verified["result"], verified["failed"], verified["notes"]) == (True, [], [])
    assert "http://10.17.0.1:80/: 200" in verified["passed"]
    assert all("\n" not in line for line in verified["passed"])


def test_what_somebody_else_listens_on_is_not_waited_for(operator):
    node, address = operator.nodes["n1"], ADDRESSES["n1"]
    listen = f"python3 -m http.server --bind {address} 80 >/dev/null 2>&1 & echo $!"
    pid = node.run("sh", "-c", listen).stdout.strip()
    try:
        two_nodes.wait_for("it to listen", lambda: f"{address}:80" in node.run("ss", "-Hltn").stdout)
        ret = operator.state("haproxy_ha.verified")
    finally:
        node.run("kill", pid)
    assert (ret["result"], ret["seconds"] < 15) == (False, True), ret
    assert f"{address} port 80: expected: refuses, found: connects" in ret["comment"]


def test_one_screen_tells_of_a_pair_that_is_well(operator):
    text = operator.call("haproxy_ha.overview")
    assert re.search(r"Address +203.0.113.10 is on n1 since 20\d\d-.* UTC \(\d+ ", text), text
    assert re.search(r"n2: online, HAProxy runs since 20\d\d-", text), text
    assert re.search(r"HAProxy +here: \d+\.\d.*, up \d+ ", text), text
    assert re.search(r"Servers +app_pool: 1 of 1 up", text), text
    assert "the cluster's configuration: " in text and "by root with cibadmin on n" in text
    assert text.endswith("All is well.")
    data = operator.call("haproxy_ha.overview", "data=True")
    assert (data["cluster"]["active"], data["nodes"], data["notes"]) == (["n1"], ["n1", "n2"], [])
    assert abs(data["time"] - time.time()) < 300 and data["since"]["FloatIP"]["n1"] <= data["time"]


def test_one_screen_tells_what_is_wrong_and_what_to_do(operator):
    operator.engine(["standby", {"node": "n1"}])
    operator.haproxy("n1", runs=False)
    text = operator.call("haproxy_ha.overview")
    assert "203.0.113.10 is on n2 since" in text
    assert "n1: standby, no HAProxy" in text
    assert "here: HAProxy answers at no socket" in text
    note = "n1 is in standby and runs nothing (salt-call pacemaker.online n1 ends it)"
    assert f"1 to look at:\n- {note}" in text
    assert f'haproxy_ha_note{{note="{note}"}} 1' in operator.call("haproxy_ha.metrics").splitlines()


def test_a_run_in_standby_says_so_and_proves_the_rest(operator):
    operator.engine(["standby", {"node": "n1"}])
    operator.haproxy("n1", runs=False)
    status = operator.call("haproxy_ha.status")
    assert (status["active"], status["haproxy"], status["standby"]) == (["n2"], ["n2"], ["n1"])
    [note] = status["notes"]
    assert "n1 is in standby" in note and "pacemaker.online n1" in note
    ret = operator.state("haproxy_ha.verified")
    assert (ret["result"], ret["seconds"] < 10) == (True, True), ret
    assert "HAProxy does not run here, and is not asked" in ret["comment"]
    assert "salt-call pacemaker.online n1 ends it" in ret["comment"]
    passed = operator.call("haproxy_ha.verify")["passed"]
    assert f"http://{APP}:80/: 200" in passed  # the app server, asked directly
    assert not any("10.17.0.1" in line for line in passed)
    assert "pacemaker.online" in operator.state("haproxy_ha.verified", "test=True")["comment"]


def test_both_in_standby_is_a_failure_at_once(operator):
    operator.engine(*(["standby", {"node": name}] for name in NODES))
    operator.haproxy("n1", runs=False)
    ret = operator.state("haproxy_ha.verified")
    assert (ret["result"], ret["seconds"] < 15) == (False, True), ret
    assert "nodes with the floating IP: expected: exactly one, found: none" in ret["comment"]
    assert "pacemaker.online n1" in ret["comment"] and "pacemaker.online n2" in ret["comment"]


MAINTENANCE = {
    "the cluster": (("crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--update", "true"),
                    ("crm_attribute", "--type", "crm_config", "--name", "maintenance-mode", "--delete"),
                    "pacemaker.maintenance False ends it"),
    "the node": (("crm_attribute", "--node", "n1", "--name", "maintenance", "--update", "true"),
                 ("crm_attribute", "--node", "n1", "--name", "maintenance", "--delete"),
                 "pacemaker.maintenance False node=n1 ends it"),
    "the resource": (("crm", "resource", "unmanage", "haproxy-clone"), ("crm", "resource", "manage", "haproxy-clone"),
                     "crm resource manage haproxy-clone ends it"),
}  # fmt: skip


@pytest.mark.parametrize("what", [
    "the cluster", *(pytest.param(one, marks=pytest.mark.slow) for one in ("the node", "the resource"))
])
def test_in_maintenance_with_haproxy_stopped_nobody_waits_for_it(operator, what):
    """On the node without the address nothing is lost; on the other one nobody is served."""
    set_, end, said = MAINTENANCE[what]
    with set_by(operator, set_, end):
        ret = operator.state("haproxy_ha.verified")
        assert ret["result"] is True, ret["comment"]  # it runs: all is proven, and the switch is told
        assert said in ret["comment"]
        operator.haproxy("n1", runs=False)
        status = operator.call("haproxy_ha.status")
        assert (status["active"], status["haproxy"]) == (["n1"], ["n2"])
        assert any("n1 has the floating IP and no HAProxy: clients are not served" in one for one in status["notes"])
        assert any(said in note for note in status["notes"])
        assert status["maintenance"] == {"the cluster": ["the cluster"], "the node": ["n1"]}.get(what, [])
        ret = operator.state("haproxy_ha.verified")
        assert (ret["result"], ret["seconds"] < 15) == (False, True), ret
        assert "HAProxy on the active node: expected: runs, found: n2" in ret["comment"]
        assert said in ret["comment"]
    assert said not in str(operator.call("haproxy_ha.status")["notes"])


def test_a_failover_that_the_cluster_will_not_make_is_refused_at_once(operator):
    operator.engine(["maintenance", {}])
    out, said = operator.said("haproxy_ha.failover", errors=False)
    assert "the floating IP stays on n1: the cluster is in maintenance" in said + out
    assert "pacemaker.maintenance False ends it" in said + out


def test_what_somebody_stopped_on_purpose_is_said_with_what_starts_it(operator):
    with set_by(operator, ("crm", "resource", "stop", "haproxy-clone"), ("crm", "resource", "start", "haproxy-clone")):
        operator.haproxy("n1", runs=False)
        status = operator.call("haproxy_ha.status")
        assert (status["active"], status["haproxy"]) == ([], [])
        assert any("crm resource start haproxy-clone ends it" in note for note in status["notes"])
        ret = operator.state("haproxy_ha.verified")
        assert (ret["result"], ret["seconds"] < 15) == (False, True), ret
        assert "haproxy-clone is stopped on purpose" in ret["comment"]
    operator.engine(["settle", {}])
    assert "stopped on purpose" not in str(operator.call("haproxy_ha.status")["notes"])


def test_a_failure_is_told_with_its_time_and_that_it_is_over(operator):
    operator.nodes["n1"].run("crm_resource", "--fail", "--resource", "FloatIP", "--node", "n1", check=False)
    two_nodes.wait_for("the failure", lambda: operator.engine(["status", {}])[0]["failures"])
    operator.engine(["settle", {}])
    [failure] = operator.call("haproxy_ha.status")["failures"]
    assert (failure["node"], failure["over"], bool(failure["time"])) == ("n1", True, True)
    [note] = operator.call("haproxy_ha.status")["notes"]
    assert note.startswith("1 failure is over and only remembered") and "pacemaker.cleanup forgets" in note
    operator.call("pacemaker.cleanup")
    assert operator.call("haproxy_ha.status")["notes"] == []


# Who is absent; the last tests, because they end n2


def test_a_balancer_that_was_never_there_and_has_no_machine_is_not_waited_for(operator):
    operator.pillar("n1", "n2", "n3")
    for arguments in ((), ("test=True",)):
        ret = operator.state("haproxy_ha.cluster_membership", 'nodes=["n1", "n2", "n3"]', "timeout=120", *arguments)
        assert (ret["result"], ret["changes"], ret["seconds"] < 10) == (False, {}, True), ret
        assert "n3 is absent: its machine does not answer" in ret["comment"]
        assert "n2" not in ret["comment"]


def test_a_stopped_cluster_is_waited_for_ten_seconds_and_what_for_is_said_at_once(operator):
    operator.nodes["n2"].run("pkill", "-TERM", "-x", "pacemakerd")
    two_nodes.wait_for("n2 to leave", lambda: not operator.engine(["status", {}])[0]["nodes"]["n2"]["online"])
    ret = operator.membership()
    assert (ret["result"], 9 < ret["seconds"] < 15) == (False, True), ret
    assert "n2 is absent: its machine answers, and its cluster was stopped" in ret["comment"]
    assert "waiting, for 10 s at most: n2 is absent" in ret["log"]
    assert "n2 is offline: start it" in str(operator.call("haproxy_ha.status")["notes"])
    screen = operator.call("haproxy_ha.overview", node="n2")
    assert re.search(r"HAProxy +here: .*, up ", screen) and not re.search(r"Nodes|Address", screen)
    assert "cannot be read: Pacemaker is not running on this node (systemctl status" in screen


def test_the_survivor_of_a_dead_pair_waits_for_nobody_and_proves_what_it_can(operator):
    operator.nodes.pop("n2").end()
    two_nodes.wait_for("n2 to be lost", lambda: not operator.engine(["status", {}])[0]["nodes"]["n2"]["online"])
    for test in ("test=False", "test=True"):
        ret = operator.state("haproxy_ha.cluster_membership", 'nodes=["n1", "n2"]', "timeout=120", test)
        assert (ret["result"], ret["seconds"] < 10) == (False, True), ret
        assert "n2 is absent: its machine does not answer" in ret["comment"]
        for way in ("start n2", "expected_timeout: 0", "take it out of pillar"):
            assert way in ret["comment"]
    [example] = [one for one in documents.examples()
                 if one.document == "docs/operate.md" and "expected_timeout" in one.text]  # fmt: skip
    operator.pillar(**yaml.safe_load(example.text)["haproxy_ha"]["cluster"])
    ret = operator.membership(timeout=operator.call("haproxy_ha.settings")["cluster"]["expected_timeout"])
    assert (ret["result"], ret["changes"], ret["seconds"] < 10) == (True, {}, True), ret
    assert "Nobody is waited for" in ret["comment"] and "n2 is absent" in ret["comment"]
    ret = operator.state("haproxy_ha.verified")
    assert (ret["result"], ret["seconds"] < 10) == (True, True), ret
