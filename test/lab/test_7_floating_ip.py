"""The floating IP while a client asks it: planned stops lose no request, cuts move it to where clients are served."""

from __future__ import annotations

import contextlib
import time

import pytest

from lab import audit, network, salt
from lab.cloud import CONTROL
from lab.machine import machine
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import BALANCERS, HOSTS
from lab.traffic import Record, probe

INTERVAL_MS = 10


class Watch(Record):
    """A client's record, and the moves of the address meanwhile."""

    moves: list[dict]

    @property
    def lost(self) -> list[dict]:
        """The failed requests that were not under way at a move."""
        return [
            sample
            for sample in self.failed
            if not any(sample["start"] <= move["end"] and move["begin"] <= sample["start"] + sample["taken"]
                       for move in self.moves)
        ]  # fmt: skip


@contextlib.contextmanager
def watch(interval_ms: int = INTERVAL_MS):
    """What a client sees of the floating IP while the block runs; complete after the block."""
    before = len(control.state(str(CONTROL))["moves"])
    watched = Watch()
    with probe(interval_ms) as record:
        yield watched
    watched.samples, watched.moves = record.samples, control.state(str(CONTROL))["moves"][before:]
    print(f"{len(watched.samples)} requests, {len(watched.failed)} failed, {len(watched.lost)} of them not at a move;"
          f" {len(watched.moves)} moves; longest gap {watched.longest_gap:.3f} s")  # fmt: skip


def moved_to(host: str) -> bool:
    return audit.cloud_owner() == host and audit.active() == host


# Planned stops: the address moves first


def failover(active: str) -> None:
    answer = salt.call("haproxy_ha.failover", target=active)[active]
    assert answer == {"old": active, "new": audit.passive_of(active)}


def standby(active: str) -> None:
    """As a person does it, with no tool of ours."""
    machine(active).run("crm", "node", "standby", active)


def stop(active: str) -> None:
    machine(active).run("systemctl", "stop", "pacemaker")


def reboot(active: str) -> None:
    before = machine(active).reboot()
    machine(active).wait_rebooted(before)


BACK = {
    standby: lambda host: machine(host).run("crm", "node", "online", host),
    stop: lambda host: machine(host).run("systemctl", "start", "pacemaker"),
}


@pytest.mark.parametrize("how", [failover, standby, stop, reboot])
def test_a_planned_stop_loses_no_request(active, how):
    other = audit.passive_of(active)
    with watch() as seen:
        how(active)
        wait_for(f"the address at {other}", lambda: moved_to(other), 30)
    BACK.get(how, lambda host: None)(active)
    assert audit.settle(120) == other  # and it stays
    assert seen.lost == []
    assert seen.longest_gap <= 0.3
    assert len(seen.moves) == 1
