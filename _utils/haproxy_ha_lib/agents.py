"""
The agents as they are installed: a directory for each version of all that they consist of, and a link that names it.

A program (a resource agent, the fence agent) is run by a few lines that are the same in every version and read
everything else from the directory that they are in: whatever the link names a moment later, an action is of one
version. They also take the program as it was compiled, which a script that is run directly never is: 10 ms of CPU where
that takes 19 (measured, haproxy).
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys

from haproxy_ha_lib.files.entry import FileEntry, owned_by_root

FOLDER = "haproxy_ha/files/agents"
"""Where the formula's file server has them."""
SHARED = (
    "_utils/haproxy_ha_lib/__init__.py",
    "_utils/haproxy_ha_lib/digitalocean/__init__.py",
    "_utils/haproxy_ha_lib/digitalocean/answers.py",
    "_utils/haproxy_ha_lib/digitalocean/calls.py",
    "_utils/haproxy_ha_lib/digitalocean/droplets.py",
    "_utils/haproxy_ha_lib/digitalocean/reserved.py",
    "_utils/haproxy_ha_host/__init__.py",
    "_utils/haproxy_ha_host/digitalocean.py",
)
"""What stands once, for Salt's modules and for the agents, and is imported by the same names there."""

_NAME = re.compile(r"[A-Za-z0-9_]+(\.py|\.sh)?")
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


def names(listing: list[str]) -> list[str]:
    """The names of the agents' files among the paths that a file server lists; not what editors and Python leave."""
    found = [path.rpartition("/") for path in listing]
    return sorted(name for folder, _, name in found if folder == FOLDER and _NAME.fullmatch(name))


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
        if name.startswith(_ALERT):
            files[f"alert/{name}"] = owned_by_root(text, "0755")
        elif "." in name:
            files[name] = owned_by_root(text)
        else:
            path, place = (f"fence/{name}", f"os.path.dirname({_HERE})") if is_fence(name) else (name, _HERE)
            files[path] = owned_by_root(_LAUNCHER.format(name=name, place=place), "0755")
            files[f"programs/{name}.py"] = owned_by_root(text)
    return files


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


def absent(sources: dict[str, str]) -> dict[str, list[str]]:
    """
    The modules that sources import and that are neither among them nor Python's own: {module: who imports it}. A file
    server that has just got new files lists them some seconds later.
    """
    known = {*sys.stdlib_module_names, *(name.partition("/")[0].removesuffix(".py") for name in sources)}
    lacking: dict[str, list[str]] = {}
    for name, text in sorted(sources.items()):
        for module in sorted(_imported(text) - known) if not name.endswith(".sh") else ():
            lacking.setdefault(module, []).append(name)
    return lacking


def _imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def summary(entry: FileEntry | None) -> str | None:
    """A file in one line: its mode, and the beginning of its SHA-256; a version's files are too long to be shown."""
    if entry is None:
        return None
    if entry.content is None:
        return f"link to {entry.link}"
    content = entry.content.encode("utf-8", "surrogateescape")
    return f"{entry.mode} sha256:{hashlib.sha256(content).hexdigest()[:12]}"
