"""The time synchronisation of this machine."""

from __future__ import annotations

from typing import Any

from haproxy_ha_host import units
from haproxy_ha_lib.types import Tree

_UNITS = ("chrony", "chronyd", "systemd-timesyncd", "ntpsec", "ntp", "ntpd", "openntpd")


def find(settings: Tree) -> dict[str, Any]:
    """
    Return {"unit": text, "packages": [name]}: the service that runs; else the one of the settings, with the packages to
    install for it.

    settings
        As plain data.
    """
    unit = settings["services"]["time_sync"]
    active = units.running_of(list(dict.fromkeys([unit, *_UNITS])))
    if active and active[0] != unit:
        return {"unit": active[0], "packages": []}
    return {"unit": unit, "packages": settings["packages"]["time_sync"]}
