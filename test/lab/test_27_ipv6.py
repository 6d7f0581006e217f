"""An IPv6 address beside its IPv4 one, on the same balancer always: DigitalOcean's behind a firewall, and a LAN's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults import several
from faults.catalogue import FAULTS
from faults.fault import Scene
from faults.kinds import KINDS, Kind
from lab import audit, formula, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS
from lab.traffic import ask

BOTH = ",".join(BALANCERS)
STRUCK = (
    "power-loss-active",
    *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "haproxy-kill-active", "haproxy-worker-hang-active", "standby", "reboot-active", "corosync-kill-active",
        "cluster-stop-active", "cut-private-active", "cut-all-active",
    )),
)  # fmt: skip


@pytest.fixture(scope="module", params=["digitalocean", pytest.param("lan", marks=pytest.mark.slow)])
def pair(request, first_run) -> Iterator[Kind]:
    """A pair with both addresses, at DigitalOcean behind ufw; afterwards it is the tutorial's again."""
    walled = BALANCERS if request.param == "digitalocean" else ()
    for name in walled:
        machine(name).run("apt-get", "-qq", "install", "--no-install-recommends", "ufw")
    with KINDS[f"{request.param}-pair"].built(firewall={"enabled": bool(walled)}):
        for name in walled:
            machine(name).run("ufw", "--force", "enable")
            # From here on connections are tracked; what the master says on an older one would be dropped.
            machine(name).run("systemctl", "restart", "salt-minion")
        salt.wait_minions()
        yield KINDS[f"{request.param}-pair"]
        for name in walled:
            machine(name).run("ufw", "disable")


@pytest.fixture
def clients(pair) -> several.Clients:
    """Who asks them."""
    return pair.clients


@pytest.fixture
def scene(pair) -> Scene:
    """Both addresses at the active one."""
    found = several.settle("secondary", pair.clients, pair.where)
    [active] = next(iter(found.values()))
    return Scene(active, audit.passive_of(active), {})


def test_a_second_run_changes_nothing_and_both_are_proven(clients, scene):
    assert outcome.changed(formula.apply(target=BOTH)) == []
    verified = salt.call("haproxy_ha.verify", target=BOTH)
    assert [check for one in verified.values() for check in one["failed"]] == []
    seen = [ask(address, source=clients.source) for address in clients.addresses]
    assert [status for status, _ in seen] == [200, 200] and all(text.startswith("Droplet: ") for _, text in seen)


def test_both_are_handed_over(pair, clients, scene):
    """At a cloud without a lost request; on a LAN the one is to have lost it before the other one may have it."""
    with clients.asking() as records:
        moved = salt.call("haproxy_ha.failover", target=scene.active)[scene.active]
        assert moved == {"old": scene.active, "new": scene.passive}
        several.settle(scene.passive, clients, pair.where)
    if pair is KINDS["lan-pair"]:
        assert max(record.longest_gap for record in records) <= 0.5
    else:
        assert [record.failed for record in records] == [[], []]


@pytest.mark.parametrize("name", STRUCK)
def test_clients_of_both_are_served_again(pair, clients, scene, name):
    fault = FAULTS[name]
    with clients.asking() as records:
        several.strike(fault, scene, records)
        several.settle(scene.passive, clients, pair.where)
    seen = ", ".join(f"{record.longest_gap:.2f} s ({len(record.failed)} failed)" for record in records)
    print(f"{name}: IPv4, IPv6: {seen}")
    assert [record.longest_gap <= fault.gap for record in records] == [True, True]
