"""What happens to a system: each event strikes the balancer that has the address, and is mended afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab import network, stuck
from lab.machine import machine
from lab.topology import BALANCERS

from .systems import System

SLOW_API = 2.0
# systemd starts it by its path, and the tutorial's agent by its name.
HAPROXY = ("-f", "^(/usr/sbin/)?haproxy -")


def _nothing(system: System, host: str) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Event:
    """One event.

    Args:
        name (str): How it is chosen on the command line.
        title (str): Its row in the table.
        strike (callable): Makes it happen: (system, host) -> None.
        mend (callable): Makes it good: (system, host) -> None.
        prepare (callable): What it takes, done before clients are watched: (system, host) -> None.
        moves (bool): Clients are served again by the other balancer; False: by whichever serves.
        watch (float): Seconds to watch at least, for an event whose effect comes late.
        mend_watched (bool): Clients are watched until it is mended and the system is healthy.
        api_seconds (float): How long the API takes to answer.
    """

    name: str
    title: str
    strike: Callable[[System, str], None]
    mend: Callable[[System, str], None]
    prepare: Callable[[System, str], None] = _nothing
    moves: bool = False
    watch: float = 2.0
    mend_watched: bool = False
    api_seconds: float = 0.0


def _power_off(system: System, host: str) -> None:
    machine(host).power_off()


def _power_on(system: System, host: str) -> None:
    machine(host).power_on()
    machine(host).wait_booted()


_LEADERS: dict[str, int | None] = {}


def _reboot(system: System, host: str) -> None:
    _LEADERS[host] = machine(host).reboot()


def _wait_rebooted(system: System, host: str) -> None:
    machine(host).wait_rebooted(_LEADERS.pop(host))


def _signal_haproxy(name: str, *which: str) -> Callable[[System, str], None]:
    """A signal for all its processes, or with ``-n`` for the newest, which is the worker."""

    def strike(system: System, host: str) -> None:
        machine(host).run("pkill", f"-{name}", *which, *HAPROXY, check=name != "CONT")

    return strike


def _stuck(name: str, title: str, how: str) -> Event:
    return Event(
        name,
        title,
        lambda system, host: stuck.strike(host, how),
        lambda system, host: stuck.mend(host, system.reload_haproxy),
        prepare=lambda system, host: stuck.prepare(host, system.reload_haproxy),
        watch=5.0,
    )


def _anchor(verb: str) -> Callable[[System, str], None]:
    def change(system: System, host: str) -> None:
        network.set_anchor(host, verb)

    return change


def _anchor_blinks(system: System, host: str) -> None:
    network.set_anchor(host, "delete")
    time.sleep(0.9)  # the event itself
    network.set_anchor(host, "replace")


def _cut(system: System, host: str, links: tuple[str, ...], state: str) -> None:
    for link in links:
        network.set_link(host, link, state)


def _link_cut(name: str, title: str, *links: str, moves: bool, watch: float = 2.0) -> Event:
    return Event(
        name,
        title,
        lambda system, host: _cut(system, host, links, "down"),
        lambda system, host: _cut(system, host, links, "up"),
        moves=moves,
        watch=watch,
        mend_watched=True,
    )


def _port_cut(name: str, title: str, *links: str) -> Event:
    def set_ports(host: str, state: str) -> None:
        for link in links:
            network.set_port(host, link, state)

    return Event(
        name,
        title,
        lambda system, host: set_ports(host, "disabled"),
        lambda system, host: set_ports(host, "forwarding"),
        moves=True,
        mend_watched=True,
    )


def _with_slow_api(event: Event) -> Event:
    fields = {**vars(event), "name": f"{event.name}-slow-api", "api_seconds": SLOW_API}
    return Event(**{**fields, "title": f"{event.title}, API answers after {SLOW_API:g} s"})


def _call(name: str) -> Callable[[System, str], None]:
    return lambda system, host: getattr(system, name)(host)


_EVENTS = (
    Event("power-loss", "power loss of the active balancer", _power_off, _power_on, moves=True),
    Event("reboot", "reboot of the active balancer", _reboot, _wait_rebooted, moves=True, mend_watched=True),
    Event("kill", "SIGKILL of HAProxy", _signal_haproxy("KILL"), _nothing),
    Event("hang", "SIGSTOP of HAProxy", _signal_haproxy("STOP"), _signal_haproxy("CONT")),
    Event("stop", "`systemctl stop haproxy`", _call("stop_haproxy"), _call("start_haproxy")),
    Event("failover", "planned failover", _call("hand_over"), _call("take_part"), moves=True, mend_watched=True),
    Event(
        "cut-peers",
        "path between the balancers cut",
        lambda system, host: network.set_path(*BALANCERS, "down"),
        lambda system, host: network.set_path(*BALANCERS, "up"),
        watch=12.0,
        mend_watched=True,
    ),
    _link_cut("cut-private", "private link of the active balancer cut", "private", moves=True, watch=12.0),
    _link_cut("cut-public", "public link of the active balancer cut", "public", moves=True),
    _port_cut("drop-public", "public link of the active balancer, dropped in the fabric", "public"),
    Event(
        "deaf-private",
        "the active balancer hears nothing on the private link",
        lambda system, host: network.set_loss(host, "private", 100),
        lambda system, host: network.set_loss(host, "private", 0),
        moves=True,
        watch=12.0,
        mend_watched=True,
    ),
    Event("worker-hang", "SIGSTOP of HAProxy's worker", _signal_haproxy("STOP", "-n"), _signal_haproxy("CONT", "-n")),
    _stuck("threads-blocked", "all threads of HAProxy blocked in a call", stuck.BLOCK),
    _stuck("thread-spins", "a thread of HAProxy that comes to no end", stuck.SPIN),
    Event("anchor-away", "the anchor IP goes from the interface", _anchor("delete"), _anchor("replace"), moves=True),
    Event("anchor-blink", "the anchor IP goes, and is back within a second", _anchor_blinks, _nothing, watch=12.0),
    _link_cut("cut-all", "all links of the active balancer cut", "private", "public", moves=True),
)
EVENTS: dict[str, Event] = {
    event.name: event for at_once in _EVENTS for event in (at_once, _with_slow_api(at_once))
}
