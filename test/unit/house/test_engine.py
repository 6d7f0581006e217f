"""The Pacemaker engine stands alone: what it imports."""

from graphlib import TopologicalSorter

import pytest

from support import REPOSITORY
from support.imports import imported

UTILS = REPOSITORY / "_utils"
ENGINE = UTILS / "saltext" / "pacemaker"
LIVE = ENGINE / "live"
FILES = sorted(ENGINE.rglob("*.py"))
# What a part that only decides does not need.
OUTSIDE = {"os", "salt", "shutil", "socket", "subprocess", "tempfile", "time"}
PRODUCT = {"haproxy_ha_host", "haproxy_ha_lib"}


def module(path):
    return ".".join(path.relative_to(UTILS).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for path in FILES}


def first_words(path):
    return {name.split(".")[0] for name in imported(path)}


def ids(path):
    return module(path).removeprefix("saltext.pacemaker") or "."


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_the_engine_knows_nothing_of_the_product(path):
    assert not first_words(path) & PRODUCT
    assert "haproxy" not in module(path)


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != LIVE], ids=ids)
def test_what_only_decides_touches_nothing(path):
    assert not first_words(path) & OUTSIDE
    assert not [name for name in imported(path) if name.startswith(module(LIVE))]


@pytest.mark.parametrize("path", sorted(LIVE.glob("*.py")), ids=ids)
def test_what_acts_knows_no_salt_and_starts_its_commands_in_one_place(path):
    here = first_words(path)
    assert "salt" not in here
    assert ("subprocess" in here) == (path.stem == "process")
    assert "time" not in here or path.stem == "machine"


def test_no_import_goes_round():
    arrows = {name: [one for one in imported(path) if one in MODULES] for name, path in MODULES.items()}
    TopologicalSorter(arrows).prepare()


def test_saltext_is_shared_with_the_extensions_that_a_minion_has():
    """A package of one name in many places (PEP 420): a file that is its own would hide the others."""
    assert not (UTILS / "saltext" / "__init__.py").exists()
