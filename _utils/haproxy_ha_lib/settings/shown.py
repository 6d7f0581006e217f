"""The settings as people may see them."""

from __future__ import annotations

from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib.hidden import hide


def without_secrets(settings: Tree) -> Tree:
    """
    Return the settings without what is secret though the schema cannot know it: in raw lines of HAProxy and nginx,
    wherever they stand, and in parameters of agents.

    settings
        As ``Minion.shown_settings`` returns them (dict).
    """
    shown: Tree = fileset.masked_data(settings)
    for key in ("floating_ip", "floating_ips", "cluster"):
        hide(shown.get(key), fileset.HIDDEN)
    return shown
