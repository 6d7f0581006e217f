"""HAProxy's sandbox: a drop-in as systemd reads it, and what cannot be in it."""

import pytest

from haproxy_ha_lib.haproxy import sandbox


def test_the_drop_in_has_each_property_on_a_line():
    mark, section, *lines, end = sandbox.drop_in("Managed by somebody").split("\n")
    assert (mark, section, end) == ("# Managed by somebody.", "[Service]", "")
    assert lines == list(sandbox.PROPERTIES)
    assert len({line.partition("=")[0] for line in lines}) == len(lines)


@pytest.mark.parametrize("text, what", [
    ("    server a 192.0.2.1:80 namespace blue", "the keyword namespace"),
    ("\tbind 192.0.2.1:80\tnamespace blue\n", "the keyword namespace"),
    ("program dataplane\n    command /usr/bin/x", "a section program"),
])
def test_what_needs_more_is_said(text, what):
    assert sandbox.obstacle(f"global\n{text}\n") == (
        f"haproxy_ha:haproxy:sandbox: found true, allowed: false with {what}"
    )


@pytest.mark.parametrize("text", [
    "    # a namespace of its own",
    "    http-request set-header X-A \"a namespace b\"",
    "backend program\n    balance source",
])
def test_what_only_looks_so_is_allowed(text):
    assert sandbox.obstacle(f"{text}\n") is None
