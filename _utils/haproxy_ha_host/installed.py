"""What is installed of pillar's secrets, in pillar's form: it stays where a store does not say what they are."""

from __future__ import annotations

import base64
from collections.abc import Callable

from haproxy_ha_host import files, nss
from haproxy_ha_lib.haproxy import cfg
from haproxy_ha_lib.settings.types import Settings
from saltext.pacemaker.types import Path


def secret(settings: Settings, path: Path) -> str | None:
    """
    Return the secret that is installed (str), None if none is.

    path
        Where pillar has it, below ``haproxy_ha``.
    """
    found = [read for place, read in _PLACES.items() if path[: len(place)] == place]
    return found[0](settings, path) if found else None


def _token(settings: Settings, path: Path) -> str | None:
    return (files.text(settings.floating_ip.token_file) or "").strip() or None


def _authkey(settings: Settings, path: Path) -> str | None:
    entry = files.read(settings.paths["corosync_authkey"])
    if entry is None or not entry.content:
        return None
    return base64.b64encode(entry.content.encode("utf-8", "surrogateescape")).decode()


def _certificate(settings: Settings, path: Path) -> str | None:
    return files.text(cfg.certificate_path(settings.paths, path[-2]))


def _password(settings: Settings, path: Path) -> str | None:
    return cfg.stats_password(files.text(settings.paths["haproxy_cfg"]) or "")


def _quorum_certificate(settings: Settings, path: Path) -> str | None:
    return nss.present(nss.HELPER if path[-1] == "helper_pem" else nss.BALANCER)


_PLACES: dict[Path, Callable[[Settings, Path], str | None]] = {
    ("floating_ip", "api_token"): _token,
    ("cluster", "authkey"): _authkey,
    ("cluster", "quorum_device"): _quorum_certificate,
    ("haproxy", "certificates"): _certificate,
    ("haproxy", "stats"): _password,
}
