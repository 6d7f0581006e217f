"""Our rules in the host's firewall (``haproxy_ha_host.firewall``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from haproxy_ha_host import commands, firewall
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Outcome

_THERE = "The rules are as they should be"


@dataclass(frozen=True)
class Firewall:
    """
    The rules of the settings, and no rule of ours beyond them, in the firewall of pillar or in another.

    minion
        The minion.
    wanted : ``True``
        False: no rule at all.
    """

    minion: Minion
    wanted: bool = True

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        rules = self.rules()
        changed = rules["add"] or rules["remove"]
        notes = self._notes(rules["active"]) if self.wanted else ()
        if not changed:
            return Outcome(_THERE, notes=notes)
        return Outcome("The rules would change", {"rules": {"old": rules["remove"], "new": rules["add"]}}, notes=notes)

    def _notes(self, active: bool) -> tuple[str, ...]:
        backend = self.minion.readable_settings().firewall.backend
        if backend != "firewalld" and firewall.Firewalld().active():
            return (f"firewalld is active, and drops what {backend} lets pass: haproxy_ha:firewall:backend: firewalld",)
        return () if active else ("the firewall is not active",)

    def apply(self) -> Outcome:
        """Make our rules those of the settings; rules of others stay."""
        planned = self.plan()
        if planned.changes:
            for backend, named in self._backends():
                if named or commands.program(backend.program):
                    backend.apply(named)
        return Outcome(_THERE, planned.changes, notes=planned.notes)

    def rules(self) -> dict[str, Any]:
        """{"add": [text], "remove": [text], "active": whether the rules count now}."""
        add, remove, active = [], [], False
        for backend, named in self._backends():
            missing: list[str] = list(named)
            surplus: list[str] = []
            if commands.program(backend.program):
                missing, surplus = backend.plan(named)
                active = active or (bool(named) and backend.active())
            add += missing
            remove += surplus
        return {"add": add, "remove": remove, "active": active}

    def _backends(self) -> list[tuple[firewall.Backend, firewall.Words]]:
        """Each kind of firewall, and which rules of ours should be in it: [(backend, {text: words})]."""
        settings = self.minion.readable_settings()
        chosen = settings.firewall.backend if self.wanted else None
        return [
            (backend, backend.named(settings.firewall.rules) if name == chosen else {})
            for name, backend in firewall.backends(settings.paths).items()
        ]
