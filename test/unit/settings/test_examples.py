"""Secrets that everybody knows are refused wherever somebody could have the machines."""

import base64

import pytest

from haproxy_ha_lib.settings.secret import stored
from haproxy_ha_lib.values import Invalid
from support.pillars import EXAMPLE, PEM, REMOVED, build, changed, valid

OWN_TOKEN = "dop_v1_" + "0123456789abcdef" * 4
OWN_KEY = base64.b64encode(bytes(range(256))).decode()
REAL = {"floating_ip:address": "164.90.240.10"}
LAN = {"floating_ip:address": "192.168.1.10", "floating_ip:provider": "ipaddr2", "floating_ip:api_token": REMOVED,
       "load_balancers:primary:public_ip": "192.168.1.11", "load_balancers:secondary:public_ip": "192.168.1.12"}
OF_A_LAN = {"load_balancers:primary:private_ip": "192.168.1.21", "load_balancers:secondary:private_ip": "192.168.1.22",
            "load_balancers:primary:public_ip": "203.0.113.21", "load_balancers:secondary:public_ip": "203.0.113.22"}
NO_PUBLIC = {"load_balancers:primary:public_ip": REMOVED, "load_balancers:secondary:public_ip": REMOVED}
KNOWN = "everybody knows this one, from an example; allowed: "
TOKEN_MESSAGE = f"haproxy_ha:floating_ip:api_token: {KNOWN}a token of your own"
KEY_MESSAGE = f"haproxy_ha:cluster:authkey: {KNOWN}what `salt-call --local haproxy_ha.generate_authkey` prints"
OF_THE_API_S_DOCUMENTS = "77e027c7447f468068a7d4fea41e7149a75a94088082c66fcf555de3977f69d3"


def test_the_lab_has_the_examples_secrets():
    valid()
    valid({"floating_ip": {"address": "10.132.20.100", "provider": "ipaddr2"}})


@pytest.mark.parametrize("changes, messages", [
    (REAL, [KEY_MESSAGE, TOKEN_MESSAGE]),
    ({**REAL, "floating_ip:api_token": OWN_TOKEN}, [KEY_MESSAGE]),
    ({**REAL, "floating_ip:api_token": OWN_TOKEN, "cluster:authkey": EXAMPLE["cluster"]["authkey"] + " "},
     [KEY_MESSAGE]),
    ({**REAL, "cluster:authkey": OWN_KEY}, [TOKEN_MESSAGE]),
    (LAN, [KEY_MESSAGE]),
    ({**LAN, **NO_PUBLIC}, [KEY_MESSAGE]),
    ({**LAN, **OF_A_LAN}, [KEY_MESSAGE]),
], ids=["both", "the key", "the key with a line break", "the token", "a LAN", "a LAN, no public addresses",
        "a LAN, the example's public addresses left there"])
def test_who_copies_the_example_and_changes_the_addresses_is_told(changes, messages):
    assert build(changes).errors == messages
    assert build(changes, "app-1").errors == []


@pytest.mark.parametrize("token", [
    "dop_v1_" + "0" * 64, "dop_v1_" + "x" * 64, "x" * 64, OF_THE_API_S_DOCUMENTS, "your_digitalocean_api_token",
    "dop_v1_change_me_change_me", "dop_v1_your-token-goes-here", "example-token-of-20-letters",
])
def test_what_documents_have_for_a_token_is_none(token):
    assert build({**REAL, "cluster:authkey": OWN_KEY, "floating_ip:api_token": token}).errors == [TOKEN_MESSAGE]


@pytest.mark.parametrize("password", ["changeme", "ChangeMe123!", "change_me", "password", "Password1", "xxxxxxxx",
                                      "please-change-me", "placeholder", "your-password"])
def test_a_password_that_stands_for_one_is_none(password):
    changes = {**REAL, "cluster:authkey": OWN_KEY, "floating_ip:api_token": OWN_TOKEN,
               "haproxy:stats": {"page": True, "password": password}}
    assert build(changes).errors == [f"haproxy_ha:haproxy:stats:password: {KNOWN}a password of your own"]


@pytest.mark.parametrize("key", ["A" * 172, base64.b64encode(b"x" * 256).decode()])
def test_a_key_of_one_byte_is_none(key):
    assert build({**REAL, "cluster:authkey": key, "floating_ip:api_token": OWN_TOKEN}).errors == [KEY_MESSAGE]


@pytest.mark.parametrize("changes", [
    {"floating_ip:api_token": OWN_TOKEN}, {"floating_ip:api_token": "0123456789abcdef" * 4},
    {"floating_ip:api_token": "sdb://vault/example-token"}, {"cluster:authkey": "sdb://changeme/changeme"},
    {"haproxy:stats": {"page": True, "password": "$ecret-word12"}},
    {"haproxy:stats": {"page": True, "password": "passwordless-entry"}},
    {"haproxy:certificates": {"x": {"pem": PEM}}},
])
def test_ones_own_are_taken(changes):
    valid({**REAL, "cluster:authkey": OWN_KEY, "floating_ip:api_token": OWN_TOKEN, **changes})


@pytest.mark.parametrize("key, known, own, allowed", [
    ("floating_ip:api_token", "dop_v1_change_me_change_me", OWN_TOKEN, "a token of your own"),
    ("floating_ip:api_token", EXAMPLE["floating_ip"]["api_token"], OWN_TOKEN, "a token of your own"),
    ("cluster:authkey", "A" * 172, OWN_KEY, "what `salt-call --local haproxy_ha.generate_authkey` prints"),
    ("haproxy:stats:password", "changeme", "$ecret-word12", "a password of your own"),
])
def test_a_store_has_none_that_everybody_knows_but_in_a_lab(key, known, own, allowed):
    changes = {"cluster:authkey": OWN_KEY, "floating_ip:api_token": OWN_TOKEN, "haproxy:stats:page": True,
               key: "sdb://own/x"}
    [of_a_lab] = stored(changed(changes), valid(changes))
    assert of_a_lab.read(known) == known
    [one] = stored(changed({**REAL, **changes}), valid({**REAL, **changes}))
    assert one.read(own) == own
    with pytest.raises(Invalid) as caught:
        one.read(f"{known}\n")
    message = f"haproxy_ha:{key}: sdb://own/x has a string of {len(known) + 1} characters, allowed: {allowed}; "
    assert str(caught.value) == f"{message}everybody knows this one, from an example"
