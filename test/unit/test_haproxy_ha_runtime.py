"""What HAProxy says about itself, as data. The texts are HAProxy 2.6's and 3.0's own."""

import pytest

from haproxy_ha_lib import runtime

STARTED = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
24269           master          0 [failed: 0]   0d00h00m01s     2.6.12-1+deb12u3
# workers
24270           worker          0               0d00h00m01s     2.6.12-1+deb12u3
# programs

"""
RELOADED = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
24269           master          2 [failed: 1]   0d00h00m03s     2.6.12-1+deb12u3
# workers
24279           worker          1               0d00h00m02s     2.6.12-1+deb12u3
# old workers
24270           worker          2               0d00h00m09s     2.6.12-1+deb12u3
# programs

"""
STAT = """\
# pxname,svname,stot,status,weight,act,bck,check_status,last_chk,
http,FRONTEND,9,OPEN,,,,,,
app_pool,app-1,5,UP,1,1,0,L4OK,,
app_pool,app-2,4,DOWN,2,1,0,L4CON,Connection refused,
app_pool,spare,0,UP 1/3,1,0,1,L4OK,,
app_pool,loose,0,no check,1,1,0,,,
app_pool,BACKEND,9,UP,3,2,1,,,

"""


def test_show_proc():
    assert runtime.parse_show_proc(STARTED) == {"master": 24269, "reloads": 0, "failed": 0, "workers": [24270]}


def test_show_proc_after_a_failed_reload():
    assert runtime.parse_show_proc(RELOADED) == {"master": 24269, "reloads": 2, "failed": 1, "workers": [24279]}


def test_show_proc_of_a_master_that_says_nothing():
    assert runtime.parse_show_proc("") == {"master": 0, "reloads": 0, "failed": 0, "workers": []}


def test_show_stat():
    servers = runtime.parse_show_stat(STAT)
    assert [server["server"] for server in servers] == ["app-1", "app-2", "spare", "loose"]
    assert servers[1] == {
        "backend": "app_pool", "server": "app-2", "status": "DOWN", "sessions": 4, "weight": 2, "backup": False,
        "check": "L4CON Connection refused",
    }  # fmt: skip
    assert [runtime.is_up(server) for server in servers] == [True, False, True, True]
    assert [server["backup"] for server in servers] == [False, False, True, False]


STATES = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_fqdn srv_port
3 app 1 up 10.0.0.1 2 0 1 1 - 80
3 app 2 down 10.0.0.2 0 0 1 1 - 80
3 app 3 drained 10.0.0.3 2 8 1 1 - 80
3 app 4 weightless 10.0.0.4 2 0 0 1 - 80
4 v6 1 one fd00::1 2 0 1 1 - 80
4 v6 2 named 10.0.0.5 2 0 1 1 app.example.com 80

"""
WANTED = {("app", "up"): "10.0.0.1:80", ("app", "down"): "10.0.0.2:80", ("app", "drained"): "10.0.0.3:80",
          ("app", "weightless"): "10.0.0.4:80", ("v6", "one"): "[fd00::1]:80", ("v6", "named"): "app.example.com:80"}


def without(*servers, **moved):
    """The servers of the new configuration but some, and with some elsewhere (all of backend app)."""
    return {key: value for key, value in WANTED.items() if key[1] not in servers} | {
        ("app", name): address for name, address in moved.items()
    }


@pytest.mark.parametrize("wanted, leaving", [
    (WANTED, []),
    (without("weightless"), [("app", "weightless")]),
    (without("down", "drained"), []),
    (without("up"), []),  # what stays is down, drained, or has no weight
    (without("one"), [("v6", "one")]),
    (without("one", "named"), []),
    (without(weightless="10.0.0.4:81"), [("app", "weightless")]),
    (without(weightless="10.0.0.9:80"), [("app", "weightless")]),
    ({}, []),
])  # fmt: skip
def test_who_leaves_and_is_to_be_drained(wanted, leaving):
    assert runtime.leaving(runtime.parse_servers_state(STATES), wanted) == leaving


@pytest.mark.parametrize("wanted, alone", [
    (WANTED, []),
    (without("weightless"), []),
    (without("up"), [("app", "down")]),
    (without("up", "weightless", "drained"), [("app", "down")]),
    (without("up", "down"), []),
    (without("up", new="10.0.0.9:80"), []),  # a new one is up until it is found down
    (without(up="10.0.0.1:81"), []),  # so is one that is elsewhere
    ({}, []),
])  # fmt: skip
def test_who_would_be_left_alone_though_down(wanted, alone):
    assert runtime.down_alone(runtime.parse_servers_state(STATES), wanted) == alone


def test_states_are_kept_for_what_stays_where_it_is():
    kept = runtime.kept_states(STATES, without("down", "one", up="10.0.0.1:81"))
    assert [row["srv_name"] for row in runtime.parse_servers_state(kept)] == ["drained", "weightless", "named"]
    assert kept.splitlines()[:2] == STATES.splitlines()[:2]
    assert runtime.kept_states(STATES, WANTED) == STATES.replace("\n\n", "\n")


def test_busy_servers():
    text = "# pxname,svname,qcur,scur\napp,a,0,2\napp,b,1,0\napp,c,0,0\napp,BACKEND,0,3\n"
    assert runtime.busy(text, [("app", "a"), ("app", "b"), ("app", "c"), ("app", "gone")]) == {
        ("app", "a"): 2, ("app", "b"): 1,
    }
