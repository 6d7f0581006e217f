"""The parts of a machine that the formula changes: their names, and what people are told of them."""

import ast

import pytest
from salt.exceptions import SaltInvocationError

from haproxy_ha_host import leftovers
from haproxy_ha_host.parts import table
from haproxy_ha_host.parts.outcome import Outcome
from support import REPOSITORY
from support.told import minion

MINION = object()
ALONE = [name for name in table.names() if "<" not in name]


def documented():
    """The docstring of haproxy_ha.plan."""
    module = ast.parse((REPOSITORY / "_modules" / "haproxy_ha.py").read_text(encoding="utf-8"))
    return next(ast.get_docstring(node) for node in module.body if getattr(node, "name", None) == "plan")


@pytest.mark.parametrize("name", table.names())
def test_every_part_is_in_the_documentation_of_the_module(name):
    assert f"``{name}``" in documented()


@pytest.mark.parametrize("name", [*ALONE, "running:nginx", "restarted:nginx", "dead:nginx", "disabled:haproxy"])
def test_every_part_is_planned_and_applied(name):
    part = table.find(name, MINION)
    assert part.minion is MINION
    assert callable(part.plan) and callable(part.apply)


@pytest.mark.parametrize("name, message", [
    ("pages", "part: found 'pages', allowed: agents, firewall, leftovers, page"),
    ("page:x", "part: found 'page:x', allowed: agents"),
    ("files", "part: found 'files', allowed: agents"),
    ("running:", "part: found 'running:', allowed: agents"),
    ("files:/etc/passwd", "daemon: found '/etc/passwd', allowed: nginx, haproxy, corosync"),
    ("secret:password", "secret: found 'password', allowed: api_token, authkey"),
    ("removed:all", "part: found 'all', allowed: cluster"),
])  # fmt: skip
def test_a_part_that_is_none_is_named_with_those_that_are(name, message):
    with pytest.raises(SaltInvocationError) as caught:
        table.find(name, MINION)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("outcome, comment", [
    (Outcome("The page is in place"), "The page is in place"),
    (Outcome("It is", notes=("nginx was reloaded", "")), "It is; nginx was reloaded"),
    (Outcome("It is", kept="/var/x"), "It is; what was there before is kept in /var/x"),
    (Outcome("It would be", refusal="nginx refuses it"), "nginx refuses it"),
])
def test_people_are_told_all_of_it_in_a_sentence(outcome, comment):
    assert outcome.data()["comment"] == comment


@pytest.mark.parametrize("found", [{}, {"/etc/.x": "a file that has not got its name"}])
def test_what_killed_runs_left_is_a_part(monkeypatch, found):
    for verb in ("find", "remove"):
        monkeypatch.setattr(leftovers, verb, lambda places: found)
    part = table.find("leftovers", minion())
    changes = {thing: {"old": what, "new": None} for thing, what in found.items()}
    assert part.plan().changes == part.apply().changes == changes
    assert ("No run" in part.plan().comment) == ("No run" in part.apply().comment) == (not found)
