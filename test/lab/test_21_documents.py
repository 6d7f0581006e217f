"""Every command of README and docs/, taken from its document and typed in the lab, does what the text says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import audit, lab, salt, scenes
from lab.typed import Page
from support import REPOSITORY, documents, not_typed

pytestmark = pytest.mark.slow


def order(section: documents.Section) -> int:
    """Bare hosts first, then a pair that is well, and last what takes it away."""
    if section.place in scenes.FIRST:
        return -1
    return 1 + scenes.LAST.index(section.place) if section.place in scenes.LAST else 0


def to_type(section: documents.Section) -> list[documents.Command]:
    return [command for command in section.commands if not not_typed.reason(command)]


SECTIONS = sorted(filter(to_type, documents.sections()), key=order)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of this repository, for what is typed in one."""
    copy = tmp_path_factory.mktemp("checkout") / "haproxy_ha"
    shutil.copytree(REPOSITORY, copy, symlinks=True, ignore=shutil.ignore_patterns("build", ".venv", "__pycache__"))
    return copy


@pytest.fixture(scope="module")
def system() -> Iterator[None]:
    """Bare hosts at first; the sections make the pair themselves."""
    lab.up()
    salt.set_pillar(scenes.pillar())
    yield
    lab.down()


@pytest.mark.parametrize("section", SECTIONS, ids=[section.place for section in SECTIONS])
def test_what_a_section_has_people_type(section, system, checkout):
    page = Page(section.place, to_type(section), checkout)
    if section.place in scenes.SCENES:
        scenes.SCENES[section.place](page)
    page.rest()
    assert section.place in scenes.LAST or audit.settle(180)
