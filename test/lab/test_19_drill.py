"""A drill, as its operator starts it, on the running pair."""

from __future__ import annotations

import json
import re

import pytest

from lab import audit, formula, salt
from lab.drill import prepare, run, said
from lab.machine import machine
from lab.topology import BALANCERS

pytestmark = pytest.mark.slow


@pytest.fixture
def drill(active):
    """Runs one; the value is the state's return."""
    prepare()
    return run


def test_a_drill_shows_what_a_planned_move_and_a_kill_cost(drill):
    owner = audit.active()
    state = drill(limit=2, seconds=15, kinds=["failover", "kill"])
    assert state["result"] is True, state
    text = said(state)
    for title in (f"failover: {owner} to ", "failover back: ", f"kill on {owner}"):
        assert title in text
    assert "All is well." in text and audit.active() == owner
    page = re.search(r"Report: (\S+?\.html)", text)[1]
    report = json.loads(machine("master").read(page.replace(".html", ".json")))
    assert [trial["requests"] > 500 for trial in report["trials"]] == [True] * 3
    assert max(trial["gap"] for trial in report["trials"][:2]) < 0.5
    assert machine("master").read(page).count("<svg") == 3


def test_a_minion_without_a_role_may_ask(drill):
    formula.set_pillar(apps=["app-1"])
    formula.apply("haproxy_ha.clean", target="app-2")
    formula.apply()
    assert salt.call("haproxy_ha.roles", target="app-2") == {"app-2": []}
    state = drill(source="app-2", limit=2, seconds=15)
    assert state["result"] is True, state
    assert "All is well." in said(state)
    formula.set_pillar()
    formula.apply()


def test_a_limit_that_is_exceeded_is_a_failure(drill):
    state = drill(limit=0.001, seconds=8)
    assert state["result"] is False
    assert "TOO LONG" in said(state) and "The limit was exceeded." in said(state)


def test_nothing_is_done_to_a_pair_that_is_not_well_or_without_a_good_answer(drill):
    state = drill(url="http://203.0.113.77/")
    assert state["result"] is False and "Nothing was done: app-1 asked http://203.0.113.77/" in said(state)
    passive = audit.passive()
    salt.call("pacemaker.standby", target=passive)
    try:
        state = drill()
        assert state["result"] is False and f"{passive} is in standby" in said(state)
    finally:
        salt.call("pacemaker.online", target=passive)
    assert audit.settle() in BALANCERS
