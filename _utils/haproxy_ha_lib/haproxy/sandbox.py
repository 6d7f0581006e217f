"""
What HAProxy's service may do where pillar wants it in a sandbox (systemd.exec(5)): what no HAProxy does is taken away,
whatever is configured. Its own unit leaves that to people.
"""

from __future__ import annotations

import re

PROPERTIES = (
    # It binds any address and port, becomes another user in a chroot, gives sockets to users, reads anybody's
    # certificates, ends workers, and raises its own limit of files.
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_NET_ADMIN CAP_NET_BIND_SERVICE "
    "CAP_NET_RAW CAP_SETGID CAP_SETUID CAP_SYS_CHROOT CAP_SYS_RESOURCE",
    "LockPersonality=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    # Not strict: people's sockets may be anywhere below /run, /var and /tmp.
    "ProtectSystem=full",
    # getaddrinfo(3) asks the kernel (netlink) which families it has.
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module @obsolete @raw-io @reboot @swap",
)
"""As systemd reads them."""

# What a check of the configuration does not find out, because HAProxy does it once it runs.
_NEEDS_MORE = {
    re.compile(r"^[^#\n\"']*\snamespace\s", re.MULTILINE): "the keyword namespace",
    re.compile(r"^program\s", re.MULTILINE): "a section program",
}


def drop_in(mark: str) -> str:
    """Return the drop-in of the service; ``mark`` is what its first line says."""
    return "\n".join([f"# {mark}.", "[Service]", *PROPERTIES, ""])


def obstacle(configuration: str) -> str | None:
    """Return what in a configuration cannot be in the sandbox, or None."""
    found = [what for pattern, what in _NEEDS_MORE.items() if pattern.search(configuration)]
    if not found:
        return None
    return f"haproxy_ha:haproxy:sandbox: found true, allowed: false with {' and '.join(found)}"
