"""Class 13: what the simulation has found (simulation.found), played on real hosts: does it tell the truth?

At the times that the events have in the history, whose node 1 has the address. Where the history has three nodes, the
host of an app server is the third load balancer meanwhile.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from lab import audit, formula, network, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import LabError, say, wait_for
from lab.simulator import control
from lab.topology import APP_SERVERS, BALANCERS, FLOATING_IP
from simulation import found
from simulation.found import Event, Story

from . import members
from .cluster import takeovers
from .fault import SETTLE, Fault, Scene

STORIES = "stories of the simulation"
Others = Sequence[str]
Step = Callable[[str, Others, Any], object]
LINKS = {"peers+servers": ("private",), "peers+servers+clients": ("private", "public"), "clients": ("public",)}


def _links(state: str) -> Step:
    def change(host: str, others: Others, value: Any) -> None:
        for link in LINKS[value]:
            network.set_port(host, link, state)

    return change


def _path(state: str) -> Step:
    def change(host: str, others: Others, value: Any) -> None:
        for other in others:
            network.set_path(host, other, state)

    return change


def _one_way(unheard: bool) -> Step:
    def change(host: str, others: Others, value: Any) -> None:
        for other in others:
            network.set_unheard(*((host, other) if value == "peers >" else (other, host)), unheard)

    return change


def _run(*command: str) -> Step:
    return lambda host, others, value: machine(host).run(*command)


def _nothing(host: str, others: Others, value: Any) -> None:
    """It ends by itself."""


def _switch_on(host: str, others: Others, value: Any) -> None:
    machine(host).power_on()


def _kill(host: str, others: Others, value: Any) -> None:
    machine(host).run("pkill", "-STOP", "-x", "pacemakerd")  # which starts it again, at the end
    machine(host).run("pkill", "-KILL", "-x", f"pacemaker-{value}"[:15])  # a process has no longer name


class _Flapping:
    """A link that comes and goes, every 0.1 to 2 s, as in the simulation."""

    def __init__(self) -> None:
        self._over, self._random = threading.Event(), random.Random(0)

    def begin(self, host: str, others: Others, value: Any) -> None:
        self._over.clear()
        state = "up"
        while not self._over.is_set():
            state = "down" if state == "up" else "up"
            _path(state)(host, others, value)
            self._over.wait(self._random.uniform(0.1, 2.0))
        if state == "down":
            _path("up")(host, others, value)

    def end(self, host: str, others: Others, value: Any) -> None:
        self._over.set()


def _late(host: str, others: Others, value: Any) -> None:
    network.set_late(host, "public", value)


def _in_time(host: str, others: Others, value: Any) -> None:
    if not network.set_late(host, "public", 0):
        raise LabError(f"nothing that passed the public link of {host} was late")


def _leave(host: str, others: Others, value: Any) -> None:
    """For good, by a run on it and one on the rest."""
    formula.apply("haproxy_ha.clean", target=host)
    members.apply(tuple(others), target=tuple(others))


def _maintain(state: str) -> Step:
    return _run("crm_attribute", "--name=maintenance-mode", f"--update={state}")


FLAPPING = _Flapping()
KINDS: dict[str, tuple[Step, Step]] = {
    "cut": (_path("down"), _path("up")),
    "cut private": (_links("disabled"), _links("forwarding")),
    "cut all": (_links("disabled"), _links("forwarding")),
    "cut one way": (_one_way(True), _one_way(False)),
    "flapping": (FLAPPING.begin, FLAPPING.end),
    "late": (_late, _in_time),
    "leaves": (_leave, _nothing),
    "power": (lambda host, others, value: machine(host).power_off(), _switch_on),
    "reboot": (lambda host, others, value: machine(host).reboot(), _nothing),
    "pause": (lambda host, others, value: machine(host).pause(), lambda host, others, value: machine(host).go_on()),
    "deaf": (_run("pkill", "-STOP", "-x", "pacemaker-attrd"), _run("pkill", "-CONT", "-x", "pacemaker-attrd")),
    "daemon dies": (_kill, _run("pkill", "-CONT", "-x", "pacemakerd")),
    "standby": (_run("crm_standby", "-v", "on"), _run("crm_standby", "--delete")),
    "maintenance": (_maintain("true"), _maintain("false")),
    "clean-up": (lambda host, others, value: machine(host).run("crm_resource", "--cleanup", "-r", value), _nothing),
    "somebody assigns": (lambda host, others, value: control.assign(str(CONTROL), FLOATING_IP, None), _nothing),
}
"""How each kind begins and ends: of a host, the other ones, and what the kind makes of its value."""
FIRST = "leaves"
"""A kind whose end is waited for, and from which the times of what follows count."""
FENCED = {"the fence loop", "the waiting request"}
"""What `cut-private-fenced` and `cut-blink-fenced` play."""


def playable() -> dict[str, Story]:
    """The stories that are played here, by name."""
    ones = found.FOUND | found.MENDED | found.BORNE
    return {name: one for name, one in ones.items() if name not in FENCED}


def _play_of_two(story: Story) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        _play(story, (scene.active, scene.passive))

    return inject


def _play_of_three(story: Story) -> Callable[[Scene], None]:
    def inject(scene: Scene) -> None:
        members.add(scene)
        with mock.patch.object(audit, "BALANCERS", members.THREE):
            active = audit.settle(SETTLE)
            _play(story, (active, *(name for name in members.THREE if name != active)))

    return inject


def _back_to_two(story: Story) -> Callable[[Scene], None]:
    """Once those that are left are well."""
    left = [event.node for event in story.events if event.kind == FIRST]

    def mend(scene: Scene) -> None:
        there = tuple(name for name in members.THREE if not (left and name == scene.active))
        with mock.patch.object(audit, "BALANCERS", there):
            audit.settle(SETTLE)
        salt.wait_minions()  # one that was cut off for a while has lost its master
        formula.apply("haproxy_ha.clean", target=members.THIRD)
        members.apply(BALANCERS, APP_SERVERS)

    return mend


def _play(story: Story, nodes: tuple[str, ...]) -> None:
    """All of it, from the first event to the end of the last."""
    for event in story.events:
        if event.kind == FIRST:
            _begin(event, nodes)
            nodes = tuple(name if number != event.node else "" for number, name in enumerate(nodes, 1))
    events = [event for event in story.events if event.kind != FIRST]
    failed: list[str] = []
    before = _moves()
    first, begin = min(event.at for event in events), time.monotonic() + 1
    steps = [(begin + moment - first, step, event) for event in events for moment, step in _moments(event)]
    # One step may take a while, as an operator's command does that waits for its answer.
    threads = [threading.Thread(target=_take, args=(nodes, *one, failed)) for one in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise LabError("; ".join(failed))
    wait_for("the end of what was told of takeovers", lambda: not takeovers(), 120, 1)
    with mock.patch.object(audit, "BALANCERS", tuple(filter(None, nodes))):
        audit.settle(SETTLE)
    moved = _moves() - before
    say(f"the address moved {moved} times, in the history {story.moves}")
    if moved > story.moves:
        raise LabError(f"the address moved {moved} times, in the history {story.moves}")


def _moves() -> int:
    return len(control.state(str(CONTROL))["moves"])


def _begin(event: Event, nodes: tuple[str, ...]) -> None:
    KINDS[event.kind][0](*_ends(event, nodes), event.value)


def _ends(event: Event, nodes: tuple[str, ...]) -> tuple[str, Others]:
    host = nodes[event.node - 1]
    return host, [name for name in nodes if name and name != host]


def _moments(event: Event) -> list[tuple[float, Step]]:
    begin, end = KINDS[event.kind]
    return [(event.at, begin), (event.at + event.seconds, end)]


def _take(nodes: tuple[str, ...], moment: float, step: Step, event: Event, failed: list[str]) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))  # the history's own time
    try:
        step(*_ends(event, nodes), event.value)
    except LabError as error:
        failed.append(str(error))


def _fault(name: str, story: Story) -> Fault:
    title, strikes = f"{name} (seed {story.seed})", len(story.events)
    if story.nodes == 2:
        return Fault(f"story-{story.seed}", STORIES, title, _play_of_two(story),
                     gap=20.0, moves=2, strikes=strikes, calls=200, long=True)
    return Fault(f"story-{story.seed}", STORIES, title, _play_of_three(story), _back_to_two(story),
                 gap=20.0, moves=3, strikes=strikes, calls=400, long=True,
                 operator="pillar and runs, by which a third one comes and goes")


FAULTS = [_fault(name, story) for name, story in playable().items()]
