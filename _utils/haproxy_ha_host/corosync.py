"""A running corosync takes a new corosync.conf: by a reload that is confirmed, or not at all."""

from __future__ import annotations

import base64
import json
import os
import re
import socket

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, files, units, waiting
from haproxy_ha_lib import corosync
from haproxy_ha_lib.types import Tree

DEVICE_UNIT = "corosync-qdevice"
CIB = "/var/lib/pacemaker/cib"
_AUTHKEY = "/etc/corosync/authkey"
_LINK_MODE = "totem.link_mode"
RELOAD_SECONDS = 15
_STOP_SECONDS = 600
# A key of JSON that needs no quotes in YAML.
_KEY, _NAKED = re.compile(r'"([A-Za-z][\w.-]*)":'), r"\1:"


def obstacle(text: str) -> str | None:
    """
    Why the corosync that runs cannot go over to the configuration ``text``, or None.

    One that is alone and has no resources, as the package starts it, is no obstacle: it is started anew.
    """
    loaded, wanted, hostname = _loaded(), corosync.keys(text), socket.gethostname()
    fixed = corosync.fixed_differences(loaded, wanted, hostname)
    if not fixed or (corosync.is_alone(loaded) and not _has_resources()):
        return None
    kept, more = corosync.keeping(loaded, wanted, hostname)
    return " ".join([
        f"A running corosync cannot change {', '.join(fixed)}, and nodes that differ in it do not find each other: "
        "both would take the floating IP.",
        *([f"Pillar keeps what runs with: haproxy_ha: {_KEY.sub(_NAKED, json.dumps(kept))}."] if kept else []),
        "Pillar cannot keep the rest." if kept and more else "",
        "To change it while clients are served: salt-call pacemaker.maintenance on one load balancer, systemctl stop "
        "pacemaker corosync on all of them, state.apply haproxy_ha.cluster.service on all of them, salt-call "
        "pacemaker.maintenance False on one.",
    ]).replace("  ", " ")


def as_pillar(secrets: bool = False) -> Tree:
    """The part of pillar that keeps what the running corosync has, its key at wish; see :func:`corosync.as_pillar`."""
    kept = corosync.as_pillar(_loaded(), socket.gethostname())
    if secrets:
        kept["cluster"]["authkey"] = key()
    return kept


def key() -> str:
    """The cluster's key, in base64 as pillar has it."""
    try:
        with open(_AUTHKEY, "rb") as file:
            return base64.b64encode(file.read()).decode("ascii")
    except OSError as exc:
        raise CommandExecutionError(f"The cluster's key cannot be read: {exc}") from None


def take(text: str) -> str:
    """
    Let the running corosync take the configuration ``text``, which is installed; returns what was done, in words.

    Raises CommandExecutionError if corosync does not have it afterwards.
    """
    wanted, before = corosync.keys(text), _loaded()
    if corosync.fixed_differences(before, wanted, socket.gethostname()):
        return _begin_anew()
    commands.succeed("corosync-cfgtool", "-R")
    missing: list[str] = []

    def taken() -> bool:
        missing[:] = corosync.not_loaded(_loaded(), wanted)
        return not missing

    if not waiting.wait_for(taken, RELOAD_SECONDS):
        raise CommandExecutionError(f"corosync has not taken {', '.join(missing)} {RELOAD_SECONDS} s after the reload")
    done = ["corosync was reloaded"]
    if corosync.device(before) != corosync.device(wanted) and units.running(DEVICE_UNIT):
        units.systemctl("restart", DEVICE_UNIT)  # it reads its own settings at its start alone
        done.append(f"{DEVICE_UNIT} was restarted")
    if before.get(_LINK_MODE) != wanted.get(_LINK_MODE):
        done.append(f"{_LINK_MODE} counts from the next start of corosync")
    return ", ".join(done)


def votes() -> tuple[int | None, ...]:
    """Return (present, expected) votes of the quorum, as corosync-quorumtool(8) tells; its exit code is the quorum."""
    return corosync.votes(commands.run(["corosync-quorumtool", "-s"])[1])


def _loaded() -> dict[str, str]:
    return corosync.parse_cmap(commands.succeed("corosync-cmapctl"))


def _has_resources() -> bool:
    return "<primitive" in (files.text(f"{CIB}/cib.xml") or "")


def _begin_anew() -> str:
    """Stop a cluster that is nobody's yet, and forget its configuration: it would haunt ours as a node that is lost."""
    stopped = [unit for unit in ("pacemaker", "corosync") if units.running(unit)]
    for unit in stopped:
        units.systemctl("stop", unit, timeout=_STOP_SECONDS)
    kept = files.keep_copies("pacemaker", [CIB] if os.path.isdir(CIB) else [])
    for name in os.listdir(CIB) if kept else ():
        files.delete(os.path.join(CIB, name))
    for unit in reversed(stopped):
        units.systemctl("start", unit)
    return "corosync was started anew"
