"""Which monitors Pacemaker no longer runs, by what agents have noted and crm_mon says."""

import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from support.agent_modules import imported

# As crm_mon of Pacemaker 2.1.5 says it of a pair of which `primary` is looked at no more.
VIEW = """
<pacemaker-result api-version="2.25">
  <summary><cluster_options maintenance-mode="false"/></summary>
  <resources>
    <clone id="haproxy-clone">
      <resource id="haproxy" role="Started" active="true" blocked="false" managed="{managed}" failed="false">
        <node name="primary" id="1"/>
      </resource>
      <resource id="haproxy" role="Started" active="true" blocked="false" managed="true" failed="false">
        <node name="secondary" id="2"/>
      </resource>
    </clone>
    <resource id="FloatIP" role="Started" active="true" blocked="false" managed="true" failed="false">
      <node name="primary" id="1"/>
    </resource>
  </resources>
  <failures>
    <failure op_key="{operation}" node="primary" exitstatus="OCF_DEGRADED" exitcode="{code}" task="monitor"/>
  </failures>
</pacemaker-result>"""


@pytest.fixture(scope="module")
def agents():
    """Modules of the agents by their names."""
    yield from imported()


@pytest.fixture
def unwatched(agents):
    return agents("unwatched")


def view(managed="true", operation="haproxy_monitor_5000", code="190"):
    return ElementTree.fromstring(VIEW.format(managed=managed, operation=operation, code=code))


def test_one_that_was_degraded_and_is_looked_after_is_forgotten(unwatched):
    assert unwatched.is_forgotten(view(), "primary", "haproxy")


@pytest.mark.parametrize(("node", "name", "found"), [
    ("secondary", "haproxy", {}),
    ("primary", "FloatIP", {}),
    ("elsewhere", "haproxy", {}),
    ("primary", "haproxy", {"managed": "false"}),
    ("primary", "haproxy", {"code": "1"}),
    ("primary", "haproxy", {"operation": "haproxy_start_0"}),
])  # fmt: skip
def test_any_other_is_let_alone(unwatched, node, name, found):
    assert not unwatched.is_forgotten(view(**found), node, name)


@pytest.mark.parametrize(("text", "late"), [
    ("100.0 5\n", True), ("175.1 5\n", False), ("174.9 5\n", True), ("100.0 100\n", False), ("", False), ("x 5", False),
    ("nan nan", False), ("\0", False),
])  # fmt: skip
def test_a_monitor_is_late_after_two_intervals_and_some_seconds(unwatched, tmp_path, text, late):
    (tmp_path / "haproxy_ha-degraded-haproxy").write_text(text)
    assert unwatched.late(str(tmp_path), 200.0) == (["haproxy"] if late else [])


def test_without_a_directory_none_is_late(unwatched, tmp_path):
    assert unwatched.late(str(tmp_path / "absent"), 200.0) == []


def noted(agents, directory, code, action="monitor", probe=False, instance="haproxy:1"):
    env = SimpleNamespace(
        is_probe=probe, action=action, state_directory=str(directory), instance=instance, interval=5.0
    )
    agents("agent").note_degraded(env, code)
    return [(one.name, one.read_text().split()[1]) for one in directory.iterdir()]


def test_what_was_degraded_once_is_noted_by_each_monitor_until_it_stops(agents, tmp_path):
    there = [("haproxy_ha-degraded-haproxy", "5")]
    assert noted(agents, tmp_path, 0) == []
    assert noted(agents, tmp_path, 190, probe=True) == []
    assert noted(agents, tmp_path, 190) == there
    before = (tmp_path / there[0][0]).stat().st_mtime_ns
    assert noted(agents, tmp_path, 0) == there
    assert (tmp_path / there[0][0]).stat().st_mtime_ns > before
    assert noted(agents, tmp_path, 0, action="start") == there
    assert noted(agents, tmp_path, 0, probe=True) == there
    assert noted(agents, tmp_path, 7, probe=True) == []
    assert noted(agents, tmp_path, 190) == there
    assert noted(agents, tmp_path, 0, action="stop") == []


def test_where_nothing_can_be_noted_the_action_goes_on(agents, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    env = SimpleNamespace(
        is_probe=False, action="monitor", state_directory=str(tmp_path / "file"), instance="x", interval=5.0
    )
    agents("agent").note_degraded(env, 190)
    assert "cannot write" in capfd.readouterr().err
