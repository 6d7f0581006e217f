"""What a node reaches, as a transient node attribute: a location rule gives the address to the node that reaches most.

Only the difference between nodes counts. What no node reaches moves nothing.
"""

import os
import struct
import time

import agent
import icmp

_GATEWAY = 2  # RTF_GATEWAY
# How often an unchanged value is written again: the cluster forgets it when Pacemaker restarts.
REFRESH = 60.0
# Nodes do not notice a common loss at the same moment: HAProxy's checks and two monitors lie between.
DAMPENING = "12s"
TRIES, TRY_SECONDS = 3, 0.3


def score(gateway_answers, backends, down):
    """1000 for a gateway that answers, and 1000 for backends that all have a server up, or their share of it."""
    return 1000 * bool(gateway_answers) + (1000 * (backends - down) // backends if backends else 1000)


def default_gateway(table):
    """The IPv4 gateway of the default route in the text of /proc/net/route; "" without one."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        try:
            if fields[1] == fields[7] == "00000000" and int(fields[3], 16) & _GATEWAY:
                return ".".join(str(byte) for byte in struct.pack("<I", int(fields[2], 16)))
        except (IndexError, ValueError, struct.error):
            agent.log(f"the table of routes has a line that makes no sense: {line!r}")
    return ""


def default_gateway_ipv6(table):
    """The IPv6 gateway of the default route in the text of /proc/net/ipv6_route; "" without one."""
    import socket

    for line in table.splitlines():
        fields = line.split()
        try:
            if fields[0] == "0" * 32 and fields[1] == "00" and int(fields[8], 16) & _GATEWAY:
                address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[4]))
                return f"{address}%{fields[9]}" if address.startswith("fe80:") else address
        except (IndexError, ValueError, OSError):
            agent.log(f"the table of routes has a line that makes no sense: {line!r}")
    return ""


def gateway_of(env):
    """The address that is pinged, by an action's parameters; "" for none."""
    given = env["gateway"]
    if given != "auto":
        return given.replace("none", "")
    found = default_gateway(agent.read_file("/proc/net/route") or "")
    return found or default_gateway_ipv6(agent.read_file("/proc/net/ipv6_route") or "")


def answers_ping(address):
    """Whether an address answers one of three echo requests."""
    identifier, ipv6 = os.getpid() & 0xFFFF, ":" in address
    try:
        name, destination = icmp.spelt(address), icmp.destination(address)
        with icmp.opened(ipv6) as connection:
            for sequence in range(TRIES):
                connection.sendto(icmp.request(identifier, sequence, ipv6), destination)
                if _echoed(connection, name, identifier, time.monotonic() + TRY_SECONDS):
                    return True
    except OSError as error:
        agent.log(f"ping {address}: {error.strerror}")
    return False


def _echoed(connection, name, identifier, deadline):
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            packet, sender = connection.recvfrom(1024)
        except TimeoutError:
            return False
        if sender[0] == name and icmp.is_reply(packet, identifier, ":" in name):
            return True
    return False


class Published:
    """The value that the cluster knows, remembered so that a monitor that finds no change starts no program."""

    def __init__(self, env, attribute):
        self._attribute = attribute
        self._path = os.path.join(env.state_directory, f"haproxy_ha-{env.instance}-reach")

    def update(self, value):
        """Hands a value to the cluster, unless it has it."""
        if self._known() == str(value):
            return
        # --update alone ignores the delay.
        change = ["--name", self._attribute, "--update-both", str(value), "--delay", DAMPENING]
        try:
            agent.run(["attrd_updater", *change], 3.0)
            agent.replace_file(self._path, f"{value} {time.monotonic():.3f}\n")
        except agent.Failure as failure:
            # Tried again at the next monitor; what serves goes on.
            agent.log(f"{self._attribute} is not updated: {failure.reason}")

    def forget(self):
        agent.remove_file(self._path)

    def _known(self):
        try:
            value, moment = (agent.read_file(self._path) or "").split()
            return value if time.monotonic() - float(moment) < REFRESH else None
        except ValueError:
            return None
