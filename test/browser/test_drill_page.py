"""The page of a drill, as a browser shows it."""

import pytest

from haproxy_ha_lib.drill.report import Report
from haproxy_ha_lib.drill.trial import Sample, Trial
from support import browser

BEGAN = 1_780_000_000
STATUS = [0 if 300 <= at < 340 else 200 for at in range(750)]
TRIALS = [
    Trial("failover", "a", "b", [Sample(BEGAN + at / 50, 0.002, 200) for at in range(750)]),
    Trial("kill", "b", "b", [Sample(BEGAN + at / 50, 0.002, status) for at, status in enumerate(STATUS)]),
]


# On a phone the picture is moved, not the page.
@pytest.mark.parametrize(("width", "picture"), [(1280, 960), (380, 640)], ids=["desk", "phone"])
def test_the_page_of_a_drill_shows_each_trial_and_its_gap(tmp_path, width, picture):
    report = Report("http://203.0.113.10/", "client", 0.5, BEGAN, TRIALS)
    (tmp_path / "drill.html").write_text(report.page(), encoding="utf-8")
    page = browser.look(tmp_path, "drill.html", width, "svg", "line[stroke='#b00020']", "rect", "svg text")
    assert (page.width, page.needs <= width, page.broken) == (width, True, [])
    assert "TOO LONG" in page.text and "The limit was exceeded." in page.text
    pictures, failed, gaps, words = page.parts.values()
    assert [(round(one["width"]), one["height"] > 100) for one in pictures] == [(picture, True)] * 2
    assert len(failed) == 40 and all(one["seen"] for one in failed[::10])
    assert gaps[1]["width"] > gaps[0]["width"]
    assert all(one["height"] >= 9 for one in words)  # pixels: people can read it
