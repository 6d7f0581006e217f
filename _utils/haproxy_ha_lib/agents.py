"""
The agents as they are installed: a directory for each version of all that they consist of, and a link that names it.

A program (a resource agent, the fence agent) is run by a few lines that are the same in every version and read
everything else from the directory that they are in: whatever the link names a moment later, an action is of one
version. They also take the program as it was compiled, which a script that is run directly never is: 10 ms of CPU where
that takes 19 (measured, haproxy).
"""

from __future__ import annotations

import hashlib
import json

from haproxy_ha_lib.files.entry import FileEntry, owned_by_root

FOLDER = "haproxy_ha/files/agents"
"""Where the formula's file server has them."""
LIST = "haproxy_ha/agents.sha256"
"""The list of them there, as sha256sum(1) writes it."""
SHARED = (
    "_utils/haproxy_ha_lib/__init__.py",
    "_utils/haproxy_ha_lib/cloud/__init__.py",
    "_utils/haproxy_ha_lib/cloud/answers.py",
    "_utils/haproxy_ha_lib/cloud/calls.py",
    "_utils/haproxy_ha_lib/cloud/machines.py",
    "_utils/haproxy_ha_lib/digitalocean/__init__.py",
    "_utils/haproxy_ha_lib/digitalocean/droplets.py",
    "_utils/haproxy_ha_lib/digitalocean/reserved.py",
    "_utils/haproxy_ha_lib/hetzner/__init__.py",
    "_utils/haproxy_ha_lib/hetzner/addresses.py",
    "_utils/haproxy_ha_lib/hetzner/listed.py",
    "_utils/haproxy_ha_lib/hetzner/servers.py",
    "_utils/haproxy_ha_host/__init__.py",
    "_utils/haproxy_ha_host/connection.py",
)
"""What stands once, for Salt's modules and for the agents, and is imported by the same names there."""

_FENCE = "fence_"
_ALERT = "alert_"

# -I leaves the directory of the script out of the path, and -B writes no bytecode; what is there is read all the same.
_LAUNCHER = '''\
#!/usr/bin/python3 -BIS
"""Runs programs/{name}.py of this version. These lines are the same in every version (haproxy_ha_lib.agents)."""
import os
import sys
from _frozen_importlib_external import SourceFileLoader

home = os.path.dirname({place})
sys.path.insert(0, home)
__file__ = os.path.join(home, "{name}")
exec(SourceFileLoader("__main__", os.path.join(home, "programs", "{name}.py")).get_code("__main__"))
'''
_HERE = "os.path.realpath(__file__)"


def listed(listing: str) -> dict[str, str]:
    """The SHA-256 of each of the agents' files, by its name, of the text of :data:`LIST`."""
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in listing.splitlines())}


def checksum(text: str) -> str:
    """The SHA-256 of a text (hexadecimal)."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def shared_name(path: str) -> str:
    """The name among the agents' files of one of :data:`SHARED`."""
    return path.removeprefix("_utils/")


def shared_module(path: str) -> str:
    """By which name one of :data:`SHARED` is imported."""
    return shared_name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def version(sources: dict[str, str]) -> dict[str, FileEntry]:
    """
    The files of a version, by their path below its directory.

    sources
        The text of each file of the formula by its name: programs have no ending, modules and shell scripts have one.

    The fence agent and the alert agent are in directories of their own, because Pacemaker lists every executable beside
    the resource agents as one.
    """
    files = {}
    for name, text in sorted(sources.items()):
        files[place_of(name)] = owned_by_root(text, "0755" if name.startswith(_ALERT) else "0644")
        if _is_program(name):
            path, place = (f"fence/{name}", f"os.path.dirname({_HERE})") if is_fence(name) else (name, _HERE)
            files[path] = owned_by_root(_LAUNCHER.format(name=name, place=place), "0755")
    return files


def place_of(name: str) -> str:
    """Where a version has the text of a file of the formula: its path below the version's directory."""
    if name.startswith(_ALERT):
        return f"alert/{name}"
    return f"programs/{name}.py" if _is_program(name) else name


def _is_program(name: str) -> bool:
    return "." not in name


def is_fence(name: str) -> bool:
    """Whether a program is a fence agent, by its name, as Pacemaker tells it."""
    return name.startswith(_FENCE)


def programs(files: dict[str, FileEntry]) -> list[str]:
    """The paths of a version's programs that have meta-data."""
    return [path for path, entry in files.items() if entry.mode == "0755" and not path.startswith("alert/")]


def digest(files: dict[str, FileEntry]) -> str:
    """The name of a version's directory: 16 hexadecimal digits of its files."""
    facts = [[path, entry.mode, entry.content] for path, entry in sorted(files.items())]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def summary(entry: FileEntry | None) -> str | None:
    """A file in one line: its mode, and the beginning of its SHA-256; a version's files are too long to be shown."""
    if entry is None:
        return None
    if entry.content is None:
        return f"link to {entry.link}"
    return f"{entry.mode} sha256:{checksum(entry.content)[:12]}"
