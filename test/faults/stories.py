"""Class 13: what the simulation has found (simulation.found), played on real hosts: does it tell the truth?

Those of two nodes whose events the lab can make, at the times that they have in the history, whose node 1 has the
address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from lab import network
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.simulator import control
from lab.topology import FLOATING_IP
from simulation import found
from simulation.found import Event, Story

from .cluster import takeovers
from .fault import Fault, Scene

STORIES = "stories of the simulation"
Step = Callable[[str, str, Any], object]
LINKS = {"peers+servers": ("private",), "peers+servers+clients": ("private", "public"), "clients": ("public",)}


def _links(state: str) -> Step:
    def change(host: str, other: str, value: Any) -> None:
        for link in LINKS[value]:
            network.set_port(host, link, state)

    return change


def _path(state: str) -> Step:
    return lambda host, other, value: network.set_path(host, other, state)


def _one_way(unheard: bool) -> Step:
    def change(host: str, other: str, value: Any) -> None:
        ends = (host, other) if value == "peers >" else (other, host)
        network.set_unheard(*ends, unheard)

    return change


def _run(*command: str) -> Step:
    return lambda host, other, value: machine(host).run(*command)


def _nothing(host: str, other: str, value: Any) -> None:
    """It ends by itself."""


def _switch_on(host: str, other: str, value: Any) -> None:
    machine(host).power_on()


def _kill(host: str, other: str, value: Any) -> None:
    machine(host).run("pkill", "-KILL", "-x", f"pacemaker-{value}")


def _maintain(state: str) -> Step:
    return _run("crm_attribute", "--name=maintenance-mode", f"--update={state}")


KINDS: dict[str, tuple[Step, Step]] = {
    "cut": (_path("down"), _path("up")),
    "cut private": (_links("disabled"), _links("forwarding")),
    "cut all": (_links("disabled"), _links("forwarding")),
    "cut one way": (_one_way(True), _one_way(False)),
    "power": (lambda host, other, value: machine(host).power_off(), _switch_on),
    "reboot": (lambda host, other, value: machine(host).reboot(), _nothing),
    "pause": (lambda host, other, value: machine(host).pause(), lambda host, other, value: machine(host).go_on()),
    "deaf": (_run("pkill", "-STOP", "-x", "pacemaker-attrd"), _run("pkill", "-CONT", "-x", "pacemaker-attrd")),
    "daemon dies": (_kill, _nothing),
    "standby": (_run("crm_standby", "-v", "on"), _run("crm_standby", "--delete")),
    "maintenance": (_maintain("true"), _maintain("false")),
    "clean-up": (lambda host, other, value: machine(host).run("crm_resource", "--cleanup", "-r", value), _nothing),
    "somebody assigns": (lambda host, other, value: control.assign(str(CONTROL), FLOATING_IP, None), _nothing),
}
"""How each kind begins and ends: of a host, the other one, and what the kind makes of its value.

Not here: answers that come late and links that flap, for which the lab has no means.
"""


def playable() -> dict[str, Story]:
    """The stories that can be played, by name."""
    ones = found.FOUND | found.MENDED | found.BORNE
    return {name: one for name, one in ones.items() if one.nodes == 2 and not one.fencing and _can_be(one.events)}


def _can_be(events: tuple[Event, ...]) -> bool:
    return all(event.kind in KINDS for event in events)


def _play(story: Story) -> Callable[[Scene], None]:
    """All of it, from the first event to the end of the last."""

    def inject(scene: Scene) -> None:
        failed: list[str] = []
        first = min(event.at for event in story.events)
        begin = time.monotonic() + 1
        steps = [(begin + moment - first, step, event) for event in story.events for moment, step in _moments(event)]
        # One step may take a while, as an operator's command does that waits for its answer.
        threads = [threading.Thread(target=_take, args=(scene, *one, failed)) for one in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise LabError("; ".join(failed))
        wait_for("the end of what was told of takeovers", lambda: not takeovers(), 120, 1)

    return inject


def _moments(event: Event) -> list[tuple[float, Step]]:
    begin, end = KINDS[event.kind]
    return [(event.at, begin), (event.at + event.seconds, end)]


def _take(scene: Scene, moment: float, step: Step, event: Event, failed: list[str]) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))  # the history's own time
    host, other = (scene.active, scene.passive) if event.node == 1 else (scene.passive, scene.active)
    try:
        step(host, other, event.value)
    except LabError as error:
        failed.append(str(error))


FAULTS = [
    Fault(f"story-{story.seed}", STORIES, f"{name} (seed {story.seed})", _play(story),
          gap=20.0, moves=2, strikes=len(story.events), calls=200, long=True)
    for name, story in playable().items()
]  # fmt: skip
