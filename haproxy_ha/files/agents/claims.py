"""What a node remembers of an address, in a directory that a reboot empties: its claim, losses of it, a takeover."""

import os
import time

import agent
from agent import Failure

LONGEST_HOLD_OFF = 600.0
TAKEOVER = "-takeover"  # how the names of files end that stand for one
# Doublings of the pause beyond which it is the longest one anyway.
MOST_LOSSES = 20


class Claim:
    """That this node holds the address, and what was last known about it."""

    def __init__(self, env):
        self._env = env
        self._path = state_path(env)

    def read(self):
        """The fields of the claim; None without one."""
        text = None if os.path.isdir(self._path) else agent.read_file(self._path)
        if text is None:
            return None
        return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)

    @property
    def stands_by(self):
        """Whether the resource is started here while the address is somebody else's."""
        return "stands" in (self.read() or {})

    def write(self, address, checked):
        """Remembers that the address is here, and when that was last confirmed (seconds of the monotonic clock)."""
        self._no_longer_stand_by()
        agent.replace_file(self._path, claimed(address, checked))

    def stand_by(self, address):
        """Remembers that; and that this node gives way as soon as the cluster is whole again."""
        import undone

        agent.replace_file(self._path, f"address {address}\nstands by\n")
        undone.forget(self._env, self._env["handover_attribute"])
        mark(self._env, "handover_attribute", "--update=1")

    def remember_standing(self, address, more=""):
        """Remembers with it since when the cluster is whole again, or that it is not."""
        try:
            agent.replace_file(self._path, f"address {address}\nstands by\n{more}")
        except Failure as failure:
            agent.log(failure.reason)  # the old claim stays

    def _no_longer_stand_by(self):
        if self.stands_by:
            import undone

            undone.take_away(self._env, self._env["handover_attribute"], min(3.0, self._env.left))

    def probe_writable(self, address):
        """Raises before the address is moved, rather than after it."""
        if os.path.isdir(self._path):
            remove(self._path)
        path = f"{self._path}.new"
        agent.replace_file(path, claimed(address, 0.0))  # a full disk takes an empty file
        agent.remove_file(path)

    def release(self):
        """Gives the claim up, whatever is there in its place."""
        self._no_longer_stand_by()
        if os.path.lexists(self._path) and not remove(self._path):
            # A stop must not fail: that would leave the address to nobody, or cost this node its power. Should this
            # claim be found by a probe, the API is asked who owns the address.
            agent.log(f"cannot remove {self._path}: the claim on the address stays")


class Losses:
    """How often another machine took the address in this partition, and when it last did."""

    def __init__(self, env):
        self._path = state_path(env, "-lost")

    def read(self):
        """(count, monotonic seconds of the last); (0, 0) without any in the last half hour."""
        try:
            count, moment = (agent.read_file(self._path) or "").split()
            count, moment = int(count), float(moment)
        except ValueError:
            return 0, 0.0
        passed = seconds_since(moment)
        if count < 1 or passed is None or passed >= 3 * LONGEST_HOLD_OFF:
            return 0, 0.0
        return min(count, MOST_LOSSES), moment

    def add(self):
        """Remembers another one."""
        try:
            agent.replace_file(self._path, f"{self.read()[0] + 1} {time.monotonic():.3f}\n")
        except Failure:
            return  # the pause is shorter then

    def forget(self):
        """Begins anew."""
        remove(self._path)


class Takeover:
    """That this node took the address from one that was lost, and which may claim it still when it is back.

    Pacemaker then finds the resource started twice, does not know which of the two the address is routed to, and
    may stop the right one. It is told by a node attribute, until it has decided.
    """

    def __init__(self, env):
        self._env = env
        self._path = state_path(env, TAKEOVER)

    @property
    def is_ours(self):
        """Whether this node is the one that took it."""
        return os.path.exists(self._path)

    def begin(self):
        """Tells the cluster. Of three and more another node may have told so before, and counts no more."""
        import undone

        self._end_on_all()
        self._remember("")
        undone.forget(self._env, self._env["takeover_attribute"])
        mark(self._env, "takeover_attribute", "--update=1")

    def end_everywhere(self):
        """The address is here by the decision of a whole cluster: no node's takeover counts any more."""
        mine = not os.path.exists(self._path) or mark(self._env, "takeover_attribute", "--delete")
        if self._end_on_all() and mine:
            import undone

            remove(self._path)
            undone.forget(self._env, self._env["takeover_attribute"])
        elif not os.path.exists(self._path):
            self._remember("")  # tried again: it would draw the address there for ever

    def _end_on_all(self):
        """Tells whether no node has a takeover any more."""
        import cluster

        name = self._env["takeover_attribute"]
        nodes = cluster.nodes_with(name, min(3.0, self._env.left))
        ended = [cluster.change_attribute(name, "--delete", min(3.0, self._env.left), node) for node in nodes or ()]
        return nodes is not None and all(ended)

    def give_up(self):
        """The address leaves this node: HAProxy's monitor ends what whoever gets it cannot, as in another partition."""
        if not self.is_ours:
            return
        import undone

        try:
            agent.replace_file(undone.path_of(self._env.state_directory, self._env["takeover_attribute"]), "")
        except Failure as failure:
            agent.log(failure.reason)
            return
        remove(self._path)

    def end_when_settled(self):
        """To be called again and again: the cluster must have been whole for a while."""
        text = agent.read_file(self._path)
        if text is None:
            return
        import partition

        since = text.partition(" ")[2]
        if partition.is_incomplete(partition.states(self._env)):
            if since:
                self._remember("")
        elif (whole := seconds_since(since)) is None:
            self._remember(f"{time.monotonic():.3f}")
        elif whole >= partition.WHOLE_FOR:
            # One that stood still has its own from before, and would draw the address there.
            self.end_everywhere()

    def _remember(self, since):
        """The attribute, for the resident watcher (disowned), and since when the cluster is whole."""
        try:
            agent.replace_file(self._path, f"{self._env['takeover_attribute']} {since}")
        except Failure:
            return  # the attribute is what counts


def claimed(address, checked):
    """The text of a claim."""
    return f"address {address}\nchecked {checked:.3f}\n"


def mark(env, attribute, change):
    """Changes a transient attribute of this node, whose name is a parameter; tells whether that was done.

    Where it was not, the address may move once more at the end of the partition, and that is all.
    """
    import cluster

    return cluster.change_attribute(env[attribute], change, min(3.0, env.left))


def state_path(env, of=""):
    """Where something about a resource's address is remembered."""
    return os.path.join(env.state_directory, f"haproxy_ha-floatip-{env.instance}{of}")


def remove(path):
    """Removes whatever is at a path; tells whether it is gone."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil

        shutil.rmtree(path, ignore_errors=True)
        return not os.path.lexists(path)
    return agent.remove_file(path)


def seconds_since(moment):
    """Seconds since a remembered moment of the monotonic clock; None for what is none, or lies ahead."""
    try:
        passed = time.monotonic() - float(moment)
    except ValueError:
        return None
    return passed if passed > -0.01 else None  # what was remembered is rounded
