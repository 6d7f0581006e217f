"""The agents: those of the file server, all that they consist of in one step (``haproxy_ha_host.agents``)."""

from __future__ import annotations

import importlib
import inspect
import os
from dataclasses import dataclass

from salt.exceptions import CommandExecutionError

from haproxy_ha_host import agents, lock
from haproxy_ha_host.minion import Minion
from haproxy_ha_host.parts.outcome import Outcome
from haproxy_ha_lib import agents as versions

_THERE = "The agents are in place"


@dataclass(frozen=True)
class Agents:
    """The resource agents and the fence agent. In their changes a file is its mode and the beginning of its SHA-256."""

    minion: Minion

    def plan(self) -> Outcome:
        """What :meth:`apply` would do."""
        changes = agents.plan(*self._version())
        return Outcome("The agents would be installed" if changes else _THERE, changes)

    def apply(self) -> Outcome:
        """
        Install them in a directory of this version, which the provider's directory then links to. The version of before
        stays for an hour at least, for actions that have begun. CommandExecutionError, with nothing changed, if an
        agent does not run.
        """
        with lock.alone("haproxy_ha.apply agents"):
            return Outcome(_THERE, agents.install(*self._version()))

    def _version(self) -> tuple[agents.Place, agents.Version]:
        """Where the agents are, and their version on the file server."""
        paths = self.minion.valid_settings().paths
        place = agents.Place(paths["agents_dir"], paths["agents_versions"], os.path.dirname(paths["fence_agent"]))
        return place, versions.version(self._sources(place))

    def _sources(self, place: agents.Place) -> dict[str, str]:
        """The text of each file of the agents, by its name: of the version that counts here, where that is the same."""
        listed = versions.listed(self.minion.file_server_text(f"salt://{versions.LIST}"))
        sources = {
            name: agents.text(place, name, checksum) or self._served(name, checksum)
            for name, checksum in listed.items()
        }  # fmt: skip
        # What is shared stands beside these modules: the guard has compared them with what the file server has.
        sources.update({versions.shared_name(path): _module_text(path) for path in versions.SHARED})
        return sources

    def _served(self, name: str, checksum: str) -> str:
        """The text of a file on the file server, which is of the list's version but while files are exchanged there."""
        source = f"salt://{versions.FOLDER}/{name}"
        text = self.minion.file_server_text(source)
        if versions.checksum(text) != checksum:
            raise CommandExecutionError(
                f"{source} is not the file that salt://{versions.LIST} lists: the file server has a part of another "
                "version; after a change of the formula's own agents: make modules"
            )
        return text


def _module_text(path: str) -> str:
    return inspect.getsource(importlib.import_module(versions.shared_module(path)))
