"""The secrets that a machine needs and pillar has by the URL of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haproxy_ha_lib import provider, values
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.pillar.shape import Check
from haproxy_ha_lib.settings import build, examples
from haproxy_ha_lib.settings.types import Settings, Stored
from saltext.pacemaker.types import Path


def stored(pillar: Any, settings: Settings) -> Iterator[Stored]:
    """
    Yield what of pillar is in a store and needed by a machine.

    pillar
        As in :func:`haproxy_ha_lib.settings.build.settings`.
    settings
        The machine's, without errors.
    """
    found = schema.of_stores(build.secrets(pillar))
    for path, url, node in found:
        if _is_needed(settings, path[-1]):
            yield Stored(":".join((schema.ROOT, *path)), path, url, _own(path, node.check, settings))


def _own(path: Path, check: Check, settings: Settings) -> Check:
    """A check of a secret that refuses what everybody knows, but in a lab."""
    machines = [(machine.private_ip, machine.public_ip) for machine in settings.load_balancers.values()]
    if examples.are_in_a_lab(settings.moving[0].address, machines):
        return check

    def checked(found: Any) -> Any:
        secret = check(found)
        if allowed := examples.instead_of(path, secret):
            raise values.Invalid(f"{allowed}; everybody knows this one, from an example")
        return secret

    return checked


def _is_needed(settings: Settings, key: str) -> bool:
    """Whether a machine needs what is secret under a key."""
    tls = bool(settings.quorum_helper) and settings.cluster.quorum_device.tls
    if key == "helper_pem":
        return tls and "quorum_helper" in settings.roles
    unused = {
        "api_token": not any(provider.of(one).token for one in settings.moving),
        "password": not cfg.stats_on(settings.haproxy["stats"]),
        "balancer_pem": not tls,
    }
    return "load_balancer" in settings.roles and not unused.get(key, False)
