"""Maintenance of this machine that its cloud announces: meanwhile the address is better somewhere else.

DigitalOcean tells at least ten minutes ahead of a live migration, Google a minute. What is announced is a transient
attribute of the node, for people and for the other watchers; whether the address is to go because of it, `counts` says:
not where all that are there are announced, for then each is as good as the other.
"""

import json
import re
import time

import agent
import cluster
from droplet import fetch

ATTRIBUTE = "haproxy_ha-maintenance"  # as _utils/haproxy_ha_lib/cluster/objects.py has it
PATH = "/etc/haproxy_ha/maintenance.json"
LOOK = 15.0  # seconds between two looks
# Nodes do not look at the same moment: what is announced to all is known to all before anything moves.
SETTLED = 20.0
SILENT = 1800.0  # seconds for which the last word counts while nobody says anything
ANSWER, COMMAND, CLUSTER = 1.0, 10.0, 3.0  # seconds
NONE = ("", "NONE", "[]")  # DigitalOcean's, Google's, Amazon's
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class Sources:
    """Who is asked: all that the file at a path names.

    Args:
        path (str): JSON: `url`, `file`, `command`.
    """

    def __init__(self, path=PATH):
        try:
            given = json.loads(agent.read_file(path) or "{}")
        except ValueError:
            given = {}
            agent.log(f"{path}: is no JSON: maintenance that is announced is not seen")
        self._asked = [ask for name, ask in _KINDS.items() if given.get(name)]
        self._given, self._silence = given, ""

    def __bool__(self):
        return bool(self._asked)

    def word(self):
        """What is announced, "" for nothing; None where nobody says anything."""
        found = [self._ask(ask) for ask in self._asked]
        return next(filter(None, found), "" if "" in found else None)

    def _ask(self, ask):
        """What one says; why it says nothing is told once."""
        try:
            return ask(self._given)
        except agent.Failure as failure:
            if failure.reason != self._silence:
                self._silence = failure.reason
                agent.log(failure.reason)
            return None


def _ask_service(given):
    host, _, target = given["url"].removeprefix("http://").partition("/")
    status, body = fetch(host, f"/{target}", ANSWER)
    return shown(body) if status == 200 else None


def _look_at_file(given):
    import os

    if not os.path.lexists(given["file"]):
        return ""
    return shown(agent.read_file(given["file"]) or "") or "announced"


def _run(given):
    return shown(agent.run(given["command"], COMMAND).stdout)


_KINDS = {"url": _ask_service, "file": _look_at_file, "command": _run}


def shown(text):
    """The first word of an answer as an attribute may have it; "" where it announces nothing."""
    first = (text.split() or [""])[0]
    if first in NONE:
        return ""
    found = _WORD.match(first)
    return found.group() if found else "announced"


class Announced:
    """Whether maintenance is announced here, and whether the address is to go because of it.

    Args:
        sources (Sources): Who is asked.
    """

    def __init__(self, sources):
        self._sources = sources
        self.counts = False
        self._word, self._heard, self._since = None, 0.0, 0.0

    def look(self, now):
        """Looks once; what the cluster does not take is told at the next look. `now`: monotonic seconds."""
        word = self._sources.word()
        if word is None:
            word = self._word if self._word and now - self._heard < SILENT else ""
        else:
            self._heard = now
        if word and not self._word:
            self._since = now
        if word != (self._word or ""):
            agent.log(f"maintenance is announced: {word}" if word else "no maintenance is announced")
        if not self._tell(word):
            return
        self._word = word
        self.counts = bool(word) and now - self._since >= SETTLED and self._another_can()

    def _tell(self, word):
        """The cluster forgets what it was told when Pacemaker restarts: while it is so, it is told at each look."""
        if not word and self._word == "":
            return True
        return cluster.change_attribute(ATTRIBUTE, f"--update={word}" if word else "--delete", CLUSTER)

    def _another_can(self):
        """Whether to one that is there nothing is announced; as before while the cluster does not tell."""
        try:
            there = {name for name, state in cluster.members(CLUSTER) if state == "member"}
        except agent.Failure as failure:
            agent.log(failure.reason)
            return self.counts
        announced = cluster.nodes_with(ATTRIBUTE, CLUSTER)
        return self.counts if announced is None else bool(there - set(announced))


def attend(watched, announced):
    """Looks for ever, while a monitor looks after HAProxy."""
    while True:
        try:
            if watched.environment():
                announced.look(time.monotonic())
        except Exception as error:  # noqa: BLE001 - a slip of ours must not end it
            agent.log(f"unexpected {type(error).__name__}: {error} (a defect of the watcher: please report it)")
        time.sleep(LOOK)
