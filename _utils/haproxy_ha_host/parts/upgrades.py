"""How packages are upgraded: on one machine of a tier after the other, or as they come."""

from __future__ import annotations

from dataclasses import dataclass

from haproxy_ha_host import files, units
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.files.entry import FileSet
from haproxy_ha_lib.settings.types import Settings

_THERE = "Packages are upgraded as pillar says"


@dataclass(frozen=True)
class Upgrades:
    """The files of unattended-upgrades, apt and needrestart; somebody else's in the place of one is left alone."""

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        return entries.plan(self._wanted(self.minion.valid_settings()), _THERE)

    def apply(self) -> Outcome:
        """Install them, and have systemd read them."""
        settings = self.minion.valid_settings()
        wanted, drop_in = self._wanted(settings), settings.paths["apt_upgrade_drop_in"]
        outcome = entries.apply(wanted, _THERE)
        # A directory of drop-ins that is new is unknown to systemd: it does not even say that it should read it.
        if units.systemd() and (outcome.changes or _is_read(drop_in, settings) != bool(wanted.get(drop_in))):
            units.systemctl("daemon-reload")
        return outcome

    def _wanted(self, settings: Settings) -> FileSet:
        wanted = entries.filled(self.minion, layout.upgrades(settings))
        return {path: entry for path, entry in wanted.items() if not fileset.foreign(files.read(path))}


def _is_read(drop_in: str, settings: Settings) -> bool:
    """Whether systemd has read a drop-in of apt's daily upgrade."""
    return drop_in in units.unit_property(settings.services["upgrades"], "DropInPaths").split()
