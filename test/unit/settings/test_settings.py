"""Pillar as settings: what is right, roles, secrets, and whatever else pillar may say."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from haproxy_ha_lib import values
from haproxy_ha_lib.pillar import schema, shape
from haproxy_ha_lib.pillar.shape import Value
from haproxy_ha_lib.settings.build import secrets, settings
from haproxy_ha_lib.settings.types import Settings
from saltext.pacemaker.errors import Problem
from support.pillars import DEFAULTS, EXAMPLE, PEM, QUORUM_PEM, REMOVED, build, changed, text_of, valid

NODES = "haproxy_ha:load_balancers"
IN_THE_CLEAR = {"cluster:quorum_device:tls": False}


def test_pillar_example_is_right_for_every_machine():
    for minion in ("primary", "secondary", "app-1", "app-2", "elsewhere"):
        built = valid(minion_id=minion)
        assert built.warnings == []


def test_no_pillar_is_one_error():
    built = settings(None, "primary", DEFAULTS)
    assert built.errors == ["haproxy_ha: this minion's pillar has no such tree; pillar.example shows one"]
    assert built.roles == []


@pytest.mark.parametrize("tree", ["text", ["list"], 5, True])
def test_a_pillar_that_is_no_mapping_is_an_error(tree):
    assert "haproxy_ha: found" in "\n".join(settings(tree, "primary", DEFAULTS).errors)


def test_all_errors_at_once_sorted_by_path_with_list_entries_in_order():
    lines = ["daemon"] * 12
    lines[2] = lines[10] = 5
    errors = build({"haproxy:global": lines, "verify": 1, "app_servers:app-1:port": 0, "cluster:token": "x"}).errors
    assert [error.split(": ")[0] for error in errors] == [
        "haproxy_ha:app_servers:app-1:port",
        "haproxy_ha:cluster:token",
        "haproxy_ha:haproxy:global:2",
        "haproxy_ha:haproxy:global:10",
        "haproxy_ha:verify",
    ]


def test_the_pillar_and_the_defaults_are_left_as_they_were():
    tree, defaults = copy.deepcopy(EXAMPLE), copy.deepcopy(DEFAULTS)
    settings(tree, "primary", defaults)
    assert (tree, defaults) == (EXAMPLE, DEFAULTS)


# Roles


@pytest.mark.parametrize("minion, roles", [
    ("primary", ["load_balancer"]),
    ("app-1", ["app_server"]),
    ("secondary", ["load_balancer", "app_server"]),
    ("legacy", []),
    ("app-2", ["app_server", "quorum_helper"]),
    ("elsewhere", []),
])
def test_roles(minion, roles):
    changes = {"app_servers:secondary": {"port": 8080}, "quorum_helper": {"app-2": None}, **IN_THE_CLEAR,
               "app_servers:legacy": {"private_ip": "10.132.20.9", "managed": False}}
    assert valid(changes, minion).roles == roles


def test_a_minion_without_a_role_needs_no_address_but_its_pillar_is_checked():
    bare = {"load_balancers": {"primary": None}, "app_servers": {"app-1": None}}
    assert valid(bare, "elsewhere").roles == []
    assert build({**bare, "verify": 1}, "elsewhere").errors != []


def test_unmanaged_servers_may_share_a_host():
    valid({"app_servers:old": {"private_ip": "10.0.0.9", "managed": False},
           "app_servers:older": {"private_ip": "10.0.0.9", "port": 81, "managed": False}})


def test_a_quorum_helper_that_is_not_ours_to_configure_has_no_role():
    helper = {"helper": {"private_ip": "10.132.20.50", "managed": False}}
    built = valid({"quorum_helper": helper, **IN_THE_CLEAR}, "helper")
    assert (built.roles, built.firewall.rules) == ([], [])


def test_only_load_balancers_need_the_secrets():
    without = {"floating_ip:api_token": REMOVED, "cluster:authkey": REMOVED}
    valid(without, "app-1")
    assert len(build(without, "primary").errors) == 2


def test_what_pacemaker_would_not_understand_is_a_warning_because_an_adopted_cluster_may_have_it():
    [warning] = valid({"cluster:properties": {"stonith-enabled": "maybe"}}).warnings
    assert warning.startswith("haproxy_ha:cluster:properties:") and "allowed: true or false" in warning


def test_one_load_balancer_is_allowed_with_a_warning():
    built = valid({"load_balancers:secondary": REMOVED})
    assert built.warnings == [f"{NODES}: only one, so nothing takes over when it fails"]


# Secrets


@pytest.mark.parametrize("minion", ["primary", "app-1", "elsewhere"])
def test_settings_are_the_same_after_they_were_plain_data(minion):
    built = valid({"cluster:fencing": {"enabled": True}}, minion)
    plain = json.loads(json.dumps(built.as_dict()))
    assert Settings.of(plain) == built
    assert plain["floating_ip"]["address"] == built.floating_ip.addresses[0] == EXAMPLE["floating_ip"]["address"]
    assert plain["floating_ip"]["needs_token"] is True


def test_no_secret_is_in_the_result():
    stats = {"page": True, "password": "hunter2hunter2"}
    changes = {"haproxy:certificates": {"x": {"pem": PEM}}, "haproxy:stats": stats,
               "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM}}
    text = json.dumps(valid(changes).as_dict())
    assert "hunter2" not in text and "c2VjcmV0" not in text
    assert EXAMPLE["floating_ip"]["api_token"] not in text
    assert "".join(EXAMPLE["cluster"]["authkey"].split()) not in text


def test_the_schema_alone_says_what_is_secret(monkeypatch):
    further = Value("Another key.", values.text, secret=True)
    keys = schema.SCHEMA.keys
    floating_ip = replace(keys["floating_ip"], keys={**keys["floating_ip"].keys, "pin": further})
    monkeypatch.setattr(schema, "SCHEMA", replace(schema.SCHEMA, keys={**keys, "floating_ip": floating_ip}))
    assert "hunter2" not in json.dumps(valid({"floating_ip:pin": "hunter2"}).as_dict())
    assert secrets(changed({"floating_ip:pin": "hunter2"}))["floating_ip"]["pin"] == "hunter2"


@pytest.mark.parametrize("tree", [None, {}, [], {"floating_ip": "x", "haproxy": None, "cluster": {"quorum_device": 1}}])
def test_secrets_that_are_not_there_are_none(tree):
    assert secrets(tree) == {
        "floating_ip": {"api_token": None}, "haproxy": {"stats": {"password": None}},
        "cluster": {"authkey": None, "quorum_device": {"helper_pem": None, "balancer_pem": None}},
    }


SECRET = "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
PLACES = ["floating_ip", "floating_ip:address", "floating_ip:api_tokn", "floating_ip:api_url", "mine", "verify",
          "cluster:name", "cluster:authkey", "app_servers:app-1:port", "load_balancers:primary", "haproxy:frontends",
          "nginx:page:document_root", f"floating_ip:{SECRET[:40]}", f"app_servers:{SECRET[:40]} "]


@pytest.mark.parametrize("place", PLACES)
def test_a_token_in_the_wrong_place_is_not_echoed(place):
    errors = build({place: SECRET}).errors
    assert errors
    assert SECRET[:20] not in "\n".join(errors)


@pytest.mark.parametrize("value", ["hunter2", 12345678, ["hunter2"], {"hunter2": "hunter2"}, "hunter2 hunter2!"])
@pytest.mark.parametrize("place", ["floating_ip:api_token", "cluster:authkey", "haproxy:certificates:x:pem",
                                   "haproxy:stats:password", "cluster:quorum_device:balancer_pem"])
def test_a_wrong_secret_is_not_echoed(place, value):
    errors = "\n".join(build({place: value}).errors)
    assert place.split(":")[1] in errors
    assert "hunter2" not in errors and "12345678" not in errors


# Any pillar at all

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3)
                        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3), max_leaves=8)


def branches(tree, path=()):
    """Every path of a tree of mappings."""
    yield path
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from branches(inner, (*path, key))


@examples(max_examples=150, deadline=None)
@given(st.sampled_from([path for path in branches(DEFAULTS | EXAMPLE) if path and path[0] not in
                        ("packages", "services", "paths")]), ANYTHING, st.sampled_from(["primary", "app-1", "other"]))
def test_anything_anywhere_gives_messages_and_never_a_traceback(path, value, minion):
    built = settings(changed_at(path, value), minion, DEFAULTS)
    assert all(error.startswith("haproxy_ha") and error.isprintable() for error in built.errors)


def changed_at(path, value):
    tree = changed({})
    branch = tree
    for step in path[:-1]:
        branch = branch.setdefault(step, {})
    branch[path[-1]] = value
    return tree


def test_a_problem_is_shown_on_one_printable_line():
    problem = Problem(("haproxy_ha", "a\nb", 5, True, "x" * 99), "wrong")
    told = "haproxy_ha:'a\\nb' (a string):5:True (a boolean):a string of 99 characters: wrong"
    assert shape.shown(problem) == told


def test_a_repository_of_one_directory_has_no_components():
    repository = {"uri": "file:/srv/packages", "suite": "./", "components": [], "trusted": True}
    assert valid({"haproxy:repository": repository}).haproxy["repository"]["suite"] == "./"


# What is around one line: a line break as gpg and block scalars leave it, Windows' own, blanks.

SECRETS = {
    "haproxy:certificates": {"shop": {"pem": PEM}},
    "haproxy:stats": {"page": True, "user": "jane", "password": "$ecret-word12"},
    "quorum_helper": {"app-2": {"private_ip": "10.132.20.237"}},
    "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM},
    "haproxy:repository": {"uri": "file:/srv/debian", "suite": "bookworm", "trusted": True},
    "floating_ip:api_url": "https://api.example.com/x",
}


def ended(tree, end):
    """The tree with ``end`` behind each text in it."""
    if isinstance(tree, dict):
        return {key: ended(inner, end) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [ended(inner, end) for inner in tree]
    return tree + end if isinstance(tree, str) else tree


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("minion", ["primary", "app-1", "app-2"])
def test_a_line_break_behind_each_value_of_pillar_changes_nothing(minion, end):
    tree = changed(SECRETS)
    built = settings(tree, minion, DEFAULTS)
    assert built.errors == []
    assert settings(ended(tree, end), minion, DEFAULTS) == built
    assert secrets(ended(tree, end)) == secrets(tree)


def test_a_password_with_a_dollar_is_plain_and_a_hash_is_a_hash():
    for password, how in (("$ecret-word12", "insecure-password"), ("$5$salt$" + "a" * 43, "password")):
        pillar = {"haproxy:stats": {"page": True, "password": password + "\n"}}
        text = text_of(valid(pillar), "haproxy", "/etc/haproxy/haproxy.cfg", secrets(changed(pillar)))
        assert f"    user admin {how} {password}\n" in text


@pytest.mark.parametrize("path", ["haproxy:certificates:shop:pem", "cluster:quorum_device:balancer_pem"])
def test_an_encrypted_key_of_pillar_is_named(path):
    pem = PEM.replace("PRIVATE", "ENCRYPTED PRIVATE")
    [error] = build({**SECRETS, path: pem}).errors
    assert error.startswith(f"haproxy_ha:{path}: found a string of ")
    assert "without a passphrase" in error and "c2VjcmV0" not in error


def test_tabs_between_words_are_one_blank():
    lines = {"haproxy:global": ["log /dev/log\tlocal0"], "haproxy:defaults": ["\tmode\thttp\r", "option\t httplog"],
             "haproxy:frontends": {"http": {"bind": ["anchor:80\taccept-proxy"], "options": ["bind\t*:81"]}},
             "app_servers:app-1:options": ["inter\t2s"], "haproxy:userlists": {"x": ["user\ta\tpassword\tb"]}}
    haproxy = valid(lines).haproxy
    assert (haproxy["global"], haproxy["defaults"]) == (["log /dev/log local0"], ["mode http", "option httplog"])
    assert haproxy["frontends"]["http"]["options"] == ["bind *:81"]
    assert haproxy["frontends"]["http"]["bind"][0]["options"] == "accept-proxy"
    assert haproxy["userlists"]["x"] == ["user a password b"]
    assert valid(lines).app_servers["app-1"].options == ["inter 2s"]


@pytest.mark.parametrize("line", ["\tlisten\tevil", "\\x6cisten evil", "'global'\t", "a\n\tlisten evil"])
def test_a_line_that_begins_a_section_is_refused_however_it_is_written(line):
    [error] = build({"haproxy:defaults": [line]}).errors
    assert error.startswith("haproxy_ha:haproxy:defaults:0: found ")
