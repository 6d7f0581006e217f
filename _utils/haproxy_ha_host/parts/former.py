"""Functions that had a name of their own before the parts had one pair of verbs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


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
