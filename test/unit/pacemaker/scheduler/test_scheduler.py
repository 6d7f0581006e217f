"""What the scheduler would do, and how much that is."""

import pytest

from saltext.pacemaker.scheduler import limits, simulation
from saltext.pacemaker.status import resources

SIMULATED = """<pacemaker-result><cluster_status><nodes>
<node name="n1" online="true" standby="false" pending="false" type="member"/>
<node name="n2" online="false" standby="false" pending="false" type="member"/>
<node name="n3" online="true" standby="false" pending="true" type="member"/></nodes><resources>
<resource id="ip" resource_agent="ocf:a:b" role="Started" active="true" blocked="false" managed="true" failed="false"
 nodes_running_on="1"><node name="n1"/></resource>
<clone id="webs"><resource id="web" role="Started" active="true" managed="true" failed="false" target_role="Started">
<node name="n1"/></resource><resource id="web" role="Stopped" active="false" managed="true" failed="false"/></clone>
</resources></cluster_status><actions>
<node_action task="Fence (reboot)" node="g1 (resource: box)" reason="gone"/>
<rsc_action action="move" resource="ip" source="n1" dest="n2"/>
<rsc_action action="promote" resource="db:0" role="Unpromoted" next-role="Promoted" dest="n1"/>
<rsc_action action="restart" resource="db:1" source="n2" role="Started" reason="params"/>
<rsc_action action="stop" resource="old" node="n1" reason="no quorum" blocked="true"/></actions></pacemaker-result>"""


def test_the_schedulers_words_are_kept():
    status, actions = simulation.parse(SIMULATED)
    assert actions == {
        "resources": {
            "ip": [{"action": "move", "source": "n1", "dest": "n2"}],
            "db:0": [{"action": "promote", "role": "Unpromoted", "next-role": "Promoted", "node": "n1"}],
            "db:1": [{"action": "restart", "node": "n2", "role": "Started", "reason": "params"}],
            "old": [{"action": "stop", "node": "n1", "reason": "no quorum", "blocked": True}],
        },
        "nodes": {"g1": [{"action": "fence", "task": "Fence (reboot)", "reason": "gone"}]},
    }
    assert simulation.sentences(actions) == [
        "fence (reboot) g1",
        "move ip from n1 to n2",
        "promote db:0 on n1",
        "restart db:1 on n2",
        "stop old on n1 (blocked)",
    ]
    assert [one["in"] for one in status["resources"]] == [[], ["webs"], ["webs"]]
    assert "old" not in simulation.executable(actions)["resources"]


@pytest.mark.parametrize("text", ["", "nonsense"])
@pytest.mark.parametrize("read", [simulation.parse, simulation.probes])
def test_what_is_no_output_of_the_scheduler_is_refused(read, text):
    with pytest.raises(ValueError, match="crm_simulate"):
        read(text)


def test_what_pacemaker_has_still_to_look_for_is_in_its_graph():
    operations = (("web:0_monitor_0", "n1"), ("ip_monitor_0", "n2"), ("ip_monitor_10000", "n1"), ("ip_start_0", "n1"))
    graph = "".join(f'<rsc_op operation_key="{key}" on_node="{node}"/>' for key, node in operations)
    assert simulation.probes(f"<transition_graph>{graph}</transition_graph>") == {("web", "n1"), ("ip", "n2")}


def test_what_was_pending_anyway_is_not_blamed_on_the_change():
    move = {"action": "move", "source": "n1", "dest": "n2"}
    start = {"action": "start", "node": "n1"}
    current = {"resources": {"a": [{**move, "reason": "before"}], "b": [start]}}
    proposed = {"resources": {"a": [{**move, "reason": "after"}], "b": [start, start], "c": [move]}}
    assert simulation.difference(proposed, current) == {"resources": {"b": [start], "c": [move]}}
    assert simulation.difference(current, current) == {}


SCALE = [
    ("start", "nothing", "reload"),
    ("reload", "reload", "nothing"),
    ("restart", "restart", "reload"),
    ("recover", "restart", "reload"),
    ("promote", "demote", "reload"),
    ("re-promote", "restart", "reload"),
    ("move", "move", "restart"),
    ("migrate", "move", "restart"),
    ("stop", "stop", "move"),
    ("fence", "any", "stop"),
    ("something new", "any", "stop"),
]


@pytest.mark.parametrize(("action", "allows", "below"), SCALE)
def test_the_scale_of_disruption(action, allows, below):
    actions = {"resources": {"x": [{"action": action, "node": "n1"}]}}
    assert limits.too_much(actions, allows) == []
    assert limits.too_much(actions, "any") == []
    if action != "start":
        assert limits.too_much(actions, below) == [f"{action} x on n1"]


def test_the_scale_may_differ_by_resource():
    actions = {"resources": {"x:0": [{"action": "stop", "node": "n"}], "y": [{"action": "stop", "node": "n"}]}}
    assert limits.too_much(actions, {"x": "stop", "default": "nothing"}) == ["stop y on n"]
    assert limits.too_much(actions, {"x": "nothing"}) == ["stop x:0 on n"]


@pytest.mark.parametrize(
    ("allowed", "worse"),
    [
        ({"c": "nothing"}, ["stop x:0 on n"]),
        ({"c": "nothing", "default": "stop"}, ["stop x:0 on n"]),
        ({"c": "stop", "default": "nothing"}, []),
        ({"c": "nothing", "g": "stop"}, []),
        ({"c": "stop", "g": "nothing"}, ["stop x:0 on n"]),
        ({"g": "nothing", "x": "stop"}, []),
        ({"x": "nothing", "x:0": "stop"}, []),
    ],
)
def test_the_scale_may_differ_by_what_a_resource_is_in(allowed, worse):
    actions = {"resources": {"x:0": [{"action": "stop", "node": "n"}]}}
    assert limits.too_much(actions, allowed, {"x": ("c", "g")}) == worse


def test_what_a_resource_is_in_is_known_from_the_status():
    assert resources.containers(simulation.parse(SIMULATED)[0]) == {"ip": (), "web": ("webs",)}


@pytest.mark.parametrize("degree", ["lots", None, 3, {"x": "lots"}])
def test_an_unknown_degree_is_refused(degree):
    with pytest.raises(ValueError, match="max_disruption"):
        limits.too_much({}, degree)


def test_what_arrives_at_a_node_is_what_starts_there_or_moves_there():
    found = simulation.arrivals(simulation.parse(SIMULATED)[1])
    assert found == {("ip", "n2"), ("db", "n1")}
