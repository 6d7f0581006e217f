"""The cluster's members change: a fresh machine comes in a balancer's place, one is added, one is removed."""

from __future__ import annotations

from lab import audit, formula, lab, salt
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.topology import APP_SERVERS, BALANCERS

from .cluster import TAKEOVER
from .fault import Fault, Scene
from .haproxy import ROLES, online, owned_by_other, standby

MEMBERS = "the cluster's members"
APP, THIRD = APP_SERVERS  # one app server is enough while the other one's host is a balancer
THREE = (*BALANCERS, THIRD)


def _replace(role: str):
    return lambda scene: lab.replace(getattr(scene, role))


def _join(role: str):
    """What an operator does about a fresh machine: its key is accepted in place of the old one's, and all apply."""

    def mend(scene: Scene) -> None:
        _accept(getattr(scene, role))
        formula.apply()

    return mend


def _accept(host: str) -> None:
    """The minion of a fresh machine, whose key the master has refused, is on its way out by itself."""
    machine("master").run("salt-key", "--yes", "--delete", host)
    machine(host).run("systemctl", "restart", "salt-minion")
    salt.wait_minions()
    salt.sync()


# Each controller remembers whoever has left by itself, and would bring it back with the next DC.
COUNTED = """
import sys
sys.path.insert(0, "/usr/lib/ocf/resource.d/haproxy_ha")
import cluster
print(*(name for name, _ in cluster.members(5)))
"""


def add(scene: Scene) -> None:
    """
    A fresh machine becomes the third balancer. The app server in whose place it is leaves the pool before; a run on it
    would say that it has lost its place in pillar.
    """
    apply(BALANCERS, target=(*BALANCERS, APP))
    lab.replace(THIRD)
    _accept(THIRD)
    apply(THREE)


def apply(balancers: tuple[str, ...], apps: tuple[str, ...] = (APP,), target: tuple[str, ...] = ("*",)) -> None:
    formula.set_pillar(balancers=balancers, apps=apps)
    formula.apply(target=",".join(target))


def _three(scene: Scene) -> bool:
    return all(sorted(audit.members(host)) == sorted(THREE) for host in THREE)


def _remove_third(scene: Scene) -> None:
    """What is left is a pair that remembers no third one: the address moves in it as before."""
    formula.apply("haproxy_ha.clean", target=THIRD)
    apply(BALANCERS)
    known = {host: {*salt.call("pacemaker.status", target=host)[host]["nodes"],
                    *machine(host).run("crm_node", "--list").stdout.split()[1::3]} for host in BALANCERS}  # fmt: skip
    counted = {host: set(machine(host).run("/usr/bin/python3", "-c", COUNTED).stdout.split()) for host in BALANCERS}
    if any(nodes != set(BALANCERS) for nodes in (*known.values(), *counted.values())):
        raise LabError(f"after {THIRD} has left the cluster knows {known}, and the agents count {counted}")
    standby(scene)
    wait_for("the address to move", lambda: owned_by_other(scene), 30)
    online(scene)
    apply(BALANCERS, APP_SERVERS)


def _remove_active(scene: Scene) -> None:
    formula.apply("haproxy_ha.clean", target=scene.active)
    apply((scene.passive,), APP_SERVERS)


def _other_alone(scene: Scene) -> bool:
    return owned_by_other(scene) and audit.members(scene.passive) == [scene.passive]


def _return(scene: Scene) -> None:
    apply(BALANCERS, APP_SERVERS)


FAULTS = [
    *(
        Fault(f"replaced-{role}", MEMBERS, f"a fresh machine in the {role} balancer's place", _replace(role),
              _join(role), gap=TAKEOVER if role == "active" else 0.3, moves=int(role == "active"), calls=100,
              operator="delete the old machine's minion key, start the minion again, apply on all")
        for role in ROLES
    ),
    Fault("added", MEMBERS, "a balancer is added to the running pair, and removed again", add, _remove_third, gap=0.3,
          moves=1, calls=200, after=_three, operator="pillar, apply on all; `haproxy_ha.clean` on the one that goes"),
    Fault("removed", MEMBERS, "the active balancer is removed from the running pair, and added again", _remove_active,
          _return, gap=0.3, moves=1, calls=200, after=_other_alone,
          operator="`haproxy_ha.clean` on it, pillar, apply on the rest"),
]  # fmt: skip
