"""Programs, processes and units."""

import contextlib
import os
import shutil
import subprocess
import time

from salt.exceptions import CommandExecutionError

# Salt's own PATH may lack the directories of daemons.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

STATE = "/var/lib/haproxy_ha"
"""What the formula has to remember about a machine; for root alone."""

# As the masks themselves, this is gone after a boot.
_HELD = "/run/haproxy_ha/held"

_RUNS = ("active", "reloading")


def program(name):
    """Where a program is (str), or None."""
    return shutil.which(name, path=PATH)


def run(argv, timeout=60, env=None):
    """
    Run a program and return (exit code, output of both kinds).

    argv
        The program and its arguments (list of str); no shell.
    timeout : ``60``
        Seconds after which it is killed and counts as failed.
    env : ``None``
        Further variables (dict). HAProxy's own never pass from Salt's environment.

    Raises CommandExecutionError if the program is not there or does not end in time.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAPROXY_")}
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            timeout=timeout, env={**kept, "PATH": PATH, "LC_ALL": "C", **(env or {})},
        )
    except FileNotFoundError:
        raise CommandExecutionError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandExecutionError(f"{' '.join(argv)} did not end within {timeout} s") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def succeed(*argv, timeout=60):
    """Run a program and return its output; CommandExecutionError with that output if it fails."""
    code, output = run(list(argv), timeout)
    if code:
        raise CommandExecutionError(f"{' '.join(argv)} failed: {output.strip() or f'exit code {code}'}")
    return output


def wait_for(condition, timeout, interval=0.1):
    """Return the first true value of ``condition()``, or its last value when ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return found


# Units


def systemd():
    """Whether systemd is this machine's init (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def systemctl(*arguments, timeout=120):
    """Run systemctl; CommandExecutionError with what it says if it fails."""
    return succeed("systemctl", *arguments, timeout=timeout)


def unit_property(unit, name):
    """A property of a service (str), as ``systemctl show`` prints it."""
    return run(["systemctl", "show", "--property", name, "--value", f"{unit}.service"])[1].strip()


def running(unit):
    """Whether a service runs, or is reloading."""
    return systemd() and unit_property(unit, "ActiveState") in _RUNS


def settled(unit, timeout=30):
    """A service's ActiveState (str), once systemd neither starts, stops nor reloads it; ``timeout`` in seconds."""
    if not systemd():
        return "inactive"
    states = []

    def at_rest():
        states.append(unit_property(unit, "ActiveState"))
        return states[-1] not in ("activating", "deactivating", "reloading")

    wait_for(at_rest, timeout)
    return states[-1]


def running_of(units):
    """Those of several services (list of str) that run, asked at once."""
    if not systemd():
        return []
    states = run(["systemctl", "is-active", *(f"{unit}.service" for unit in units)])[1].splitlines()
    return [unit for unit, state in zip(units, states, strict=False) if state in _RUNS]


def unit(name):
    """
    A service as systemd has it: {"active": ActiveState, "at_boot": UnitFileState, "stale": NeedDaemonReload}, the first
    two in systemd's words, the last a bool; empty without the service.
    """
    properties = ("UnitFileState", "ActiveState", "NeedDaemonReload")
    shown = run(["systemctl", "show", "--property", ",".join(properties), f"{name}.service"])[1] if systemd() else ""
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if not found.get("UnitFileState"):
        return {}
    at_boot, active, stale = (found.get(one, "") for one in properties)
    return {"active": active, "at_boot": at_boot, "stale": stale == "yes"}


def main_pid(unit):
    """The main process of a service (int), 0 if it has none."""
    return int(unit_property(unit, "MainPID") or 0) if systemd() else 0


def running_for(unit):
    """For how many seconds a service has been running (float), 0 if it does not."""
    since = unit_property(unit, "ActiveEnterTimestampMonotonic") if running(unit) else ""
    return time.monotonic() - int(since) / 1e6 if since.isdigit() else 0.0


def journal(unit, lines=10):
    """The last lines that a service wrote to the journal."""
    return run(["journalctl", "--unit", unit, "--lines", str(lines), "--output", "cat", "--no-pager"])[1].strip()


def hold(units):
    """
    Keep services from being started, until :func:`release` or the next boot; returns them. One that runs is left alone.

    A unit that is masked for this boot is what a package's scripts respect.
    """
    held = [unit for unit in units if systemd() and not running(unit)]
    if held:
        os.makedirs(_HELD, mode=0o700, exist_ok=True)
        for unit in held:
            with open(os.path.join(_HELD, unit), "w", encoding="ascii"):
                pass
        systemctl("mask", "--runtime", *(f"{unit}.service" for unit in held))
    return held


def release():
    """Let services be started again that :func:`hold` held, in this run or one that was killed; returns them."""
    units = held()
    if units:
        systemctl("unmask", "--runtime", *(f"{unit}.service" for unit in units))
        for unit in units:
            os.unlink(os.path.join(_HELD, unit))
    return units


def held():
    """The services that :func:`hold` keeps from being started."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(_HELD))
    return []


# Processes


def command_line(pid):
    """The words with which a process was started (list of str), empty if there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as handle:
        return handle.read().decode("utf-8", "replace").rstrip("\0").split("\0")
    return []


def children(pid):
    """The processes whose parent is ``pid`` (set of int)."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as handle:
                if int(handle.read().rpartition(b")")[2].split()[1]) == pid:
                    found.add(int(entry))
    return found


def socket_owners(inodes):
    """Who has sockets open: {inode: (pid, program)}."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners = {}
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inode = wanted.get(os.readlink(descriptor.path))
                    if inode is not None and inode not in owners:
                        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as handle:
                            owners[inode] = (pid, handle.read().strip())
        if len(owners) == len(wanted):
            break
    return owners
