"""How systemd-nspawn is called here."""

from __future__ import annotations

from pathlib import Path

# nspawn keeps a directory per machine below /run and can remove it only from a tmpfs, which /run is not everywhere.
OWN_RUN = 'mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn && exec "$@"'


def nspawn(name: str, root: Path, *options: str) -> list[str]:
    """The command that runs a container of that machine name, unregistered, with every capability inside."""
    return [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        OWN_RUN,
        "sh",
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        f"--machine={name}",
        "--directory",
        str(root),
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--capability=all",
        *options,
    ]
