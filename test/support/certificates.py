"""Self-signed certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(directory: Path, name: str, alternative: str = "") -> tuple[Path, Path]:
    """A certificate of that name (and an alternative one) with its key, as files: (certificate, key)."""
    paths = directory / f"{name}.crt", directory / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
         "-subj", f"/CN={name}", "-out", paths[0], "-keyout", paths[1],
         *(["-addext", f"subjectAltName={alternative}"] if alternative else [])], check=True, capture_output=True,
    )  # fmt: skip
    return paths
