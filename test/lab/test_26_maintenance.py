"""Maintenance that is announced: the address leaves the load balancer before it, and does not come back by itself."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

import pytest
import yaml

from lab import audit, formula, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import APP_SERVERS, BALANCERS, HOSTS
from lab.watch import watch
from support import REPOSITORY

ATTRIBUTE = "haproxy_ha-maintenance"
SAID = "/run/said"
PAGE = (REPOSITORY / "docs" / "operate.md").read_text(encoding="utf-8")
[PILLAR] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "maintenance:" in text]
EXAMPLE = yaml.safe_load(PILLAR)["haproxy_ha"]["cluster"]["maintenance"]
SEEN = 60.0  # seconds: two looks of the watcher, and what lies between them
UNMOVED = 50.0


def announce(*hosts: str) -> None:
    for host in hosts:
        control.fault(str(CONTROL), "maintenance", droplet_id=HOSTS[host].droplet_id)


@contextlib.contextmanager
def announced(*hosts: str) -> Iterator[None]:
    """Until the end of it, and until that is known."""
    announce(*hosts)
    try:
        yield
    finally:
        control.clear(str(CONTROL))
    wait_for("the end to be known", lambda: not audit.attribute(ATTRIBUTE), 30)


def moved_to(host: str) -> bool:
    return audit.cloud_owner() == host and audit.active() == host


def leaves(active: str) -> str:
    """Waits until the address is at the other one."""
    other = audit.passive_of(active)
    wait_for(f"the address at {other}", lambda: moved_to(other), SEEN)
    return other


def stays(active: str) -> None:
    begin = time.monotonic()
    wait_for("the watchers to have looked", lambda: time.monotonic() - begin > UNMOVED, UNMOVED + 1)
    assert moved_to(active)


def test_the_address_is_handed_over_before_a_live_migration(active):
    with watch("a live migration of the active announced, and over") as seen:
        with announced(active):
            other = leaves(active)
            [note] = salt.call("haproxy_ha.status", target=other)[other]["notes"]
            assert note.startswith(f"maintenance of {active} is announced (live_migrate): ")
            refused = salt.call("haproxy_ha.failover", target=other)[other]
            assert f"no other node runs HAProxy: the floating IP stays on {other}" in refused
        assert audit.settle(60) == other
    assert (seen.lost, len(seen.moves)) == ([], 1)
    assert seen.longest_gap <= 0.3


@pytest.mark.slow
def test_where_both_are_announced_nothing_moves(active):
    with watch("a live migration of both announced") as seen:
        with announced(active, audit.passive_of(active)):
            stays(active)
        assert audit.settle(60) == active
    assert (seen.failed, seen.moves) == ([], [])


@pytest.mark.slow
def test_there_is_nowhere_to_go_while_the_other_one_is_in_standby(active):
    other = audit.passive_of(active)
    with watch("a live migration of the active announced, the other one in standby") as seen:
        machine(active).run("crm", "node", "standby", other)
        with announced(active):
            stays(active)
            machine(active).run("crm_standby", "--node", other, "--delete")
            leaves(active)
        assert audit.settle(60) == other
    assert (seen.lost, len(seen.moves)) == ([], 1)


@pytest.mark.slow
def test_one_that_reaches_less_does_not_get_it(active):
    """One that has lost its servers."""
    other = audit.passive_of(active)
    routes = [["blackhole", HOSTS[name].private] for name in APP_SERVERS]
    for route in routes:
        machine(other).run("ip", "route", "add", *route)
    try:
        wait_for("it to be told", lambda: (audit.attribute("haproxy_ha-reach") or {}).get(other) == "1000", 60)
        what = "a live migration of the active announced, the other one without servers"
        with watch(what) as seen, announced(active):
            stays(active)
        assert (seen.failed, seen.moves) == ([], [])
    finally:
        for route in routes:
            machine(other).run("ip", "route", "del", *route)
    audit.settle(90)


@pytest.mark.slow
def test_a_silent_metadata_service_says_nothing(active):
    control.fault(str(CONTROL), "hang", service="metadata", path="maintenance_event")
    with watch("the metadata service silent at an announcement") as seen, announced(active):
        stays(active)
    assert (seen.failed, seen.moves) == ([], [])


@pytest.mark.slow
def test_a_watcher_that_was_killed_leaves_no_mark(active):
    with announced(active):
        other = leaves(active)
        machine(active).run("systemctl", "stop", "haproxy_ha-watch")
        control.clear(str(CONTROL))
        machine(active).run("systemctl", "start", "haproxy_ha-watch")
    assert audit.settle(60) == other


@pytest.fixture(scope="module")
def told(first_run) -> dict:
    """The document's example: its program says what a file holds."""
    formula.set_pillar(cluster={"maintenance": EXAMPLE})
    for host in BALANCERS:
        machine(host).write(EXAMPLE["command"][0], f"#!/bin/sh\ntest ! -e {SAID} || cat {SAID}\n", 0o755)
    formula.apply()
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    return EXAMPLE


@pytest.mark.slow
@pytest.mark.parametrize("place", [EXAMPLE["file"], SAID])
def test_another_cloud_tells_by_a_file_or_a_command(told, active, place):
    machine(active).run("sh", "-c", f"echo reboot > {place}")
    other = leaves(active)
    assert audit.attribute(ATTRIBUTE) == {active: "reboot"}
    machine(active).run("rm", place)
    wait_for("the end to be known", lambda: not audit.attribute(ATTRIBUTE), 30)
    assert audit.settle(60) == other
