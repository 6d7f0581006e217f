"""A transient node attribute that the resident watcher sets, without waiting for the program that does it."""

import subprocess

import agent

# How often an unchanged value is told again: the cluster forgets it when Pacemaker restarts, and others may err.
REFRESH = 60.0
AGAIN = 2.0  # seconds after one that was in vain
LONGEST = 5.0  # seconds for the program


class Told:
    """What the cluster knows of one attribute."""

    def __init__(self, name):
        self._name = name
        self._value, self._moment = None, 0.0  # what was told last, and when that is to be repeated
        self._program, self._began, self._telling = None, 0.0, None

    def tell(self, now, value, delay):
        """Has the cluster know a value; nothing where it does, or is just told another one.

        Args:
            now (float): Monotonic seconds.
            value (str): The attribute's.
            delay (str): For how long the cluster waits for what other nodes tell.
        """
        if self._is_busy(now) or now < self._moment and value == self._value:
            return
        self._telling, self._began, self._moment = value, now, now + AGAIN
        self._program = begin(f"--name={self._name}", f"--update-both={value}", f"--delay={delay}")

    def _is_busy(self, now):
        """Whether the program still runs; takes note of how it ended."""
        if not self._program:
            return False
        code = self._program.poll()
        if code is None:
            if now - self._began > LONGEST:
                self._program.kill()
            return True
        if code == 0:
            self._value, self._moment = self._telling, now + REFRESH
        self._program = None
        return False


def begin(*change):
    """Starts attrd_updater, without waiting for it; None where it cannot be started."""
    try:
        return subprocess.Popen(
            ["attrd_updater", *change], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": agent.PATH, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError as error:
        agent.log(f"attrd_updater: {error.strerror}")
        return None
