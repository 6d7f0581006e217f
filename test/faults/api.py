"""Classes 5, 6 and 7: DigitalOcean's API and metadata, and what other people do with the address."""

from __future__ import annotations

import re

from lab import audit
from lab.cloud import CONTROL, api_token
from lab.machine import machine
from lab.simulator import control
from lab.topology import BALANCERS, FLOATING_IP, HOSTS

from .fault import Fault, Scene
from .haproxy import online, owned_by_other, standby

ANSWERS, METADATA, OTHERS = "the API while the address moves", "the metadata service", "other people"
STATUSES = (401, 403, 404, 408, 429, 500, 503)
TWICE = ("html", "reset", "truncated", "invalid_json", "pending_ip", "pending_droplet")
ASSIGNS = ("stuck", "errored", "done", "action_404", "unchanged")
MONITORS = 12.0  # seconds in which the address is looked at
ASKED = 80.0  # seconds in which the API is asked for the address


def clear(scene: Scene) -> None:
    """The cloud is as it was."""
    control.clear(str(CONTROL))
    control.delay(str(CONTROL))


def _online(scene: Scene) -> None:
    clear(scene)
    online(scene)


def struck(scene: Scene) -> bool:
    """The simulator has done what it was told to do."""
    return control.state(str(CONTROL))["counts"]["faults"] > scene.counts["faults"]


def shown(pattern: str):
    """That the active balancer shows such a reason."""
    return lambda scene: any(re.search(pattern, reason) for reason in audit.reasons(scene.active))


def _moving(name: str, title: str, *faults: dict, delay: dict | None = None, gap: float = 0.5) -> Fault:
    """The address is to move, and the API has this to say."""

    def moved(scene: Scene) -> bool:
        return owned_by_other(scene) and (delay is not None or struck(scene))

    def inject(scene: Scene) -> None:
        for fault in faults:
            control.fault(str(CONTROL), **fault)
        control.delay(str(CONTROL), **(delay or {}))
        standby(scene)

    return Fault(f"api-{name}", ANSWERS, title, inject, _online, gap=gap, moves=1, after=moved, within=60.0)


def _everywhere(name: str, title: str, *faults: dict) -> Fault:
    """The metadata service has this to say, for as long as it is looked at."""

    def inject(scene: Scene) -> None:
        for fault in faults:
            control.fault(str(CONTROL), **fault)

    return Fault(f"metadata-{name}", METADATA, title, inject, clear, gap=0.3, hold=MONITORS, after=struck)


def _stale_both(scene: Scene) -> None:
    """And the passive balancer is asked whether the address is there, as after its start."""
    control.fault(str(CONTROL), "stale", active=True, ip=FLOATING_IP)
    machine(scene.passive).run("crm_resource", "--refresh", "--resource=FloatIP", f"--node={scene.passive}")


def _stale_false(scene: Scene) -> None:
    droplet = HOSTS[scene.active].droplet_id
    control.fault(str(CONTROL), "stale", active=False, droplet_id=droplet)


def _assign(role: str):
    def inject(scene: Scene) -> None:
        host = {"passive": scene.passive, "third": "app-1", "nobody": None}[role]
        control.assign(str(CONTROL), FLOATING_IP, HOSTS[host].droplet_id if host else None)

    return inject


def _revoke(scene: Scene) -> None:
    control.tokens(str(CONTROL), ["dop_v1_" + "0" * 64])


def _restore_token(scene: Scene) -> None:
    control.tokens(str(CONTROL), [api_token()])


def _no_token_file(scene: Scene) -> None:
    for host in BALANCERS:
        machine(host).run("mv", "/etc/haproxy_ha/token", "/root/token-away")


def _token_file(scene: Scene) -> None:
    for host in BALANCERS:
        machine(host).run("mv", "/root/token-away", "/etc/haproxy_ha/token")


FAULTS = [
    *(
        _moving(f"status-{status}", f"HTTP {status}, twice", {"kind": "status", "status": status, "times": 2})
        for status in STATUSES if status not in (401, 403, 404)
    ),
    _moving("429-retry-after", "HTTP 429 with retry-after", {
        "kind": "status", "status": 429, "times": 2, "headers": {"retry-after": "1"}}),
    *(
        # The start has failed, and is tried again when HAProxy has been stopped where clients still come.
        _moving(f"status-{status}", f"HTTP {status}, once", {"kind": "status", "status": status, "times": 1}, gap=1.5)
        for status in (401, 403, 404)
    ),
    *(_moving(kind.replace("_", "-"), f"{kind}, twice", {"kind": kind, "times": 2}) for kind in TWICE),
    *(_moving(f"assign-{kind.replace('_', '-')}", f"the assign: {kind}", {"kind": kind, "times": 1}) for kind in ASSIGNS
      if kind != "stuck"),
    _moving("hang", "an answer that does not come for 4 s", {"kind": "hang", "seconds": 4, "times": 1}),
    _moving("slow", "every answer after 2 s", delay={"api_seconds": 2.0}),
    _moving("assign-slow", "the assign takes 11 s", delay={"assign_seconds": 11.0}),
    _moving("owner-hidden", "the token may not see the owner", {"kind": "owner_null"}),
    _moving("owner-absent", "the owner is not in the answer", {"kind": "owner_absent"}),
    _everywhere("down", "HTTP 500", {"kind": "status", "service": "metadata"}),
    _everywhere("hang", "no answer", {"kind": "hang", "service": "metadata"}),
    _everywhere("slow", "every answer after 1 s", {"kind": "slow", "service": "metadata", "seconds": 1}),
    _everywhere("reset", "connections are reset", {"kind": "reset", "service": "metadata"}),
    Fault("metadata-stale-both", METADATA, "says that the address is at both", _stale_both, clear, gap=0.3,
          hold=MONITORS, after=struck),
    Fault("metadata-stale-owner", METADATA, "says that the address is not here, on its owner", _stale_false, clear,
          gap=0.3, hold=MONITORS, after=struck),
    Fault("taken-by-passive", OTHERS, "somebody assigns the address to the passive balancer", _assign("passive"),
          gap=0.5, moves=3, hold=MONITORS),
    Fault("taken-by-third", OTHERS, "somebody assigns the address to another droplet", _assign("third"), gap=15.0,
          moves=2, hold=MONITORS),
    Fault("unassigned", OTHERS, "somebody unassigns the address", _assign("nobody"), gap=15.0, moves=2, hold=MONITORS),
    Fault("token-revoked", OTHERS, "the token is revoked", _revoke, _restore_token, gap=0.3, after=shown("401"),
          within=ASKED, operator="a new token in pillar"),
    Fault("token-file-away", OTHERS, "the token's file is away", _no_token_file, _token_file, gap=0.3,
          after=shown("is missing"), within=ASKED, operator="apply again"),
]  # fmt: skip
