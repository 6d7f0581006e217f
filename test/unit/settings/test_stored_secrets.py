"""Every secret key takes what a store, the master's gpg renderer and YAML make of a secret."""

import pytest

from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.settings.secret import stored
from haproxy_ha_lib.values import Invalid
from support.pillars import EXAMPLE, PEM, QUORUM_PEM, build, changed, valid

VALUES = {
    "floating_ip:api_token": EXAMPLE["floating_ip"]["api_token"], "cluster:authkey": EXAMPLE["cluster"]["authkey"],
    "haproxy:certificates:x:pem": PEM, "haproxy:stats:password": "hunter2hunter2",
    "cluster:quorum_device:helper_pem": QUORUM_PEM, "cluster:quorum_device:balancer_pem": QUORUM_PEM,
}  # fmt: skip
NEEDED = {"haproxy:stats:page": True, "quorum_helper": {"helper": {"private_ip": "10.132.20.50"}}}
EVERY = [":".join(path[1:]).replace("<certificate>", "x") for path, node in schema.every_key()
         if getattr(node, "secret", False)]
CIPHERTEXT = "-----BEGIN PGP MESSAGE-----\n\nhQEMAweRHKaPCfNeAQf9GLTN16hCfXAbPwU6BbBK0unO\n-----END PGP MESSAGE-----\n"
URL = "sdb://vault/secret/haproxy?it"


def whose(key):
    return "helper" if key.endswith("helper_pem") else "primary"


def given(key, value):
    return {**VALUES, **NEEDED, key: value}


def asked(changes, minion_id):
    return [(one.place, one.url) for one in stored(changed(changes), valid(changes, minion_id))]


def test_there_is_a_value_for_every_secret_key():
    assert sorted(VALUES) == sorted(EVERY)


@pytest.mark.parametrize("key", EVERY)
def test_a_url_of_a_store_stands_for_a_secret_and_is_asked_for_where_that_is_needed(key):
    changes = given(key, f"{URL}\n")
    assert asked(changes, whose(key)) == [(f"haproxy_ha:{key}", URL)]
    assert asked(changes, "app-1") == []
    assert URL not in str(valid(changes, whose(key)).as_dict())


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("ending", ["\n", "\n\n", "\r\n", " \n"])
def test_line_breaks_at_the_end_of_a_secret_are_no_part_of_it(key, ending):
    changes = given(key, URL)
    [one] = stored(changed(changes), valid(changes, whose(key)))
    assert one.read(VALUES[key].strip() + ending) == one.read(VALUES[key])
    valid(given(key, VALUES[key].strip() + ending), whose(key))


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("found", [CIPHERTEXT, CIPHERTEXT.replace("\n", " "), f"{CIPHERTEXT}\n"])
def test_what_the_master_could_not_decrypt_is_said_to_be_that(key, found):
    [message] = build(given(key, found), whose(key)).errors
    assert message.startswith(f"haproxy_ha:{key}: could not be decrypted on the master")
    assert "hQEMA" not in message and "generate" not in message


@pytest.mark.parametrize("place, changes", [
    ("cluster:primitives:Fence:params:password", {"cluster:primitives": {
        "Fence": {"agent": "stonith:fence_ipmilan", "params": {"ip": "10.132.20.5", "password": CIPHERTEXT}}}}),
    ("cluster:primitives:Fence:operations:0:params:1",
     {"cluster:primitives": {"Fence": {"operations": [{"params": ["x", CIPHERTEXT]}]}}}),
    ("haproxy:userlists:staff:0", {"haproxy:userlists": {"staff": [CIPHERTEXT]}}),
])
def test_what_the_master_could_not_decrypt_is_seen_where_no_key_is_secret(place, changes):
    [message] = build(changes).errors
    assert message.startswith(f"haproxy_ha:{place}: could not be decrypted on the master")


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("url", ["sdb://", "sdb://vault", "sdb://vault/", "sdb:///x", "sdb://vault/a\nb"])
def test_a_url_without_a_profile_or_a_key_is_refused(key, url):
    [message] = build(given(key, url), whose(key)).errors
    assert message.startswith(f"haproxy_ha:{key}: found a string of ")
    assert message.endswith("allowed: the URL of a store, sdb://<profile>/<key>")


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("found", ["hunter2", 12345678, {"hunter2": "x"}, ["hunter2"], "", CIPHERTEXT, "hunter2\0" * 9])
def test_what_a_store_has_is_checked_and_not_shown(key, found):
    changes = given(key, URL)
    [one] = stored(changed(changes), valid(changes, whose(key)))
    with pytest.raises(Invalid) as caught:
        one.read(found)
    message = str(caught.value)
    assert message.startswith(f"haproxy_ha:{key}: {URL} has a") and ", allowed: " in message
    assert "hunter2" not in message and "12345678" not in message and "hQEMA" not in message


@pytest.mark.parametrize("changes", [
    {"floating_ip": {"address": "10.132.20.100", "provider": "ipaddr2", "api_token": URL}},
    {"haproxy:stats": {"password": URL}},
    {"cluster:quorum_device": {"balancer_pem": URL}},
    {"quorum_helper": NEEDED["quorum_helper"], "cluster:quorum_device": {"tls": False, "balancer_pem": URL}},
], ids=["no API", "no statistics", "no helper", "no TLS"])
def test_a_store_is_not_asked_for_what_nobody_needs(changes):
    assert asked(changes, "primary") == []


def test_where_no_secret_is_a_url_is_a_text_like_any_other():
    [message] = build({"floating_ip:address": URL}).errors
    assert message == f"haproxy_ha:floating_ip:address: found '{URL}' (a string), allowed: an IPv4 or IPv6 address"


# A token file that something else writes

REMOTE = {"floating_ip:api_token": None, "floating_ip:token_file": "/run/vault/token"}


def test_a_token_file_that_pillar_names_stands_for_the_token():
    assert valid(REMOTE).floating_ip.foreign_token is True
    assert valid({**REMOTE, "floating_ip:token_file": "/etc/haproxy_ha/token"}).floating_ip.foreign_token is True
    assert valid({"floating_ip:token_file": "/run/vault/token"}).floating_ip.foreign_token is False


def test_a_token_that_was_forgotten_is_an_error_all_the_same():
    [message] = build({"floating_ip:api_token": None}).errors
    assert message.startswith("haproxy_ha:floating_ip:api_token: missing: ")
