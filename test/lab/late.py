#!/usr/bin/env python3
"""Pass frames between two interfaces a while after they come, until standard input closes; not each kernel has netem.

    late.py INTERFACE OTHER SECONDS

Runs inside the fabric, with the standard library alone. What a veth leaves to the other end, checksums and sizes, goes
along.
"""

import collections
import contextlib
import select
import socket
import sys
import time

SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_VNET_HDR = 263, 1, 15  # linux/if_packet.h
PROMISCUOUS = 1
LARGEST = 1 << 17
ETH_P_ALL = 0x0003


def opened(name):
    """A socket that gets and sends all frames of an interface, with what the kernel says of each before it."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    found.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    found.bind((name, ETH_P_ALL))
    index = socket.if_nametoindex(name)
    member = index.to_bytes(4, sys.byteorder) + PROMISCUOUS.to_bytes(2, sys.byteorder) + bytes(10)
    found.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
    found.setblocking(False)
    return found


def forward(one, other, seconds):
    """Returns how many there were."""
    ways, queue, number = {one: other, other: one}, collections.deque(), 0
    while True:
        left = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        for ready in select.select([one, other, sys.stdin], [], [], left)[0]:
            if ready is sys.stdin:
                return number
            with contextlib.suppress(BlockingIOError):
                frame, (_, _, kind, *_) = ready.recvfrom(LARGEST)
                if kind != socket.PACKET_OUTGOING:
                    queue.append((time.monotonic() + seconds, ways[ready], frame))
                    number += 1
        while queue and queue[0][0] <= time.monotonic():
            _, target, frame = queue.popleft()
            with contextlib.suppress(BlockingIOError):
                target.send(frame)


if __name__ == "__main__":
    ends = [opened(name) for name in sys.argv[1:3]]
    print("open", flush=True)
    print(forward(*ends, float(sys.argv[3])))
