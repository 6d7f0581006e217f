"""
How much a change disturbs, and how much it may: degrees of disruption.
"""

from __future__ import annotations

from typing import Any

from saltext.pacemaker.scheduler.simulation import sentence
from saltext.pacemaker.status.resources import base_id
from saltext.pacemaker.types import Containers, Data

SCALE = ("nothing", "reload", "restart", "move", "stop", "any")
"""Degrees of disruption, the least first."""

_DEGREE = {
    "start": "nothing",
    "reload": "reload",
    "restart": "restart",
    "recover": "restart",
    "promote": "restart",
    "demote": "restart",
    "re-promote": "restart",
    "move": "move",
    "migrate": "move",
    "stop": "stop",
    "fence": "any",
}

_SYNONYMS = {"migrate": "move", "recover": "restart", "promote": "restart", "demote": "restart", "none": "nothing"}


def too_much(impact: Data, allowed: Any, containers: Containers | None = None) -> list[str]:
    """
    The actions that are worse than allowed, as sentences; an empty list if there are none.

    allowed: a degree of SCALE (also migrate, recover, promote, demote, none), or {id: degree} with the key ``default``
    for all others. containers: {primitive id: (its group, clone, bundle, the outermost first)}, so that a degree may
    be given to any of these; of several the innermost counts. Raises ValueError for anything else.
    """
    limits = {name: _limit(degree) for name, degree in _limits(allowed).items()}
    worse = []
    for part in ("resources", "nodes"):
        for name, actions in impact.get(part, {}).items():
            around = reversed((containers or {}).get(base_id(name), ()))
            limit = next((limits[one] for one in (name, base_id(name), *around) if one in limits), limits["default"])
            worse += [sentence(name, one) for one in actions if _severity(one) > limit]
    return worse


def _limits(allowed: Any) -> dict[str, Any]:
    return {"default": "any", **allowed} if isinstance(allowed, dict) else {"default": allowed}


def _limit(degree: Any) -> int:
    name = _SYNONYMS.get(degree.lower(), degree.lower()) if isinstance(degree, str) else None
    if name not in SCALE:
        raise ValueError(f"max_disruption: found '{degree}', allowed: {', '.join(reversed(SCALE))}")
    return SCALE.index(name)


def _severity(action: Data) -> int:
    return SCALE.index(_DEGREE.get(action["action"], "any"))
