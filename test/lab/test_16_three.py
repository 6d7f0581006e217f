"""Three load balancers: a quorum of two, whoever is lost. ``app-2`` is the third one."""

from __future__ import annotations

import pytest

from lab import audit, formula, lab, outcome, salt
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import APP_SERVERS, BALANCERS
from lab.traffic import ask, probe

THREE = (*BALANCERS, APP_SERVERS[1])


@pytest.fixture(scope="module")
def runs():
    """The first and the second run on bare hosts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "BALANCERS", THREE)
        lab.up()
        formula.set_pillar(balancers=THREE, apps=APP_SERVERS[:1])
        salt.sync()
        yield [salt.call("state.apply", "haproxy_ha") for _ in range(2)]
        lab.down()


def wait_for_another_than(*lost: str) -> str:
    """The balancer that serves in place of those."""

    def serves() -> bool:
        return audit.active() not in ("", *lost) and ask()[0] == 200

    wait_for(f"another balancer than {', '.join(lost)} to serve", serves, 60)
    return audit.active()


@pytest.mark.slow
def test_from_bare_hosts_at_once_and_a_second_run_changes_nothing(runs):
    for run in runs:
        assert outcome.failed(run) == []
    assert outcome.changed(runs[1]) == []
    assert audit.settle() in THREE
    for balancer in THREE:
        said = machine(balancer).run("corosync-quorumtool", "-s").stdout
        facts = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
        assert [facts[name].strip() for name in ("Expected votes", "Quorum", "Flags")] == ["3", "2", "Quorate"]


@pytest.mark.slow
def test_two_of_three_serve_and_the_last_one_alone_does_not(runs):
    """A node in standby still votes; a lost one does not, and without a quorum nothing may run."""
    first = audit.settle()
    with probe() as record:
        machine(first).power_off()
        second = wait_for_another_than(first)
    assert record.longest_gap < 10
    assert salt.call("pacemaker.standby", target=second) == {second: True}
    third = wait_for_another_than(first, second)
    assert salt.call("pacemaker.online", target=second) == {second: True}
    assert audit.active() == third
    machine(second).power_off()
    wait_for(f"{third} to stop serving", lambda: ask()[0] != 200, 60)
    for lost in (first, second):
        machine(lost).power_on()
    for lost in (first, second):
        machine(lost).wait_booted()
    assert audit.settle(120) in THREE
