"""A live cluster of one node in this container, without systemd."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

CONFIGURATION = """\
totem {
    version: 2
    cluster_name: bench
    transport: knet
    crypto_cipher: none
    crypto_hash: none
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        nodeid: 1
        name: one
    }
}
quorum {
    provider: corosync_votequorum
}
system {
    sched_rr: no
    move_to_root_cgroup: no
}
logging {
    to_stderr: no
    to_logfile: yes
    logfile: /var/log/corosync.log
}
"""
# crmsh 5 asks systemd whether the cluster runs, and there is no systemd here to know.
SYSTEMCTL = """#!/bin/sh
case "$*" in
    *is-active*) pgrep -x pacemakerd >/dev/null && echo active ;;
    *) exec /usr/bin/systemctl "$@" ;;
esac
"""
_started: list[subprocess.Popen] = []


def start(timeout: float = 60) -> None:
    """Start the daemons and wait until there is a DC."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/etc/corosync/corosync.conf").write_text(CONFIGURATION, encoding="utf-8")
    systemctl = Path("/usr/local/bin/systemctl")
    systemctl.write_text(SYSTEMCTL, encoding="utf-8")
    systemctl.chmod(0o755)
    for command in (["corosync", "-f"], ["pacemakerd"]):
        _started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if command[0] == "corosync":
            _await("corosync", lambda: _says("corosync-cfgtool", "-s"), timeout)
    _await("a DC", lambda: 'dc-uuid="1"' in _says("cibadmin", "--query"), timeout)


def stop(timeout: float = 120) -> None:
    """Stop the daemons, Pacemaker first."""
    for process in reversed(_started):
        process.terminate()
        process.wait(timeout)


def _says(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout


def _await(what: str, condition, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.1)
