"""A place with every program that functional tests drive: the lab's image, no network, the repository read-only.

The machine itself gets none of these daemons.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from . import image
from .cloud import REPOSITORY
from .container import nspawn, remove_cgroups
from .image import CACHE, overlay_mount, privately
from .shell import LabError

MOUNTED_AT = "/srv/haproxy_ha"
CORPUS_AT = "/srv/corpus"
MACHINE = f"hha-tools-{os.getpid()}"


def run(argv: list[str], salt_release: str = "3008", debian: str = "bookworm") -> int:
    """Run a command in the repository, inside the tools' image; returns its exit code."""
    return _run(argv, image.build(debian, salt_release)).returncode


def output(argv: list[str], debian: str, packages: tuple[str, ...]) -> str:
    """What a command prints there, with further packages installed; a LabError if it fails."""
    done = _run(argv, image.build(debian), packages, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"exit {done.returncode}: {' '.join(argv)}")
    return done.stdout


def _run(argv: list[str], built: image.Image, packages: tuple[str, ...] = (), **options) -> subprocess.CompletedProcess:
    tools = image.build_tools(built, packages)
    upper, root = CACHE / f".tools-{os.getpid()}.upper", CACHE / f".tools-{os.getpid()}.root"
    try:
        mounts = [overlay_mount(root, [tools, *built.layers], upper)]
        return subprocess.run(privately(mounts, _command(root, argv)), check=False, **options)
    finally:
        remove_cgroups(MACHINE)
        for path in (root, upper, upper.with_name(upper.name + ".work")):
            shutil.rmtree(path, ignore_errors=True)


def _command(root: Path, argv: list[str]) -> list[str]:
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
    settings = [f"--setenv={name}={value}" for name, value in environment.items()]
    return nspawn(
        MACHINE,
        root,
        "--private-network",
        "--as-pid2",
        "--pipe",
        *binds,
        *settings,
        f"--chdir={MOUNTED_AT}",
        *argv,
    )
