"""The order of a drill, and what ends it: by minions that answer as they are told. The lab has real ones."""

import itertools
import json

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import drill
from haproxy_ha_lib.drill.report import Report

GOOD = {"samples": [[number / 50, 0.01, 200] for number in range(50)]}
GAP = {"samples": [[number / 50, 0.01, 0 if 10 < number < 40 else 200] for number in range(50)]}


class Minions:
    """A pair whose address moves when it is told to, and a client."""

    def __init__(self, **answers):
        self.active, self.done, self.jobs = "a", [], itertools.count()
        self.answers = {"first": GOOD, "record": GOOD, "failover": {"old": "a", "new": "b"}, "hindrances": [],
                        "running": True, **answers}  # fmt: skip

    def pair(self):
        found = {"cluster": {"active": [self.active]}, "hindrances": self.answers["hindrances"], "nodes": ["a", "b"]}
        return {"a": found, "b": found}

    def call(self, minion, function, *arguments, **keywords):
        self.done.append((minion, function))
        if function == "haproxy_ha.traffic":
            return self.answers["first"]
        if function == "haproxy_ha.failover":
            self.active = "b" if self.active == "a" else "a"
            return self.answers["failover"]
        return True

    def start(self, minion, function, *arguments, **keywords):
        self.done.append((minion, function))
        return str(next(self.jobs))

    def is_running(self, minion, job):
        return self.answers["running"]

    def result(self, minion, job, seconds):
        return self.answers["record"]


def plan(minions, kinds=("failover",), limit=0.5):
    return drill.Drill(minions, "client", "http://203.0.113.10/", kinds, limit, 1, 0.02, lambda text: None)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Nobody here needs time."""
    monkeypatch.setattr(drill.waiting, "wait_for", lambda condition, *_: condition())


def test_a_failover_goes_there_and_back_while_the_client_asks():
    minions = Minions()
    report = plan(minions).run()
    assert [(trial.kind, trial.old, trial.new) for trial in report.trials] == [
        ("failover", "a", "b"), ("failover back", "b", "a"),
    ]  # fmt: skip
    assert report.well
    traffic, moved = ("client", "haproxy_ha.traffic"), "haproxy_ha.failover"
    assert minions.done == [traffic, traffic, ("a", moved), traffic, ("b", moved)]


@pytest.mark.parametrize(("kind", "function"), [("kill", "ps.pkill"), ("reboot", "system.reboot")])
def test_what_else_is_done_is_done_to_the_active_one(kind, function):
    minions = Minions()
    assert plan(minions, kinds=(kind,)).run().well
    assert minions.done[-1] == ("a", function)


def test_a_gap_beyond_the_limit_is_a_failure_and_the_rest_is_done_all_the_same():
    report = plan(Minions(record=GAP), kinds=("failover", "kill"), limit=0.5).run()
    assert (report.well, len(report.trials), report.problem) == (False, 3, "")
    assert plan(Minions(record=GAP), limit=0).run().well


@pytest.mark.parametrize(("answers", "said"), [
    ({"hindrances": ["b is offline"]}, "a drill needs a pair that is well.\nb is offline"),
    ({"first": "'haproxy_ha.traffic' is not available."}, "client asked http://203.0.113.10/: 'haproxy_ha.traffic'"),
    ({"first": None}, "it does not answer"),
    ({"first": GAP}, "200 is expected, found: [0]"),
])
def test_nothing_is_done_without_a_good_pair_or_a_good_answer(answers, said):
    minions = Minions(**answers)
    with pytest.raises(CommandExecutionError) as caught:
        plan(minions).run()
    assert str(caught.value).startswith("Nothing was done") and said in str(caught.value)
    assert {function for _, function in minions.done} <= {"haproxy_ha.traffic"}


@pytest.mark.parametrize(("answers", "said"), [
    ({"running": False}, "client has not begun to ask within 30 s"),
    ({"failover": "the floating IP stays on a"}, "a: the floating IP stays on a"),
    ({"record": None}, "client has not said what it got"),
    ({"record": {"samples": [[0, 0.01, 200], [1, 0.01, 0]]}}, "after 1 s client still got no good answer"),
])
def test_what_ends_a_drill_early_is_in_its_report(answers, said):
    report = plan(Minions(**answers)).run()
    assert (report.well, report.problem) == (False, said)


@pytest.mark.parametrize("kinds", [(), ("failover", "fire")])
def test_what_cannot_be_done_is_refused_with_what_can(kinds):
    with pytest.raises(SaltInvocationError) as caught:
        plan(Minions(), kinds=kinds).run()
    assert "allowed: failover, kill, reboot" in str(caught.value)


def test_a_report_is_left_as_text_data_and_page(tmp_path):
    well, told = drill.carry_out(plan(Minions()), str(tmp_path), data=False)
    assert well and told.endswith(".html")
    page = told.rpartition("Report: ")[2]
    for ending in ("txt", "json", "html"):
        assert (tmp_path / page).with_suffix(f".{ending}").stat().st_mode & 0o777 == 0o644
    assert json.loads((tmp_path / page).with_suffix(".json").read_text())["well"] is True


def test_a_refusal_is_a_text(tmp_path):
    assert drill.carry_out(plan(Minions(first=None)), str(tmp_path), data=True) == (
        False, "Nothing was done: client asked http://203.0.113.10/: it does not answer",
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_the_time_of_a_report_names_it(tmp_path):
    page = drill.keep(Report("http://x/", "client", 0, 1_780_000_000.0, []), str(tmp_path))
    assert page == f"{tmp_path}/haproxy_ha/drills/2026-05-28T20-26-40Z.html"
