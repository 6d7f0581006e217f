"""Two live Pacemaker nodes in one container: each has namespaces of its own, and the daemons run without systemd.

For tests inside the lab's image (``lab tools``), where nobody misses what they start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

NODES = ("n1", "n2")
LOG = "/var/log/pacemaker/pacemaker.log"
CIB = "/var/lib/pacemaker/cib/cib.xml"
_PRIVATE = ("/run", "/dev/shm", "/var/lib/corosync", "/var/lib/pacemaker", "/var/log")
_DIRECTORIES = (
    "install -d -o hacluster -g haclient -m 0750 /var/lib/pacemaker/cib /var/lib/pacemaker/pengine"
    " /var/lib/pacemaker/cores /var/lib/pacemaker/blackbox /var/log/pacemaker /var/log/crmsh"
)
_COROSYNC = """\
totem {
    version: 2
    cluster_name: tests
    transport: knet
    crypto_cipher: none
    crypto_hash: none
    token: 3000
}
nodelist {
    node {
        ring0_addr: 192.0.2.1
        nodeid: 1
        name: n1
    }
    node {
        ring0_addr: 192.0.2.2
        nodeid: 2
        name: n2
    }
}
quorum {
    provider: corosync_votequorum
    two_node: 1
    wait_for_all: 0
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


# Without it each node waits 20 s for others before it becomes the DC.
_CIB = """<cib crm_feature_set="3.1.0" validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0">
<configuration><crm_config><cluster_property_set id="start"><nvpair id="start-d" name="dc-deadtime" value="2s"/>
</cluster_property_set></crm_config><nodes/><resources/><constraints/></configuration><status/></cib>"""


class Node:
    """One node: the process that holds its namespaces, and what can be done in them."""

    def __init__(self, name: str):
        self.name = name
        mounts = " && ".join(f"mount -t tmpfs tmpfs {path}" for path in _PRIVATE)
        script = (
            f"{mounts} && {_DIRECTORIES} && hostname {name} && ip link set lo up && echo ready && exec sleep infinity"
        )
        argv = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--net", "--uts", "sh", "-ec", script]
        self._holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text(encoding="ascii")
        self.pid = int(children.split()[0])

    def command(self, *argv: str) -> list[str]:
        """``argv`` as it is run on this node."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--uts", "--pid", "--", *argv]

    def run(self, *argv: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Run a command on this node; with ``check`` a failure is an AssertionError that quotes it."""
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=600, check=False, **options)
        assert not check or done.returncode == 0, (argv[:4], done.returncode, done.stdout[-3000:], done.stderr[-3000:])
        return done

    def start(self) -> None:
        """Start the daemons."""
        self.run("sh", "-ec", f"install -o hacluster -g haclient -m 600 /dev/stdin {CIB}", input=_CIB)
        self.run("corosync")
        subprocess.Popen(self.command("pacemakerd"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def log(self) -> str:
        """The whole of Pacemaker's log."""
        return self.run("cat", LOG).stdout

    def freeze(self, stopped: bool = True) -> None:
        """Stop (or continue) corosync, as a node that hangs: the others lose it."""
        self.run("pkill", "-STOP" if stopped else "-CONT", "-x", "corosync")

    def end(self) -> None:
        """End everything on this node at once."""
        os.kill(self.pid, signal.SIGKILL)
        self._holder.wait(30)


def wait_for(what: str, condition, timeout: float = 60):
    """Poll a condition until it is true and return its value; an AssertionError names ``what``."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        time.sleep(0.1)
    return value


def start() -> dict[str, Node]:
    """Both nodes, online in one cluster."""
    Path("/etc/corosync/corosync.conf").write_text(_COROSYNC, encoding="utf-8")
    nodes = {name: Node(name) for name in NODES}
    subprocess.run(["ip", "link", "add", "n1", "type", "veth", "peer", "name", "n2"], check=True)
    for number, node in enumerate(nodes.values(), 1):
        subprocess.run(["ip", "link", "set", node.name, "netns", str(node.pid), "name", "eth0"], check=True)
        node.run("ip", "address", "add", f"192.0.2.{number}/24", "dev", "eth0")
        node.run("ip", "link", "set", "eth0", "up")
    for node in nodes.values():
        node.start()
    wait_for("both nodes to be online", lambda: _online(nodes["n1"]) == set(NODES), 90)
    nodes["n1"].run("crm_attribute", "--type", "crm_config", "--name", "dc-deadtime", "--delete")
    return nodes


def _online(node: Node) -> set[str]:
    """The nodes that are members, once there is a DC."""
    if 'dc-uuid="' not in node.run("cibadmin", "--query", check=False).stdout:
        return set()
    states = node.run("cibadmin", "--query", "--xpath", "//node_state[@join='member']", check=False).stdout
    return {name for name in NODES if f'uname="{name}"' in states}


def stop(nodes: dict[str, Node]) -> None:
    """End the cluster."""
    for node in nodes.values():
        node.end()
