"""The package repository that HAProxy comes from."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib.files import layout
from haproxy_ha_lib.files.entry import FileSet

_THERE = "The repository is in place"


@dataclass(frozen=True)
class Repository:
    """apt's entry for it, and the key that signs it. A key of ``key_url`` is fetched once: one that is there stays."""

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        return entries.plan(self._wanted(), _THERE)

    def apply(self) -> Outcome:
        """Install both."""
        return entries.apply(self._wanted(), _THERE)

    def _wanted(self) -> FileSet:
        settings = self.minion.valid_settings()
        wanted = settings.haproxy["repository"]
        if not wanted:
            return {}
        key = None if wanted["trusted"] else self._key(wanted, settings.paths["apt_keyring"])
        return layout.repository(settings, key)

    def _key(self, wanted, keyring) -> str:
        return wanted["key"] or files.text(keyring) or _fetched(wanted["key_url"])


def _fetched(url: str) -> str:
    try:
        answer = requests.get(url, timeout=20)
        answer.raise_for_status()
    except requests.RequestException as exc:
        raise CommandExecutionError(f"haproxy_ha:haproxy:repository:key_url: {exc}") from None
    return answer.text
