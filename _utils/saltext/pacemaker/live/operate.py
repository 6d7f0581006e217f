"""
What operators do with a running cluster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from saltext.pacemaker.cib import plan as plans
from saltext.pacemaker.cib.document import Document
from saltext.pacemaker.cib.kinds import RESOURCE_SECTIONS
from saltext.pacemaker.errors import Failed, Invalid, NoEnd
from saltext.pacemaker.live import reading
from saltext.pacemaker.live.machine import Machine, failed
from saltext.pacemaker.live.waiting import POLL_SECONDS, settle
from saltext.pacemaker.status import history
from saltext.pacemaker.types import Data


def set_standby(machine: Machine, node: str | None, wanted: bool, timeout: float) -> bool:
    """Put a node into standby, or out of it; whether that changed something."""
    node = node or reading.node_name(machine)
    if _find_node(machine, node)["standby"] == wanted:
        return False
    change = ["--update", "on"] if wanted else ["--delete"]
    attribute = ("crm_attribute", "--node", node, "--name", "standby", "--lifetime", "forever")
    machine.do(f"The node {node}", *attribute, *change)
    _await_idle(machine, timeout)
    if reading.status(machine)["nodes"][node]["standby"] != wanted:
        raise Failed(f"The node {node} is {'not' if wanted else 'still'} in standby")
    return True


def _find_node(machine: Machine, name: str) -> Data:
    nodes: dict[str, Data] = reading.status(machine)["nodes"]
    if name not in nodes:
        raise Invalid(f"The cluster has no node {name}; it has {', '.join(sorted(nodes)) or 'none'}")
    return nodes[name]


def _find_resource(machine: Machine, name: str) -> Document:
    """The CIB, in which there is a resource of this name."""
    document = reading.document(reading.text(machine))
    known = {key[1] for key in document.objects if key[0] in RESOURCE_SECTIONS}
    if name not in known:
        raise Invalid(f"The cluster has no resource {name}; it has {', '.join(sorted(known)) or 'none'}")
    return document


def _await_idle(machine: Machine, timeout: float) -> None:
    """Wait until the cluster is idle; Failed if it is not in time."""
    pending = settle(machine, names=[], timeout=timeout)["pending"]
    if pending:
        raise Failed(f"After {timeout} s the cluster still has to {', '.join(pending)}")


def move(machine: Machine, resource: str, node: str, timeout: float) -> bool:
    """Move a resource to a node and keep it there; whether that changed something."""
    _find_node(machine, node)
    preferred = _find_resource(machine, resource).objects.get(("locations", f"cli-prefer-{resource}"))
    changed = preferred is None or preferred.get("node") != node
    if changed:
        command = ("crm_resource", "--resource", resource, "--move", "--node", node)
        machine.do(f"The resource {resource}", *command)
    _await_idle(machine, timeout)
    where = _running_on(machine, resource)
    if node not in where:
        raise Failed(f"{resource} does not run on {node}; it runs on {', '.join(where) or 'no node'}")
    return changed


def _running_on(machine: Machine, resource: str) -> list[str]:
    return sorted(
        {
            node
            for name, one in reading.status(machine)["resources"].items()
            if resource in (name, *one["in"])
            for node in one["nodes"]
            if one["active"]
        }
    )


def clear(machine: Machine, resource: str, timeout: float) -> bool:
    """Forget where a resource was moved to, or banned from; whether there was something to forget."""
    document = _find_resource(machine, resource)
    made = [
        name
        for section, name in document.objects
        if section == "locations"
        and name.startswith(("cli-prefer-", "cli-ban-"))
        and document.data((section, name)).get("resource") == resource
    ]
    if not made:
        return False
    machine.do(f"The resource {resource}", "crm_resource", "--resource", resource, "--clear")
    _await_idle(machine, timeout)
    return True


def cleanup(machine: Machine, resource: str | None, node: str | None, timeout: float) -> bool:
    """Forget failures, those of probes too; whether there were any."""
    if node is not None:
        _find_node(machine, node)
    if resource is not None:
        _find_resource(machine, resource)
    failures, probes = _failures(machine, resource, node)
    if failures:
        command = ["crm_resource", "--cleanup"]
        command += ["--resource", resource] if resource else []
        command += ["--node", node] if node else []
        machine.do("The failures", *command)
    for name, place in probes:  # --cleanup does not forget these
        machine.do("The failed probes", "crm_resource", "--refresh", "--resource", name, "--node", place)
    if probes:  # simulate does not show that they are to be repeated
        with contextlib.suppress(NoEnd):
            machine.run("crm_resource", "--wait", f"--timeout={max(1, int(timeout))}s", timeout=timeout + 5)
    if failures or probes:
        _await_idle(machine, timeout)
    return bool(failures or probes)


def _failures(
    machine: Machine, resource: str | None, node: str | None
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """[(resource, node)] of failures recorded for a resource (or any) on a node (or any), and the same of probes."""
    now, root = reading.status(machine), reading.document(reading.text(machine)).root
    inside = {name for name, one in now["resources"].items() if resource in (None, name, *one["in"])}
    recorded = {(one["resource"].split(":")[0], one["node"]) for one in now["failures"]}
    recorded |= set(history.fail_counts(root))

    def meant(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return sorted(key for key in found if (resource is None or key[0] in inside) and node in (None, key[1]))

    return meant(recorded), meant(history.failed_probes(root))


_FORGETTING_SECONDS = 15


def forget(machine: Machine, node: str) -> bool:
    """
    Let the cluster, and this machine's controller, forget a node; whether it was known. crm_node does not wait for the
    controller, which may not hear it, and brings back as lost what it remembers (seen with Pacemaker 2.1.5).
    """
    deadline, known = machine.monotonic() + _FORGETTING_SECONDS, False
    while _is_known(machine, node):
        code, _, _ = machine.run("crm_node", "--force", "--remove", node)
        if machine.monotonic() >= deadline:
            raise failed(f"Forgetting {node}", code)
        machine.sleep(POLL_SECONDS)
        known = True
    return known


def _is_known(machine: Machine, node: str) -> bool:
    return node in reading.status(machine)["nodes"] or node in reading.remembered(machine)


def set_maintenance(machine: Machine, enabled: Any, node: str | None, timeout: float) -> bool:
    """Let the cluster leave everything (or one node) alone, or end that; whether that changed something."""
    if node is None:
        command = ["crm_attribute", "--type", "crm_config", "--name", "maintenance-mode"]
        now = plans.flag(reading.document(reading.text(machine)), "maintenance-mode") is True
    else:
        command = ["crm_attribute", "--node", node, "--name", "maintenance", "--lifetime", "forever"]
        now = _find_node(machine, node)["maintenance"]
    if now == bool(enabled):
        return False
    machine.do("Maintenance", *command, *(["--update", "true"] if enabled else ["--delete"]))
    if not enabled:
        _await_idle(machine, timeout)
    return True
