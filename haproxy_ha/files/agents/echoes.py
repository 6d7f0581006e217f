"""Echo requests, several a second, that nobody waits for (RFC 792): when an address has answered last."""

import os
import socket
import struct

import reach

_SOL_RAW, _ICMP_FILTER = 255, 1  # raw(7): all that comes is handed to a raw socket otherwise
_ECHO_REPLY = 0


class Echoes:
    """A socket for them, and the moment of each address's last answer.

    Args:
        connection (socket): A raw one of ICMP. Default: a new one.
    """

    def __init__(self, connection=None):
        self._connection = connection or _socket()
        self.identifier = os.getpid() & 0xFFFF
        self._sequence = 0
        self.answered = {}

    def ask(self, addresses):
        """Sends a request to each of some IPv4 addresses; what cannot be sent is not answered either."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        packet = reach.echo_request(self.identifier, self._sequence)
        for address in addresses:
            try:
                self._connection.sendto(packet, (address, 0))
            except OSError:
                continue

    def hear(self, now):
        """Takes what has come. `now`: monotonic seconds."""
        while True:
            try:
                packet, sender = self._connection.recvfrom(1024)
            except OSError:  # nothing is left
                return
            if reach.is_echo(packet, self.identifier):
                self.answered[sender[0]] = now

    def stand_still(self, seconds):
        """For so long nobody could ask or hear: it counts for nothing."""
        self.answered = {address: moment + seconds for address, moment in self.answered.items()}


def _socket():
    connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    connection.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _ECHO_REPLY) & 0xFFFFFFFF))
    connection.setblocking(False)
    return connection
