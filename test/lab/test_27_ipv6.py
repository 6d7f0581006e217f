"""An IPv6 address beside its IPv4 one, on the same balancer always: DigitalOcean's behind a firewall, and a LAN's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from faults import several
from faults.catalogue import FAULTS
from faults.fault import Scene
from lab import audit, formula, outcome, salt
from lab.machine import machine
from lab.topology import BALANCERS, FLOATING_IP, FLOATING_IPV6, PRIVATE_IPV6
from lab.traffic import ask
from support import REPOSITORY

BOTH = ",".join(BALANCERS)
EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]
LAN, LAN_IPV6 = "10.132.20.100", f"{PRIVATE_IPV6}100"
TREES = {
    "digitalocean": {
        "floating_ip": EXAMPLE["floating_ip"],
        "floating_ips": {"ipv6": {"address": FLOATING_IPV6, "stays_with": "floating_ip"}},
        "firewall": {"enabled": True},
    },
    "lan": {
        "floating_ip": {"address": LAN, "provider": "lan"},
        "floating_ips": {"ipv6": {"address": LAN_IPV6, "stays_with": "floating_ip"}},
    },
}
CLIENTS = {
    "digitalocean": several.Clients("client", (FLOATING_IP, FLOATING_IPV6)),
    "lan": several.Clients("master", (LAN, LAN_IPV6)),
}
STRUCK = (
    "power-loss-active",
    *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "haproxy-kill-active", "haproxy-worker-hang-active", "standby", "reboot-active", "corosync-kill-active",
        "cluster-stop-active", "cut-private-active", "cut-all-active",
    )),
)  # fmt: skip


def together(addresses: dict[str, list[str]]) -> bool:
    """Whether both are on one balancer."""
    nodes = list(addresses.values())
    return len(nodes) == 2 and nodes[0] == nodes[1] and len(nodes[0]) == 1


@pytest.fixture(scope="module", params=["digitalocean", pytest.param("lan", marks=pytest.mark.slow)])
def clients(request, first_run) -> Iterator[several.Clients]:
    """A pair with both addresses, and who asks them; afterwards it is the tutorial's again."""
    firewall = "firewall" in TREES[request.param]
    for name in BALANCERS if firewall else ():
        machine(name).run("apt-get", "-qq", "install", "--no-install-recommends", "ufw")
    with formula.another_tree(**TREES[request.param]):
        for name in BALANCERS if firewall else ():
            machine(name).run("ufw", "--force", "enable")
            # From here on connections are tracked; what the master says on an older one would be dropped.
            machine(name).run("systemctl", "restart", "salt-minion")
        salt.wait_minions()
        yield CLIENTS[request.param]
        for name in BALANCERS if firewall else ():
            machine(name).run("ufw", "disable")
    audit.settle()


@pytest.fixture
def scene(clients) -> Scene:
    """Both addresses at the active one."""
    found = several.settle("secondary", clients, together)
    [active] = next(iter(found.values()))
    return Scene(active, audit.passive_of(active), {})


def test_a_second_run_changes_nothing_and_both_are_proven(clients, scene):
    assert outcome.changed(formula.apply(target=BOTH)) == []
    verified = salt.call("haproxy_ha.verify", target=BOTH)
    assert [check for one in verified.values() for check in one["failed"]] == []
    seen = [ask(address, source=clients.source) for address in clients.addresses]
    assert [status for status, _ in seen] == [200, 200] and all(text.startswith("Droplet: ") for _, text in seen)


def test_both_are_handed_over(clients, scene):
    """At a cloud without a lost request; on a LAN the one is to have lost it before the other one may have it."""
    with clients.asking() as records:
        moved = salt.call("haproxy_ha.failover", target=scene.active)[scene.active]
        assert moved == {"old": scene.active, "new": scene.passive}
        several.settle(scene.passive, clients, together)
    if clients is CLIENTS["lan"]:
        assert max(record.longest_gap for record in records) <= 0.5
    else:
        assert [record.failed for record in records] == [[], []]


@pytest.mark.parametrize("name", STRUCK)
def test_clients_of_both_are_served_again(clients, scene, name):
    fault = FAULTS[name]
    with clients.asking() as records:
        several.strike(fault, scene, records)
        several.settle(scene.passive, clients, together)
    seen = ", ".join(f"{record.longest_gap:.2f} s ({len(record.failed)} failed)" for record in records)
    print(f"{name}: IPv4, IPv6: {seen}")
    assert [record.longest_gap <= fault.gap for record in records] == [True, True]
