"""The modules on a cluster that is a file: Pacemaker's own cibadmin, crm_mon and scheduler work on it, and where a real
cluster would carry out the scheduler's actions, crm_simulate does."""

import contextlib
import subprocess
import time
from pathlib import Path

import pytest

from _modules import pacemaker as execution
from _states import pacemaker as states
from saltext.pacemaker.live import machine


class Cluster(machine.Machine):
    """A machine whose cluster is a CIB in a file, and the two modules on it, wired to each other."""

    def __init__(self, path):
        self.path = path
        self.module, self.states = execution, states
        self.commands = []
        self.before_patch = []

    def start(self, command, stdin=None):
        self.commands.append(command)
        if command[0] == "crm_diff" and self.before_patch:
            self.before_patch.pop()()
        return super().start(("env", f"CIB_file={self.path}", *command), stdin)

    def sleep(self, seconds=0.0):
        """Do what the scheduler wants done, while the engine waits."""
        command = ("crm_simulate", "-Q", "--in-place", "--xml-file", self.path)
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        time.sleep(seconds)

    def count(self, name):
        """How often a command was started."""
        return [command[0] for command in self.commands].count(name)

    def text(self):
        return Path(self.path).read_text(encoding="utf-8")

    def test(self, enabled=True):
        self.states.__opts__ = {"test": enabled}


@contextlib.contextmanager
def machine_of(path):
    """The engine, and the modules, on a saved CIB as if it were a live one."""
    with pytest.MonkeyPatch.context() as patch:
        cluster = Cluster(str(path))
        patch.setattr(machine, "HERE", cluster)
        functions = {f"pacemaker.{name}": getattr(execution, name) for name in dir(execution)}
        patch.setattr(states, "__salt__", functions, raising=False)
        patch.setattr(states, "__opts__", {"test": False}, raising=False)
        yield cluster
