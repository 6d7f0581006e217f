"""
What the engine raises. The texts are for people, and never quote XML.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Problem:
    """What is wrong at a path of the data, a tuple of keys and numbers; () for the whole."""

    path: tuple[Any, ...]
    text: str

    def __str__(self) -> str:
        return f"{':'.join(map(str, self.path))}: {self.text}" if self.path else self.text

    def below(self, *path: Any) -> Problem:
        """The same in data that has these at ``path``."""
        return replace(self, path=(*path, *self.path))


@dataclass(frozen=True)
class Doubt(Problem):
    """A value that Pacemaker would not understand; it would keep it all the same."""


class CibError(ValueError):
    """A CIB, or a change to it, that cannot be worked with, and all that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class DanglingError(CibError):
    """Desired data in which nothing is wrong but that it refers to what is not there."""


class Failed(Exception):
    """What was asked for could not be done."""


class NoEnd(Failed):
    """A command did not end in time."""


class Invalid(Exception):
    """What was asked for cannot be."""
