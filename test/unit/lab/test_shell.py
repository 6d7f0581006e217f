"""Waits of the lab: bounded, and told when they take long."""

import time

import pytest

from lab import shell


def test_a_wait_that_takes_long_says_what_for_and_for_how_long_at_most(monkeypatch, capsys):
    monkeypatch.setattr(shell, "QUIET", 0.02)
    end = time.monotonic() + 0.1
    assert shell.wait_for("the kettle", lambda: time.monotonic() > end, 30, 0.01)
    assert "waiting, for 30 s at most, for the kettle" in capsys.readouterr().err


def test_a_short_wait_says_nothing(capsys):
    assert shell.wait_for("the kettle", lambda: "tea", 30) == "tea"
    assert capsys.readouterr().err == ""


def test_a_wait_in_vain_is_an_error_that_names_it():
    with pytest.raises(shell.LabError, match="waited 0.01 s in vain for the kettle"):
        shell.wait_for("the kettle", lambda: None, 0.01, 0.001)
