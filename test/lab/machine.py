"""The lab's hosts as machines: systemd containers that boot, reboot, and lose their power."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import network
from .container import children, container_processes, end_container, nspawn, systemd_runs
from .image import Image, overlay_mount
from .shell import LabError, run, wait_for
from .topology import HOSTS, REALM, Host, etc_hosts

# HAProxy for pgrep and pkill: its agent is a process of the same name.
HAPROXY = ("-f", "^/usr/sbin/haproxy ")
STATE = Path(f"/var/lib/haproxy_ha-lab-{REALM}")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/salt/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TERM": os.environ.get("TERM", "dumb"),
}


class Machine:
    """One host: its root file system, its container, and what can be done to it."""

    def __init__(self, host: Host):
        self.host = host
        self.directory = STATE / "hosts" / host.name
        self.root = self.directory / "root"
        self.upper = self.directory / "upper"  # what this host has written over its image
        self.image: Image | None = None

    def prepare(self, image: Image) -> None:
        """Give the host a fresh disk."""
        self.image = image
        run(overlay_mount(self.root, image.layers, self.upper))
        self.write("/etc/hostname", self.host.name + "\n")
        self.write("/etc/hosts", etc_hosts())
        self.write("/etc/resolv.conf", "")
        self.write("/etc/machine-id", hashlib.md5(self.host.name.encode()).hexdigest() + "\n")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host from outside."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def read(self, path: str) -> str:
        """A file of the host, read from outside."""
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def power_on(self, *binds: str) -> None:
        """Start the container; ``wait_booted`` waits for its systemd."""
        if self.leader():
            raise LabError(f"{self.host.name} is running")
        network.set_addresses(self.host)  # what was put on an interface is lost with the power
        for name in self.host.links:
            network.set_link(self.host.name, name, "up")
        bind_file = self.directory / "binds"
        if binds:
            bind_file.write_text("\n".join(binds), encoding="utf-8")
        elif bind_file.exists():
            binds = tuple(bind_file.read_text(encoding="utf-8").split("\n"))
        argv = nspawn(
            self.host.namespace,
            self.root,
            f"--hostname={self.host.name}",
            f"--network-namespace-path=/run/netns/{self.host.namespace}",
            *(f"--bind-ro={bind}" for bind in binds),
            "--boot",
        )
        if systemd_runs():  # the machine's own systemd must leave the container's cgroups alone
            unit = f"haproxy_ha-{self.host.namespace}"
            argv = [
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={unit}",
                "-p",
                "Delegate=yes",
                "-p",
                "KillMode=mixed",
                *argv,
            ]
        with open(self.directory / "console", "ab") as console:
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        wait_for(f"the container of {self.host.name} (see {self.directory}/console)", self.leader, 20)

    def wait_booted(self, timeout: float = 60) -> None:
        """Wait until systemd in the container has reached its default target."""

        def booted() -> bool:
            if not self.leader():
                return False
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in ("running", "degraded")

        wait_for(f"{self.host.name} to boot (see {self.directory}/console)", booted, timeout)

    def leader(self) -> int | None:
        """The process id, on this machine, of the container's PID 1; None when the host is off."""
        for spawn in container_processes(self.host.namespace):
            for child in children(spawn):
                if _same_file(f"/proc/{child}/ns/net", f"/run/netns/{self.host.namespace}"):
                    return child
        return None

    def command(self, *argv: str) -> list[str]:
        """``argv`` as it is run inside the host."""
        leader = self.leader()
        if not leader:
            raise LabError(f"{self.host.name} is off")
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return [
            "nsenter",
            "--target",
            str(leader),
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--root",
            "--wd",
            "env",
            "-i",
            *environment,
            *argv,
        ]

    def run(self, *argv: str, check: bool = True, timeout: float = 600, **kwargs) -> subprocess.CompletedProcess:
        """Run a command inside the host."""
        try:
            return run(self.command(*argv), check=check, timeout=timeout, **kwargs)
        except LabError as error:
            raise LabError(f"on {self.host.name}: {error}") from error

    def power_off(self) -> None:
        """Cut the power: the links go down first, in the same instant, because a dead container's network namespace
        would still answer with resets."""
        for name in self.host.links:
            network.set_link(self.host.name, name, "down")
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGKILL)
        wait_for(f"the container of {self.host.name} to end", lambda: not container_processes(self.host.namespace), 20)

    def stand_still(self, seconds: float) -> None:
        """Run nothing for so long, as a machine that its host pauses; what is sent to it meanwhile is lost."""
        self.pause()
        time.sleep(seconds)  # the pause itself
        self.go_on()

    def pause(self) -> None:
        """Run nothing, until ``go_on``."""
        for name in self.host.links:
            network.set_port(self.host.name, name, "disabled")
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Run again."""
        for name in self.host.links:
            network.set_port(self.host.name, name, "forwarding")
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, which: signal.Signals) -> None:
        """Send a signal to each process of the host, its PID 1 first."""
        leader = self.leader()
        mine = os.stat(f"/proc/{leader}/ns/pid").st_ino
        others = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        for process in [leader, *(one for one in others if one != leader)]:
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{process}/ns/pid").st_ino == mine:
                    os.kill(process, which)

    def reboot(self) -> int | None:
        """A reboot as an operator does it; returns when the shutdown has begun, with what ``wait_rebooted`` needs."""
        before = self.leader()
        self.run("systemctl", "reboot", "--no-block")
        return before

    def wait_rebooted(self, before: int | None, timeout: float = 90) -> None:
        """Wait until the host has gone down and is up again."""
        wait_for(f"{self.host.name} to go down and start", lambda: self.leader() not in (None, before), timeout)
        self.wait_booted()

    def destroy(self) -> None:
        """End the container and take its mount away, whatever state they are in."""
        end_container(self.host.namespace, self.leader())
        for _ in range(_mounts_at(self.root)):
            run(["umount", "--recursive", "--lazy", str(self.root)], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


MACHINES: dict[str, Machine] = {name: Machine(host) for name, host in HOSTS.items()}


def machine(name: str) -> Machine:
    """The machine of a host's name."""
    if name not in MACHINES:
        raise LabError(f"no host {name!r} in the lab; there are: {', '.join(MACHINES)}")
    return MACHINES[name]


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _mounts_at(path: Path) -> int:
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return sum(line.split()[1] == str(path) for line in mounts)
