"""The lab for its tests: one lab, brought to the formula's state once, in the order a user would do it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from lab import audit, lab, salt, snapshot


@dataclass
class FirstRun:
    """What the first runs on bare hosts returned and wrote."""

    preview: dict
    preview_writes: list[str]
    live: dict
    second: dict
    after: dict
    after_writes: list[str]


@pytest.fixture(scope="session")
def hosts():
    """Bare hosts, with the formula's modules synced."""
    lab.up()
    salt.sync()
    yield
    lab.down()


@pytest.fixture(scope="session")
def first_run(hosts) -> FirstRun:
    """Preview, first run, second run, preview again: on every minion at the same moment."""
    bare = snapshot.take()
    preview = salt.call("state.apply", "haproxy_ha", "test=True")
    preview_writes = snapshot.difference(bare, snapshot.take())
    live = salt.call("state.apply", "haproxy_ha")
    second = salt.call("state.apply", "haproxy_ha")
    converged = snapshot.take(idle=True)
    after = salt.call("state.apply", "haproxy_ha", "test=True")
    after_writes = snapshot.difference(converged, snapshot.take(idle=True))
    return FirstRun(preview, preview_writes, live, second, after, after_writes)


@pytest.fixture
def active(first_run) -> str:
    """A healthy system; the value is the active balancer."""
    return audit.settle()
