"""Configurations as people post them (posted.yaml), on a running pair under traffic: the cluster's own monitors call
none of them ill, and the site goes on."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import posted
import pytest
import yaml
from certificates import self_signed

from lab import audit, salt
from lab.machine import machine
from lab.test_8_http import EXAMPLE, SLS, applying
from lab.topology import BALANCERS
from lab.traffic import probe

TWO_MONITORS = 10.5  # seconds: one that finds nothing new is told nowhere


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return "".join(path.read_text() for path in self_signed(tmp_path_factory.mktemp("pem"), "www.example.com"))


@pytest.fixture(scope="module")
def pair(first_run):
    """A function that applies pillar to both balancers at the same time; the example is back after the tests."""
    audit.settle()
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(applying(name, SLS)) for name in BALANCERS]
        pool = stack.enter_context(ThreadPoolExecutor())
        yield lambda: list(pool.map(lambda run: run(), runs))
        salt.set_pillar(EXAMPLE)
        list(pool.map(lambda run: run(), runs))
    audit.settle()


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
    assert (audit.active(), [audit.reasons(balancer) for balancer in BALANCERS]) == (active, [[], []])
