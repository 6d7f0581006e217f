"""A node that the cluster has again, and well, before its power was taken.

Pacemaker's fencer takes no request back: one that waits for `priority-fencing-delay` is carried out when that is over,
whatever became of the node (start_delay_helper in fenced_commands.c; seen with 2.1.5).
"""

import time
from collections import namedtuple

import cluster
from agent import Failure

ANSWER = 3.0  # seconds
JOINING = 5.0  # seconds for which a node that Corosync has may be on its way to Pacemaker's membership
LOOK = 0.5  # seconds between two looks
CLUSTER = "pacemaker-controld"  # asks for the cluster itself; an operator's request comes of `stonith_admin`

Limit = namedtuple("Limit", "left")


def need_not_be_fenced(name):
    """Whether the cluster asked for a node's power, and would not now. Unknown is no.

    Args:
        name (str): The node, as the cluster calls it.
    """
    deadline = time.monotonic() + JOINING
    try:
        while (name, "member") in cluster.members(ANSWER):
            _, view = cluster.ask(Limit(ANSWER))
            node = next((one for one in view.findall("nodes/node") if one.get("name") == name), None)
            if node is None or node.get("unclean") != "false" or not _asked_by_cluster(view, name):
                return False
            if node.get("pending") == "false":
                return node.get("online") == "true"
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK)
    except Failure:
        return False
    return False


def _asked_by_cluster(view, name):
    """Whether what is to be fenced is so by the cluster's own word, and by nobody else's."""
    asked = [one.get("client", "") for one in view.findall("fence_history/fence_event")
             if one.get("target") == name and one.get("status") == "pending"]  # fmt: skip
    return bool(asked) and all(client.partition(".")[0] == CLUSTER for client in asked)
