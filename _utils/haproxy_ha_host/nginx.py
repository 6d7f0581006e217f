"""nginx on this machine, as it is configured."""

from __future__ import annotations

import resource

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, units
from haproxy_ha_lib.nginx import conf as nginx

_UNIT = "nginx.service"
# systemd's own, for a service that is not running yet.
_FILES = 1024


def requests() -> int | None:
    """Return how many requests nginx is certain to take at once; None without it, or if its configuration is wrong."""
    if not commands.program("nginx"):
        return None
    code, configuration = commands.run(["nginx", "-T"])
    return None if code else nginx.requests(configuration, _files())


def _files() -> int:
    """How many files nginx may open."""
    try:
        pid = units.main_pid(_UNIT)
        return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] if pid else _FILES
    except (CommandExecutionError, OSError):
        return _FILES
