"""The certificates by which the quorum helper and the load balancers know each other."""

from __future__ import annotations

import os
from dataclasses import dataclass

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, files, lock, nss, stores
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Changes, Outcome

DATABASES = {"helper": nss.HELPER, "balancer": nss.BALANCER}
_THERE = "The certificates are in place"


@dataclass(frozen=True)
class Certificates:
    """
    A database of certificates; in its changes a certificate is its SHA-256.

    minion
        The minion.
    whose
        ``helper``: corosync-qnetd's; ``balancer``: corosync-qdevice's.
    """

    minion: Minion
    whose: str

    def plan(self) -> Outcome:
        """What :meth:`apply` would do. CommandExecutionError if the certificate is of another name."""
        pem, notes = self._pem()
        changes = self._changes(pem)
        return Outcome("The certificates would be put in place" if changes else _THERE, changes, notes=notes)

    def apply(self) -> Outcome:
        """Make the database anew from pillar; one that is there is copied first."""
        pem, notes = self._pem()
        changes = self._changes(pem)
        if not changes:
            return Outcome(_THERE, notes=notes)
        with lock.alone(f"haproxy_ha.apply certificates:{self.whose}"):
            kept = files.keep_copies("quorum", [path for path in changes if os.path.isdir(path)])
            nss.build(DATABASES[self.whose], pem)
        return Outcome(_THERE, changes, kept=kept)

    def _changes(self, pem: str) -> Changes:
        database = DATABASES[self.whose]
        if nss.holds(database, pem):
            return {}
        if commands.program("openssl"):
            nss.check_name(pem, self._name())
        return {database.path: {"old": nss.fingerprint(database), "new": nss.fingerprint_of(pem)}}

    def _name(self) -> str:
        """The name that has to be in the certificate."""
        return nss.HELPER_NAME if self.whose == "helper" else self.minion.valid_settings().cluster.name

    def _pem(self) -> tuple[str, tuple[str, ...]]:
        """The certificates in PEM, and what people should know of where they come from."""
        pem, notes = stores.secrets(self.minion, "cluster", "quorum_device", f"{self.whose}_pem")
        if pem is None:
            where = f"haproxy_ha:cluster:quorum_device:{self.whose}_pem"
            raise CommandExecutionError(f"{where}: is not in the pillar of this minion")
        return pem, notes
