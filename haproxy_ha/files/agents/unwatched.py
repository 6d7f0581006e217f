"""Finds monitors that Pacemaker no longer runs, and has it run them again.

A recurring monitor that has returned 190 (degraded) stays in a resource's history as its last failure, though it has
long returned 0 since. Once Pacemaker has ended its monitors, as in maintenance, it takes that entry for the monitor and
starts none: the resource is looked at no more on that node (2.1.5 and 3.0.0). Without the entry it does.

Run by pacemaker_watch.sh where a monitor that has told of degradation has not come for a while (agent.note_degraded).
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import agent  # noqa: E402
import cluster  # noqa: E402

SPARE = 15.0  # seconds beyond two intervals
PATIENCE = 30.0  # seconds for all of it


class Patience:
    """What the cluster's commands want of an environment."""

    def __init__(self):
        self._deadline = time.monotonic() + PATIENCE

    @property
    def left(self):
        """Seconds until it must have ended."""
        return max(0.1, self._deadline - time.monotonic())


def main(directory):
    """Looks once."""
    names = late(directory, time.monotonic())
    if not names:
        return
    env = Patience()
    try:
        me, view = cluster.ask(env)
        for name in names:
            if is_forgotten(view, me, name):
                agent.log(f"{name}: it was degraded once, and Pacemaker runs its monitor no more: a cleanup begins it")
                agent.run(["crm_resource", "--cleanup", f"--resource={name}", f"--node={me}"], env.left)
    except agent.Failure as failure:
        agent.log(failure.reason)  # tried again


def late(directory, now):
    """The resources whose monitor has not come for longer than two intervals (list)."""
    try:
        found = [one for one in sorted(os.listdir(directory)) if one.startswith(agent.DEGRADED_ONCE)]
    except OSError:
        return []
    texts = {one: agent.read_file(os.path.join(directory, one)) or "" for one in found}
    return [one.removeprefix(agent.DEGRADED_ONCE) for one, text in texts.items() if _is_late(text, now)]


def _is_late(text, now):
    try:
        moment, interval = map(float, text.split())
    except ValueError:
        return False
    return now - moment > 2 * interval + SPARE


def is_forgotten(view, me, name):
    """Whether the cluster looks after a resource on a node, and remembers of its monitor that it was degraded.

    Args:
        view (Element): What crm_mon says.
        me (str): The node.
        name (str): The resource.
    """
    looked_after = any(
        one.get("id", "").partition(":")[0] == name and _is_looked_after(one)
        for one in view.iter("resource") if any(node.get("name") == me for node in one.findall("node"))
    )  # fmt: skip
    remembered = any(
        one.get("node") == me and one.get("exitcode") in ("190", "191")
        for one in view.iter("failure") if one.get("op_key", "").startswith(f"{name}_monitor_")
    )  # fmt: skip
    return looked_after and remembered


def _is_looked_after(one):
    """In maintenance it is not managed either, be it of the cluster, of the node or of itself."""
    states = {"managed": "true", "active": "true", "blocked": "false", "failed": "false"}
    return all(one.get(key) == value for key, value in states.items()) and one.get("maintenance") != "true"


if __name__ == "__main__":
    main(os.environ.get("HA_RSCTMP") or "/run/resource-agents")
