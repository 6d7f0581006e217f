"""The picture: the answers of one trial over time, for each event and system, coloured by who gave them."""

from __future__ import annotations

from html import escape
from itertools import groupby

from .events import EVENTS
from .systems import SYSTEMS
from .trials import Trial

SHOWN = ("power-loss", "reboot", "failover", "kill", "hang", "cut-public")
WIDTH, LABEL, MARGIN = 960, 300, 16
ROW, BAR, HEADING = 26, 16, 40
BEFORE, AFTER = 0.5, 10.0  # seconds from the event that are shown
COLOURS = {"primary": "#2b6cb0", "secondary": "#2f855a", "": "#e53e3e"}
LEGEND = {"primary": "answered by primary", "secondary": "answered by secondary", "": "no good answer"}


def picture(rows: list[dict]) -> str:
    """The SVG of a report's rows."""
    shown = [(event, [row for row in rows if row["event"] == event]) for event in SHOWN]
    shown = [(event, systems) for event, systems in shown if systems]
    parts, top = [_legend()], 44
    for event, systems in shown:
        parts.append(_text(MARGIN, top + 14, EVENTS[event].title, "bold"))
        top += 22
        for row in systems:
            parts.append(_row(top, SYSTEMS[row["system"]].title, row["timeline"]))
            top += ROW
        parts.append(_axis(top, len(systems) * ROW))
        top += HEADING
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}"'
    style = ' font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
    return head + style + "".join(parts) + "</svg>\n"


def median_trial(trials: list[Trial]) -> Trial:
    """The trial whose gap is the median, the longer one of two."""
    return sorted(trials, key=lambda trial: trial.gap)[len(trials) // 2]


def spans(trial: Trial) -> list[tuple[float, float, str]]:
    """(begin, end, balancer) of answers of one kind in a row, by the time of the answer; "" for those that failed."""
    answers = sorted(
        (sample["start"] + sample["taken"] * (sample["status"] == 200) - trial.struck,
         sample["balancer"] if sample["status"] == 200 else "")
        for sample in trial.samples
    )  # fmt: skip
    runs = [list(group) for _, group in groupby(answers, key=lambda answer: answer[1])]
    begins = [run[0][0] for run in runs]
    ends = [*begins[1:], answers[-1][0]]
    return [(begin, end, run[0][1]) for begin, end, run in zip(begins, ends, runs, strict=True)]


def visible(trial: Trial) -> list[list]:
    """The spans that the picture shows, in the form of JSON."""
    return [
        [round(begin, 4), round(end, 4), balancer]
        for begin, end, balancer in spans(trial)
        if end > -BEFORE and begin < AFTER
    ]


def _x(seconds: float) -> float:
    span = WIDTH - LABEL - 2 * MARGIN
    return LABEL + MARGIN + span * (min(max(seconds, -BEFORE), AFTER) + BEFORE) / (BEFORE + AFTER)


def _row(top: float, title: str, timeline: dict) -> str:
    bars = [
        f'<rect x="{_x(begin):.2f}" y="{top}" width="{max(_x(end) - _x(begin), 0.3):.2f}" height="{BAR}"'
        f' fill="{COLOURS.get(balancer, "#718096")}"/>\n'
        for begin, end, balancer in timeline["spans"]
    ]
    gap = f"{timeline['gap']:.2f} s" if timeline["recovered"] else "until mended"
    return _text(MARGIN, top + 13, f"{title}: {gap}") + "".join(bars) + _beyond(top, timeline)


def _beyond(top: float, timeline: dict) -> str:
    """What comes of a row that is ill where the axis ends."""
    [*_, (_, end, balancer)] = timeline["spans"]
    if balancer or end < AFTER:
        return ""
    text = f"served again after {timeline['gap']:.1f} s \u2192" if timeline["recovered"] else "ill until mended \u2192"
    return _text(WIDTH - MARGIN - 6, top + 12, text, "bold", 11, end=True)


def _axis(top: float, height: float) -> str:
    struck = f'<line x1="{_x(0):.1f}" x2="{_x(0):.1f}" y1="{top - height - 2}" y2="{top}" stroke="#000000"/>\n'
    return struck + "".join(_text(_x(second), top + 10, f"{second} s", size=10) for second in range(int(AFTER) + 1))


def _legend() -> str:
    parts, left = [], LABEL + MARGIN
    for key, text in LEGEND.items():
        parts.append(f'<rect x="{left}" y="12" width="14" height="14" fill="{COLOURS[key]}"/>\n')
        parts.append(_text(left + 20, 24, text))
        left += 180
    return _text(MARGIN, 24, "Answers to a client, a request every 10 ms", "bold") + "".join(parts)


def _text(x: float, y: float, text: str, weight: str = "normal", size: int = 12, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    fill = "#ffffff" if end else "#1a202c"
    style = f'font-weight="{weight}" font-size="{size}" fill="{fill}"{anchor}'
    return f'<text x="{x:.1f}" y="{y}" {style}>{escape(text)}</text>\n'
