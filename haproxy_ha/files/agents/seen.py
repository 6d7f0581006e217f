"""When a floating address has answered a ping last: the resident watcher writes it down, and a start reads it.

A host that has lost its power is silent for as long as the cluster has taken to notice. Who knows that need not wait as
long for an answer as who asks for the first time.
"""

import os

import agent

FRESH = 0.6  # seconds: three looks of the watcher
SILENT = 0.35  # seconds: two requests at least
KNOWN = 30.0  # seconds: an address that has been silent for longer may be one that answers no ping at all


class Seen:
    """What the watcher writes down of one address.

    Args:
        address (str): IPv4.
        directory (str): Where the agents remember things.
    """

    def __init__(self, address, directory):
        self._file = os.open(_path(directory, address), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)

    def tell(self, now, answered):
        """`now` and `answered`, when it has answered last: monotonic seconds."""
        os.pwrite(self._file, f"{now:20.3f} {answered:20.3f}\n".encode(), 0)


def is_silent(address, directory, now):
    """Whether it has just stopped to answer, by what is written down; False where that is not known.

    Args:
        address (str): IPv4.
        directory (str): Where the agents remember things.
        now (float): Monotonic seconds.
    """
    try:
        moment, answered = map(float, (agent.read_file(_path(directory, address)) or "").split())
    except ValueError:
        return False
    return 0 <= now - moment < FRESH and SILENT <= now - answered < KNOWN


def _path(directory, address):
    return os.path.join(directory, f"haproxy_ha-seen-{address}")
