"""
Wait for a cluster: until it is complete, until it has nothing left to do.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from saltext.pacemaker.cib import plan as plans
from saltext.pacemaker.errors import Failed
from saltext.pacemaker.live import reading
from saltext.pacemaker.live.judge import problems_of
from saltext.pacemaker.live.machine import Machine
from saltext.pacemaker.scheduler import simulation
from saltext.pacemaker.status import health, history, summary
from saltext.pacemaker.types import Data

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
_SAY_SECONDS = 5


class Waiting:
    """Says in the log what is waited for: at once, and every few seconds."""

    def __init__(self, machine: Machine, deadline: float) -> None:
        self._machine, self._deadline = machine, deadline
        self._last: float | None = None

    def __call__(self, text: str) -> None:
        now = self._machine.monotonic()
        if self._last is None or now - self._last >= _SAY_SECONDS:
            log.warning("pacemaker: waiting, for %.0f s at most: %s", max(0.0, self._deadline - now), text)
            self._last = now


def until_complete(machine: Machine, nodes: Collection[str] | None = None, timeout: float = 120) -> Data:
    """Wait until there is a DC and a quorum and all nodes are online; the cluster's state. Failed if it is not."""
    deadline = machine.monotonic() + timeout
    while True:
        try:
            now = reading.status(machine)
            missing = summary.missing(now, nodes)
        except Failed as problem:
            missing = str(problem)
        if not missing:
            return now
        if machine.monotonic() >= deadline:
            raise Failed(f"After {timeout} s the cluster is not complete: {missing}")
        machine.sleep(POLL_SECONDS)


def settle(machine: Machine, names: Collection[str] | None = None, timeout: float = 120) -> Data:
    """Wait until the cluster has nothing left to do, then say what is wrong with resources of these names (or all)."""
    began = machine.monotonic()
    say = Waiting(machine, began + timeout)
    while True:
        looked = machine.monotonic()
        text = reading.text(machine)
        state, actions = reading.run_scheduler(machine, text)
        document = reading.document(text)
        pending = [*simulation.sentences(simulation.executable(actions)), *history.under_way(document.root)]
        now = machine.monotonic()
        if not pending or now - began >= timeout:
            break
        if now - began >= _SAY_SECONDS:  # what takes less is the cluster's usual work
            say(f"the cluster to {', '.join(pending)}")
        # `crm_resource --wait` takes 2 s at least and, as the scheduler, takes what is under way for done. To look may
        # take long where there is much to look at: half of the time at most.
        machine.sleep(min(max(0.2, now - looked), began + timeout - now))
    wanted = list(names) if names is not None else [one["id"] for one in state["resources"]]
    stopped = plans.flag(document, "stop-all-resources") is True
    return {
        "pending": pending,
        "problems": problems_of(machine, document, state, wanted),
        "deliberate": health.deliberate(state, wanted, stopped),
    }
