"""What can happen to a world: each begins at a moment, and ends some seconds later."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from simulation.cloud import ADDRESS, BOOT, TOKEN
from simulation.processes import drawn
from simulation.programs import former, today

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.world import World


class Disturbance(NamedTuple):
    """One of a history: plain data, so that a story can be kept.

    `at` and `seconds` are virtual; `node` is a number, and `value` what the kind makes of it.
    """

    at: float
    kind: str
    node: int
    seconds: float
    value: Any = None


HERE, MAJORITY, ALL, NEVER = "here", "majority", "all", ""


class Kind(NamedTuple):
    """How a disturbance begins and ends.

    `moves` tells whether it is a reason to take the address from a node that serves: from the one that it happens to
    (HERE; MAJORITY: where others go on without it, or have it powered off), or from any (ALL); `values` are drawn from.
    """

    begin: Callable[[World, Node, Any], None]
    end: Callable[[World, Node, Any], None]
    moves: str
    values: tuple[Any, ...] = (None,)
    longest: float = 90.0


def nothing(world: World, node: Node, value: Any) -> None:
    """For what ends by itself."""


# --- Links


def pairs(world: World, node: Node, value: Any) -> set[tuple[str, str]]:
    """The directions that a cut of this name has: to the other balancers, clients, servers; `>` from the node alone,
    `<` to it alone."""
    places, _, direction = value.partition(" ")
    ends = [other for place in places.split("+") for other in
            ([one.name for one in world.nodes if one is not node] if place == "peers" else [place])]  # fmt: skip
    away, back = {(node.name, other) for other in ends}, {(other, node.name) for other in ends}
    return {">": away, "<": back}.get(direction, away | back)


def cut(world: World, node: Node, value: Any) -> None:
    world.network.cut |= pairs(world, node, value)
    changed(world)


def mend(world: World, node: Node, value: Any) -> None:
    world.network.cut -= pairs(world, node, value)
    changed(world)


def changed(world: World) -> None:
    for node in world.nodes:
        node.servers_changed()
    world.cluster.look()


def flap(world: World, node: Node, value: Any) -> None:
    """A link that loses so much, or comes and goes so often, that it is now there and now not."""
    world.flaps.add(node.name)
    flip(world, node, value)


def flip(world: World, node: Node, value: Any) -> None:
    if node.name in world.flaps:
        (mend if pairs(world, node, value) <= world.network.cut else cut)(world, node, value)
        world.flips += 1
        world.kernel.after(drawn(world.random, 0.1, 2.0), lambda: flip(world, node, value))


def stay(world: World, node: Node, value: Any) -> None:
    world.flaps.discard(node.name)
    mend(world, node, value)


def lose(world: World, node: Node, value: Any) -> None:
    world.network.loss[node.name] = value


def lose_nothing(world: World, node: Node, value: Any) -> None:
    world.network.loss.pop(node.name, None)


def delay(world: World, node: Node, value: Any) -> None:
    world.network.late[node.name, "clients"] = value


def no_delay(world: World, node: Node, value: Any) -> None:
    world.network.late.pop((node.name, "clients"), None)


# --- Machines and daemons


def power_off(world: World, node: Node, value: Any) -> None:
    if node.power:
        node.lose_power()


def power_on(world: World, node: Node, value: Any) -> None:
    if not node.power:
        world.kernel.after(BOOT, lambda: node.power or node.boot())


def reboot(world: World, node: Node, value: Any) -> None:
    """Pacemaker is told to stop; what it runs goes first."""
    if node.works and node.partition:
        node.leaving = True
        node.partition.set_attribute(node, node.name, "shutdown", "1700000000", 0)


def come_back(world: World, node: Node, value: Any) -> None:
    """What shuts down does that to its end."""
    if node.leaving:
        world.kernel.after(1.0, lambda: come_back(world, node, value))
    elif not node.pacemaker:
        if node.power:
            node.lose_power()
        power_on(world, node, value)


def leave_for_good(world: World, node: Node, value: Any) -> None:
    """haproxy_ha.clean on it, and a run without it on the others: Corosync knows it no more, the cluster forgets."""
    if world.expected > 2 and node.works:
        reboot(world, node, value)
        world.kernel.after(1.0, lambda: be_gone(world, node))


def be_gone(world: World, node: Node) -> None:
    if node.leaving:
        world.kernel.after(1.0, lambda: be_gone(world, node))
        return
    if node.power:
        node.lose_power()
    node.gone = True
    world.expected -= 1
    for other in world.nodes if world.setting.forgets else ():
        other.known.discard(node.name)
        other.config = other.config._replace(nodes=tuple(name for name in other.config.nodes if name != node.name))
    world.cluster.look()
    for partition in world.cluster.partitions:
        partition.changed()  # the votes that a quorum needs are others


def pause(world: World, node: Node, value: Any) -> None:
    if node.power and not node.paused:
        node.pause(True)


def go_on(world: World, node: Node, value: Any) -> None:
    if node.power and node.paused:
        node.pause(False)


def crash(world: World, node: Node, value: Any) -> None:
    if node.pacemaker and not node.leaving:
        node.crash(value)


def respawn(world: World, node: Node, value: Any) -> None:
    node.respawn(value)


def falsify(world: World, node: Node, value: Any) -> None:
    """A clock that goes too fast or too slow, or the date that is set."""
    if isinstance(value, float):
        node.go_at(value)
    else:
        node.wrong_by = value


def set_right(world: World, node: Node, value: Any) -> None:
    node.go_at(1.0)
    node.wrong_by = 0.0


def put_back(world: World, node: Node, value: Any) -> None:
    """A node that has not been upgraded yet, or was put back."""
    node.install(former())


def upgrade(world: World, node: Node, value: Any) -> None:
    node.install(today())


def kill_haproxy(world: World, node: Node, value: Any) -> None:
    node.listens = False


def deafen(world: World, node: Node, value: Any) -> None:
    node.deaf = True


def hear(world: World, node: Node, value: Any) -> None:
    node.deaf = False


def fill(world: World, node: Node, value: Any) -> None:
    node.files.full = True


def empty(world: World, node: Node, value: Any) -> None:
    node.files.full = False


def doom(world: World, node: Node, value: Any) -> None:
    resource, task, step = value
    world.doom.append((node.name, resource, task, step))


def spare(world: World, node: Node, value: Any) -> None:
    world.doom = [entry for entry in world.doom if entry[0] != node.name]


# --- The cloud


def misbehave(world: World, node: Node, value: Any) -> None:
    world.cloud.misbehave(**dict(value))


def behave(world: World, node: Node, value: Any) -> None:
    world.cloud.behave()


def stale(world: World, node: Node, value: Any) -> None:
    world.cloud.misbehave(kind="stale", droplet_id=node.droplet, active=value)


def set_cloud(world: World, node: Node, value: Any) -> None:
    name, worse, _ = value
    setattr(world.cloud if hasattr(world.cloud, name) else world.cloud.estate, name, worse)


def reset_cloud(world: World, node: Node, value: Any) -> None:
    name, _, well = value
    setattr(world.cloud if hasattr(world.cloud, name) else world.cloud.estate, name, well)


def revoke(world: World, node: Node, value: Any) -> None:
    world.cloud.set_tokens()


def grant(world: World, node: Node, value: Any) -> None:
    world.cloud.set_tokens(TOKEN)


def reassign(world: World, node: Node, value: Any) -> None:
    """Somebody in the control panel."""
    world.cloud.estate.assign(ADDRESS, {"node": node.droplet, "elsewhere": 2000, "nobody": None}[value])


# --- Operators


def in_partition(world: World, node: Node, change: Callable[[Any], Any]) -> None:
    working = [one for one in (node, *world.nodes) if one.works and one.partition]
    if working and working[0].partition:
        working[0].partition.configure(change(working[0].config))


def everywhere(world: World, change: Callable[[Any], Any]) -> None:
    """What an operator takes back, in each part of a cluster in pieces."""
    for one in world.nodes:
        one.config = change(one.config)
    for partition in world.cluster.partitions:
        partition.configure(change(partition.members[0].config))


def standby(world: World, node: Node, value: Any) -> None:
    in_partition(world, node, lambda config: config._replace(standby=config.standby | {node.name}))


def online(world: World, node: Node, value: Any) -> None:
    everywhere(world, lambda config: config._replace(standby=frozenset()))


def move(world: World, node: Node, value: Any) -> None:
    """crm resource move: a ban of where it is, which the operator clears later."""
    holder = world.cloud.owner_node()
    if holder:
        ban = ("FloatIP", holder.name)
        in_partition(world, node, lambda config: config._replace(bans=config.bans | {ban}))


def clear(world: World, node: Node, value: Any) -> None:
    everywhere(world, lambda config: config._replace(bans=frozenset()))


def maintain(world: World, node: Node, value: Any) -> None:
    in_partition(world, node, lambda config: config._replace(maintenance=True))


def care(world: World, node: Node, value: Any) -> None:
    everywhere(world, lambda config: config._replace(maintenance=False))


def clean_up(world: World, node: Node, value: Any) -> None:
    """crm resource cleanup: failures are forgotten, and it is looked anew where the resource runs."""
    for one in world.nodes:
        if one.works and one.partition:
            one.executor.forget(value)
            one.partition.clear_failures(one, value)


def commit(world: World, node: Node, value: Any) -> None:
    """A run of Salt whose commit changes nothing of ours: the scheduler is asked in the middle of whatever goes on."""
    in_partition(world, node, lambda config: config)


def api(**fault: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(fault.items())


API_FAULTS = (
    *(api(kind="status", status=status, times=times) for status in (401, 403, 404, 408, 429, 500, 503)
      for times in (1, 3)),
    *(api(kind=kind, times=2) for kind in ("html", "reset", "truncated", "invalid_json", "pending_ip",
                                           "pending_droplet", "owner_null", "owner_absent")),
    *(api(kind=kind, times=1) for kind in ("stuck", "errored", "done", "action_404", "unchanged")),
    api(kind="owner_null"), api(kind="owner_absent"), api(kind="status", status=500),
)  # fmt: skip
METADATA_FAULTS = (
    api(kind="status", service="metadata", status=500), api(kind="reset", service="metadata"),
    api(kind="no_reserved_ip"), api(kind="html", service="metadata"),
)  # fmt: skip
CLOUD = (
    ("silent", True, False), ("metadata_silent", True, False), ("answer_seconds", 2.0, 0.15),
    ("answer_seconds", 6.0, 0.15), ("metadata_seconds", 0.8, 0.002), ("assign_seconds", 11.0, 0.5),
    ("assign_seconds", 0.0, 0.5),
)  # fmt: skip
STEPS = tuple(
    (resource, task, step) for resource, task, most in
    (("FloatIP", "start", 24), ("FloatIP", "monitor", 8), ("FloatIP", "stop", 4), ("haproxy", "monitor", 4),
     ("haproxy", "start", 1))
    for step in range(1, most + 1)
)  # fmt: skip

KINDS = {
    "cut": Kind(cut, mend, NEVER, ("peers",)),
    "cut private": Kind(cut, mend, HERE, ("peers+servers",)),
    "cut public": Kind(cut, mend, HERE, ("clients", "clients >", "clients <")),
    "cut all": Kind(cut, mend, HERE, ("peers+servers+clients",)),
    "cut one way": Kind(cut, mend, NEVER, ("peers >", "peers <")),
    "cut servers": Kind(cut, mend, HERE, ("servers",)),
    "flapping": Kind(flap, stay, NEVER, ("peers",), longest=40.0),
    "late": Kind(delay, no_delay, NEVER, (0.05, 0.3, 2.0)),
    "loss": Kind(lose, lose_nothing, HERE, (0.1, 0.5)),
    "power": Kind(power_off, power_on, HERE),
    "reboot": Kind(reboot, come_back, HERE),
    "leaves": Kind(leave_for_good, nothing, HERE),
    "pause": Kind(pause, go_on, HERE),
    "daemon dies": Kind(crash, respawn, MAJORITY, ("corosync", "controld", "execd", "attrd"), longest=4.0),
    "clock": Kind(falsify, set_right, NEVER, (0.5, 0.9, 1.1, 2.0, -3600, 3600)),
    "former agents": Kind(put_back, upgrade, NEVER),
    "haproxy dies": Kind(kill_haproxy, nothing, HERE),
    "deaf": Kind(deafen, hear, ALL),
    "disk full": Kind(fill, empty, NEVER),
    "agent dies": Kind(doom, spare, HERE, STEPS),
    "API": Kind(misbehave, behave, NEVER, API_FAULTS),
    "metadata": Kind(misbehave, behave, NEVER, METADATA_FAULTS),
    "stale metadata": Kind(stale, behave, NEVER, (True, False)),
    "cloud": Kind(set_cloud, reset_cloud, NEVER, CLOUD),
    "late requests": Kind(set_cloud, reset_cloud, ALL, (("request_seconds", 8.0, 0.0), ("request_seconds", 25.0, 0.0))),
    "token": Kind(revoke, grant, NEVER),
    "somebody assigns": Kind(reassign, nothing, ALL, ("node", "elsewhere", "nobody")),
    "standby": Kind(standby, online, HERE),
    "move": Kind(move, clear, ALL),
    "maintenance": Kind(maintain, care, ALL),
    "clean-up": Kind(clean_up, nothing, ALL, ("FloatIP", "haproxy")),
    "Salt": Kind(commit, nothing, NEVER),
}


def draw(source: random.Random, number: int, most: int, span: float) -> list[Disturbance]:
    """Some disturbances, which may overlap."""
    names = list(KINDS)
    found = []
    for _ in range(source.randint(1, most)):
        name = source.choice(names)
        kind = KINDS[name]
        shortest, longest = source.choice(((0.1, 3.0), (3.0, 20.0), (20.0, kind.longest)))
        seconds = round(min(drawn(source, shortest, longest), kind.longest), 1)
        found.append(Disturbance(
            round(drawn(source, 0, span), 2), name, source.randint(1, number), seconds, source.choice(kind.values),
        ))  # fmt: skip
    return sorted(found, key=lambda one: (one.at, one.kind, one.node))
