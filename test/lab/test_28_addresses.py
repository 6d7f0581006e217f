"""Two addresses of a LAN, and both balancers at work: what strikes one is nothing to the clients of the other."""

from __future__ import annotations

import contextlib
import time

import pytest
import yaml

from faults.catalogue import FAULTS
from faults.fault import Scene
from lab import audit, formula, outcome, salt
from lab.machine import machine
from lab.shell import wait_for
from lab.topology import BALANCERS
from lab.traffic import ask, probe
from support import REPOSITORY

BOTH = ",".join(BALANCERS)
WEB, MAIL = "10.132.20.100", "10.132.20.101"
NAMED = {"web": {"address": WEB}, "mail": {"address": MAIL}}
HOLDERS = {"FloatIP-web": ["primary"], "FloatIP-mail": ["secondary"]}
STRUCK = (
    "corosync-kill-active",
    *(pytest.param(name, marks=pytest.mark.slow) for name in (
        "haproxy-kill-active", "haproxy-worker-hang-active", "standby", "reboot-active", "power-loss-active",
        "cluster-stop-active", "cut-private-active",
    )),
)  # fmt: skip
CALM_MS = 20


def status() -> dict:
    """How the pair stands, as the one sees it that is not struck."""
    return salt.call("haproxy_ha.status", target="secondary")["secondary"]


def settle(holders: dict[str, list[str]] = HOLDERS, timeout: float = 150) -> None:
    """Wait until each address is where it is wanted, nothing is wrong, and both balancers could have all."""
    seen: dict = {}

    def well() -> bool:
        seen.clear()
        seen.update(status() if all(machine(name).leader() for name in BALANCERS) else {})
        fine = seen.get("addresses") == holders and sorted(seen["haproxy"]) == sorted(BALANCERS)
        return fine and all(ask(address, source="master")[0] == 200 for address in (WEB, MAIL))

    wait_for(f"{holders}", well, timeout, 0.5)


@pytest.fixture(scope="module")
def spread(first_run):
    """The pair with two addresses, which are where they prefer to be; afterwards it is the tutorial's again."""
    example = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
    document = yaml.safe_load(example)
    document["haproxy_ha"] |= {"floating_ip": {"provider": "lan"}, "floating_ips": NAMED}
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
    formula.apply(target=BOTH)
    settle()
    yield
    salt.set_pillar(example)
    formula.apply(target=BOTH)
    audit.settle()


@pytest.fixture
def both(spread):
    settle()
    return Scene("primary", "secondary", {})


def test_a_second_run_changes_nothing_and_each_is_proven(spread):
    assert outcome.changed(formula.apply(target=BOTH)) == []
    verified = salt.call("haproxy_ha.verify", target=BOTH)
    assert [check for one in verified.values() for check in one["failed"]] == []
    listening = machine("primary").run("ss", "-Hltn").stdout
    assert f"{WEB}:80" in listening and f"{MAIL}:80" in listening


@contextlib.contextmanager
def asked(*addresses: str):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(probe(CALM_MS, address, source="master")) for address in addresses]


def serves(record, since: float) -> bool:
    last = record.samples[-25:]
    return all(sample["status"] == 200 and sample["start"] > since for sample in last)


def runs_on_both() -> bool:
    """HAProxy, and it reaches the same on both: an address would leave one that reaches less at once."""
    if not all(machine(name).leader() for name in BALANCERS) or len(status().get("haproxy", ())) != 2:
        return False
    reached = audit.attribute("haproxy_ha-reach") or {}
    return len(reached) == 2 and len(set(reached.values())) == 1


@pytest.mark.parametrize("name", STRUCK)
def test_what_strikes_one_is_nothing_to_the_clients_of_the_other(both, name):
    fault = FAULTS[name]
    with asked(WEB, MAIL) as (web, mail):
        try:
            fault.inject(both)
            began = time.time()
            wait_for(f"{name} to be over for clients", lambda: serves(web, began + fault.hold), 60)
        finally:
            fault.mend(both)
        wait_for("both balancers", runs_on_both, 150, 0.5)
        done = salt.call("haproxy_ha.spread", target="secondary")["secondary"]
        settle()
    print(f"{name}: web {web.longest_gap:.3f} s, {len(web.failed)} failed; mail {mail.longest_gap:.3f} s of "
          f"{len(mail.samples)}, {len(mail.failed)} failed; spread: {done}")  # fmt: skip
    assert isinstance(done, dict) and set(done) <= {"web"}
    assert web.longest_gap <= fault.gap
    assert mail.failed == []


def test_one_moves_and_comes_back_alone(both):
    with asked(WEB, MAIL) as (web, mail):
        moved = salt.call("haproxy_ha.failover", "address=web", target="primary")["primary"]
        assert moved == {"old": "primary", "new": "secondary"}
        settle({"FloatIP-web": ["secondary"], "FloatIP-mail": ["secondary"]})
        would = salt.call("haproxy_ha.spread", "test=True", target="primary")["primary"]
        assert would == {"web": {"old": "secondary", "new": "primary"}}
        assert salt.call("haproxy_ha.spread", target="primary")["primary"] == would
        settle()
    assert mail.failed == [] and web.longest_gap <= 0.3
    refused = salt.call("haproxy_ha.failover", target="primary")["primary"]
    assert "to: missing, since the floating IPs are on primary, secondary" in refused


@pytest.mark.slow
def test_a_rolling_run_moves_what_it_must(both):
    moved = salt.call("state.apply", "haproxy_ha.load_balancer.passive", target="primary")
    assert outcome.failed(moved) == []
    assert status()["active"] == ["secondary"]
    salt.call("haproxy_ha.spread", target="primary")
