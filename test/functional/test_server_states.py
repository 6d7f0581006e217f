"""
What a reload keeps of HAProxy's servers is their state, and nothing that is configuration: a real HAProxy, with each
column of `show servers state` (its management guide, 9.3) that a configuration can set.
"""

import contextlib
import ssl
import threading
from pathlib import Path

import pytest

from haproxy_ha_host import waiting
from support.balancer import App, Balancer
from support.certificates import self_signed
from support.place import requires_tools

pytestmark = requires_tools("haproxy", "openssl")

# What tells of a server how it is, and of the sections where they stand.
STATE = {"srv_op_state", "srv_admin_state", "srv_uweight", "srv_time_since_last_change", "srv_check_status",
         "srv_check_result", "srv_check_health", "srv_check_state", "srv_agent_state", "be_id"}  # fmt: skip


@pytest.fixture
def apps():
    made = [App(), App(), App()]
    yield made
    for app in made:
        app.close()


@pytest.fixture
def begun(machine):
    """Starts a HAProxy with some lines of its backend."""
    with contextlib.ExitStack() as stack:

        def begin(lines, directory=machine, **options):
            balancer = Balancer(directory, lines, **options)
            stack.callback(balancer.end)
            return balancer

        yield begin


def configuration(balancer):
    """What is configured of each server, as HAProxy has it."""
    return {
        name: {column: value for column, value in row.items() if column not in STATE}
        for name, row in balancer.rows().items()
    }


# Each: (lines before, what is said by hand meanwhile, lines after). `{a}` and `{b}` are the applications' addresses.
CHANGES = {
    "TLS on": (["server a {a} check"], [], ["server a {a} check ssl verify none"]),
    "TLS on by default-server": (["server a {a} check"], [], ["default-server ssl verify none", "server a {a} check"]),
    "TLS off": (["server a {a} check ssl verify none"], [], ["server a {a} check"]),
    "TLS off by no-ssl": (["default-server ssl verify none", "server a {a} check"], [],
                          ["default-server ssl verify none", "server a {a} check no-ssl"]),
    "TLS of checks": (["server a {a} check"], [], ["server a {a} check check-ssl verify none"]),
    "TLS switched by hand": (["server a {a} check ssl verify none"], ["set server app/a ssl off"],
                             ["server a {a} check ssl verify none inter 3s"]),
    "a check's port is left out": (["server a {a} check port 8081"], [], ["server a {a} check"]),
    "a check's other port": (["server a {a} check port 8081"], [], ["server a {a} check port 8082"]),
    "a check's port by default-server": (["default-server port 8081", "server a {a} check"], [],
                                         ["default-server port 8082", "server a {a} check"]),
    "a check's port given by hand": (["server a {a} check"], ["set server app/a check-port 8081"],
                                     ["server a {a} check inter 3s"]),
    "a check's address": (["server a {a} check addr 127.0.0.2"], [], ["server a {a} check addr 127.0.0.3"]),
    "a check's address is left out": (["server a {a} check addr 127.0.0.2 port 8081"], [], ["server a {a} check"]),
    "a check's address given by hand": (["server a {a} check"], ["set server app/a check-addr 127.0.0.2 port 81"],
                                        ["server a {a} check inter 3s"]),
    "an agent's port": (["server a {a} agent-check agent-port 8081"], [],
                        ["server a {a} agent-check agent-port 8082"]),
    "an agent's address": (["server a {a} agent-check agent-port 8081 agent-addr 127.0.0.2"], [],
                           ["server a {a} agent-check agent-port 8081 agent-addr 127.0.0.3"]),
    "an agent's address is left out": (["server a {a} agent-check agent-port 8081 agent-addr 127.0.0.2"], [],
                                       ["server a {a} agent-check agent-port 8081"]),
    "no agent": (["server a {a} agent-check agent-port 8081"], [], ["server a {a}"]),
    "an agent's address given by hand": (["server a {a} agent-check agent-port 8081"],
                                         ["set server app/a agent-addr 127.0.0.2"],
                                         ["server a {a} agent-check agent-port 8081 agent-inter 3s"]),
    "another port": (["server a 127.0.0.1:8081"], [], ["server a 127.0.0.1:8082"]),
    "another port of a name": (["server a localhost:8081"], [], ["server a localhost:8082"]),
    "no port": (["server a localhost:8081"], [], ["server a localhost"]),
    "a port behind the client's": (["server a 127.0.0.1:+100"], [], ["server a 127.0.0.1:+200"]),
    "a port by a variable": (["server a 127.0.0.1:$PORT_1"], [], ["server a 127.0.0.1:$PORT_2"]),
    "an address with its family": (["server a ipv4@127.0.0.1:8081"], [], ["server a ipv4@127.0.0.1:8082"]),
    "an address in quotes": (['server a "127.0.0.1:8081"'], [], ['server a "127.0.0.1:8082"']),
    "an IPv6 address": (["server a [::1]:8081"], [], ["server a [::1]:8082"]),
    "a port given by hand": (["server a 127.0.0.1:8081"], ["set server app/a addr 127.0.0.1 port 9999"],
                             ["server a 127.0.0.1:8081 check"]),
    "an address given by hand": (["server a 127.0.0.1:8081"], ["set server app/a addr 127.0.0.9"],
                                 ["server a 127.0.0.1:8081 check"]),
    "another name": (["server a one.example:80"], [], ["server a two.example:80"]),
    "a name for an address": (["server a 127.0.0.8:80"], [], ["server a one.example:80"]),
    "an address for a name": (["server a one.example:80"], [], ["server a 127.0.0.8:80"]),
    "a name's address given by hand": (["server a one.example:80"], ["set server app/a addr 127.0.0.99"],
                                       ["server a one.example:80 check"]),
    "a template": (["server-template t 1-2 127.0.0.1:8081"], [], ["server-template t 1-3 127.0.0.1:8082"]),
    "a server's id": (["server a {a} id 7", "server b {b}"], [], ["server a {a} id 9", "server b {b} id 7"]),
    "a backend's id": (["id 70", "server a {a}"], [], ["id 80", "server a {a}"]),
    "a socket for an address": (["server a 127.0.0.1:8081"], [], ["server a unix@/run/app.sock"]),
    "another socket": (["server a unix@/run/app.sock"], [], ["server a unix@/run/other.sock"]),
    "a weight": (["server a {a} weight 5"], [], ["server a {a} weight 9"]),
}


@pytest.fixture
def filled(apps, tmp_path, monkeypatch):
    """Fills in the applications' addresses; two names mean an address each."""
    monkeypatch.setenv("PORT_1", "8081")
    monkeypatch.setenv("PORT_2", "8082")
    with open("/etc/hosts", "a", encoding="ascii") as handle:
        handle.write("127.0.0.8 one.example\n127.0.0.9 two.example\n")
    places = {"a": f"127.0.0.1:{apps[0].port}", "b": f"127.0.0.1:{apps[1].port}"}
    return lambda lines: [f"    {line.format(**places)}" for line in lines]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_configured_is_as_in_a_haproxy_that_has_just_started(change, begun, filled, tmp_path):
    before, by_hand, after = CHANGES[change]
    balancer = begun(filled(before))
    at_first = configuration(balancer)
    for command in by_hand:
        balancer.haproxy.ask(command)
    assert bool(by_hand) == (configuration(balancer) != at_first)
    balancer.take(filled(after))
    changed = configuration(balancer)
    balancer.end()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    balancer.directory, balancer.socket = fresh, str(fresh / "admin.sock")
    balancer.begin()
    assert changed == configuration(balancer)


@pytest.mark.parametrize("lines", [
    ["server a {a} check ssl verify none"],
    ["default-server ssl verify none", "server a {a} check"],
    ["server a {a} check check-ssl ssl verify none"],
])  # fmt: skip
def test_no_request_is_in_the_clear_after_the_run_that_turns_tls_on(lines, begun, filled, apps, tmp_path):
    """Under traffic, and after a later run for something else too."""
    certificate, key = self_signed(tmp_path, "app")
    apps[0].tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    apps[0].tls.load_cert_chain(certificate, key)
    balancer = begun(filled(["server a {a} check inter 200"]))
    with asked(balancer) as answers:
        assert waiting.wait_for(lambda: apps[0].clear > 9, 5, 0.01)
        for run in (lines, [*lines, "retries 2"]):
            assert balancer.take(filled(run)) == "haproxy was reloaded"
            under_way = waiting.wait_for(lambda: balancer.get() == 200, 1) and apps[0].clear
            assert [balancer.get() for _ in range(20)] == [200] * 20
            assert apps[0].clear - under_way == 0
    assert set(answers) == {200}


@contextlib.contextmanager
def asked(balancer):
    """A client that asks all the time; the value is what it was answered."""
    answers, over = [], threading.Event()

    def ask():
        while not over.is_set():
            answers.append(balancer.get())

    client = threading.Thread(target=ask, daemon=True)
    client.start()
    try:
        yield answers
    finally:
        over.set()
        client.join(10)


# What is state


def put(balancer, filled, *runs):
    """Each run's lines, one after the other."""
    for lines in runs:
        balancer.take(filled(lines))
    return balancer.status()


WRITTEN = ["127.0.0.1:{port}", "localhost:{port}", "ipv4@127.0.0.1:{port}", "127.0.0.1:$PORT_B"]


@pytest.mark.parametrize("address", WRITTEN)
def test_a_server_that_is_down_gets_no_request_after_the_run(address, begun, filled, apps, monkeypatch):
    """Its application answers: a request that comes would be seen."""
    monkeypatch.setenv("PORT_B", str(apps[1].port))
    down = f"server b {address.format(port=apps[1].port)} check port 1 inter 100 fall 1"
    balancer = begun(filled(["server a {a} check", down]))
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    before = apps[1].requests
    later = down.replace("inter 100", "inter 60s")
    assert put(balancer, filled, ["server a {a} check", later]) == {"a": "UP", "b": "DOWN"}
    assert [balancer.get() for _ in range(20)] == [200] * 20
    assert apps[1].requests == before


def test_servers_of_a_template_keep_their_states(begun, filled, apps):
    balancer = begun(filled(["server-template t 1-3 {a} check port 1 inter 100 fall 1"]))
    assert waiting.wait_for(lambda: set(balancer.status().values()) == {"DOWN"}, 5)
    balancer.say("set server app/t2 state drain")
    after = put(balancer, filled, ["server-template t 1-3 {a} check port 1 inter 60s"])
    assert after == {"t1": "DOWN", "t2": "DOWN", "t3": "DOWN"}
    assert balancer.rows()["t2"]["srv_admin_state"] == "8"


def test_a_check_that_moved_is_not_made_where_it_was(begun, filled, apps):
    """The old port closes behind the run: nobody is the worse for it."""
    balancer = begun(filled([f"server a {{a}} check inter 100 fall 1 port {apps[2].port}"]))
    put(balancer, filled, ["server a {a} check inter 100 fall 1"])
    apps[2].close()
    checks = balancer.haproxy.ask
    seen = checks("show stat")
    assert waiting.wait_for(lambda: checks("show stat") != seen, 5)
    assert not waiting.wait_for(lambda: balancer.status()["a"] != "UP", 0.5)


@pytest.mark.parametrize("after, status", [
    ("server b {b}", "no check"),  # nothing could bring it up any more
    ("server b {b} check inter 60s", "DOWN"),
    ("server b {b} track app/a", "UP 1/1"),
    ("server b {b} disabled", "MAINT"),
])  # fmt: skip
def test_what_a_server_that_is_down_becomes(after, status, begun, filled):
    balancer = begun(filled(["server a {a} check", "server b {b} check port 1 inter 100 fall 1"]))
    assert waiting.wait_for(lambda: balancer.status()["b"] == "DOWN", 5)
    put(balancer, filled, ["server a {a} check", after])
    assert balancer.status()["b"].startswith(status.split()[0])


def test_a_server_follows_the_one_that_it_tracks_from_the_run_on(begun, filled):
    """It was up by itself; drained by hand it stays drained."""
    down = "server a {a} check port 1 inter 100 fall 1"
    balancer = begun(filled([down, "server b {b} check", "server c {b} check"]))
    assert waiting.wait_for(lambda: balancer.status()["a"] == "DOWN", 5)
    balancer.say("set server app/c state drain")
    put(balancer, filled, [down.replace("100", "60s"), "server b {b} track app/a", "server c {b} track app/a"])
    assert {name: row["srv_op_state"] for name, row in balancer.rows().items()} == {"a": "0", "b": "0", "c": "0"}
    assert balancer.rows()["c"]["srv_admin_state"] == "8"


def test_a_server_that_tracks_none_any_more_is_up_unless_it_is_checked(begun, filled):
    down = "server a {a} check port 1 inter 100 fall 1"
    balancer = begun(filled([down, "server b {b} track app/a", "server c {b} track app/a"]))
    assert waiting.wait_for(lambda: balancer.status()["b"].startswith("DOWN"), 5)
    after = put(balancer, filled, [down.replace("100", "60s"), "server b {b}", "server c {b} check inter 60s"])
    assert after == {"a": "DOWN", "b": "no check", "c": "DOWN"}


@pytest.mark.parametrize("lines, by_hand, later, status", [
    (["server a {a} disabled"], [], ["server a {a}"], "no check"),
    (["server a {a} check disabled"], [], ["server a {a} check"], "UP"),
    (["server a {a} check"], [], ["server a {a} check disabled"], "MAINT"),
    (["server a {a} check disabled"], ["state ready"], ["server a {a} check disabled inter 3s"], "UP"),
    (["server a {a} check"], ["state maint"], ["server a {a} check inter 3s"], "MAINT"),
    (["server a 127.0.0.1:$PORT_1 check"], ["state maint"], ["server a 127.0.0.1:$PORT_1 check inter 3s"], "MAINT"),
    (["server a {a} check"], ["state drain"], ["server a {a} check inter 3s"], "DRAIN"),
    (["server a 127.0.0.1:$PORT_1"], ["state drain"], ["server a 127.0.0.1:$PORT_1 maxconn 9"], "DRAIN"),
    (["server a {a} check"], ["state drain"], ["server a {a} check weight 5"], "DRAIN"),
    (["server a {a} check weight 0"], [], ["server a {a} check weight 5"], "UP"),
    (["server a {a} check slowstart 60s"], ["state maint", "state ready"], ["server a {a} check"], "UP"),
])  # fmt: skip
def test_maintenance_and_drain_by_hand_stay_and_those_of_pillar_count(lines, by_hand, later, status, begun, filled):
    balancer = begun(filled([*lines, "server b {b}"]))
    for word in by_hand:
        balancer.say(f"set server app/a {word}")
    waiting.wait_for(lambda: balancer.rows()["a"]["srv_op_state"] == "2", 0.5)
    assert put(balancer, filled, [*later, "server b {b}"])["a"].split(" ")[0] == status.split(" ")[0]


@pytest.mark.parametrize("before, by_hand, after, weight", [
    ("weight 5", None, "weight 9", "9"),
    ("weight 5", None, "weight 0", "0"),
    ("weight 0", None, "weight 5", "5"),
    ("weight 5", "7", "weight 5 maxconn 9", "7"),
    ("weight 5", "7", "weight 9", "9"),
    ("weight 5", "0", "weight 5 maxconn 9", "0"),
])  # fmt: skip
@pytest.mark.parametrize("address", ["{a}", "127.0.0.1:$PORT_1"])
def test_a_weight_by_hand_stays_until_pillar_says_another(before, by_hand, after, weight, address, begun, filled):
    balancer = begun(filled([f"server a {address} {before}", "server b {b}"]))
    if by_hand:
        balancer.say(f"set server app/a weight {by_hand}")
    put(balancer, filled, [f"server a {address} {after}", "server b {b}"])
    assert balancer.rows()["a"]["srv_uweight"] == weight


@contextlib.contextmanager
def hosts(old, new):
    """/etc/hosts with another word in it."""
    path = Path("/etc/hosts")
    before = path.read_text(encoding="ascii")
    path.write_text(before.replace(old, new), encoding="ascii")
    try:
        yield
    finally:
        path.write_text(before, encoding="ascii")


def test_a_name_that_means_another_address_now_is_looked_up_again(begun, filled):
    balancer = begun(filled(["server a one.example:80"]))
    with hosts("127.0.0.8 one", "127.0.0.7 one"):
        put(balancer, filled, ["server a one.example:80 maxconn 9"])
    assert balancer.rows()["a"]["srv_addr"] == "127.0.0.7"


def test_a_name_that_only_haproxy_can_look_up_keeps_its_address(begun, filled):
    """As with `resolvers` of its own: without an address the server would be down until they have answered."""
    line = "server a one.example:80 init-addr last,libc,none"
    balancer = begun(filled([line]))
    with hosts("one.example", "other.example"):
        put(balancer, filled, [f"{line} maxconn 9"])
    assert (balancer.rows()["a"]["srv_addr"], balancer.status()["a"]) == ("127.0.0.8", "no check")
