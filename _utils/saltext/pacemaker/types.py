"""
Names for the shapes of data that the parts of the engine hand to each other.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, TypeAlias

from saltext.pacemaker.errors import Problem

Element: TypeAlias = ET.Element
Data: TypeAlias = dict[str, Any]
"""A mapping of the data's form (the execution module ``pacemaker`` describes it), or of what its functions return."""
Key: TypeAlias = tuple[str, str]
"""The section and the id of an object."""
Objects: TypeAlias = dict[Key, Any]
Path: TypeAlias = tuple[Any, ...]
"""The keys and numbers that lead to a place in data."""
Report: TypeAlias = Callable[[Problem], object]
"""Takes what is wrong, such as ``append`` of a list."""
Parents: TypeAlias = dict[Element, Element]
Actions: TypeAlias = dict[str, dict[str, list[Data]]]
"""{"resources": {id: [action]}, "nodes": {name: [action]}} of the scheduler."""
Counts: TypeAlias = dict[tuple[str, str], str]
"""Fail counts by resource and node."""
Containers: TypeAlias = dict[str, tuple[str, ...]]
"""What each primitive is in, the outermost first."""
