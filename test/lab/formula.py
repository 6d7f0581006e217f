"""The formula in the lab: the example's pillar with changes, applied, and what has failed."""

from __future__ import annotations

import yaml

from . import outcome, salt
from .cloud import REPOSITORY
from .shell import LabError
from .topology import MINIONS

NAME_THE_BALANCER = "http-response set-header X-Balancer %[hostname]"


def set_pillar(cluster: dict | None = None, options: tuple[str, ...] = ()) -> None:
    """The example's pillar, with a response header that names the balancer, further lines of the frontend, and
    ``cluster`` laid over its section of that name."""
    document = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    tree = document["haproxy_ha"]
    tree["haproxy"] = {"frontends": {"http": {"options": [NAME_THE_BALANCER, *options]}}}
    tree["cluster"].update(cluster or {})
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))


def apply(what: str = "haproxy_ha", target: str = "*") -> dict:
    """What ``salt TARGET state.apply WHAT`` returned; a LabError names what failed."""
    returned = salt.call("state.apply", what, target=target)
    wanted = MINIONS if target == "*" else target.split(",")
    silent = [name for name in wanted if not isinstance(returned.get(name), dict)]
    if silent:
        raise LabError(f"no run on {', '.join(silent)}: {returned}")
    failed = outcome.failed(returned)
    if failed:
        raise LabError("; ".join(failed))
    return returned
