"""
What the settings mean on this minion: whether its system is one that was tested, what the rest of its pillar has to do
with them, and which of the formula's parts belong on it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from haproxy_ha_lib.pillar import schema, shape
from haproxy_ha_lib.pillar.schema import ROOT
from haproxy_ha_lib.settings import platform
from haproxy_ha_lib.settings.types import Settings
from haproxy_ha_lib.types import Tree

PARTS = {
    "cluster": "load_balancers",
    "load_balancer": "load_balancers",
    "app_server": "app_servers",
    "quorum_helper": "quorum_helper",
}
"""The parts of the formula that a machine can have, and the table of pillar that gives each."""

# Names that hardly anybody else's tree has at the top of pillar.
_OURS_ALONE = ("load_balancers", "app_servers", "floating_ip", "floating_ips")


def on_system(settings: Settings, os_family: str | None, osfinger: str | None, families: Tree) -> Settings:
    """
    Return the settings with an error if this minion has a role and no test has run on its system.

    os_family, osfinger
        The grains of these names.
    families
        os_family.yaml.
    """
    if not settings.roles:
        return settings
    obstacles = platform.obstacles(settings, os_family, osfinger, families)
    return replace(settings, errors=[*obstacles, *settings.errors])


def in_pillar(settings: Settings, pillar: Mapping[str, Any]) -> Settings:
    """
    Return the settings with what the rest of pillar tells of them: that it was not rendered, or that keys of this
    formula stand beside its tree. ``tree``: whether pillar has anything for this formula, wrong as it may be.

    pillar
        The whole pillar.
    """
    failed, beside = pillar.get("_errors"), _beside(pillar)
    # What is missing then is missing for this reason, and needs nothing new.
    errors, warnings = ([] if failed else list(settings.errors)), list(settings.warnings)
    hint = f"pillar: {', '.join(beside)} beside {ROOT}, not below it: this formula does not read it there"
    if failed:
        errors.append(f"pillar: failed to render, so it may lack what is written: {_told_of_master(failed)}")
    if beside and errors:
        errors.insert(0, f"{hint}; indent it if it is meant for it")
    elif beside:
        warnings.append(hint)
    tree = ROOT in pillar or bool(failed) or any(key in _OURS_ALONE for key in beside)
    return replace(settings, errors=errors, warnings=warnings, tree=tree)


def _told_of_master(failed: Any) -> str:
    """What the master says of a pillar that it could not render; what it says of a value that it could not decrypt."""
    said = failed if isinstance(failed, str) else "; ".join(map(str, failed))
    if "master log" in said:
        said += " A value that the master cannot decrypt (gpg_decrypt_must_succeed) is one reason."
    return _CIPHERTEXT.sub("(ciphertext)", said)


_CIPHERTEXT = re.compile(r"-----BEGIN PGP MESSAGE-----.*?-----END PGP MESSAGE-----", re.DOTALL)


def with_modules(settings: Settings, stale: Sequence[str], environment: str) -> Settings:
    """
    Return the settings with an error if some of the formula's modules here are not those of its states.

    stale
        Their paths (list of str).
    environment
        The environment of the states.
    """
    errors = [f"{some(stale)}: not those of the states in {environment}; saltutil.sync_all"] if stale else []
    return replace(settings, errors=[*errors, *settings.errors], stale=stale)


def digests(settings: Tree) -> dict[str, str]:
    """Return what tells two settings (:meth:`Settings.as_dict`) apart: a short digest of each part, by its key."""
    texts = {key: json.dumps(value, default=str) for key, value in settings.items() if key != "warnings"}
    return {key: hashlib.sha256(text.encode()).hexdigest()[:8] for key, text in texts.items()}


def _beside(pillar: Mapping[str, Any]) -> list[str]:
    """The keys at the top of pillar that have what this formula's keys of that name may have."""
    given = {key: pillar[key] for key in schema.SCHEMA.keys if pillar.get(key) and isinstance(pillar[key], dict)}
    return [key for key, value in given.items() if not shape.read(schema.SCHEMA.keys[key], value, None, key)[1]]


def some(names: Sequence[str], number: int = 3) -> str:
    """Return the first of many names as text, and how many more there are."""
    more = len(names) - number
    return ", ".join(names[:number]) + (f" and {more} more" if more > 0 else "")


def surplus(settings: Settings, present: Iterable[str]) -> list[str]:
    """
    Return which of the parts that are ``present`` no table of pillar gives this machine.

    One that pillar names with ``managed: false`` is people's own business, and so is what is left of it here.
    """
    named = {part for part, table in PARTS.items() if settings.minion_id in getattr(settings, table)}
    return [part for part in present if part not in named and (part in PARTS or not named)]
