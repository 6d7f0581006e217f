"""Waits: for a condition; and those that people are told of, for what, for how long, and no longer than makes sense."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

SAY_SECONDS = 5
"""How often what is still waited for is said again."""


def until(
    missing: Callable[[], tuple[str, float]], timeout: float, say: Callable[[str], object], interval: float = 0.5
) -> str:
    """
    Ask until nothing is missing any more, or it makes no sense to go on; returns the last answer.

    missing
        A function that returns (text, seconds): what is missing, "" once nothing is; and for how long it makes sense
        to wait while just this is missing.
    timeout
        Seconds after which there is an end in any case.
    say
        A function of a text, called when there is something to wait for: at once, and every few seconds.
    interval : ``0.5``
        Seconds between two questions.
    """
    began, since, before, said = time.monotonic(), 0.0, None, None
    while True:
        text, seconds = missing()
        now = time.monotonic()
        before, since = text, since if text == before else now
        end = min(since + seconds, began + timeout)
        if not text or now >= end:
            return text
        if said is None or now - said >= SAY_SECONDS:
            say(f"waiting, for {end - now:.0f} s at most: {text}")
            said = now
        time.sleep(min(interval, end - now))


def wait_for(condition: Callable[[], Found], timeout: float, interval: float = 0.1) -> Found:
    """Return the first true value of ``condition()``, or its last value when ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return found
