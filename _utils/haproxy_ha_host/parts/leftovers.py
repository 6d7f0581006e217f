"""What runs that were killed have left."""

from __future__ import annotations

from dataclasses import dataclass

from haproxy_ha_host import leftovers
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Changes, Outcome

_NOTHING = "No run that was killed has left anything"


@dataclass(frozen=True)
class Leftovers:
    """Files without their name, copies of keys, services that are held, marks of a planned failover."""

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        changes = _gone(leftovers.find(self._places()))
        return Outcome("What runs that were killed have left would be taken away" if changes else _NOTHING, changes)

    def apply(self) -> Outcome:
        """Take away what no run at work has."""
        changes = _gone(leftovers.remove(self._places()))
        return Outcome("What runs that were killed had left is gone" if changes else _NOTHING, changes)

    def _places(self) -> set[str]:
        return leftovers.places(self.minion.readable_settings())


def _gone(found: dict[str, str]) -> Changes:
    return {thing: {"old": what, "new": None} for thing, what in found.items()}
