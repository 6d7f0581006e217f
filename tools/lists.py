"""
Write the lists by which a minion knows what belongs to the states: `haproxy_ha/modules.sha256`, Salt's modules and
their packages, and `haproxy_ha/agents.sha256`, the agents. With --check: only say which list is of other files.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
MODULES, AGENTS = "haproxy_ha/modules.sha256", "haproxy_ha/agents.sha256"


def listings(root: Path = REPOSITORY) -> dict[str, str]:
    """The text of each list by its path, of the files below a directory, as sha256sum(1) writes it."""
    modules = [path for part in ("_modules", "_states", "_utils") for path in (root / part).rglob("*.py")]
    folder = root / "haproxy_ha/files/agents"
    agents = [path for path in folder.iterdir() if path.suffix in ("", ".py", ".sh") and path.is_file()]
    return {MODULES: _listing(modules, root), AGENTS: _listing(agents, folder)}


def _listing(paths: Iterable[Path], below: Path) -> str:
    named = sorted((str(path.relative_to(below)), path) for path in paths)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in named)


def outdated(root: Path = REPOSITORY) -> list[str]:
    """The lists that are of other files than are below a directory."""
    return [name for name, text in listings(root).items() if not _has(root / name, text)]


def _has(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="ascii") == text


def write(root: Path = REPOSITORY, to: Path | None = None) -> None:
    """Write the lists of what is below a directory; ``to`` another one, if they are not to be there."""
    for name, text in listings(root).items():
        path = (to or root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(f"{name} is of other files: run make modules" for name in outdated()) or None)
    write()
