"""The kernel's tables of sockets as data, and who is in whose way."""

import sys

import pytest

from haproxy_ha_lib import net

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the tables below are a little-endian machine's")


def row(local, state="0A", inode=4711):
    return f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"


@little_endian
@pytest.mark.parametrize(
    ("local", "address", "port"),
    [
        ("1201110A:0050", "10.17.1.18", 80),
        ("00000000:01BB", "0.0.0.0", 443),
        ("00000000000000000000000000000000:0050", "::", 80),
        ("00000000000000000000000001000000:1F90", "::1", 8080),
        ("0000000000000000FFFF00001201110A:0050", "10.17.1.18", 80),
        ("B80D0120000000000000000001000000:0050", "2001:db8::1", 80),
    ],
)
def test_a_listening_socket(local, address, port):
    assert net.parse(HEADER + row(local)) == [{"address": address, "port": port, "inode": 4711}]


def test_what_does_not_listen_is_left_out():
    assert net.parse(HEADER + row("1201110A:0050", state="01") + "\n") == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "10.0.0.1", True),
        ("10.0.0.1", "::", True),
        ("fd00::1", "::", True),
        ("fd00::1", "0.0.0.0", False),
        ("fd00::1", "fd00::2", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
    ],
)
def test_listeners_in_each_others_way(one, other, expected):
    assert net.overlap(one, other) is expected
    assert net.overlap(other, one) is expected


def test_missing_listeners():
    listening = [{"address": "0.0.0.0", "port": 80, "inode": 1}, {"address": "fd00::1", "port": 80, "inode": 2}]
    assert net.missing([("10.0.0.1", 80), ("fd00:0::1", 80)], listening) == [("10.0.0.1", 80)]


NOWHERE = "0" * 32


@pytest.mark.parametrize(("destination", "length", "flags", "found"), [
    (NOWHERE, "00", "00000003", True),
    (NOWHERE, "00", "00000001", True),
    (NOWHERE, "00", "00200200", False),
    (NOWHERE, "60", "00000003", False),
    ("20010db8020300000000000000000000", "00", "00000003", False),
])  # fmt: skip
def test_a_default_route_is_one_that_leads_somewhere(destination, length, flags, found):
    line = f"{destination} {length} {NOWHERE} 00 {NOWHERE} 00000400 00000001 00000000 {flags}     eth0\n"
    assert net.has_default_route(line + "\n") == found
    assert not net.has_default_route("")
