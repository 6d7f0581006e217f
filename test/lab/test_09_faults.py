"""A chosen part of the fault suite (``make faults`` has all of it): one fault of each kind, each with its audit."""

from __future__ import annotations

import pytest

from faults import fault, inspection
from faults.catalogue import FAULTS

CHOSEN = (
    "haproxy-worker-kill-active", "pacemaker-execd-kill-active", "api-reset", "reinstall-pacemaker-both", "app-stop",
)  # fmt: skip


@pytest.fixture(scope="module")
def baseline(first_run):
    return inspection.baseline()


@pytest.mark.parametrize("name", CHOSEN)
def test_the_system_survives(name, active, baseline):
    assert fault.run(FAULTS[name], baseline, apply=name == CHOSEN[-1]).problems == []
