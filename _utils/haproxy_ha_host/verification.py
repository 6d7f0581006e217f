"""The proof that the tiers work together: the tutorial's probes, and whom the cluster and the API agree on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, TypeAlias

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import corosync, probes, provider, units, verdicts, waiting
from haproxy_ha_host.cluster import operate
from haproxy_ha_host.minion import Minion
from haproxy_ha_lib import listeners
from haproxy_ha_lib.cluster import objects, standing
from haproxy_ha_lib.provider import API
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree

Probe: TypeAlias = dict[str, Any]

# What is known not to change by itself is looked at again for so many seconds: something else may be on its way.
_SOON = 5
_API_SECONDS = 20


def verify(minion: Minion, timeout: float) -> dict[str, Any]:
    """
    Make the probes of this minion, again while one does not find what it should.

    timeout
        For how many seconds at most.

    Returns {"result": bool, "passed": [text], "failed": [text], "notes": [text]}.
    """
    settings = minion.valid_settings()
    outcome: dict[str, Any] = {}

    def failed() -> tuple[str, float]:
        outcome.update(_verify(minion, settings))
        return "; ".join(outcome["failed"]), _SOON if outcome.pop("known") else timeout

    waiting.until(failed, timeout, minion.say, 1.0)
    return outcome


def off(minion: Minion) -> list[str]:
    """Return why HAProxy does not run on this load balancer by the will of an operator (list of str)."""
    settings = minion.valid_settings()
    return _off(settings, _cluster(minion)) if "load_balancer" in settings.roles else []


def _verify(minion: Minion, settings: Settings) -> dict[str, Any]:
    checks: list[Probe] = []
    notes: list[str] = []
    known = False
    if "app_server" in settings.roles:
        checks += probes.app_server(settings)
    if "load_balancer" in settings.roles:
        found, notes, known = _verify_balancer(minion, settings)
        checks += found
    if "quorum_helper" in settings.roles:
        checks += probes.quorum_helper(settings)
    passed, failed = ([probes.line(check) for check in checks if check["result"] is well] for well in (True, False))
    return {"result": not failed, "passed": passed, "failed": failed, "notes": notes, "known": known}


def _verify_balancer(minion: Minion, settings: Settings) -> tuple[list[Probe], list[str], bool]:
    """(probes, notes, whether it is known that what fails will not change by itself) of a load balancer."""
    cluster = _cluster(minion)
    why = _off(settings, cluster)
    listening = [*listeners.of("haproxy", settings), *listeners.of("nginx", settings)]
    checks = probes.balancer_addresses(settings, listening, serves=not why)
    servers, notes = probes.app_servers(settings) if why else probes.balancer_servers(settings)
    fencing, unknown = _verify_fencing(minion, settings)
    checks += [*servers, *_verify_cluster(minion, settings), *fencing, *_verify_quorum(settings)]
    dated, ending = ([], []) if why else probes.certificates(settings)
    notes += [*ending, *unknown]
    if why:
        notes = ["HAProxy does not run here, and is not asked, because:", *why, *notes]
    switches = [text for text in standing.switches(cluster) if text not in why] if cluster else []
    known = why or (switches and standing.addresses_rest(cluster)) or _nothing_starts(minion, settings, cluster)
    # A certificate does not begin to count again, and what others listen on they go on listening on.
    nothing_else = all(check["result"] or check["expected"] == probes.CLOSED for check in checks)
    return [*checks, *dated], [*notes, *switches], bool(known or nothing_else)


def _cluster(minion: Minion) -> Tree:
    """The cluster's state, or {} where Pacemaker does not answer."""
    try:
        return minion.salt["pacemaker.status"]()
    except CommandExecutionError:
        return {}


def _off(settings: Settings, cluster: Tree) -> list[str]:
    """Why HAProxy does not run here by the will of an operator, as sentences; empty if it should, or does."""
    if not cluster:
        return []
    own = settings.minion_id
    return standing.off(cluster, own) or ([] if _haproxy_runs(settings) else standing.unattended(cluster, own))


def _haproxy_runs(settings: Settings) -> bool:
    return units.running(settings.services["haproxy"])


def _nothing_starts(minion: Minion, settings: Settings, cluster: Tree) -> bool:
    """Whether HAProxy does not run here and the cluster is not about to change that."""
    if not cluster or _haproxy_runs(settings):
        return False
    with contextlib.suppress(CommandExecutionError):
        return not minion.salt["pacemaker.settle"](resources=[], timeout=0)["pending"]
    return False


def _verify_cluster(minion: Minion, settings: Settings) -> list[Probe]:
    """The floating IP's owner, Pacemaker's active node and the nodes with a running HAProxy agree."""
    if not standing.addresses(settings.cluster.configuration.get("primitives", {})):
        return []
    try:
        now = operate.overview(minion, minion.salt["pacemaker.status"]())
        return [
            *probes.agreement(now["addresses"] or {standing.ADDRESS: []}, now["haproxy"]),
            *_judgements(settings, now),
            *(one for api in minion.apis(settings) for one in _verify_address(minion, settings, api, now)),
        ]
    except CommandExecutionError as exc:
        return [probes.probe("the cluster and the floating IP's owner", "can be asked", exc, False)]


def _judgements(settings: Settings, now: Tree) -> Iterator[Probe]:
    """What our agents say of what runs here."""
    for resource, nodes in ((standing.HAPROXY, now["haproxy"]), *now["addresses"].items()):
        agent = verdicts.agent_of(resource, settings) if settings.minion_id in nodes else None
        if agent:
            yield probes.judged(agent)


def _verify_address(minion: Minion, settings: Settings, api: API, now: Tree) -> Iterator[Probe]:
    """The API's owner is the active node, and the address can come here."""
    one = api.floating_ip
    what, active = standing.spoken(one.resource), now["addresses"].get(one.resource, [])
    is_here, owner = api.owner()
    agree = is_here == (settings.minion_id in active)
    yield probes.probe(f"owner of {what}", "the active node", f"{owner}; active: {active}", agree)
    wanted = [one.address, one.replaces]
    ask = functools.partial(api.obstacles, timeout=_API_SECONDS)
    obstacles = [] if is_here else minion.once("obstacles", wanted, ask)
    answer = "; ".join(obstacles) or "nothing is in the way"
    yield probes.probe(what, "can come to this machine", answer, not obstacles)


def _verify_fencing(minion: Minion, settings: Settings) -> tuple[list[Probe], list[str]]:
    """With fencing through the API: it would power off each load balancer. Returns (checks, notes)."""
    configuration = settings.cluster.configuration
    if not objects.fenced_by_api(configuration, settings.load_balancers) or not provider.has_api(settings):
        return [], []
    try:
        found = provider.ask_fencing(minion, settings)
    except CommandExecutionError as exc:
        found = {"problems": [str(exc)], "unknown": ""}
    answer = "; ".join(found["problems"]) or "each is one droplet"
    check = probes.probe("fencing", "can power off each load balancer", answer, not found["problems"])
    return [check], [f"fencing: {found['unknown']}"] if found["unknown"] else []


def _verify_quorum(settings: Settings) -> list[Probe]:
    """With a quorum helper, every load balancer and the helper vote."""
    if not settings.quorum_helper:
        return []
    present, expected = corosync.votes()
    everybody = present is not None and present == expected
    return [probes.probe("votes of the quorum", "all of them", f"{present} of {expected}", everybody)]
