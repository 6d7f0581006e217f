"""What an app server says in the mine costs that app server only; what a load balancer says stops a run."""

import pytest

from haproxy_ha_lib.haproxy import cfg
from support.pillars import build

APPS = "haproxy_ha:app_servers"
OF_PRIMARY = {"private_ip": "10.132.20.10", "public_ip": "203.0.113.21", "anchor_ip": "10.17.1.18"}
GOOD = {"secondary": {"private_ip": "10.132.20.11"}, "app-1": {"private_ip": "10.132.20.236"},
        "app-2": {"private_ip": "10.132.20.237"}}  # fmt: skip
BARE = {"load_balancers": {"primary": None, "secondary": None}, "app_servers": {"app-1": None, "app-2": None},
        "mine": True}  # fmt: skip
RUNNING = "backend app_pool\n    server app-1 10.132.20.236:80 check\n    server app-2 10.132.20.237:80 check\n"
NOWHERE = {"private_ip": "192.0.2.7"}
REASON = "the mine says 192.0.2.7, which is not in haproxy_ha:private_network"


def told(sent, changes=(), **more):
    return build({**BARE, **dict(changes)}, metadata=OF_PRIMARY, mine={**GOOD, **sent}, **more)


def pool(built, name="app_pool"):
    """The app servers of a backend with their addresses, in its order."""
    assert built.errors == []
    lines = next(one["lines"] for one in cfg.model(built) if one["name"] == name)
    return {line.split()[1]: line.split()[2] for line in lines if line.startswith("server ")}


@pytest.mark.parametrize("sent, reason", [
    (NOWHERE, REASON),
    ("10.132.20.236", "the mine has '10.132.20.236' (a string) of app-1, allowed: what haproxy_ha.addresses returns"),
    ([["deep"] * 9] * 9, "the mine has a list of app-1, allowed: what haproxy_ha.addresses returns there"),
    ({"private_ip": "1" * 100_000}, "allowed: an IPv4 or IPv6 address"),
    ({"private_ip": {}}, "the mine says a mapping, allowed: an IPv4 or IPv6 address"),
    ({"private_ip": "10.132.20.11"}, "which is haproxy_ha:load_balancers:secondary:private_ip too"),
    ({"private_ip": "10.17.1.18"}, "which is haproxy_ha:load_balancers:primary:anchor_ip too"),
    ({"private_ip": "fd00::7"}, "found an IPv6 address, but the load balancer primary has none in the private network"),
])
def test_who_speaks_nonsense_is_left_out_of_the_pool_and_named(sent, reason):
    built = told({"app-1": sent})
    assert pool(built) == {"app-2": "10.132.20.237:80"}
    (warning,) = built.warnings
    assert warning.startswith(f"{APPS}:app-1:private_ip: ") and reason in warning and len(warning) < 300
    assert warning.endswith("; it is left out until then")


def test_a_list_that_names_who_is_left_out_is_of_the_others():
    changes = {"haproxy:backends:app_pool:servers": ["app-2", "app-1"]}
    assert pool(told({"app-1": NOWHERE}, changes)) == {"app-2": "10.132.20.237:80"}


@pytest.mark.parametrize("sent", [{"app-1": NOWHERE}, {"app-1": "?"}, {"app-1": None}])
def test_who_is_in_the_pool_already_stays_where_it_is(sent):
    built = told(sent, installed=RUNNING)
    assert pool(built) == {"app-1": "10.132.20.236:80", "app-2": "10.132.20.237:80"}
    warning = next(text for text in built.warnings if "app-1" in text)
    assert warning.endswith("; it stays at 10.132.20.236, where HAProxy has it")


def test_an_empty_mine_empties_no_pool():
    built = told({"app-1": None, "app-2": None}, installed=RUNNING)
    assert list(pool(built)) == ["app-1", "app-2"]


def test_who_has_said_nothing_yet_and_is_not_in_the_pool_is_missing():
    built = told({"app-1": None, "app-2": NOWHERE}, installed=RUNNING.replace("app-1", "app-9"))
    assert len(built.errors) == 1 and built.errors[0].startswith(f"{APPS}:app-1:private_ip: missing: the mine has none")


@pytest.mark.parametrize("address", ["192.0.2.7", "10.132.20.237", "somewhere.example", "unix@/run/x"])
def test_where_nobody_is_let_in_nobody_stays(address):
    built = told({"app-1": NOWHERE}, installed=f"backend app_pool\n    server app-1 {address}:80 check\n")
    assert list(pool(built)) == ["app-2"]


def test_a_pool_that_would_be_empty_is_refused():
    for changes in ({}, {"haproxy:backends:app_pool:servers": ["app-1"]}):
        sent = {"app-1": NOWHERE, "app-2": GOOD["app-2"] if changes else "?"}
        errors = told(sent, changes).errors
        assert errors[0] == f"{APPS}:app-1:private_ip: missing: {REASON}; set it here"
        assert len(errors) == (1 if changes else 2)


def test_of_two_with_one_address_the_one_that_had_it_is_believed():
    built = told({"app-1": GOOD["app-2"]}, installed=RUNNING)
    assert pool(built) == {"app-1": "10.132.20.236:80", "app-2": "10.132.20.237:80"}
    (warning,) = [text for text in built.warnings if "the mine" in text]
    assert "app-1:private_ip: the mine says 10.132.20.237, which is haproxy_ha:app_servers:app-2:private_ip" in warning
    fresh = told({"app-1": GOOD["app-2"]})
    assert list(pool(fresh).values()) == ["10.132.20.237:80"]


def test_servers_that_are_not_ours_may_be_several_on_one_host():
    changes = {"app_servers": {"app-1": {"managed": False}, "app-2": None,
                               "other": {"managed": False, "port": 81, "private_ip": "10.132.20.236"}}}  # fmt: skip
    assert len(pool(told({}, changes))) == 3
    changes["app_servers"]["other"]["port"] = 80
    assert "app-1" not in pool(told({}, changes))


@pytest.mark.parametrize("sent", [NOWHERE, "?", ["10.132.20.11"], {"private_ip": "fd00::7"}])
def test_what_a_load_balancer_says_stops_the_run(sent):
    errors = told({"secondary": sent}, installed=RUNNING).errors
    assert any("secondary" in error for error in errors)
    on_app = build(BARE, "app-2", metadata={"private_ip": "10.132.20.237"}, mine={**GOOD, "primary": OF_PRIMARY,
                                                                                    "secondary": sent})  # fmt: skip
    assert any("secondary" in error for error in on_app.errors)


def test_a_load_balancer_is_believed_rather_than_an_app_server():
    assert list(pool(told({"secondary": GOOD["app-1"]}))) == ["app-2"]


def test_what_the_quorum_helper_says_stops_the_run():
    changes = {"quorum_helper": {"helper": None}, "cluster:quorum_device:tls": False}
    (error,) = told({"helper": NOWHERE}, changes).errors
    assert error.startswith("haproxy_ha:quorum_helper:helper:private_ip: missing: the mine says 192.0.2.7")


def test_a_machine_in_both_roles_is_a_load_balancer():
    changes = {"app_servers": {"secondary": {"port": 8080}, "app-2": None}}
    assert any("load_balancers:secondary" in error for error in told({"secondary": NOWHERE}, changes).errors)


def test_what_app_servers_say_is_nothing_to_each_other():
    mine = {**GOOD, "primary": OF_PRIMARY, "app-1": "?"}
    built = build(BARE, "app-2", metadata={"private_ip": "10.132.20.237"}, mine=mine)
    assert built.errors == [] and not [text for text in built.warnings if "app-1" in text]
    assert list(built.app_servers) == ["app-1", "app-2"]
