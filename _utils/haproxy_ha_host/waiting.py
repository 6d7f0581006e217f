"""Waits that people are told of: for what, for how long, and no longer than makes sense."""

import time

SAY_SECONDS = 5
"""How often what is still waited for is said again."""


def until(missing, say, interval=0.5):
    """
    Ask until nothing is missing any more, or it makes no sense to go on; returns the last answer.

    missing
        A function that returns (text, seconds): what is missing, "" once nothing is; and for how long, from the
        beginning, it makes sense to wait for that.
    say
        A function of a text, called when there is something to wait for: at once, and every few seconds.
    interval : ``0.5``
        Seconds between two questions.
    """
    began, said = time.monotonic(), None
    while True:
        text, seconds = missing()
        now = time.monotonic()
        if not text or now - began >= seconds:
            return text
        if said is None or now - said >= SAY_SECONDS:
            say(f"waiting, for {seconds - (now - began):.0f} s at most: {text}")
            said = now
        time.sleep(min(interval, began + seconds - now))
