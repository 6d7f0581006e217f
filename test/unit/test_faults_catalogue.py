from faults.catalogue import FAULTS
from faults.fault import Fault, Outcome
from faults.report import write


def test_there_are_at_least_sixty_faults_of_different_names():
    assert len(FAULTS) >= 60
    assert all(name == fault.name for name, fault in FAULTS.items())


def test_every_bound_is_a_bound():
    assert [fault.name for fault in FAULTS.values() if not 0 < fault.gap <= 60 or fault.moves > 3] == []


def test_a_fault_that_clients_notice_says_so(tmp_path):
    seen = Outcome(Fault("one", "hosts", "its end", lambda scene: None), gap=1.5, failed=3, moves=1, calls=5)
    unseen = Outcome(Fault("two", "hosts", "its doubt", lambda scene: None), problems=["a | b"])
    write([seen, unseen], tmp_path)
    text = (tmp_path / "faults.md").read_text(encoding="utf-8")
    assert "## Hosts\n" in text
    assert "| its end | 1.50 s, 3 failed | 1 | 5 | nothing | all well |\n" in text
    assert "| its doubt | nothing | 0 | 0 | nothing | a / b |\n" in text
