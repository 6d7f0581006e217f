"""Is the whole system as it should be? Asked after everything that is done to it."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET

from . import cloud
from .machine import machine
from .shell import LabError, wait_for
from .simulator import control
from .topology import BALANCERS, FLOATING_IP, HOSTS
from .traffic import ask

SHOW_STAT = """
import socket
with socket.socket(socket.AF_UNIX) as asked:
    asked.settimeout(2)
    asked.connect("/run/haproxy/admin.sock")
    asked.sendall(b"show stat\\n")
    print(asked.makefile().read())
"""


def settle(timeout: float = 90) -> str:
    """Wait until nothing is wrong any more and return the active balancer; a LabError says what still is."""
    found: list[str] = []

    def healthy() -> bool:
        found[:] = problems()
        return not found

    try:
        wait_for("a healthy system", healthy, timeout, 0.5)
    except LabError as error:
        raise LabError(f"{error}: {'; '.join(found)}") from error
    return active()


def problems() -> list[str]:
    """Everything that is wrong, in words; empty when both balancers are in their place and clients are served."""
    off = [name for name in BALANCERS if not machine(name).leader()]
    if off:
        return [f"{name} is off" for name in off]
    views = {name: status(name) for name in BALANCERS}
    blind = [f"{name} cannot ask its cluster" for name, view in views.items() if view is None]
    if blind:
        return blind
    found = [problem for name, view in views.items() for problem in _view_problems(name, view)]
    holders = {name: _running_on(view, "FloatIP") for name, view in views.items()}
    if len({tuple(nodes) for nodes in holders.values()}) != 1:
        found.append(f"the balancers disagree where FloatIP is: {holders}")
    owner, places = cloud_owner(), holders[BALANCERS[0]]
    if places != [owner]:
        found.append(f"FloatIP runs on {places}, and the cloud sends the address to {owner}")
    found += _reach_problems(views[BALANCERS[0]])
    cut_off = _attribute(views[BALANCERS[0]], "haproxy_ha-cut-off")
    found += [f"{name} is cut off: {value}" for name, value in cut_off.items() if value != "0"]
    found += [problem for name in BALANCERS for problem in _pool_problems(name)]
    answer = ask()
    if answer[0] != 200:
        found.append(f"a client gets {answer}")
    return found


def active() -> str:
    """The balancer on which Pacemaker runs FloatIP, as the first one that answers sees it; empty when there is none."""
    for name in BALANCERS:
        view = status(name) if machine(name).leader() else None
        if view is not None and _running_on(view, "FloatIP"):
            return _running_on(view, "FloatIP")[0]
    return ""


def passive() -> str:
    """The other balancer."""
    return passive_of(active())


def passive_of(host: str) -> str:
    """The balancer that is not this one."""
    return next(name for name in BALANCERS if name != host)


def cloud_owner() -> str | None:
    """The host that the cloud sends the floating IP to."""
    droplet = control.state(str(cloud.CONTROL))["owners"][FLOATING_IP]
    return next((host.name for host in HOSTS.values() if host.droplet_id == droplet and droplet), None)


def reasons(name: str) -> list[str]:
    """Why actions failed, as crm_mon shows it on a balancer."""
    view = status(name)
    return [] if view is None else [one.get("exitreason", "") for one in view.iter("failure")]


def members(name: str) -> list[str]:
    """The nodes that a balancer sees online; none while its cluster does not answer."""
    view = status(name)
    return [] if view is None else online(view)


def attribute(name: str) -> dict[str, str] | None:
    """A transient attribute of the nodes that have it, as the first balancer sees it; None while nobody can tell."""
    view = status(BALANCERS[0])
    return None if view is None else _attribute(view, name)


def _attribute(view: ET.Element, name: str) -> dict[str, str]:
    return {
        node.get("name", ""): entry.get("value", "")
        for node in view.findall("node_attributes/node")
        for entry in node.findall("attribute") if entry.get("name") == name
    }  # fmt: skip


def pacemaker_logs() -> dict[str, str]:
    """What Pacemaker has logged on each balancer."""
    return {name: machine(name).read("/var/log/pacemaker/pacemaker.log") for name in BALANCERS}


def status(name: str) -> ET.Element | None:
    """crm_mon's XML on a balancer; None while its cluster does not answer."""
    done = machine(name).run("crm_mon", "--one-shot", "--inactive", "--output-as=xml", check=False)
    return ET.fromstring(done.stdout) if done.returncode == 0 and done.stdout.startswith("<") else None


def online(view: ET.Element) -> list[str]:
    """The nodes that are online and not standby."""
    return [
        node.get("name", "")
        for node in view.findall("nodes/node")
        if node.get("online") == "true" and node.get("standby") == "false" and node.get("pending") == "false"
    ]


def _reach_problems(view: ET.Element) -> list[str]:
    """The nodes that reach less than another one, or did so until a moment ago: the address would leave them again."""
    reached = {name: int(value) for name, value in _attribute(view, "haproxy_ha-reach").items()}
    best = max(reached.values(), default=0)
    return [f"{name} reaches {value} of {best}" for name, value in reached.items() if value < best]


def _pool_problems(name: str) -> list[str]:
    """The servers that a balancer's HAProxy takes for down."""
    done = machine(name).run("python3", "-c", SHOW_STAT, check=False)
    if done.returncode:
        return [f"{name}: HAProxy says nothing of its servers"]
    rows = csv.DictReader(done.stdout.lstrip("# ").splitlines())
    down = [f"{row['pxname']}/{row['svname']}" for row in rows if row["status"].startswith("DOWN")]
    return [f"{name} has {', '.join(down)} down"] if down else []


def _running_on(view: ET.Element, resource: str) -> list[str]:
    found = [element for element in view.iter("resource") if element.get("id") == resource]
    return sorted(node.get("name", "") for element in found for node in element.findall("node"))


def _view_problems(name: str, view: ET.Element) -> list[str]:
    found = []
    if sorted(online(view)) != sorted(BALANCERS):
        found.append(f"{name} sees online: {online(view)}")
    for element in view.iter("resource"):
        bad = [word for word in ("failed", "blocked", "orphaned") if element.get(word) == "true"]
        bad += ["unmanaged"] if element.get("managed") == "false" else []
        bad += [role for role in [element.get("role", "")] if role.endswith("ing")]  # it stops, and is still there
        if bad:
            found.append(f"{name}: {element.get('id')} is {', '.join(bad)}")
    if _running_on(view, "haproxy") != sorted(BALANCERS):
        found.append(f"{name} sees haproxy on: {_running_on(view, 'haproxy')}")
    return found
