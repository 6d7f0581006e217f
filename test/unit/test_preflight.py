"""What stops a run, in words."""

from haproxy_ha_lib import preflight
from support.pillars import valid

NODE = {"online": True, "remote": False}


def holder(program, pid=None):
    return {"address": "10.17.1.18", "port": 80, "held": "0.0.0.0", "program": program, "pid": pid}


def test_a_port_is_free_for_its_own_daemon_and_named_with_who_else_has_it():
    assert preflight.held_ports("haproxy", [holder("haproxy")], valid()) == []
    assert preflight.held_ports("haproxy", [holder("apache2", 7), holder(None)], valid()) == [
        "apache2 (process 7) listens on 0.0.0.0 port 80; haproxy has to listen on 10.17.1.18",
        "another program listens on 0.0.0.0 port 80; haproxy has to listen on 10.17.1.18",
    ]


def test_an_nginx_in_the_way_is_named_with_the_key_that_removes_it_unless_it_goes():
    [problem] = preflight.held_ports("haproxy", [holder("nginx", 7)], valid())
    assert problem.endswith("; haproxy_ha:haproxy:remove_nginx: true removes it")
    assert preflight.held_ports("haproxy", [holder("nginx", 7)], valid({"haproxy:remove_nginx": True})) == []


def test_only_what_is_left_of_a_load_balancer_stops_a_machine_with_another_role():
    assert preflight.stray_parts(["app_server", "memory"], "app-1") == []
    [problem] = preflight.stray_parts(["cluster", "load_balancer", "memory"], "app-1")
    assert "the formula's cluster, load balancer, and" in problem
    assert problem.endswith("salt 'app-1' haproxy_ha.remove cluster, then salt 'app-1' haproxy_ha.remove load_balancer")


def test_a_member_that_runs_and_is_not_in_pillar_is_named_but_not_that_of_another_cluster():
    nodes = {"primary": NODE, "old": NODE, "off": {**NODE, "online": False}, "remote": {**NODE, "remote": True}}
    [problem] = preflight.leaving_members(nodes, valid())
    assert problem.startswith("old runs in this cluster")
    assert "salt 'old' state.apply haproxy_ha.clean" in problem
    assert preflight.leaving_members({"lb1": NODE}, valid()) == []
