"""The page of an app server."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from salt.exceptions import CommandExecutionError

from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib.files import fileset, layout
from haproxy_ha_lib.files.entry import FileEntry, FileSet
from haproxy_ha_lib.nginx import conf as nginx
from haproxy_ha_lib.settings.types import Settings

log = logging.getLogger(__name__)

_THERE = "The page is in place"


@dataclass(frozen=True)
class Page:
    """The page that names the host, as the metadata service does, else by its minion id. Some app servers have none."""

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        return entries.plan(self._wanted(), _THERE)

    def apply(self) -> Outcome:
        """Install the page; one that is not the tutorial's is copied first."""
        wanted = self._wanted()
        kept = entries.keep("page", entries.changes(wanted), _is_of_others)
        return replace(entries.apply(wanted, _THERE), kept=kept)

    def _wanted(self) -> FileSet:
        settings = self.minion.valid_settings()
        return entries.filled(self.minion, layout.page(settings, self._droplet_name(settings)))

    def _droplet_name(self, settings: Settings) -> str | None:
        """What the metadata service calls this machine; None where there is no such service."""
        api = next(iter(self.minion.apis(settings)), None)
        try:
            return api.hostname() if api else None
        except CommandExecutionError as exc:
            log.info("haproxy_ha: the page names the minion id: %s", exc)
            return None


def _is_of_others(entry: FileEntry | None) -> bool:
    return entry is not None and fileset.foreign(entry) and not nginx.is_page(entry.content or "")
