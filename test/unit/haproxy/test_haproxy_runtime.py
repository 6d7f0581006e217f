"""What HAProxy says about itself, as data. The texts are HAProxy 2.6's and 3.0's own."""

import pytest

from haproxy_ha_lib.haproxy import runtime

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
# pxname,svname,stot,status,weight,act,bck,check_status,last_chk,lastchg,
http,FRONTEND,9,OPEN,,,,,,
app_pool,app-1,5,UP,1,1,0,L4OK,,
app_pool,app-2,4,DOWN,2,1,0,L4CON,Connection refused,125,
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
        "backend": "app_pool", "server": "app-2", "status": "DOWN", "seconds": 125, "sessions": 4, "weight": 2,
        "backup": False, "check": "L4CON Connection refused",
    }  # fmt: skip
    assert [runtime.is_up(server) for server in servers] == [True, False, True, True]
    assert [server["backup"] for server in servers] == [False, False, True, False]


COLUMNS = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)


def row(backend, server, address, state, admin, weight, name="-", port="80", record="-", initial="1"):
    """A line of `show servers state`, with TLS, and with ports and addresses of checks."""
    state = f"{state} {admin} {weight} {initial} 9 6 3 4 6 0 0 0"
    return f"3 {backend} 1 {server} {address} {state} {name} {port} {record} 1 8081 10.9.9.9 10.9.9.8 8082"


STATES = "\n".join([
    "1", f"# {COLUMNS}",
    row("app", "up", "10.0.0.1", 2, 0, 1),
    row("app", "down", "10.0.0.2", 0, 0, 1),
    row("app", "drained", "10.0.0.3", 2, 8, 1),
    row("app", "weightless", "10.0.0.4", 2, 0, 0),
    row("v6", "one", "fd00::1", 2, 0, 1),
    row("v6", "named", "10.0.0.5", 2, 0, 1, "app.example.com"),
    "", "",
])  # fmt: skip
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


def kept(text, wanted, resolved=()):
    """What is kept of each server: its fields by name."""
    states = runtime.kept_states(runtime.parse_servers_state(text), wanted, dict(resolved))
    return {one["srv_name"]: one for one in runtime.parse_servers_state(states)}


def test_states_are_kept_for_what_stays_where_it_is():
    assert list(kept(STATES, without("down", "one", up="10.0.0.1:81"))) == ["drained", "weightless", "named"]
    assert list(kept(STATES, WANTED)) == ["up", "down", "drained", "weightless", "one", "named"]
    assert runtime.kept_states([], WANTED, {}) == runtime.NO_STATES


def test_what_is_configured_is_not_kept():
    """HAProxy takes it from its configuration where the line ends before."""
    assert [column for column in COLUMNS.split() if column not in kept(STATES, WANTED)["up"]] == [
        "srv_use_ssl", "srv_check_port", "srv_check_addr", "srv_agent_addr", "srv_agent_port",
    ]  # fmt: skip


@pytest.mark.parametrize("resolved, address", [
    ([], "10.0.0.5"),  # only HAProxy's own resolvers know the name
    ([("app.example.com", {"10.0.0.5", "10.0.0.6"})], "10.0.0.5"),
    ([("app.example.com", {"10.0.0.6"})], "-"),
])
def test_a_name_keeps_its_address_while_it_has_it(resolved, address):
    assert kept(STATES, WANTED, resolved)["named"]["srv_addr"] == address


@pytest.mark.parametrize("admin, stays", [
    (0, True), (1, True), (8, True),  # by hand
    (4, True),  # off in pillar, and switched on by hand
    (5, False), (12, True),
    (2, False), (16, False), (32, False), (33, False),  # what is tracked, or no address
])  # fmt: skip
def test_maintenance_that_has_a_cause_elsewhere_is_not_kept(admin, stays):
    text = "\n".join(["1", f"# {COLUMNS}", row("app", "up", "10.0.0.1", 0, admin, 1), ""])
    assert bool(kept(text, WANTED)) == stays


def test_a_server_found_by_an_srv_record_keeps_what_was_found():
    found = row("app", "up", "10.0.0.1", 2, 0, 1, "one.example.com", "8443", "_app._tcp.example.com")
    text = "\n".join(["1", f"# {COLUMNS}", found, ""])
    kept_row = kept(text, {("app", "up"): "_app._tcp.example.com"})["up"]
    assert (kept_row["srv_addr"], kept_row["srv_fqdn"], kept_row["srv_port"]) == ("10.0.0.1", "one.example.com", "8443")
    assert kept(text, {("app", "up"): "_web._tcp.example.com"}) == {}


@pytest.mark.parametrize("word, parts", [
    ("10.0.0.1:80", ("10.0.0.1", "80")), ("10.0.0.1", ("10.0.0.1", "0")), ("10.0.0.1:", ("10.0.0.1", "0")),
    ("[fd00::1]:80", ("fd00::1", "80")), ("[fd00::1]", ("fd00::1", "0")), ("fd00::1:80", ("fd00::1", "80")),
    ("ipv4@App.example.com:+8000", ("app.example.com", "8000")), ("/run/app.sock", ("/run/app.sock", "0")),
    ("unix@/run/app.sock", ("/run/app.sock", "0")), ("abns@app", ("app", "0")),
])  # fmt: skip
def test_the_parts_of_an_address(word, parts):
    assert runtime.split_address(word) == parts


def test_busy_servers():
    text = "# pxname,svname,qcur,scur\napp,a,0,2\napp,b,1,0\napp,c,0,0\napp,BACKEND,0,3\n"
    assert runtime.busy(text, [("app", "a"), ("app", "b"), ("app", "c"), ("app", "gone")]) == {
        ("app", "a"): 2, ("app", "b"): 1,
    }
