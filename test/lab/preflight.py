"""What the lab needs of the machine, checked before anything is made."""

from __future__ import annotations

import ctypes
import os
import shutil

from .shell import LabError, run

# command -> Debian package
COMMANDS = {
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "mount": "mount",
    "sysctl": "procps",
}

INOTIFY_INSTANCES = 40  # six hosts, six or seven each
_TOO_FEW_INSTANCES = (
    f"fewer than {INOTIFY_INSTANCES} inotify instances are left to root: end what uses them (another lab?), or raise"
    " the limit: sysctl fs.inotify.max_user_instances=1024"
)
_NOT_ROOT = "not root: the lab makes network namespaces, mounts and containers"


def problems() -> list[str]:
    """Every reason why the lab cannot run here, in words; empty when it can."""
    if os.geteuid() != 0:
        return [_NOT_ROOT]
    missing = [f"{command} (package {package})" for command, package in COMMANDS.items() if not shutil.which(command)]
    if missing:
        return [f"missing: {', '.join(missing)}"]
    return _kernel_problems()


def _kernel_problems() -> list[str]:
    if run(["unshare", "--net", "--mount", "true"], check=False).returncode != 0:
        return ["the kernel, or the container this runs in, refuses new network and mount namespaces"]
    probe = "ip link add br0 type bridge && ip link add ve0 type veth peer name ve1 && nft add table ip t"
    done = run(["unshare", "--net", "sh", "-ec", probe], check=False)
    if done.returncode != 0:
        return [f"no bridge, veth or nftables in a network namespace: {done.stderr.strip()}"]
    overlay = "mount -t overlay o -o lowerdir=a,upperdir=b,workdir=c d"
    probe = f"mount -t tmpfs t /mnt && cd /mnt && mkdir a b c d && {overlay}"
    done = run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", probe], check=False)
    if done.returncode != 0:
        return [f"no overlayfs in a mount namespace: {done.stderr.strip()}"]
    return [] if _inotify_instances(INOTIFY_INSTANCES) else [_TOO_FEW_INSTANCES]


def _inotify_instances(wanted: int) -> bool:
    """Whether root may have that many more: without them a host's systemd starts, and never gets ready."""
    library = ctypes.CDLL(None)
    made = [library.inotify_init() for _ in range(wanted)]
    for descriptor in made:
        if descriptor >= 0:
            os.close(descriptor)
    return min(made) >= 0


def require_root() -> None:
    """Raise a LabError unless this is root: every command of the lab needs it."""
    if os.geteuid() != 0:
        raise LabError(_NOT_ROOT)


def require() -> None:
    """Raise a LabError that lists what is missing."""
    found = problems()
    if found:
        raise LabError("the lab cannot run on this machine: " + "; ".join(found))
