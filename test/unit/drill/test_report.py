"""The report of a drill: as data, as text, as a page."""

import json
import xml.etree.ElementTree as ET

import pytest

from haproxy_ha_lib.drill import report
from haproxy_ha_lib.drill.report import Report
from haproxy_ha_lib.drill.trial import Sample, Trial

BEGAN = 1_780_000_000
WELL = Trial("failover", "a", "b", [Sample(BEGAN + at / 50, 0.002, 200) for at in range(50)])
GAP = [0 if 10 <= at < 40 else 200 for at in range(50)]
ILL = Trial("kill", "b", "b", [Sample(BEGAN + at / 50, 0.002, status) for at, status in enumerate(GAP)])


def made(*trials, limit=0.5, problem="", url="http://203.0.113.10/"):
    return Report(url, "client", limit, BEGAN, trials, problem)


@pytest.mark.parametrize(("trials", "limit", "problem", "well", "said"), [
    ((WELL,), 0.5, "", True, "All is well."),
    ((WELL, ILL), 0.5, "", False, "The limit was exceeded."),
    ((WELL, ILL), 0, "", True, "All is well."),
    ((WELL,), 0.5, "a has not come back", False, "It ended early: a has not come back"),
])
def test_a_drill_is_well_if_it_ends_and_no_gap_is_too_long(trials, limit, problem, well, said):
    told = made(*trials, limit=limit, problem=problem)
    assert (told.well, told.text().splitlines()[-1]) == (well, said)
    assert told.data()["well"] is well


def test_the_text_has_a_line_for_each_trial():
    head, first, second, _ = made(WELL, ILL).text().splitlines()
    assert head == "Drill of 2026-05-28 20:26:40 UTC: client asked http://203.0.113.10/; allowed: a gap of 0.5 s"
    assert first.split() == "failover: a to b 0.02 s without an answer, 0 of 50 requests failed".split()
    assert second.split() == "kill on b 0.62 s without an answer, 30 of 50 requests failed TOO LONG".split()


def test_the_data_is_plain():
    assert json.loads(json.dumps(made(WELL).data()))["trials"][0]["requests"] == 50


def test_the_page_is_whole_and_shows_each_request():
    page = made(WELL, ILL, url="http://x/?a=<b>&c").page()
    root = ET.fromstring(page.partition("\n")[2].replace('<meta charset="utf-8">', "").replace(
        '<meta name="viewport" content="width=device-width, initial-scale=1">', ""))
    assert [head.text for head in root.iter("h2")] == ["failover: a to b", "kill on b"]
    assert "http://x/?a=<b>&c" in root.find("body/h1").text
    for svg, trial in zip(root.iter("svg"), (WELL, ILL), strict=True):
        lines = [line.get("stroke") for line in svg.iter("line")]
        assert (len(lines), lines.count("#b00020")) == (50, len(trial.failed))
    assert "http" not in page.partition("</h1>")[2]  # nothing is fetched


def test_the_timeline_shades_the_gap_where_it_was():
    shaded = ET.fromstring(report.timeline(ILL)).find("rect")
    requests = [float(line.get("x1")) for line in ET.fromstring(report.timeline(ILL)).iter("line")]
    begin = float(shaded.get("x"))
    assert begin == pytest.approx(requests[9], abs=3)
    assert begin + float(shaded.get("width")) == pytest.approx(requests[40], abs=3)
    assert shaded.find("title").text == "0.62 s without an answer"


@pytest.mark.parametrize("seconds", [0.02, 1, 10, 59, 600])
def test_the_axis_has_a_few_numbers(seconds):
    trial = Trial("kill", "a", "a", [Sample(BEGAN + at * seconds / 50, 0.001, 200) for at in range(51)])
    texts = ET.fromstring(report.timeline(trial)).iter("text")
    labels = [text.text for text in texts if text.get("text-anchor") == "middle"]
    assert 1 <= len(labels) <= 13 and labels[0] == "0 s"


def test_without_a_request_there_is_no_picture():
    assert report.timeline(Trial("kill", "a", "a", [])) == ""
