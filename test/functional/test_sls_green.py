"""Green means done: what a run may not call well, each as one failure that names the way out."""

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from haproxy_ha_lib.files import fileset
from support import REPOSITORY
from support.minion import NO_TREE
from support.pillars import EXAMPLE, FORMULA, REMOVED, changed
from support.place import in_container, requires_tools

AGENTS, MEMORY = Path("/usr/lib/ocf/resource.d/haproxy_ha"), Path("/var/lib/haproxy_ha")
PARTS = {
    "the agents": ("cluster", AGENTS, ""),
    "HAProxy's configuration": ("load balancer", "/etc/haproxy/haproxy.cfg", f"# {fileset.MARK}\n"),
    "nginx's site": ("app server", "/etc/nginx/sites-available/haproxy_ha", "# ours\n"),
    "the quorum helper's options": ("quorum helper", "/etc/default/corosync-qnetd", f"# {fileset.MARK}\n"),
}
OTHERS = {"another formula's": {"test.succeed_without_changes": [{"name": "theirs"}]}}

in_the_container = pytest.mark.skipif(not in_container(), reason="makes files of the formula where they belong")
either = pytest.mark.parametrize("test", [True, False])


def without(*machines):
    """pillar.example without these machines."""
    tree = changed({"load_balancers:tertiary": {"private_ip": "10.132.20.12", "anchor_ip": "10.17.1.20"}})
    for table in ("load_balancers", "app_servers"):
        tree[table] = {name: entry for name, entry in tree[table].items() if name not in machines}
    return tree


@pytest.fixture
def part():
    """Puts a part of the formula on this machine, as it is known by: a file or directory of its own."""
    with contextlib.ExitStack() as stack:

        def put(path, text=""):
            stack.callback(_putter_back(Path(path)))
            _put(Path(path), text)

        yield put


def _put(path, text):
    (path.parent if text else path).mkdir(parents=True, exist_ok=True)
    if text:
        path.write_text(text, encoding="utf-8")


def _putter_back(path):
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    if before is not None:
        return lambda: path.write_text(before, encoding="utf-8")
    return lambda: path.rmdir() if path.is_dir() else path.unlink()


# What was wrong while the SLS files were rendered


def test_what_was_wrong_while_rendering_is_a_failure_though_it_is_right_by_now(single, machine):
    """The other states of the run were left out because of it."""
    seen = {"roles": [], "errors": ["haproxy_ha:load_balancers:secondary:private_ip: missing"], "digests": {}}
    for test in (True, False):
        state = single("haproxy_ha.settings_valid", "x", test=test, rendered=seen)
        assert (state["result"], state["changes"]) == (False, {})
        assert seen["errors"][0] in state["comment"]
        assert state["comment"].endswith("It is right now: run it again.")


def seen_by(minion, sls="haproxy_ha.guard", pillar=EXAMPLE):
    [chunk] = [one for one in minion.low(sls, pillar) if one["__id__"] == "haproxy_ha-settings"]
    return chunk["rendered"]


@pytest.mark.parametrize("key, change", {
    "load_balancers": {"load_balancers:secondary:private_ip": "10.132.20.99"},
    "app_servers": {"app_servers:app-1:port": 8080},
    "cluster": {"cluster:port": 5505},
    "roles": {"app_servers:primary": {"port": 8080}},
}.items())  # fmt: skip
def test_settings_that_change_after_rendering_are_a_failure_that_names_them(minions, single, machine, key, change):
    seen = seen_by(minions("primary"), pillar=EXAMPLE)
    same = single("haproxy_ha.settings_valid", "x", pillar=with_the_api(minions, EXAMPLE), rendered=seen)
    assert same["result"] is True, same["comment"]
    state = single("haproxy_ha.settings_valid", "x", pillar=with_the_api(minions, changed(change)), rendered=seen)
    assert state["result"] is False
    assert key in state["comment"]
    assert "Run it again." in state["comment"]


def with_the_api(minions, tree):
    return {**tree, "floating_ip": {**tree["floating_ip"], **minions("primary").api}}


@pytest.mark.parametrize("sls", ["haproxy_ha", "haproxy_ha.load_balancer.config", "haproxy_ha.load_balancer.passive"])
def test_each_file_alone_hands_over_what_rendering_saw(minions, sls):
    right, wrong = seen_by(minions("primary"), sls), seen_by(minions("primary"), sls, changed({"verify": "maybe"}))
    assert (right["roles"], right["errors"]) == (["load_balancer"], [])
    assert (wrong["roles"], len(wrong["errors"])) == ([], 1)
    assert EXAMPLE["cluster"]["authkey"] not in json.dumps(right)


def test_all_files_of_a_run_are_rendered_from_one_set_of_settings(minions, own_sls):
    """However long it takes: another formula lies between, and what a machine says of itself has changed meanwhile."""
    body = """
{% set first = salt["haproxy_ha.rendered"](saltenv) %}
{% do salt["test.sleep"](11) %}
{% set second = salt["haproxy_ha.rendered"](saltenv) %}
the state:
  test.succeed_without_changes:
    - name: {{ "the same" if first.seen is sameas second.seen else "made anew" }}
"""
    (own_sls / "long.sls").write_text(body, encoding="utf-8")
    minion = minions("primary", (REPOSITORY, own_sls))
    assert minion.apply("long", EXAMPLE)["the state"]["name"] == "the same"


# One cause, one failure


def test_a_port_that_is_held_is_the_one_failure_of_a_run_and_stops_nobody_elses(minions, own_sls):
    (own_sls / "theirs.sls").write_text(json.dumps(OTHERS), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as held:
        bind = f"127.0.0.1:{held.getsockname()[1]}"
        pillar = changed({"haproxy:frontends": {"http": {"bind": [bind]}}})
        for sls in (["haproxy_ha"], ["haproxy_ha.cluster.resources"], ["haproxy_ha.load_balancer.upgrade"],
                    ["haproxy_ha.verify"], ["haproxy_ha", "theirs"]):
            for test in (True, False):
                states = minions("primary", (REPOSITORY, own_sls)).apply(sls, pillar, test=test)
                failed = {name: state for name, state in states.items() if state["result"] is False}
                assert list(failed) == ["haproxy_ha-preflight"], (sls, states)
                assert f"process {os.getpid()}" in failed["haproxy_ha-preflight"]["comment"]
                assert ("another formula's" in states) == ("theirs" in sls)
                assert set(states) <= {"haproxy_ha-settings", "haproxy_ha-preflight", "another formula's"}


@either
def test_an_api_that_refuses_is_the_one_failure(minions, test):
    pillar = changed({"floating_ip:api_token": "dop_v1_" + "0" * 64})
    states = minions("primary").apply("haproxy_ha", pillar, test=test)
    assert {name: state["result"] for name, state in states.items()} == {
        "haproxy_ha-settings": True, "haproxy_ha-preflight": False,
    }  # fmt: skip
    assert "HTTP 401" in states["haproxy_ha-preflight"]["comment"]


def test_what_was_in_the_way_while_rendering_is_a_failure_though_it_is_gone(single, minions):
    state = single("haproxy_ha.preflight", "x", pillar=with_the_api(minions, EXAMPLE), rendered=["apache2 listens"])
    assert state["result"] is False
    assert "apache2 listens" in state["comment"] and state["comment"].endswith("It is not any more: run it again.")


# A machine that pillar does not name


@pytest.fixture
def untouched():
    """A machine on which no run has ever changed anything; afterwards as it was."""
    aside = MEMORY.with_name("aside")
    if MEMORY.exists():
        MEMORY.rename(aside)
    yield
    shutil.rmtree(MEMORY, ignore_errors=True)
    if aside.exists():
        aside.rename(MEMORY)


@in_the_container
@either
def test_a_minion_that_is_none_of_the_formulas_business_asks_no_module_of_it(untouched, minions, tmp_path, test):
    """Hence it is well without them, too, unless something of the formula is there."""
    (tmp_path / "haproxy_ha").symlink_to(FORMULA)
    for nobody in (minions("nobody"), minions("nobody", (tmp_path,))):
        [chunk] = nobody.low("haproxy_ha", NO_TREE)
        assert (chunk["state"], chunk["fun"]) == ("test", "succeed_without_changes")
        [state] = nobody.apply("haproxy_ha", NO_TREE, test=test).values()
        assert (state["result"], state["comment"]) == (True, "Nothing to do: the pillar of nobody has no haproxy_ha.")


@in_the_container
@pytest.mark.parametrize("trace", [
    (f"{MEMORY}/changes.json", "[]"), (AGENTS, ""),
    *((path, text) for _, path, text in PARTS.values() if text),
], ids=lambda trace: str(trace[0]))  # fmt: skip
def test_without_modules_whatever_is_there_of_the_formula_is_a_failure(untouched, minions, tmp_path, part, trace):
    (tmp_path / "haproxy_ha").symlink_to(FORMULA)
    part(*trace)
    [state] = minions("nobody", (tmp_path,)).apply("haproxy_ha", NO_TREE).values()
    assert state["result"] is False
    assert "salt 'nobody' saltutil.sync_all" in state["name"]


@either
@pytest.mark.parametrize("pillar", [NO_TREE, EXAMPLE])
def test_a_minion_that_has_nothing_of_ours_is_well_and_told_so(minions, machine, pillar, test):
    [state] = minions("nobody").apply("haproxy_ha", pillar, test=test).values()
    assert (state["result"], state["changes"]) == (True, {})
    assert "Nothing to do" in state["comment"] and "nobody" in state["comment"]


@in_the_container
@either
@pytest.mark.parametrize("pillar", [NO_TREE, EXAMPLE])
@pytest.mark.parametrize("case", PARTS)
def test_a_machine_that_lost_its_place_in_pillar_is_a_failure(minions, machine, part, case, pillar, test):
    name, path, text = PARTS[case]
    part(path, text)
    [state] = minions("nobody").apply("haproxy_ha", pillar, test=test).values()
    assert (state["result"], state["changes"]) == (False, {})
    assert name in state["comment"]
    assert "salt 'nobody' state.apply haproxy_ha.clean" in state["comment"]


@in_the_container
@either
@pytest.mark.parametrize("pillar", [NO_TREE, EXAMPLE])
def test_what_the_formula_remembers_of_a_machine_is_enough(minions, machine, part, pillar, test):
    part(f"{MEMORY}/of_this_test")  # where the SLS files look
    (machine / "state" / "last_good").mkdir(parents=True)
    (machine / "state" / "backup").mkdir()
    [state] = minions("nobody").apply("haproxy_ha", pillar, test=test).values()
    assert state["result"] is False
    assert "state.apply haproxy_ha.clean" in state["comment"]


def test_a_machine_that_was_cleaned_is_well(single, minions, machine):
    """The copies of what was there before stay."""
    (machine / "state" / "last_good").mkdir(parents=True)
    (machine / "state" / "backup").mkdir()
    dry = single("haproxy_ha.removed", "memory", test=True, minion="nobody")
    live = single("haproxy_ha.removed", "memory", minion="nobody")
    assert (dry["result"], live["result"], live["changes"]) == (None, True, dry["changes"])
    assert os.listdir(machine / "state") == ["backup"]
    assert single("haproxy_ha.removed", "memory", minion="nobody")["changes"] == {}
    [state] = minions("nobody").apply("haproxy_ha", NO_TREE).values()
    assert state["result"] is True
    assert single("haproxy_ha.removed", "copies", minion="nobody")["result"] is True
    assert os.listdir(machine / "state") == []
    assert single("haproxy_ha.removed", "copies", minion="nobody")["changes"] == {}


@in_the_container
@either
def test_a_load_balancer_that_became_an_app_server_is_a_failure(minions, machine, part, test):
    part(AGENTS)
    states = minions("app-1").apply("haproxy_ha", EXAMPLE, test=test)
    assert [name for name, state in states.items() if state["result"] is False] == ["haproxy_ha-preflight"]
    assert "salt 'app-1' haproxy_ha.remove cluster" in states["haproxy_ha-preflight"]["comment"]


def test_an_app_server_that_is_people_s_own_is_well_whatever_is_left_on_it(minions, machine):
    (machine / "state" / "last_good").mkdir(parents=True)
    tree = changed({"app_servers:app-1": {"private_ip": "10.132.20.236", "managed": False}})
    [state] = minions("app-1").apply("haproxy_ha", tree).values()
    assert state["result"] is True, state["comment"]


# A member that still runs

CIB = """<cib crm_feature_set="3.1.0" validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0"
 have-quorum="1" dc-uuid="1"><configuration><crm_config/><nodes>{nodes}</nodes><resources/><constraints/>
</configuration><status>{states}</status></cib>"""
ONLINE = 'in_ccm="true" crmd="online" join="member" expected="member"'
OFFLINE = 'in_ccm="false" crmd="offline" join="down" expected="down"'


@pytest.fixture
def cluster(tmp_path):
    """Pacemaker's own crm_mon sees a cluster of these nodes: {name: state}."""
    stand_in = Path("/usr/local/sbin/crm_mon")

    def make(nodes):
        states = [f'<node_state id="{number}" uname="{name}" {state}/>'
                  for number, (name, state) in enumerate(nodes.items(), 1)]
        known = [f'<node id="{number}" uname="{name}"/>' for number, name in enumerate(nodes, 1)]
        (tmp_path / "cib.xml").write_text(CIB.format(nodes="".join(known), states="".join(states)), encoding="utf-8")
        stand_in.write_text(f'#!/bin/sh\nCIB_file={tmp_path}/cib.xml exec /usr/sbin/crm_mon "$@"\n', encoding="utf-8")
        stand_in.chmod(0o755)

    yield make
    stand_in.unlink(missing_ok=True)


@requires_tools("crm_mon")
@in_the_container
@either
@pytest.mark.parametrize("sls", ["haproxy_ha", "haproxy_ha.cluster.config", "haproxy_ha.load_balancer.config"])
def test_a_member_that_runs_is_not_dropped(minions, cluster, sls, test):
    cluster({"primary": ONLINE, "secondary": ONLINE, "tertiary": ONLINE})
    states = minions("primary").apply(sls, without("secondary", "tertiary"), test=test)
    assert [name for name, state in states.items() if state["result"] is False] == ["haproxy_ha-preflight"]
    for gone in ("secondary", "tertiary"):
        assert f"salt '{gone}' state.apply haproxy_ha.clean" in states["haproxy_ha-preflight"]["comment"]


STAYING = {
    "all are named": {"primary": ONLINE, "secondary": ONLINE, "tertiary": ONLINE},
    "who left is off": {"primary": ONLINE, "secondary": ONLINE, "tertiary": ONLINE, "old": OFFLINE},
    "a cluster of other names": {"lb1": ONLINE, "lb2": ONLINE},
}


@requires_tools("crm_mon")
@in_the_container
@pytest.mark.parametrize("case", STAYING)
def test_what_does_not_run_may_go(single, minions, cluster, case):
    cluster(STAYING[case])
    state = single("haproxy_ha.preflight", "x", pillar=with_the_api(minions, without()), test=True)
    assert state["result"] is True, state["comment"]


# A pillar that is not what somebody thinks


def test_a_tree_that_is_typed_one_level_too_high_is_told(minions, machine):
    beside = {key: EXAMPLE[key] for key in ("load_balancers", "app_servers")}
    for tree in (NO_TREE, None, changed({"load_balancers": REMOVED})):
        [state] = minions("primary").apply("haproxy_ha", tree, beside=beside).values()
        assert state["result"] is False
        assert "pillar: load_balancers, app_servers beside haproxy_ha, not below it" in state["comment"]
        assert "indent it" in state["comment"]


def test_a_part_beside_a_valid_tree_is_told_in_a_run_that_is_well(minions, machine):
    beside = {"haproxy": {"frontends": {"http": {"bind": ["anchor:8081"]}}}}
    states = minions("primary").apply("haproxy_ha.guard", EXAMPLE, beside=beside)
    assert states["haproxy_ha-settings"]["result"] is True
    assert "pillar: haproxy beside haproxy_ha" in states["haproxy_ha-settings"]["comment"]


@pytest.mark.parametrize("beside", [
    {"haproxy": {"enabled": True, "global": {"stats": {"enable": True}}}},
    {"nginx": {"ng": {"service": {"enable": True}}}},
    {"cluster": "production", "mine": True, "firewall": None},
])  # fmt: skip
def test_another_formulas_tree_of_the_same_name_is_theirs(minions, machine, beside):
    state = minions("primary").apply("haproxy_ha.guard", EXAMPLE, beside=beside)["haproxy_ha-settings"]
    assert (state["result"], "beside" in state["comment"]) == (True, False)
    [nobody] = minions("nobody").apply("haproxy_ha.guard", NO_TREE, beside=beside).values()
    assert nobody["result"] is True
