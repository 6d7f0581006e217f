"""Addresses that stay on an interface for a while after their stop: clients are sent here until they have moved.

A cloud sends them to the machine that it knows, and the next one gets them only when this one's stop has ended. What
stays is taken off by HAProxy's monitor, which runs on every node that does anything, by its stop, or by the next start.
"""

import contextlib
import fcntl
import os
import time

import agent
import local
from agent import Failure
from claims import seconds_since
from undone import LEAVING

STAYS = 10.0  # seconds: the start elsewhere is over
PATIENCE, STEP = 1.0, 0.01  # seconds for another process that is at it, which takes a few milliseconds


def let_stay(env, address):
    """Leaves an address where it is, for a while."""
    if not local.is_here(address):
        return
    try:
        with _alone(env):
            agent.replace_file(_path(env, address), f"{time.monotonic():.3f}\n")
    except (Failure, OSError) as error:
        agent.log(f"{address} goes at once: {error}")  # nobody would take it off later
        local.remove(address)


def forget(env, address):
    """The address is meant again, or taken off by who asks for this: before, so that nobody takes it off later."""
    if os.path.exists(_path(env, address)):
        with _alone(env):
            agent.remove_file(_path(env, address))


def take_off(env, addresses, at_once):
    """Takes off those of some addresses whose time is over, or all of them."""
    for address in addresses:
        try:
            with _alone(env):
                _take_off(_path(env, address), address, at_once)
        except (Failure, OSError) as error:
            agent.log(f"{address} stays on an interface: {error}")  # tried again


def _take_off(path, address, at_once):
    age = seconds_since((agent.read_file(path) or "").strip())
    if os.path.exists(path) and (at_once or age is None or age >= STAYS):
        local.remove(address)
        agent.remove_file(path)


@contextlib.contextmanager
def _alone(env):
    """A start and a monitor may be at it at the same moment; who holds the lock for long has died or stands still."""
    deadline = time.monotonic() + PATIENCE
    lock = os.open(env.state_directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(STEP)
        yield
    finally:
        os.close(lock)


def _path(env, address):
    return os.path.join(env.state_directory, f"{LEAVING}{address}")
