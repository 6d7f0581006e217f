"""Whether the formula's modules are on this minion, and are those that belong to its states."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import salt.loader

import saltext.pacemaker
from haproxy_ha_host import files

_ENGINE = "_utils/saltext/pacemaker/"
# What the SLS files ask for, one function of each module.
_MODULES = ("pacemaker.plan", "digitalocean.metadata")
_STATES = ("haproxy_ha.settings_valid", "pacemaker.configured")
# Where a sync puts the formula's packages.
_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def find_missing(functions: Mapping[str, Any], opts: Mapping[str, Any]) -> list[str]:
    """
    Return which of the formula's modules and states are not here: a list of ``module.function``.

    functions
        Salt's execution modules.
    opts
        The minion's configuration (dict).
    """
    states = salt.loader.states(opts, functions, None, None)
    return [
        name for names, loaded in ((_MODULES, functions), (_STATES, states)) for name in names if name not in loaded
    ]


def find_stale(listing: str, modules: str) -> list[str]:
    """
    Return which of the formula's modules here are not those of a list: a list of paths in the formula's repository.

    listing
        The text of ``haproxy_ha/modules.sha256``.
    modules
        The directory of the execution modules.
    """
    wanted = [line.partition("  ")[::2] for line in listing.splitlines()]
    places = {path: _place(path, modules) for _, path in wanted}
    stale = [path for checksum, path in wanted if files.checksum(places[path]) != checksum]
    return [f"{path}{_of_extension(places[path])}" for path in stale]


def _place(path: str, modules: str) -> str:
    """Where a file of the formula's repository is on this minion: packages where they were imported from."""
    folder, _, name = path.partition("/")
    if path.startswith(_ENGINE):
        return os.path.join(_engine(), path[len(_ENGINE) :])
    if folder == "_utils":
        return os.path.join(_PACKAGES, name)
    above, own = os.path.split(modules)
    kind = own.replace("modules", folder.strip("_"))
    beside = os.path.join(above, kind, name)
    # What is beside it was synced, or is in one extension; the engine's extension has modules of its own.
    return beside if os.path.exists(beside) else os.path.join(_engine(), folder.strip("_"), name)


def _engine() -> str:
    """The directory of the engine; it may be that of an extension, which precedes what is synced."""
    return os.path.dirname(os.path.abspath(saltext.pacemaker.__file__))


def _of_extension(place: str) -> str:
    """The place of a file that an extension has, because no sync brings another one, as text."""
    installed = any(place.startswith(f"{root}{os.sep}") for root in _extensions())
    return f" (of an extension, {place})" if installed else ""


def _extensions() -> list[str]:
    """The directories that extensions of ours are installed in."""
    of_engine = os.path.dirname(os.path.dirname(_engine()))
    roots = [of_engine] if of_engine != _PACKAGES else []
    own = importlib.util.find_spec("saltext.haproxy_ha")
    if own and own.origin:
        roots.append(os.path.dirname(os.path.dirname(os.path.dirname(own.origin))))
    return roots
