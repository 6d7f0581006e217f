"""A secret of pillar that stands in another key as well: no message repeats it."""

import copy

import pytest

from haproxy_ha_lib.pillar import pasted, schema
from haproxy_ha_lib.pillar.shape import Value
from support.pillars import PEM, QUORUM_PEM, build, changed

PASSWORD = "pa$$'w\"rd{Of}Jane"
TOKEN = "thetokenoftheapi.1234567"
SECRETS = {
    "floating_ip:api_token": TOKEN,
    "haproxy:stats": {"page": True, "password": PASSWORD},
    "haproxy:certificates": {"shop": {"pem": PEM}},
    "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM},
}


def told(changes):
    built = build({**SECRETS, **changes})
    return "\n".join([*built.errors, *built.warnings])


VALUES = (TOKEN, f" {TOKEN}\n", f"Bearer {TOKEN}", TOKEN * 2, PASSWORD, f"é\n{PASSWORD}",
          f"admin:{PASSWORD} {'x ' * 40}")  # fmt: skip
PLACES = ("verify", "app_servers:app-1:port", "private_network", "cluster:name", "haproxy:tls", "cluster:fencing",
          "load_balancers:primary:private_ip", "cluster:primitives")  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
@pytest.mark.parametrize("place", PLACES)
def test_it_is_hidden_in_any_value_that_is_told(place, text):
    message = told({place: text})
    assert f"haproxy_ha:{place}" in message
    assert not [part for part in (TOKEN, PASSWORD, "w\"rd{Of}Jane", "rd{Of}Jane") if part in message], message


@pytest.mark.parametrize("number", range(20, 57))
def test_one_that_is_cut_is_hidden_as_far_as_it_is_there(number):
    message = told({"verify": "x " * (number // 2) + TOKEN})
    assert TOKEN[:4] not in message
    assert "found 'x x " in message


@pytest.mark.parametrize("place", ["app_servers", "haproxy", "haproxy:backends"])
def test_it_is_hidden_as_a_key(place):
    message = told({place: {TOKEN: 1}})
    assert f"haproxy_ha:{place}" in message and TOKEN not in message


@pytest.mark.parametrize("line", [1, 4])
def test_a_line_of_a_certificate_is_hidden(line):
    assert PEM.splitlines()[line] not in told({"verify": PEM.splitlines()[line]})


def test_it_is_hidden_wherever_a_value_may_stand_in_the_schema():
    """In every key that has one value: whoever describes it."""
    shown = []
    for path, node in schema.every_key():
        if isinstance(node, Value) and not node.secret and not any(step.startswith("<") for step in path):
            place = ":".join(path[1:])
            if place and f"'{TOKEN}'" in told({place: TOKEN}):
                shown.append(place)
    assert shown == []


def test_the_rest_of_a_message_stays():
    hide = pasted.hidden({"a": {"b": "certified"}, "c": "sdb://vault/one", "d": "haproxy", "e": None, "f": "short"})
    kept = "haproxy_ha:haproxy: found 'short' at sdb://vault/one, allowed: a certificate"
    assert hide(kept) == kept
    assert hide("haproxy_ha:x: found 'certified' (a string), allowed: a certified one") == (
        f"haproxy_ha:x: found '{pasted.HIDDEN}' (a string), allowed: a certified one"
    )


def test_a_pillar_is_as_it_was():
    tree = changed(SECRETS)
    before = copy.deepcopy(tree)
    pasted.hidden(schema.split(tree)[1])("x")
    assert tree == before
