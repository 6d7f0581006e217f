"""Which commands the cluster is told by: the one runner of the product is replaced."""

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands
from haproxy_ha_host.cluster import membership, operate
from haproxy_ha_lib.cluster import addresses, objects, standing
from saltext.pacemaker.errors import NoEnd
from support.told import minion

NODE = {"online": True, "standby": False, "expected_up": True}
RESOURCE = {"active": True, "failed": False, "blocked": False, "managed": True, "target_role": None}


class Runner:
    """Every command, in place of ``commands.run``; answers: {a word of the command: (exit code, output)}."""

    def __init__(self, **answers):
        self.ran, self.answers = [], answers

    def __call__(self, argv, timeout=60, env=None):
        self.ran.append(" ".join(argv))
        return next((answer for word, answer in self.answers.items() if word in self.ran[-1]), (0, ""))


@pytest.fixture(autouse=True)
def remembered(monkeypatch):
    """Who has left, and is remembered by this machine alone."""
    monkeypatch.setattr(membership.reading, "remembered", lambda machine: ["tertiary"])


@pytest.fixture
def runner(monkeypatch):
    def replace(**answers):
        runner = Runner(**answers)
        monkeypatch.setattr(commands, "run", runner)
        monkeypatch.setattr(operate.units, "running", lambda unit: True)
        return runner

    return replace


def status(address="primary"):
    return {
        "dc": "primary", "quorum": True, "maintenance": False, "stopped": False, "failures": [],
        "nodes": {name: dict(NODE) for name in ("primary", "secondary")},
        "resources": {
            "haproxy": {**RESOURCE, "nodes": ["primary", "secondary"], "in": ["haproxy-clone"]},
            "FloatIP": {**RESOURCE, "nodes": [address], "in": []},
        },
    }  # fmt: skip


def on(answers=(), agents=(), running=True):
    """The load balancer ``primary`` of a cluster; answers: what its status is, one after the other."""
    following = iter(answers)
    functions = {
        "pacemaker.running": lambda: running,
        "pacemaker.node_name": lambda: "primary",
        "pacemaker.nodes_with": lambda provider: list(agents),
        "pacemaker.status": lambda: next(following, status()),
        "pacemaker.foreign": lambda wanted, purge: {},
    }
    return minion(functions=functions)


@pytest.mark.parametrize("agents, running, output, told", [
    ((), True, "", 1),
    (("primary",), True, "", 0),
    ((), True, 'name="x" host="primary" value="1"', 0),
    ((), False, "", 0),
])  # fmt: skip
def test_the_agents_are_told_of_once_where_the_cluster_cannot_know(runner, agents, running, output, told):
    ran = runner(**{"--query": (0, output)}).ran
    membership.mark_agents(on(agents=agents, running=running))
    assert [command for command in ran if "--update" in command] == [
        f"attrd_updater --name={objects.AGENTS_ATTRIBUTE} --update=1"
    ] * told


def test_a_node_is_ready_that_has_answered_or_was_told_of(runner):
    runner(**{"--query": (0, 'host="primary" value="1"')})
    assert membership.find_obstacles(on(), 0) == {"twins": [], "unready": ["secondary"]}
    assert membership.find_obstacles(on(agents=["secondary"]), 0)["unready"] == []
    runner(**{"--query": (6, "no such attribute")})
    assert membership.find_obstacles(on(agents=["secondary"]), 0)["unready"] == ["primary"]


def test_a_failover_marks_the_others_and_takes_every_mark_away(runner):
    ran = runner().ran
    moved = operate.failover(on([status(), status("primary"), status("secondary")]), None, 5)
    assert moved == {"old": "primary", "new": "secondary"}
    told = [command.split()[2:] for command in ran if command.startswith("attrd_updater") and "--query" not in command]
    assert [words[0].partition("=")[0] for words in told] == ["--delete", "--update", "--delete"]
    assert [words[1] for words in told] == ["--node=secondary", "--node=primary", "--node=primary"]


@pytest.fixture
def programs(monkeypatch):
    monkeypatch.setattr(commands, "program", lambda name: f"/usr/sbin/{name}")


def test_nothing_is_moved_to_a_node_that_is_about_to_be_maintained(runner, programs):
    ran = runner(**{"--query": (0, 'name="x" host="secondary" value="live_migrate"')}).ran
    with pytest.raises(CommandExecutionError, match="maintenance of secondary is announced"):
        operate.failover(on(), "secondary", 5)
    with pytest.raises(CommandExecutionError, match="no other node runs HAProxy"):
        operate.failover(on(), None, 5)
    assert not [command for command in ran if "--update" in command]


def test_what_is_announced_is_told(runner, programs):
    runner(**{"--query": (0, 'name="x" host="secondary" value="live_migrate"')})
    assert operate.status(on())["notes"][0].startswith("maintenance of secondary is announced (live_migrate): ")


def test_a_failover_in_vain_takes_its_marks_away_too(runner):
    ran = runner().ran
    with pytest.raises(CommandExecutionError, match="after 0 s the floating IP is not on secondary, but on primary"):
        operate.failover(on(), "secondary", 0)
    assert ran[-1] == f"attrd_updater --name={addresses.HANDOVER_ATTRIBUTE} --delete --node=primary"


def test_who_has_left_and_is_remembered_here_alone_is_to_be_forgotten(monkeypatch):
    found = membership.absent(on(), ["primary", "secondary"], 120)
    assert found["missing"] == ""
    nodes = {name: {"remote": False, **node} for name, node in found["nodes"].items()}
    assert standing.departed(["primary", "secondary"], nodes) == {"tertiary": {"old": "offline", "new": None}}


def test_a_controller_that_does_not_answer_is_told_in_salt_s_words(monkeypatch):
    """Whoever waits for the cluster goes on with that, and a dry run says it."""

    def late(machine):
        raise NoEnd("crm_node did not end within 60 s")

    monkeypatch.setattr(membership.reading, "remembered", late)
    with pytest.raises(CommandExecutionError, match="crm_node did not end within 60 s"):
        membership.absent(on(), ["primary", "secondary"], 120)
    found = membership.join(on(), ["primary", "secondary"], 0)
    assert found["missing"] == "crm_node did not end within 60 s"


def test_who_never_answered_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(membership.net, "answers", lambda address, timeout: False)
    alone = status()
    del alone["nodes"]["secondary"]
    found = membership.absent(on([alone]), ["primary", "secondary"], 120)
    assert (found["seconds"], found["absent"]) == (0, ["secondary is absent: its machine does not answer"])
