"""How long the certificates of a HAProxy count, by what its runtime API says of them (its management guide, 9.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import NamedTuple

LISTING = "show ssl cert"
"""The command that lists them."""
SOON_DAYS = 30
"""Certificates are renewed when a third of their time is left: of 90 days, these."""
_DAY = 86_400
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_TIME = re.compile(rf"({'|'.join(_MONTHS)}) +(\d+) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{{4}}) GMT")


class Certificate(NamedTuple):
    """A certificate that HAProxy uses: its file, and from when until when it counts, in seconds since 1970."""

    name: str
    begins: float
    ends: float


def names(text: str) -> list[str]:
    """Return the files that ``show ssl cert`` lists; not those that somebody is about to change (``# transaction``)."""
    return [line for line in text.partition("# filename\n")[2].splitlines() if line]


def question(name: str) -> str:
    """Return the command that asks for one of them; a blank or a semicolon would end its name."""
    return f"{LISTING} {_ENDS_A_WORD.sub(_ESCAPED, name)}"


_ENDS_A_WORD, _ESCAPED = re.compile(r"([\\ ;])"), r"\\\1"


def read(text: str) -> Certificate | None:
    """Read what ``show ssl cert <name>`` says; None of one that nothing uses."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    begins, ends = (_seconds(fields.get(key, "")) for key in ("notBefore", "notAfter"))
    if fields.get("Status") != "Used" or begins is None or ends is None:
        return None
    return Certificate(fields["Filename"], begins, ends)


def _seconds(text: str) -> float | None:
    """A time as OpenSSL prints it, in whatever language this machine speaks."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    day, hour, minute, second, year = map(int, match.groups()[1:])
    month = _MONTHS.index(match[1]) + 1
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()


def invalid(found: Iterable[Certificate], now: float) -> list[str]:
    """Return those that do not count at this moment, each as a sentence: clients refuse them."""
    ended = [f"{one.name} ended on {_shown(one.ends)}, {_days(now - one.ends)} ago" for one in _by_end(found)
             if one.ends <= now]  # fmt: skip
    return ended + [f"{one.name} begins on {_shown(one.begins)}" for one in found if now < one.begins]


def ending(found: Iterable[Certificate], now: float) -> list[str]:
    """Return those that end soon, each as a sentence, the first to end first."""
    soon = now + SOON_DAYS * _DAY
    return [f"the certificate {one.name} ends on {_shown(one.ends)}, in {_days(one.ends - now)}"
            for one in _by_end(found) if now < one.ends <= soon]  # fmt: skip


def _by_end(found: Iterable[Certificate]) -> list[Certificate]:
    return sorted(found, key=lambda one: one.ends)


def _shown(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"


def _days(seconds: float) -> str:
    days = int(seconds // _DAY)
    return {0: "less than a day", 1: "1 day"}.get(days, f"{days} days")
