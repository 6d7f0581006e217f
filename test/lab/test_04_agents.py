"""The agent haproxy with a real systemd, called as Pacemaker calls it, on the passive balancer of a cluster at rest."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from lab import audit
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import HOSTS

AGENT = "/usr/lib/ocf/resource.d/haproxy_ha/haproxy"
CONFIG = "/etc/haproxy/haproxy.cfg"
DROP_INS = "/run/systemd/system/haproxy.service.d"
OK, GENERIC, ARGS, INSTALLED, NOT_RUNNING, DEGRADED = 0, 1, 2, 5, 7, 190


class Agent:
    """The agent on a host. An action returns (code, reason)."""

    def __init__(self, host):
        self.host = host

    def __call__(self, action: str, interval: int = 5) -> tuple[int, str]:
        environment = {
            "OCF_RESOURCE_INSTANCE": "haproxy",
            "OCF_RESKEY_CRM_meta_timeout": "20000",
            "OCF_RESKEY_CRM_meta_interval": str(interval * 1000),
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        done = self.host.run("env", *words, AGENT, action, check=False)
        reasons = [line.partition(":")[2] for line in done.stderr.splitlines() if line.startswith("ocf-exit-reason:")]
        return done.returncode, reasons[0] if reasons else ""

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.host.run("systemctl", "show", "haproxy", f"--property={name}", "--value").stdout.strip()

    def pids(self) -> list[str]:
        return self.host.run("pgrep", "-x", "haproxy", check=False).stdout.split()


@pytest.fixture(scope="module")
def resting(first_run):
    """The passive balancer; the cluster is in maintenance, so nobody but the test calls the agents."""
    audit.settle()
    host = machine(audit.passive())
    host.run("crm_resource", "--cleanup")
    host.run("crm_attribute", "--name", "maintenance-mode", "--update", "true")
    # Only a second later does Pacemaker cancel its monitors.
    host.run("crm_resource", "--wait", "--timeout=60s")
    agent = Agent(host)
    yield agent
    agent("start")
    host.run("crm_attribute", "--name", "maintenance-mode", "--delete")
    host.run("crm_resource", "--cleanup")
    audit.settle()


@pytest.fixture
def haproxy(resting):
    """The agent, with HAProxy stopped, and its configuration as it was afterwards."""
    assert resting("stop") == (OK, "")
    text = resting.host.read(CONFIG)
    yield resting
    resting.host.write(CONFIG, text, 0o640)
    resting("stop")


def test_life(haproxy):
    assert haproxy("monitor", interval=0) == (NOT_RUNNING, "")
    assert haproxy("start") == (OK, "")
    assert haproxy("monitor") == haproxy("monitor", interval=0) == haproxy("start") == (OK, "")
    assert "pacemaker.service" in haproxy.show("Before")
    # All else is as the distribution ships it.
    assert haproxy.show("DropInPaths") == f"{DROP_INS}/50-haproxy_ha.conf"
    assert haproxy.show("FragmentPath").endswith("/lib/systemd/system/haproxy.service")
    assert haproxy("stop") == haproxy("stop") == (OK, "")
    assert haproxy("monitor")[0] == NOT_RUNNING
    assert haproxy.pids() == []
    assert haproxy.host.run("test", "-e", DROP_INS, check=False).returncode == 1
    assert "pacemaker.service" not in haproxy.show("Before")


def test_stop_is_no_failure_of_the_unit(haproxy):
    haproxy("start")
    haproxy("stop")
    assert haproxy.show("ActiveState") == "inactive"


def test_a_running_unit_is_adopted(haproxy):
    haproxy.host.run("systemctl", "start", "haproxy")
    pid = haproxy.show("MainPID")
    assert haproxy("monitor", interval=0) == (OK, "")
    assert haproxy("start") == (OK, "")
    assert haproxy.show("MainPID") == pid
    assert "pacemaker.service" in haproxy.show("Before")


@pytest.mark.parametrize("which", ["all", "worker"])
def test_a_hung_haproxy_is_found_and_killed_first(haproxy, which):
    haproxy("start")
    haproxy.host.run("kill", "-STOP", *(haproxy.pids() if which == "all" else haproxy.pids()[-1:]))
    code, reason = haproxy("monitor")
    assert (code, "stopped by a signal" in reason) == (GENERIC, True)
    begin = time.monotonic()
    assert haproxy("stop") == (OK, "")
    assert time.monotonic() - begin < 2
    assert haproxy.pids() == []
    assert (haproxy("start"), haproxy("monitor")) == ((OK, ""), (OK, ""))


def test_a_stop_succeeds_while_systemd_does_not_answer(haproxy):
    """And what was ended behind its back systemd does not start again, when it is back."""
    haproxy("start")
    systemd = haproxy.host.leader()
    os.kill(systemd, signal.SIGSTOP)
    try:
        assert haproxy("stop") == (OK, "")
        # Its remains are systemd's to clear away.
        assert haproxy.host.run("pgrep", "--runstates", "RSDT", "-x", "haproxy", check=False).stdout == ""
        assert haproxy("monitor", interval=0) == (NOT_RUNNING, "")
    finally:
        os.kill(systemd, signal.SIGCONT)
    wait_for("systemd to refuse a start", lambda: haproxy.show("ConditionResult") == "no", 20)
    assert (haproxy.show("ActiveState"), haproxy.pids()) == ("inactive", [])
    assert (haproxy("start"), haproxy("monitor")) == ((OK, ""), (OK, ""))


def test_an_address_that_is_back_within_a_second_is_no_failure(haproxy):
    """As when a network service reloads; one that stays away is one."""
    haproxy("start")
    anchor = HOSTS[haproxy.host.host.name].anchor
    assert haproxy("monitor") == (OK, "")
    script = f"""
import json, os, subprocess, threading
address = json.loads(subprocess.run(["ip", "-j", "address", "show", "to", "{anchor}"], capture_output=True).stdout)[0]
device, length = address["ifname"], address["addr_info"][-1]["prefixlen"]
def ip(word): subprocess.run(["ip", "address", word, f"{anchor}/{{length}}", "dev", device], check=True)
environment = os.environ | {{"OCF_RESKEY_CRM_meta_interval": "5000", "OCF_RESOURCE_INSTANCE": "haproxy"}}
def monitor(): return subprocess.run(["{AGENT}", "monitor"], env=environment, capture_output=True).returncode
ip("del")
back = threading.Timer(0.5, ip, ["add"])
back.start()
codes = [monitor()]
back.join()
ip("del")
codes.append(monitor())
ip("add")
codes.append(monitor())
print(codes)
"""
    assert json.loads(haproxy.host.run("/usr/bin/python3", "-c", script).stdout) == [OK, GENERIC, OK]


def test_systemd_restarts_a_crash_and_the_monitor_waits_for_it(haproxy):
    haproxy("start")
    pid = haproxy.show("MainPID")
    haproxy.host.run("systemctl", "kill", "--signal=SIGKILL", "haproxy")
    assert haproxy("monitor") == (OK, "")
    assert haproxy.show("MainPID") not in ("0", pid)


def test_when_systemd_gives_up_the_agent_takes_over(haproxy):
    haproxy("start")

    def given_up() -> bool:
        haproxy.host.run("systemctl", "kill", "--signal=SIGKILL", "haproxy", check=False)
        return haproxy.show("ActiveState") == "failed"

    wait_for("systemd to give HAProxy up", given_up, 20)
    assert haproxy("monitor") == (NOT_RUNNING, "haproxy.service is failed (signal)")
    assert (haproxy("stop"), haproxy.show("ActiveState")) == ((OK, ""), "inactive")
    assert (haproxy("start"), haproxy("monitor")) == ((OK, ""), (OK, ""))


@pytest.mark.parametrize("verb", ["restart", "reload"])
def test_what_a_person_restarts_or_reloads_is_running_all_the_time(haproxy, verb):
    """A monitor at whatever moment waits for what systemd does."""
    haproxy("start")
    script = f"""
import os, subprocess
environment = os.environ | {{"OCF_RESKEY_CRM_meta_interval": "5000", "OCF_RESOURCE_INSTANCE": "haproxy"}}
codes = []
for _ in range(20):
    subprocess.run(["systemctl", "reset-failed", "haproxy"], check=True)
    process = subprocess.Popen(["systemctl", "{verb}", "haproxy"])
    while process.poll() is None:
        codes.append(subprocess.run(["{AGENT}", "monitor"], env=environment, stderr=subprocess.DEVNULL).returncode)
    assert process.returncode == 0
print(len(codes), sorted(set(codes)))
"""
    found = haproxy.host.run("/usr/bin/python3", "-c", script).stdout.split(maxsplit=1)
    assert int(found[0]) >= 20
    assert set(json.loads(found[1])) <= {OK, DEGRADED}, found


def test_what_a_person_stops_is_not_running(haproxy):
    """And no failure, as the cluster is in maintenance."""
    haproxy("start")
    haproxy.host.run("systemctl", "stop", "haproxy")
    assert haproxy("monitor") == (NOT_RUNNING, "haproxy.service is inactive (success)")
    assert "fail-count" not in haproxy.host.run("crm_mon", "--one-shot", "--failcounts").stdout


def test_a_foreign_haproxy_is_named_and_never_doubled(haproxy):
    haproxy.host.run("haproxy", "-D", "-f", CONFIG)
    foreign = haproxy.pids()
    assert haproxy("monitor", interval=0)[0] == NOT_RUNNING
    code, reason = haproxy("start")
    assert code == GENERIC
    assert f"{CONFIG} is run by haproxy (process {foreign[0]}) already, which is not haproxy.service" in reason
    assert haproxy.pids() == foreign
    haproxy.host.run("kill", *foreign)
    wait_for("it to end", lambda: not haproxy.pids(), 10)


def test_a_refused_configuration_is_not_started(haproxy):
    haproxy.host.write(CONFIG, haproxy.host.read(CONFIG) + "\nfrontend bad\n    bnd :81\n", 0o640)
    code, reason = haproxy("start")
    assert (code, "unknown keyword 'bnd'" in reason) == (ARGS, True)
    assert haproxy.pids() == []


def test_a_masked_unit_is_told(haproxy):
    haproxy.host.run("systemctl", "mask", "--runtime", "--quiet", "haproxy")
    try:
        assert haproxy("start") == (INSTALLED, "haproxy.service: systemd says masked")
        assert haproxy("monitor", interval=0)[0] == NOT_RUNNING
        assert haproxy("stop") == (OK, "")
    finally:
        haproxy.host.run("systemctl", "unmask", "--runtime", "--quiet", "haproxy")


def test_backends_without_a_server_are_degraded(haproxy):
    dead = "\nbackend dead\n    server none 127.0.0.1:1 check inter 200ms fall 1\n"
    haproxy.host.write(CONFIG, haproxy.host.read(CONFIG) + dead, 0o640)
    assert haproxy("start") == (OK, "")
    wait_for("the check to fail", lambda: haproxy("monitor")[1].startswith("no server is up in dead ("), 10)
    assert haproxy("monitor")[0] == DEGRADED


PACKAGED = f"""
cd "$(mktemp -d)" && apt-get -qq download haproxy && dpkg-deb --fsys-tarfile haproxy_*.deb | tar -xO .{CONFIG}
"""


@pytest.mark.parametrize("configuration", ["the formula's", "the distribution's"])
def test_ocf_tester(haproxy, configuration):
    if configuration == "the distribution's":
        haproxy.host.write(CONFIG, haproxy.host.run("sh", "-ec", PACKAGED).stdout, 0o640)
    haproxy.host.run("apt-get", "-qq", "install", "--no-install-recommends", "libxml2-utils")
    done = haproxy.host.run("ocf-tester", "-n", "haproxy", AGENT, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed all tests" in done.stdout


def test_a_monitor_costs_little(haproxy):
    haproxy("start")
    script = f"""
import resource, subprocess
costs = [0.0]
for _ in range(15):
    subprocess.run(["{AGENT}", "monitor"], check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    costs.append(used.ru_utime + used.ru_stime)
print(*(round((after - before) * 1000, 1) for before, after in zip(costs, costs[1:])))
"""
    figures = haproxy.host.run("/usr/bin/python3", "-c", script).stdout
    print("CPU, ms:", figures)
    assert sorted(map(float, figures.split()))[7] <= 60
