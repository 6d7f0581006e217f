"""
How a cluster stands, in words for people: what operators have set and how it ends, who is absent and how long it makes
sense to wait, what is wrong. ``status`` is always what ``pacemaker.status`` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from haproxy_ha_lib import provider
from haproxy_ha_lib.types import Tree

ADDRESS, HAPROXY, CLONE = provider.RESOURCE, "haproxy", "haproxy-clone"

STARTING_SECONDS = 10
"""A node whose cluster was stopped has all it needs: who starts it has started it within this time."""

# What operators have set


def switches(status: Tree) -> list[str]:
    """What operators have set in the cluster, what it means, and how it ends, as sentences."""
    found = [*_cluster_wide(status)]
    for name, node in sorted(status["nodes"].items()):
        found += _of_node(name, node)
    for name, one in sorted(status["resources"].items()):
        found += _of_resource(one["in"][0] if one["in"] else name, one, unmanaged=not _all_unmanaged(status))
    return list(dict.fromkeys(found))


def _cluster_wide(status: Tree) -> Iterator[str]:
    if status["maintenance"]:
        yield (
            "the cluster is in maintenance: Pacemaker watches and moves nothing, and starts nothing that stops "
            "(salt-call pacemaker.maintenance False ends it)"
        )
    if status["stopped"]:
        yield (
            "everything is stopped on purpose, by the property stop-all-resources "
            "(crm configure property stop-all-resources=false ends it)"
        )


def _of_node(name: str, node: Tree) -> Iterator[str]:
    if node.get("standby"):
        yield f"{name} is in standby and runs nothing (salt-call pacemaker.online {name} ends it)"
    if node.get("standby_onfail"):
        yield f"{name} is in standby after a failure (salt-call pacemaker.cleanup node={name} ends it)"
    if node.get("maintenance"):
        yield (
            f"{name} is in maintenance: Pacemaker starts nothing there that stops "
            f"(salt-call pacemaker.maintenance False node={name} ends it)"
        )


def _of_resource(name: str, one: Tree, unmanaged: bool) -> Iterator[str]:
    if _is_stopped(one):
        yield f"{name} is stopped on purpose, by target-role (crm resource start {name} ends it)"
    if unmanaged and not one["managed"]:
        yield f"{name} is not managed: Pacemaker starts nothing of it that stops (crm resource manage {name} ends it)"


def _is_stopped(one: Tree) -> bool:
    return (one["target_role"] or "").lower() == "stopped"


def _all_unmanaged(status: Tree) -> bool:
    """Whether resources are unmanaged because something wider is in maintenance."""
    return status["maintenance"] or any(node.get("maintenance") for node in status["nodes"].values())


def off(status: Tree, node: str) -> list[str]:
    """Why HAProxy does not run on a node, by the will of an operator, as sentences; empty if it should run there."""
    found = [*_cluster_wide({**status, "maintenance": False})]
    found += _of_node(node, {**status["nodes"].get(node, {}), "maintenance": False})
    haproxy = status["resources"].get(HAPROXY)
    return found + ([*_of_resource(CLONE, haproxy, unmanaged=False)] if haproxy else [])


def unattended(status: Tree, node: str) -> list[str]:
    """Why Pacemaker would not start HAProxy on a node again, by the will of an operator, as sentences."""
    here = status["nodes"].get(node, {})
    found = [*_cluster_wide({**status, "stopped": False}), *_of_node(node, {"maintenance": here.get("maintenance")})]
    haproxy = status["resources"].get(HAPROXY)
    if not found and haproxy and not haproxy["managed"]:
        found += _of_resource(CLONE, {**haproxy, "target_role": None}, unmanaged=not _all_unmanaged(status))
    return found


def addresses(resources: Iterable[str]) -> list[str]:
    """Return those of some resources that are floating IPs (sorted list)."""
    return sorted(name for name in resources if name == ADDRESS or name.startswith(f"{ADDRESS}-"))


def address_rests(status: Tree, name: str) -> bool:
    """Whether the cluster will not move a floating IP: it is nowhere, or not managed."""
    address = status["resources"].get(name)
    return not on(status, name) or (address is not None and not address["managed"])


def addresses_rest(status: Tree) -> bool:
    """Whether the cluster will not move any floating IP."""
    return all(address_rests(status, name) for name in addresses(status["resources"]))


# Who is where

OVERVIEW = ("active", "addresses", "haproxy", "offline", "standby", "maintenance", "failures")


def on(status: Tree, resource: str) -> list[str]:
    """The nodes on which a resource, or one that is in it, runs and has not failed (sorted list)."""
    found = [one for name, one in status["resources"].items() if resource in (name, *one["in"])]
    return sorted({node for one in found if one["active"] and not one["failed"] for node in one["nodes"]})


def overview(status: Tree, node: str | None = None, runs_here: bool | None = None) -> Tree:
    """
    Who is who in the cluster: {"active", "addresses", "haproxy", "offline", "standby", "maintenance", "failures",
    "notes"}. active: the nodes that have a floating IP; addresses: {resource: its nodes}.

    node, runs_here
        This node's name, and whether HAProxy's service runs on it: while Pacemaker does not watch, what it says of
        HAProxy is what was so before.
    """
    maintained = [name for name, one in sorted(status["nodes"].items()) if one.get("maintenance")]
    held = {name: on(status, name) for name in addresses(status["resources"])}
    seen = {
        "active": sorted({node for nodes in held.values() for node in nodes}),
        "addresses": held,
        "haproxy": _with_haproxy(status, node, runs_here),
        "offline": sorted(name for name, one in status["nodes"].items() if not one["online"]),
        "standby": sorted(name for name, one in status["nodes"].items() if one.get("standby")),
        "maintenance": ["the cluster"] if status["maintenance"] else maintained,
        "failures": status["failures"],
    }
    return {**seen, "notes": [*_wrong(status, seen), *switches(status), *_failures(status)]}


def _with_haproxy(status: Tree, node: str | None, runs_here: bool | None) -> list[str]:
    """The nodes on which HAProxy runs: as Pacemaker says, and of this one as it is."""
    running = set(on(status, CLONE))
    if node and runs_here is not None and node in status["nodes"]:
        running = running | {node} if runs_here else running - {node}
    return sorted(running)


def _wrong(status: Tree, seen: Tree) -> Iterator[str]:
    """What is not as it should be, and what to do."""
    if not status["dc"]:
        yield "the cluster has no DC: it decides nothing (journalctl --unit pacemaker)"
    if not status["quorum"]:
        yield "the cluster has no quorum, and runs nothing: start the load balancers that are offline"
    for node in seen["offline"]:
        yield f"{node} is offline: start it, or its pacemaker; docs/operate.md says what to do if it is gone for good"
    for name, nodes in seen["addresses"].items() or ((ADDRESS, ()),):
        if len(nodes) != 1:
            yield f"{spoken(name)} is on {', '.join(nodes) or 'no node: clients are not served'}"
    for node in (name for name in seen["active"] if name not in seen["haproxy"]):
        yield f"{node} has the floating IP and no HAProxy: clients are not served (systemctl start haproxy there)"
    for node, one in sorted(status["nodes"].items()):
        idle = node in (*seen["haproxy"], *seen["active"]) or not one["online"] or off(status, node)
        if not idle:
            yield f"HAProxy does not run on {node} (there: journalctl --unit haproxy; then salt-call pacemaker.cleanup)"
    yield from _unwell(status)


def spoken(name: str) -> str:
    """Return how people are told of a floating IP, by its resource."""
    return f"the floating IP {name.removeprefix(ADDRESS).removeprefix('-')}".rstrip()


def _unwell(status: Tree) -> Iterator[str]:
    for name, one in sorted(status["resources"].items()):
        if one["blocked"]:
            yield f"{name} is blocked: after a failed stop Pacemaker touches it no more until pacemaker.cleanup {name}"
        elif one["failed"]:
            yield f"{name} has failed on {', '.join(one['nodes']) or 'no node'}"


def _failures(status: Tree) -> Iterator[str]:
    """What has failed and is not over, one by one; how many are over, in one sentence."""
    over = [one for one in status["failures"] if one["over"]]
    for one in status["failures"]:
        if not one["over"]:
            yield f"{'degraded' if 'degraded' in one['status'].lower() else 'failed'}: {failure(one)}"
    if over:
        latest = max(over, key=lambda one: one["time"])
        yield (
            f"{len(over)} {'failure is' if len(over) == 1 else 'failures are'} {_REMEMBERED}, the latest: "
            f"{failure(latest)} (salt-call pacemaker.cleanup forgets)"
        )


def announced(found: Mapping[str, str]) -> list[str]:
    """What is announced, as sentences; ``found``: {node: the word for it}."""
    return [
        f"maintenance of {node} is announced ({word}): another load balancer that is well gets the floating IP"
        for node, word in sorted(found.items())
    ]


def present(notes: Iterable[str]) -> list[str]:
    """Those of an overview's notes that are about now."""
    return [note for note in notes if _REMEMBERED not in note]


_REMEMBERED = "over and only remembered"


def some(texts: Iterable[str], most: int = 5) -> list[str]:
    """The first of many texts, and how many more there are."""
    texts = list(texts)
    return texts if len(texts) <= most else [*texts[:most], f"... and {len(texts) - most} more"]


def failure(one: Tree) -> str:
    """A failure as a sentence."""
    since = f" at {one['time']}" if one["time"] else ""
    return f"{one['operation']} of {one['resource']} on {one['node']}{since}: {one['reason'] or one['status']}"


def without_cluster(roles: Iterable[str]) -> str:
    """What a machine without Pacemaker is, by the roles that it has, as a sentence."""
    roles = [role.replace("_", " ") for role in roles]
    if "load balancer" in roles:
        return "there is no cluster here yet: state.apply haproxy_ha makes it"
    return f"no load balancer, so no cluster runs here; this minion is: {', '.join(roles) or 'none of haproxy_ha'}"


# Where the floating IP may go


class Move(NamedTuple):
    """A floating IP from one node to another, None where there is none; refusal: why not, as text."""

    old: str | None
    new: str | None
    refusal: str = ""
    resource: str = ADDRESS


def plan_move(
    status: Tree, seen: Tree, to: str | None = None, announced: Collection[str] = (), resource: str = ADDRESS
) -> Move:
    """
    Return the move of a floating IP that somebody wants.

    seen
        What :func:`overview` tells of the cluster.
    to : ``None``
        The node that shall have it; None: one that has not, and runs HAProxy.
    announced
        The nodes of which maintenance is announced: the address would come back from them at once.
    resource : ``"FloatIP"``
        Which one.
    """
    nodes = seen["addresses"].get(resource)
    old, what = nodes[0] if nodes else None, spoken(resource)
    if address_rests(status, resource):
        why = "; ".join(switches(status)) or "haproxy_ha.status says more"
        return Move(old, to, f"{what} stays on {old or 'no node'}: {why}", resource)
    avoided = () if old in announced else announced
    if to in avoided:
        return Move(old, to, f"maintenance of {to} is announced: {what} would come back from there at once", resource)
    candidates = [node for node in seen["haproxy"] if node not in (old, *seen["standby"], *avoided)]
    new = to or (candidates[0] if candidates else None)
    if new is None:
        return Move(old, new, f"no other node runs HAProxy: {what} stays on {old}", resource)
    if new not in (old, *candidates):
        return Move(old, new, f"to: found {new!r}, allowed: {', '.join(candidates)}", resource)
    return Move(old, new, "", resource)


def plan_moves(
    status: Tree, seen: Tree, to: str | None, name: str | None, announced: Collection[str] = ()
) -> list[Move]:
    """
    Return the moves that somebody wants, one for each floating IP; where they cannot be, one with a refusal.

    to
        The node that shall have them; None: one that has not.
    name
        Which one, by its name in pillar; None: all.
    announced
        As for :func:`plan_move`.
    """
    known = list(seen["addresses"]) or [ADDRESS]
    wanted = known if name is None else [resource for resource in known if named(resource) == name]
    if not wanted:
        return [Move(None, to, f"address: found {name!r}, allowed: {', '.join(map(named, known))}")]
    if to is None and name is None and len(seen["active"]) > 1:
        return [Move(None, to, f"to: missing, since the floating IPs are on {', '.join(seen['active'])}: say who shall "
                               "have them all, or by address which one is to move")]  # fmt: skip
    return [plan_move(status, seen, to, announced, resource) for resource in wanted]


def named(resource: str) -> str:
    """Return a floating IP's name in pillar, by its resource."""
    return resource.removeprefix(f"{ADDRESS}-") if resource != ADDRESS else "floating_ip"


def plan_spread(
    status: Tree, seen: Tree, preferences: Mapping[str, str], announced: Collection[str] = ()
) -> list[Move]:
    """
    Return the moves that bring floating IPs to where they prefer to be; where one cannot, its move has a refusal.

    preferences
        {resource: node}.
    announced
        As for :func:`plan_move`.
    """
    away = {name: node for name, node in preferences.items() if seen["addresses"].get(name) != [node]}
    return [plan_move(status, seen, node, announced, name) for name, node in away.items()]


# Whom to wait for


class Absent(NamedTuple):
    """
    A node that is not in the cluster. known: it has been there; left: it was shut down in good order; answers: whether
    its machine does, None where a silence may be a firewall's.
    """

    name: str
    known: bool
    left: bool
    answers: bool | None

    def patience(self, timeout: float, up: float) -> float:
        """
        How many seconds it makes sense to wait for it, of ``timeout``. ``up``: for how long this node's own cluster has
        been there: nodes that are set up for the first time come one after the other, and each waits from its start.
        """
        if self.answers:
            return min(timeout, STARTING_SECONDS) if self.left else timeout
        if self.known or self.answers is False:
            return 0
        return max(0, timeout - up)

    def __str__(self) -> str:
        if self.answers:
            why = "its machine answers, and its cluster " + ("was stopped" if self.left else "does not (yet)")
        else:
            why = "its machine does not answer" if self.known or self.answers is False else "it was never there"
        return f"{self.name} is absent: {why}"


def absent(
    status: Tree, nodes: Iterable[str], answers: Callable[[str, bool], bool | None], here: str | None = None
) -> list[Absent]:
    """
    The nodes of ``nodes`` that are not there, as :class:`Absent`. A node that is joining is there.

    answers
        A function of a name, and of whether it has been in the cluster: whether its machine answers, as in Absent.
    here : ``None``
        This node's name: it is there, though its Pacemaker may have only just been started.
    """
    found = []
    for name in (name for name in nodes if name != here and not _is_there(status, name)):
        # Who was there before is known to a DC alone: a cluster that begins has heard of nobody yet.
        node = status["nodes"].get(name) if status["dc"] else None
        left = node is not None and not node.get("expected_up")
        found.append(Absent(name, node is not None, left, answers(name, node is not None)))
    return found


def _is_there(status: Tree, name: str) -> bool:
    node = status["nodes"].get(name, {})
    return bool(node.get("online") or node.get("pending"))


def missing(status: Tree, nodes: Iterable[str], gone: Iterable[Absent]) -> str:
    """
    What keeps the cluster from being complete, as text, empty if nothing does; ``gone`` as :func:`absent` found it.
    """
    away = {one.name for one in gone}
    joining = [name for name in nodes if name not in away and _joins(status["nodes"].get(name, {}))]
    parts = [
        *map(str, gone),
        *([f"joining: {', '.join(joining)}"] if joining else []),
        *([] if status["dc"] else ["there is no DC"]),
        *([] if status["quorum"] else ["there is no quorum"]),
    ]
    return "; ".join(parts)


def _joins(node: Tree) -> bool:
    return bool(node.get("pending") or not node.get("online"))


def remedy(missing: Sequence[Absent]) -> str:
    """What to do about nodes that are absent, as text."""
    names = ", ".join(one.name for one in missing)
    ways = [
        f"start {names} and apply again" if any(not one.answers for one in missing) else f"apply on {names} too",
        "for a change meanwhile, haproxy_ha:cluster:expected_timeout: 0 in pillar: nobody is waited for",
        f"if {names} will not return, take it out of pillar (haproxy_ha.clean on it, if it lives)",
    ]
    return "\n".join(f"- {way}" for way in ways)


def departed(nodes: Collection[str], present: Mapping[str, Tree]) -> dict[str, dict[str, str | None]]:
    """Return the changes by which the cluster forgets the nodes that have left; a remote node is none of ours."""
    left = [name for name, node in present.items() if name not in nodes and not (node["online"] or node["remote"])]
    return {name: {"old": "offline", "new": None} for name in left}


def without_agents(names: str, timeout: float) -> str:
    """Return what to do about nodes that nobody has brought the agents in time."""
    return (
        f"After {timeout} s no run on {names} has installed what the cluster's configuration needs: a commit now would "
        f"keep HAProxy and the floating IP off there. Run state.apply haproxy_ha on {names}, which then commits, or on "
        "all at once"
    )
