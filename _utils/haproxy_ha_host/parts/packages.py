"""Packages, whose services are not started with the package's own configuration."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from haproxy_ha_host import apt, units
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Changes, Outcome
from haproxy_ha_lib.package_names import chosen


@dataclass(frozen=True)
class Packages:
    """
    Packages that shall be installed.

    minion
        The minion.
    names
        Their names; of several with `` | `` between them the first that is installed, else the first that apt can
        install, is the right one.
    units : ``()``
        Services to hold while they are installed; those that run are not touched.
    """

    minion: Minion
    names: tuple[str, ...]
    units: tuple[str, ...] = ()

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        missing, lacking = self._choose()
        if lacking:
            refusal = f"Could not be installed, because apt knows no such package: {', '.join(lacking)}"
            return Outcome("", refusal=refusal)
        changes = self._changes(missing)
        said = f"Would install: {', '.join(missing) or 'nothing'}" if changes else self._there(self.names)
        return Outcome(said, changes)

    def apply(self) -> Outcome:
        """Install them; a hold that a run which was killed has left is released."""
        missing, lacking = self._choose()
        changes = self._changes(missing)
        try:
            return self._install(changes) if missing or lacking else self._released(changes)
        finally:
            if changes or lacking:
                units.release()

    def _released(self, changes: Changes) -> Outcome:
        return Outcome(self._there(() if changes else self.names), changes)

    def _install(self, planned: Changes) -> Outcome:
        units.hold(self.units)
        self.minion.salt["pkg.refresh_db"]()
        missing, lacking = self._choose()
        if lacking:
            return Outcome("", refusal=f"Nothing was installed: apt knows no package {', '.join(lacking)}")
        changes = {**planned, **self.minion.salt["pkg.install"](pkgs=missing)}
        absent = [name for name in missing if name not in self.minion.salt["pkg.list_pkgs"]()]
        refusal = f"Could not be installed: {', '.join(absent)}" if absent else None
        return Outcome(self._there(missing), changes, refusal)

    def _there(self, names: Collection[str]) -> str:
        return f"Installed: {', '.join(names) or 'nothing'}"

    def _changes(self, missing: Iterable[str]) -> Changes:
        return {
            **{name: {"old": "", "new": "installed"} for name in missing},
            **{f"{unit}.service": {"old": "held", "new": "free"} for unit in units.held()},
        }

    def _choose(self) -> tuple[list[str], list[str]]:
        """(names of those to be installed, entries of ``names`` that apt does not know)."""
        installed = self.minion.salt["pkg.list_pkgs"]()
        every = {name for entry in self.names for name in entry.split(" | ")}
        absent = sorted(every.difference(installed))
        known = apt.candidates(absent) if absent and not self._repository_is_new() else None
        wanted, lacking = chosen(self.names, installed, known)
        return [name for name in wanted if name not in installed], lacking

    def _repository_is_new(self) -> bool:
        """Whether apt does not know the repository of pillar yet, and hence not its packages."""
        settings = self.minion.settings()
        if not settings or not settings.haproxy["repository"]:
            return False
        return not os.path.exists(settings.paths["apt_sources"])
