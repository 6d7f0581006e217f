"""Every part of this machine that the formula changes, by its name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from salt.exceptions import SaltInvocationError

from haproxy_ha_host import changes
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts import (
    agents,
    certificates,
    daemon_files,
    firewall,
    leftovers,
    page,
    removal,
    repository,
    secret,
    service,
    upgrades,
)
from haproxy_ha_host.parts.outcome import Outcome


class Part(Protocol):
    """A part of this machine."""

    def plan(self) -> Outcome:
        """What :meth:`apply` would do. Writes nothing."""

    def apply(self) -> Outcome:
        """Make it as it should be; CommandExecutionError if that cannot be."""


@dataclass(frozen=True)
class Family:
    """
    Parts of one kind.

    make
        Makes one, of the minion and its name.
    word
        What the name is.
    names : ``None``
        Those that there are; None: any.
    """

    make: Callable[[Minion, str], Part]
    word: str
    names: Collection[str] | None = None


def _removal(minion: Minion, name: str) -> Part:
    return firewall.Firewall(minion, wanted=False) if name == "firewall" else removal.Removal(minion, name)


SINGLE: dict[str, Callable[[Minion], Part]] = {
    "agents": agents.Agents,
    "firewall": firewall.Firewall,
    "leftovers": leftovers.Leftovers,
    "page": page.Page,
    "repository": repository.Repository,
    "upgrades": upgrades.Upgrades,
}
FAMILIES = {
    "files": Family(daemon_files.DaemonFiles, "daemon", ("nginx", "haproxy", "corosync")),
    "secret": Family(secret.SecretFile, "secret", tuple(secret.KINDS)),
    "certificates": Family(certificates.Certificates, "whose", tuple(certificates.DATABASES)),
    "removed": Family(_removal, "part", (*removal.TRACES, "firewall")),
    "running": Family(service.Running, "service"),
    "restarted": Family(service.Restarted, "service"),
    "dead": Family(service.Dead, "service"),
    "disabled": Family(service.Disabled, "service"),
}


def find(name: str, minion: Minion) -> Part:
    """
    Return a part.

    name
        One of :func:`names`: ``page``, or ``files:haproxy`` with a family before the colon.
    """
    kind, _, rest = name.partition(":")
    if kind in SINGLE and not rest:
        return SINGLE[kind](minion)
    family = FAMILIES.get(kind)
    if not family or not rest:
        raise SaltInvocationError(f"part: found {name!r}, allowed: {', '.join(names())}")
    if family.names is not None and rest not in family.names:
        raise SaltInvocationError(f"{family.word}: found {rest!r}, allowed: {', '.join(family.names)}")
    return family.make(minion, rest)


def apply(name: str, minion: Minion) -> Outcome:
    """Apply a part, and remember what that has changed, but for what takes things away."""
    outcome = find(name, minion).apply()
    if name.partition(":")[0] not in ("removed", "dead", "leftovers"):
        changes.remember(name, outcome.changes)
    return outcome


def files_of(daemon: str, minion: Minion) -> daemon_files.DaemonFiles:
    """Return the part ``files:<daemon>``."""
    find(f"files:{daemon}", minion)  # refuses what is none
    return daemon_files.DaemonFiles(minion, daemon)


def names() -> list[str]:
    """The names of all parts; where any name may follow, what it is stands in its place."""
    of_families = [
        f"{kind}:{name}" for kind, family in FAMILIES.items() for name in family.names or [f"<{family.word}>"]
    ]
    return [*SINGLE, *of_families]
