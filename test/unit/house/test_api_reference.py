"""The reference of modules and states is that of their docstrings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import api_reference

# In a process of its own: with stand-ins for Salt, and without them, the formula's packages are not the same.
PRINT = """
import json
from tools import api_reference
print(json.dumps({str(path): text for path, text in api_reference.pages().items()}))
"""
PRINTED = subprocess.run(
    [sys.executable, "-c", PRINT], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    capture_output=True, check=True, text=True,
).stdout  # fmt: skip
PAGES = {Path(path): text for path, text in json.loads(PRINTED).items()}


def test_a_module_has_a_page_and_no_other_is_there():
    assert sorted(api_reference.PAGES.iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_what_the_docstrings_say(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "run: make docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_nothing_of_the_docstrings_own_markup_is_left(path):
    assert not [line for line in PAGES[path].splitlines() if "``" in line.replace("```", "") or ":func:" in line
                or ".. code-block" in line or line.endswith("::")]  # fmt: skip


def test_parameters_and_code_become_entries_and_fences():
    text = """Do it.

name : ``None``
    What to do; see :func:`other`.

    .. code-block:: yaml

        a: ``b``
with, or (or without)
    Words.
"""
    assert api_reference.markdown(text) == """Do it.

- **name** (default `None`)
  What to do; see `other`.

  ```yaml
  a: ``b``
  ```
- **with, or (or without)**
  Words.
"""
