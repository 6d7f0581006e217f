"""Neighbours that say anything: nobody's word ends in a traceback, and one minion's nonsense costs that minion only."""

import contextlib
import copy
import ipaddress
import socket
import threading

import pytest
from hypothesis import strategies as st

from haproxy_ha_host import connection
from haproxy_ha_lib import corosync
from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.digitalocean import metadata, reserved
from haproxy_ha_lib.digitalocean.droplets import DROPLETS
from haproxy_ha_lib.haproxy import queue
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.pillar.shape import shown
from haproxy_ha_lib.settings import addresses, build, checks, neighbours
from support.neighbours import ADDRESS, ANYTHING, ME, METADATA, OTHER, REPLIES, STREAMS, holds, spoilt
from support.pillars import DEFAULTS, changed
from support.scripted_api import Script

EXAMPLES = [300, pytest.param(100_000, marks=pytest.mark.slow)]
NETWORKS = [ipaddress.ip_network(network) for network in DEFAULTS["private_network"]]
PILLAR = changed({
    "mine": True, "load_balancers:primary": None, "load_balancers:secondary": None,
    "app_servers:app-1": None, "app_servers:app-2": {"private_ip": "10.132.20.237"},
})  # fmt: skip
SENT = {"private_ip": "10.132.20.236", "public_ip": "203.0.113.31", "nginx_requests": 512}
MINE = {"primary": {"private_ip": "10.132.20.10"}, "secondary": {"private_ip": "10.132.20.11"}, "app-1": SENT}
RUNNING = "backend app_pool\n    server app-1 10.132.20.236:80 check\n"
KNOWN = {"private_ip": "10.132.20.10", "public_ip": "203.0.113.21", "anchor_ip": "10.17.1.18"}


READ, _ = schema.read(PILLAR, DEFAULTS)
corosync.fill_in(READ["cluster"], 2)


def made(minion, mine, metadata=KNOWN, installed=""):
    """(tree, problems, warnings) as build.settings has them for a minion, of what depends on its neighbours."""
    read, roles = copy.deepcopy(READ), ["app_server" if minion.startswith("app") else "load_balancer"]
    problems, _ = addresses.fill_in(read, minion, roles, metadata, mine)
    more, warnings = neighbours.fill_in(read, minion, roles, mine, installed)
    told = queue.settle(read, mine, installed)
    warnings += [f"haproxy_ha:{text}" for text in told if "load_balancer" in roles]
    for at, node in enumerate(read["load_balancers"].values(), 1):
        node["node_id"] = at
    return read, [shown(problem) for problem in [*problems, *more, *checks.all_of(read, roles)]], warnings


def test_the_example_is_right_while_nobody_speaks_nonsense():
    for minion in ("primary", "app-2"):
        built = build.settings(PILLAR, minion, DEFAULTS, KNOWN, MINE)
        assert built.errors == [] and not any("the mine" in text for text in built.warnings)
        assert made(minion, MINE)[1:] == ([], [])


def is_silence(sent):
    return not sent or isinstance(sent, dict) and sent.get("private_ip") is None


TAKEN = ["10.132.20.10", "10.132.20.11", "10.132.20.237", "10.17.1.18", ADDRESS, "10.0.0.7", "fd00::7"]
SENDS = spoilt(SENT) | st.sampled_from(TAKEN).map(lambda address: {"private_ip": address}) | ANYTHING


@pytest.mark.parametrize("examples", EXAMPLES)
def test_what_one_minion_sends_to_the_mine_costs_that_minion_alone(examples):
    def law(sent):
        mine = {**MINE, "app-1": sent}
        read, problems, warnings = made("primary", mine)
        if is_silence(sent):
            assert [problem.split(":")[2] for problem in problems] == ["app-1"]
            return
        assert problems == [] and "app-2" in read["app_servers"]
        one = read["app_servers"].get("app-1")
        assert {text.split(":")[2] for text in warnings} <= {"app-1"}
        assert warnings or one["nginx_requests"] in (None, sent.get("nginx_requests"))
        assert not one or any(ipaddress.ip_address(one["private_ip"]) in network for network in NETWORKS)
        assert not one or one["private_ip"] not in TAKEN[:5]
        assert made("app-2", mine)[1:] == ([], [])

    holds(law, examples, SENDS)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_a_server_that_runs_stays_where_it_is_whatever_it_says(examples):
    def law(sent):
        read, problems, warnings = made("primary", {**MINE, "app-1": sent}, installed=RUNNING)
        address = read["app_servers"]["app-1"]["private_ip"]
        assert problems == []
        assert [text for text in warnings if "stays at 10.132.20.236" in text] or address == sent["private_ip"]

    holds(law, examples, SENDS)


@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_whole_mine_may_be_anything(examples):
    def law(mine, installed):
        read, problems, _ = made("primary", mine, installed=installed)
        known = [entry["private_ip"] for table in ("load_balancers", "app_servers") for entry in read[table].values()]
        assert problems or (all(known) and known[2:])

    mines = spoilt(MINE, 4) | st.dictionaries(st.sampled_from(list(MINE)), ANYTHING) | ANYTHING
    holds(law, examples, mines, st.sampled_from(["", RUNNING, RUNNING.replace("app-1", "app-2")]))


@pytest.mark.parametrize("examples", EXAMPLES)
def test_what_the_metadata_service_says_is_understood_or_refused(examples):
    def law(document):
        try:
            known = metadata.normalised(document)
        except ValueError as error:
            def known(url, why=error):
                raise why
        read, problems, _ = made("primary", MINE, known)
        for key in ("private_ip", "public_ip", "anchor_ip"):
            address = read["load_balancers"]["primary"][key]
            assert ipaddress.ip_address(address) if address else problems or key == "public_ip"

    holds(law, examples, spoilt(METADATA, 3) | ANYTHING)


AT_OTHER = reserved.ReservedIP(ADDRESS, OTHER, True, False, "nyc3")
PROCEDURES = {
    "reserved.read": lambda: reserved.read(ADDRESS, ME),
    "reserved.read_all": lambda: reserved.read_all(3),
    "reserved.assign": lambda: reserved.assign(ADDRESS, ME, replaces="203.0.113.11"),
    "reserved.assign elsewhere": lambda: reserved.assign(ADDRESS, ME, elsewhere=True),
    "reserved.obstacles": lambda: reserved.obstacles(AT_OTHER, ME, "nyc3"),
    "droplets.read": lambda: DROPLETS.read(ME),
    "droplets.read_all": lambda: DROPLETS.read_all(tries=2),
    "droplets.find": lambda: DROPLETS.find("primary"),
    "droplets.may_see": lambda: DROPLETS.may_see(ME, 2),
    "droplets.fencing_problems": lambda: DROPLETS.fencing_problems({"primary": "primary", "secondary": "1002"}, 2),
    "droplets.set_power": lambda: DROPLETS.set_power(ME, "off"),
}


@pytest.mark.parametrize("examples", [100, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PROCEDURES)
def test_what_the_api_answers_ends_in_a_result_or_in_a_reason(name, examples):
    def law(replies):
        try:
            Script(*replies).run(PROCEDURES[name]())
        except calls.APIError as error:
            assert str(error).isprintable() and len(str(error)) < 1000

    holds(law, examples, st.lists(REPLIES, min_size=1, max_size=4))


@pytest.fixture
def speaker():
    """A server that says to everybody what ``said`` holds, and ends; with its ``url``."""
    listener = socket.create_server(("127.0.0.1", 0))

    class Speaker:
        said, url = b"", f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve():
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(Speaker.said)

    threading.Thread(target=serve, daemon=True).start()
    yield Speaker
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("examples", EXAMPLES)
def test_whatever_comes_on_a_connection_is_a_reply_or_a_reason(examples, speaker):
    def law(said):
        speaker.said = said
        reply = connection.Connection(speaker.url).send(calls.Call("GET", "/v2/x"), 5.0, token="dop_v1_secret")
        assert reply.status or (reply.failure and reply.failure.isprintable() and len(reply.failure) < 300)
        described = calls.describe(reply)
        assert described.isprintable() and "dop_v1_secret" not in described

    holds(law, examples, STREAMS)
