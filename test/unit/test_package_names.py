"""Of several names of a package, the right one."""

import pytest

from haproxy_ha_lib import package_names

CHOICES = {
    "what is installed": (["b"], {"a", "b"}, (["b"], [])),
    "the first that can be installed": ([], {"a", "b"}, (["a"], [])),
    "the second where the first is not known": ([], {"b"}, (["b"], [])),
    "the first where nobody knows": ([], None, (["a"], [])),
    "none": ([], set(), ([], ["a | b"])),
}


@pytest.mark.parametrize("case", CHOICES)
def test_of_several_names_the_first_that_there_is_counts(case):
    installed, candidates, wanted = CHOICES[case]
    assert package_names.chosen(["a | b"], installed, candidates) == wanted


def test_two_entries_may_be_one_package():
    both = ["a | b", "a | c"]
    assert package_names.chosen(both, [], {"a"}) == (["a"], [])
    assert package_names.chosen(both, [], {"b", "c"}) == (["b", "c"], [])
