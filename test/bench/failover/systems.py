"""The systems under test: each installs itself on bare hosts of the lab, and says whether all is as it should be.

All have the same HAProxy with the same configuration and the same app servers, which this formula puts there; they
differ in what makes them highly available.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lab import audit, lab, preflight, salt
from lab.cloud import api_token
from lab.formula import apply, set_pillar
from lab.machine import machine
from lab.shell import LabError, wait_for
from lab.topology import APP_SERVERS, BALANCERS, FLOATING_IP, HOSTS
from lab.traffic import ask

CONFIGURATION = Path(__file__).with_name("configuration")


class System:
    """A pair of load balancers with a floating IP."""

    name: str
    title: str

    def install(self) -> None:
        """Build it on bare hosts."""
        raise NotImplementedError

    def problems(self) -> list[str]:
        """What is not as it should be, in words; empty when both balancers are ready and clients are served."""
        return audit.problems()

    def stop_haproxy(self, host: str) -> None:
        """Stop HAProxy behind the system's back, as a person does it; systemctl fails where the system cancels it."""
        machine(host).run("systemctl", "stop", "haproxy", check=False)

    def start_haproxy(self, host: str) -> None:
        """What a person does after that, where the system does not."""

    def reload_haproxy(self, host: str) -> None:
        """Have HAProxy take another configuration."""
        machine(host).run("systemctl", "reload", "haproxy")

    def hand_over(self, host: str) -> None:
        """Move the address away from a host, as this system's documents say."""
        raise NotImplementedError

    def take_part(self, host: str) -> None:
        """Let a host that handed over take part again."""

    def repair(self) -> None:
        """What an operator does when the system stays ill."""

    def settle(self, timeout: float = 60) -> str:
        """Wait until nothing is wrong and return the balancer that has the address."""
        found: list[str] = []

        def healthy() -> bool:
            found[:] = self.problems()
            return not found

        try:
            wait_for(f"{self.name} to be healthy", healthy, timeout, 0.3)
        except LabError as error:
            raise LabError(f"{error}: {'; '.join(found)}") from error
        return audit.cloud_owner() or ""


class Formula(System):
    """This formula; ``cluster`` is laid over pillar's section of that name."""

    def __init__(self, name: str, title: str, cluster: dict | None = None):
        self.name, self.title, self._cluster = name, title, cluster or {}

    def install(self) -> None:
        set_pillar(cluster=self._cluster)
        salt.sync()
        apply("haproxy_ha")

    def hand_over(self, host: str) -> None:
        answer = salt.call("haproxy_ha.failover", target=host)
        if not isinstance(answer.get(host), dict):
            raise LabError(f"haproxy_ha.failover: {answer}")


class Keepalived(System):
    """keepalived with unicast VRRP over the private network, and a script that assigns the reserved IP."""

    def __init__(self, name: str, title: str):
        self.name, self.title = name, title

    def install(self) -> None:
        install_haproxy()
        for host in BALANCERS:
            target = machine(host)
            target.run("apt-get", "-qq", "install", "--no-install-recommends", "keepalived")
            target.write("/etc/keepalived/keepalived.conf", configuration(f"{self.name}.conf", host))
            target.write("/etc/keepalived/notify", configuration("keepalived-notify", host), 0o755)
            target.write("/etc/keepalived/token", api_token(), 0o600)
            target.write("/usr/local/bin/assign-ip", configuration("assign-ip", host), 0o755)
            target.run("systemctl", "enable", "--now", "haproxy")
            target.run("systemctl", "enable", "keepalived")
            target.run("systemctl", "restart", "keepalived")

    def problems(self) -> list[str]:
        off = [f"{host} is off" for host in BALANCERS if not machine(host).leader()]
        if off:
            return off
        owner = audit.cloud_owner()
        states = {host: _vrrp_state(host) for host in BALANCERS}
        found = [f"{host} is {state}" for host, state in states.items() if state != _expected(host, owner)]
        silent = [host for host in BALANCERS if ask(HOSTS[host].anchor, source=host)[0] != 200]
        found += [f"HAProxy does not answer on {host}" for host in silent]
        return found + ([] if ask()[0] == 200 else ["a client gets no answer"])

    def start_haproxy(self, host: str) -> None:
        machine(host).run("systemctl", "start", "haproxy")

    def hand_over(self, host: str) -> None:
        machine(host).run("systemctl", "stop", "keepalived")

    def take_part(self, host: str) -> None:
        machine(host).run("systemctl", "start", "keepalived")

    def repair(self) -> None:
        """After a partition the master need not be the one that has the address: it gives way."""
        for host in BALANCERS:
            if host != audit.cloud_owner():
                machine(host).run("systemctl", "restart", "keepalived", "haproxy")


class Tutorial(System):
    """The tutorial as written, on the corosync of today; ``timers`` are further lines of its section totem."""

    def __init__(self, name: str, title: str, timers: str = ""):
        self.name, self.title, self._timers = name, title, timers

    def install(self) -> None:
        install_haproxy()
        self.pair()

    def pair(self) -> None:
        """The cluster, on load balancers that have HAProxy."""
        for host in BALANCERS:
            target = machine(host)
            packages = ("corosync", "pacemaker", "pacemaker-cli-utils", "crmsh", "resource-agents")
            target.run("apt-get", "-qq", "install", "--no-install-recommends", *packages)
            target.run("systemctl", "stop", "pacemaker", "corosync")
            text = configuration("tutorial-corosync.conf", host).replace("@TIMERS@", self._timers)
            target.write("/etc/corosync/corosync.conf", text)
            agents = "/usr/lib/ocf/resource.d"
            target.write(f"{agents}/digitalocean/floatip", configuration("tutorial-floatip", host), 0o755)
            target.write(f"{agents}/heartbeat/haproxy", configuration("tutorial-haproxy", host), 0o755)
            target.write("/usr/local/bin/assign-ip", configuration("assign-ip", host), 0o755)
            target.run("systemctl", "enable", "corosync", "pacemaker")
            target.run("systemctl", "start", "corosync", "pacemaker")
        first = BALANCERS[0]
        wait_for("both nodes online", lambda: _online(first) == sorted(BALANCERS), 90, 0.5)
        machine(first).run("crm", "configure", "load", "update", "-", input=configuration("tutorial.crm", first))

    def stop_haproxy(self, host: str) -> None:
        """As the init script of the tutorial's time does it, by the agent's own pid file."""
        machine(host).run("sh", "-c", "kill $(cat /var/run/haproxy.pid)")

    def reload_haproxy(self, host: str) -> None:
        """As the agent starts it, in the place of the one that runs."""
        start = "haproxy -D -f /etc/haproxy/haproxy.cfg -p /var/run/haproxy.pid"
        machine(host).run("sh", "-c", f"{start} -sf $(cat /var/run/haproxy.pid)")

    def hand_over(self, host: str) -> None:
        machine(host).run("crm", "node", "standby", host)

    def take_part(self, host: str) -> None:
        machine(host).run("crm", "node", "online", host)

    def repair(self) -> None:
        host = next(host for host in BALANCERS if machine(host).leader())
        machine(host).run("crm_resource", "--cleanup", check=False)
        machine(host).run("crm_resource", "--restart", "--resource=FloatIP", "--timeout=30s", check=False)


SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (
        Formula("haproxy_ha", "haproxy_ha, default settings"),
        Keepalived("keepalived-default", "keepalived, default timers"),
        Keepalived("keepalived-tight", "keepalived, tightest timers"),
        Tutorial("tutorial", "the tutorial as written"),
        Tutorial("tutorial-2015", "the tutorial with the timers of its corosync", "  token: 1000\n"),
    )
}
DEFAULT = [name for name in SYSTEMS if name != "tutorial-2015"]


@contextlib.contextmanager
def installed(system: System) -> Iterator[None]:
    """A fresh lab that has a system; a LabError in the block ends the program with its text."""
    try:
        preflight.require_root()
        lab.up()
        try:
            system.install()
            yield
        finally:
            lab.down()
    except LabError as error:
        raise SystemExit(f"bench: {error}") from error


def install_haproxy() -> None:
    """The app servers and HAProxy as this formula has them, and nothing that makes them highly available."""
    set_pillar()
    salt.sync()
    apply("haproxy_ha.app", ",".join(APP_SERVERS))
    apply("haproxy_ha.load_balancer", ",".join(BALANCERS))


def configuration(name: str, host: str) -> str:
    """A file of this benchmark's configuration, for a host."""
    other = HOSTS[audit.passive_of(host)]
    words = {
        "PRIVATE_IP": HOSTS[host].private,
        "PEER_IP": other.private,
        "ANCHOR_IP": HOSTS[host].anchor,
        "PRIORITY": str(101 - BALANCERS.index(host)),
        "FLOATING_IP": FLOATING_IP,
        "TOKEN": api_token(),
    }
    text = (CONFIGURATION / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _vrrp_state(host: str) -> str:
    return machine(host).run("cat", "/run/keepalived.state", check=False).stdout.strip() or "without a state"


def _expected(host: str, owner: str | None) -> str:
    return "MASTER" if host == owner else "BACKUP"


def _online(host: str) -> list[str]:
    view = audit.status(host)
    return sorted(audit.online(view)) if view is not None else []
