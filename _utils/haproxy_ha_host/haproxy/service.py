"""What HAProxy's service has HAProxy read: at its next start by systemd, and in the process that runs."""

from __future__ import annotations

import os
import re

from haproxy_ha_host import files, processes, units
from haproxy_ha_lib.haproxy import command

_HERE = "haproxy_ha:lookup:paths:haproxy_cfg is to say where it is, or the service to read it (docs/platforms.md)"


def read_by_unit(unit: str) -> list[str]:
    """The files and directories (list of str) that its next start reads; empty where systemd does not tell."""
    shown = units.unit_properties(unit, *_ASKED) if units.systemd() else {}
    known = command.variables(shown.get("Environment", ""))
    for path in re.findall(r"^(/.*?)(?: \(ignore_errors=\w+\))?$", shown.get("EnvironmentFiles", ""), re.MULTILINE):
        known |= command.variables(files.text(path) or "")
    directory = shown.get("WorkingDirectory", "").lstrip("!-") or "/"
    return command.read(command.words_of(shown.get("ExecStart", ""), known), directory)


_ASKED = ("ExecStart", "Environment", "EnvironmentFiles", "WorkingDirectory")


def read_by_process(unit: str) -> list[str]:
    """Those (list of str) that the process has read which runs, and reads again at a reload; empty without one."""
    main = units.main_pid(unit)
    return command.read(processes.command_line(main), processes.directory(main))


def obstacle(unit: str, cfg: str) -> str:
    """Why HAProxy would not read its configuration (str), empty if it would."""
    own = os.path.realpath(cfg)
    for who, read in (("its service has it", read_by_unit(unit)), ("the one that runs has", read_by_process(unit))):
        if read and not any(command.takes(os.path.realpath(path), own) for path in read):
            return f"haproxy would not read {cfg}: {who} read {', '.join(read)}; {_HERE}"
    return ""
