"""How systemd-nspawn is called here."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from .shell import wait_for

CGROUPS = [Path("/sys/fs/cgroup", tree) for tree in ("systemd", "unified", "")]

# nspawn keeps a directory per machine below /run and can remove it only from a tmpfs, which /run is not everywhere.
OWN_RUN = "mkdir -p /run/systemd/nspawn && mount -t tmpfs tmpfs /run/systemd/nspawn"
# nspawn ends with 133 when the container reboots, and leaves starting it again to its caller.
RESTARTING = 'code=133; while [ $code -eq 133 ]; do "$@"; code=$?; done; exit $code'
# Containers that start in one control group share what is below it: a `systemctl kill` would reach every host.
OWN_CGROUP = 'for tree in {trees}; do mkdir -p "$tree/{name}" && echo $$ > "$tree/{name}/cgroup.procs"; done'


def nspawn(name: str, root: Path, *options: str) -> list[str]:
    """The command that runs a container of that machine name, unregistered, with every capability inside."""
    own_cgroup = OWN_CGROUP.format(name=name, trees=" ".join(map(str, _trees())))
    script = f"set -e; {OWN_RUN}; {own_cgroup}; set +e; {RESTARTING}"
    return [
        *("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"),
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={name}", "--directory", str(root)),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--capability=all", *options),
    ]


def container_processes(name: str) -> list[int]:
    """Process ids of the systemd-nspawn of that machine name and of its wrapper."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"systemd-nspawn" in words and f"--machine={name}".encode() in words:
                found.append(int(entry.name))
    return found


def end_container(name: str, leader: int | None = None) -> None:
    """End a container of that machine name, whatever state it is in, and remove its control groups."""
    # What is inside outlives a killed nspawn.
    for process in [leader, *_with_descendants(container_processes(name))]:
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    wait_for(f"the container {name} to end", lambda: not container_processes(name), 20)
    remove_cgroups(name)


def children(process: int) -> list[int]:
    """The processes that a process has started and that still run."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _with_descendants(processes: list[int]) -> list[int]:
    below = [child for process in processes for child in children(process)]
    return [*processes, *(_with_descendants(below) if below else [])]


def remove_cgroups(name: str) -> None:
    """Wait until nothing of an ended container of that machine name runs, and remove the control groups it leaves."""
    wait_for(f"the processes of {name} to end", lambda: not any(_processes(tree / name) for tree in _trees()), 20)
    for tree in _trees():
        for directory, _, _ in os.walk(tree / name, topdown=False):
            os.rmdir(directory)


def _processes(group: Path) -> list[str]:
    return [pid for file in group.rglob("cgroup.procs") for pid in file.read_text(encoding="ascii").split()]


def systemd_runs() -> bool:
    """Whether the machine's own PID 1 is systemd, which then owns the control groups."""
    return Path("/run/systemd/system").is_dir()


def _trees() -> list[Path]:
    """The control group trees in which a container gets a group of its own; none where systemd-run gives it one."""
    return [] if systemd_runs() else [tree for tree in CGROUPS if os.access(tree / "cgroup.procs", os.W_OK)]
