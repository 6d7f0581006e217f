"""Transient attributes of the nodes, as Pacemaker has them."""

from __future__ import annotations

import re

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, units

_ROW = re.compile(r'host="([^"]+)" value="([^"]+)"')


def of_all(name: str) -> dict[str, str]:
    """
    Return what each node has of an attribute (name: value); empty without a cluster, and while it does not answer. One
    that was taken away is listed for a while, as nothing.
    """
    if not commands.program("attrd_updater") or not units.running("pacemaker"):
        return {}
    try:
        code, output = commands.run(["attrd_updater", f"--name={name}", "--query", "--all"], timeout=10)
    except CommandExecutionError:
        return {}
    return {} if code else dict(_ROW.findall(output))
