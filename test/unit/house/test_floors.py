"""The floors of the house: what each may import. The Pacemaker engine has tests of its own (test_engine.py)."""

from graphlib import TopologicalSorter

import pytest

from support import REPOSITORY
from support.imports import imported

UTILS = REPOSITORY / "_utils"
LIB = sorted((UTILS / "haproxy_ha_lib").rglob("*.py"))
HOST = sorted((UTILS / "haproxy_ha_host").rglob("*.py"))
MODULES = sorted((REPOSITORY / "_modules").glob("*.py"))
STATES = sorted((REPOSITORY / "_states").glob("*.py"))
# What a part that only decides does not need.
OUTSIDE = {"haproxy_ha_host", "http", "os", "requests", "salt", "shutil", "socket", "subprocess", "tempfile"}
# What pillar means is decided before a host is asked for anything: these alone know where settings come from.
OF_PILLAR = {"pillar", "settings"}
RECORDS = "haproxy_ha_lib.settings.types"
KNOW_PILLAR = {"minion", "rendering"}


def ids(path):
    return path.stem


@pytest.mark.parametrize("path", LIB, ids=ids)
def test_what_only_decides_touches_nothing(path):
    assert not {name.split(".")[0] for name in imported(path)} & OUTSIDE
    assert not [name for name in imported(path) if name.startswith("saltext.pacemaker.live")]


@pytest.mark.parametrize("path", HOST, ids=ids)
def test_what_acts_on_a_host_knows_no_pillar_and_is_told_what_salt_knows(path):
    names = [name for name in imported(path) if not name.startswith(RECORDS)]
    of_pillar = {name for name in names if name.removeprefix("haproxy_ha_lib.").split(".")[0] in OF_PILLAR}
    assert not of_pillar or path.stem in KNOW_PILLAR
    assert "__salt__" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*HOST, *MODULES, *STATES], ids=ids)
def test_a_command_is_started_by_the_one_runner(path):
    assert "subprocess" not in {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("path", STATES, ids=ids)
def test_a_state_asks_the_execution_modules(path):
    assert not [name for name in imported(path) if name.startswith(("haproxy_ha_host", "saltext.pacemaker.live"))]


def test_no_import_goes_round():
    modules = {".".join(path.relative_to(UTILS).with_suffix("").parts): path for path in (*LIB, *HOST)}
    TopologicalSorter({name: set(imported(path)) & set(modules) for name, path in modules.items()}).prepare()


@pytest.mark.parametrize("path", MODULES + STATES, ids=ids)
def test_what_people_call_is_documentation_and_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600
