"""The engine on a live cluster of two nodes: what was predicted is what the cluster does, and no commit is lost."""

import copy
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support import REPOSITORY, cluster_changes, two_nodes
from support.place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image")

CALL = (sys.executable, str(REPOSITORY / "test/support/engine_calls.py"))


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
    live = Live(two_nodes.start())
    yield live
    two_nodes.stop(live)


def empty(nodes):
    """Take everything away, the resources first."""
    desired = cluster_changes.without_switches(nodes)
    desired["properties"]["stonith-enabled"] = False
    emptied = nodes.calls(
        ["apply", {"desired": desired, "purge": True}],
        ["settle", {}],
        ["apply", {"desired": {}, "purge": True}],
    )
    assert not [step for step in emptied if "error" in step], emptied


@pytest.fixture
def live(nodes):
    """The cluster without any configuration."""
    empty(nodes)
    return nodes


BASE = {"properties": {"stonith-enabled": False, "no-quorum-policy": "ignore"}, **cluster_changes.base("n1")}


def epoch(live):
    """How often the configuration has changed."""
    root = live["n1"].run("cibadmin", "--query", "--no-children").stdout
    return int(re.search(r'\sepoch="(\d+)"', root)[1])


@pytest.mark.parametrize("names", [
    cluster_changes.SOME,
    pytest.param(None, marks=pytest.mark.slow),
], ids=["some", "all"])
def test_what_was_predicted_is_what_the_cluster_then_does(live, names):
    def change(name, data):
        planned, done, settled = live.calls(
            ["plan", {"desired": data}], ["apply", {"desired": data, "timeout": 30}], ["settle", {"timeout": 60}]
        )
        assert done.get("changes"), (name, done)
        assert (planned["changes"], planned["impact"]) == (done["changes"], done["impact"]), name
        assert settled["pending"] == [], name
        return planned["impact"]

    steps = [step for step in cluster_changes.steps("n1", "n2") if names is None or step[0] in names]
    assert cluster_changes.differing(live.logs, change, copy.deepcopy(BASE), steps) == {}


def test_settled_means_that_nothing_is_under_way(live):
    """Starts and stops that take 2 s each; a look every now and then falls into one."""
    slow = {"agent": cluster_changes.DUMMY, "params": {"op_sleep": 2}, "operations": [cluster_changes.MONITOR]}
    for primitives in ({"slow": slow}, {"slow": {**slow, "meta": {"target-role": "Stopped"}}}, {}):
        done, settled = live.calls(
            ["apply", {"desired": {**BASE, "primitives": {**BASE["primitives"], **primitives}}}], ["settle", {}]
        )
        assert done["changes"]
        assert settled["pending"] == []
        assert 'op-status="-1"' not in live["n1"].run("cibadmin", "--query").stdout


_STEP = re.compile(r"Diff: \+\+\+ (\d+\.\d+\.\d+)")
_COUNTER = re.compile(r"""id=['"][^'"]*-(n[12]-[ab])['"].*?value=\W?(\d+)""")


@pytest.mark.parametrize("heir", [{}, {"slow": {"agent": "ocf:heartbeat:Dummy"}}], ids=["gone", "another agent"])
def test_what_goes_is_stopped_though_pacemaker_has_not_looked_yet_whether_it_runs(live, heir):
    """Probes that take 3 s each, asked for again; an operator's refresh stands for a cluster that has just formed."""
    state = "/run/Dummy-slow.state"  # the stop of what was only probed gets no parameters
    slow = {"agent": cluster_changes.DUMMY, "params": {"op_sleep": 3}}
    before, after = ({**BASE, "primitives": {**BASE["primitives"], **more}} for more in ({"slow": slow}, heir))
    live.calls(["apply", {"desired": before}], ["settle", {}])
    [home] = live.call("status")["resources"]["slow"]["nodes"]
    live[home].run("test", "-e", state)
    live["n1"].run("crm_resource", "--refresh", "--resource", "slow")
    planned, done, settled = live.calls(
        ["plan", {"desired": after}], ["apply", {"desired": after, "timeout": 60}], ["settle", {}]
    )
    unknown = "not known yet: whether slow, which goes or gets another agent, runs on"
    assert planned["waiting"] == [f"{unknown} n1", f"{unknown} n2"]
    assert (planned["changes"], done["waiting"], settled["pending"]) == (done["changes"], [], [])
    assert live[home].run("test", "-e", state, check=False).returncode == 1


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


@pytest.mark.parametrize("count", [10, pytest.param(500, marks=pytest.mark.slow)])
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
        node = two_nodes.NODES[failures % 2]
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


def install(*names):
    """The agent, for both nodes, by each of these names (provider/type)."""
    for name in names:
        path = Path("/usr/lib/ocf/resource.d", name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(AGENT, encoding="utf-8")
        path.chmod(0o755)


ADOPT = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "adopt.md").read_text(encoding="utf-8"), re.DOTALL)
"""What docs/adopt.md shows: the export of the tutorial's cluster, and the state."""


@pytest.fixture
def minion(live, tmp_path):
    """``salt-call`` on the node n1, without a master; returns what a function returns."""
    (tmp_path / "minion").write_text(MINION.format(home=tmp_path, repository=REPOSITORY), encoding="utf-8")
    (tmp_path / "own.sls").write_text(ADOPT[1], encoding="utf-8")
    (tmp_path / "pillar").mkdir()
    (tmp_path / "pillar" / "top.sls").write_text("base: {'*': [own]}", encoding="utf-8")
    (tmp_path / "pillar" / "own.sls").write_text("{}", encoding="utf-8")

    def call(*arguments, out="json", check=True):
        argv = ("salt-call", f"--config-dir={tmp_path}", f"--out={out}", *arguments)
        path = "PATH=/opt/salt/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        said = live["n1"].run("env", path, *argv, check=check).stdout
        return json.loads(said)["local"] if out == "json" else said

    call("saltutil.sync_all")
    return call


def test_a_cluster_that_was_built_by_hand_is_adopted_without_a_change(live, minion, tmp_path):
    install("digitalocean/floatip", "heartbeat/haproxy", "heartbeat/webserver")
    for command in TUTORIAL.replace("\\\n", " ").strip().splitlines():
        live["n1"].run(*command.split())
    live.call("settle")
    version = epoch(live)
    exported = minion("pacemaker.export", out="yaml")
    assert "dop_v1_secret" not in exported
    shown = yaml.safe_load(ADOPT[0])
    if "interleave=true" in live["n1"].run("crm", "configure", "show", "haproxy-clone").stdout:  # crmsh 5 adds it
        shown["local"]["clones"]["haproxy-clone"]["meta"] = {"interleave": "true"}
    assert yaml.safe_load(exported) == shown
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
    two_nodes.wait_for("the failure to be known", lambda: live.call("status")["failures"])
    live.call("settle")  # what is under way would fail once more
    assert live.calls(["cleanup", {"resource": "b"}], ["cleanup", {"resource": "b"}]) == [True, False]
    state = live.call("wait", timeout=5)
    assert (state["quorum"], state["failures"], state["dc"] in live) == (True, [], True)
    assert live.call("plan", desired=BASE, owner="me")["changes"] == {}


def test_an_agent_that_the_other_node_lacks_is_a_failure_until_it_is_installed_and_a_run_there_probes_again(live):
    install("own/agent")
    configuration = {
        **BASE,
        "primitives": {name: {"agent": "ocf:own:agent"} for name in ("one", "each", "elsewhere")},
        "clones": {"each-clone": {"resource": "each"}},
        "locations": {"elsewhere-home": {"resource": "elsewhere", "node": "n2", "score": "-INFINITY"}},
    }
    options = {"configuration": configuration, "timeout": 60}
    live["n2"].run("mount", "-t", "tmpfs", "none", "/usr/lib/ocf/resource.d/own")
    try:
        predicted = live.state("configured", "me", test=True, **options)
        first = live.state("configured", "me", **options)
        again = [live.state("configured", "me", node, test=test, **options) for node in live for test in (True, False)]
        refused = live.call("plan", "n2", desired={"primitives": {"new": {"agent": "ocf:own:agent"}}}, partial=True)
    finally:
        live["n2"].run("umount", "/usr/lib/ocf/resource.d/own")
    assert (predicted["result"], predicted["changes"]) == (None, first["changes"])  # no node knows another's files
    assert [(ret["result"], ret["changes"]) for ret in again] == [(False, {})] * 4
    for ret in (first, *again):
        for name in ("one", "each"):
            assert f"{name} cannot run on n2: the probe by ocf:own:agent gave not installed" in ret["comment"], ret
        assert "elsewhere cannot run" not in ret["comment"]
    assert refused["lacking"] == ["the agent ocf:own:agent of new is not installed on this node"]
    assert live.state("configured", "me", **options)["result"] is False
    again = {"old": "not installed", "new": "repeated"}
    repeated = {f"probe of {name}": again for name in ("each", "elsewhere", "one")}
    predicted = live.state("configured", "me", "n2", test=True, **options)
    assert (predicted["result"], predicted["changes"]) == (None, repeated), predicted
    mended = live.state("configured", "me", "n2", **options)
    assert (mended["result"], mended["changes"]) == (True, repeated), mended
    for node in live:
        again = live.state("configured", "me", node, **options)
        assert (again["result"], again["changes"]) == (True, {}), again
    assert live.call("cleanup") is False
    assert live.call("status")["resources"]["each"]["nodes"] == ["n1", "n2"]


@pytest.mark.slow
def test_a_node_that_hangs_stops_every_commit_until_it_is_back(live):
    live.call("apply", desired=BASE, owner="me")
    live.call("settle")
    changed = {**BASE, "resource_defaults": {"resource-stickiness": 7}}
    options = {"configuration": changed, "expected_nodes": ["n1", "n2"]}
    live["n2"].freeze()
    try:
        two_nodes.wait_for("n1 to miss n2", lambda: not live.call("status")["nodes"]["n2"]["online"], 90)
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
            node.run(sys.executable, "-c", PUBLISH, str(REPOSITORY / "haproxy_ha" / "files" / "agents"), str(value))

    def written():
        status = live["n1"].run("cibadmin", "--query", "--xpath", "//nvpair[@name='reach']", check=False).stdout
        return sorted(re.findall(r' value="(\d+)"', status))

    publish(2000)
    assert written() == []
    two_nodes.wait_for("the values", written, 30)
    assert written() == ["2000", "2000"]
    publish(1000)
    two_nodes.wait_for("other values", lambda: written() != ["2000", "2000"], 30)
    assert written() == ["1000", "1000"]


# The mark of a planned failover whose run was killed

MARKED = """
import sys
from haproxy_ha_host import units
from haproxy_ha_host.cluster import handover
units.running = lambda unit: True
handover.Mark.named(sys.argv[1]).put(handover.value(60))
assert sys.argv[1] not in map(str, handover.stray())
"""
TIDIED = """
from haproxy_ha_host import units
from haproxy_ha_host.cluster import handover
units.running = lambda unit: True
print(*map(str, handover.stray()))
for mark in handover.stray():
    mark.take()
assert handover.stray() == []
"""


def test_the_mark_of_a_killed_failover_is_found_in_the_clusters_own_store_and_goes(live):
    def run(code, *arguments):
        environment = f"PYTHONPATH={REPOSITORY / '_utils'}"
        return live["n1"].run("env", environment, sys.executable, "-c", code, *arguments).stdout

    run(MARKED, "n1")
    run(MARKED, "n2:haproxy_ha-handover-FloatIP-web")
    assert sorted(run(TIDIED).split()) == ["n1", "n2:haproxy_ha-handover-FloatIP-web"]
    assert run(TIDIED) == "\n"


UPGRADES = ("/usr/bin/python3", "-BIS", str(REPOSITORY / "haproxy_ha" / "files" / "agents" / "upgrades.py"))


def ask_to_stop(node):
    """What apt asks on a node before it stops Pacemaker there."""
    asking = subprocess.Popen(node.command(*UPGRADES, "wait"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    asking.stdin.write("/var/cache/apt/archives/pacemaker_2_amd64.deb\n")
    asking.stdin.close()
    return asking


def test_of_two_that_ask_at_once_one_may_stop_and_the_other_one_after_it(live):
    for _ in range(5):
        asking = {name: ask_to_stop(node) for name, node in live.items()}
        [first] = two_nodes.wait_for("one that may stop", functools.partial(may_stop, asking))
        [other] = set(asking) - {first}
        shown = live[other].run("attrd_updater", "--name", "haproxy_ha-upgrading", "--all", "--query").stdout
        assert f'host="{first}" value="1' in shown
        assert asking[other].poll() is None
        live[first].run(*UPGRADES, "done")
        assert asking[other].wait(30) == 0
        live[other].run(*UPGRADES, "done")


def may_stop(asking):
    """Who was told so."""
    return [name for name, process in asking.items() if process.poll() == 0]


README = (REPOSITORY / "extension" / "saltext-pacemaker" / "README.md").read_text(encoding="utf-8")
WALKED = {
    heading: (re.findall(r"```yaml\n(.*?)```", text, re.DOTALL), re.findall(r"^    (crm .+)$", text, re.MULTILINE))
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
}
"""The README of the engine's extension: the SLS and the crm commands below each heading."""
STAND_IN = """\
#!/bin/sh
[ "$1" != meta-data ] || exec {own} "$@"
exec /usr/lib/ocf/resource.d/pacemaker/{acts_as} "$@"
"""


@pytest.fixture
def without_daemons(live, tmp_path):
    """Agents that have nothing to manage here: they describe themselves, and do what test agents of Pacemaker do."""
    kept = {}
    for name, acts_as in (("Filesystem", "Dummy"), ("pgsql", "Dummy"), ("redis", "Stateful")):
        path = Path("/usr/lib/ocf/resource.d/heartbeat", name)
        kept[path] = path.read_bytes()
        own = tmp_path / name
        own.write_bytes(kept[path])
        own.chmod(0o755)
        path.write_text(STAND_IN.format(own=own, acts_as=acts_as), encoding="utf-8")
    yield
    empty(live)
    for path, content in kept.items():
        path.write_bytes(content)


def applied(minion, tmp_path, sls):
    """An SLS twice, dry and live: what the live ones said first."""
    (tmp_path / "own.sls").write_text(sls, encoding="utf-8")
    [dry], [live], *again = ([*minion("state.apply", "own", *options).values()] for options in
                             (("test=True",), (), ("test=True",), ()))  # fmt: skip
    assert (dry["result"], live["result"], live["changes"]) == (None, True, dry["changes"]), (dry, live)
    assert [(state["result"], state["changes"]) for [state] in again] == [(True, {})] * 2
    return live["comment"]


def placed(live):
    """Where each resource runs, as crm_mon says."""
    text = live["n1"].run("crm_mon", "--one-shot", "--inactive").stdout
    return dict(re.findall(r"\* (\S+)\s+\(ocf:\S+\):\s+(.+)", text)), text


@pytest.mark.slow
@pytest.mark.usefixtures("without_daemons")
def test_readmes_database_runs_with_its_address_on_one_node(live, minion, tmp_path):
    applied(minion, tmp_path, BASE_STATE)
    [sls], _ = WALKED["A database with a virtual IP"]
    applied(minion, tmp_path, sls)
    found, _ = placed(live)
    assert len({found[name] for name in ("storage", "server", "address")}) == 1
    (tmp_path / "own.sls").write_text(sls.replace("cidr_netmask: 24", "cidr_netmask: 25"), encoding="utf-8")
    [refused] = minion("state.apply", "own", check=False).values()
    assert (refused["result"], refused["changes"]) == (False, {}) and "database: nothing" in refused["comment"]


@pytest.mark.slow
@pytest.mark.usefixtures("without_daemons")
def test_readmes_promotable_resource_has_the_address_where_it_is_promoted(live, minion, tmp_path):
    applied(minion, tmp_path, BASE_STATE)
    [sls], _ = WALKED["A promotable resource"]
    applied(minion, tmp_path, sls)
    found, text = placed(live)
    promoted = re.search(r"(?:Promoted|Masters): \[ (\S+) \]", text)[1]
    assert found["redis-address"] == f"Started {promoted}"
    assert re.search(r"(?:Unpromoted|Slaves): \[ n[12] \]", text)


@pytest.mark.slow
def test_readmes_cluster_that_is_there_is_adopted_without_a_change(live, minion, tmp_path):
    applied(minion, tmp_path, BASE_STATE)
    [sls], commands = WALKED["A cluster that is there already"]
    for command in commands:
        live["n1"].run(*command.split())
    live.call("settle")
    before = epoch(live)
    exported = yaml.safe_load(minion("pacemaker.export", out="yaml"))["local"]
    (tmp_path / "pillar" / "own.sls").write_text(yaml.safe_dump({"web_cluster": exported}), encoding="utf-8")
    (tmp_path / "own.sls").write_text(sls, encoding="utf-8")
    for options in (("test=True",), ()):
        [state] = minion("state.apply", "own", *options).values()
        assert (state["result"], state["changes"], epoch(live)) == (True, {}, before), state


BASE_STATE = "no fencing in a test:\n  pacemaker.property_present: [{name: stonith-enabled, value: false}]\n"
