"""Configurations as people post them (posted.yaml), on a running pair under traffic: the cluster's own monitors call
none of them ill, and the site goes on."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from lab import audit, formula, lab, salt
from lab.formula import CONFIGURATION, applying
from lab.machine import machine
from lab.topology import BALANCERS
from lab.traffic import probe
from support import posted
from support.certificates import self_signed

TWO_MONITORS = 10.5  # seconds: one that finds nothing new is told nowhere


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "www.example.com"))


@pytest.fixture(scope="module")
def pair():
    """A function that applies pillar to both balancers of a lab of its own, at the same time."""
    lab.up()
    salt.sync()
    formula.apply()
    audit.settle()
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(applying(name, CONFIGURATION)) for name in BALANCERS]
        pool = stack.enter_context(ThreadPoolExecutor())
        yield lambda: list(pool.map(lambda run: run(), runs))
    lab.down()


@pytest.mark.slow
@pytest.mark.parametrize("name", posted.CONFIGURATIONS)
def test_what_people_post_runs_on_a_pair_and_no_monitor_fails(name, pair, pem):
    for balancer in BALANCERS:
        for path, text in posted.files(name).items():
            machine(balancer).write(path, text)
    salt.set_pillar(yaml.safe_dump({"haproxy_ha": posted.pillar(name, pem)}, sort_keys=False))
    active = audit.active()
    with probe(50) as record:
        pair()
        time.sleep(TWO_MONITORS)
    assert record.failed == []
    assert audit.active() == active
    # That a pool is empty is shown, and no failure: few of the servers are there.
    said = [reason for balancer in BALANCERS for reason in audit.reasons(balancer)]
    assert [reason for reason in said if not reason.startswith("no server is up in ")] == []
