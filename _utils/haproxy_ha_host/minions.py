"""The minions of a pair and others, asked by the master."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from haproxy_ha_host import waiting
from haproxy_ha_lib import overview

_INTERVAL = 0.5
_LOOK = 0.05
_MOMENT = 2.0


class Minions:
    """Salt's client on the master, and whom it is to ask for the pair."""

    def __init__(self, client: Any, tgt: str, tgt_type: str, timeout: int) -> None:
        self._client, self._tgt, self._timeout = client, (tgt, tgt_type), timeout

    def pair(self) -> dict[str, Any]:
        """What the load balancers say of themselves, as ``overview.of_pair``."""
        tgt, tgt_type = self._tgt
        job = self._client.run_job(tgt, "haproxy_ha.overview", tgt_type=tgt_type, timeout=self._timeout, listen=True,
                                   kwarg={"data": True})  # fmt: skip
        return overview.of_pair(self._answers(job) if job else {})

    def _answers(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """
        What minions answer to a job, until all have. Who is off answers nothing for as long as Salt waits; so where the
        others say that a node is offline it has a moment, because its minion may live.
        """
        answers: dict[str, Any] = {}
        deadline = math.inf
        for said in self._client.get_iter_returns(job["jid"], set(job["minions"]), self._timeout, *self._tgt,
                                                  block=False):  # fmt: skip
            answers.update({minion: one["ret"] for minion, one in (said or {}).items() if "ret" in one})
            if not overview.awaited(job["minions"], answers):
                deadline = min(deadline, time.monotonic() + _MOMENT)
            if time.monotonic() >= deadline:
                break
            if not said:
                time.sleep(_LOOK)
        return answers

    def call(self, minion: str, function: str, *arguments: Any, **keywords: Any) -> Any:
        """What a minion returns; a text, or None, where it fails."""
        return self._client.cmd(minion, function, arguments, tgt_type="list", timeout=self._timeout,
                                kwarg=keywords).get(minion)  # fmt: skip

    def start(self, minion: str, function: str, *arguments: Any, **keywords: Any) -> str:
        """Have a minion begin something; returns the job."""
        return str(self._client.cmd_async(minion, function, arguments, tgt_type="list", kwarg=keywords))

    def is_running(self, minion: str, job: str) -> bool:
        """Whether a minion is at a job."""
        return bool(self.call(minion, "saltutil.find_job", job))

    def result(self, minion: str, job: str, seconds: float) -> Any:
        """What a job returned; None where it does not end in time."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self._client.get_cache_returns(job) or {})
            return minion in found

        waiting.wait_for(ended, seconds, _INTERVAL)
        return found.get(minion, {}).get("ret")
