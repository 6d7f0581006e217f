"""Waits say what for, and end when it makes no sense to go on."""

import time

from haproxy_ha_host import waiting


def test_what_is_there_is_not_waited_for_and_nothing_is_said():
    assert waiting.until(lambda: ("", 120), 120, print) == ""


def test_what_will_not_come_ends_the_wait_at_once(capsys):
    began = time.monotonic()
    assert waiting.until(lambda: ("n2 is off", 0), 120, print) == "n2 is off"
    assert (time.monotonic() - began < 1, capsys.readouterr().out) == (True, "")


def test_what_is_waited_for_is_said_at_once_and_again(monkeypatch):
    monkeypatch.setattr(waiting, "SAY_SECONDS", 0.1)
    said = []
    assert waiting.until(lambda: ("n2", 0.35), 120, said.append, 0.01) == "n2"
    assert 3 <= len(said) <= 4
    assert said[0] == "waiting, for 0 s at most: n2"


def test_another_thing_that_is_missing_begins_a_time_of_its_own():
    began, answers = time.monotonic(), iter([("one", 0.2)] * 2 + [("other", 0.2)] * 2 + [("", 0.2)])
    assert waiting.until(lambda: next(answers), 120, lambda text: None, 0.09) == ""
    assert time.monotonic() - began > 0.3


def test_there_is_an_end_in_any_case():
    numbers = iter(range(1000))
    said = waiting.until(lambda: (str(next(numbers)), 60), 0.2, lambda text: None, 0.01)
    assert 5 < int(said) < 1000
