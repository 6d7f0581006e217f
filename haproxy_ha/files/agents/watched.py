"""What a monitor of HAProxy hands to the resident watcher: that the cluster looks after it, and by which parameters.

Where no monitor has come for a while, as in maintenance, nothing is watched.
"""

import os
import time

import agent
from systemd_unit import primitive

TIME = 20.0  # seconds for whatever is to be done at once
_LATE = 15.0  # seconds beyond two intervals after which no monitor is to be expected any more


def hand_over(env):
    """Lets the watcher look after HAProxy until the next monitor but one."""
    until = time.monotonic() + 2 * env.interval + _LATE
    values = "".join(f"{parameter.name} {env[parameter.name]}\n" for parameter in env.parameters)
    try:
        agent.replace_file(_path(env.state_directory, primitive(env)), f"until {until:.3f}\n{values}")
    except agent.Failure as failure:
        agent.log(failure.reason)  # it looks after nothing then


def take_back(env):
    """Lets it rest."""
    agent.remove_file(_path(env.state_directory, primitive(env)))


class Watched:
    """What the last monitor has handed over.

    Args:
        resource (str): The primitive.
        directory (str): Where the agents remember things.
    """

    def __init__(self, resource, directory):
        self.resource, self.directory = resource, directory
        self._seen, self._until, self._environment = None, 0.0, None

    def environment(self):
        """What an action of the agent would be given, with time to act; None while nothing is to be watched."""
        path = _path(self.directory, self.resource)
        try:
            seen = os.stat(path)
        except OSError:
            self._seen = None
            return None
        now = time.monotonic()
        if (seen.st_ino, seen.st_mtime_ns) != self._seen:
            self._seen = seen.st_ino, seen.st_mtime_ns
            self._read(agent.read_file(path) or "")
        if now >= self._until:
            return None
        self._environment.deadline = now + TIME
        return self._environment

    def _read(self, text):
        values = {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}
        try:
            self._until = float(values.pop("until", "0"))
        except ValueError:
            self._until = 0.0
        parameters = [agent.Parameter(name, short="", long="") for name in values]
        description = agent.Description(
            name=self.resource, version="", short="", long="", parameters=parameters, actions=[]
        )
        given = {f"OCF_RESKEY_{name}": value for name, value in values.items()}
        given |= {"HA_RSCTMP": self.directory, "OCF_RESOURCE_INSTANCE": self.resource}
        self._environment = agent.Environment(description, given, "watch")


def _path(directory, resource):
    return os.path.join(directory, f"haproxy_ha-{resource}-watched")
