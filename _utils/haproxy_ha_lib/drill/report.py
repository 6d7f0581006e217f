"""The report of a drill, as data, as text, and as a page with a timeline of each trial."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from haproxy_ha_lib.drill.trial import Sample, Trial
from haproxy_ha_lib.types import Tree


@dataclass(frozen=True)
class Report:
    """
    A drill.

    url, source
        What was asked, and the minion that asked.
    limit
        The longest gap that is allowed, in seconds; 0: any.
    began
        When, in seconds since 1970.
    trials
        What was done, one after the other.
    problem : ``""``
        What ended the drill before its end.
    """

    url: str
    source: str
    limit: float
    began: float
    trials: Sequence[Trial]
    problem: str = ""

    @property
    def well(self) -> bool:
        """Whether it came to its end, and no gap was longer than is allowed."""
        return not self.problem and all(map(self.is_within, self.trials))

    def is_within(self, trial: Trial) -> bool:
        """Whether the gap of a trial is within the limit."""
        return not self.limit or trial.seconds <= self.limit

    def data(self) -> Tree:
        """The report as data, with every request."""
        return {
            "url": self.url, "source": self.source, "limit": self.limit, "began": self.began, "well": self.well,
            "problem": self.problem, "trials": [trial.data() for trial in self.trials],
        }  # fmt: skip

    def text(self) -> str:
        """The report as text."""
        return "\n".join([self._head(), *map(self._line, self.trials), self._verdict()])

    def _head(self) -> str:
        allowed = f"; allowed: a gap of {self.limit:g} s" if self.limit else ""
        return f"Drill of {_moment(self.began)}: {self.source} asked {self.url}{allowed}"

    def _line(self, trial: Trial) -> str:
        return f"  {trial.title:<40} {self._found(trial)}"

    def _found(self, trial: Trial) -> str:
        mark = "" if self.is_within(trial) else "  TOO LONG"
        counted = f"{len(trial.failed)} of {len(trial.samples)} requests failed"
        return f"{trial.seconds:5.2f} s without an answer, {counted}{mark}"

    def _verdict(self) -> str:
        if self.problem:
            return f"It ended early: {self.problem}"
        return "All is well." if self.well else "The limit was exceeded."

    def page(self) -> str:
        """The report as one HTML page that needs nothing else."""
        lines = "".join(f"<section><h2>{_e(trial.title)}</h2><p>{_e(self._found(trial).strip())}</p>{timeline(trial)}"
                        "</section>" for trial in self.trials)  # fmt: skip
        verdict = f'<p class="{"well" if self.well else "ill"}">{_e(self._verdict())}</p>'
        return _PAGE.format(title=_e(self._head()), verdict=verdict, body=lines)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }}
h1 {{ font-size: 1.25rem }}
h2 {{ font-size: 1.1rem; margin-bottom: 0 }}
section {{ overflow-x: auto }}
svg {{ width: 100%; min-width: 40rem; height: auto; background: #f6f7f9 }}
.well {{ color: #0b6e2d; font-weight: bold }}
.ill {{ color: #b00020; font-weight: bold }}
</style>
</head>
<body>
<h1>{title}</h1>
{verdict}
{body}
</body>
</html>
"""

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 180, 50, 10, 10, 30
_FULL = 1.0  # seconds: the height of the picture, and what is left of a request that has failed
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120)
_MOST_LABELS = 12


def timeline(trial: Trial) -> str:
    """
    A trial as SVG: each request is a line at the time when it began, as high as it took, red if it failed; the longest
    gap is shaded. Seconds are counted from the first request.
    """
    if not trial.samples:
        return ""
    first, last = trial.samples[0].start, max(one.end for one in trial.samples)
    scale = (_WIDTH - _LEFT - _RIGHT) / max(last - first, 0.001)

    def x(moment: float) -> float:
        return round(_LEFT + (moment - first) * scale, 1)

    begin, end = trial.gap
    floor = _HEIGHT - _BOTTOM
    parts = [f'<rect x="{x(begin)}" y="{_TOP}" width="{round((end - begin) * scale, 1)}" height="{floor - _TOP}"'
             f' fill="#ffd9a0"><title>{end - begin:.2f} s without an answer</title></rect>']  # fmt: skip
    parts += [_tick(x(one.start), one, trial.expected) for one in trial.samples]
    parts += [_label(x(first + second), _HEIGHT - 10, f"{second:g} s", "middle") for second in _labels(last - first)]
    parts += [_label(4, _TOP + 12, "1 s"), _label(4, floor, "0")]
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{_e(trial.title)}">{"".join(parts)}</svg>'


def _tick(x: float, sample: Sample, expected: int) -> str:
    floor = _HEIGHT - _BOTTOM
    failed = sample.status != expected
    height = (floor - _TOP) * (1 if failed else min(1.0, max(0.03, sample.seconds / _FULL)))
    colour = "#b00020" if failed else "#0b6e2d"
    return f'<line x1="{x}" x2="{x}" y1="{floor}" y2="{floor - height:.1f}" stroke="{colour}"/>'


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-size="12" text-anchor="{anchor}">{text}</text>'


def _labels(last: float) -> list[float]:
    """Where the axis has numbers, in seconds: a dozen at most."""
    step = next((size for size in _STEPS if last / size <= _MOST_LABELS), _STEPS[-1])
    return [number * step for number in range(int(last / step) + 1)]


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _e(text: str) -> str:
    return html.escape(text)
