"""
The formula as two Salt extensions: the sources of each, put together from this tree, so that ``python -m build`` makes
its sdist and its wheel of them.

    python3 tools/extensions.py      # writes build/saltext-pacemaker/ and build/saltext-haproxy-ha/
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"
SOURCES = {
    "saltext-pacemaker": {
        "_utils/saltext/pacemaker": "saltext/pacemaker",
        "_modules/pacemaker.py": "saltext/pacemaker/modules/pacemaker.py",
        "_states/pacemaker.py": "saltext/pacemaker/states/pacemaker.py",
    },
    "saltext-haproxy-ha": {
        "_utils/haproxy_ha_lib": "haproxy_ha_lib",
        "_utils/haproxy_ha_host": "haproxy_ha_host",
        "_modules/haproxy_ha.py": "saltext/haproxy_ha/modules/haproxy_ha.py",
        "_modules/haproxy_ha_operator.py": "saltext/haproxy_ha/modules/haproxy_ha_operator.py",
        "_modules/digitalocean.py": "saltext/haproxy_ha/modules/digitalocean.py",
        "_modules/hetzner.py": "saltext/haproxy_ha/modules/hetzner.py",
        "_runners/haproxy_ha.py": "saltext/haproxy_ha/runners/haproxy_ha.py",
        "_states/haproxy_ha.py": "saltext/haproxy_ha/states/haproxy_ha.py",
        "haproxy_ha": "saltext/haproxy_ha/formula/haproxy_ha",
    },
}
"""What each consists of: paths here, and below its src/."""
_NOT_SOURCES = shutil.ignore_patterns("__pycache__", "*.pyc")


def version() -> str:
    """Return the version of all that is released together."""
    text = (REPOSITORY / "_utils/saltext/pacemaker/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found
    return found[1]


def assemble(name: str, directory: Path) -> Path:
    """Put the sources of an extension into a directory of its name below ``directory``; returns that."""
    target = directory / name
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(REPOSITORY / "extension" / name, target, ignore=_NOT_SOURCES)
    project = target / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("@VERSION@", version()), encoding="utf-8")
    shutil.copy(REPOSITORY / "LICENSE", target)
    for source, place in SOURCES[name].items():
        _copy(REPOSITORY / source, target / "src" / place)
    return target


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=_NOT_SOURCES, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    for extension in SOURCES:
        print(assemble(extension, BUILD).relative_to(REPOSITORY))
