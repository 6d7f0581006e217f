"""What the tutorial breaks, broken; and what it does not."""

from __future__ import annotations

import time

import pytest

from lab import audit, network
from lab.machine import HAPROXY, machine
from lab.shell import wait_for
from lab.topology import HOSTS
from lab.traffic import ask, probe

MONITOR_INTERVAL = 5  # seconds; the interval of the primitive haproxy


def haproxy_pid(host: str) -> str:
    return (
        machine(host).run("systemctl", "show", "haproxy", "--property=MainPID", "--value", check=False).stdout.strip()
    )


def serves(host: str) -> bool:
    return ask(HOSTS[host].anchor, source=host)[0] == 200


@pytest.mark.parametrize("role", ["active", "passive"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_haproxy_that_ends_runs_again(active, role, how):
    victim = active if role == "active" else audit.passive()
    before = haproxy_pid(victim)
    start = time.monotonic()
    if how == "stop":
        said = machine(victim).run("systemctl", "stop", "haproxy", check=False).stderr
        assert "canceled" in said  # systemd starts it again at once
    else:
        machine(victim).run("pkill", "-KILL", *HAPROXY)
    wait_for(
        "HAProxy to serve again",
        lambda: haproxy_pid(victim) not in ("0", before) and serves(victim),
        MONITOR_INTERVAL + 10,
    )
    assert time.monotonic() - start < MONITOR_INTERVAL + 5
    assert audit.settle() == active  # the address stays


@pytest.mark.parametrize("direction", ["there", "back"])
def test_reboot_of_the_active_balancer(active, direction):
    with probe() as record:
        before = machine(active).reboot()
        machine(active).wait_rebooted(before)
        assert audit.settle(120) != active  # it comes back as the passive one, and healthy
    assert record.longest_gap < 10
    for app in ("app-1", "app-2"):
        ask()
        ask()
        line = machine(app).read("/var/log/nginx/access.log").splitlines()[-1]
        assert line.startswith(f"ProxyIP: {HOSTS[audit.active()].private} - ClientIP: {HOSTS['client'].internet} - ")


@pytest.mark.parametrize("direction", ["there", "back"])
def test_power_loss_of_the_active_balancer(active, direction):
    survivor = audit.passive()
    with probe() as record:
        machine(active).power_off()
        wait_for(f"{survivor} to serve", lambda: audit.active() == survivor and ask()[0] == 200, 60)
    assert record.longest_gap < 10
    ask()
    ask()
    line = machine("app-1").read("/var/log/nginx/access.log").splitlines()[-1]
    assert line.startswith(f"ProxyIP: {HOSTS[survivor].private} - ClientIP: {HOSTS['client'].internet} - ")
    machine(active).power_on()
    machine(active).wait_booted()
    assert audit.settle(120) == survivor  # the old active comes back as the passive one


@pytest.mark.parametrize("how", ["its power is cut", "its private link is cut"])
def test_an_app_server_is_lost(active, how):
    if how == "its power is cut":
        machine("app-1").power_off()
    else:
        network.set_link("app-1", "private", "down")
    try:
        wait_for("the check of app-1 to fail", lambda: {ask()[1][:14] for _ in range(4)} == {"Droplet: app-2"}, 30)
        with probe(20) as record:
            time.sleep(2)  # the time over which nothing may be lost
        assert len(record.samples) > 50
        assert record.failed == []
        assert set(record.app_servers()) == {"app-2"}
    finally:
        network.set_link("app-1", "private", "up")
        if not machine("app-1").leader():
            machine("app-1").power_on()
        machine("app-1").wait_booted()
    wait_for("app-1 in the pool again", lambda: len({ask()[1] for _ in range(4)}) == 2, 60)
