"""What is certain to stop a run on this minion, before it touches anything; and what people should know before."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import net, provider, stores, tokens
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import listeners, preflight
from haproxy_ha_lib.cloud.calls import Unavailable
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
    return problems + _of_api(minion, settings)


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
    return _of_routes(settings) + _by_api(minion, settings)


def _of_routes(settings: Settings) -> list[str]:
    return [] if net.has_ipv6_default_route() else preflight.without_route(one.address for one in settings.moving)


def _by_api(minion: Minion, settings: Settings) -> list[str]:
    try:
        addresses = {name: one.private_ip for name, one in settings.load_balancers.items()}
        notes = [text for api in minion.apis(settings) for text in api.notes(addresses, provider.own_machine(api))]
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


def _of_api(minion: Minion, settings: Settings) -> list[str]:
    """What the API says against the addresses coming here, and against fencing."""
    problems: list[str] = []
    unasked: list[tuple[str, bool]] = []
    for api in minion.apis(settings):
        what = f"floating IP {api.floating_ip.address}"
        with _told(unasked, what):
            problems += [f"{what}: {text}" for text in api.obstacles(timeout=_API_SECONDS)]
    if not unasked:
        with _told(unasked, "fencing"):
            problems += provider.ask_fencing(minion, settings)["problems"]
    if all(is_outage for _, is_outage in unasked) and unasked and provider.is_checked(minion, settings):
        log.warning("haproxy_ha: not checked: %s", "; ".join(text for text, _ in unasked))
        return problems
    return problems + [text for text, _ in unasked]


@contextlib.contextmanager
def _told(unasked: list[tuple[str, bool]], what: str) -> Iterator[None]:
    """Note what cannot be asked, and whether that is for want of an answer, in contrast to a no."""
    try:
        yield
    except CommandExecutionError as exc:
        unasked.append((f"{what}: {exc}", isinstance(exc.__context__, Unavailable)))
