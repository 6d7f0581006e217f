"""Who is in a real cluster: as the agents count it, and as Pacemaker remembers it."""

import json
import sys

import pytest

from support import REPOSITORY, two_nodes
from support.place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="starts daemons: only in the lab's image")

CALLS = ("python3", str(REPOSITORY / "test/support/engine_calls.py"))
AGENTS = str(REPOSITORY / "haproxy_ha" / "files" / "agents")
MEMBERS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import cluster
print(json.dumps(cluster.members(5)))
"""
REMEMBERED = f"""
import json, sys
sys.path.insert(0, "{REPOSITORY}/_utils")
from saltext.pacemaker.live import machine, reading
print(json.dumps(reading.remembered(machine.HERE)))
"""


@pytest.fixture(scope="module")
def nodes():
    found = two_nodes.start()
    yield found
    two_nodes.stop(found)


@pytest.fixture
def node(nodes):
    """The first one, while the cluster has lost the second."""
    yield nodes["n1"]
    nodes["n2"].freeze(False)
    two_nodes.wait_for("the return", lambda: counted(nodes["n1"]) == [["n1", "member"], ["n2", "member"]], 30)
    two_nodes.wait_for("Pacemaker", lambda: call(nodes["n1"], "status")["nodes"].get("n2", {}).get("online"), 60)


def counted(node):
    return json.loads(node.run(sys.executable, "-c", MEMBERS, AGENTS).stdout)


def remembered(node):
    return json.loads(node.run(sys.executable, "-c", REMEMBERED).stdout)


def call(where, function, **arguments):
    [answer] = json.loads(where.run(*CALLS, input=json.dumps([[function, arguments]])).stdout)
    return answer


def test_the_agents_count_the_nodes_of_corosync_s_list(nodes, node):
    assert counted(node) == [["n1", "member"], ["n2", "member"]]
    nodes["n2"].freeze()
    two_nodes.wait_for("a loss", lambda: counted(node) == [["n1", "member"], ["n2", "lost"]], 30)


def test_a_node_that_has_left_is_forgotten_by_this_machine_too(nodes, node):
    """It would bring it back as soon as it is the DC."""
    assert remembered(node) == []
    nodes["n2"].freeze()
    two_nodes.wait_for("a loss", lambda: remembered(node) == ["n2"], 30)
    assert call(node, "forget", node="n2") is True
    assert (remembered(node), call(node, "forget", node="n2")) == ([], False)
    assert "n2" not in call(node, "status")["nodes"]
