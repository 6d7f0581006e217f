"""Whether a node's power is still to be taken, by what Corosync and crm_mon say when that is to be done."""

import xml.etree.ElementTree as ElementTree

import pytest

from support.agent_modules import imported

# As crm_mon of Pacemaker 2.1.5 says it on the node whose fencer waits.
VIEW = """
<pacemaker-result api-version="2.25">
  <nodes>
    <node name="primary" id="1" online="{online}" standby="false" maintenance="false" pending="{pending}"
     unclean="{unclean}" shutdown="false" expected_up="true" is_dc="true" type="member"/>
    <node name="secondary" id="2" online="true" standby="false" pending="false" unclean="false" type="member"/>
  </nodes>
  <fence_history status="0">
    <fence_event status="success" action="reboot" target="primary" client="stonith_admin.9" origin="secondary"/>
    {asked}
  </fence_history>
</pacemaker-result>"""
BY = '<fence_event status="pending" action="reboot" target="{}" client="{}" origin="secondary"/>'
CLUSTER, OPERATOR = BY.format("primary", "pacemaker-controld.73"), BY.format("primary", "stonith_admin.3571")


@pytest.fixture(scope="module")
def agents():
    """Modules of the agents by their names."""
    yield from imported()


@pytest.fixture
def asked(agents, monkeypatch):
    """What is answered, of a cluster whose answers these are, the last one ever after; nobody waits."""
    returned, cluster = agents("returned"), agents("cluster")
    passed = []
    monkeypatch.setattr(returned.time, "sleep", passed.append)
    monkeypatch.setattr(returned.time, "monotonic", lambda: sum(passed))

    def answer(*views, membership="member", asked=CLUSTER):
        left = [{"online": "true", "pending": "false", "unclean": "false", **view} for view in views]
        monkeypatch.setattr(cluster, "members", lambda seconds: [("primary", membership), ("secondary", "member")])
        monkeypatch.setattr(cluster, "ask", lambda env: ("secondary", ElementTree.fromstring(
            VIEW.format(**(left.pop(0) if len(left) > 1 else left[0]), asked=asked))))  # fmt: skip
        return returned.need_not_be_fenced("primary")

    return answer


def test_a_node_that_is_back_and_well_keeps_its_power(asked):
    assert asked({})
    assert asked({}, asked=CLUSTER + BY.format("secondary", "stonith_admin.1"))


def test_one_that_is_on_its_way_is_waited_for(asked):
    assert asked({"pending": "true"}, {"pending": "true"}, {})
    assert not asked({"pending": "true"})
    assert not asked({"pending": "true"}, {"unclean": "true"})


@pytest.mark.parametrize("view", [{"unclean": "true"}, {"online": "false"}, {"online": "false", "unclean": "true"}])
def test_one_that_is_ill_loses_it(asked, view):
    assert not asked(view)


def test_one_that_corosync_has_lost_loses_it(asked):
    assert not asked({}, membership="lost")


@pytest.mark.parametrize("requests", [OPERATOR, CLUSTER + OPERATOR, ""])
def test_what_an_operator_asks_for_or_nobody_knows_of_is_done(asked, requests):
    assert not asked({}, asked=requests)


def test_where_the_cluster_does_not_answer_it_is_done(agents, monkeypatch):
    def silent(seconds):
        raise agents("agent").Failure(1, "corosync-cmapctl: no answer")

    monkeypatch.setattr(agents("cluster"), "members", silent)
    assert not agents("returned").need_not_be_fenced("primary")
