"""What an overview knows and no other exporter tells, as Prometheus reads it from a text (its exposition formats)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.types import Tree


class _Metric(NamedTuple):
    """Its name and help, the name of its label ("" for none), and its samples: (the label's value, a number)."""

    name: str
    help: str
    label: str
    samples: Iterable[tuple[str, float]]


def lay_out(found: Tree) -> str:
    """
    Return the text.

    found
        What ``haproxy_ha_host.overview.find`` returned. What is over and only remembered is nothing to look at.
    """
    notes = list(dict.fromkeys(standing.present(found["notes"])))
    metrics = (
        _Metric("asked_timestamp_seconds", "When this was asked.", "", [("", found["time"])]),
        _Metric("notes", "How many things there are to look at.", "", [("", len(notes))]),
        _Metric("note", "Something to look at, and what to do.", "note", [(note, 1) for note in notes]),
        _Metric("certificate_end_timestamp_seconds", "Until when a certificate that HAProxy uses counts.",
                "certificate", found["certificate_ends"].items()),
    )  # fmt: skip
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: _Metric) -> Iterator[str]:
    name = f"haproxy_ha_{metric.name}"
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} gauge"
    for value, number in metric.samples:
        label = f'{{{metric.label}="{_escaped(value)}"}}' if metric.label else ""
        yield f"{name}{label} {number:.0f}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
