"""What an agent says of its resource on this machine, asked as the cluster asks it when it looks where that runs: a
process of its own, the system's Python, the resource's parameters (Open Cluster Framework, resource agent API 1.1)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from haproxy_ha_host import commands
from haproxy_ha_lib.cluster import objects
from haproxy_ha_lib.settings.types import Settings

_WELL = {0, 190}
# The agent bounds itself by what it is told, and says why; this is for one that does not.
_TIMEOUT, _LONGEST = 20, 30
_REASON = "ocf-exit-reason:"
_MEANINGS = {1: "failed", 2: "wrong arguments", 4: "not permitted", 5: "not installed", 6: "wrong parameters",
             7: "not running"}  # fmt: skip


@dataclass(frozen=True)
class Agent:
    """
    A resource agent with its resource.

    path
        The agent's program.
    resource
        The resource's id.
    parameters : ``{}``
        Its parameters, by name.
    """

    path: str
    resource: str
    parameters: dict[str, Any] = field(default_factory=dict)


def agent_of(resource: str, settings: Settings) -> Agent | None:
    """A resource of the cluster with its agent, if that is ours (:class:`Agent`); else None."""
    primitive = settings.cluster.configuration.get("primitives", {}).get(resource) or {}
    standard, _, name = str(primitive.get("agent", "")).rpartition(":")
    if standard != f"ocf:{objects.PROVIDER}":
        return None
    path = os.path.join(settings.paths["agents_dir"], name)
    return Agent(path, resource, primitive.get("params") or {})


def complaint(agent: Agent) -> str:
    """
    Why the cluster would take the resource for failed on this machine (str), empty if it would not, or if the agent is
    not installed. Raises CommandExecutionError if it does not answer in time.
    """
    if not os.access(agent.path, os.X_OK):
        return ""
    environment = {
        "OCF_ROOT": "/usr/lib/ocf",
        "OCF_RESOURCE_INSTANCE": agent.resource,
        "OCF_RESKEY_CRM_meta_timeout": str(_TIMEOUT * 1000),
        **{f"OCF_RESKEY_{name}": str(value) for name, value in agent.parameters.items()},
    }
    code, output = commands.run([agent.path, "monitor"], timeout=_LONGEST, env=environment)
    if code in _WELL:
        return ""
    reasons = [line.removeprefix(_REASON) for line in output.splitlines() if line.startswith(_REASON)]
    return "; ".join(reasons) or _MEANINGS.get(code, f"code {code}")
