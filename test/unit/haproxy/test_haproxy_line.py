"""Lines of haproxy.cfg as HAProxy takes them apart."""

import pytest

from haproxy_ha_lib.haproxy import line as haproxy_line

TIDY = {
    "Debian's own": ("log\t/dev/log\tlocal0", "log /dev/log local0"),
    "several": ("timeout \t connect   5000", "timeout connect 5000"),
    "around": ("\tmode\thttp\t", "mode http"),
    "double quotes": ('http-request  deny\tif { path "a\tb  c" }', 'http-request deny if { path "a\tb  c" }'),
    "single quotes": ("log-format  '%ci\t %si'", "log-format '%ci\t %si'"),
    "escaped blanks": ("log-format %ci\\ \\ %si \t%hr", "log-format %ci\\ \\ %si %hr"),
    "an escaped blank at the end": ("log-format %ci\\ ", "log-format %ci\\ "),
    "an escaped quote": ('a  \\"b  c', 'a \\"b c'),
    "quotes within a word": ('a=\'x  y\'"z\tz"  b', 'a=\'x  y\'"z\tz" b'),
    "a comment": ("maxconn\t10\t# ten\tor  so", "maxconn 10 # ten\tor  so"),
    "only a comment": ("#\tnothing", "#\tnothing"),
    "a comment at a word": ("maxconn\t10#ten  or", "maxconn 10#ten  or"),
    "what HAProxy refuses": ('a  "b  c', 'a  "b  c'),
    "a backslash at the end": ("a  b\\", "a  b\\"),
}


@pytest.mark.parametrize("case", TIDY)
def test_one_blank_stands_between_two_words(case):
    line, tidy = TIDY[case]
    assert haproxy_line.tidy(line) == tidy
    assert haproxy_line.tidy(tidy) == tidy


@pytest.mark.parametrize("line", ["listen x", '"listen" x', "lis'ten' x", "l\\isten x", "\\x6cisten x", "\tlisten\tx"])
def test_the_keyword_is_what_haproxy_understands(line):
    assert haproxy_line.keyword(line) == "listen"


@pytest.mark.parametrize("line", ["# listen", '"# listen"', "a listen", "listening"])
def test_what_begins_otherwise_is_another_keyword(line):
    assert haproxy_line.keyword(line) != "listen"
