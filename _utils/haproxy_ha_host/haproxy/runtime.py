"""
HAProxy asked by its own interfaces (its management guide, 9.3 and 9.4): at the socket of its master, which ``-S`` on
the main process's command line names and through which ``@1`` reaches the worker, else at a stats socket that its
configuration names.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from haproxy_ha_host import files, net, processes, units, waiting
from haproxy_ha_lib.haproxy import certificates, runtime
from haproxy_ha_lib.haproxy import cfg as haproxy_cfg
from haproxy_ha_lib.haproxy.certificates import Certificate

_PATIENCE = 2  # seconds: a master that reads itself in again does not answer for a moment
_WORKER = "@1 "
ADMIN = "admin"


@dataclass(frozen=True)
class HAProxy:
    """
    A HAProxy of this machine.

    unit
        Its service.
    cfg
        The path of its configuration.
    """

    unit: str
    cfg: str

    def master(self) -> str | None:
        """The address of its master's socket, None if it has none."""
        words = processes.command_line(units.main_pid(self.unit))
        return next((words[at + 1].split(",")[0] for at, word in enumerate(words[:-1]) if word == "-S"), None)

    def processes(self) -> dict[str, Any]:
        """What the master says of its processes, as ``runtime.parse_show_proc``; OSError if it does not answer."""
        return runtime.parse_show_proc(net.ask(self._master(), "show proc"))

    def _master(self) -> str:
        address = self.master()
        if address is None:
            raise OSError("HAProxy has no socket of a master")
        return address

    def ask(self, command: str) -> str:
        """What the worker answers to a command (str); OSError if there is no way to it."""
        return self.way().ask(command)

    def level(self) -> str:
        """What the best way to the worker allows: ``admin``, ``operator`` or ``user``."""
        return self.way().level

    def servers(self) -> list[runtime.Row]:
        """The servers and their states, as ``runtime.parse_servers_state``."""
        way = self.way()
        return runtime.parse_servers_state(way.ask("show servers state"), way.ask("show stat"))

    def certificates(self) -> list[Certificate]:
        """The certificates that it uses, for clients and for servers; OSError if it does not say."""
        way = self.way()
        if way.level == runtime.LEVELS[0]:
            raise PermissionError(f"its stats socket is of level {way.level}")
        listed = certificates.names(way.ask(certificates.LISTING))
        answers = (way.ask(certificates.question(name)) for name in listed)
        return [found for found in map(certificates.read, answers) if found]

    def way(self) -> Way:
        """The way to the worker that allows most; OSError if there is none."""
        addresses = self._addresses()
        found: list[Way] = []

        def seen() -> bool:
            found[:] = filter(None, (_way(*address) for address in addresses))
            return len(found) == len(addresses) or any(way.level == ADMIN for way in found)

        waiting.wait_for(seen, _PATIENCE)
        if not found:
            raise OSError("HAProxy answers at no socket of its master, nor at a stats socket of its configuration")
        return max(found, key=lambda way: runtime.LEVELS.index(way.level))

    def _addresses(self) -> list[tuple[str, str]]:
        """Where it can be asked: [(address, what is written before a command)]."""
        master = self.master()
        stats = [(address, "") for address in haproxy_cfg.stats_sockets(files.text(self.cfg) or "")]
        return [(master, _WORKER), *stats] if master else stats


def _way(address: str, prefix: str) -> Way | None:
    with contextlib.suppress(OSError):
        level = net.ask(address, f"{prefix}show cli level").strip()
        return Way(address, prefix, level) if level in runtime.LEVELS else None
    return None


@dataclass(frozen=True)
class Way:
    """
    A way to HAProxy's worker.

    address, prefix
        The socket, and what is written before each command.
    level
        What it allows.
    """

    address: str
    prefix: str
    level: str

    def ask(self, command: str) -> str:
        """What the worker answers to a command (str); OSError if it does not."""
        return net.ask(self.address, f"{self.prefix}{command}")
