"""While a cluster node is lost: whether an address that this side wants is left where it is, as it may be served there.

In a partition each side takes the other for dead.
"""

import time

import agent
import cluster
import seen
from agent import Failure
from claims import LONGEST_HOLD_OFF, Losses

# The cluster has decided by then where the resource is to be.
WHOLE_FOR = 10.0
# An election, a join and `transition-delay` come before the first decision of nodes that have just found each other:
# what is asked for sooner was decided before, and by those that were there then.
UNDECIDED_FOR = 0.3
# An owner that lives answers a neighbour in milliseconds; after a loss of power each one here is waited for.
ANSWER_TIMEOUT = 0.2
# One that is silent already is asked all the same.
SILENT_TIMEOUT = 0.05
# Whoever stands by already has time: a lost packet is sent again after a second (RFC 6298).
PATIENT_TIMEOUT = 1.5
LINK_TIMEOUT = 3.0
REMEDY = "bring back that node, or the link to it"
ANEW = "the cluster is whole again, and decides anew"


class StandBy(Exception):
    """The address is left to a node beyond a partition; the text says why."""


class Partition:
    """Whether a start may take the address. Looks while the API is asked, and anew when that takes long."""

    def __init__(self, env):
        from haproxy_ha_host.connection import Background

        self._env = env
        self._began = time.monotonic()
        self._first = Background(self._look)

    def _look(self):
        found = states(self._env)
        lost, late = is_half(found), self._is_late()
        text = self._reason() if lost else ""
        if late and not lost and len(found) == 2 and answers(self._env):
            text = f"{self._env['address']} answers, {ANEW}"
        return lost, text, is_incomplete(found) or late

    def _reason(self):
        """Why the address is left where it is: whoever is cut off itself asks once more, and waits for an answer."""
        from haproxy_ha_host.connection import Background

        alone = Background(is_cut_off)
        text = reason_to_stand_by(self._env)
        if not text and alone.result():
            text = reason_to_stand_by(self._env, PATIENT_TIMEOUT)
            if not text and not a_node_is_lost(self._env):  # any more
                text = ANEW
        return text

    def _is_late(self):
        """Whether the partition in which this start was asked for is over."""
        age = cluster.age()
        return age is not None and age < UNDECIDED_FOR + time.monotonic() - self._env.began

    def a_node_was_lost(self):
        """Whether the other one of two was lost when the start began."""
        return self._first.result()[0]

    def is_takeover(self):
        """Whether any node was lost then, or as the cluster decided: it may be back with its claim."""
        return self._first.result()[2]

    def stay_out(self, cut_off):
        """Raises StandBy when the address is to be left where it is.

        Args:
            cut_off (callable): Why nobody may come to this machine, as text; asked while the other one is lost.
        """
        lost, text, _ = self._first.result()
        if time.monotonic() - self._began > 1:
            was_lost = lost
            lost, text, _ = self._look()
            if was_lost and not lost:
                text = ANEW
        text = text or (cut_off() if lost else "")
        if text:
            raise StandBy(text)


def states(env):
    """What the cluster says of each node, `member` or else; [] when that cannot be told."""
    try:
        return [state for _, state in cluster.members(min(3.0, env.left))]
    except Failure as failure:
        agent.log(f"the cluster's members are unknown: {failure.reason}")
        return []


def is_incomplete(found):
    """Whether any node is no member."""
    return any(state != "member" for state in found)


def is_half(found):
    """Whether the other one of two nodes is no member.

    Of three and more a majority goes on, and what it has lost is without a quorum and runs nothing.
    """
    return len(found) == 2 and is_incomplete(found)


def a_node_is_lost(env):
    """The same of the nodes as they are."""
    return is_half(states(env))


def is_cut_off():
    """Whether nobody answers on the cluster's link, of at least two that this machine has just heard of there.

    Without a carrier that is unknown: a cable between two machines has none when the other one is off.
    """
    import local

    try:
        link = local.link_of(cluster.own("ring0_addr", LINK_TIMEOUT))
        return link is not None and local.has_carrier(link) and local.nobody_answers(link)
    except (Failure, OSError):
        return False


def reason_to_stand_by(env, seconds=None):
    """While a node is lost: why the address is left where it is, although this side wants it; "" for no reason.

    Args:
        seconds (float): How long an answer may take. Default: None, see :func:`patience`.
    """
    rest = hold_off_left(env)
    if rest > 0:
        taken = f"{env['address']} was taken while a cluster node is lost; it is not taken back for {rest:.0f} s"
        return f"{taken} ({REMEDY})"
    if env["port"] != "0" and answers(env, seconds):
        return f"{env['address']} answers on port {env['port']} while a cluster node is lost ({REMEDY})"
    return ""


def hold_off_left(env):
    """Seconds until an address that another machine took may be taken back."""
    count, moment = Losses(env).read()
    if not count:
        return 0.0
    pause = min(LONGEST_HOLD_OFF, env.seconds("hold_off") * 2 ** (count - 1))
    return moment + pause - time.monotonic()


def patience(env):
    """Seconds for an answer."""
    if env.action == "monitor":
        return PATIENT_TIMEOUT
    return SILENT_TIMEOUT if seen.is_silent(env["address"], env.state_directory, time.monotonic()) else ANSWER_TIMEOUT


def answers(env, seconds=None):
    """Whether the port of the address answers, soon and with anything but an HTTP error of the server's side."""
    import socket

    try:
        asked = env["address"], int(env["port"])
        with socket.create_connection(asked, timeout=seconds or patience(env)) as connection:
            connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {env['address']}\r\nConnection: close\r\n\r\n".encode())
            start = connection.recv(12)
    except (OSError, ValueError, OverflowError):
        return False
    return not (start.startswith(b"HTTP/") and start[9:10] == b"5")
