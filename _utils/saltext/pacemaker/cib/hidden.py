"""
What of a configuration is secret, and a word in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from saltext.pacemaker import words
from saltext.pacemaker.cib import nvsets, values
from saltext.pacemaker.cib.settings import SETTINGS
from saltext.pacemaker.types import Data

MARKER = "(secret: its value goes here)"
"""Stands for a secret in exported data; in desired data it means the value that the cluster has."""

_SETS = {"params", "meta", *SETTINGS}
"""Where names have values: in sets of an object, in sections that are sets, and of nodes."""


def hide(data: Any, shown: str = MARKER) -> None:
    """
    Replace, in place, what is secret: a value by its name or by what it looks like, any other text (the value of an
    alert's recipient, a description) by what it looks like.
    """
    for key, value in _items(data):
        if key in _SETS:
            _hide_sets(value, shown)
        elif isinstance(value, str):
            data[key] = shown if words.is_credential(value) else value
        else:
            hide(value, shown)


def _items(data: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(data, dict):
        return list(data.items())
    return list(enumerate(data)) if isinstance(data, list) else ()


def _hide_sets(value: Any, shown: str) -> None:
    if not isinstance(value, (dict, list)):
        return
    for one in nvsets.as_sets(value):
        attributes = one.get("attributes") if isinstance(one, dict) else None
        if isinstance(attributes, dict):
            _hide_named(attributes, shown)
        for pair in attributes if isinstance(attributes, list) else ():
            if "value" in pair and values.is_secret(pair.get("name") or "", pair["value"]):
                pair["value"] = shown


def _hide_named(attributes: Data, shown: str) -> None:
    for name, given in attributes.items():
        if isinstance(given, (dict, list)):  # the sets of a node
            _hide_sets(given, shown)
        elif values.is_secret(name, given):
            attributes[name] = shown
