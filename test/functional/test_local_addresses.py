"""The address on this machine: real interfaces of two network namespaces, which only the tests have."""

import json
import subprocess
import sys

import pytest

from support import two_nodes
from support.pillars import FORMULA
from support.place import in_container, requires_tools

pytestmark = [requires_tools("ip", "ping"), pytest.mark.skipif(not in_container(), reason="needs the tools")]

HOST, PEER = "local-host", "local-peer"
V4, V6 = "203.0.113.10", "2001:db8:99::7"
ADDRESSES = [V4, V6]
NETWORKS = f"""
    ip netns add {HOST}
    ip netns add {PEER}
    ip -n {HOST} link add public type veth peer name public netns {PEER}
    ip -n {HOST} link add lan type veth peer name lan netns {PEER}
    for end in {HOST}:1 {PEER}:2; do
        name=${{end%:*}} number=${{end#*:}}
        ip netns exec $name sysctl -qw net.ipv6.conf.default.accept_dad=0
        ip -n $name link set lo up
        for link in public lan; do ip -n $name link set $link up; done
        ip -n $name address add 198.51.100.$number/24 dev public
        ip -n $name address add 10.1.0.$number/24 dev lan
        ip -n $name address add 2001:db8:1::$number/64 dev public nodad
    done
    ip -n {HOST} route add default via 198.51.100.2
    ip -n {HOST} -6 route add default via 2001:db8:1::2
    ip -n {PEER} route add {V4} dev public
    ip -n {PEER} -6 route add {V6} dev public
"""


@pytest.fixture(autouse=True)
def networks():
    subprocess.run(["sh", "-ec", NETWORKS], check=True)
    yield
    for name in (HOST, PEER):
        subprocess.run(["ip", "netns", "delete", name], check=True)


def local(expression):
    """The value of an expression of the module `local`, on the host; or what fails."""
    program = (
        f"import json, sys; sys.path.insert(0, {str(FORMULA / 'files' / 'agents')!r})\n"
        f"import local\ntry: found = {expression}\nexcept local.Failure as failure: found = failure.reason\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        ["ip", "netns", "exec", HOST, sys.executable, "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def ip(where, *words):
    """Output of ip(8) in one of the namespaces."""
    command = ["ip", "-n", where, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def reaches(address, *options):
    """Whether the peer has an answer of the address."""
    command = ["ip", "netns", "exec", PEER, "ping", "-nq", "-c1", "-W2", *options, address]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_put_there_and_taken_away(address):
    assert local(f"local.is_here({address!r})") is False
    local(f"local.add({address!r})")
    assert local(f"local.is_here({address!r})") is True
    assert f" {address}/{128 if ':' in address else 32} " in ip(HOST, "address", "show", "dev", "public")
    assert reaches(address)
    assert local(f"local.remove({address!r})") is True
    assert local(f"local.is_here({address!r})") is False
    assert not reaches(address)


@pytest.mark.parametrize("address", ADDRESSES)
def test_both_may_be_said_again(address):
    for _ in range(2):
        assert local(f"local.add({address!r})") is None
    assert len(local(f"local.places({address!r})")) == 1
    assert [local(f"local.remove({address!r})") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_on_the_interface_that_is_named(address):
    local(f"local.add({address!r}, 'lan')")
    assert f" {address}/" in ip(HOST, "address", "show", "dev", "lan")


def test_an_address_of_a_lan_is_put_there():
    local("local.add('10.1.0.50')")
    assert " 10.1.0.50/32 " in ip(HOST, "address", "show", "dev", "lan")
    assert reaches("10.1.0.50")


@pytest.mark.parametrize("address", ADDRESSES)
def test_one_that_is_there_already_stays_as_it_is(address):
    prefix = f"{address}/{64 if ':' in address else 24}"
    ip(HOST, "address", "add", prefix, "dev", "lan", *(["nodad"] if ":" in address else []))
    local(f"local.add({address!r})")
    assert f" {prefix} " in ip(HOST, "address", "show", "dev", "lan")
    assert f" {address}/" not in ip(HOST, "address", "show", "dev", "public")
    assert local(f"local.remove({address!r})") is True
    assert f" {address}/" not in ip(HOST, "address", "show")


@pytest.mark.parametrize(("address", "family", "far", "own"), [
    (V4, "-4", "192.0.2.1", "198.51.100.1/24"), (V6, "-6", "2001:db8:ff::1", "2001:db8:1::1/64"),
])  # fmt: skip
def test_no_connection_of_this_machine_begins_with_it(address, family, far, own):
    """Even where it is the first address of its interface, as after a lease that ended."""
    gateway = "198.51.100.2" if family == "-4" else "2001:db8:1::2"
    ip(HOST, "address", "delete", own, "dev", "public")
    local(f"local.add({address!r}, 'public')")
    ip(HOST, "address", "add", own, "dev", "public", *(["nodad"] if family == "-6" else []))
    ip(HOST, family, "route", "replace", "default", "via", gateway)
    assert f" src {own.partition('/')[0]} " in ip(HOST, family, "route", "get", far)


@pytest.mark.parametrize("address", ADDRESSES)
def test_neighbours_are_told(address):
    """Else they would send to whoever had it before, for as long as they remember."""
    family = "-6" if ":" in address else "-4"
    [link] = json.loads(ip(HOST, "-json", "link", "show", "dev", "public"))
    ip(PEER, "neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "public", "nud", "stale")
    local(f"local.add({address!r})")
    deadline = 100
    while (said := ip(PEER, family, "neighbour", "show", address)) and link["address"] not in said and deadline:
        deadline -= 1
    assert link["address"] in said
    assert reaches(address)


@pytest.mark.parametrize(("expression", "text"), [
    ("local.add('203.0.113.10', 'eth7')", "interface: this machine has no 'eth7'"),
    ("local.add('203.0.113.300')", "found '203.0.113.300', allowed: an IPv4 or IPv6 address"),
    ("local.is_here('::1::')", "found '::1::', allowed: an IPv4 or IPv6 address"),
])  # fmt: skip
def test_what_is_wrong_is_said(expression, text):
    assert local(expression) == text


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_a_route_the_interface_must_be_named(address):
    for family in ("-4", "-6"):
        ip(HOST, family, "route", "delete", "default")
    said = local(f"local.add({address!r})")
    assert said == f"no route leads to {address}, so its interface must be named: Network is unreachable"


def test_one_that_a_neighbour_has_already_is_not_here():
    """As the kernel finds where it looks for it: the address is there and does not serve (RFC 4862)."""
    ip(PEER, "address", "add", f"{V6}/128", "dev", "public", "nodad")
    subprocess.run(["ip", "netns", "exec", HOST, "sysctl", "-qw", "net.ipv6.conf.public.accept_dad=1"], check=True)
    ip(HOST, "address", "add", f"{V6}/128", "dev", "public")
    looked = lambda: "dadfailed" in ip(HOST, "-6", "address", "show", "dev", "public")  # noqa: E731
    two_nodes.wait_for("the kernel to look", looked, 10)
    assert local(f"local.is_here({V6!r})") is False


def test_answers_that_are_there_are_read_though_the_time_is_over():
    """As by a process that has asked, and got no time of a processor since."""
    answer = "b'\\0' * 6 + b'\\0\\2' + b'\\2\\0\\0\\0\\0\\1' + b'\\n\\1\\0\\2'"
    late = (
        "(lambda pair: (pair[1].send(" + answer + "), setattr(local, 'ARP_SECONDS', -1.0), "
        "[packed.hex() for packed, _ in local._answers(pair[0])])[-1])"
        "(__import__('socket').socketpair(type=__import__('socket').SOCK_DGRAM))"
    )
    assert local(late) == ["0a010002"]
