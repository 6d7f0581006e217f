"""docs/operate.md: an operator's days."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from lab import audit, cloud, lab, salt
from lab.machine import machine
from lab.scenes.stage import SCENES, changed, failed, given, heard, one, pillar, runs, scene, tells, told
from lab.shell import wait_for
from lab.simulator import control
from lab.topology import BALANCERS, FLOATING_IP, HOSTS, MINIONS, SECOND_FLOATING_IP
from lab.traffic import ask, probe
from lab.typed import Page


def moved(said: str) -> None:
    """What a failover prints is where the address is then."""
    new = re.search(r"new:\s+(\S+)", said)[1]
    assert audit.cloud_owner() == new == audit.active()


def switches(typed: Page, line: str, seen: Callable[[str], bool]) -> None:
    """A switch holds at once, and status tells of it."""
    typed(line)
    wait_for(f"{line} to hold", lambda: seen(noted()), 60)


def noted() -> str:
    """The notes of ``haproxy_ha.status``."""
    return " ".join(salt.call("haproxy_ha.status", target="primary")["primary"]["notes"])


def standby(typed: Page) -> None:
    """In standby the other one serves, and HAProxy stops."""
    switches(typed, "salt primary pacemaker.standby", lambda notes: "primary is in standby" in notes)
    assert audit.active() == "secondary"
    assert machine("primary").run("systemctl", "is-active", "haproxy", check=False).stdout.strip() == "inactive"
    switches(typed, "salt primary pacemaker.online", lambda notes: "standby" not in notes)


def maintenance(typed: Page) -> None:
    """In maintenance nothing moves."""
    holder = audit.active()
    switches(typed, "salt primary pacemaker.maintenance", lambda notes: "is in maintenance" in notes)
    assert audit.active() == holder
    switches(typed, "salt primary pacemaker.maintenance False", lambda notes: "maintenance" not in notes)


@scene("docs/operate.md, Operating")
def the_table(typed: Page) -> None:
    machine("master").run("salt-run", "saltutil.sync_all")
    holder = audit.settle()
    tells(typed("salt-run haproxy_ha.overview"), f"is on {holder}", "All is well.")
    tells(typed("salt primary haproxy_ha.status"), holder)
    assert typed("salt '*' haproxy_ha.verify").count("passed:") == len(MINIONS)
    for line in ("test=True --state-output=mixed", "--state-output=mixed"):
        assert changed(typed(f"salt '*' state.apply haproxy_ha {line}")) == 0
    moved(typed("salt primary haproxy_ha.failover"))
    assert audit.settle() != holder
    drilled(typed, one(typed, "drill"))
    with heard(typed, "salt-run state.event 'haproxy_ha/*' pretty=True"):
        audit.settle()
    standby(typed)
    audit.settle()
    maintenance(typed)
    typed("salt primary pacemaker.cleanup")
    rolled(typed("salt-run state.orchestrate haproxy_ha.orchestrate.rolling"))
    cleaned(typed)
    assert runs(salt_printed("salt '*' state.apply haproxy_ha")) == len(MINIONS)


def salt_printed(line: str) -> str:
    return machine("master").run("sh", "-c", line).stdout


def drilled(typed: Page, line: str) -> None:
    """The address goes away and comes back, with a report of both."""
    holder = audit.settle()
    said = typed(line)
    tells(said, f"failover: {holder} to ", "failover back: ", "All is well.")
    assert audit.active() == holder
    report = re.search(r"(/var/cache/salt/master/haproxy_ha/drills/\S+?)\.html", said)[1]
    for kind in ("html", "json", "txt"):
        assert machine("master").read(f"{report}.{kind}")


def rolled(said: str) -> None:
    """One load balancer after the other, and the address is on one of them."""
    tells(said, *(f"haproxy_ha-rolling-{name}" for name in BALANCERS))
    assert (failed(said), audit.settle() in BALANCERS) == (0, True)


def cleaned(typed: Page) -> None:
    """The address is handed over before anything stops, and nothing of the system is left there."""
    with probe() as record:
        said = typed("salt secondary state.apply haproxy_ha.clean")
    assert (runs(said), audit.cloud_owner() != "secondary", record.failed) == (1, True, [])
    assert not machine("secondary").root.joinpath("etc/haproxy_ha/token").exists()


@scene("docs/operate.md, How is it?")
def how_it_is(typed: Page) -> None:
    typed("salt-call haproxy_ha.overview")
    typed("salt-run saltutil.sync_all")
    tells(typed("salt-run haproxy_ha.overview"), "All is well.")
    typed("salt primary pacemaker.cleanup")
    salt.set_pillar("haproxy_ha: {")
    try:
        tells(typed("salt-run pillar.show_pillar primary", logs=True), "_errors")
    finally:
        salt.set_pillar(pillar())


@scene("docs/operate.md, A change")
def what_a_run_waits_for(typed: Page) -> None:
    """What a run waits for is heard of on the master."""
    both = ",".join(BALANCERS)
    with heard(typed, "salt-run state.event 'haproxy_ha/*'") as events:
        salt.call("service.stop", "pacemaker", target=both)
        salt.call("state.apply", "haproxy_ha", target=both)
    tells("".join(events), "haproxy_ha/waiting", "waiting, for ")


@scene("docs/operate.md, The floating IP")
def moves_of_the_address(typed: Page) -> None:
    with probe() as record:
        holder = audit.settle()
        moved(typed("salt primary haproxy_ha.failover"))
        assert audit.settle() == audit.passive_of(holder)
        moved(typed("salt primary haproxy_ha.failover secondary"))
    assert (audit.active(), record.failed) == ("secondary", [])


@scene("docs/operate.md, A drill")
def a_drill(typed: Page) -> None:
    drilled(typed, one(typed, "drill"))


SCENES["docs/operate.md, A load balancer out of service"] = standby


@scene("docs/operate.md, Maintenance", "docs/http.md, One load balancer at a time")
def stops_hold_in_maintenance(typed: Page) -> None:
    call = "salt-call" if "salt-call pacemaker.maintenance" in typed.left else "salt primary"
    if "salt-call pacemaker.standby" in typed.left:
        rolled(typed(one(typed, "rolling")))
        typed("salt-call pacemaker.standby")
        wait_for("the address to move", lambda: audit.active() == "secondary", 60)
        typed("salt-call pacemaker.online")
        audit.settle()
    stop = "systemctl stop haproxy"
    before = haproxy_pid()
    machine("primary").run(*stop.split(), check=False)
    wait_for("HAProxy to be back", lambda: haproxy_pid() not in ("", before), 60)
    audit.settle()
    typed(f"{call} pacemaker.maintenance")
    typed(stop)
    assert haproxy_pid() == ""
    typed(f"{call} pacemaker.maintenance False")


def haproxy_pid() -> str:
    """The main process of HAProxy on primary; empty while there is none."""
    pid = machine("primary").run("systemctl", "show", "--property=MainPID", "--value", "haproxy").stdout.strip()
    return pid if pid != "0" else ""


@scene("docs/operate.md, Packages")
def packages(typed: Page) -> None:
    typed("apt upgrade")
    typed("salt '*' pkg.upgrade")
    rolled(typed(one(typed, "rolling")))
    typed("salt primary pacemaker.maintenance")
    typed("salt primary pacemaker.maintenance False")
    audit.settle()
    typed("HAPROXY_HA_UPGRADE=now apt upgrade")
    typed("journalctl -u apt-daily-upgrade")
    typed("salt secondary service.restart corosync")
    audit.settle(180)
    typed("salt primary haproxy_ha.status")
    typed("salt primary service.restart corosync")


@scene("docs/operate.md, A load balancer is dead")
def dead(typed: Page) -> None:
    machine("secondary").power_off()
    wait_for("the survivor to serve", lambda: audit.active() == "primary" and ask()[0] == 200, 90)
    red = typed("salt primary state.apply haproxy_ha", code=1)
    assert failed(red) == 1
    tells(red, "secondary")
    assert failed(typed("salt primary state.apply haproxy_ha.load_balancer.config")) == 0
    with keys_by_hand():
        lab.replace("secondary")
        tells(typed("salt-key --delete=secondary"), "secondary")
        wait_for("the fresh machine's key", lambda: list(keys("minions_pre")), 120)
        tells(typed("salt-key --accept=secondary"), "secondary")
        salt.wait_minions()
    tells(typed("salt secondary saltutil.sync_all"), "haproxy_ha")
    assert runs(typed("salt '*' state.apply haproxy_ha")) == len(MINIONS)


def keys(folder: str) -> Iterator[str]:
    """The minions whose keys the master has there."""
    return (path.name for path in (machine("master").root / "etc/salt/pki/master" / folder).glob("*"))


@contextlib.contextmanager
def keys_by_hand() -> Iterator[None]:
    """A master that accepts no key by itself, as the lab's does."""
    master, path = machine("master"), "/etc/salt/master.d/z.conf"
    master.write(path, "auto_accept: False\n")
    master.run("systemctl", "restart", "salt-master")
    try:
        yield
    finally:
        (master.root / path.lstrip("/")).unlink()
        master.run("systemctl", "restart", "salt-master")
        salt.wait_minions()


@scene("docs/operate.md, A load balancer is added or removed")
def one_more_and_one_less(typed: Page) -> None:
    """app-2 comes, secondary goes; then both are what they were."""
    both, third = given("load_balancers"), HOSTS["app-2"]
    third = {"private_ip": third.private, "public_ip": third.public, "anchor_ip": third.anchor}
    apps = {"app-1": given("app_servers")["app-1"]}
    salt.call("state.apply", "haproxy_ha.clean", target="app-2")  # it serves nothing yet
    with told(load_balancers={**both, "app-2": third}, app_servers=apps):
        typed("salt tertiary saltutil.sync_all")
        typed("salt '*' state.apply haproxy_ha")
        assert sorted(audit.members("primary")) == ["app-2", *BALANCERS]
        cleaned(typed)
        salt.set_pillar(pillar(load_balancers={"primary": both["primary"], "app-2": third}, app_servers=apps))
        typed("salt '*' state.apply haproxy_ha")
        assert sorted(audit.members("primary")) == ["app-2", "primary"]
        salt.call("state.apply", "haproxy_ha.clean", target="app-2")


@scene("docs/operate.md, Another floating IP")
def another_address(typed: Page) -> None:
    """The new one serves, and the old one is nobody's; then the other way round."""
    old, new = FLOATING_IP, SECOND_FLOATING_IP
    with told(floating_ip={"address": new, "replaces": old}):
        typed("salt '*' state.apply haproxy_ha")
        owners = control.state(str(cloud.CONTROL))["owners"]
        assert (ask(new)[0], owners[old]) == (200, None)
        salt.set_pillar(pillar(floating_ip={"address": old, "replaces": new}))
        salt.call("state.apply", "haproxy_ha")
