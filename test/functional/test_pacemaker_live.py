"""The engine on a live cluster of two nodes: what was predicted is what the cluster does, and no commit is lost."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import twonodes
import yaml
from place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image")

ROOT = Path(__file__).resolve().parents[2]
CALL = (sys.executable, str(ROOT / "test" / "enginecall.py"))
DUMMY = "ocf:pacemaker:Dummy"


class Live(dict):
    """The two nodes, and calls of the module on them."""

    def call(self, function, node="n1", /, **arguments):
        """One function of the execution module; an error it raises is an AssertionError."""
        [result] = self.calls([function, arguments], node=node)
        assert not (isinstance(result, dict) and set(result) == {"error"}), result
        return result

    def calls(self, *calls, node="n1"):
        return json.loads(self[node].run(*CALL, input=json.dumps(calls)).stdout)

    def state(self, name, owner, node="n1", **arguments):
        """One state of the state module."""
        return self.call("state", node, function=name, name=owner, **arguments)

    def logs(self):
        return {name: node.log() for name, node in self.items()}


@pytest.fixture(scope="module")
def nodes():
    live = Live(twonodes.start())
    yield live
    twonodes.stop(live)


@pytest.fixture
def live(nodes):
    """The cluster without any configuration."""
    nodes.call("apply", desired={"properties": {"stonith-enabled": False}}, purge=True)
    nodes.call("settle")
    nodes.call("apply", desired={}, purge=True)
    yield nodes


BASE = {
    "properties": {"stonith-enabled": False, "no-quorum-policy": "ignore"},
    "primitives": {name: {"agent": DUMMY, "operations": [{"name": "monitor", "interval": "60s"}]} for name in "abc"},
    "locations": {f"{name}-home": {"resource": name, "node": "n1", "score": 10} for name in "abc"},
}


def epoch(live):
    """How often the configuration has changed."""
    root = live["n1"].run("cibadmin", "--query", "--no-children").stdout
    return int(re.search(r'\sepoch="(\d+)"', root)[1])


def edit(path, value):
    """A change of the configuration: set the value at a path (with None: take it away)."""

    def change(data):
        *parts, last = path.split("/")
        for part in parts:
            data = data.setdefault(part, {})
        if value is None:
            del data[last]
        else:
            data[last] = value

    return change


def several(*changes):
    def change(data):
        for one in changes:
            one(data)

    return change


MONITOR = {"name": "monitor", "interval": "60s"}
STATEFUL = {
    "agent": "ocf:pacemaker:Stateful",
    "operations": [{**MONITOR, "role": "Promoted"}, {**MONITOR, "interval": "61s", "role": "Unpromoted"}],
}


def promoted_on(node):
    rule = {"score": 100, "role": "Promoted", "expressions": [
        {"expression": {"attribute": "#uname", "operation": "eq", "value": node}}]}  # fmt: skip
    return edit("locations/s-promoted", {"resource": "s-clone", "rules": [rule]})


# In this order each starts from what the one before has left.
CHANGES = [
    ("three resources", lambda data: None),
    ("a reloadable parameter", edit("primitives/a/params", {"fake": "2"})),
    ("a parameter that needs a restart", edit("primitives/a/params/state", "/run/a.state")),
    ("another interval", edit("primitives/a/operations", [{"name": "monitor", "interval": "50s"}])),
    ("another timeout", edit("primitives/a/operations", [{"name": "monitor", "interval": "50s", "timeout": "31s"}])),
    ("another home", edit("locations/a-home/node", "n2")),
    ("a ban", edit("locations/b-ban", {"resource": "b", "node": "n1", "score": "-INFINITY"})),
    ("no ban", edit("locations/b-ban", None)),
    ("live migration allowed", edit("primitives/c/meta", {"allow-migrate": True})),
    ("a migration", edit("locations/c-home/node", "n2")),
    ("stopped", edit("primitives/c/meta/target-role", "Stopped")),
    ("started", edit("primitives/c/meta/target-role", "Started")),
    ("not managed", edit("primitives/a/meta", {"is-managed": False})),
    ("a change of what is not managed", edit("primitives/a/params/state", "/run/other.state")),
    ("managed again", edit("primitives/a/meta/is-managed", True)),
    ("a colocation", edit("colocations/b-c", {"resource": "b", "with": "c", "score": "INFINITY"})),
    ("an anticolocation", edit("colocations/a-c", {"resource": "a", "with": "c", "score": "-INFINITY"})),
    ("no colocations", edit("colocations", {})),
    ("an order", edit("orders/a-b", {"first": "a", "then": "b"})),
    ("a parameter of the first of an order", edit("primitives/a/params/state", "/run/third.state")),
    ("a group", several(edit("orders", {}), edit("groups/g", {"members": ["b", "c"]}), edit("locations/c-home", None))),
    ("the group in another order", edit("groups/g/members", ["c", "b"])),
    ("a smaller group", edit("groups/g/members", ["c"])),
    ("a clone", several(edit("primitives/d", {"agent": DUMMY}), edit("clones/d-clone", {"resource": "d"}))),
    ("a clone on one node", edit("clones/d-clone/meta", {"clone-max": 1})),
    ("a clone on both nodes", edit("clones/d-clone/meta", {"clone-max": 2})),
    ("another agent", edit("primitives/d/agent", "ocf:heartbeat:Dummy")),
    ("a promotable clone", several(
        edit("primitives/s", STATEFUL), promoted_on("n1"),
        edit("clones/s-clone", {"resource": "s", "meta": {"promotable": True}}),
    )),
    ("the other one is promoted", promoted_on("n2")),
    ("a with the promoted", edit("colocations/a-s", {
        "resource": "a", "with": "s-clone", "with-role": "Promoted", "score": "INFINITY"})),
    ("both in turn", promoted_on("n1")),
    ("no promotable clone", several(*(edit(path, None) for path in (
        "clones/s-clone", "primitives/s", "locations/s-promoted", "colocations/a-s")))),
    ("a rule by node attribute", several(
        edit("node_attributes/n1", {"good": 1}), edit("node_attributes/n2", {"good": 2}),
        edit("locations/b-good", {"resource": "b", "rules": [{"score-attribute": "good", "expressions": [
            {"expression": {"attribute": "good", "operation": "defined"}}]}]}))),
    ("another node attribute", edit("node_attributes/n2/good", 50)),
    ("a template", several(
        edit("templates/t", {"agent": DUMMY, "params": {"fake": "t"}}), edit("primitives/e", {"template": "t"}))),
    ("another template parameter", edit("templates/t/params/fake", "u")),
    ("a limit of failures", edit("resource_defaults", {"migration-threshold": 3})),
    ("stickiness", edit("resource_defaults/resource-stickiness", 200)),
    ("a home that does not stick", edit("locations/e-home", {"resource": "e", "node": "n1", "score": 100})),
    ("utilization", several(
        edit("properties/placement-strategy", "utilization"), edit("utilization", {"n1": {"m": 1}, "n2": {"m": 9}}),
        edit("primitives/a/utilization", {"m": 2}))),
    ("standby", edit("node_attributes/n2/standby", "on")),
    ("online", edit("node_attributes/n2/standby", "off")),
    ("maintenance", several(edit("properties/maintenance-mode", True), edit("primitives/f", {"agent": DUMMY}))),
    ("maintained", edit("properties/maintenance-mode", False)),
    ("one less", several(edit("primitives/f", None), edit("clones/d-clone", None), edit("primitives/d", None))),
    ("everything stopped", edit("properties/stop-all-resources", True)),
]  # fmt: skip
# Enough to see one of each action; all of them take a minute more.
SOME = {
    "three resources", "a reloadable parameter", "a parameter that needs a restart", "another home",
    "live migration allowed", "a migration", "stopped", "a clone", "a promotable clone", "the other one is promoted",
}  # fmt: skip
_INITIATED = re.compile(
    r"Initiating (\S+) operation (\S+?)_(?:migrate_to|migrate_from|[a-z-]+)_\d+ (?:locally )?on (\S+)"
)
# Beside an action, not actions: watching, telling, forgetting.
_UNSEEN = ("monitor", "notify", "cancel", "delete")
_OPERATIONS = {
    "start": lambda one: [("start", one["node"])],
    "stop": lambda one: [("stop", one["node"])],
    "restart": lambda one: [("stop", one["node"]), ("start", one["node"])],
    "recover": lambda one: [("stop", one["node"]), ("start", one["node"])],
    "move": lambda one: [("stop", one["source"]), ("start", one["dest"])],
    "migrate": lambda one: [
        ("migrate_to", one["source"]), ("migrate_from", one["dest"]), ("stop", one["source"])],
    "reload": lambda one: [("reload-agent", one["node"])],
    "promote": lambda one: [("promote", one["node"])],
    "demote": lambda one: [("demote", one["node"])],
}  # fmt: skip


def operations(impact):
    """{(resource, operation, node)} that the actions of a plan stand for."""
    found = set()
    for name, actions in impact.get("resources", {}).items():
        for one in actions:
            done = _OPERATIONS[one["action"]](one)
            if one["action"] in ("stop", "restart") and one.get("role") == "Promoted":
                done.append(("demote", one["node"]))
            if one["action"] == "promote" and one.get("role") == "Stopped":
                done.append(("start", one["node"]))
            found |= {(name.split(":")[0], operation, node) for operation, node in done}
    return found


def initiated(before, after):
    """{(resource, operation, node)} that the DC has let be done, by what the nodes have logged meanwhile."""
    found = set()
    for name, text in after.items():
        for operation, resource, node in _INITIATED.findall(text[len(before[name]) :]):
            if operation not in _UNSEEN:
                found.add((resource.split(":")[0], operation, node))
    return found


@pytest.mark.parametrize("names", [SOME, pytest.param(None, marks=pytest.mark.slow)], ids=["some", "all"])
def test_what_was_predicted_is_what_the_cluster_then_does(live, names):
    data, differing = copy.deepcopy(BASE), {}
    for name, change in CHANGES:
        if names is not None and name not in names:
            continue
        change(data)
        before = live.logs()
        planned, done, settled = live.calls(
            ["plan", {"desired": data}], ["apply", {"desired": data, "timeout": 30}], ["settle", {"timeout": 60}]
        )
        assert done.get("changes"), (name, done)
        assert (planned["changes"], planned["impact"]) == (done["changes"], done["impact"]), name
        assert settled["pending"] == [], name
        predicted, seen = operations(planned["impact"]), initiated(before, live.logs())
        if predicted != seen:
            differing[name] = {"predicted only": predicted - seen, "seen only": seen - predicted}
    assert differing == {}, differing


_STEP = re.compile(r"Diff: \+\+\+ (\d+\.\d+\.\d+)")
_COUNTER = re.compile(r"""id=['"][^'"]*-(n[12]-[ab])['"].*?value=\W?(\d+)""")


def own(name):
    """The counters of a node."""
    return {f"{name}-a", f"{name}-b"}


def history(log):
    """
    What each version of the CIB set the counters to, in order: [{name: value}]. A version may be logged twice, and
    patches that were refused are logged as OldPatch.
    """
    versions, counters = {}, {}
    for line in log.splitlines():
        if match := _STEP.search(line):
            counters = versions.setdefault(match[1], {})
        for name, value in _COUNTER.findall(line) if "OldPatch" not in line else ():
            assert counters.setdefault(name, int(value)) == int(value), line
    return [counters for counters in versions.values() if counters]


def _runs(process):
    """Whether a process still runs a moment later."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return True
    return False


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_no_commit_is_lost_when_both_nodes_commit_in_a_tight_loop(live, count):
    live.call("apply", desired=BASE)
    live.call("settle")
    before = live.logs()
    racing = {
        name: subprocess.Popen(node.command(*CALL), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name, node in live.items()
    }
    for name, process in racing.items():
        process.stdin.write(json.dumps([["race", {"node": name, "count": count}]]))
        process.stdin.close()
    failures = 0
    while any(_runs(process) for process in racing.values()):
        node = twonodes.NODES[failures % 2]
        live[node].run("crm_resource", "--fail", "--resource", "abc"[failures % 3], "--node", "n1", check=False)
        failures += 1
    results = {name: json.loads(process.stdout.read())[0] for name, process in racing.items()}
    assert {name: one["failed"] for name, one in results.items()} == {"n1": {}, "n2": {}}
    assert failures > 2
    properties = live.call("export")["properties"]
    assert {properties[f"{name}-{part}"] for name in live for part in "ab"} == {str(count)}
    steps = history(live["n1"].log()[len(before["n1"]) :])
    for name in live:
        mine = [
            (step.get(f"{name}-a"), step.get(f"{name}-b")) for step in steps if not step.keys().isdisjoint(own(name))
        ]
        assert mine == [(number, number) for number in range(1, count + 1)]


# What the tutorial has its readers type, and the tutorial before it, on which it builds; Nginx comes and goes.
TUTORIAL = """
crm configure property stonith-enabled=false
crm configure property no-quorum-policy=ignore
crm configure primitive FloatIP ocf:digitalocean:floatip params do_token=dop_v1_secret floating_ip=203.0.113.10
crm configure primitive Nginx ocf:heartbeat:webserver op start timeout=40s interval=0 \
    op monitor timeout=30s interval=10s on-fail=restart op stop timeout=60s interval=0
crm configure clone Nginx-clone Nginx
crm configure colocation FloatIP-Nginx inf: FloatIP Nginx-clone
crm resource stop Nginx
crm configure delete Nginx
crm configure primitive haproxy ocf:heartbeat:haproxy op monitor interval=15s
crm configure clone haproxy-clone haproxy
crm configure colocation FloatIP-haproxy inf: FloatIP haproxy-clone
"""
# Agents by the tutorial's names: its own are downloads.
AGENT = """#!/bin/sh
running=/run/$(basename "$0").running
case "$1" in
    start) touch "$running" ;;
    stop) rm -f "$running" ;;
    monitor) test -e "$running" || exit 7 ;;
    meta-data)
        echo '<resource-agent name="an agent" version="1"><version>1.0</version><parameters>'
        for name in do_token floating_ip; do
            echo "<parameter name=\\"$name\\"><content type=\\"string\\"/></parameter>"
        done
        echo '</parameters><actions>'
        for name in start stop monitor meta-data; do echo "<action name=\\"$name\\" timeout=\\"20s\\"/>"; done
        echo '</actions></resource-agent>'
        ;;
    *) exit 3 ;;
esac
"""
MINION = """\
file_client: local
root_dir: {home}
file_roots: {{base: [{repository}, {home}]}}
pillar_roots: {{base: [{home}/pillar]}}
log_level_logfile: quiet
state_aggregate: true
"""
ADOPT = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "adopt.md").read_text(encoding="utf-8"), re.DOTALL)
"""What docs/adopt.md shows: the export of the tutorial's cluster, and the state."""


@pytest.fixture
def minion(live, tmp_path):
    """``salt-call`` on the node n1, without a master; returns what a function returns."""
    (tmp_path / "minion").write_text(MINION.format(home=tmp_path, repository=ROOT), encoding="utf-8")
    (tmp_path / "own.sls").write_text(ADOPT[1], encoding="utf-8")
    (tmp_path / "pillar").mkdir()
    (tmp_path / "pillar" / "top.sls").write_text("base: {'*': [own]}", encoding="utf-8")
    (tmp_path / "pillar" / "own.sls").write_text("{}", encoding="utf-8")

    def call(*arguments, out="json"):
        argv = ("salt-call", f"--config-dir={tmp_path}", f"--out={out}", *arguments)
        said = live["n1"].run("env", "PATH=/opt/salt/bin:/usr/sbin:/usr/bin:/sbin:/bin", *argv).stdout
        return json.loads(said)["local"] if out == "json" else said

    call("saltutil.sync_all")
    return call


def test_a_cluster_that_was_built_by_hand_is_adopted_without_a_change(live, minion, tmp_path):
    for name in ("digitalocean/floatip", "heartbeat/haproxy", "heartbeat/webserver"):
        path = Path("/usr/lib/ocf/resource.d", name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(AGENT, encoding="utf-8")
        path.chmod(0o755)
    for command in TUTORIAL.replace("\\\n", " ").strip().splitlines():
        live["n1"].run(*command.split())
    live.call("settle")
    version = epoch(live)
    exported = minion("pacemaker.export", out="yaml")
    assert "dop_v1_secret" not in exported
    assert yaml.safe_load(exported) == yaml.safe_load(ADOPT[0])
    pillar = yaml.safe_dump({"web_cluster": yaml.safe_load(exported)["local"]})
    (tmp_path / "pillar" / "own.sls").write_text(pillar, encoding="utf-8")
    for options in (("test=True",), ()):
        [state] = minion("state.apply", "own", *options).values()
        assert (state["result"], state["changes"], epoch(live)) == (True, {}, version), state
        assert "Not recorded as this owner's: clone haproxy-clone, colocation FloatIP-haproxy" in state["comment"]
    (tmp_path / "own.sls").write_text(ADOPT[1] + "    - adopt: true\n", encoding="utf-8")
    [state] = minion("state.apply", "own").values()
    assert (state["result"], list(state["changes"])) == (True, ["owner web_cluster"]), state


TOGETHER = """
no fencing:
  pacemaker.property_present: [name: stonith-enabled, value: false]
one:
  pacemaker.primitive_present: [agent: "ocf:pacemaker:Dummy"]
two:
  pacemaker.primitive_present: [agent: "ocf:pacemaker:Dummy"]
one with two:
  pacemaker.colocation_present: [name: one-with-two, resource: one, with: two, score: INFINITY]
old:
  pacemaker.primitive_absent: []
"""


def test_states_that_salt_aggregates_are_one_commit(live, minion, tmp_path):
    (tmp_path / "own.sls").write_text(TOGETHER, encoding="utf-8")
    before = epoch(live)
    first = sorted(minion("state.apply", "own").values(), key=lambda state: state["__run_num__"])
    assert [state["result"] for state in first] == [True] * 5, first
    made = {"property stonith-enabled", "primitive one", "primitive two", "colocation one-with-two"}
    assert [set(state["changes"]) for state in first] == [made, set(), set(), set(), set()]
    after = epoch(live)
    assert 0 < after - before <= 2  # the daemon counts a commit up once more
    again = minion("state.apply", "own").values()
    assert [(state["result"], state["changes"]) for state in again] == [(True, {})] * 5
    assert epoch(live) == after


def test_operators_functions_do_what_they_say_and_the_second_time_nothing(live):
    live.call("apply", desired=BASE, owner="me")
    live.call("settle")
    for function, arguments, where in [
        ("standby", {"node": "n1"}, ["n2"]),
        ("online", {"node": "n1"}, ["n1"]),
        ("move", {"resource": "a", "node": "n2"}, ["n2"]),
        ("clear", {"resource": "a"}, ["n1"]),
        ("maintenance", {}, ["n1"]),
        ("maintenance", {"enabled": False}, ["n1"]),
    ]:
        done = live.calls([function, arguments], [function, arguments], ["status", {}])
        assert done[:2] == [True, False], (function, done)
        assert done[2]["resources"]["a"]["nodes"] == where, function
    live["n1"].run("crm_resource", "--fail", "--resource", "b", "--node", "n1")
    twonodes.wait_for("the failure to be known", lambda: live.call("status")["failures"])
    assert live.calls(["cleanup", {"resource": "b"}], ["cleanup", {"resource": "b"}]) == [True, False]
    state = live.call("wait", timeout=5)
    assert (state["quorum"], state["failures"], state["dc"] in live) == (True, [], True)
    assert live.call("plan", desired=BASE, owner="me")["changes"] == {}


@pytest.mark.slow
def test_a_node_that_hangs_stops_every_commit_until_it_is_back(live):
    live.call("apply", desired=BASE, owner="me")
    live.call("settle")
    changed = {**BASE, "resource_defaults": {"resource-stickiness": 7}}
    options = {"configuration": changed, "expected_nodes": ["n1", "n2"]}
    live["n2"].freeze()
    try:
        twonodes.wait_for("n1 to miss n2", lambda: not live.call("status")["nodes"]["n2"]["online"], 90)
        version = epoch(live)
        for test in (True, False):
            ret = live.state("configured", "me", test=test, timeout=1, **options)
            assert (ret["result"], epoch(live)) == (None if test else False, version)
            assert "absent: n2" in ret["comment"]
        assert live.call("export").get("resource_defaults") is None
    finally:
        live["n2"].freeze(False)
    ret = live.state("configured", "me", timeout=90, **options)
    assert (ret["result"], list(ret["changes"])) == (True, ["resource_default resource-stickiness"]), ret
    assert live.state("configured", "me", "n2", **options)["changes"] == {}


# What the agent haproxy tells of what a node reaches

PUBLISH = """
import sys, types
sys.path.insert(0, sys.argv[1])
import reach
reach.Published(types.SimpleNamespace(state_directory="/run", instance="haproxy"), "reach").update(int(sys.argv[2]))
"""


def test_what_two_nodes_lose_one_after_the_other_is_one_change(live):
    def publish(value):
        for node in live.values():
            node.run(sys.executable, "-c", PUBLISH, str(ROOT / "haproxy_ha" / "files" / "agents"), str(value))

    def written():
        status = live["n1"].run("cibadmin", "--query", "--xpath", "//nvpair[@name='reach']", check=False).stdout
        return sorted(re.findall(r' value="(\d+)"', status))

    publish(2000)
    assert written() == []
    twonodes.wait_for("the values", written, 30)
    assert written() == ["2000", "2000"]
    publish(1000)
    twonodes.wait_for("other values", lambda: written() != ["2000", "2000"], 30)
    assert written() == ["1000", "1000"]
