"""What a system calls what the formula needs: os_family.yaml, pillar's ``lookup`` over it, and whether that fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.types import Roles, Tree
from saltext.pacemaker.errors import Problem

# What a daemon is shown before it is installed is its directory.
_WITHIN = {
    "haproxy_dir": ("haproxy_cfg", "haproxy_certificates", "haproxy_server_states"),
    "nginx_dir": ("nginx_http", "nginx_site", "nginx_site_enabled", "nginx_default_site_enabled"),
}
_HEARTBEAT = "ocf:heartbeat:"


def family(families: Tree, os_family: str | None) -> Tree:
    """Return what os_family.yaml has for a system; what Debian has for one that it does not know."""
    found: Tree = families.get(os_family or "") or families["Debian"]
    return found


def filled(paths: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return paths with each ``{name}`` replaced by what is ``known`` of it."""
    return {name: path.format(**known) for name, path in paths.items()}


def names(defaults: Tree, lookup: Tree, configuration: Tree) -> Tree:
    """
    Return {"packages", "services", "paths", "groups"} of a machine.

    defaults
        What :func:`family` returned.
    lookup
        Its part of this name, with pillar's over it and its paths :func:`filled`.
    configuration
        The cluster's, which tells whether the resource-agents are needed.
    """
    packages = dict(lookup.get("packages", {}))
    if _has_heartbeat(configuration):
        packages["cluster"] = [*packages.get("cluster", ()), *packages.get("resource_agents", ())]
    services = {**defaults.get("services", {}), **lookup.get("services", {})}
    paths = {**filled(defaults.get("paths", {}), {**services, **lookup.get("paths", {})}), **lookup.get("paths", {})}
    return {"packages": packages, "services": services, "paths": paths, "groups": lookup.get("groups", {})}


def _has_heartbeat(configuration: Tree) -> bool:
    """Whether an agent of the resource-agents is configured."""
    named = [*configuration.get("primitives", {}).values(), *configuration.get("templates", {}).values()]
    return any(str(one.get("agent", "")).startswith(_HEARTBEAT) for one in named if isinstance(one, Mapping))


def check(read: Tree, roles: Roles) -> Iterator[Problem]:
    """Yield what does not fit in the paths of ``lookup``: a file where its daemon would not see it."""
    given = read["lookup"]["paths"]
    paths = filled(given, given)
    for directory, inside in _WITHIN.items():
        for name in inside:
            if paths and not paths[name].startswith(f"{paths[directory]}/"):
                text = f"found {paths[name]}, allowed: a path below {paths[directory]} ({directory})"
                yield Problem((ROOT, "lookup", "paths", name), text)


def obstacles(settings: Any, os_family: str | None, osfinger: str | None, families: Tree) -> list[str]:
    """
    Return what is in the way of a machine with a role: no test has run on its system, or pillar wants of it what is
    apt's alone.

    settings
        The machine's :class:`haproxy_ha_lib.settings.types.Settings`.
    os_family, osfinger
        The grains of these names.
    families
        os_family.yaml.
    """
    tested = [finger for one in families.values() for finger in one["tested"]]
    if not settings.untested_platform:
        return [] if osfinger in tested else [_untested(osfinger, tested)]
    return [] if os_family in families else list(_of_apt(settings, os_family))


def _untested(osfinger: str | None, tested: Iterable[str]) -> str:
    return (
        f"grain osfinger: found {osfinger!r}, tested: {', '.join(tested)}. {ROOT}:untested_platform: true tries it all "
        f"the same, with the names that {ROOT}:lookup has for it (docs/platforms.md)"
    )


def _of_apt(settings: Any, os_family: str | None) -> Iterator[str]:
    if settings.upgrades != "as_they_come":
        yield f"{ROOT}:upgrades: found {settings.upgrades}, allowed: as_they_come, because {os_family} has no apt"
    if settings.haproxy["repository"]:
        yield f"{ROOT}:haproxy:repository: found one, allowed: none, because {os_family} has no apt"
