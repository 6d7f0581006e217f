"""Pillars for tests: pillar.example, and it with a change."""

import copy
from pathlib import Path

import yaml

from haproxy_ha_lib.files import layout
from haproxy_ha_lib.settings.build import settings
from support import REPOSITORY

FORMULA = REPOSITORY / "haproxy_ha"
REMOVED = object()

FAMILIES = yaml.safe_load((FORMULA / "os_family.yaml").read_text(encoding="utf-8"))
DEFAULTS = {**yaml.safe_load((FORMULA / "defaults.yaml").read_text(encoding="utf-8")), **FAMILIES["Debian"]}
EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]

PEM = """\
-----BEGIN CERTIFICATE-----
c2VjcmV0IGNlcnRpZmljYXRl
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
c2VjcmV0IGtleQ==
-----END PRIVATE KEY-----
"""
"""A certificate with its key, as far as pillar looks into them."""
QUORUM_PEM = "".join(f"-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----\n"
                     for kind in ("CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"))


def changed(changes):
    """pillar.example's tree with ``changes``: {"a:b:c": value}; REMOVED takes a key out."""
    tree = copy.deepcopy(EXAMPLE)
    for path, value in changes.items():
        *above, key = path.split(":")
        branch = tree
        for step in above:
            branch = branch.setdefault(step, {})
        if value is REMOVED:
            del branch[key]
        else:
            branch[key] = copy.deepcopy(value)
    return tree


def build(changes=None, minion_id="primary", **sources):
    """The settings of a minion by pillar.example with ``changes``; ``installed``: the text of its haproxy.cfg."""
    text = sources.pop("installed", "")
    sources["installed"] = lambda path: text
    return settings(changed(changes or {}), minion_id, DEFAULTS, **sources)


def valid(changes=None, minion_id="primary", **sources):
    """The same, which must be without errors."""
    built = build(changes, minion_id, **sources)
    assert built.errors == []
    return built


def rendered(entry):
    """The text of a file of layout.daemon_files."""

    def template(name):
        return (FORMULA / "files" / name).read_text(encoding="utf-8")

    return layout.filled(entry, template, lambda path: Path(path).read_text(encoding="utf-8")).content


def text_of(built, daemon, path, secrets=None):
    """The text of one of a daemon's files."""
    return rendered(layout.daemon_files(built, secrets)[daemon][path])
