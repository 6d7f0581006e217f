"""Files that documents name are there."""

import re

import pytest

from support import REPOSITORY

DOCUMENTS = [REPOSITORY / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")]
HIDDEN = {".git", ".venv", "build", "__pycache__"}
FILES = {
    str(path.relative_to(REPOSITORY))
    for path in REPOSITORY.rglob("*.*")
    if path.is_file() and not HIDDEN & set(path.relative_to(REPOSITORY).parts)
}
NAMED = re.compile(r"(?<![\w/:.*-])[\w-][\w./-]*\.(?:jinja|json|md|py|sls|toml|txt|yaml)\b")
# Files of a user's own.
THEIRS = {"top.sls"}


def named(path):
    """The names of files in a document, links and running text alike."""
    return sorted(set(NAMED.findall(path.read_text(encoding="utf-8"))) - THEIRS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_file_that_is_named_is_there(path):
    found = named(path)
    assert found
    assert [name for name in found if not any(f"/{path}".endswith(f"/{name}") for path in FILES)] == []


@pytest.mark.parametrize("path", DOCUMENTS[1:], ids=lambda path: path.stem)
def test_a_folder_that_is_named_is_there(path):
    spans = re.findall(r"`((?:[\w.-]+/)+)`", path.read_text(encoding="utf-8"))
    assert spans
    assert [name for name in spans if not (REPOSITORY / name).is_dir()] == []
