"""What test_agent_slips.py does in one process, with real ones: the agent haproxy as a program, a real HAProxy that it
judges and kills, and in the place of systemd, Pacemaker and HAProxy's CLI some that answer nonsense.

`AGENT_PROCESSES=200` in the environment tries fewer; a number of a failure repeats it (`AGENT_PROCESSES_FROM`).
"""

import contextlib
import os
import random
import socket
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest

from support.haproxies import HAProxy
from support.nonsense import CODES, SAID, mutated
from support.place import in_container, requires_tools

PROCESSES = int(os.environ.get("AGENT_PROCESSES", "2000"))
FIRST = int(os.environ.get("AGENT_PROCESSES_FROM", "0"))
ACTIONS = {action: codes for action, codes in CODES.items() if action != "unit-stopped"}
STAND_INS = ("systemctl", "crm_mon", "crm_node", "attrd_updater", "journalctl")
# One that answers late, by a tenth of a second, is part of it: what takes longer is for test_floatip.py.
STAND_IN = """\
#!/bin/sh
[ ! -e {answers}/late ] || sleep 0.1
first="{name} $1"
for key in "$first" "{name}"; do
    [ -e "{answers}/$key" ] || continue
    cat "{answers}/$key"
    cat {answers}/stderr >&2
    exit "$(cat {answers}/code)"
done
"""


class Answering(socketserver.BaseRequestHandler):
    """HAProxy's CLI as it really answers, spoilt."""

    def handle(self):
        with contextlib.suppress(OSError):
            command = self.request.recv(4096)
            answer = self.server.ask(command)
            chance = self.server.chance
            self.request.sendall(mutated(chance, answer.decode("utf-8", "surrogateescape"), self.server.rate)
                                 .encode("utf-8", "surrogateescape"))  # fmt: skip


class Spoiler(socketserver.ThreadingUnixStreamServer):
    """In the place of HAProxy's sockets."""

    daemon_threads = True

    def __init__(self, path, real):
        super().__init__(str(path), Answering)
        self.real, self.chance, self.rate = real, random.Random(0), 0.0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self.real))
            connection.sendall(command)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


class World:
    """A real HAProxy, and liars around it."""

    def __init__(self, module, directory):
        self.module, self.directory = module, directory
        self.answers = directory / "answers"
        self.answers.mkdir()
        self.spoilers, self.haproxy = [], None
        self.programs = [self._stand_in(name) for name in STAND_INS]

    def _stand_in(self, name):
        path = Path("/usr/local/sbin", name)
        path.write_text(STAND_IN.format(name=name, answers=self.answers))
        path.chmod(0o755)
        return path

    def revive(self):
        """A HAProxy that runs, behind spoilt sockets."""
        if self.haproxy and self.haproxy.process.poll() is None and self.haproxy.worker:
            return
        self.end_haproxy()
        home = self.directory / f"haproxy-{len(list(self.directory.glob('haproxy-*')))}"
        home.mkdir()
        self.haproxy = HAProxy(self.module, home)
        self.haproxy.start()
        for name in ("master.sock", "admin.sock"):
            (home / name).rename(home / f"real-{name}")
            self.spoilers.append(Spoiler(home / name, home / f"real-{name}"))

    def end_haproxy(self):
        for spoiler in self.spoilers:
            spoiler.shutdown()
            spoiler.server_close()
        self.spoilers = []
        if self.haproxy:
            self.haproxy.close()

    def close(self):
        self.end_haproxy()
        for path in self.programs:
            path.unlink()

    def play(self, program, seed):
        """One action in such a world: (action, done)."""
        chance = random.Random(seed)
        rate = chance.choice([0.05, 0.3, 1.0])
        action = chance.choice(list(ACTIONS))
        for key, text in {**SAID, "systemctl show": self._shown()}.items():
            if key.split()[0] in STAND_INS:
                self._say(key, mutated(chance, text, rate))
        self._say("stderr", mutated(chance, "[ALERT] no\n", rate))
        self._say("code", "1" if chance.random() < rate / 5 else "0")
        (self.answers / "late").unlink(missing_ok=True)
        if chance.random() < 0.1:
            self._say("late", "")
        for spoiler in self.spoilers:
            spoiler.chance, spoiler.rate = chance, rate
        environ = self._parameters(chance, rate)
        return action, subprocess.run([program, action], capture_output=True, env=environ, check=False, timeout=60)

    def _say(self, name, text):
        (self.answers / name).write_bytes(text.encode("utf-8", "surrogateescape"))

    def _shown(self):
        return ("LoadState=loaded\nActiveState=active\nResult=success\n"
                f"MainPID={self.haproxy.process.pid}\nControlGroup=/system.slice/haproxy.service\nJob=\n")  # fmt: skip

    def _parameters(self, chance, rate):
        said = {
            "OCF_RESOURCE_INSTANCE": mutated(chance, "haproxy:0", rate).replace("/", ""),
            "HA_RSCTMP": str(self.directory), "OCF_ROOT": "/usr/lib/ocf",
            # A timeout that makes no sense could take its time: that is for test_agent_slips.py.
            "OCF_RESKEY_CRM_meta_timeout": "4000",
            "OCF_RESKEY_CRM_meta_interval": chance.choice(["0", "5000", mutated(chance, "5000", rate)]),
            "OCF_CHECK_LEVEL": mutated(chance, "10", rate), "OCF_RESKEY_answer_timeout": chance.choice(["300ms", "1s"]),
            "OCF_RESKEY_gateway": mutated(chance, "auto", rate), "OCF_RESKEY_config": str(self.haproxy.config),
        }  # fmt: skip
        return {name: text.replace("\0", "") for name, text in said.items()}


@pytest.fixture
def world(haproxy, tmp_path):
    made = World(haproxy, tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@requires_tools("haproxy")
@pytest.mark.skipif(not in_container(), reason="puts stand-ins into /usr/local/sbin")
def test_no_real_answer_makes_a_traceback_or_a_stop_fail(world, installed):
    tried = dict.fromkeys(ACTIONS, 0)
    for seed in range(FIRST, FIRST + PROCESSES):
        world.revive()
        action, done = world.play(str(installed / "haproxy"), seed)
        said = done.stderr.decode(errors="replace")
        assert "Traceback" not in said and "unexpected " not in said, (seed, action, said)
        assert done.returncode in ACTIONS[action], (seed, action, done.returncode, said)
        tried[action] += 1
    print(tried)
    assert min(tried.values()) > PROCESSES / 20
