"""The settings as people may see them."""

from __future__ import annotations

import copy

from haproxy_ha_lib.files import fileset
from haproxy_ha_lib.types import Tree
from saltext.pacemaker.cib.hidden import hide


def without_secrets(settings: Tree) -> Tree:
    """
    Return the settings without what is secret though the schema cannot know it: in raw lines of HAProxy and nginx, and
    in parameters of agents.

    settings
        As ``Minion.shown_settings`` returns them (dict).
    """
    shown = copy.deepcopy(settings)
    for key in ("haproxy", "nginx"):
        shown[key] = fileset.masked_data(shown.get(key))
    for key in ("floating_ip", "cluster"):
        hide(shown.get(key), fileset.HIDDEN)
    return shown
