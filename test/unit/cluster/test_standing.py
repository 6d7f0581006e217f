"""How a cluster stands, in words: switches and what ends them, failures and whether they are over, whom to wait for."""

import copy

import pytest

from haproxy_ha_lib.cluster import standing

NODE = {"online": True, "standby": False, "standby_onfail": False, "maintenance": False, "pending": False,
        "expected_up": True}  # fmt: skip
RESOURCE = {"role": "Started", "active": True, "failed": False, "blocked": False, "managed": True, "target_role": None}
WELL = {
    "dc": "primary", "quorum": True, "maintenance": False, "stopped": False,
    "nodes": {"primary": dict(NODE), "secondary": dict(NODE)},
    "resources": {
        "haproxy": {**RESOURCE, "nodes": ["primary", "secondary"], "in": ["haproxy-clone"]},
        "FloatIP": {**RESOURCE, "nodes": ["primary"], "in": []},
    },
    "failures": [],
}  # fmt: skip
FAILURE = {"resource": "FloatIP", "operation": "start", "node": "primary", "status": "error", "reason": "HTTP 422",
           "time": "2026-11-29 00:21:58Z", "over": False}  # fmt: skip


def but(**paths):
    """The cluster that is well, but for what stands at these paths (a__b__c=value)."""
    status = copy.deepcopy(WELL)
    for path, value in paths.items():
        *above, key = path.split("__")
        branch = status
        for step in above:
            branch = branch[step]
        branch[key] = value
    return status


def several(**paths):
    """The same with two floating IPs of pillar's ``floating_ips``, one on each node."""
    status = but()
    del status["resources"]["FloatIP"]
    for name, node in (("web", "primary"), ("mail", "secondary")):
        status["resources"][f"FloatIP-{name}"] = {**RESOURCE, "nodes": [node], "in": []}
    for path, value in paths.items():
        _, name, key = path.split("__")
        status["resources"][name][key] = value
    return status


def test_a_cluster_that_is_well_has_nothing_to_say():
    assert standing.overview(WELL, "primary", True) == {
        "active": ["primary"], "addresses": {"FloatIP": ["primary"]}, "haproxy": ["primary", "secondary"],
        "offline": [], "standby": [], "maintenance": [], "failures": [], "notes": [],
    }  # fmt: skip
    assert standing.off(WELL, "primary") == standing.unattended(WELL, "primary") == []


STANDBY = {"nodes__primary__standby": True, "resources__haproxy__nodes": ["secondary"],
           "resources__FloatIP__nodes": ["secondary"]}  # fmt: skip
SWITCHES = {
    "standby": (STANDBY, "primary is in standby and runs nothing", "pacemaker.online primary"),
    "after a failure": ({"nodes__primary__standby_onfail": True}, "primary is in standby after",
                        "cleanup node=primary"),
    "all maintained": ({"maintenance": True, "resources__haproxy__managed": False,
                        "resources__FloatIP__managed": False},
                       "the cluster is in maintenance", "pacemaker.maintenance False"),
    "one maintained": ({"nodes__primary__maintenance": True, "resources__haproxy__managed": False},
                       "primary is in maintenance", "pacemaker.maintenance False node=primary"),
    "one unmanaged": ({"resources__haproxy__managed": False}, "haproxy-clone is not managed",
                      "crm resource manage haproxy-clone"),
    "one stopped": ({"resources__haproxy__target_role": "stopped", "resources__haproxy__active": False},
                    "haproxy-clone is stopped on purpose", "crm resource start haproxy-clone"),
    "all stopped": ({"stopped": True}, "everything is stopped on purpose", "stop-all-resources=false"),
}  # fmt: skip


@pytest.mark.parametrize("case", SWITCHES)
def test_what_an_operator_has_set_is_said_once_with_what_ends_it(case):
    changes, said, ends = SWITCHES[case]
    [text] = standing.switches(but(**changes))
    assert said in text and ends in text
    assert text in standing.overview(but(**changes), "primary", None)["notes"]


@pytest.mark.parametrize("case", SWITCHES)
def test_haproxy_is_off_by_will_only_where_it_is(case):
    status = but(**SWITCHES[case][0])
    off, unattended = (bool(ask(status, "primary")) for ask in (standing.off, standing.unattended))
    assert off is (case in ("standby", "after a failure", "one stopped", "all stopped"))
    assert unattended is (case in ("all maintained", "one maintained", "one unmanaged"))
    elsewhere = bool(standing.off(status, "secondary") + standing.unattended(status, "secondary"))
    assert elsewhere is (case not in ("standby", "after a failure", "one maintained"))


def test_an_address_that_will_not_move_by_itself_is_known():
    assert not standing.addresses_rest(WELL)
    assert standing.addresses_rest(but(resources__FloatIP__managed=False))
    assert standing.addresses_rest(but(resources__FloatIP__active=False))
    assert standing.addresses_rest(but(resources={}))
    assert not standing.addresses_rest(several(**{"resources__FloatIP-web__managed": False}))


def test_in_maintenance_it_counts_whether_the_service_runs():
    """Pacemaker does not look, and says what was so before."""
    seen = standing.overview(but(maintenance=True), "primary", runs_here=False)
    assert (seen["active"], seen["haproxy"], seen["maintenance"]) == (["primary"], ["secondary"], ["the cluster"])
    assert any("primary has the floating IP and no HAProxy" in note for note in seen["notes"])


def test_a_failed_start_holds_no_address():
    status = but(resources__FloatIP__failed=True, failures=[FAILURE])
    seen = standing.overview(status, "primary", True)
    assert seen["active"] == []
    assert "the floating IP is on no node: clients are not served" in seen["notes"]
    assert "failed: start of FloatIP on primary at 2026-11-29 00:21:58Z: HTTP 422" in seen["notes"]


def test_what_serves_and_is_not_well_is_degraded():
    less = {**FAILURE, "operation": "monitor", "status": "OCF_DEGRADED", "reason": "no server is up in app_pool"}
    [note] = standing.overview(but(failures=[less]), "primary", True)["notes"]
    assert note.startswith("degraded: monitor of FloatIP on primary") and note.endswith("no server is up in app_pool")


def test_failures_that_are_over_are_one_note_and_what_forgets_them():
    failures = [{**FAILURE, "over": True, "time": f"2026-11-29 00:2{minute}:00Z"} for minute in range(9)]
    [note] = standing.overview(but(failures=failures), "primary", True)["notes"]
    assert note.startswith("9 failures are over and only remembered, the latest: start of FloatIP on primary at 2026")
    assert "00:28:00Z" in note and "pacemaker.cleanup" in note


def test_what_does_not_run_is_said():
    status = but(nodes__secondary__online=False, resources__haproxy__nodes=["primary"])
    assert [note.partition(":")[0] for note in standing.overview(status, "primary", True)["notes"]] == [
        "secondary is offline"
    ]
    status = but(resources__haproxy__nodes=["primary"])
    [note] = standing.overview(status, "primary", True)["notes"]
    assert note.startswith("HAProxy does not run on secondary")
    [note] = standing.overview(but(resources__haproxy__blocked=True), "primary", True)["notes"]
    assert note.startswith("haproxy is blocked")
    assert len(standing.overview(but(dc=None, quorum=False), "primary", True)["notes"]) == 2


# Whom to wait for


def found(status, answers, nodes=("primary", "secondary")):
    return standing.absent(status, nodes, lambda name, known: answers)


LOST = {"nodes__secondary__online": False}
LEFT = {**LOST, "nodes__secondary__expected_up": False}
UNKNOWN = {"nodes": {"primary": NODE}}
WAITS = [
    ("was there, and its machine is off", LOST, None, 600, 0),
    ("was there, and nobody has its address", LOST, False, 5, 0),
    ("was there, and its machine boots", LOST, True, 600, 120),
    ("its cluster was stopped", LEFT, True, 600, 10),
    ("it was shut down", LEFT, None, 600, 0),
    ("first bring-up", UNKNOWN, True, 5, 120),
    ("first bring-up behind a firewall", UNKNOWN, None, 5, 115),
    ("never came", UNKNOWN, None, 600, 0),
    ("never seen, and nobody has its address", UNKNOWN, False, 5, 0),
]


@pytest.mark.parametrize(("changes", "answers", "up", "seconds"), [case[1:] for case in WAITS],
                         ids=[case[0] for case in WAITS])  # fmt: skip
def test_nobody_is_waited_for_who_will_not_come(changes, answers, up, seconds):
    [one] = found(but(**changes), answers)
    assert one.patience(120, up) == seconds
    assert one.patience(0, up) == 0
    assert str(one).startswith("secondary is absent: ")
    assert all(way in standing.remedy([one]) for way in ("secondary", "expected_timeout: 0", "haproxy_ha.clean"))


def test_who_is_online_or_joining_is_not_absent():
    assert found(WELL, None) == []
    joining = but(nodes__secondary__online=False, nodes__secondary__pending=True)
    assert found(joining, None) == []
    assert standing.missing(joining, ["primary", "secondary"], []) == "joining: secondary"
    assert standing.missing(WELL, ["primary", "secondary"], []) == ""
    assert standing.missing(but(dc=None, quorum=False), [], []) == "there is no DC; there is no quorum"


def test_a_cluster_that_begins_knows_nobody_and_this_node_is_there():
    """Pacemaker lists the nodes that Corosync has, as if they had left in good order."""
    begins = but(dc=None, quorum=False)
    begins["nodes"] = {name: {**NODE, "online": False, "expected_up": False} for name in WELL["nodes"]}
    [one] = standing.absent(begins, ["primary", "secondary"], lambda name, known: True, "primary")
    assert (one.name, one.known, one.left, one.patience(120, 1)) == ("secondary", False, False, 120)
    assert "joining: primary" in standing.missing(begins, ["primary", "secondary"], [one])


MOVES = {
    "to the other one": ({}, None, ("primary", "secondary", "")),
    "by name": ({}, "secondary", ("primary", "secondary", "")),
    "where it is": ({}, "primary", ("primary", "primary", "")),
    "an unknown node": ({}, "tertiary", ("primary", "tertiary", "to: found 'tertiary', allowed: secondary")),
    "nobody else": ({"resources__haproxy__nodes": ["primary"]}, None,
                    ("primary", None, "no other node runs HAProxy: the floating IP stays on primary")),
    "one in standby": ({"nodes__secondary__standby": True}, None,
                       ("primary", None, "no other node runs HAProxy: the floating IP stays on primary")),
    "one that is nowhere": ({"resources__FloatIP__nodes": []}, None,
                            (None, None, "the floating IP stays on no node: haproxy_ha.status says more")),
}


@pytest.mark.parametrize("case", MOVES)
def test_the_floating_ip_moves_to_a_node_that_runs_haproxy(case):
    changes, to, move = MOVES[case]
    status = but(**changes)
    assert standing.plan_move(status, standing.overview(status), to)[:3] == move
    [planned] = standing.plan_moves(status, standing.overview(status), to, None)
    assert planned[:3] == move


def test_an_address_that_rests_is_not_moved_and_what_holds_it_is_said():
    status = but(maintenance=True, resources__FloatIP__managed=False)
    refusal = standing.plan_move(status, standing.overview(status)).refusal
    assert refusal.startswith("the floating IP stays on primary: the cluster is in maintenance")


def test_each_of_several_addresses_is_looked_at():
    seen = standing.overview(several())
    assert (seen["active"], seen["notes"]) == (["primary", "secondary"], [])
    assert seen["addresses"] == {"FloatIP-mail": ["secondary"], "FloatIP-web": ["primary"]}
    gone = standing.overview(several(**{"resources__FloatIP-web__nodes": []}))
    assert gone["notes"] == ["the floating IP web is on no node: clients are not served"]


def moved(to, name, status=None):
    """What is planned, for people."""
    status = status or several()
    moves = standing.plan_moves(status, standing.overview(status), to, name)
    return [move.refusal or f"{standing.named(move.resource)}: {move.old} to {move.new}" for move in moves]


def test_of_several_one_moves_or_all_to_one_node():
    assert moved(None, "web") == ["web: primary to secondary"]
    assert moved("primary", "mail") == ["mail: secondary to primary"]
    assert moved("primary", None) == ["mail: secondary to primary", "web: primary to primary"]
    [text] = moved(None, None)
    assert text.startswith("to: missing, since the floating IPs are on primary, secondary")
    assert moved(None, "webb") == ["address: found 'webb', allowed: mail, web"]
    together = several(**{"resources__FloatIP-mail__nodes": ["primary"]})
    assert moved(None, None, together) == ["mail: primary to secondary", "web: primary to secondary"]


def test_they_are_spread_to_where_they_prefer_to_be():
    together = several(**{"resources__FloatIP-mail__nodes": ["primary"]})
    preferences = {"FloatIP-web": "primary", "FloatIP-mail": "secondary"}
    [move] = standing.plan_spread(together, standing.overview(together), preferences)
    assert move == ("primary", "secondary", "", "FloatIP-mail")
    alone = copy.deepcopy(together)
    alone["resources"]["haproxy"]["nodes"] = ["primary"]
    [move] = standing.plan_spread(alone, standing.overview(alone), preferences)
    assert move.refusal.startswith("to: found 'secondary', allowed: ")
    assert standing.plan_spread(several(), standing.overview(several()), preferences) == []


def test_a_machine_without_a_cluster_is_told_what_it_is():
    assert standing.without_cluster(["load_balancer"]).startswith("there is no cluster here yet")
    assert standing.without_cluster(["app_server"]).endswith("this minion is: app server")
    assert standing.without_cluster([]).endswith("this minion is: none of haproxy_ha")


def test_many_texts_are_shortened_to_some_and_a_count():
    assert standing.some(["x"] * 5) == ["x"] * 5
    assert standing.some(map(str, range(300))) == ["0", "1", "2", "3", "4", "... and 295 more"]
