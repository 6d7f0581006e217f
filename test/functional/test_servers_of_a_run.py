"""
What a run says of HAProxy's servers, dry and live: the formula's own files, and a real HAProxy under a stand-in of
systemd. Only in the daemons' container, because it changes /etc.
"""

import contextlib
import json
import socket
from pathlib import Path

import pytest

from haproxy_ha_host import files as host_files
from haproxy_ha_host import net, waiting
from haproxy_ha_lib.haproxy import runtime
from support.pillars import changed
from support.place import addresses, in_container, requires_tools
from support.service import Service

pytestmark = [
    requires_tools("haproxy", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
CFG, SOCKET = "/etc/haproxy/haproxy.cfg", "/run/haproxy/admin.sock"


@pytest.fixture(scope="module", autouse=True)
def _addresses():
    """Those of the load balancer, and those of app servers that let HAProxy connect."""
    apps = ("10.132.20.236", "10.132.20.237")
    with addresses("10.132.20.10", "10.17.1.18", *apps), contextlib.ExitStack() as stack:
        for address in apps:
            stack.enter_context(socket.create_server((address, 80), backlog=4096))
        yield


@pytest.fixture
def files(single):
    def run(changes=(), test=False):
        return single("haproxy_ha.files", "haproxy", changed(dict(changes)), test=test)

    return run


@pytest.fixture
def haproxy(files, machine):
    """A HAProxy that runs with the formula's files, by pillar's ``changes``."""
    services = []

    def begin(changes=(), *more):
        Path("/run/haproxy").mkdir(exist_ok=True)
        pidfile = machine / "haproxy.pid"
        start = ["haproxy", "-W", "-D", "-f", CFG, "-p", str(pidfile), *more]
        services.append(Service(None, machine, pidfile, start, "USR2"))
        services[0].on_reload('kill -USR2 "$pid"', dead="inactive")
        assert files(changes)["result"] is True
        services[0].begin()
        assert waiting.wait_for(lambda: net.connect("10.17.1.18", 80) == "connects", 5)

    yield begin
    services[0].end()
    assert waiting.wait_for(lambda: net.connect("10.17.1.18", 80) == "refused", 5)


def words():
    return {one["server"]: one["status"].split()[0] for one in runtime.parse_show_stat(net.ask(SOCKET, "show stat"))}


def test_what_a_killed_run_drained_is_put_back_by_the_next_one_that_says_so_before(files, haproxy):
    haproxy()
    for server in ("app-1", "app-2"):
        net.ask(SOCKET, f"set server app_pool/{server} state drain")
    worker = runtime.identity(net.ask(SOCKET, "show info"))
    memory = Path(host_files.STATE) / "drained.json"
    memory.write_text(json.dumps({"worker": worker, "servers": [["app_pool", "app-2"]]}), encoding="ascii")
    returned = {"app_pool/app-2": {"old": "drained", "new": "ready"}}
    dry = files(test=True)
    assert (dry["result"], dry["changes"]) == (None, returned)
    assert words() == {"app-1": "DRAIN", "app-2": "DRAIN"}
    live = files()
    assert (live["result"], live["changes"]) == (True, returned)
    assert words()["app-1"] == "DRAIN"
    assert words()["app-2"] != "DRAIN"
    for test in (True, False):
        again = files(test=test)
        assert (again["result"], again["changes"]) == (True, {})


SOCKET_OF_ONE_S_OWN = {"haproxy:global": [f"stats socket {SOCKET} mode 660", "user haproxy", "group haproxy"]}


def test_a_socket_that_does_not_let_drain_is_told_before_and_nothing_is_claimed_after(files, haproxy):
    haproxy(SOCKET_OF_ONE_S_OWN)
    without = {**SOCKET_OF_ONE_S_OWN, "haproxy:backends": {"app_pool": {"servers": ["app-1"]}}}
    dry = files(without, test=True)
    assert dry["result"] is None
    assert "allow operator at most, and draining needs admin: not drained will be app_pool/app-2" in dry["comment"]
    live = files(without)
    assert live["result"] is True
    assert "not drained: app_pool/app-2 (HAProxy says: Permission denied)" in live["comment"]


def test_with_the_master_s_socket_the_level_of_one_s_own_does_not_matter(files, haproxy, machine):
    haproxy(SOCKET_OF_ONE_S_OWN, "-S", str(machine / "master.sock"))
    without = {**SOCKET_OF_ONE_S_OWN, "haproxy:backends": {"app_pool": {"servers": ["app-1"]}}}
    assert files(without, test=True)["comment"] == "haproxy accepts the new files; they would be installed"
    assert "; drained: app_pool/app-2; haproxy was reloaded" in files(without)["comment"]
