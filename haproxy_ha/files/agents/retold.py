"""Takeovers of this machine, told once more soon after the membership has changed.

Who stood still for little longer than a loss takes learns of the others' loss and return at once. Its controller then
takes their transient attributes out of the CIB that all have again (controld_delete_node_state, Pacemaker 2.1.5), and
attrd does not write again what it knows already: the takeover would count no more just as it matters.
"""

import os

import agent
import claims
import cluster
import disowned
import told

# Seconds since the membership was formed: what takes them away comes at 0.1 to 0.2, a decision from 0.3 on.
FIRST, LAST, ONCE_MORE = 0.1, 0.5, 1.0


class Retold:
    """What was told again, and what is to be.

    Args:
        directory (str): Where the agents remember things.
    """

    def __init__(self, directory):
        self._directory = directory
        self._age, self._value, self._told = None, "1", {}

    def look(self):
        """To be called several times a second."""
        before, self._age = self._age, cluster.age()
        self._take_back()
        if self._age is None:
            return
        if FIRST <= self._age < LAST or (before is not None and before < ONCE_MORE <= self._age):
            self._tell()

    @property
    def is_soon(self):
        """Whether the next look is to come sooner than others."""
        return self._age is not None and self._age < LAST

    def _tell(self):
        """With another value: one that is the same is not written."""
        self._value = "2" if self._value == "1" else "1"
        for name, path in disowned.remembered(self._directory):
            if "checked" in (agent.read_file(path.removesuffix(claims.TAKEOVER)) or ""):
                told.begin(f"--name={name}", f"--update={self._value}")
                self._told[name] = path

    def _take_back(self):
        """What has ended at the same moment."""
        for name in [name for name, path in self._told.items() if not os.path.exists(path)]:
            del self._told[name]
            told.begin(f"--name={name}", "--delete")
