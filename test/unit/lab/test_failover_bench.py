import json
import re
import threading

import pytest

from bench import addresses as costs
from bench.failover import alarms, idle, pauses, report, samples, timeline
from bench.failover.__main__ import Runner
from bench.failover.events import EVENTS
from bench.failover.systems import SYSTEMS
from bench.failover.trials import Trial, parts
from support import REPOSITORY

STRUCK = 1000.0
JOURNAL = """\
1000.450000 secondary pacemaker-based[20]:  notice: Node primary state is now lost
1000.460000 secondary pacemaker-controld[22]:  notice: Node primary state is now lost
1000.700000 secondary pacemaker-controld[22]:  notice: Initiating start operation FloatIP_start_0 locally on secondary
"""
VRRP = "1003.400000 secondary Keepalived_vrrp[7]: (VI_1) Entering MASTER STATE\n"


def sample(start, status=200, balancer="primary", taken=0.01):
    start, balancer = STRUCK + start, balancer if status == 200 else ""
    return {"start": start, "taken": taken, "status": status, "text": "Droplet: app-1, IP", "balancer": balancer}


def trial(*samples, moves=(), event="power-loss", system="haproxy_ha", recovered=True):
    moves = [{"begin": STRUCK + begin, "end": STRUCK + end} for begin, end in moves]
    return Trial(system, event, "primary", STRUCK, recovered, samples=list(samples), moves=moves)


ONE_SECOND = trial(sample(-0.1), sample(0.1, 0, taken=1.0), sample(0.9, balancer="secondary"), moves=[(0.8, 0.85)])


def test_a_gap_lies_between_good_answers():
    assert ONE_SECOND.gap == pytest.approx(1.0)


def test_a_gap_lasts_to_the_end_where_no_good_answer_comes():
    assert trial(sample(0), sample(0.5, 0, taken=1.0)).gap == pytest.approx(1.49)


def test_a_request_under_way_at_a_move_is_failed_and_not_lost():
    early = sample(0.1, 0, taken=0.2)
    moved = trial(sample(0), early, sample(0.7, 0, taken=0.3), moves=[(0.8, 0.85)])
    assert len(moved.failed) == 2
    assert moved.lost == [early]


@pytest.mark.parametrize(("journal", "moved", "expected"), [
    (JOURNAL, [(0.9, 0.95)], {"detection": 0.45, "pause": 0.25, "agent": 0.25}),
    (VRRP, [(3.5, 3.6)], {"detection": 3.4, "pause": 0, "agent": 0.2}),
    (JOURNAL, [], {}),
    ("-- No entries --\n", [(0.9, 0.95)], {}),
])
def test_the_parts_of_a_takeover_add_up(journal, moved, expected):
    assert parts(journal, trial(sample(0), moves=moved)) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "expected"), [([5], 5), ([1, 2, 3], 3), (list(range(1, 21)), 19)])
def test_percentiles_are_of_the_nearest_rank(values, expected):
    assert report.percentile(values, 95) == expected


def test_the_picture_has_a_bar_for_each_run_of_equal_answers():
    assert timeline.spans(ONE_SECOND) == [
        (pytest.approx(-0.09), pytest.approx(0.1), "primary"),
        (pytest.approx(0.1), pytest.approx(0.91), ""),
        (pytest.approx(0.91), pytest.approx(0.91), "secondary"),
    ]
    assert timeline.picture(report.rows([ONE_SECOND])).count("<rect") == 1 + len(timeline.LEGEND) + 3


@pytest.mark.parametrize(("back", "recovered", "told"), [
    (16.4, True, "served again after 16.5 s \u2192"), (16.4, False, "ill until mended \u2192"), (3.0, True, None),
])
def test_the_picture_tells_what_comes_beyond_its_axis(back, recovered, told):
    late = trial(sample(-0.1), sample(0.1, 0), sample(back, balancer="secondary"), recovered=recovered)
    drawn = timeline.picture(report.rows([late]))
    assert (drawn.count("\u2192"), f">{told}<" in drawn) == ((1, True) if told else (0, False))


def test_the_documents_are_written(tmp_path):
    lost = trial(sample(0), sample(0.5, 0, taken=1.0), event="hang", system="tutorial", recovered=False)
    report.write([ONE_SECOND, lost], tmp_path, None)
    text = (tmp_path / "failover.md").read_text(encoding="utf-8")
    assert "haproxy_ha, default settings | 1 | 1.00 s | 1.00 s | 1.00 s | 1 | 0 | 1 | 1 of 1 | 0 |\n" in text
    assert "the tutorial as written | 1 | 1.49 s | 1.49 s | 1.49 s | 1 | 1 | 0 | 0 of 1 | 0 |\n" in text
    assert "@" not in text


def test_the_page_names_the_events_that_it_lacks():
    all_but_one = [trial(sample(0), sample(1.0), event=event) for event in EVENTS if event != "kill"]
    assert "Not measured yet: SIGKILL of HAProxy.\n" in report.document(report.rows(all_but_one))
    complete = [*all_but_one, trial(sample(0), sample(1.0), event="kill")]
    assert "Not measured yet" not in report.document(report.rows(complete))


def test_other_addresses_have_rows_of_their_own(tmp_path):
    trials = [
        {"event": "failover", "addresses": ["IPv4", "IPv6"], "gaps": [0.1, 0.3], "failed": [0, 1], "load": 2.2},
        {"event": "power loss", "addresses": ["IPv4", "IPv6"], "gaps": [1.0, 2.0], "failed": [7, 8], "load": 2.6},
        {"event": "failover", "addresses": ["IPv4", "IPv6"], "gaps": [0.2, 0.1], "failed": [0, 2], "load": 9.0},
        {"event": "failover", "addresses": ["IPv4"], "gaps": [0.2], "failed": [0], "load": 1.0, "agents": "b1f9d4ca"},
    ]
    lines = report.kinds_rows({"pair": trials}).splitlines()
    assert lines == [
        "| failover | IPv4 | 1 | 2 | 0.15 s | 0.20 s | 0.20 s | 0 | 2 to 9 |",
        "| failover | IPv4 | 2 | 1 | 0.20 s | 0.20 s | 0.20 s | 0 | 1 to 1 |",
        "| failover | IPv6 | 1 | 2 | 0.20 s | 0.30 s | 0.30 s | 3 | 2 to 9 |",
        "| power loss | IPv4 | 1 | 1 | 1.00 s | 1.00 s | 1.00 s | 7 | 3 to 3 |",
        "| power loss | IPv6 | 1 | 1 | 2.00 s | 2.00 s | 2.00 s | 8 | 3 to 3 |",
    ]
    (tmp_path / report.KINDS).write_text(json.dumps({"pair": trials}), encoding="utf-8")
    report.write([ONE_SECOND], tmp_path, None)
    assert lines[0] in (tmp_path / "failover.md").read_text(encoding="utf-8")


def test_a_run_replaces_all_rows_of_its_events_and_no_others(tmp_path):
    peer = trial(sample(0), sample(2.0), system="tutorial")
    stays = trial(sample(0), sample(1.0), event="kill")
    build, docs = tmp_path / "build", tmp_path / "docs"
    for directory in (build, docs):
        directory.mkdir()
    report.write([ONE_SECOND, peer, stays], build, docs)
    report.write([trial(sample(0), sample(3.0))], build, docs)
    text = (tmp_path / "measurements" / "failover.json").read_text(encoding="utf-8")
    assert text == (build / "failover.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert [(row["event"], row["system"], row["gaps"]) for row in found] == [
        ("power-loss", "haproxy_ha", [3.0]),
        ("kill", "haproxy_ha", [1.0]),
    ]
    assert (docs / "failover.svg").read_text(encoding="utf-8") == timeline.picture(found)


def test_trials_are_kept_with_every_sample(tmp_path):
    assert samples.read(tmp_path, "haproxy_ha") == []
    for _ in range(2):
        samples.add(tmp_path, ONE_SECOND)
    kept = samples.read(tmp_path, "haproxy_ha")
    assert [(one.gap, len(one.failed), one.lost) for one in kept] == [(pytest.approx(1.0), 1, [])] * 2
    assert samples.packed(kept[0])["samples"] == [
        [-0.1, 0.01, 200, "primary", "app-1"], [0.1, 1.0, 0, "", "app-1"], [0.9, 0.01, 200, "secondary", "app-1"],
    ]  # fmt: skip


def test_what_is_missing_is_done_round_by_round(tmp_path):
    samples.add(tmp_path, ONE_SECOND)
    runner = Runner("haproxy_ha", "realm", tmp_path, threading.Semaphore(), threading.Event())
    assert runner.missing([("power-loss", 2), ("kill", 3)]) == ["kill", "power-loss", "kill", "kill"]
    assert runner.missing([("power-loss", 1)]) == []


def test_names_are_what_the_command_line_takes():
    assert all(name == event.name for name, event in EVENTS.items())
    assert all(name == system.name for name, system in SYSTEMS.items())


def test_a_page_gets_other_rows_and_keeps_its_words():
    text = "Before.\n\n| setting | minutes |\n|---|---|\n| fast | 1 |\n| slow | 2 |\n\nAfter.\n"
    assert report.with_rows(text, "| setting |", "| new | 3 |\n") == (
        "Before.\n\n| setting | minutes |\n|---|---|\n| new | 3 |\n\nAfter.\n"
    )
    empty = "| setting | minutes |\n|---|---|\n\n## After\n\nMore.\n"
    filled = "| setting | minutes |\n|---|---|\n| new | 3 |\n\n## After\n\nMore.\n"
    assert report.with_rows(empty, "| setting |", "| new | 3 |\n") == filled
    with pytest.raises(ValueError, match="no table"):
        report.with_rows(text, "| row |", "")


@pytest.mark.parametrize(("page", "table"), [
    (alarms.PAGE, alarms.TABLE), (idle.PAGE, idle.TABLE), (pauses.PAGE, pauses.TABLE), (costs.PAGE, costs.TABLE),
    ("failover.md", report.KINDS_TABLE),
])
def test_a_page_has_the_table_that_its_measurement_writes(page, table):
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    rows = re.search(rf"{re.escape(table)}[^\n]*\n[^\n]*\n((?:\|[^\n]*\n)+)", text)[1]
    assert report.with_rows(text, table, rows) == text
