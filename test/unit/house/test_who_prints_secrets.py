"""Whoever reads of a function that prints a secret reads of `--local`, too: a master keeps what it is told."""

import ast
import re

import pytest

from support import REPOSITORY
from support.documents import EVERY_PAGE, REFERENCE

CALLS = {
    "haproxy_ha.generate_authkey": r"generate_authkey",
    "haproxy_ha.generate_quorum_certificates": r"generate_quorum_certificates",
    "haproxy_ha.export": r"secrets=True",
    "haproxy_ha.export_corosync": r"secrets=True",
    "pacemaker.export": r"secrets=True",
}
"""The functions that print a secret, and how a text calls them when they do."""
NAMED = re.compile("|".join([*CALLS.values(), r"sdb\.get sdb://"]))
MODULES = sorted((REPOSITORY / "_modules").glob("*.py"))
SOURCES = [path for folder in ("_modules", "_states", "_utils") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
TEXTS = [*EVERY_PAGE, REPOSITORY / "CHANGELOG.md"]


def where(path):
    return str(path.relative_to(REPOSITORY))


def guarded(path):
    """The functions of a module that ask whether a master would be told."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and re.search(r"refuse_to_tell_master|file_client", ast.unparse(node)):
            yield f"{path.stem.removesuffix('_operator')}.{node.name}"


def said(path):
    """What a source says: its texts, but for those that are given to whoever adds `--local`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    refuse = [call for call in calls if ast.unparse(call.func).endswith("refuse_to_tell_master")]
    adds = {id(word) for call in refuse for word in call.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in adds:
            yield node.value


def test_these_are_all_that_print_one():
    assert {name for path in MODULES for name in guarded(path)} == set(CALLS)


@pytest.mark.parametrize("path", SOURCES, ids=where)
def test_messages_and_docstrings_say_local(path):
    assert [text for text in said(path) if NAMED.search(text) and "--local" not in text] == []


@pytest.mark.parametrize("path", TEXTS, ids=where)
def test_documents_say_local(path):
    """In the same paragraph; on a page from docstrings, below the function's heading."""
    between = r"\n(?=#+ )" if path in REFERENCE else r"\n\s*\n|\n(?=- )"
    blocks = re.split(between, path.read_text(encoding="utf-8"))
    assert [block for block in blocks if NAMED.search(block) and "--local" not in block] == []
