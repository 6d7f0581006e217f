"""What is certain to stop a run on this minion, before it touches anything; and what people should know before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import net, provider, stores, tokens
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import listeners, preflight
from haproxy_ha_lib.digitalocean.calls import Unavailable
from haproxy_ha_lib.settings.types import Settings

log = logging.getLogger(__name__)

_API_SECONDS = 10


def find_problems(minion: Minion, left_over: Sequence[str]) -> list[str]:
    """
    Return what would stop a run (list of str). Raises CommandExecutionError while something is wrong in pillar.

    left_over
        Which parts of the formula are here though pillar does not give them to this minion (list of str).
    """
    settings = minion.valid_settings()
    problems = [
        *preflight.stray_parts(left_over, minion.id),
        *preflight.leaving_members(_nodes(minion, settings), settings),
        *_held_ports(settings),
    ]
    unknown = [*stores.problems(minion), *_of_token_file(settings)]
    if unknown or not provider.has_api(settings):
        return problems + unknown
    return problems + _of_floating_ip(minion, settings)


def find_notes(minion: Minion, remember: bool = False) -> list[str]:
    """
    Return what a person should know before the first run with a floating IP (list of str); none once that has worked.
    Raises CommandExecutionError while something is wrong in pillar.

    remember : ``False``
        True: remember that it works with the present settings.
    """
    settings = minion.valid_settings()
    if not provider.has_api(settings) or provider.is_checked(minion, settings):
        return []
    notes = _notes(minion, settings)
    if remember:
        provider.remember(minion, settings)
    return notes


def _notes(minion: Minion, settings: Settings) -> list[str]:
    try:
        machine = provider.own_machine(minion, settings)
        addresses = {name: one.private_ip for name, one in settings.load_balancers.items()}
        notes = provider.api_of(minion, settings).notes(addresses, machine)
        return [text for text in (provider.ask_fencing(minion, settings)["unknown"], *notes) if text]
    except CommandExecutionError as exc:
        return [f"floating IP: {exc}"]


def _held_ports(settings: Settings) -> list[str]:
    return [
        text
        for daemon in ("nginx", "haproxy", listeners.QNETD)
        for text in preflight.held_ports(daemon, net.holders(listeners.of(daemon, settings)), settings)
    ]


def _nodes(minion: Minion, settings: Settings) -> dict[str, Any]:
    """The nodes of the cluster in which this load balancer runs; none without such a cluster."""
    if "load_balancer" not in settings.roles:
        return {}
    try:
        return minion.salt["pacemaker.status"]()["nodes"]
    except CommandExecutionError:
        return {}


def _of_token_file(settings: Settings) -> list[str]:
    """What is wrong with a token file that something else writes."""
    foreign = settings.floating_ip.foreign_token and "load_balancer" in settings.roles
    found = tokens.problem(settings.floating_ip.token_file) if foreign else ""
    return [found] if found else []


def _of_floating_ip(minion: Minion, settings: Settings) -> list[str]:
    """What the API says against the address coming here, and against fencing."""
    address, problems = settings.floating_ip.address, []
    try:
        obstacles = provider.api_of(minion, settings).obstacles(timeout=_API_SECONDS)
        problems += [f"floating IP {address}: {text}" for text in obstacles]
        problems += provider.ask_fencing(minion, settings)["problems"]
    except CommandExecutionError as exc:
        outage = isinstance(exc.__context__, Unavailable)  # no answer, in contrast to a no
        if not outage or not provider.is_checked(minion, settings):
            return [*problems, f"floating IP {address}: {exc}"]
        log.warning("haproxy_ha: the floating IP was not checked: %s", exc)
    return problems
