"""What was found and what was meant, in words."""

import pytest

from saltext.pacemaker import words


@pytest.mark.parametrize("value, shown", [
    ("eighty", "'eighty' (a string)"),
    (80, "80 (a whole number)"),
    (None, "nothing"),
    ({"a": 1}, "a mapping"),
    (["a"], "a list"),
    ("a\nb", "'a\\nb' (a string)"),
    ("x " * 50, "'" + "x " * 28 + "... (a string)"),
    ("dop_v1_abc", "a string of 10 characters"),
    ("q3VoUS4GDBFNVRJ64LcjnOwlPyIt5ChsemFcn8MdU44Yci", "a string of 46 characters"),
])
def test_what_was_found_in_words(value, shown):
    assert words.describe(value) == shown


def test_a_secret_is_described_by_its_length():
    assert words.describe("hunter2", secret=True) == "a string of 7 characters"
    assert words.describe(123456, secret=True) == "a whole number"


def test_the_nearest_word():
    assert words.did_you_mean("flotaing_ip", ["floating_ip", "firewall"]) == ", did you mean floating_ip?"
    assert words.did_you_mean("zzz", ["floating_ip", "firewall"]) == ""
