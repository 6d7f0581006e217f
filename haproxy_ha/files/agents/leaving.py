"""Addresses that stay on an interface for a while after their stop: clients come here until they have moved.

A cloud sends them to the machine that it knows, and the next one gets them only when this one's stop has ended. On a
LAN neighbours do, and hear nothing meanwhile of this machine (rules.SILENCE). What stays is taken off by HAProxy's
monitor, which runs on every node that does anything, by its stop, or by the next start.
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

SILENT = " silent"
STAYS = 10.0  # seconds: the start elsewhere is over
PATIENCE, STEP = 1.0, 0.01  # seconds for another process that is at it, which takes a few milliseconds


def let_stay(env, addresses, silent=False):
    """Leaves addresses where they are, for a while.

    Args:
        silent (bool): Neighbours hear nothing of this machine's.

    Raises:
        Failure: One cannot stay, and cannot be taken off.
    """
    here = [address for address in addresses if local.is_here(address)]
    try:
        if silent and here:
            import rules

            rules.begin(env, rules.SILENCE, here)
        with _alone(env):
            for address in here:
                agent.replace_file(_path(env, address), f"{time.monotonic():.3f}{SILENT if silent else ''}\n")
    except (Failure, OSError) as error:
        agent.log(f"{', '.join(here)}: off the interface at once: {error}")  # nobody would take it off later
        for address in here:
            local.remove(address)


def stays(env, address):
    """Whether it is here for no longer than that."""
    return os.path.exists(_path(env, address))


def forget(env, address):
    """The address is meant again, or taken off by who asks for this: before, so that nobody takes it off later."""
    if stays(env, address):
        with _alone(env):
            _forget(env, address)


def take_off(env, addresses, at_once):
    """Takes off those of some addresses whose time is over, or all of them."""
    for address in addresses:
        try:
            with _alone(env):
                _take_off(env, address, at_once)
        except (Failure, OSError) as error:
            agent.log(f"{address} stays on an interface: {error}")  # tried again


def _take_off(env, address, at_once):
    age = seconds_since((agent.read_file(_path(env, address)) or "").strip().removesuffix(SILENT))
    if stays(env, address) and (at_once or age is None or age >= STAYS):
        local.remove(address)
        _forget(env, address)


def _forget(env, address):
    """In this order: one that is meant again must not be silent."""
    if (agent.read_file(_path(env, address)) or "").strip().endswith(SILENT):
        import rules

        rules.end(env, rules.SILENCE, [address])
    agent.remove_file(_path(env, address))


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
