"""Echo requests, several a second, that nobody waits for: when an address has answered last."""

import os

import icmp


class Echoes:
    """A socket for each family of addresses, and the moment of each address's last answer.

    Args:
        connections (dict): {whether it is of IPv6: raw socket}. Default: new ones, when they are needed.
    """

    def __init__(self, connections=None):
        self._connections = {} if connections is None else connections
        self._names = {}
        self.identifier = os.getpid() & 0xFFFF
        self._sequence = 0
        self.answered = {}

    def ask(self, addresses):
        """Sends a request to each of some addresses; what cannot be sent is not answered either."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        for address in addresses:
            try:
                ipv6 = ":" in address
                packet = icmp.request(self.identifier, self._sequence, ipv6)
                self._names[icmp.spelt(address)] = address
                self._connection(ipv6).sendto(packet, icmp.destination(address))
            except OSError:
                continue

    def _connection(self, ipv6):
        if ipv6 not in self._connections:
            self._connections[ipv6] = icmp.opened(ipv6)
            self._connections[ipv6].setblocking(False)
        return self._connections[ipv6]

    def hear(self, now):
        """Takes what has come. `now`: monotonic seconds."""
        for ipv6, connection in self._connections.items():
            while True:
                try:
                    packet, sender = connection.recvfrom(1024)
                except OSError:  # nothing is left
                    break
                if icmp.is_reply(packet, self.identifier, ipv6) and sender[0] in self._names:
                    self.answered[self._names[sender[0]]] = now

    def stand_still(self, seconds):
        """For so long nobody could ask or hear: it counts for nothing."""
        self.answered = {address: moment + seconds for address, moment in self.answered.items()}
