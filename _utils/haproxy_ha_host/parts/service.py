"""Services: they run, rest, or are left to the cluster. systemd is asked once where Salt's states ask four times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import units
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Changes, Outcome

# What systemctl is-enabled takes for enabled.
_AT_BOOT = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


@dataclass(frozen=True)
class _Service:
    """
    A service.

    minion
        The minion.
    name
        The service, without ``.service``.
    """

    minion: Minion
    name: str

    def _becomes(self, old: str, new: str) -> Changes:
        return {units.full_name(self.name): {"old": old, "new": new}}

    def _serving(self, changes: Changes, said: str) -> Outcome:
        """What has come of it, where the service should run now."""
        now = units.unit(self.name)
        wrong = None if _serves(now) else f"{self.name} is {_seen(now)}; see journalctl --unit {self.name}"
        return Outcome(said, changes, wrong)


class Running(_Service):
    """A service runs, and is started at boot."""

    def plan(self) -> Outcome:
        """What :meth:`apply` would do; a service may be installed before it."""
        now = units.unit(self.name)
        if _serves(now):
            return self._there()
        when = "started" if now else "started once it is installed"
        return Outcome(f"{self.name} would be {when}", self._changes(now))

    def apply(self) -> Outcome:
        """Start it, and have it started at boot; systemd has read its files before."""
        now = units.unit(self.name)
        if not now:
            raise CommandExecutionError(f"The service {self.name} is not installed")
        if now["stale"]:
            self.minion.salt["service.systemctl_reload"]()
        if _serves(now):
            return self._there()
        self.minion.salt["service.enable"](self.name)
        self.minion.salt["service.start"](self.name)
        return self._serving(self._changes(now), self._there().said)

    def _there(self) -> Outcome:
        return Outcome(f"{self.name} runs, and starts at boot")

    def _changes(self, now: dict[str, Any]) -> Changes:
        return self._becomes(_seen(now), "active, enabled")


class Restarted(_Service):
    """A service is restarted: never as it should be before."""

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        return Outcome(f"{self.name} would be restarted", self._becomes("active", "restarted"))

    def apply(self) -> Outcome:
        """Restart it."""
        self.minion.salt["service.restart"](self.name)
        return self._serving(self._becomes("active", "restarted"), f"{self.name} was restarted")


class Dead(_Service):
    """A service does not run, and is not started at boot; one that is not installed is fine."""

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        now = units.unit(self.name)
        return self._there() if _rests(now) else Outcome(f"{self.name} would be stopped", self._changes(now))

    def apply(self) -> Outcome:
        """Stop it, and have it not started at boot."""
        before = units.unit(self.name)
        if _rests(before):
            return self._there()
        self.minion.salt["service.disable"](self.name)
        self.minion.salt["service.stop"](self.name)
        now = units.unit(self.name)
        wrong = None if _rests(now) else f"{self.name} is {_seen(now)}"
        return Outcome(f"{self.name} does not run any more, nor start at boot", self._changes(before), wrong)

    def _there(self) -> Outcome:
        return Outcome(f"{self.name} does not run, and does not start at boot")

    def _changes(self, now: dict[str, Any]) -> Changes:
        return self._becomes(_seen(now), "inactive, disabled")


class Disabled(_Service):
    """A service is not started at boot, because the cluster starts it; an upgrade of its package leaves that."""

    def plan(self) -> Outcome:
        """What :meth:`apply` would do. A package that is installed while its unit is held does not enable it."""
        now = units.unit(self.name)
        if not now:
            return Outcome(f"{self.name} is not installed yet, and will not start at boot: the cluster starts it")
        if self._stays_off(now):
            return Outcome(f"{self.name} does not start at boot: the cluster starts it")
        old = "enabled" if now["at_boot"] in _AT_BOOT else "enabled by its next upgrade"
        return Outcome(f"{self.name} would be disabled", {self.name: {"old": old, "new": "disabled"}})

    def apply(self) -> Outcome:
        """Have it not started at boot, now and after an upgrade of its package."""
        if not units.unit(self.name):
            raise CommandExecutionError(f"The service {self.name} is not installed")
        planned = self.plan()
        if not planned.changes:
            return planned
        units.systemctl("disable", f"{self.name}.service")
        units.keep_off(self.name)
        if not self._stays_off(units.unit(self.name)):
            raise CommandExecutionError(f"{self.name} still starts at boot, now or after its next upgrade")
        return Outcome(f"{self.name} no longer starts at boot: the cluster starts it", planned.changes)

    def _stays_off(self, now: dict[str, Any]) -> bool:
        return now["at_boot"] not in _AT_BOOT and not units.upgrade_enables(self.name)


def _serves(unit: dict[str, Any]) -> bool:
    return unit.get("active") in ("active", "reloading") and unit["at_boot"] in _AT_BOOT


def _rests(unit: dict[str, Any]) -> bool:
    return not unit or (unit["active"] in ("inactive", "failed") and unit["at_boot"] not in _AT_BOOT)


def _seen(unit: dict[str, Any]) -> str:
    return f"{unit['active']}, {unit['at_boot']}" if unit else "not installed"
