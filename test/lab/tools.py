"""A place with every program that functional tests drive: the lab's image, no network, the repository read-only.

The machine itself gets none of these daemons.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from support import REPOSITORY, agent_history

from . import image
from .container import end_container, nspawn
from .image import CACHE, overlay_mount, privately
from .shell import LabError

MOUNTED_AT = "/srv/haproxy_ha"
CORPUS_AT = "/srv/corpus"


def run(
    argv: list[str], salt_release: str = image.SALT, debian: str = image.DEBIAN, packages: tuple[str, ...] = ()
) -> int:
    """Run a command in the repository, inside the tools' image with further packages; returns its exit code."""
    return _run(argv, image.build(debian, salt_release), packages).returncode


def output(argv: list[str], debian: str, packages: tuple[str, ...]) -> str:
    """What a command prints there, with further packages installed; a LabError if it fails."""
    done = _run(argv, image.build(debian), packages, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"exit {done.returncode}: {' '.join(argv)}")
    return done.stdout


def _run(argv: list[str], built: image.Image, packages: tuple[str, ...] = (), **options) -> subprocess.CompletedProcess:
    tools = image.build_tools(built, packages)
    _sweep()
    place = CACHE / f".tools-{os.getpid()}"
    try:
        mounts = [overlay_mount(place / "root", [tools, *built.layers], place / "upper")]
        return subprocess.run(privately(mounts, _command(place, argv)), check=False, **options)
    finally:
        end_container(_machine(place))
        shutil.rmtree(place, ignore_errors=True)


def _machine(place: Path) -> str:
    return f"hha{place.name.replace('.', '-')}"


def _sweep() -> None:
    """Clear away what killed calls have left: their container may still run."""
    for place in CACHE.glob(".tools-*"):
        pid = place.name.rpartition("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists():
            end_container(_machine(place))
            shutil.rmtree(place, ignore_errors=True)


def _command(place: Path, argv: list[str]) -> list[str]:
    environment = {
        "PATH": "/opt/salt/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
        "LC_ALL": "C.UTF-8",
    }
    binds = [f"--bind-ro={REPOSITORY}:{MOUNTED_AT}"]
    corpus = os.environ.get("CIB_CORPUS")
    if corpus:
        binds.append(f"--bind-ro={Path(corpus).resolve()}:{CORPUS_AT}")
        environment["CIB_CORPUS"] = CORPUS_AT
    past = agent_history.written(CACHE)
    if past:
        binds.append(f"--bind-ro={past}:{agent_history.PLACE}")
    settings = [f"--setenv={name}={value}" for name, value in environment.items()]
    return nspawn(
        _machine(place),
        place / "root",
        "--private-network",
        "--as-pid2",
        "--pipe",
        *binds,
        *settings,
        f"--chdir={MOUNTED_AT}",
        *argv,
    )
