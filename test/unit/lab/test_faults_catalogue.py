import json

import pytest

from faults import report
from faults.catalogue import FAULTS
from faults.fault import Fault, Outcome
from support import REPOSITORY


def test_there_are_at_least_sixty_faults_of_different_names():
    assert len(FAULTS) >= 60
    assert all(name == fault.name for name, fault in FAULTS.items())


def test_every_bound_is_a_bound():
    assert [fault.name for fault in FAULTS.values() if not 0 < fault.gap <= 60 or fault.moves > 3] == []


@pytest.fixture
def docs(tmp_path):
    """The folder of pages; measurements go beside it."""
    directory = tmp_path / "docs"
    directory.mkdir()
    return directory


@pytest.fixture
def three(monkeypatch):
    """A catalogue of three faults."""
    faults = {name: Fault(name, "hosts", f"the {name}", lambda scene: None) for name in ("one", "two", "three")}
    monkeypatch.setattr(report, "FAULTS", faults)
    return faults


def test_a_fault_that_clients_notice_says_so(docs, three):
    seen = Outcome(three["one"], gap=1.5, failed=3, moves=1, calls=5, load=2.4)
    unseen = Outcome(three["two"], load=0.1, problems=["a | b"])
    report.write([seen, unseen], docs)
    text = (docs / "failure-modes.md").read_text(encoding="utf-8")
    assert "## Hosts\n" in text
    assert "| the one | 1.50 s, 3 failed | 1 | 5 | nothing | all well |\n" in text
    assert "| the two | nothing | 0 | 0 | nothing | a / b |\n" in text
    assert "2 of 3 faults ran; not three. The machine's load average per core was 0.1 to 2.4 meanwhile." in text


def test_the_worst_of_several_runs_is_shown_and_other_runs_rows_stay(docs, three):
    report.write([Outcome(three["two"], gap=2.0)], docs)
    report.write([Outcome(three["one"], gap=9.0), Outcome(three["three"])], docs)
    report.write([Outcome(three["one"], gap=0.5, moves=1), Outcome(three["one"], gap=0.4)], docs)
    known = json.loads((docs.parent / "measurements" / "failure-modes.json").read_text(encoding="utf-8"))
    assert [(name, len(runs)) for name, runs in known.items()] == [("one", 2), ("two", 1), ("three", 1)]
    text = (docs / "failure-modes.md").read_text(encoding="utf-8")
    assert "| the one | 0.50 s, 0 failed | 0 or 1 | 0 | nothing | all well |\n" in text
    assert "| the two | 2.00 s" in text
    assert "3 of 3 faults ran. The" in text


def test_what_is_committed_is_of_this_catalogue():
    """A fault that was renamed or dropped leaves no row behind, and the page is what its data say."""
    known = json.loads((REPOSITORY / "measurements" / "failure-modes.json").read_text(encoding="utf-8"))
    assert set(known) <= set(FAULTS)
    assert (REPOSITORY / "docs" / "failure-modes.md").read_text(encoding="utf-8") == report.page(known)
