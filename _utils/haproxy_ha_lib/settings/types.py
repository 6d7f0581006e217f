"""
The settings of a minion as records. They are made of plain data (:meth:`Settings.of`) and become plain data again
(:meth:`Settings.as_dict`) where people, SLS files and Salt's ``__context__`` have them: a class is another one after
a sync.

What is laid out for a template stays a mapping: the parts of nginx and HAProxy, and Pacemaker's objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from haproxy_ha_lib import provider, values
from haproxy_ha_lib.provider import FloatingIP
from haproxy_ha_lib.types import Rule, Tree
from saltext.pacemaker import words
from saltext.pacemaker.types import Path


@dataclass(frozen=True)
class Machine:
    """A load balancer, or what this machine is by all tables of pillar; None: unknown."""

    private_ip: str | None = None
    anchor_ip: str | None = None
    public_ip: str | None = None
    private_ipv6: str | None = None
    public_ipv6: str | None = None
    node_id: int | None = None

    @property
    def private_addresses(self) -> list[str]:
        """Its addresses in the private network."""
        return [address for address in (self.private_ip, self.private_ipv6) if address]


@dataclass(frozen=True)
class AppServer:
    """An app server, and its place in the pool. nginx_requests: how many it takes at the same time, where known."""

    private_ip: str | None
    public_ip: str | None
    port: int
    managed: bool
    weight: int | None
    backup: bool
    maxconn: int | None
    options: Sequence[str]
    nginx_requests: int | None = None


@dataclass(frozen=True)
class QuorumHelper:
    """The third machine that votes."""

    private_ip: str | None
    port: int
    managed: bool


@dataclass(frozen=True)
class Fencing:
    """Whether lost load balancers are powered off, and which droplets they are."""

    enabled: bool
    droplets: Mapping[str, str]
    delay: int


@dataclass(frozen=True)
class QuorumDevice:
    """How the load balancers use the quorum helper."""

    algorithm: str | None
    timeout: int
    tls: bool


@dataclass(frozen=True)
class Maintenance:
    """Who tells that maintenance of a load balancer is announced, beside its cloud: a file that is there, a command."""

    file: str | None
    command: Sequence[str]


@dataclass(frozen=True)
class Cluster:
    """Corosync and Pacemaker; ``configuration``: Pacemaker's objects in the form of pacemaker.export."""

    name: str
    port: int
    failure_detection: str
    token: int
    consensus: int | None
    knet_ping_interval: int
    knet_ping_timeout: int
    knet_pong_count: int
    second_link: bool
    spread: str
    wait_for_all: bool
    system: Mapping[str, Any]
    max_disruption: str | Mapping[str, str]
    fencing: Fencing
    quorum_device: QuorumDevice
    replaces: Sequence[str]
    purge: bool
    expected_timeout: int
    maintenance: Maintenance
    events: bool
    configuration: Tree

    @classmethod
    def of(cls, plain: Tree) -> Cluster:
        """Return the record of plain data."""
        kinds = {"fencing": Fencing, "quorum_device": QuorumDevice, "maintenance": Maintenance}
        return cls(**{**plain, **{name: kind(**plain[name]) for name, kind in kinds.items()}})


@dataclass(frozen=True)
class Firewall:
    """What rules are added with, and the rules."""

    enabled: bool
    backend: str
    rules: Sequence[Rule] = field(default_factory=list)


@dataclass(frozen=True)
class Monitoring:
    """Who may ask for metrics, and where they are; nobody: there are none."""

    sources: Sequence[str]
    haproxy_port: int
    cluster_port: int


@dataclass(frozen=True)
class Stored:
    """
    A secret of pillar that is in a store.

    place, path
        Where pillar has its URL, for people, and below ``haproxy_ha``.
    url
        ``sdb://<profile>/<key>``.
    check
        Returns a secret in its normal form or raises values.Invalid.
    """

    place: str
    path: Path
    url: str
    check: Callable[[Any], Any]

    def read(self, found: Any) -> str:
        """Return what the store has, in its normal form. Raises values.Invalid with all that people should know."""
        try:
            return str(self.check(found))
        except values.Invalid as error:
            text = f"{self.place}: {self.url} has {words.describe(found, secret=True)}, allowed: {error}"
            raise values.Invalid(text) from None


_MOST_PINGED = 5
"""Several times a second."""


@dataclass(frozen=True)
class Settings:
    """
    What one minion has to be; :func:`haproxy_ha_lib.settings.build.settings` says where it comes from.

    tls_groups: those of the profile that this system's OpenSSL knows. has_run: whether the site was set up before there
    were defaults for its edge. tree: whether pillar has anything for this formula. stale: which of the formula's
    modules are not those of its states.
    """

    minion_id: str
    roles: Sequence[str]
    errors: Sequence[str]
    warnings: Sequence[str]
    me: Machine
    load_balancers: Mapping[str, Machine]
    app_servers: Mapping[str, AppServer]
    quorum_helper: Mapping[str, QuorumHelper]
    floating_ip: FloatingIP
    floating_ips: Mapping[str, FloatingIP]
    mine: bool
    verify: bool
    untested_platform: bool
    upgrades: str
    nginx: Tree
    haproxy: Tree
    cluster: Cluster
    firewall: Firewall
    monitoring: Monitoring
    packages: Mapping[str, Any]
    services: Mapping[str, str]
    paths: Mapping[str, str]
    groups: Mapping[str, str]
    tls_groups: str
    has_run: bool
    tree: bool = True
    stale: Sequence[str] = field(default_factory=list)

    @classmethod
    def of(cls, plain: Tree) -> Settings:
        """Return the settings of what :meth:`as_dict` returned."""
        records = {
            "me": Machine(**plain["me"]),
            "load_balancers": {name: Machine(**one) for name, one in plain["load_balancers"].items()},
            "app_servers": {name: AppServer(**one) for name, one in plain["app_servers"].items()},
            "quorum_helper": {name: QuorumHelper(**one) for name, one in plain["quorum_helper"].items()},
            "floating_ip": FloatingIP.of(plain["floating_ip"]),
            "floating_ips": {name: FloatingIP.of(one) for name, one in plain["floating_ips"].items()},
            "cluster": Cluster.of(plain["cluster"]),
            "firewall": Firewall(**plain["firewall"]),
            "monitoring": Monitoring(**plain["monitoring"]),
        }
        return cls(**{**plain, **records})

    def as_dict(self) -> Tree:
        """Return them as plain data, with what SLS files have to know of whoever moves the floating IPs."""
        by_token = [one for one in self.moving if provider.of(one).token]
        of_movers = {
            "needs_token": bool(by_token),
            "pinged": self._pinged(),
            "is_routed": any(provider.of(one).is_routed(one) for one in self.moving),
            "announces": next(filter(None, (provider.of(one).announces(one) for one in self.moving)), None),
        }
        return {
            **_plain(self),
            "floating_ip": {**self.floating_ip.as_dict(), **of_movers},
            "floating_ips": {name: one.as_dict() for name, one in self.floating_ips.items()},
        }

    def _pinged(self) -> list[str]:
        """Who takes an address from one that is lost looks first whether it still answers; pings tell that sooner."""
        first = [one.address for one in self.moving if provider.of(one).marks]
        return [address for address in first if address][:_MOST_PINGED]

    @property
    def moving(self) -> tuple[FloatingIP, ...]:
        """The floating IPs, in pillar's order: one at least."""
        return provider.moving(self.floating_ip, self.floating_ips)


def _plain(value: Any) -> Any:
    """Records as mappings; what is plain already is not copied."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(inner) if is_dataclass(inner) else inner for key, inner in value.items()}
    return value
