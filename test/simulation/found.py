"""What histories have found, as plain data: the lab plays those of two nodes, too (faults.stories)."""

from __future__ import annotations

from typing import Any, NamedTuple


class Event(NamedTuple):
    """What happens to a node, and for how long, as ``disturbances.Disturbance``."""

    at: float
    kind: str
    node: int
    seconds: float
    value: Any = None


class Story(NamedTuple):
    """A history as it was shrunk, as ``history.History``, and how often the address moves in it."""

    seed: int
    nodes: int
    moves: int
    events: tuple[Event, ...]
    fencing: bool = False


# What finds each fix of the past that is taken out (known.py): shrunk, as `make simulation DO=known` tells them.
FOUND = {
    "the partition's end": Story(19, 2, 1, (Event(79.0, "pause", 1, 9.0),)),
    "the history's ban": Story(61, 2, 1, (Event(44.0, "cut", 2, 17.0, "peers"), Event(70.0, "power", 1, 90.0))),
    "the fence loop": Story(22, 2, 1, (Event(28.0, "cut private", 1, 90.0, "peers+servers"),), fencing=True),
    "the waiting request": Story(22, 2, 0, (Event(20.0, "cut", 2, 0.5, "peers"),), fencing=True),
    "the forgotten node": Story(239, 3, 1, (
        Event(82.0, "leaves", 1, 2.0), Event(102.0, "cut private", 3, 53.0, "peers+servers"),
    )),
}  # fmt: skip

# Found by the simulation, and mended.
MENDED = {
    "of three, one that stood still comes back with its claim":
        Story(107, 3, 1, (Event(88.0, "pause", 1, 1.0),)),
    "of three, one that stood still has seen that it lost the address":
        Story(49, 3, 1, (Event(7.0, "pause", 1, 56.0),)),
    "a takeover of before that the next one has not ended":
        Story(198, 3, 2, (Event(72.0, "cut all", 1, 72.0, "peers+servers+clients"),
                       Event(141.0, "pause", 2, 23.0))),
    "a start that was asked for in a partition which is over":
        Story(5, 2, 0, (Event(20.185, "pause", 1, 0.5),)),
    "of three, a start that was asked for while one was lost which is back":
        Story(4, 3, 1, (Event(20.148, "pause", 1, 0.66),)),
    "whoever stands by fails between the end of a partition and the cluster's decision":
        Story(312, 2, 1, (Event(41.28, "reboot", 1, 2.4),
                       Event(146.0, "cut private", 1, 30.4, "peers+servers"))),
    "whoever stands by waits for an answer that comes late":
        Story(1664, 2, 0, (Event(60.0, "cut", 2, 78.0, "peers"), Event(80.0, "late", 1, 26.0, 0.3))),
    "a mark that could not be taken away when its claim was given up":
        Story(787, 2, 1, (Event(1.0, "standby", 1, 1.0), Event(39.0, "cut one way", 2, 13.0, "peers >"),
                       Event(45.0, "deaf", 1, 9.0))),
    "a mark of a start that stood by, as the address was nobody's":
        Story(3556, 2, 2, (Event(4.0, "power", 2, 2.0), Event(6.0, "somebody assigns", 2, 24.0, "nobody"),
                        Event(16.0, "deaf", 1, 44.0))),
    "a start goes on whose executor has died, and stands by where nobody knows of it":
        Story(2752, 2, 0, (Event(82.0, "cut all", 2, 3.0, "peers+servers+clients"),
                        Event(91.0, "daemon dies", 2, 0.1, "execd"))),
    "what stands by is not found by a probe, and ended by nobody":
        Story(4936, 2, 0, (Event(107.0, "cut private", 2, 16.0, "peers+servers"),
                        Event(109.0, "maintenance", 2, 83.0),
                        Event(120.0, "clean-up", 1, 5.0, "FloatIP"))),
}  # fmt: skip

# Found by the simulation, and left as they are: docs/simulation.md has the reasons.
BORNE = {
    "of three, a start that the cluster of now knows nothing of":
        Story(6511, 3, 1, (Event(92.0, "daemon dies", 1, 0.2, "controld"),)),
    "two seconds without an answer of the gateway":
        Story(1062, 3, 2, (
            Event(69.0, "cut one way", 1, 23.0, "peers >"), Event(76.0, "late", 2, 1.3, 2.0),
        )),
    "a link that comes and goes, where answers come late":
        Story(6342, 2, 9, (Event(7.0, "late", 2, 86.0, 0.3), Event(36.0, "flapping", 1, 34.0, "peers"))),
}  # fmt: skip
