"""What values mean to Pacemaker."""

import pytest

from saltext.pacemaker.cib import values

SAME = [
    ("duration", ["10", "10s", "10 s", "10sec", "10000ms", "10000000us", "PT10S", "P10S"]),
    ("duration", ["1h", "60min", "60m", "3600", "PT1H", "PT60M"]),
    ("duration", ["P1D", "24h"]),
    ("score", ["INFINITY", "+INFINITY", "inf", "infinity", 1000000, "2000000", float("inf")]),
    ("score", ["-INFINITY", "-inf", -1000000]),
    ("score", ["5", "+5", 5]),
    ("boolean", ["true", "yes", "on", "y", "1", "TRUE", True]),
    ("boolean", ["false", "no", "off", "n", "0", False]),
    ("role", ["Promoted", "Master", "master", "promoted"]),
    ("role", ["Unpromoted", "Slave"]),
    ("role", ["Started", "started"]),
    ("integer", ["3", 3, "+3"]),
    ("word", ["Mandatory", "mandatory"]),
]
DIFFERENT = [
    ("duration", "10", "10ms"),
    ("duration", "1m", "1ms"),
    ("score", "INFINITY", "-INFINITY"),
    ("score", "1", "true"),
    ("boolean", "true", "maybe"),
    ("boolean", "2", "true"),
    ("role", "Started", "Stopped"),
    ("text", "true", "yes"),
    ("text", "10", "10s"),
]


@pytest.mark.parametrize(("kind", "spellings"), SAME, ids=str)
def test_spellings_of_one_value_have_one_meaning(kind, spellings):
    assert len({values.meaning(kind, spelling) for spelling in spellings}) == 1
    assert [values.allowed(kind, spelling) for spelling in spellings] == [None] * len(spellings)


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_different_values_have_different_meanings(kind, one, other):
    assert values.meaning(kind, one) != values.meaning(kind, other)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("duration", "soon"), ("score", "high"), ("boolean", "perhaps"), ("role", "King"), ("integer", "1.5")],
)
def test_a_value_of_another_type_is_refused_and_stands_for_itself(kind, value):
    assert values.allowed(kind, value)
    assert values.meaning(kind, value) == value


@pytest.mark.parametrize("value", [None, [], {}])
def test_only_single_values_are_allowed(value):
    assert values.allowed("text", value) == "a single value"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (False, "false"),
        (10, "10"),
        (1.0, "1"),
        (float("-inf"), "-INFINITY"),
        ("+INFINITY", "+INFINITY"),
    ],
)
def test_yaml_values_are_written_as_pacemaker_reads_them(value, written):
    assert values.spelled("score" if isinstance(value, float) else "text", value) == written


@pytest.mark.parametrize(("role", "old", "written"), [("Promoted", True, "Master"), ("Master", False, "Promoted")])
def test_roles_are_written_in_the_words_of_the_schema(role, old, written):
    assert values.spelled("role", role, old_roles=old) == written


@pytest.mark.parametrize("name", [
    "passwd", "password", "do_token", "api_token", "secret", "secret_key", "key", "apikey", "api_key", "snmp_community",
    "community", "pass", "webhook",
])  # fmt: skip
def test_secrets_are_known_by_name(name):
    assert values.is_secret(name)


@pytest.mark.parametrize("value", [
    "-----BEGIN RSA PRIVATE KEY-----\nx", "-----BEGIN PRIVATE KEY-----", "dop_v1_" + "0123456789abcdef" * 4,
    "https://user:hunter2@example.com/x", "postgres://:hunter2@db/x", "ghp_" + "a" * 36, "xoxb-1-2-x",
    "https://hooks.slack.com/services/T0/B0/x", "https://discord.com/api/webhooks/1/x", "AKIAIOSFODNN7EXAMPLE",
])  # fmt: skip
def test_secrets_are_known_by_what_they_look_like(value):
    assert values.is_secret("anything", value)


@pytest.mark.parametrize("value", [
    "/usr/lib/postgresql/15/bin/postgres-with-a-long-name", "https://api.digitalocean.com", "203.0.113.10", "user@host",
    "http://[2001:db8::1]:8080/x@y", "rsync://host:873/x", "5000ms", 7, None,
    "uuid-0123456789abcdef0123456789abcdef0123456",
])  # fmt: skip
def test_other_values_are_shown(value):
    assert not values.is_secret("anything", value)


@pytest.mark.parametrize("name", ["token_file", "passwd_script", "key_file", "monkey", "ip", "ovn_nb_db_privkey"])
def test_places_of_secrets_are_no_secrets(name):
    assert not values.is_secret(name)


def test_former_names_of_options_are_the_same_option():
    assert values.canonical_name("properties", "fencing-enabled") == "stonith-enabled"
    assert values.option_type("properties", "fencing-enabled") == "boolean"
