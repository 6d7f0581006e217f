"""The extensions instead of a sync: built, installed, and their SLS files as Salt's file server."""

import os
import shutil
import subprocess
import sys

import pytest

from support.masterless import Masterless
from support.pillars import REMOVED, changed
from support.place import in_container, requires_tools
from tools import extensions

pytestmark = requires_tools("haproxy", "corosync", "crm_verify", "apt-get")

PILLAR = changed({
    "floating_ip:provider": "ipaddr2", "floating_ip:address": "10.132.20.99", "floating_ip:api_token": REMOVED,
})  # fmt: skip


def minion_of(site, folder):
    """A minion with what is installed there, and the formula that is in it."""
    environment = {"PYTHONPATH": str(site)}
    argv = [sys.executable, "-m", "saltext.haproxy_ha"]
    said = subprocess.run(argv, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
    return Masterless(folder, PILLAR, {"file_roots": {"base": [said.stdout.strip()]}}, environment)


@pytest.fixture
def minion(site, tmp_path):
    return minion_of(site, tmp_path)


def test_they_load_without_a_sync(minion):
    assert minion.call("haproxy_ha.version") == extensions.version()
    assert minion.call("haproxy_ha.stale") == []
    assert minion.call("haproxy_ha.roles") == ["load_balancer"]
    documented = minion.call("sys.doc", "pacemaker")
    assert "pacemaker.export" in documented and "CLI Example" in documented["pacemaker.export"]
    assert "pacemaker.primitive_present" in minion.call("sys.list_state_functions", "pacemaker")


@pytest.mark.skipif(not in_container(), reason="needs addresses: only in the container")
@pytest.mark.usefixtures("own_addresses")
def test_the_formula_is_applied_from_them(minion):
    states = minion.call("state.apply", "haproxy_ha", "test=True")
    failed = {state["__id__"]: state["comment"] for state in states.values() if state["result"] is False}
    assert failed == {}
    assert {"haproxy_ha-load-balancer-config", "haproxy_ha-cluster-agents", "haproxy_ha-cluster-resources"} <= {
        state["__id__"] for state in states.values()
    }


def test_one_of_another_version_than_the_states_is_one_failure_that_names_the_cure(site, tmp_path):
    other = tmp_path / "site"
    shutil.copytree(site, other)
    with open(other / "saltext/pacemaker/modules/pacemaker.py", "a", encoding="utf-8") as handle:
        handle.write("# another version\n")
    [state] = minion_of(other, tmp_path / "minion").call("state.apply", "haproxy_ha").values()
    assert state["result"] is False
    assert "Install the extensions of the states' version" in state["name"]
    assert f"_modules/pacemaker.py (of an extension, {other}" in state["name"] + state["comment"]
