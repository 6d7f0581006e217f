"""The files that hold a secret of pillar, for root alone."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files, stores, tokens, units
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import entries
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib.files.entry import FileEntry, FileSet, owned_by_root

_KEY_IN_USE = (
    "haproxy_ha:cluster:authkey: differs from the key that the cluster uses now. Nodes with different keys do not find "
    "each other, and both would take the floating IP. Pillar keeps it with what `base64 --wrap=0 "
    "/etc/corosync/authkey` prints on a load balancer. To change it while clients are served: salt-call "
    "pacemaker.maintenance on one load balancer, systemctl stop pacemaker corosync on all of them, state.apply "
    "haproxy_ha.cluster.service on all of them, salt-call pacemaker.maintenance False on one."
)


@dataclass(frozen=True)
class Kind:
    """
    A secret with a file of its own.

    section
        Where pillar has it, below ``haproxy_ha``.
    path
        Returns where the file is by the settings.
    mode
        The file's.
    text
        Returns the file's text.
    """

    section: str
    path: Callable[[Any], str]
    mode: str
    text: Callable[[str], str]


def _decoded(key: str) -> str:
    """Bytes as surrogates: what reads and writes files decodes and encodes them the same way."""
    return base64.b64decode(key).decode("utf-8", "surrogateescape")


KINDS = {
    "api_token": Kind("floating_ip", lambda settings: settings.floating_ip.token_file, "0600", "{}\n".format),
    "authkey": Kind("cluster", lambda settings: settings.paths["corosync_authkey"], "0400", _decoded),
}


@dataclass(frozen=True)
class SecretFile:
    """
    A file with a secret.

    minion
        The minion.
    name
        One of :data:`KINDS`.
    """

    minion: Minion
    name: str

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        if self._is_foreign():
            return self._foreign()
        wanted, notes = self._wanted()
        return self._refused(wanted) or replace(entries.plan(wanted, self._there(wanted)), notes=notes)

    def apply(self) -> Outcome:
        """
        Install the file; a directory that is missing is made, for root alone. One that something else writes is left as
        it is.
        """
        if self._is_foreign():
            tokens.forget(self.minion.valid_settings().floating_ip.token_file)
            return self._foreign()
        wanted, notes = self._wanted()
        return self._refused(wanted) or self._install(wanted, notes)

    def _install(self, wanted: FileSet, notes: tuple[str, ...]) -> Outcome:
        if self.name == "api_token":
            tokens.remember(next(iter(wanted)), entries.changes(wanted))
        return replace(entries.apply(wanted, self._there(wanted), 0o700), notes=notes)

    def _is_foreign(self) -> bool:
        return self.name == "api_token" and self.minion.valid_settings().floating_ip.foreign_token

    def _foreign(self) -> Outcome:
        """What is to say of a file that something else writes."""
        path = self.minion.valid_settings().floating_ip.token_file
        said = f"{path} is written by something else than this formula, and only root reads it"
        return Outcome(said, refusal=tokens.problem(path) or None)

    def _wanted(self) -> tuple[FileSet, tuple[str, ...]]:
        kind, settings = KINDS[self.name], self.minion.valid_settings()
        secret, notes = stores.secrets(self.minion, kind.section, self.name)
        if secret is None:
            raise CommandExecutionError(f"haproxy_ha:{kind.section}:{self.name}: is not in the pillar of this minion")
        return {kind.path(settings): owned_by_root(kind.text(secret), kind.mode, secret=True)}, notes

    def _there(self, wanted: FileSet) -> str:
        return f"{', '.join(wanted)} holds {self.name}, and only root reads it"

    def _refused(self, wanted: FileSet) -> Outcome | None:
        """Another key than that of the cluster that runs here; the same one may have had other rights."""
        if self.name != "authkey" or not units.running("corosync"):
            return None
        present = files.snapshot(wanted)
        replaces = any(present[path] and _text(present[path]) != _text(entry) for path, entry in wanted.items())
        return Outcome("", refusal=_KEY_IN_USE) if replaces else None


def _text(entry: FileEntry | None) -> str | None:
    return entry.content if entry else None
