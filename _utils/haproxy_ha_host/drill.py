"""A drill, as the master does it: minions are asked and told, and a minion asks through the address meanwhile."""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import files, waiting
from haproxy_ha_host.minions import Minions
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.drill import trial as trials
from haproxy_ha_lib.drill.report import Report
from haproxy_ha_lib.drill.trial import Trial
from haproxy_ha_lib.files.entry import owned_by_root

log = logging.getLogger(__name__)

SETTLE_SECONDS = 300.0
"""Within which a pair is well again after what was done."""
_BEGIN_SECONDS = 30.0
_INTERVAL = 0.5


@dataclass(frozen=True)
class Drill:
    """
    What is to be done.

    minions
        Those of the pair, and their client.
    source, url
        The minion that asks, and what it asks.
    kinds
        What is done, of ``trial.KINDS``.
    limit, seconds, interval
        The longest gap that is allowed (0: any); how long is asked in each trial; how often, all in seconds.
    say
        Tells people what is waited for.
    expected, verify
        The status of a good answer; whether a certificate is checked.
    """

    minions: Minions
    source: str
    url: str
    kinds: Sequence[str]
    limit: float
    seconds: float
    interval: float
    say: Callable[[str], None]
    expected: int = 200
    verify: bool = True
    began: float = field(default_factory=time.time)

    def run(self) -> Report:
        """
        Do it. CommandExecutionError, with nothing done, if the pair is not well or the source gets no good answer.
        What ends it later is the report's ``problem``.
        """
        unknown = [kind for kind in self.kinds if kind not in trials.KINDS]
        if unknown or not self.kinds:
            raise SaltInvocationError(f"kinds: found {list(self.kinds)!r}, allowed: {', '.join(trials.KINDS)}")
        resource = self._require_well()
        self._require_answers()
        done: list[Trial] = []
        problem = ""
        try:
            for kind in self._steps():
                done.append(self._try(kind, resource))
        except CommandExecutionError as error:
            problem = str(error)
        return Report(self.url, self.source, self.limit, self.began, done, problem)

    def _steps(self) -> Iterator[str]:
        for kind in self.kinds:
            yield from ("failover", "failover back") if kind == "failover" else (kind,)

    def _require_well(self) -> str | None:
        """Return the floating IP that is asked; None where there is but one."""
        pair = self.minions.pair()
        resource, unknown = trials.asked(pair, urllib.parse.urlsplit(self.url).hostname or "")
        unfit = [unknown] if unknown else trials.unfit(pair, resource)
        if unfit:
            raise CommandExecutionError("\n".join(["Nothing was done: a drill needs a pair that is well.", *unfit]))
        return resource

    def _require_answers(self) -> None:
        answer = self.minions.call(self.source, "haproxy_ha.traffic", self.url, seconds=1, interval=0.1,
                                   verify=self.verify)  # fmt: skip
        samples = trials.read(answer)
        bad = sorted({one.status for one in samples if one.status != self.expected})
        if not samples or bad:
            got = f"{self.expected} is expected, found: {bad}" if samples else f"{answer or 'it does not answer'}"
            raise CommandExecutionError(f"Nothing was done: {self.source} asked {self.url}: {got}")

    def _try(self, kind: str, resource: str | None) -> Trial:
        """Do one thing while the source asks, until the pair is well again."""
        [old] = trials.holders(self.minions.pair(), resource)
        job = self.minions.start(self.source, "haproxy_ha.traffic", self.url, seconds=self.seconds,
                                 interval=self.interval, verify=self.verify)  # fmt: skip
        if not waiting.wait_for(lambda: self.minions.is_running(self.source, job), _BEGIN_SECONDS, _INTERVAL):
            raise CommandExecutionError(f"{self.source} has not begun to ask within {_BEGIN_SECONDS:g} s")
        self._do(kind, old, resource)
        new = self._wait_well(resource)
        self.say(f"{self.source} asks on, for {self.seconds:g} s at most")
        samples = trials.read(self.minions.result(self.source, job, self.seconds + _BEGIN_SECONDS))
        if not samples:
            raise CommandExecutionError(f"{self.source} has not said what it got")
        if samples[-1].status != self.expected:
            raise CommandExecutionError(f"after {self.seconds:g} s {self.source} still got no good answer")
        return Trial(kind, old, new, samples, self.expected)

    def _do(self, kind: str, active: str, resource: str | None) -> None:
        self.say(f"{kind} on {active}")
        if kind.startswith("failover"):
            one = {"address": standing.named(resource)} if resource else {}
            answer = self.minions.call(active, "haproxy_ha.failover", **one)
            if not isinstance(answer, Mapping):
                raise CommandExecutionError(f"{active}: {answer or 'does not answer'}")
        elif kind == "kill":
            self.minions.call(active, "ps.pkill", "haproxy", signal=9)
        else:
            self.minions.start(active, "system.reboot")

    def _wait_well(self, resource: str | None) -> str:
        """Wait until the pair is well, and return who has the address."""
        pair: dict[str, Any] = {}

        def well() -> bool:
            pair.clear()
            pair.update(self.minions.pair())
            return not trials.unfit(pair, resource)

        self.say(f"waiting, for {SETTLE_SECONDS:g} s at most: the pair is well again")
        if not waiting.wait_for(well, SETTLE_SECONDS, 1.0):
            raise CommandExecutionError("; ".join(trials.unfit(pair, resource)))
        return trials.holders(pair, resource)[0]


def say(text: str) -> None:
    """Tell whoever watches ``salt-run``."""
    log.warning("haproxy_ha: %s", text)


def carry_out(drill: Drill, directory: str, data: bool) -> tuple[bool, Any]:
    """
    Do a drill and leave its report below a directory.

    Returns (whether all was well, the report as text or as data; or why nothing was done).
    """
    try:
        report = drill.run()
    except (CommandExecutionError, SaltInvocationError) as error:
        return False, str(error)
    page = keep(report, directory)
    return report.well, report.data() if data else f"{report.text()}\nReport: {page}"


def keep(report: Report, directory: str) -> str:
    """Leave a report below a directory, as text, data and page; returns the path of the page."""
    folder = os.path.join(directory, "haproxy_ha", "drills")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    stem = os.path.join(folder, time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(report.began)))
    for ending, text in (("txt", report.text()), ("json", json.dumps(report.data())), ("html", report.page())):
        files.put(f"{stem}.{ending}", owned_by_root(text))
    return f"{stem}.html"
