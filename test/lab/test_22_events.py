"""What happens to the pair, on the event bus of a real master: each once, within seconds; the document's reactor."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest
import yaml

from lab import audit, formula, salt
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import APP_SERVERS, BALANCERS
from support import REPOSITORY

pytestmark = pytest.mark.slow

WITHIN = 5.0
SPOOL = "/var/spool/haproxy_ha"
PAGE = (REPOSITORY / "docs" / "events.md").read_text(encoding="utf-8")
[PILLAR] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
REACTOR, REACTION = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
RECORD = "/var/log/events"
RECORDER = f"""\
record:
  local.file.append:
    - tgt: app-1
    - arg:
      - {RECORD}
      - |
        {{{{ [tag, data._stamp, data.data] | json }}}}
"""


@pytest.fixture(scope="module")
def told(first_run):
    """A pair that tells what happens, and a master that reacts. Returns the events since the last call."""
    master = machine("master")
    reactors = yaml.safe_load(REACTOR)["reactor"]
    master.write("/srv/reactor/failover.sls", REACTION)
    master.write("/srv/reactor/record.sls", RECORDER)
    rules = {"reactor": [*reactors, {"haproxy_ha/*": ["/srv/reactor/record.sls"]}]}
    master.write("/etc/salt/master.d/reactor.conf", yaml.safe_dump(rules))
    master.run("systemctl", "restart", "salt-master")
    salt.wait_minions()
    machine("app-1").write(RECORD, "")  # file.append makes none
    formula.set_pillar(cluster=PILLAR["haproxy_ha"]["cluster"])
    formula.apply()
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    seen = 0

    def since() -> list[list]:
        nonlocal seen
        lines = [json.loads(line) for line in recorded() if line.strip()]
        seen, new = len(lines), lines[seen:]
        return new

    since()
    yield since
    formula.set_pillar()
    formula.apply()


def recorded() -> list[str]:
    return [line for line in machine("app-1").read(RECORD).splitlines() if '"haproxy_ha/waiting"' not in line]


def awaited(told, *tags: str, timeout: float = 60) -> list[tuple[str, dict]]:
    """The events that come until these have: these alone, each once, in the order of their tags."""
    found: list[list] = []

    def come() -> bool:
        found.extend(told())
        return len(found) >= len(tags)

    wait_for(f"{', '.join(tags)} on the master, after {found}", come, timeout)
    found.sort(key=lambda one: one[0])
    assert [tag for tag, _, _ in found] == [f"haproxy_ha/{tag}" for tag in sorted(tags)], found
    stamps = [datetime.fromisoformat(stamp).replace(tzinfo=timezone.utc).timestamp() for _, stamp, _ in found]
    for (tag, _, data), stamp in zip(found, stamps, strict=True):
        print(f"{tag}: on the master {stamp - data['time']:.1f} s after it happened (whole seconds)")
    return [
        (tag.partition("/")[2], {**data, "late": stamp - data["time"]})
        for (tag, _, data), stamp in zip(found, stamps, strict=True)
    ]


def test_a_planned_move_is_told_and_the_reactor_reacts(told):
    old, new = audit.active(), audit.passive()
    salt.call("haproxy_ha.failover", target=old)
    [(_, failover)] = awaited(told, "failover")
    assert {"from": old, "to": new}.items() <= failover.items()
    assert failover["late"] < WITHIN + 1
    log = machine(new)
    wait_for("the reactor", lambda: log.run("test", "-s", "/var/log/failovers", check=False).returncode == 0, 30)
    assert f"went from {old} to {new}" in log.read("/var/log/failovers")


def test_a_loss_of_power_is_told_by_who_is_left_and_the_return_too(told):
    lost, left = audit.active(), audit.passive()
    machine(lost).power_off()
    said = dict(awaited(told, "node/lost", "failover"))
    assert {"node": lost, "planned": False, "told_by": left}.items() <= said["node/lost"].items()
    assert {"from": lost, "to": left}.items() <= said["failover"].items()
    assert max(one["late"] for one in said.values()) < WITHIN + 1
    machine(lost).power_on()
    [(_, back)] = awaited(told, "node/returned")
    assert {"node": lost, "told_by": left}.items() <= back.items()
    audit.settle()
    assert told() == []


def test_what_happens_while_the_master_is_away_is_told_when_it_is_back(told):
    old, new = audit.active(), audit.passive()
    master, there = machine("master"), machine(new)
    master.run("systemctl", "stop", "salt-master")
    machine(old).run("crm_standby", "--node", old, "--update", "on")
    wait_for("the move", lambda: audit.cloud_owner() == new, 30)
    wait_for("a line that waits", lambda: there.run("ls", SPOOL).stdout.strip(), 30)
    master.run("systemctl", "start", "salt-master")
    [(_, failover)] = awaited(told, "failover", timeout=120)
    assert {"from": old, "to": new}.items() <= failover.items()
    machine(old).run("crm_standby", "--node", old, "--delete")
    audit.settle()


def test_an_haproxy_that_hangs_is_told_and_that_it_is_well_again(told):
    name = audit.passive()
    machine(name).run("pkill", "-STOP", "--newest", "--exact", "haproxy")
    said, whose = dict(awaited(told, "failed", "recovered")), {"node": name, "resource": "haproxy"}
    assert {**whose, "task": "monitor"}.items() <= said["failed"].items() and "by a signal" in said["failed"]["reason"]
    assert {**whose, "was": "failed"}.items() <= said["recovered"].items()
    audit.settle()


def test_servers_that_are_all_down_are_told_by_each_balancer_and_that_they_are_back(told):
    for name in APP_SERVERS:
        machine(name).run("systemctl", "stop", "nginx")
    degraded = awaited(told, "degraded", "degraded")
    assert {data["node"] for _, data in degraded} == set(BALANCERS)
    assert all(data["reason"].startswith("no server is up in app_pool (") for _, data in degraded)
    for name in APP_SERVERS:
        machine(name).run("systemctl", "start", "nginx")
    recovered = awaited(told, "recovered", "recovered")
    assert {(data["node"], data["was"]) for _, data in recovered} == {(name, "degraded") for name in BALANCERS}
    audit.settle()


def test_without_the_key_nothing_of_it_stays(told):
    formula.set_pillar()
    formula.apply()
    again = formula.apply()
    assert [state for run in again.values() for state in run.values() if state["changes"]] == []
    for name in BALANCERS:
        host = machine(name)
        assert host.run("sh", "-c", f"ls -d {SPOOL} /etc/systemd/system/*haproxy_ha-events*", check=False).stdout == ""
        assert "alert_spool" not in host.run("cibadmin", "--query").stdout
