"""The agent of addresses of a LAN, as Pacemaker runs it, between two machines in network namespaces."""

import json
import os
import shutil
import subprocess

import pytest

from support import cmap, two_nodes
from support.floatip import haproxy_takes_off
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("ip", "ping", "ocf-tester"), pytest.mark.skipif(not in_container(), reason="needs the tools"),
]  # fmt: skip

OK, FAILED, NOT_RUNNING, CONFIGURED, DEGRADED = 0, 1, 7, 6, 190
HOST, PEER = "lanip-host", "lanip-peer"
WANTED = ["10.1.0.100", "10.1.0.101", "fd00:1::100"]
NETWORKS = f"""
    ip netns add {HOST}
    ip netns add {PEER}
    ip -n {HOST} link add lan type veth peer name lan netns {PEER}
    for end in {HOST}:1 {PEER}:2; do
        name=${{end%:*}} number=${{end#*:}}
        ip netns exec $name sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.lan.accept_dad=0
        ip -n $name link set lo up
        ip -n $name link set lan up
        ip -n $name address add 10.1.0.$number/24 dev lan
        ip -n $name address add fd00:1::$number/64 dev lan nodad
    done
"""


@pytest.fixture(autouse=True)
def networks():
    subprocess.run(["sh", "-ec", NETWORKS], check=True)
    yield
    for name in (HOST, PEER):
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def call(installed, tmp_path):
    def run(action, addresses=WANTED, interval=10, **parameters):
        first, *others = addresses or [""]
        environment = {
            "PATH": os.environ["PATH"], "OCF_RESOURCE_INSTANCE": "FloatIP-web", "HA_RSCTMP": str(tmp_path),
            "OCF_RESKEY_address": first, "OCF_RESKEY_addresses": " ".join(others),
            "OCF_RESKEY_CRM_meta_interval": str(interval * 1000),
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }  # fmt: skip
        command = ["ip", "netns", "exec", HOST, str(installed / "lanip"), action]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr and "unexpected" not in done.stderr, done.stderr
        return done.returncode, done.stderr

    return run


@pytest.fixture
def take_off(installed, tmp_path):
    """HAProxy's monitor, or its stop, takes off what stays."""
    return lambda at_once=True: haproxy_takes_off(installed, tmp_path, at_once, ["ip", "netns", "exec", HOST])


def ip(*words):
    return subprocess.run(["ip", "-n", HOST, *words], capture_output=True, text=True, check=True).stdout


def there(addresses=WANTED):
    shown = ip("address", "show", "dev", "lan")
    return [address for address in addresses if f" {address}/" in shown]


def reaches(address):
    command = ["ip", "netns", "exec", PEER, "ping", "-nq", "-c1", "-W2", address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_they_come_and_go_together_and_twice_is_once(call, take_off):
    assert call("monitor", interval=0)[0] == NOT_RUNNING
    for _ in range(2):
        assert call("start")[0] == OK
        assert there() == WANTED and all(map(reaches, WANTED))
        assert call("monitor")[0] == call("monitor", interval=0)[0] == OK
    for _ in range(2):
        assert call("stop")[0] == OK
        assert call("monitor")[0] == call("monitor", interval=0)[0] == NOT_RUNNING
    take_off()
    assert there() == []
    assert call("stop")[0] == OK
    assert call("monitor")[0] == call("monitor", interval=0)[0] == NOT_RUNNING


def test_what_somebody_has_taken_away_comes_back(call):
    call("start")
    ip("address", "delete", f"{WANTED[1]}/32", "dev", "lan")
    code, said = call("monitor")
    assert code == OK and f"{WANTED[1]}: on no interface any more, and put there again" in said
    code, said = call("monitor")
    assert (code, there()) == (OK, WANTED) and "on no interface" not in said


def test_an_address_without_a_claim_is_to_be_stopped(call, take_off):
    ip("address", "add", f"{WANTED[0]}/16", "dev", "lan")
    assert call("monitor", interval=0)[0] == OK
    assert call("stop")[0] == OK
    assert call("monitor", interval=0)[0] == NOT_RUNNING
    take_off()
    assert there() == []


def test_another_machine_that_answers_for_it_is_seen(installed):
    subprocess.run(["ip", "-n", PEER, "address", "add", f"{WANTED[1]}/16", "dev", "lan"], check=True)
    for address in WANTED[:2]:
        ip("address", "add", f"{address}/32", "dev", "lan")
    code = f"import sys\nsys.path.insert(0, {str(installed)!r})\nimport local\n"
    code += f"print(*map(local.other_owner, {WANTED!r}))"
    command = ["ip", "netns", "exec", HOST, "python3", "-c", code]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    link = ["ip", "-n", PEER, "-br", "link", "show", "lan"]
    hardware = subprocess.run(link, capture_output=True, text=True, check=True).stdout.split()[2]
    assert seen == f" {hardware} \n"


def test_a_reload_touches_only_what_changes(call, take_off):
    call("start")
    other = [*WANTED[1:], "10.1.0.102"]
    assert call("reload-agent", other)[0] == OK
    assert there([*WANTED, "10.1.0.102"]) == other
    assert call("monitor", other)[0] == OK
    assert call("reload-agent", other[:1])[0] == OK and there([*WANTED, other[-1]]) == other[:1]
    assert call("stop", other)[0] == OK
    take_off()
    assert there([*WANTED, *other]) == []
    assert call("reload-agent", other)[0] == OK and there(other) == []  # where it does not run


def test_a_stop_takes_away_what_an_older_list_had(call, take_off):
    call("start")
    assert call("stop", WANTED[:1])[0] == OK
    take_off()
    assert there() == []


# Until a neighbour has heard of the next one, it is served


def forget(address):
    """A neighbour that must ask again who has it."""
    subprocess.run(["ip", "-n", PEER, "neighbour", "flush", "to", address], check=True)


@pytest.mark.parametrize("address", WANTED)
def test_who_knows_where_it_was_is_served_and_who_asks_hears_nothing(call, address):
    call("start")
    assert reaches(address)
    assert call("stop")[0] == OK
    assert reaches(address) and there() == WANTED
    forget(address)
    assert not reaches(address)
    own = "fd00:1::1" if ":" in address else "10.1.0.1"
    forget(own)
    assert reaches(own)


@pytest.mark.parametrize("address", WANTED)
def test_it_asks_nobody_in_its_name(call, address):
    """A neighbour would learn from that where it is."""
    call("start")
    assert call("stop")[0] == OK
    subprocess.run(["ip", "-n", HOST, "neighbour", "flush", "dev", "lan"], check=True)
    forget(address)
    other = "fd00:1::2" if ":" in address else "10.1.0.2"
    command = ["ip", "netns", "exec", HOST, "ping", "-nq", "-c1", "-W1", "-I", address, other]
    subprocess.run(command, capture_output=True, check=False)
    shown = subprocess.run(["ip", "-n", PEER, "neighbour", "show", address], capture_output=True, text=True, check=True)
    assert "lladdr" not in shown.stdout


@pytest.mark.parametrize("address", WANTED)
def test_who_answers_a_client_in_its_name_draws_no_others(call, address):
    """Another machine has it too, at the end of a partition, and clients have heard so."""
    call("start")
    subprocess.run(["ip", "-n", HOST, "neighbour", "flush", "dev", "lan"], check=True)
    elsewhere = "02:00:00:00:00:99"
    of_peer("neighbour", "replace", address, "lladdr", elsewhere, "nud", "stale")
    other = "fd00:1::2" if ":" in address else "10.1.0.2"
    command = ["ip", "netns", "exec", HOST, "ping", "-nq", "-c1", "-W1", "-I", address, other]
    subprocess.run(command, capture_output=True, check=False)
    assert f"{other} dev lan lladdr" in ip("neighbour", "show")
    shown = subprocess.run(["ip", "-n", PEER, "neighbour", "show"], capture_output=True, text=True, check=True).stdout
    assert f"{address} dev lan lladdr {elsewhere}" in shown


def asked_as(address):
    """In whose name neighbours are asked where the address speaks; None for nothing that is said of it."""
    done = subprocess.run(["ip", "netns", "exec", HOST, "nft", "--json", "list", "ruleset"], capture_output=True,
                          text=True, check=True)  # fmt: skip
    maps = [one["map"] for one in json.loads(done.stdout)["nftables"] if "map" in one]
    return dict(element for one in maps for element in one.get("elem", [])).get(address)


def test_in_whose_name_is_of_those_that_are_here(call, take_off):
    *_, address = WANTED
    assert call("start")[0] == OK and asked_as(address).startswith("fe80:")
    subprocess.run(["ip", "netns", "exec", HOST, "nft", "flush", "ruleset"], check=True)
    assert call("monitor")[0] == OK and asked_as(address).startswith("fe80:")
    assert call("start")[0] == OK and asked_as(address).startswith("fe80:")
    assert call("stop")[0] == OK and asked_as(address) is None
    take_off()
    assert "haproxy_ha_asks" not in subprocess.run(
        ["ip", "netns", "exec", HOST, "nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_one_that_is_meant_again_is_heard_of_again(call, take_off):
    call("start")
    for _ in range(2):
        assert call("stop")[0] == OK
        assert call("start")[0] == OK
        take_off()  # is for what stays alone
        for address in WANTED:
            forget(address)
            assert reaches(address)


def rules(table=""):
    """The packet filter's, of one table in all families or of all."""
    command = ["ip", "netns", "exec", HOST, "nft", "list", "ruleset"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "".join(part for part in text.split("table ") if table in part)


def test_it_stays_for_as_long_as_it_takes_to_move(call, take_off, tmp_path):
    call("start")
    assert call("stop")[0] == OK
    take_off(at_once=False)
    assert there() == WANTED
    for address in WANTED:
        (tmp_path / f"haproxy_ha-leaving-{address}").write_text("0.000 silent\n", encoding="ascii")
    take_off(at_once=False)
    assert there() == []
    assert not [address for address in WANTED if address in rules("haproxy_ha_silence")]
    take_off()
    assert rules() == ""


@pytest.fixture
def without_nft(installed):
    programs = installed.parent / "programs"
    shutil.rmtree(programs, ignore_errors=True)
    programs.mkdir()
    (programs / "nft").write_text("#!/bin/sh\necho not permitted >&2\nexit 1\n", encoding="ascii")
    (programs / "nft").chmod(0o755)
    yield
    shutil.rmtree(programs)


def test_where_it_cannot_be_silent_it_goes_at_once(call, without_nft):
    call("start")
    code, said = call("stop")
    assert (code, there()) == (OK, []) and "off the interface at once: nft: not permitted" in said
    assert call("monitor", interval=0)[0] == NOT_RUNNING


def test_neighbours_hear_of_a_move(call):
    """The peer has learnt another machine's hardware address for it."""
    entry = ["replace", WANTED[0], "lladdr", "02:00:00:00:00:99", "dev", "lan", "nud", "reachable"]
    arp = ["ip", "-n", PEER, "neighbour", *entry]
    subprocess.run(arp, check=True)
    call("start")
    assert reaches(WANTED[0])
    subprocess.run(arp, check=True)  # it has missed that
    assert call("monitor")[0] == OK
    assert reaches(WANTED[0])


# Prints each hardware address from which an address is announced, until nothing comes for a second.
HEAR = """
import socket
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0806)) as link:
    link.bind(("lan", 0x0806))
    link.settimeout(1)
    print("ready", flush=True)
    try:
        while packet := link.recv(64):
            if packet[14:18] == packet[24:28] == socket.inet_aton("{}"):
                print(packet[8:14].hex(":"))
    except TimeoutError:
        pass
"""


def announced_by_a_monitor(call):
    command = ["ip", "netns", "exec", PEER, "python3", "-c", HEAR.format(WANTED[0])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hears:
        assert hears.stdout.readline() == "ready\n"
        assert call("monitor")[0] == OK
        return hears.stdout.read().split()


def test_who_is_back_from_a_partition_draws_no_clients(call, lost, installed):
    """The other one has taken it meanwhile, and the cluster has not decided yet."""
    corosync = installed.parent / "programs" / "corosync-cmapctl"
    alone = corosync.read_text(encoding="ascii")
    corosync.write_text(cmap.stand_in({"me": "member", "peer": "member"}), encoding="ascii")
    call("start")
    assert len(announced_by_a_monitor(call)) == 2
    of_peer("address", "add", f"{WANTED[0]}/32")
    assert announced_by_a_monitor(call) == []
    of_peer("address", "delete", f"{WANTED[0]}/32")
    assert len(announced_by_a_monitor(call)) == 2
    corosync.write_text(alone, encoding="ascii")  # nobody is heard
    assert announced_by_a_monitor(call) == []


def test_who_took_it_tells_so_again(call, lost):
    """The one that had it is back, and answers for it."""
    call("start")
    of_peer("address", "add", f"{WANTED[0]}/32")
    assert len(announced_by_a_monitor(call)) == 2


@pytest.mark.parametrize(("addresses", "code", "said"), [
    (["10.1.0.300"], CONFIGURED, "address: found '10.1.0.300', allowed: an IPv4 or IPv6 address"),
    (["10.1.0.100", "x;reboot"], CONFIGURED, "addresses: found 'x;reboot', allowed: an IPv4 or IPv6 address"),
    ([], CONFIGURED, "address: is required"),
    (["192.0.2.7"], FAILED, "no route leads to 192.0.2.7, so its interface must be named"),
])  # fmt: skip
def test_what_cannot_be_is_told(call, addresses, code, said):
    found, text = call("start", addresses)
    assert (found, said in text) == (code, True), text
    assert there() == []


def test_an_interface_that_is_not_there_is_told(call):
    code, text = call("start", interface="eth9")
    assert code == 5 and "this machine has no 'eth9'" in text
    assert call("start", ["192.0.2.7"], interface="lan")[0] == OK and there(["192.0.2.7"]) == ["192.0.2.7"]


NOBODY = """
import sys
sys.path.insert(0, {directory!r})
import local
print(local.nobody_answers(local.index_of("lan"), {doubted}))
"""


def test_who_hears_nobody_is_the_one_that_is_cut_off(installed):
    """Of two neighbours that it has just heard of; the only one may be the machine that is lost."""

    def alone(doubted=False):
        code = NOBODY.format(directory=str(installed), doubted=doubted)
        command = ["ip", "netns", "exec", HOST, "python3", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout == "True\n"

    def heard_of(address, hardware):
        ip("neighbour", "replace", address, "lladdr", hardware, "dev", "lan", "nud", "reachable")

    assert not alone() and not alone(doubted=True)
    heard_of("10.1.0.77", "02:00:00:00:00:77")
    assert not alone()
    heard_of("10.1.0.78", "02:00:00:00:00:78")
    assert alone()
    link = ["ip", "-n", PEER, "-br", "link", "show", "lan"]
    hardware = subprocess.run(link, capture_output=True, text=True, check=True).stdout.split()[2]
    heard_of("10.1.0.2", hardware)
    assert not alone()
    subprocess.run(["ip", "-n", PEER, "link", "set", "lan", "down"], check=True)
    assert alone() and alone(doubted=True)
    subprocess.run(["ip", "-n", PEER, "link", "set", "lan", "up"], check=True)
    heard_of("10.1.0.77", "02:00:00:00:00:77")
    two_nodes.wait_for("the link", lambda: not alone(), 10)
    heard_of("10.1.0.2", hardware)
    assert not alone(doubted=True)


@pytest.fixture
def lost(installed):
    """The other node of two is lost, as Corosync says."""
    programs = installed.parent / "programs"
    shutil.rmtree(programs, ignore_errors=True)
    programs.mkdir()
    for name, text in (("corosync-cmapctl", cmap.stand_in({"me": "member", "peer": "lost"})),
                       ("attrd_updater", "#!/bin/sh\nexit 0\n")):  # fmt: skip
        (programs / name).write_text(text, encoding="ascii")
        (programs / name).chmod(0o755)
    yield
    shutil.rmtree(programs)


def of_peer(*words):
    subprocess.run(["ip", "-n", PEER, *words, "dev", "lan"], check=True)


def test_of_two_that_have_it_the_one_keeps_it_that_took_it(call, lost):
    """The other one had it, and does not serve: it answers no request."""
    of_peer("address", "add", f"{WANTED[0]}/32")
    assert call("start")[0] == OK
    assert call("monitor")[0] == OK and there() == WANTED


ONE_ANSWER = """
import socket, time
with socket.create_server(("{address}", 80)) as listener:
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        time.sleep({seconds})
        try:
            connection.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
            connection.close()
        except OSError:
            pass
"""


@pytest.mark.parametrize(("heard", "silent_link", "taken"), [(2, True, False), (1, True, True), (2, False, True)])
def test_who_is_cut_off_from_the_cluster_takes_nothing_for_an_answer_that_is_late(
    call, lost, installed, heard, silent_link, taken
):
    """Of those it has heard of on the cluster's link none answers; the address does, after half a second."""
    ip("link", "add", "cluster", "type", "veth", "peer", "name", "far")
    for command in (("link", "set", "cluster", "up"), ("link", "set", "far", "up"),
                    ("address", "add", "192.0.2.1/24", "dev", "cluster")):  # fmt: skip
        ip(*command)
    for number in range(heard):
        ip("neighbour", "replace", f"192.0.2.{7 + number}", "lladdr", f"02:00:00:00:00:{number:02}", "dev", "cluster",
           "nud", "reachable")  # fmt: skip
    if not silent_link:
        ip("link", "set", "far", "down")  # as a cable whose other end has no power
    of_peer("address", "add", f"{WANTED[0]}/32")
    command = ["ip", "netns", "exec", PEER, "python3", "-c", ONE_ANSWER.format(address=WANTED[0], seconds=0.5)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as answers:
        assert answers.stdout.readline() == "ready\n"
        try:
            assert call("start")[0] == OK
        finally:
            answers.kill()
    assert there() == (WANTED if taken else [])


def test_one_that_another_machine_took_is_given_up(call, lost, installed):
    (installed.parent / "programs" / "corosync-cmapctl").write_text(
        cmap.stand_in({"me": "member", "peer": "member"}), encoding="ascii"
    )
    assert call("start")[0] == OK
    (installed.parent / "programs" / "corosync-cmapctl").write_text(
        cmap.stand_in({"me": "member", "peer": "lost"}), encoding="ascii"
    )
    assert call("monitor")[0] == OK
    of_peer("address", "add", f"{WANTED[0]}/32")
    code, said = call("monitor")
    assert (code, there()) == (DEGRADED, []) and f"{WANTED[0]} is on another machine of the link, too" in said
    code, said = call("monitor")
    assert code == DEGRADED and "it is not taken back for" in said


def test_ocf_tester_passes_it(installed, tmp_path):
    for directory in [installed, *installed.parents][:-1]:
        directory.chmod(directory.stat().st_mode | 0o055)
    done = subprocess.run(
        ["ip", "netns", "exec", HOST, "ocf-tester", "-n", "web", "-o", f"address={WANTED[0]}", "-o",
         f"addresses={' '.join(WANTED[1:])}", str(installed / "lanip")],
        capture_output=True, text=True, check=False, env={**os.environ, "HA_RSCTMP": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
