"""What the status of a cluster says of its nodes and resources."""

import xml.etree.ElementTree as ET

import pytest

from saltext.pacemaker.scheduler import simulation
from saltext.pacemaker.status import health, history, summary

CIB = ET.fromstring("""<cib><status><node_state uname="n1" expected="member"><transient_attributes>
<instance_attributes><nvpair name="fail-count-web#start_0" value="INFINITY"/><nvpair name="fail-count-ip" value="0"/>
<nvpair name="pingd" value="1"/></instance_attributes></transient_attributes></node_state>
<node_state uname="n2" expected="down"/></status></cib>""")


def test_fail_counts_are_read_from_the_status():
    assert history.fail_counts(CIB) == {("web", "n1"): "INFINITY"}


UP = 'in_ccm="true" crmd="online" join="member"'
STATES = [
    (UP, [], []),
    ('in_ccm="1700000000" crmd="1700000009" join="member"', [], []),
    ("", ["n1"], []),
    ('in_ccm="false" crmd="offline" join="down" expected="member"', ["n1"], []),
    ('in_ccm="false" crmd="offline" join="down" expected="down"', [], []),
    ('in_ccm="1700000000" crmd="0" join="member" expected="member"', ["n1"], []),
    ('in_ccm="true" crmd="online" join="pending"', ["n1"], ["n1"]),
]


@pytest.mark.parametrize(("state", "absent", "pending"), STATES)
def test_a_node_is_absent_unless_it_was_shut_down(state, absent, pending):
    cib = ET.fromstring(f"""<cib><configuration><nodes><node uname="n1"/><node uname="n2" type="remote"/></nodes>
    </configuration><status><node_state uname="n1" {state}/></status></cib>""")
    assert history.absent_nodes(cib) == absent
    assert history.absent_nodes(cib, ["n9"]) == sorted([*absent, "n9"])
    assert history.pending_nodes(cib) == pending


def entry(operation, status="0", key="1", at=100, interval="0"):
    """An entry of a resource's history."""
    words = {"operation": operation, "op-status": status, "transition-key": key, "last-rc-change": str(at)}
    return ET.tostring(ET.Element("lrm_rsc_op", {**words, "interval": interval}), encoding="unicode")


def with_history(node, state, operations):
    history = f'<lrm><lrm_resources><lrm_resource id="c:0">{operations}</lrm_resource></lrm_resources></lrm>'
    return ET.fromstring(f'<cib><status><node_state uname="{node}" {state}>{history}</node_state></status></cib>')


STARTING = entry("start", "-1")
MONITORING = entry("monitor", "-1", "2", interval="10000")
FOUND_START, FOUND_MONITOR = (f"finish the {name} of c on n1" for name in ("start", "monitor"))


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        (STARTING, [FOUND_START]),
        (entry("start"), []),
        (entry("start") + MONITORING, [FOUND_MONITOR]),
        # Its own failure, a stop, and what was done afterwards: the monitor is over.
        (MONITORING + entry("monitor", key="2", interval="10000"), []),
        (MONITORING + entry("monitor", key="0", interval="10000"), [FOUND_MONITOR]),
        (MONITORING + entry("stop", key="3"), []),
        (MONITORING + entry("start", key="3", at=101), []),
        (MONITORING + entry("start", "-1", "3", at=101), [FOUND_MONITOR, FOUND_START]),
    ],
)
def test_what_is_under_way_is_named_until_it_is_over(operations, found):
    assert history.under_way(with_history("n1", UP, operations)) == found


def test_a_probe_is_a_monitor_without_interval():
    operations = (entry("monitor", "-1"), entry("monitor"), STARTING, MONITORING)
    cibs = [with_history("n1", UP, operation) for operation in operations]
    assert [history.probes_under_way(cib) for cib in cibs] == [{("c", "n1")}, set(), set(), set()]


@pytest.mark.parametrize(
    ("node", "state", "found"),
    [
        ("n1", 'in_ccm="false" crmd="offline"', []),
        ("n1", 'in_ccm="1700000000" crmd="0"', []),
        ("r1", 'remote_node="true" in_ccm="true"', ["finish the start of c on r1"]),
    ],
)
def test_a_node_that_is_down_carries_out_nothing(node, state, found):
    assert history.under_way(with_history(node, state, STARTING)) == found


def instance(name="x", **changes):
    return {"id": name, "in": [], "role": "Started", "target_role": None, "nodes": ["n1"], "active": True,
            "managed": True, "failed": False, "blocked": False, **changes}  # fmt: skip


NODES = {"n1": {"online": True}, "n2": {"online": True}, "n3": {"online": True, "standby": True}}
DOWN = {"active": False, "nodes": [], "role": "Stopped"}
JUDGED = [
    ([instance()], {}, []),
    ([], {}, ["x runs nowhere"]),
    ([instance(**DOWN)], {}, ["x runs nowhere"]),
    ([instance(**DOWN, target_role="Stopped")], {}, []),
    ([instance(failed=True)], {}, ["x has failed on n1"]),
    ([instance(failed=True, failure_ignored=True)], {}, []),
    ([instance(blocked=True)], {}, ["x is blocked on n1"]),
    ([instance(nodes=["n1", "n2"])], {}, ["x is active on several nodes: n1, n2"]),
    ([instance()], {("x", "n2"): "INFINITY"}, []),
    ([instance(), instance(**DOWN)], {("x", "n2"): "3"}, ["x does not run on n2, its fail count there is 3"]),
    ([instance(), instance(**DOWN)], {("x", "n3"): "3"}, []),
    ([instance(in_=[])], {("y", "n2"): "3"}, []),
]


@pytest.mark.parametrize(("instances", "counts", "expected"), JUDGED)
def test_what_is_wrong_with_a_resource(instances, counts, expected):
    assert health.problems({"nodes": NODES, "resources": instances}, counts, ["x"]) == expected


def test_a_resource_that_the_cluster_is_about_to_act_on_is_not_judged():
    status = {"nodes": NODES, "resources": [instance(**DOWN)]}
    actions = {"resources": {"x:0": [{"action": "start", "node": "n1"}]}}
    assert health.problems(status, {}, ["x"], busy=simulation.busy(actions)) == []
    blocked = {"resources": {"x": [{"action": "start", "node": "n1", "blocked": True}]}}
    assert health.problems(status, {}, ["x"], busy=simulation.busy(blocked)) == ["x runs nowhere"]


def test_what_is_wrong_comes_with_what_the_agent_said_on_that_node():
    failures = [
        {"resource": "x:0", "node": "n2", "operation": "start", "status": "error", "reason": "no such file"},
        {"resource": "x:0", "node": "n1", "operation": "start", "status": "error", "reason": ""},
    ]
    status = {"nodes": NODES, "resources": [instance("x:0"), instance("x:1", **DOWN)]}
    assert health.problems(status, {("x", "n2"): "1"}, ["x"], failures) == [
        "x does not run on n2, its fail count there is 1 [start on n2: error, no such file]"
    ]


def test_what_operators_did_is_told():
    status = {"nodes": NODES, "resources": [instance(managed=False), instance("y", target_role="Stopped")]}
    assert health.deliberate(status, ["x", "y"]) == ["x is not managed", "y is stopped on purpose (target-role)"]
    assert health.deliberate(status, ["z"]) == []


MON = """<pacemaker-result><summary><current_dc present="true" name="n1" with_quorum="true"/></summary><nodes>
<node name="n1" online="true" pending="false" expected_up="true"/><node name="n2" online="false" expected_up="true"/>
</nodes><resources><clone id="c"><resource id="w" role="Unpromoted" active="true" managed="true" failed="false">
<node name="n1"/></resource><resource id="w" role="Promoted" active="true" managed="false" failed="true">
<node name="n2"/></resource></clone></resources>
<failures><failure op_key="w_start_0" node="n2" exitstatus="error" exitreason="the servers&amp;apos; states"
 task="start"/></failures></pacemaker-result>"""


def test_the_state_of_a_cluster():
    state = summary.summary(ET.fromstring(MON))
    assert (state["dc"], state["quorum"], state["nodes"]["n2"]["online"]) == ("n1", True, False)
    assert state["resources"]["w"] == {
        "role": "Promoted", "active": True, "failed": True, "blocked": False, "managed": False, "nodes": ["n1", "n2"],
        "in": ["c"], "target_role": None,
    }  # fmt: skip
    assert state["failures"] == [
        {"resource": "w", "operation": "start", "node": "n2", "status": "error", "reason": "the servers' states",
         "time": "", "over": False}
    ]  # fmt: skip
    assert (state["maintenance"], state["stopped"]) == (False, False)
    assert summary.missing(state) == "absent: n2"
    assert summary.missing(state, ["n1"]) == ""
    assert summary.missing({**state, "dc": None, "quorum": False}, ["n1"]) == "there is no DC; there is no quorum"


FAILED = """<pacemaker-result><summary><cluster_options maintenance-mode="true" stop-all-resources="true"/></summary>
<resources><resource id="f" orphaned="false"/><resource id="gone" orphaned="true"/><clone id="c">
<resource id="h" orphaned="false"/></clone></resources><node_history><node name="n1">{history}</node></node_history>
<failures><failure op_key="{resource}_{task}" node="n1" call="15" exitstatus="error" exitcode="{code}" task="start"
 last-rc-change="2026-11-29 00:21:58Z"/></failures></pacemaker-result>"""
HISTORY = '<resource_history id="{resource}">{operations}</resource_history>'
OPERATION = '<operation_history call="{}" task="{}" rc="{}"/>'


@pytest.mark.parametrize(
    ("resource", "operations", "over"),
    [
        ("f", [(15, "start", 1)], False),
        ("f", [(15, "start", 1), (17, "start", 0)], True),
        ("f", [(12, "start", 0), (15, "start", 1)], False),
        ("f", [(15, "start", 1), (16, "stop", 0)], False),  # taken away after it, which mends nothing
        ("h", [(12, "start", 0), (15, "monitor", 190)], False),  # degraded, still
        ("h", [(12, "start", 0), (15, "monitor", 0), (15, "monitor", 190)], False),  # as it was before, and is
        ("h", [(12, "start", 0), (15, "monitor", 190), (15, "monitor", 0)], True),  # and no more
        ("h", [(15, "monitor", 190), (16, "stop", 0)], True),  # it does not run there any more
        ("gone", [(15, "start", 1)], True),
        ("nowhere", [], True),
    ],
)
def test_a_failure_is_over_once_its_resource_is_well_there_again_or_gone(resource, operations, over):
    done = "".join(OPERATION.format(*one) for one in operations)
    history = HISTORY.format(resource=resource, operations=done)
    code = max((code for _, _, code in operations), default=1)
    failed = FAILED.format(resource=resource, task="start_0", code=code, history=history)
    state = summary.summary(ET.fromstring(failed))
    assert [(one["time"], one["over"]) for one in state["failures"]] == [("2026-11-29 00:21:58Z", over)]
    assert (state["maintenance"], state["stopped"]) == (True, True)


def ran(resource, *operations):
    """The history of a resource on a node: (operation, its interval, its exit code)."""
    done = "".join(
        f'<lrm_rsc_op id="{resource}-{number}" operation="{name}" interval="{interval}" rc-code="{code}"'
        f' exit-reason="{"no file" if code == 5 else ""}"/>'
        for number, (name, interval, code) in enumerate(operations)
    )
    return f'<lrm_resource id="{resource}" class="ocf" provider="own" type="agent">{done}</lrm_resource>'


PROBED = ET.fromstring(
    '<cib><status><node_state uname="n1" in_ccm="true" crmd="online" join="member"><lrm><lrm_resources>'
    + ran("a", ("monitor", "0", 7), ("start", "0", 0))
    + ran("b", ("monitor", "0", 1), ("monitor", "10000", 5), ("start", "0", 5))
    + '</lrm_resources></lrm></node_state><node_state uname="n2" in_ccm="true" crmd="online" join="member"><lrm>'
    + "<lrm_resources>"
    + ran("a", ("monitor", "0", 5))
    + ran("c:1", ("monitor", "0", 2), ("stop", "0", 0))
    + "</lrm_resources></lrm></node_state></status></cib>"
)


def test_probes_that_keep_a_resource_off_a_node_are_found_and_can_be_left_out():
    assert history.failed_probes(PROBED) == {
        ("a", "n2"): "the probe by ocf:own:agent gave not installed (no file)",
        ("c", "n2"): "the probe by ocf:own:agent gave invalid parameter",
    }
    without = history.unprobed(PROBED)
    assert history.failed_probes(without) == {}
    assert len(list(PROBED.iter("lrm_rsc_op"))) == len(list(without.iter("lrm_rsc_op"))) + 2


def test_a_node_alone_is_one_without_the_others():
    there = {state.get("uname"): state.get("crmd") for state in history.alone(PROBED, "n2").iter("node_state")}
    assert there == {"n1": "offline", "n2": "online"}


STARTED = """<cib cib-last-written="Sun Nov 29 14:09:26 2026" update-user="root" update-origin="n1"><status>
<node_state uname="n1"><lrm><lrm_resources><lrm_resource id="lb:0">
<lrm_rsc_op operation="monitor" interval="0" rc-code="0" last-rc-change="10"/>
<lrm_rsc_op operation="stop" interval="0" rc-code="0" last-rc-change="20"/>
<lrm_rsc_op operation="start" interval="0" rc-code="0" last-rc-change="30"/>
<lrm_rsc_op operation="monitor" interval="5000" rc-code="0" last-rc-change="40"/>
</lrm_resource><lrm_resource id="ip"><lrm_rsc_op operation="start" interval="0" rc-code="1" last-rc-change="50"/>
</lrm_resource></lrm_resources></lrm></node_state>
<node_state uname="n2"><lrm><lrm_resources><lrm_resource id="lb">
<lrm_rsc_op operation="monitor" interval="0" rc-code="0" last-rc-change="60"/>
</lrm_resource></lrm_resources></lrm></node_state></status></cib>"""


def test_since_when_a_resource_runs_on_a_node_is_told_by_what_started_it_or_found_it():
    assert history.starts(ET.fromstring(STARTED)) == {("lb", "n1"): 30, ("lb", "n2"): 60}


def test_who_wrote_the_configuration_last_is_told_in_pacemakers_words():
    assert history.last_written(ET.fromstring(STARTED)) == "Sun Nov 29 14:09:26 2026 by root on n1"
    assert history.last_written(ET.fromstring("<cib/>")) == ""
