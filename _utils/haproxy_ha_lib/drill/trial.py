"""What clients saw while one thing was done to a pair, and whether that is within a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from haproxy_ha_lib.types import Tree

KINDS = ("failover", "kill", "reboot")
"""What a drill can do: a planned move there and back; SIGKILL of HAProxy on the active load balancer; its reboot."""


class Sample(NamedTuple):
    """A request: when it began (seconds since 1970), how long it took (seconds), and what it got (0: no answer)."""

    start: float
    seconds: float
    status: int

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass(frozen=True)
class Trial:
    """
    One thing that was done.

    kind, old, new
        What; who had the address before, and after.
    samples
        The requests, in the order in which they began; the thing was done a moment after the first.
    expected
        The status of a good answer.
    """

    kind: str
    old: str
    new: str
    samples: Sequence[Sample]
    expected: int = 200

    @property
    def failed(self) -> list[Sample]:
        """The requests that got anything but the expected answer within their time."""
        return [sample for sample in self.samples if sample.status != self.expected]

    @property
    def gap(self) -> tuple[float, float]:
        """The longest time between two good answers: (from, to), in seconds since 1970."""
        ends = sorted(sample.end for sample in self.samples if sample.status == self.expected)
        if not ends:
            return self.samples[0].start, self.samples[-1].end
        last = max(ends[-1], self.samples[-1].start)  # a record that ends in failures ends in a gap
        return max(zip(ends, [*ends[1:], last], strict=True), key=lambda pair: pair[1] - pair[0])

    @property
    def seconds(self) -> float:
        """How long the longest gap is."""
        begin, end = self.gap
        return end - begin

    @property
    def title(self) -> str:
        return f"{self.kind}: {self.old} to {self.new}" if self.old != self.new else f"{self.kind} on {self.old}"

    def data(self) -> Tree:
        """The trial as data."""
        return {
            "kind": self.kind, "old": self.old, "new": self.new, "gap": round(self.seconds, 3),
            "failed": len(self.failed), "requests": len(self.samples), "expected": self.expected,
            "samples": [[round(one.start, 3), round(one.seconds, 4), one.status] for one in self.samples],
        }  # fmt: skip


def read(answer: Any) -> list[Sample]:
    """What a machine that asked has returned (``haproxy_ha.traffic``); empty for anything else."""
    rows = answer.get("samples") if isinstance(answer, Mapping) else None
    return [Sample(float(start), float(seconds), int(status)) for start, seconds, status in rows or ()]


def asked(pair: Mapping[str, Any], host: str) -> tuple[str | None, str]:
    """
    Return (the resource that has the address of a URL, why it is unknown): of one floating IP it is that, whatever the
    URL's name for it.

    pair
        What ``overview.of_pair`` returned.
    host
        Of the URL.
    """
    known: dict[str, list[str]] = next((found["addresses"] for found in _told(pair) if found.get("addresses")), {})
    if len(known) < 2:
        return None, ""
    names = [name for name, addresses in known.items() if host in addresses]
    every = ", ".join(address for addresses in known.values() for address in addresses)
    return (names[0], "") if names else (None, f"of several floating IPs the URL has to name one: {every}")


def _told(pair: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [found for found in pair.values() if isinstance(found, Mapping)]


def unfit(pair: Mapping[str, Any], resource: str | None = None) -> list[str]:
    """
    Why a pair is not fit for a drill; empty if it is well.

    pair
        What ``overview.of_pair`` returned.
    resource : ``None``
        The floating IP that is asked; None: there is but one.
    """
    wrong = [f"{name}: {found}" for name, found in sorted(pair.items()) if not isinstance(found, Mapping)]
    told = _told(pair)
    wrong += dict.fromkeys(text for found in told for text in found["hindrances"])
    if len(told) < 2:
        wrong.append(f"a drill needs two load balancers that answer, found: {', '.join(sorted(pair)) or 'none'}")
    elif not wrong and (len(holders(pair, resource)) != 1 or any(set(found["nodes"]) - pair.keys() for found in told)):
        wrong.append(f"these are not the load balancers of one pair: {', '.join(sorted(pair))}")
    return wrong


def holders(pair: Mapping[str, Any], resource: str | None = None) -> list[str]:
    """Who has a floating IP, or the only one, as those that answer see it."""
    clusters = [found["cluster"] for found in _told(pair)]
    held = [one.get("addresses", {}).get(resource, ()) if resource else one.get("active", ()) for one in clusters]
    return sorted({node for nodes in held for node in nodes})
