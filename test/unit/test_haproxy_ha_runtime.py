"""What HAProxy says about itself, as data. The texts are HAProxy 2.6's and 3.0's own."""

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
    assert runtime.parse_show_proc(STARTED) == {"reloads": 0, "failed": 0, "workers": [24270]}


def test_show_proc_after_a_failed_reload():
    assert runtime.parse_show_proc(RELOADED) == {"reloads": 2, "failed": 1, "workers": [24279]}


def test_show_proc_of_a_master_that_says_nothing():
    assert runtime.parse_show_proc("") == {"reloads": 0, "failed": 0, "workers": []}


def test_show_stat():
    servers = runtime.parse_show_stat(STAT)
    assert [server["server"] for server in servers] == ["app-1", "app-2", "spare", "loose"]
    assert servers[1] == {
        "backend": "app_pool", "server": "app-2", "status": "DOWN", "sessions": 4, "weight": 2, "backup": False,
        "check": "L4CON Connection refused",
    }  # fmt: skip
    assert [runtime.is_up(server) for server in servers] == [True, False, True, True]
    assert [server["backup"] for server in servers] == [False, False, True, False]
