"""The two extensions, as pip builds and installs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import extensions


def site(place: Path) -> Path:
    """Build both wheels below ``place``; returns the directory that they are installed in."""
    for name in extensions.SOURCES:
        project = extensions.assemble(name, place / "sources")
        _pip("wheel", "--no-build-isolation", "--wheel-dir", place / "wheels", project)
    _pip("install", "--target", place / "site", *sorted((place / "wheels").iterdir()))
    return place / "site"


def _pip(command: str, *arguments: object) -> None:
    argv = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*argv, *map(str, arguments)], check=True, capture_output=True)
