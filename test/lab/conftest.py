"""The lab for its tests: one lab, brought to the formula's state once, in the order a user would do it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from lab import audit, lab, network, salt, snapshot
from lab.machine import machine
from lab.shell import LabError
from lab.topology import BALANCERS

pytest.register_assert_rewrite(*(f"lab.scenes.{name}" for name in ("before", "first_hour", "operating", "pages")))

ANSWERED = re.compile(r' haproxy\[\d+\]: .* 200 \d+ .*"GET ')


def pytest_collection_modifyitems(items):
    """Tests of the one lab come first, in their order: others replace it, and take it down."""
    items.sort(key=lambda item: "hosts" not in item.fixturenames)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure comes what both balancers have logged meanwhile: it may not happen again for a hundred runs."""
    report = (yield).get_result()
    if report.failed and network.is_up():
        for name in BALANCERS:
            report.sections.append((f"journal of {name}", _journal(name, call.start)))


def _journal(name: str, since: float) -> str:
    """What a balancer has logged since then, without the requests that were answered."""
    since_then = f"--since=@{int(since)}"
    argv = ["journalctl", since_then, "--output=short-precise", "--no-hostname", "--no-pager"]
    try:
        said = machine(name).run(*argv, timeout=20).stdout.splitlines()
        return "\n".join([line for line in said if not ANSWERED.search(line)][-200:])
    except LabError as error:
        return str(error)


@dataclass
class FirstRun:
    """What the first runs on bare hosts returned and wrote."""

    unsynced: dict
    unsynced_writes: list[str]
    preview: dict
    preview_writes: list[str]
    live: dict
    second: dict
    after: dict
    after_writes: list[str]


@pytest.fixture(scope="session")
def hosts():
    """Bare hosts."""
    lab.up()
    yield
    lab.down()


@pytest.fixture(scope="session")
def first_run(hosts) -> FirstRun:
    """A run without the modules; then preview, first run, second run, preview: on all minions at the same moment."""
    bare = snapshot.take()
    unsynced = salt.call("state.apply", "haproxy_ha")
    unsynced_writes = snapshot.difference(bare, snapshot.take())
    salt.sync()
    preview = salt.call("state.apply", "haproxy_ha", "test=True")
    preview_writes = snapshot.difference(bare, snapshot.take())
    live = salt.call("state.apply", "haproxy_ha")
    second = salt.call("state.apply", "haproxy_ha")
    converged = snapshot.take(idle=True)
    after = salt.call("state.apply", "haproxy_ha", "test=True")
    after_writes = snapshot.difference(converged, snapshot.take(idle=True))
    return FirstRun(unsynced, unsynced_writes, preview, preview_writes, live, second, after, after_writes)


@pytest.fixture
def active(first_run) -> str:
    """A healthy system; the value is the active balancer."""
    return audit.settle()
