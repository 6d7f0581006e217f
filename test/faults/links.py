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
UNREACHED = 25.0  # HAProxy's checks, the monitors of both, and the time that is left to each other


def _set(role: str, state: str, *links: str):
    def act(scene: Scene) -> None:
        for link in links:
            network.set_link(getattr(scene, role), link, state)

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
            _pause()


def _pause() -> None:
    end = time.monotonic() + 0.5
    wait_for("half a second of the flapping link", lambda: time.monotonic() > end, 2, 0.05)


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
    _cut("cut-public-active", "public link, active balancer", "active", "public", gap=UNREACHED, moves=1,
         after=owned_by_other),
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
