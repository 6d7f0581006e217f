"""Configurations as people post them, as pillar: posted.yaml."""

import copy
from pathlib import Path

import yaml

from support import REPOSITORY

EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]
CONFIGURATIONS = {
    one["name"]: one for one in yaml.safe_load(Path(__file__).with_name("posted.yaml").read_text(encoding="utf-8"))
}


def pillar(name, pem):
    """The tree of a configuration: laid over pillar.example, with a certificate and its key."""
    return _with(_laid_over(EXAMPLE, CONFIGURATIONS[name]["pillar"]), pem)


def files(name):
    """What an operator has put on the load balancers beside it: {path: text}."""
    return CONFIGURATIONS[name].get("files", {})


def listens(name):
    """Where it listens for clients on the load balancer primary: [(address, port)]."""
    places = (place.rpartition(":") for place in CONFIGURATIONS[name]["listens"])
    return [(address, int(port)) for address, _, port in places]


def _laid_over(base, over):
    """As Salt merges pillar: mappings merge, all else replaces."""
    if not isinstance(over, dict) or not isinstance(base, dict):
        return copy.deepcopy(over)
    return {**copy.deepcopy(base), **{key: _laid_over(base.get(key), value) for key, value in over.items()}}


def _with(value, pem):
    if isinstance(value, dict):
        return {key: _with(inner, pem) for key, inner in value.items()}
    return pem if value == "PEM" else value
