"""What is said to the kernel about addresses, and what is understood of its answers: bytes, without a network."""

import struct

import pytest

from support import agent_modules


@pytest.fixture(scope="module")
def agents():
    """Modules of the agents by their names."""
    yield from agent_modules.imported()


@pytest.fixture(scope="module")
def local(agents):
    return agents("local")


def message(local, family, length, flags, index, *attributes):
    return struct.pack("=BBBBI", family, length, flags, 0, index) + b"".join(
        local.attribute(kind, value) for kind, value in attributes
    )


def test_an_address_is_put_with_its_own_prefix_and_begins_no_connection(local):
    v4, v6 = local.new_address("203.0.113.10", 2), local.new_address("2001:db8::7", 3)
    assert struct.unpack_from("=BBBBI", v4) == (2, 32, 0, 254, 2)  # scope host: no source of what goes further
    assert local.attributes(v4[8:]) == {1: bytes([203, 0, 113, 10]), 2: bytes([203, 0, 113, 10])}
    assert struct.unpack_from("=BBBBI", v6) == (10, 128, 2, 0, 3)
    assert struct.unpack("=II", local.attributes(v6[8:])[6][:8]) == (0, 0xFFFFFFFF)  # preferred, valid


def test_the_kernels_list_of_addresses_is_read(local):
    ours, peer = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    bodies = [
        message(local, 2, 32, 0, 5, (1, peer), (2, ours), (3, b"tun0\0")),  # point to point: the first is the other end
        message(local, 10, 64, 0, 2, (1, bytes(15) + b"\1"), (8, struct.pack("=I", 0x308))),  # no neighbour may have it
        b"short",
    ]
    assert list(local.parse_addresses(bodies)) == [(ours, (5, 32, True)), (bytes(15) + b"\1", (2, 64, False))]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\1\0", b"\3\0\1\0", b"\xff\xff\1\0abc"])
def test_attributes_that_make_no_sense_end_the_list(local, data):
    assert set(local.attributes(data)) <= {1}


def test_what_neighbours_are_told(local):
    hardware = bytes.fromhex("020000000001")
    asked, answered = (local.arp("203.0.113.10", hardware, operation) for operation in (1, 2))
    assert asked.hex() == "0001080006040001" + "020000000001" + "cb00710a" + "000000000000" + "cb00710a"
    assert answered.hex() == "0001080006040002" + "020000000001" + "cb00710a" + "020000000001" + "cb00710a"
    said = local.advertisement("2001:db8::7", hardware)
    assert said.hex() == "8800000020000000" + "20010db8000000000000000000000007" + "0201" + "020000000001"
