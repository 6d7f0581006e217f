"""
The parameters of an agent: what its metadata names, and what everybody who runs it takes besides.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection

from saltext.pacemaker.types import Element
from saltext.pacemaker.words import did_you_mean

# For every OCF agent: the tracing of resource-agents' shell library (ocf-shellfuncs, `crm resource trace`), and what
# the executor hands over as it is (OCF resource agent API, "OCF_CHECK_LEVEL").
_OF_OCF = ("trace_ra", "trace_file", "OCF_CHECK_LEVEL")
# For every fence device (pacemaker-fenced(7)); priority, provides and stonith-timeout are those of older releases.
_ACTIONS = ("reboot", "off", "on", "list", "monitor", "status", "metadata")
_OF_FENCING = (
    "pcmk_host_argument", "pcmk_host_map", "pcmk_host_list", "pcmk_host_check", "pcmk_delay_max", "pcmk_delay_base",
    "pcmk_action_limit", "pcmk_arg_map", "priority", "provides", "stonith-timeout",
    *(f"pcmk_{action}_{what}" for action in _ACTIONS for what in ("action", "timeout", "retries", "cmd")),
)  # fmt: skip
# What Pacemaker hands to every agent by itself; it may be found in a saved configuration.
_BY_PACEMAKER = re.compile(r"CRM_meta_\w+|crm_feature_set")


def problems(agent: str, metadata: str, params: Collection[str], template: bool = False) -> list[str]:
    """
    What is wrong with the params of a primitive, by its agent's metadata (XML): unknown and missing names, as texts.

    A template may leave required params to the primitives that use it. Agents of the other classes (systemd, service,
    lsb, nagios, upstart) are not judged: what they take is nowhere described, or no metadata says all of it.
    """
    kind = agent.split(":")[0]
    if kind not in ("ocf", "stonith"):
        return []
    try:
        root = ET.fromstring(metadata[metadata.index("<") :])
    except (ET.ParseError, ValueError):
        return [f"the metadata of the agent {agent} cannot be read"]
    described = {one.get("name"): one for one in root.iter("parameter")}
    known = {*described, *(_OF_OCF if kind == "ocf" else _OF_FENCING)}
    found = [
        f"the agent {agent} has no parameter {name}{did_you_mean(name, sorted(known))}"
        for name in sorted(params)
        if name not in known and not _BY_PACEMAKER.fullmatch(name)
    ]
    return found + [
        f"the agent {agent} needs the parameter {name}"
        for name, one in described.items()
        if not template and _is_needed(one) and {name, one.get("deprecated"), one.get("obsoletes")}.isdisjoint(params)
    ]


def _is_needed(parameter: Element) -> bool:
    content = parameter.find("content")
    default = content.get("default") if content is not None else None
    return parameter.get("required") in ("1", "true") and not default
