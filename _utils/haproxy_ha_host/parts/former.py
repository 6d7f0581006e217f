"""Functions that had a name of their own before the parts had one pair of verbs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


_PLANNED = {
    "plan_files": "files:{}",
    "page": "page",
    "repository": "repository",
    "upgrades": "upgrades",
    "plan_agents": "agents",
    "plan_quorum_certificates": "certificates:{}",
}
_APPLIED = {
    "install_page": "page",
    "install_upgrades": "upgrades",
    "install_agents": "agents",
    "install_quorum_certificates": "certificates:{}",
    "firewall_apply": "firewall",
}


def names(plan: Callable[..., Any], apply: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return the functions of former days by their names, given what stands in their place."""
    return {
        former: name_of(verb, part)
        for verb, table in ((plan, _PLANNED), (apply, _APPLIED))
        for former, part in table.items()
    }


def name_of(verb: Callable[..., Any], part: str) -> Callable[..., Any]:
    """
    Return a function that warns, and calls what stands in its place.

    verb
        ``plan`` or ``apply`` of the execution module.
    part
        The part, with ``{}`` where the function's first argument stands.
    """
    places = part.count("{}")

    def former(*arguments: Any, saltenv: str | None = None, **named: Any) -> Any:
        given = [*arguments, *(value for key, value in named.items() if not key.startswith("__"))]
        name = part.format(*given[:places])
        log.warning("haproxy_ha: deprecated, say haproxy_ha.%s %s", verb.__name__, name)
        return verb(name, *(given[places:] or [saltenv]))

    former.__doc__ = f"Deprecated: haproxy_ha.{verb.__name__} {part.format('<name>')}."
    return former
