"""Alerts of a real Pacemaker, left by the alert agent and made events of: each once."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from haproxy_ha_host import events
from haproxy_ha_lib.cluster import objects
from support import REPOSITORY, cluster_changes, two_nodes
from support.place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image")

CALL = ("python3", str(REPOSITORY / "test/support/engine_calls.py"))
SPOOL = events.SPOOL
SEND = f"""
import json, sys
sys.path[:0] = ["{REPOSITORY}/_utils"]
from types import SimpleNamespace
from salt.exceptions import CommandExecutionError
from haproxy_ha_host import events
settings = SimpleNamespace(moving=[SimpleNamespace(resource="FloatIP", address="192.0.2.9")])
taken = sys.argv[1] == "taken"
minion = SimpleNamespace(salt={{"event.send": lambda tag, data: taken}}, readable_settings=lambda: settings)
try:
    print(json.dumps([[one["tag"].partition("/")[2], one["data"]] for one in events.send(minion)]))
except CommandExecutionError as problem:
    print(json.dumps(str(problem)))
"""
ADDRESS = {"agent": cluster_changes.DUMMY, "operations": [{"name": "monitor", "interval": "1s"}]}
CONFIGURATION = {
    "properties": {"stonith-enabled": False, "no-quorum-policy": "ignore"},
    "resource_defaults": {"resource-stickiness": 100},
    "primitives": {"FloatIP": ADDRESS},
    "alerts": {"events": {"path": objects.ALERT, "select": objects.TOLD}},
}


@pytest.fixture(scope="module")
def nodes():
    """Two nodes with the alert agent; the second has the address."""
    path = Path(objects.ALERT)
    path.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "haproxy_ha/files/agents" / path.name, path)
    path.chmod(0o755)
    for folder in (SPOOL, "/var/lib/haproxy_ha"):
        os.makedirs(folder, exist_ok=True)
    found = two_nodes.start()
    for node in found.values():
        node.run("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", "/var/lib/haproxy_ha")
        node.run("mount", "-t", "tmpfs", "-o", "mode=0700,uid=hacluster,gid=haclient", "tmpfs", SPOOL)
    asked = [["apply", {"desired": CONFIGURATION}], ["settle", {}], ["standby", {"node": "n1"}], ["settle", {}],
             ["online", {"node": "n1"}], ["settle", {}]]  # fmt: skip
    found["n1"].run(*CALL, input=json.dumps(asked))
    for node in found.values():
        sent(node)
    yield found
    two_nodes.stop(found)


def sent(node, master="taken"):
    """What a node sends, or why it does not."""
    return json.loads(node.run("/opt/salt/bin/python3", "-c", SEND, master).stdout)


def awaited(node, name):
    """What it sends until an event of this name is among it."""
    said = []

    def come():
        said.extend(sent(node))
        return name in [one for one, _ in said]

    two_nodes.wait_for(name, come, 30)
    return dict(said)


def test_a_planned_move_is_one_failover_of_the_node_that_serves_now(nodes):
    nodes["n1"].run("crm_standby", "--node", "n2", "--update", "on")
    said = awaited(nodes["n1"], "failover")
    assert {"from": "n2", "to": "n1", "address": "192.0.2.9"}.items() <= said.pop("failover").items()
    assert (said, sent(nodes["n2"])) == ({}, [])
    nodes["n1"].run("crm_standby", "--node", "n2", "--delete")


def test_what_fails_and_is_well_again(nodes):
    nodes["n1"].run("rm", "/run/Dummy-FloatIP.state")
    said = awaited(nodes["n1"], "recovered")
    ill = {"node": "n1", "resource": "FloatIP", "task": "monitor"}
    assert ill.items() <= said["failed"].items()
    assert {"node": "n1", "resource": "FloatIP", "was": "failed"}.items() <= said["recovered"].items()
    assert set(said) == {"failed", "recovered"}


def test_a_lost_node_and_its_return_are_told_once_by_who_was_left(nodes):
    nodes["n1"].freeze()
    said = awaited(nodes["n2"], "failover")
    assert {"node": "n1", "planned": False, "told_by": "n2"}.items() <= said["node/lost"].items()
    assert {"from": "n1", "to": "n2"}.items() <= said["failover"].items()
    nodes["n1"].freeze(False)
    assert awaited(nodes["n2"], "node/returned")["node/returned"]["node"] == "n1"


def test_maintenance_is_told_by_one_node_once_when_it_is_announced_and_when_it_is_over(nodes):
    for node in nodes.values():
        sent(node)
    tell = ("attrd_updater", f"--name={objects.MAINTENANCE_ATTRIBUTE}", "--node=n1")
    said = []

    def come(name):
        said.extend(one for node in nodes.values() for one in sent(node))
        return name in [tag for tag, _ in said]

    nodes["n1"].run(*tell, "--delete")  # nothing was told, and nothing is over
    for _ in range(3):
        nodes["n1"].run(*tell, "--update=live_migrate")
    two_nodes.wait_for("announced", lambda: come("maintenance/announced"), 30)
    nodes["n1"].run(*tell, "--delete")
    two_nodes.wait_for("over", lambda: come("maintenance/over"), 30)
    assert [tag for tag, _ in said] == ["maintenance/announced", "maintenance/over"]
    assert {"node": "n1", "what": "live_migrate"}.items() <= said[0][1].items()


def left(node):
    return node.run("ls", SPOOL).stdout.split()


def holder(nodes):
    """The one node that has the address."""

    def found():
        said = nodes["n2"].run("crm_resource", "--resource", "FloatIP", "--locate", check=False).stdout
        names = re.findall(r"is running on: (n[12])", said)
        return names if len(names) == 1 else None

    return nodes[two_nodes.wait_for("the address", found)[0]]


def test_what_the_master_does_not_take_stays_and_is_sent_later(nodes):
    node = holder(nodes)
    [other] = {"n1", "n2"} - {name for name, one in nodes.items() if one is node}
    # What has failed may be started anywhere; here it is to be well again where it was.
    node.run(*CALL, input=json.dumps([["standby", {"node": other}], ["settle", {}]]))
    sent(node)
    node.run("rm", "/run/Dummy-FloatIP.state")
    two_nodes.wait_for("lines", lambda: len(left(node)) >= 3)
    assert sent(node, "away") == f"the master does not take haproxy_ha/failed; it stays in {SPOOL}"
    assert len(left(node)) >= 3
    assert list(awaited(node, "recovered")) == ["failed", "recovered"]
    two_nodes.wait_for("nothing left", lambda: sent(node) == [] and left(node) == [])
    node.run(*CALL, input=json.dumps([["online", {"node": other}], ["settle", {}]]))


def test_what_others_put_there_is_not_read(nodes):
    """A link, another's file and a FIFO say nothing, and go."""
    line = "1\\tnode\\tn1\\tlost\\t\\t\\t\\t\\t"
    put = (f"cd {SPOOL} && printf '{line}' > /run/secret && ln -s /run/secret 1 && cp /run/secret 2 && mkfifo 3"
           " && chown hacluster 3 && mkdir 4")  # fmt: skip
    nodes["n2"].run("sh", "-ec", put)
    assert sent(nodes["n2"]) == []
    assert left(nodes["n2"]) == []
    nodes["n2"].run("test", "-e", "/run/secret")


def test_a_spool_that_is_full_takes_nothing_more(nodes):
    fill = f"cd {SPOOL} && i=0; while [ $i -lt 1000 ]; do : > f$i; i=$((i+1)); done"
    nodes["n2"].run("sh", "-ec", fill)
    nodes["n2"].run("runuser", "-u", "hacluster", "--", "env", "CRM_alert_timestamp_epoch=1", objects.ALERT)
    assert len(left(nodes["n2"])) == 1000
    nodes["n2"].run("sh", "-ec", f"rm {SPOOL}/f*")
    nodes["n2"].run("runuser", "-u", "hacluster", "--", "env", "CRM_alert_timestamp_epoch=1", objects.ALERT)
    [name] = left(nodes["n2"])
    assert nodes["n2"].run("stat", "--format=%a %U", f"{SPOOL}/{name}").stdout.split() == ["600", "hacluster"]


def test_what_is_left_while_pacemaker_does_not_run_waits_for_it(nodes):
    node = nodes["n2"]
    waiting = left(node)
    node.run("pkill", "-KILL", "pacemakerd")
    node.run("pkill", "-KILL", "pacemaker-")
    assert sent(node).startswith("what the cluster has told waits for Pacemaker: ")
    assert left(node) == waiting
