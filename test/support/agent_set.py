"""The agents as the formula installs them, for tests."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from haproxy_ha_host import agents
from haproxy_ha_lib import agents as rules
from support import REPOSITORY
from tools import lists


def sources() -> dict[str, str]:
    """The text of each file of the agents, by its name, as this checkout has it."""
    folder = REPOSITORY / rules.FOLDER
    names = rules.listed(lists.listings()[rules.LIST])
    shared = {rules.shared_name(path): _text(REPOSITORY / path) for path in rules.SHARED}
    return {**{name: _text(folder / name) for name in names}, **shared}


def sources_with(programs: Path) -> dict[str, str]:
    """The same, with a directory of stand-ins first in the PATH of what they run."""
    texts, path = sources(), 'PATH = "'
    assert texts["agent.py"].count(path) == 1
    return {**texts, "agent.py": texts["agent.py"].replace(path, f"{path}{programs}:")}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def place(root: Path | str) -> agents.Place:
    """A machine's directories below another root."""
    for name in ("resource.d", "sbin"):
        Path(root, name).mkdir(exist_ok=True)
    return agents.Place(f"{root}/resource.d/haproxy_ha", f"{root}/versions", f"{root}/sbin")


def install(root: Path | str, texts: dict[str, str] | None = None) -> agents.Place:
    """Install a set of texts, this checkout's by default, as a run does; whoever runs the tests owns it."""
    where, mine = place(root), {"user": str(os.geteuid()), "group": str(os.getegid())} if os.geteuid() else {}
    agents.install(where, {path: replace(entry, **mine) for path, entry in rules.version(texts or sources()).items()})
    return where


def install_of_former_days(root: Path | str, texts: dict[str, str]) -> agents.Place:
    """Install a set as runs did before there were versions: one file after the other, in a directory."""
    where = place(root)
    Path(where.link).mkdir()
    for name, text in texts.items():
        path = Path(where.fence if rules.is_fence(name) else where.link, name)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644 if "." in name else 0o755)
    return where


def load(directory: Path, name: str):
    """A program as a module, with the modules of its version's directory, the argument, as attributes."""
    sys.path.insert(0, str(directory))
    try:
        loader = SourceFileLoader(f"agent_{name}", str(directory / "programs" / f"{name}.py"))
        module = module_from_spec(spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        for path in sorted(directory.glob("*.py")):
            setattr(module, path.stem, import_module(path.stem))
    finally:
        sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(directory))]
    return module
