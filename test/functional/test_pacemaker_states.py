"""The states of the Pacemaker engine on a cluster that is a file."""

import copy
import re
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

from saltext.pacemaker.errors import NoEnd
from saltext.pacemaker.live import commit, reading
from support.cibs import SYSTEM
from support.cibs import TWO_NODES as CIB
from support.place import requires_tools
from support.saved_cluster import machine_of

pytestmark = requires_tools("crm_simulate", "crm_verify", "crm_diff", "cibadmin", "crm_mon")

DUMMY = copy.deepcopy(SYSTEM)
for _primitive in DUMMY["primitives"].values():
    _primitive["agent"] = "ocf:pacemaker:Dummy"
    _primitive.pop("params", None)


@pytest.fixture
def cluster(tmp_path):
    path = tmp_path / "cib.xml"
    path.write_text(CIB, encoding="utf-8")
    with machine_of(path) as cluster:
        yield cluster


def configured(cluster, configuration=DUMMY, **options):
    return cluster.states.configured("haproxy_ha", configuration, **{"timeout": 5, **options})


def test_the_first_run_changes_and_the_second_does_not(cluster):
    first = configured(cluster)
    assert first["result"] is True, first
    assert "start FloatIP on n1" in first["comment"]
    cluster.commands.clear()
    second = configured(cluster)
    assert (second["result"], second["changes"]) == (True, {})
    assert len(cluster.commands) <= 3


def test_a_dry_run_tells_the_same_and_writes_nothing(cluster):
    cluster.test()
    predicted = configured(cluster)
    assert (predicted["result"], cluster.text()) == (None, CIB)
    cluster.test(False)
    assert configured(cluster)["changes"] == predicted["changes"]
    cluster.test()
    again = configured(cluster)
    assert (again["result"], again["changes"]) == (True, {})


def test_the_digest_of_a_dry_run_binds_the_live_run(cluster):
    cluster.test()
    digest = configured(cluster)["comment"].split("Digest of this plan: ")[1].split(".")[0]
    cluster.test(False)
    wrong = configured(cluster, expect="0" * 16)
    assert (wrong["result"], wrong["changes"], cluster.text()) == (False, {}, CIB)
    assert configured(cluster, expect=digest)["result"] is True


def test_a_change_of_somebody_else_in_between_is_kept(cluster):
    def somebody():
        cluster.run("crm_attribute", "--type", "crm_config", "--name", "cluster-delay", "--update", "70s")

    cluster.before_patch.append(somebody)
    assert configured(cluster)["result"] is True
    assert (cluster.count("crm_diff"), cluster.count("crm_verify")) == (2, 1)
    assert cluster.module.export()["properties"]["cluster-delay"] == "70s"
    assert configured(cluster)["changes"] == {}


@pytest.mark.parametrize(("delay", "waits"), [(None, [0.0]), ("30ms", [0.03]), ("1h", [2.0])])
def test_a_commit_waits_as_long_as_the_cluster_does_before_it_reacts(cluster, delay, waits):
    slept = []
    cluster.sleep = slept.append
    given = {} if delay is None else {"transition-delay": delay}
    properties = {"properties": {**DUMMY["properties"], **given}}
    cluster.module.apply({**DUMMY, **properties})
    assert slept == waits


def lose_node_two(cluster):
    """The cluster notices that n2 is gone: its state changes, the configuration does not."""
    text = cluster.text()
    version = int(text.split('num_updates="')[1].split('"')[0])
    text = text.replace(f'num_updates="{version}"', f'num_updates="{version + 1}"', 1)
    found = 'uname="n2" in_ccm="true" crmd="online"'
    assert found in text
    Path(cluster.path).write_text(text.replace(found, 'uname="n2" in_ccm="false" crmd="offline"'), encoding="utf-8")


def test_a_node_that_is_lost_between_reading_and_writing_stops_the_commit(cluster):
    cluster.before_patch.append(lambda: lose_node_two(cluster))
    ret = configured(cluster, timeout=0)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "absent: n2" in ret["comment"]
    assert "primitives" not in cluster.module.export()


def fail_one(cluster):
    """A resource fails at the moment; only the status changes."""
    subprocess.run(
        ["crm_simulate", "-Q", "-X", "-i", "haproxy_monitor_10000@n1=7", "-x", cluster.path], check=False, timeout=60,
        capture_output=True,
    )  # fmt: skip


def test_a_race_with_status_alone_is_offered_again_without_a_new_plan(cluster):
    configured(cluster)
    changed = {**DUMMY, "resource_defaults": {"resource-stickiness": 7}}
    cluster.commands.clear()
    cluster.before_patch.append(lambda: fail_one(cluster))
    assert "resource_default resource-stickiness" in configured(cluster, changed, timeout=0)["changes"]
    assert (cluster.count("crm_diff"), cluster.count("crm_verify")) == (1, 1)
    assert cluster.count("cibadmin") == 5  # read, refused, read, written, and read to see it settled


def test_a_patch_for_any_status_is_one_for_this_configuration_only(cluster):
    configured(cluster)
    text = cluster.text()
    after = reading.document(text.replace('value="100"', 'value="7"'))
    after.bump()
    patch = commit.patch(cluster, text, after.text())
    fail_one(cluster)
    assert commit.send(cluster, patch) == 103
    assert commit.send(cluster, commit.for_any_status(patch)) == 0
    assert cluster.module.export()["resource_defaults"] == {"resource-stickiness": "7"}
    assert commit.send(cluster, commit.for_any_status(patch)) == 103


def test_a_plan_whose_effects_are_bound_is_made_anew_in_such_a_race(cluster):
    configured(cluster)
    changed = {**DUMMY, "resource_defaults": {"resource-stickiness": 7}}
    cluster.commands.clear()
    cluster.before_patch.append(lambda: fail_one(cluster))
    assert configured(cluster, changed, timeout=0, max_disruption="nothing")["changes"]
    assert (cluster.count("crm_diff"), cluster.count("crm_verify")) == (2, 2)


def unanswered(cluster, code, written, monkeypatch):
    """Let the next patch end as if the cluster had not answered, with or without having been written."""
    run = cluster.run

    def answer(*command, **options):
        if command[:2] != ("cibadmin", "--patch"):
            return run(*command, **options)
        if written:
            assert run(*command, **options)[0] == 0
        cluster.run = run
        if code is None:
            raise NoEnd("cibadmin did not end within 60 s")
        return code, "", ""

    cluster.run = answer
    monkeypatch.setattr(commit, "UNCONFIRMED_SECONDS", 0.1)


@pytest.mark.parametrize("code", [124, 102, None])
def test_a_change_that_is_not_confirmed_is_looked_for(cluster, code, monkeypatch):
    unanswered(cluster, code, True, monkeypatch)
    ret = configured(cluster)
    assert ret["result"] is True, ret
    assert "primitive FloatIP" in ret["changes"]
    assert configured(cluster)["changes"] == {}


@pytest.mark.parametrize("code", [124, None])
def test_a_change_that_is_neither_confirmed_nor_there_is_not_called_unwritten(cluster, code, monkeypatch):
    unanswered(cluster, code, False, monkeypatch)
    ret = configured(cluster)
    assert ret["result"] is False
    assert "sent and not confirmed" in ret["comment"]
    assert "may still arrive" in ret["comment"]
    assert "Nothing was written" not in ret["comment"]


def test_when_others_always_come_first_the_error_is_honest_and_nothing_is_written(cluster, monkeypatch):
    numbers = iter(range(1000))

    def somebody():
        cluster.before_patch.append(somebody)
        number = next(numbers)
        cluster.run("crm_attribute", "--type", "crm_config", "--name", "x", "--update", str(number))

    cluster.sleep = lambda seconds: None
    monkeypatch.setattr(commit, "ATTEMPTS", 3)
    cluster.before_patch.append(somebody)
    ret = configured(cluster, expected_nodes=["n1"])
    assert ret["result"] is False
    assert "3 times others changed the configuration" in ret["comment"]
    assert "primitives" not in cluster.module.export()


@pytest.mark.parametrize(
    ("found", "instead", "reason"),
    [
        ('uname="n2" in_ccm="true" crmd="online"', 'uname="n2" in_ccm="false" crmd="offline"', "absent: n2"),
        ('uname="n2" in_ccm="true" crmd="online" join="member"', 'uname="n2" in_ccm="true" crmd="online" join="down"',
         "still joining: n2"),
        ('have-quorum="1"', 'have-quorum="0"', "no quorum"),
        (' dc-uuid="1"', "", "no DC"),
    ],
)
def test_an_incomplete_cluster_takes_no_commit(cluster, found, instead, reason):
    Path(cluster.path).write_text(CIB.replace(found, instead), encoding="utf-8")
    before = cluster.text()
    ret = configured(cluster, timeout=0)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert reason in ret["comment"]
    assert cluster.text() == before
    cluster.test()
    assert configured(cluster)["result"] is None


def test_a_node_that_was_shut_down_in_good_order_is_not_missed(cluster):
    left = 'uname="n2" in_ccm="false" crmd="offline" join="down" expected="down"'
    found = 'uname="n2" in_ccm="true" crmd="online" join="member" expected="member"'
    Path(cluster.path).write_text(CIB.replace(found, left), encoding="utf-8")
    assert configured(cluster)["result"] is True


def test_an_expected_node_that_the_cluster_does_not_know_is_named(cluster):
    ret = configured(cluster, expected_nodes=["n1", "n2", "n3"], timeout=0)
    assert ret["result"] is False
    assert "absent: n3" in ret["comment"]


def test_a_partition_may_be_allowed(cluster):
    found = 'uname="n2" in_ccm="true" crmd="online"'
    Path(cluster.path).write_text(CIB.replace(found, 'uname="n2" in_ccm="false" crmd="offline"'), encoding="utf-8")
    options = {**DUMMY, "properties": {**DUMMY["properties"], "startup-fencing": False}}
    assert configured(cluster, options, allow_partition=True)["changes"]


def test_an_agent_is_asked_once_however_many_resources_it_has(cluster):
    data = {"primitives": {f"r{number}": {"agent": "ocf:pacemaker:Dummy"} for number in range(9)}}
    cluster.module.plan(data)
    assert cluster.count("crm_resource") == 1


def test_an_agent_that_is_not_installed_is_named_and_nothing_is_written(cluster):
    ret = configured(cluster, SYSTEM)
    assert (ret["result"], cluster.text()) == (False, CIB)
    assert "the agent ocf:haproxy_ha:floatip of FloatIP is not installed" in ret["comment"]
    cluster.test()
    assert configured(cluster, SYSTEM)["result"] is None


@pytest.mark.parametrize(
    ("params", "reason"),
    [({}, "x: the agent ocf:heartbeat:IPaddr2 needs the parameter ip"),
     ({"ip": "192.0.2.1", "nik": "lo"}, "x: the agent ocf:heartbeat:IPaddr2 has no parameter nik, did you mean nic?")],
)  # fmt: skip
def test_params_that_the_agent_does_not_take_or_misses_are_named(cluster, params, reason):
    ret = configured(cluster, {"primitives": {"x": {"agent": "ocf:heartbeat:IPaddr2", "params": params}}})
    assert (ret["result"], ret["changes"], cluster.text()) == (False, {}, CIB)
    assert reason in ret["comment"]


def test_what_is_dropped_is_stopped_and_gone(cluster):
    configured(cluster)
    rest = {"properties": DUMMY["properties"]}
    ret = configured(cluster, rest)
    assert ret["result"] is True
    assert "stop FloatIP on n1" in ret["comment"]
    assert cluster.module.export() == {"properties": {"no-quorum-policy": "stop", "stonith-enabled": "false"}}


def test_what_would_leave_resources_running_is_refused(cluster):
    configured(cluster)
    ret = configured(cluster, {})
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "would be left running: FloatIP, haproxy" in ret["comment"]


def test_a_resource_that_is_down_is_no_success(cluster):
    configured(cluster)
    subprocess.run(
        ["crm_simulate", "-Q", "-X", "-i", "FloatIP_monitor_10000@n1=7", "-F", "FloatIP_start_0@n1=1", "-F",
         "FloatIP_start_0@n2=1", "-x", cluster.path],
        check=False, timeout=60,
    )  # fmt: skip
    ret = configured(cluster, timeout=0)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "FloatIP" in ret["comment"]
    cluster.test()
    assert configured(cluster, timeout=0) == ret


def test_what_is_under_way_is_waited_for(cluster):
    """The scheduler takes a start that has begun for done."""
    configured(cluster)
    start = r'(<lrm_rsc_op id="FloatIP_[^>]*operation="start"[^>]* op-status=)"0"'
    begun, count = re.subn(start, r'\1"-1"', cluster.text())
    assert count == 1
    Path(cluster.path).write_text(begun, encoding="utf-8")
    ret = configured(cluster, timeout=0)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert "still has to finish the start of FloatIP on n1" in ret["comment"]


def test_a_dry_run_does_not_promise_what_failures_keep_down(cluster):
    configured(cluster)
    fail_everywhere(cluster, "FloatIP")
    cluster.test()
    changed = {**DUMMY, "resource_defaults": {"resource-stickiness": 7}}
    predicted = configured(cluster, changed, timeout=0)
    assert (predicted["result"], list(predicted["changes"])) == (False, ["resource_default resource-stickiness"])
    assert "FloatIP" in predicted["comment"]
    cluster.test(False)
    live = configured(cluster, changed, timeout=0)
    assert (live["result"], live["changes"]) == (False, predicted["changes"])


def fail_everywhere(cluster, resource):
    """Both nodes have counted failures to start a resource until they gave up."""
    text = cluster.text()
    for number in (1, 2):
        pair = f'<nvpair id="f{number}" name="fail-count-{resource}#start_0" value="INFINITY"/>'
        attributes = f'<transient_attributes id="{number}"><instance_attributes id="i{number}">{pair}'
        text = text.replace(
            f'<lrm id="{number}"', f'{attributes}</instance_attributes></transient_attributes><lrm id="{number}"'
        )
    assert text.count("fail-count") == 2
    Path(cluster.path).write_text(text, encoding="utf-8")
    cluster.sleep()


def test_a_dry_run_does_not_promise_a_resource_that_may_run_nowhere(cluster):
    nowhere = {f"l{node}": {"resource": "FloatIP", "node": f"n{node}", "score": "-INFINITY"} for node in (1, 2)}
    data = {**DUMMY, "locations": nowhere}
    cluster.test()
    predicted = configured(cluster, data)
    assert predicted["result"] is None  # what else starts may set an attribute that a rule waits for
    assert "The change itself does not mend this: FloatIP runs nowhere" in predicted["comment"]
    cluster.test(False)
    assert configured(cluster, data)["result"] is False


def test_what_an_operator_stopped_is_told_and_no_failure(cluster):
    configured(cluster)
    stop = ("--meta", "--set-parameter", "target-role", "--parameter-value", "Stopped")
    cluster.run("crm_resource", "--resource", "FloatIP", *stop)
    cluster.sleep()
    ret = configured(cluster)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert "FloatIP is stopped on purpose" in ret["comment"]


SINGLE = [
    ("property", "cluster-delay", {"value": "70s"}, {"properties": {"cluster-delay": "70s"}}),
    ("resource_default", "priority", {"value": 5}, {"resource_defaults": {"priority": "5"}}),
    ("operation_default", "timeout", {"value": "30s"}, {"operation_defaults": {"timeout": "30s"}}),
    ("node_attribute", "rack", {"node": "n1", "value": 3}, {"node_attributes": {"n1": {"rack": "3"}}}),
    ("node_utilization", "cpu", {"node": "n2", "value": 8}, {"utilization": {"n2": {"cpu": "8"}}}),
    ("primitive", "x", {"agent": "ocf:pacemaker:Dummy"}, {"primitives": {"x": {"agent": "ocf:pacemaker:Dummy"}}}),
    ("template", "t", {"agent": "ocf:pacemaker:Dummy"}, {"templates": {"t": {"agent": "ocf:pacemaker:Dummy"}}}),
    ("group", "g", {"members": ["a", "b"]}, {"groups": {"g": {"members": ["a", "b"]}}}),
    ("clone", "c", {"resource": "a", "meta": {"notify": True}},
     {"clones": {"c": {"resource": "a", "meta": {"notify": "true"}}}}),
    ("bundle", "bu", {"docker": {"image": "i:1"}}, {"bundles": {"bu": {"docker": {"image": "i:1"}}}}),
    ("location", "l", {"resource": "a", "node": "n1", "score": 5},
     {"locations": {"l": {"resource": "a", "node": "n1", "score": "5"}}}),
    ("colocation", "co", {"resource": "a", "with": "b", "score": "INFINITY"},
     {"colocations": {"co": {"resource": "a", "with": "b", "score": "INFINITY"}}}),
    ("order", "o", {"first": "a", "then": "b", "first-action": "start"},
     {"orders": {"o": {"first": "a", "then": "b", "first-action": "start"}}}),
    ("ticket", "k", {"ticket": "site", "resource": "a"}, {"tickets": {"k": {"ticket": "site", "resource": "a"}}}),
    ("fencing_level", "f", {"target": "n1", "index": 1, "devices": ["a"]},
     {"fencing_levels": {"f": {"target": "n1", "index": "1", "devices": ["a"]}}}),
    ("alert", "al", {"path": "/bin/true"}, {"alerts": {"al": {"path": "/bin/true"}}}),
    ("acl_role", "r", {"permissions": [{"kind": "read", "xpath": "/cib"}]},
     {"acls": {"roles": {"r": {"permissions": [{"kind": "read", "xpath": "/cib"}]}}}}),
    ("acl_target", "alice", {"roles": ["reader"]}, {"acls": {"targets": {"alice": {"roles": ["reader"]}}}}),
    ("acl_group", "ops", {"roles": ["reader"]}, {"acls": {"groups": {"ops": {"roles": ["reader"]}}}}),
    ("tag", "tg", {"members": ["a"]}, {"tags": {"tg": ["a"]}}),
]  # fmt: skip


def test_the_list_of_single_states_is_whole(cluster):
    named = {f"{thing}_{outcome}" for thing, *_ in SINGLE for outcome in ("present", "absent")}
    assert named == {name for name in dir(cluster.states) if name.endswith(("_present", "_absent"))}


def contains(data, part):
    """Whether data has all that part has."""
    if not isinstance(part, dict):
        return data == part
    return isinstance(data, dict) and all(key in data and contains(data[key], one) for key, one in part.items())


@pytest.fixture(scope="module")
def populated(tmp_path_factory):
    """The CIB of a cluster that has what single objects refer to."""
    path = tmp_path_factory.mktemp("populated") / "cib.xml"
    path.write_text(CIB, encoding="utf-8")
    base = {
        "properties": {"stonith-enabled": False},
        "primitives": {one: {"agent": "ocf:pacemaker:Dummy"} for one in ("a", "b")},
        "acls": {"roles": {"reader": {"permissions": [{"kind": "read", "xpath": "/cib"}]}}},
    }
    with machine_of(path) as cluster:
        assert cluster.states.configured("base", base, timeout=5)["result"] is True
        return cluster.text()


@pytest.mark.parametrize(("thing", "name", "arguments", "exported"), SINGLE, ids=[one[0] for one in SINGLE])
def test_every_kind_has_a_state_that_makes_one_and_one_that_removes_it(
    cluster, populated, thing, name, arguments, exported
):
    Path(cluster.path).write_text(populated, encoding="utf-8")
    before = cluster.module.export()
    present = getattr(cluster.states, f"{thing}_present")
    absent = getattr(cluster.states, f"{thing}_absent")
    where = {"node": arguments["node"]} if thing.startswith("node_") else {}
    cluster.test()
    assert present(name, timeout=5, **arguments)["result"] is None
    assert cluster.module.export() == before
    cluster.test(False)
    made = present(name, timeout=5, **arguments)
    assert len(made["changes"]) == 1, made
    after = cluster.module.export()
    assert contains(after, exported)
    assert after != before
    assert present(name, timeout=5, __id__="x", **arguments)["changes"] == {}
    assert list(absent(name, timeout=5, **where)["changes"]) == list(made["changes"])
    assert cluster.module.export() == before
    assert absent(name, timeout=5, **where)["changes"] == {}


def test_a_single_state_leaves_the_owners_other_objects(cluster):
    cluster.states.property_present("cluster-delay", value="70s")
    cluster.states.property_present("dc-deadtime", value="21s")
    cluster.states.property_absent("dc-deadtime")
    assert cluster.module.export() == {"properties": {"cluster-delay": "70s"}}


def test_a_dry_run_of_a_state_whose_resource_an_earlier_state_makes(cluster):
    cluster.test()
    ret = cluster.states.colocation_present("c", **{"resource": "new", "with": "other"})
    assert ret["result"] is None
    assert ret["changes"] == {"colocation c": {"old": None, "new": {"resource": "new", "with": "other"}}}
    cluster.test(False)
    assert cluster.states.colocation_present("c", **{"resource": "new", "with": "other"})["result"] is False


@pytest.mark.parametrize(
    ("state", "arguments", "what"),
    [("acl_target_present", {"roles": ["reader"]}, "acl_target x"),
     ("acl_group_present", {"roles": ["reader"]}, "acl_group x"),
     ("clone_present", {"resource": "new"}, "clone x")],
)  # fmt: skip
def test_a_dry_run_of_what_refers_to_what_is_not_there_yet_is_no_success(cluster, state, arguments, what):
    cluster.test()
    predicted = getattr(cluster.states, state)("x", **arguments)
    assert (predicted["result"], list(predicted["changes"])) == (None, [what])
    assert "would be refused if this still holds" in predicted["comment"]
    cluster.test(False)
    ret = getattr(cluster.states, state)("x", **arguments)
    assert (ret["result"], ret["changes"], cluster.text()) == (False, {}, CIB)


def test_what_another_owner_made_is_left_alone_in_both_runs_alike(cluster):
    configured(cluster)
    before = cluster.text()
    for test in (True, False):
        cluster.test(test)
        ret = cluster.states.property_present("no-quorum-policy", value="ignore")
        assert (ret["result"], ret["changes"], cluster.text()) == (False, {}, before)
        assert "property no-quorum-policy is not as desired and belongs to the owner haproxy_ha" in ret["comment"]
    assert cluster.states.property_present("no-quorum-policy", value="stop")["changes"] == {}
    assert cluster.states.property_present("no-quorum-policy", value="ignore", take_over=True)["changes"]
    assert cluster.states.property_present("no-quorum-policy", value="ignore")["changes"] == {}
    assert "belongs to the owner salt" in configured(cluster)["comment"]


def test_disruption_is_limited_by_what_a_resource_is_in(cluster):
    configured(cluster)
    changed = copy.deepcopy(DUMMY)
    changed["primitives"]["haproxy"]["agent"] = "ocf:heartbeat:Dummy"
    for limits in ({"haproxy-clone": "nothing"}, {"haproxy": "reload", "haproxy-clone": "any"}):
        ret = configured(cluster, changed, max_disruption=limits)
        assert (ret["result"], ret["changes"]) == (False, {})
        assert "restart haproxy:0" in ret["comment"]
    slip = configured(cluster, changed, max_disruption={"haproxy-clon": "nothing"})
    assert (
        "max_disruption:haproxy-clon: there is no resource haproxy-clon, did you mean haproxy-clone?" in slip["comment"]
    )
    limits = {"haproxy-clone": "restart", "FloatIP": "restart", "default": "nothing"}
    assert configured(cluster, changed, max_disruption=limits)["changes"]


@pytest.mark.parametrize(
    ("state", "arguments"),
    [("property_present", {}), ("property_absent", {"value": 1}), ("node_attribute_present", {"value": 1}),
     ("primitive_present", {"agnet": "ocf:pacemaker:Dummy"})],
)  # fmt: skip
def test_wrong_arguments_are_one_clear_error(cluster, state, arguments):
    ret = getattr(cluster.states, state)("x", **arguments)
    assert (ret["result"], ret["changes"], cluster.text()) == (False, {}, CIB)


def test_aggregated_states_are_one_commit(cluster):
    def chunk(fun, name, **arguments):
        return {"state": "pacemaker", "fun": fun, "name": name, "__id__": name, "order": 1, "require": [], **arguments}

    chunks = [
        chunk("property_present", "stonith-enabled", value=False),
        chunk("primitive_present", "a", agent="ocf:pacemaker:Dummy"),
        chunk("primitive_present", "b", agent="ocf:pacemaker:Dummy"),
        chunk("colocation_present", "c", **{"resource": "a", "with": "b"}),
        chunk("primitive_present", "conditional", agent="ocf:pacemaker:Dummy", onchanges=[{"file": "x"}]),
        chunk("primitive_present", "other", agent="ocf:pacemaker:Dummy", owner="somebody"),
    ]
    low = cluster.states.mod_aggregate(chunks[0], chunks, {})
    ret = cluster.states.property_present("stonith-enabled", value=False, aggregated=low["aggregated"], timeout=5)
    assert ret["result"] is True
    assert set(ret["changes"]) == {"property stonith-enabled", "primitive a", "primitive b", "colocation c"}
    assert cluster.states.primitive_present("a", agent="ocf:pacemaker:Dummy")["changes"] == {}


def test_before_pacemaker_runs_a_dry_run_tells_the_objects_and_a_live_run_fails(cluster):
    Path(cluster.path).unlink()
    cluster.test()
    ret = configured(cluster)
    assert ret["result"] is None
    assert "primitive FloatIP" in ret["changes"]
    assert "does not run" in ret["comment"]
    cluster.test(False)
    assert configured(cluster, timeout=0)["result"] is False


def test_operators_functions_do_what_they_say(cluster):
    configured(cluster)
    module = cluster.module
    assert module.wait(["n1", "n2"], timeout=0)["nodes"]["n1"]["online"]
    assert [module.maintenance(), module.maintenance(), module.maintenance(False), module.maintenance(False)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert [module.standby("n1"), module.standby("n1")] == [True, False]
    assert module.status()["resources"]["FloatIP"]["nodes"] == ["n2"]
    assert [module.online("n1"), module.online("n1")] == [True, False]
    assert [module.move("FloatIP", "n1"), module.move("FloatIP", "n1")] == [True, False]
    assert module.plan(DUMMY)["foreign"] == ["location cli-prefer-FloatIP"]
    assert [module.clear("FloatIP"), module.clear("FloatIP")] == [True, False]
    assert module.cleanup() is False


def test_names_that_are_not_there_are_refused(cluster):
    module = cluster.module
    for call in (
        lambda: module.standby("n9"),
        lambda: module.move("none", "n1"),
        lambda: module.clear("none"),
        lambda: module.cleanup("none"),
        lambda: module.maintenance(True, "n9"),
    ):
        with pytest.raises(SaltInvocationError, match="has no (node|resource)"):
            call()


def test_a_wait_is_bounded_and_says_for_whom(cluster):
    with pytest.raises(CommandExecutionError, match="absent: n7"):
        cluster.module.wait(["n7"], timeout=0)


def test_no_command_gets_the_cib_as_an_argument(cluster):
    configured(cluster)
    assert not [word for command in cluster.commands for word in command if "<" in word]


def test_stopping_everything_on_purpose_is_told_and_no_failure(cluster):
    configured(cluster)
    stopped = {**DUMMY, "properties": {**DUMMY["properties"], "stop-all-resources": True}}
    ret = configured(cluster, stopped)
    assert ret["result"] is True
    assert "stop-all-resources" in ret["comment"]
