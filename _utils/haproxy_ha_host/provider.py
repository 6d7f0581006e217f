"""Whoever moves the address, as it is asked on this machine: its API, by an execution module."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypedDict

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import provider
from haproxy_ha_lib.cluster import objects
from haproxy_ha_lib.provider.interface import API
from haproxy_ha_lib.settings.types import Settings


class Fencing(TypedDict):
    """What fencing would meet: what is wrong, and what nobody knows; empty where there is none."""

    problems: list[str]
    unknown: str


def memory() -> str:
    """Return where is remembered that the API knows the floating IPs, with which settings (path)."""
    return f"{files.STATE}/floating_ip_checked"


def has_api(settings: Settings) -> bool:
    """Whether this machine is a load balancer, and an API moves one of its addresses."""
    return "load_balancer" in settings.roles and any(provider.of(one).api for one in settings.moving)


def needs_token(settings: Settings) -> bool:
    """Whether this machine is a load balancer, and one of its addresses moves by a token."""
    return "load_balancer" in settings.roles and any(provider.of(one).token for one in settings.moving)


def own_machine(api: API) -> int | None:
    """Return what an API calls this machine; None where nothing tells."""
    try:
        return api.machine()
    except CommandExecutionError:
        return None


def ask_fencing(minion: Minion, settings: Settings) -> Fencing:
    """
    Return what fencing through the API would meet; nothing where another agent fences, or none. Raises
    CommandExecutionError if the API does not answer.
    """
    nodes = objects.fenced_by_api(settings.cluster.configuration, settings.load_balancers)
    if not nodes or not has_api(settings):
        return {"problems": [], "unknown": ""}
    # Verification looks again every second; the API allows 250 questions a minute.
    return minion.once("fencing", nodes, lambda: _ask_fencing(minion, settings, nodes))


def _ask_fencing(minion: Minion, settings: Settings, nodes: Mapping[str, str]) -> Fencing:
    api = minion.apis(settings)[0]
    problems, unknown = api.fencing(nodes, settings.minion_id, own_machine(api))
    return {"problems": [f"cluster:fencing: {text}" for text in problems], "unknown": unknown}


def is_checked(minion: Minion, settings: Settings) -> bool:
    """Whether the same addresses, token and URL have worked before."""
    return files.text(memory()) == _digest(minion, settings)


def remember(minion: Minion, settings: Settings) -> None:
    """Remember that the API knows the floating IPs with these settings."""
    files.put_private(memory(), _digest(minion, settings))


def _digest(minion: Minion, settings: Settings) -> str:
    """Stands for the addresses, token and URL, and tells none of them. A token of a store is its URL: it may rotate."""
    known = [getattr(api.floating_ip, key) for api in minion.apis(settings) for key in api.settings]
    token = minion.secrets()["floating_ip"]["api_token"]
    return hashlib.sha256(json.dumps([*known, token]).encode()).hexdigest()
