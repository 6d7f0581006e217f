"""Class 4: the networks."""

from __future__ import annotations

import time

from lab import audit, network
from lab.machine import machine
from lab.shell import LabError, run, wait_for
from lab.topology import API_ADDRESS, BALANCERS, HOSTS

from .api import ASKED, shown
from .cluster import TAKEOVER, power_on, takeovers
from .fault import Fault, Scene
from .haproxy import owned_by_other

LINKS = "networks"
NOTICED = 15.0  # within which a balancer sees that its address has been taken
TIMES = 6  # three failures of one node within two minutes are its ban
CUT_OFF = 4.0  # the resident watcher's second, and what is left to the other one
TOGETHER = 10.0  # seconds that both are cut off
UNREACHED = 25.0  # HAProxy's checks, the monitors of both, and the time that is left to each other


def _set(role: str, state: str, *links: str):
    def act(scene: Scene) -> None:
        for link in links:
            network.set_link(getattr(scene, role), link, state)

    return act


def dropped_public(scene: Scene) -> None:
    """The fabric drops all packets of the active balancer's public link, whose carrier stays, as in a cloud."""
    network.set_port(scene.active, "public", "disabled")


def passed_public(scene: Scene) -> None:
    """The fabric passes them again."""
    network.set_port(scene.active, "public", "forwarding")


def _drop_of_both(scene: Scene) -> None:
    """Both lose it, one a fifth of a second after the other, and have it back."""
    for state in ("disabled", "forwarding"):
        for host in BALANCERS:
            network.set_port(host, "public", state)
            _pause(0.2)
        _pause(TOGETHER if state == "disabled" else 0)


def _gateway(roles: tuple[str, ...], silent: bool):
    def act(scene: Scene) -> None:
        for role in roles:
            network.set_gateway_silent(getattr(scene, role), silent)

    return act


def partitioned(scene: Scene) -> bool:
    """The balancers do not see each other."""
    return any(audit.members(host) == [host] for host in (scene.active, scene.passive))


def _unreached(scene: Scene) -> bool:
    """The cluster knows that the passive balancer does not reach its gateway."""
    return (audit.attribute("haproxy_ha-reach") or {}).get(scene.passive) == "1000"


def _lossy(scene: Scene) -> bool:
    return all(network.dropped(host, "private") for host in BALANCERS)


def _cut(name: str, title: str, role: str, *links: str, **bounds) -> Fault:
    return Fault(name, LINKS, title, _set(role, "down", *links), _set(role, "up", *links), **bounds)


def _loss(percent_of: dict[str, int]):
    def act(scene: Scene) -> None:
        for role, percent in percent_of.items():
            network.set_loss(getattr(scene, role), "private", percent)

    return act


def _cut_off_again_and_again(scene: Scene) -> None:
    """The active balancer is cut off until the other one serves; so often that failures would add up to a ban. Then the
    one that serves is lost, and the other one is all that there is."""
    active, passive = scene.active, scene.passive
    for _ in range(TIMES):
        _set_all(active, "down")
        _wait_owner(passive)
        _set_all(active, "up")
        if audit.settle() != passive:
            raise LabError(f"the address has not stayed on {passive}")
        wait_for("the end of the takeover", lambda: not takeovers(), 40, 0.5)
        active, passive = passive, active
    machine(active).power_off()
    _wait_owner(passive)


def _wait_owner(host: str) -> None:
    wait_for(f"the address to move to {host}", lambda: audit.cloud_owner() == host, 30, 0.05)


def _reconnect(scene: Scene) -> None:
    for host in BALANCERS:
        _set_all(host, "up")
    power_on("active", "passive")(scene)


def _set_all(host: str, state: str) -> None:
    for link in ("private", "public"):
        network.set_link(host, link, state)


def _flap(scene: Scene) -> None:
    """The private link goes and comes five times, a second each."""
    for _ in range(5):
        for state in ("down", "up"):
            network.set_link(scene.active, "private", state)
            _pause(0.5)


def _pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_for("what is to last for a moment", lambda: time.monotonic() > end, seconds + 2, 0.05)


def _api(verb: str):
    def act(scene: Scene) -> None:
        for host in BALANCERS:
            namespace = HOSTS[host].namespace
            run(["ip", "-n", namespace, "route", verb, "blackhole", f"{API_ADDRESS}/32"])

    return act


def _names(text: str):
    def act(scene: Scene) -> None:
        for host in BALANCERS:
            target = machine(host)
            lines = [line for line in target.read("/etc/hosts").splitlines() if "api.digitalocean.com" not in line]
            target.write("/etc/hosts", "\n".join([*lines, text]).strip() + "\n")

    return act


FAULTS = [
    _cut("cut-private-active", "private link, active balancer", "active", "private", gap=UNREACHED, moves=1,
         after=owned_by_other, hold=NOTICED),
    _cut("cut-private-active-brief", "private link, active balancer, mended before it has looked at its address",
         "active", "private", gap=UNREACHED, moves=1, after=owned_by_other),
    _cut("cut-private-passive", "private link, passive balancer", "passive", "private", gap=0.3, hold=20.0,
         after=partitioned),
    _cut("cut-public-active", "public link, active balancer", "active", "public", gap=CUT_OFF, moves=1,
         after=owned_by_other),
    Fault(
        "drop-public-active", LINKS, "public link, active balancer, dropped in the fabric: its carrier stays",
        dropped_public, passed_public, gap=CUT_OFF, moves=1, after=owned_by_other,
    ),
    Fault(
        "drop-public-both", LINKS, "public link of both balancers for ten seconds: nobody is better", _drop_of_both,
        gap=TOGETHER + 4,
    ),
    Fault(
        "gateway-silent-both", LINKS, "the gateway answers no ping, of neither balancer",
        _gateway(("active", "passive"), True), _gateway(("active", "passive"), False), gap=0.3, hold=20.0,
    ),
    Fault(
        "gateway-silent-active", LINKS, "the gateway answers no ping of the active balancer",
        _gateway(("active",), True), _gateway(("active",), False), gap=0.3, moves=1, after=owned_by_other,
    ),
    _cut("cut-public-passive", "public link, passive balancer", "passive", "public", gap=0.3, hold=20.0,
         after=_unreached),
    _cut("cut-all-active", "all links, active balancer", "active", "private", "public", gap=UNREACHED, moves=1,
         after=owned_by_other, hold=NOTICED),
    _cut("cut-all-passive", "all links, passive balancer", "passive", "private", "public", gap=0.3, hold=20.0,
         after=partitioned),
    Fault(
        "cut-all-again", LINKS, f"all links, {TIMES} times in a few minutes the active balancer; then its power",
        _cut_off_again_and_again, _reconnect, gap=TAKEOVER, moves=1, strikes=TIMES + 1, calls=400,
    ),
    Fault(
        "cut-peers", LINKS, "path between the balancers", lambda scene: network.set_path(*BALANCERS, "down"),
        lambda scene: network.set_path(*BALANCERS, "up"), gap=0.5, hold=30.0, after=partitioned,
    ),
    Fault(
        "one-way-to-active", LINKS, "the active balancer hears nothing on the private link", _loss({"active": 100}),
        _loss({"active": 0}), gap=UNREACHED, moves=1, hold=15.0, after=partitioned,
    ),
    Fault(
        "one-way-to-passive", LINKS, "the passive balancer hears nothing on the private link", _loss({"passive": 100}),
        _loss({"passive": 0}), gap=0.5, hold=15.0, after=partitioned,
    ),
    Fault(
        "loss-30", LINKS, "30 % loss on the private link of both", _loss({"active": 30, "passive": 30}),
        _loss({"active": 0, "passive": 0}), gap=10.0, moves=1, hold=20.0, steady=1, after=_lossy,
    ),
    Fault("flapping", LINKS, "the private link of the active balancer flaps five times", _flap, gap=10.0, moves=2),
    Fault("api-unreachable", LINKS, "no way to the API from both balancers", _api("replace"), _api("delete"), gap=0.3,
          after=shown("cannot confirm"), within=ASKED),
    Fault("api-without-a-name", LINKS, "the API's name is not known", _names(""),
          _names(f"{API_ADDRESS} api.digitalocean.com"), gap=0.3, after=shown("cannot confirm"), within=ASKED),
]  # fmt: skip
