"""Tests mirror the product: where a file of tests stands, what it imports, and how long it is."""

import ast
from collections import Counter

import pytest

from support import REPOSITORY
from support.imports import imported

TEST, UNIT = REPOSITORY / "test", REPOSITORY / "test" / "unit"
LIB, ENGINE = REPOSITORY / "_utils" / "haproxy_ha_lib", REPOSITORY / "_utils" / "saltext" / "pacemaker"
FILES = sorted(TEST.rglob("*.py"))
TESTS = [path for path in FILES if path.name.startswith("test_")]
PURE = [path for path in LIB.iterdir() if path.name != "__pycache__" and path.stem not in ("__init__", "types")]
# Beside what decides: the other floors, the house itself, and what tests the tests.
BESIDE = {"host", "house", "lab", "modules"}
MOST_LINES = 600


def where(path):
    return str(path.relative_to(TEST))


def packages(folder):
    """The packages below a folder, as paths from there."""
    return {str(path.parent.relative_to(folder)) for path in folder.rglob("__init__.py")} - {"."}


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_what_decides_has_tests_in_the_place_of_its_name(path):
    assert [*UNIT.glob(f"{path.stem}/test_*.py"), *UNIT.glob(f"test_{path.stem}*.py")]


def test_a_folder_of_unit_tests_has_the_name_of_what_it_tests():
    folders = {str(path.parent.relative_to(UNIT)) for path in TESTS if path.is_relative_to(UNIT)} - {"."}
    engine = {"pacemaker", *(f"pacemaker/{name}" for name in packages(ENGINE))}
    assert folders - {path.stem for path in PURE} - engine == BESIDE


def test_a_file_of_unit_tests_beside_the_folders_is_of_a_module():
    modules = tuple(f"test_{path.stem}" for path in PURE if path.is_file())
    assert [path.name for path in UNIT.glob("test_*.py") if not path.name.startswith(modules)] == []


@pytest.mark.parametrize("path", [*TESTS, *TEST.rglob("conftest.py"), *TEST.glob("support/*.py")], ids=where)
def test_no_test_imports_another(path):
    tests = {test.stem for test in TESTS} | {"conftest"}
    assert not [name for name in imported(path) if tests & set(name.split("."))]


# What the standard library calls so, and means for everybody.
FOR_ALL = {"_asdict", "_exit", "_fields", "_replace"}
OWN = {"self", "cls"}


def privates(path):
    """The names with an underscore that a file takes of others, or replaces there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in OWN):
            yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "patch.object")):
            yield from (word.value for word in node.args[1:2] if isinstance(word, ast.Constant))


@pytest.mark.parametrize("path", FILES, ids=where)
def test_no_test_reaches_into_what_is_private(path):
    """The runner of commands, the clock and the minion are handed in, or replaced by their public names."""
    taken = {name for name in privates(path) if name.startswith("_") and not name.startswith("__")}
    assert not taken - FOR_ALL


def test_each_file_of_tests_has_a_name_of_its_own():
    """Pytest imports them by it, wherever they stand; so do documents name them."""
    assert [name for name, count in Counter(path.name for path in TESTS).items() if count > 1] == []


@pytest.mark.parametrize("path", FILES, ids=where)
def test_a_file_is_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_what_lies_loose_is_no_module():
    """Helpers are in support; programs for people in tools, which need nothing of the tests."""
    assert [path.name for path in TEST.glob("*.py")] == ["conftest.py"]
    tests = {path.name for path in TEST.iterdir() if path.is_dir()} | {"test"}
    assert not [(path.name, name) for path in (REPOSITORY / "tools").glob("*.py") for name in imported(path)
                if name.split(".")[0] in tests]  # fmt: skip


def test_each_file_of_the_lab_has_a_number_that_says_its_place_in_the_run():
    numbers = [path.name.split("_")[1] for path in TESTS if path.parent == TEST / "lab"]
    assert all(len(number) == 2 and number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)
