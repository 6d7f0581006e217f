"""Answers that make no sense, through every action of the agent haproxy: no traceback, and no stop that fails.

Systemd, Pacemaker, HAProxy, the kernel and the files are played by one stand-in, whose answers are mutated at random.
`AGENT_MUTATIONS=1000000` in the environment tries more of them; a number of a failure repeats it.
"""

import contextlib
import errno
import os
import random
import socket
import struct
import sys
import time
from types import SimpleNamespace

import pytest

from support.nonsense import CODES, MAIN, SAID, WORKER, mutated

MUTATIONS = int(os.environ.get("AGENT_MUTATIONS", "5000"))
MODULES = ("agent", "intent", "reach", "runtime", "starting", "systemd_unit", "verdict", "worker")


def stat(pid, parent, state="S"):
    return f"{pid} (haproxy) {state} {parent} 1 1 0 -1 4194304 1 0 0 0 7 9 0 0 20 0 1 0 5000 1 1\n"


PROC = {
    f"/proc/{MAIN}/stat": stat(MAIN, 1), f"/proc/{WORKER}/stat": stat(WORKER, MAIN),
    f"/proc/{MAIN}/task/{MAIN}/children": f"{WORKER} ", f"/proc/{WORKER}/task/{WORKER}/stat": stat(WORKER, MAIN),
    f"/proc/{WORKER}/task/{WORKER}/wchan": "ep_poll", f"/proc/{MAIN}/comm": "haproxy\n",
    f"/proc/{WORKER}/comm": "haproxy\n", f"/proc/{MAIN}/cgroup": "0::/system.slice/haproxy.service\n",
    f"/proc/{WORKER}/cgroup": "0::/system.slice/haproxy.service\n",
    f"/proc/{MAIN}/cmdline": "/usr/sbin/haproxy\0-Ws\0-f\0/etc/haproxy/haproxy.cfg\0-S\0/run/haproxy-master.sock\0",
    "/proc/sys/net/ipv4/ip_nonlocal_bind": "0\n", "/proc/sys/net/ipv6/ip_nonlocal_bind": "0\n",
    "/proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                       "eth0\t00000000\t017100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    "/proc/net/if_inet6": "20010db8000000000000000000000008 02 40 00 40     eth0\n",
    "/sys/fs/cgroup/system.slice/haproxy.service/cgroup.procs": f"{MAIN}\n{WORKER}\n",
    "/etc/haproxy/haproxy.cfg": "global\n    stats socket /run/haproxy/admin.sock level admin\n",
}  # fmt: skip
CLI = {
    b"show proc": "#<PID> <type> <reloads> <uptime> <version>\n100 master 1 [failed: 0] 0d00h00m01s 2.6.12\n# workers\n"
                  "101 worker 0 0d00h00m01s 2.6.12\n# old workers\n99 worker 1 0d00h00m09s 2.6.12\n# programs\n\n",
    b"show info": "Name: HAProxy\nPid: 101\nMaxconn: 100\nCurrConns: 3\nStopping: 0\n\n"
                  "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,"
                  "status,weight\nhttp,FRONTEND,,,1,1,100,1,0,0,0,0,0,,,,,OPEN,\n"
                  "app,BACKEND,0,0,0,0,10,0,0,0,0,0,,0,0,0,0,UP,1\n\n",
}  # fmt: skip


def listener(inode=7, port=80, address=bytes([10, 17, 1, 18])):
    body = struct.pack("=BBBB2s2s16s16sI8sIIIII", 2, 10, 0, 0, port.to_bytes(2, "big"), bytes(2), address + bytes(12),
                       bytes(16), 0, bytes(8), 0, 0, 128, 0, inode)  # fmt: skip
    body += struct.pack("=HHBBH", 6, 22, 0x52, 0, 0)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 0, 0) + body


KERNEL = listener() + listener(8, 443) + struct.pack("=IHHIIi", 20, 3, 2, 0, 0, 0)


class World:
    """Everybody whom the agent asks, for one action."""

    def __init__(self, seed, directory):
        self.random, self.directory = random.Random(seed), directory
        self.now, self.killed = 1000.0, set()
        self.rate = self.random.choice([0.05, 0.3, 1.0])

    @property
    def clock(self):
        """What the agents' modules take for `time`."""
        return SimpleNamespace(
            sleep=self.sleep, monotonic=self.monotonic, clock_gettime=time.clock_gettime,
            CLOCK_BOOTTIME=time.CLOCK_BOOTTIME, time=time.time,
        )  # fmt: skip

    # Mutation

    def mutate(self, text):
        return mutated(self.random, text, self.rate)

    # Those who answer

    def run(self, command, timeout, check=True):
        failure = sys.modules["agent"].Failure
        self.now += self.random.choice([0, 0, 0.01, min(timeout, 30)])
        if self.random.random() < self.rate / 5:
            raise failure(self.random.choice([1, 5]), f"{command[0]}: is not there")
        key = " ".join(command[:2]) if " ".join(command[:2]) in SAID else command[0]
        code = int(self.random.random() < self.rate / 5)
        if check and code:
            raise failure(1, f"{command[0]}: code {code}")
        return SimpleNamespace(stdout=self.mutate(SAID[key]), stderr=self.mutate("[ALERT] no\n"), returncode=code)

    def read_file(self, path):
        if any(f"/proc/{pid}/" in path for pid in self.killed) or self.random.random() < self.rate / 20:
            return None
        if path in PROC:
            return self.mutate(PROC[path])
        if path.startswith(str(self.directory)):
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                return self.mutate(file.read())
        return None

    def listdir(self, path):
        if path == "/proc":
            return [str(pid) for pid in (MAIN, WORKER) if pid not in self.killed] + ["self", "net"]
        if path == f"/proc/{WORKER}/task" and WORKER not in self.killed:
            return [str(WORKER)]
        raise OSError(errno.ENOENT, path)

    def readlink(self, path):
        if path.endswith(("/ns/pid", "/ns/net")):
            return "ns:[1]"
        if path.startswith(f"/proc/{WORKER}/fd/") and path.rpartition("/")[2] in ("5", "6"):
            return f"socket:[{int(path.rpartition('/')[2]) + 2}]"
        raise OSError(errno.ENOENT, path)

    def kill(self, pid, number):
        if number == 9:
            self.killed.add(pid)

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += seconds

    def monotonic(self):
        self.now += 1e-5
        return self.now


class Socket:
    """A socket of that world."""

    def __init__(self, world, family=socket.AF_INET, kind=0, protocol=0):
        self.world, self.family, self.sent = world, family, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def settimeout(self, seconds):
        assert seconds > 0

    def connect(self, address):
        self._fail()

    def bind(self, address):
        if self.world.random.random() < self.world.rate / 3:
            raise OSError(errno.EADDRNOTAVAIL, "no")

    def setsockopt(self, *_):
        self._fail()

    def sendall(self, data):
        self._fail()
        self.sent = data

    send = sendall

    def sendto(self, data, address):
        self._fail()

    def shutdown(self, how):
        self._fail()

    def close(self):
        return None

    def recv(self, size):
        self._fail()
        if self.family == socket.AF_NETLINK:
            return self.world.mutate(KERNEL)
        answer = next((text for command, text in CLI.items() if command in self.sent), "")
        self.sent = b""
        return self.world.mutate(answer).encode("utf-8", "surrogateescape")

    def recvfrom(self, size):
        self._fail()
        return self.world.mutate(bytes([69, *bytes(27)])), ("203.0.113.1", 0)

    def _fail(self):
        if self.world.random.random() < self.world.rate / 10:
            number = self.world.random.choice([errno.ECONNREFUSED, errno.EAGAIN, errno.ENOENT, errno.EPIPE])
            raise self.world.random.choice([TimeoutError("timed out"), OSError(number, os.strerror(number))])


def play(haproxy, monkeypatch, seed, directory):
    """One action in one such world: (action, code)."""
    world = World(seed, directory)
    action = world.random.choice(list(CODES))
    environ = {
        "OCF_RESOURCE_INSTANCE": world.mutate("haproxy:0").replace("/", "").replace("\0", ""),
        "HA_RSCTMP": str(directory), "OCF_RESKEY_CRM_meta_timeout": world.mutate("20000"),
        "OCF_RESKEY_CRM_meta_interval": world.random.choice(["0", "5000", world.mutate("5000")]),
        "OCF_CHECK_LEVEL": world.mutate("10"), "OCF_RESKEY_answer_timeout": world.mutate("1500ms"),
        "OCF_RESKEY_gateway": world.mutate("auto"), "OCF_RESKEY_config": "/etc/haproxy/haproxy.cfg",
    }  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(haproxy.agent, "run", world.run)
        patch.setattr(haproxy.agent, "read_file", world.read_file)
        patch.setattr(os, "listdir", world.listdir)
        patch.setattr(os, "readlink", world.readlink)
        patch.setattr(os, "kill", world.kill)
        patch.setattr(os.path, "exists", lambda path: True)
        # Their clock alone: threads of the tests' own go by the machine's.
        for module in (haproxy, *(sys.modules[name] for name in MODULES)):
            patch.setattr(module, "time", world.clock, raising=False)
        patch.setattr(socket, "socket", lambda *arguments: Socket(world, *arguments))
        patch.setattr(socket, "if_indextoname", lambda index: "eth0")
        patch.setattr(sys.modules["listeners"], "FURTHEST", 8)
        patch.setattr(sys.modules["systemd_unit"], "RUNTIME_UNITS", str(directory))
        patch.setenv("SERVICE_RESULT", "success")
        return action, haproxy.agent.main(haproxy.DESCRIPTION, haproxy.HANDLERS, ["haproxy", action], environ)


def test_no_answer_makes_a_traceback_or_a_stop_fail(haproxy, monkeypatch, tmp_path, capfd):
    tried = dict.fromkeys(CODES, 0)
    for seed in range(MUTATIONS):
        action, code = play(haproxy, monkeypatch, seed, tmp_path)
        said = capfd.readouterr().err
        assert "unexpected " not in said, (seed, action, said)
        assert code in CODES[action], (seed, action, code, said)
        tried[action] += 1
    assert min(tried.values()) > MUTATIONS / 20


@pytest.mark.parametrize(
    "text", ["", "x", "worker 1\n", "worker a b c d\n", "listens 1 2 3\n", "worker 1 2 3 4\nlistens"]
)
def test_what_is_remembered_may_be_nonsense(haproxy, tmp_path, text):
    (tmp_path / "haproxy_ha-haproxy-worker").write_text(text)
    env = haproxy.agent.Environment(haproxy.DESCRIPTION, {"HA_RSCTMP": str(tmp_path)}, "monitor")
    known = haproxy.worker.Known(env, "haproxy")
    assert not known.listeners
