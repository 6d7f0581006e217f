"""The secrets that a machine needs and pillar has by the URL of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haproxy_ha_lib import provider
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.pillar import schema
from haproxy_ha_lib.settings import build
from haproxy_ha_lib.settings.types import Settings, Stored


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
            yield Stored(":".join((schema.ROOT, *path)), path, url, node.check)


def _is_needed(settings: Settings, key: str) -> bool:
    """Whether a machine needs what is secret under a key."""
    tls = bool(settings.quorum_helper) and settings.cluster.quorum_device.tls
    if key == "helper_pem":
        return tls and "quorum_helper" in settings.roles
    unused = {
        "api_token": not provider.of(settings.floating_ip).token,
        "password": not cfg.stats_on(settings.haproxy["stats"]),
        "balancer_pem": not tls,
    }
    return "load_balancer" in settings.roles and not unused.get(key, False)
