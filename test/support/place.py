"""Where a test runs: which programs are here, and whether this is the lab's container."""

import contextlib
import os
import shutil
import subprocess

import pytest


def requires_tools(*names):
    """Mark: skip, and say so, where one of these programs is not installed."""
    absent = [name for name in names if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


def in_container():
    """Whether this is the lab's container that has the daemons, which nobody misses afterwards (systemd-nspawn(1))."""
    return os.environ.get("container") == "systemd-nspawn"  # noqa: SIM112


@contextlib.contextmanager
def addresses(*wanted):
    """This machine has these addresses for a while; for the container, which has a network of its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in wanted:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        yield
    finally:
        for address in wanted:
            subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)
