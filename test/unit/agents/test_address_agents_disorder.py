"""
floatip and the fence agent, in this process, when what they ask is in disorder: no traceback, and no stop that fails.

What is replaced is the lowest that there is: sockets, programs, the clock, and calls of the file system that fail. Each
round is made from its number, so that one that failed can be made again: DISORDER_FROM. DISORDER: how many there are.
"""

import contextlib
import errno
import io
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import threading
import types
from http.client import HTTPSConnection
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from haproxy_ha_lib.cloud import answers
from haproxy_ha_lib.digitalocean import reserved
from support import REPOSITORY

ROUNDS, FROM = int(os.environ.get("DISORDER", 3000)), int(os.environ.get("DISORDER_FROM", 0))
AGENTS = REPOSITORY / "haproxy_ha" / "files" / "agents"
ADDRESS, FORMER, ME, OTHER, TOKEN = "203.0.113.10", "203.0.113.11", 1001, 1002, "dop_v1_disorder"
CONTEXT = ssl.create_default_context()
SILENT = os.pipe()  # of a connection on which nothing has come
KNOWN_CODES = {0, 1, 2, 3, 4, 5, 6, 7, 190}
MODULES = sorted(path.stem for path in AGENTS.glob("*.py") if path.stem != "upgrades")


def load(name, file):
    """An agent as a module of this process."""
    loader = SourceFileLoader(name, str(AGENTS / file))
    module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Time:
    """A clock on which only waits take time."""

    def __init__(self):
        self.now = 100_000.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def time(self):
        return 1_800_000_000.0 + self.now


JUNK = [
    None, True, False, 0, 1, -1, 1.5, 2**63, 10**400, float("nan"), float("inf"), "", "x", "off", "active", "true",
    "1001", "\ud800", "a\nb", "²", "x" * 5000, [], {}, [[]], {"id": True}, {"id": ME}, {"slug": 1}, [None],
    {"v4": [None]},
]  # fmt: skip


def droplet(number, name, status="active"):
    networks = {"v4": [{"ip_address": "10.0.0.1", "type": "private"}]}
    return {"id": number, "name": name, "status": status, "region": {"slug": "nyc3"}, "networks": networks, "tags": []}


class World:
    """What answers in one round. Everything is drawn from the round's number."""

    def __init__(self, number, directory):
        self.random = random.Random(number)
        self.directory = directory
        self.time = Time()
        self.disorder = self.random.choice([0.0, 0.05, 0.3, 0.9])
        self.owner = self.random.choice([ME, ME, OTHER, None])
        self.status = self.random.choice(["active", "off"])
        self.told = []  # what the API said in answers that can be read
        self.misled = False  # the metadata service gave another droplet's id, which nobody can know
        self.running = False
        self.failing = self.random.random() < 0.2  # whether the file system fails now and then

    def chance(self, factor=1.0):
        return self.random.random() < self.disorder * factor

    def pick(self, *values):
        return self.random.choice(values)

    # The API and the metadata service, as bytes

    def api_answer(self, method, path):
        words = path.split("?")[0].split("/")[2:]
        name = words[-1]
        if method == "POST":
            document = {"action": {"id": 7, "status": self.pick("in-progress", "errored", "completed")}}
            self.after_a_write(words)
        elif "actions" in words:
            document = {"action": {"id": 7, "status": self.pick("in-progress", "completed", "errored", "done")}}
        elif name == "droplets":
            found = [droplet(ME, "primary", self.status), droplet(OTHER, "secondary", self.status)]
            document = {"droplets": [one for one in found if "name=" not in path or one["name"] in path], "links": {}}
        elif words[0] == "droplets":
            document = {"droplet": droplet(int(name), "primary", self.status)}
        elif name in reserved.SPELLINGS:
            document = {name: [self.reserved(ADDRESS), self.reserved(FORMER)], "links": {}}
        else:
            document = {reserved.SPELLINGS[words[0]]: self.reserved(name)}
        return self.answer(document, 201 if method == "POST" else 200, self.told)

    def after_a_write(self, words):
        if self.random.random() < 0.5:
            self.owner, self.status = self.pick(ME, OTHER), self.pick("off", "active")

    def reserved(self, ip):
        owner = self.owner if ip == ADDRESS else self.pick(None, ME)
        return {"ip": ip, "droplet": droplet(owner, "x") if owner else None, "locked": self.pick(False, False, True),
                "region": {"slug": self.pick("nyc3", "nyc3", "ams3")}}  # fmt: skip

    def metadata_answer(self, path):
        leaf = path.rpartition("/")[2]
        leaves = {"id": str(ME), "active": self.pick("true", "false"), "ip_address": self.pick(ADDRESS, FORMER)}
        text = str(self.pick(*JUNK)) if self.chance(0.5) else leaves.get(leaf, "")
        answer = self.answer(text, 200, [], plain=True)
        said = answer.rpartition(b"\r\n\r\n")[2].strip()
        self.misled |= leaf == "id" and said.isdigit() and said != str(ME).encode()
        return answer

    def answer(self, document, status, told, plain=False):
        if self.chance(0.5):
            status = self.pick(0, 99, 204, 301, 400, 401, 403, 404, 422, 429, 500, 503, 999, "²²²", "2000000")
        if self.chance() and not plain:
            document = self.mutated(document)
        body = (document if plain else json.dumps(document)).encode("utf-8", "surrogatepass")
        if self.chance(0.5):
            body = self.spoilt(body)
        elif str(status)[:1] == "2" and not plain:
            told.append(document)
        head = [f"HTTP/1.{self.pick(0, 1, 1)} {status} x", f"content-length: {len(body)}"]
        if self.chance(0.4):
            head = self.other_head(head)
        return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogatepass") + body

    def other_head(self, head):
        return self.pick(
            [], head[:1], ["nonsense"], [*head, "retry-after: " + self.pick("0", "9" * 400, "soon", "-1", "²")],
            [head[0], "content-length: " + self.pick("-1", "x", "99999999", "1")], [*head, "\0"],
            [head[0], "transfer-encoding: chunked"], [*head, *["x: y"] * 300], [*head, "x: " + "y" * 70_000],
        )  # fmt: skip

    def spoilt(self, body):
        cut = self.random.randrange(max(1, len(body)))  # a whole one is not spoilt
        return self.pick(
            b"", body[:cut], body + body, b"[" * 100_000, b'{"droplet":' * 3000, b"<html>", b"\x1f\x8b\x08",
            body[:cut] + b"\xff", b" " * self.pick(1, 1, 1, 9_000_000), self.random.randbytes(50), b"9" * 5000,
            b'{"reserved_ip": {"droplet": {"id": NaN}}}',
        )  # fmt: skip

    def mutated(self, document):
        """The document with something else in one place, or without it."""
        if not isinstance(document, (dict, list)) or not document or self.random.random() < 0.1:
            return self.pick(*JUNK)
        copy = dict(document) if isinstance(document, dict) else list(document)
        place = self.pick(*(copy if isinstance(copy, dict) else range(len(copy))))
        if isinstance(copy, dict) and self.random.random() < 0.15:
            del copy[place]
        else:
            copy[place] = self.mutated(copy[place])
        return copy

    # Sockets, programs, files

    def connect(self, address, timeout=None):
        if self.chance(0.5):
            raise self.pick(TimeoutError("timed out"), OSError(errno.ECONNREFUSED, "refused"), OverflowError("port"))
        return Plain(self)

    def program(self, command, **options):
        if self.chance(0.6):
            raise self.pick(
                FileNotFoundError(command[0]), subprocess.TimeoutExpired(command, 3), PermissionError("no"),
            )  # fmt: skip
        lines = self.pick("1 primary member\n2 secondary member\n", "1 primary member\n2 secondary lost\n")
        if self.chance():
            lines = self.pick("", "\n \n", "x", "1 (null) lost\n", "\ufffd\0" * 9, "1 2 3 4 5\n" * 99, "1 \ufffd x")
        return types.SimpleNamespace(stdout=lines, stderr="", returncode=self.pick(0, 0, 0, 1))

    def fails(self):
        """Whether a call of the file system fails now."""
        return self.running and self.failing and self.random.random() < 0.3

    def prepare_state(self):
        """A state directory in any state; returns its path."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        state = self.directory / "state"
        if self.chance(0.3):
            return self.pick("/proc/nothing/here", "/dev/null/x", str(self.directory / "a" / "b"))
        state.mkdir()
        now = self.time.now
        files = {"droplet": f"{ME}\n", "floatip-FloatIP": f"address {ADDRESS}\nchecked {now - self.pick(1, 99):.3f}\n",
                 "floatip-FloatIP-lost": f"2 {now - 5}\n", "floatip-FloatIP-takeover": f"x {now - 20}"}  # fmt: skip
        for name, text in files.items():
            if name.endswith(("lost", "takeover")) and self.random.random() < 0.7:
                continue
            self.place(state / f"haproxy_ha-{name}", text)
        return str(state)

    def place(self, path, text):
        if not self.chance(0.7):
            path.write_text(text)
        elif (kind := self.pick("absent", "directory", "link", "garbage", "junk")) == "directory":
            (path / "inside").mkdir(parents=True)
        elif kind == "link":
            path.symlink_to("/nonexistent/x")
        elif kind == "garbage":
            path.write_bytes(self.random.randbytes(200))
        elif kind == "junk":
            known = f"address {ADDRESS}\n"
            path.write_text(self.pick(
                "", "²", "-1", "1e999", "nan nan", "9" * 5000, "9999999 0", "address\nchecked nan", "0",
                known + "checked inf", known + "stands by",
            ))  # fmt: skip


class Plain:
    """A connection in the clear: to the metadata service, or to the address."""

    def __init__(self, world):
        self.world, self.answer = world, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def settimeout(self, seconds):
        pass

    def sendall(self, request):
        self.answer = self.world.metadata_answer(request.split()[1].decode("ascii", "replace"))

    def recv(self, size):
        if self.world.chance(0.2):
            raise TimeoutError("timed out")
        part, self.answer = self.answer[:size], self.answer[size:]
        return part


class Secure:
    """The socket of a connection to the API, as http.client uses one."""

    def __init__(self, world):
        self.world, self.sent = world, b""

    def sendall(self, data):
        self.sent += data

    def makefile(self, mode):
        method, path = self.sent.split(b" ")[:2]
        self.sent = b""
        if self.world.chance(0.3):
            raise self.world.pick(ConnectionResetError(104, "reset"), ssl.SSLError(1, "certificate has expired"))
        return io.BytesIO(self.world.api_answer(method.decode(), path.decode()))

    def settimeout(self, seconds):
        pass

    def fileno(self):
        return SILENT[0]

    def close(self):
        pass


@pytest.fixture
def agents(monkeypatch, tmp_path):
    """The agents, and a function that puts them into a world."""
    monkeypatch.syspath_prepend(str(AGENTS))
    for name in MODULES:  # afterwards they are those of others again
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    modules = {name: import_module(name) for name in MODULES}
    programs = {"floatip": load("floatip", "floatip"), "fence": load("fence", "fence_haproxy_ha_digitalocean")}
    monkeypatch.setattr(ssl, "create_default_context", lambda **options: CONTEXT)
    shed = []
    monkeypatch.setattr(threading, "excepthook", shed.append)
    real = {"replace": os.replace, "unlink": os.unlink, "makedirs": os.makedirs}

    def enter(world):
        for module in modules.values():
            if hasattr(module, "time"):
                monkeypatch.setattr(module, "time", world.time)

        def unsure(name):
            def call(*arguments, **options):
                if world.fails():
                    raise OSError(world.pick(errno.ENOSPC, errno.EROFS, errno.EACCES), "no")
                return real[name](*arguments, **options)

            return call

        for name in real:
            monkeypatch.setattr(os, name, unsure(name))
        monkeypatch.setattr("socket.create_connection", world.connect)
        monkeypatch.setattr(HTTPSConnection, "connect", lambda self: setattr(self, "sock", Secure(world)))
        monkeypatch.setattr(subprocess, "run", world.program)

    def run(world, action):
        """What an action returns, and says. As a process's own, standard error takes any character and output not."""
        enter(world)
        output, errors = (
            io.TextIOWrapper(io.BytesIO(), "utf-8", how, write_through=True) for how in ("strict", "backslashreplace")
        )
        world.running = True
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = action()
        world.running = False
        return code, (output.buffer.getvalue() + errors.buffer.getvalue()).decode()

    return types.SimpleNamespace(**modules, **programs, run=run, shed=shed)


PARAMETERS = {
    "address": ADDRESS, "port": "80", "hold_off": "60s", "api_check_interval": "60s", "api_url": "https://api.example.com",
    "metadata_url": "http://169.254.169.254", "replaces": "", "ca_file": "", "handover_attribute": "h",
}  # fmt: skip
ODD = ["", "x", "²", "-1", "1e400", "nan", "9" * 5000, "\udc80", "a b", "https://", "http://:x", "https://[", "http://h:99999",
       "https://h:x/y", "/", "203.0.113.10.1", "1\n2", FORMER, "0"]  # fmt: skip


def in_disorder(world, options, factor=0.4):
    """The options with one of them something else, now and then; and whether they are as they were."""
    if not world.chance(factor):
        return dict(options), True
    return {**options, world.pick(*options): world.pick(*ODD)}, False


def token_file(directory):
    path = directory / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return str(path)


def rounds(tmp_path):
    for number in range(FROM, FROM + ROUNDS):
        yield number, World(number, tmp_path / "world")


def owners_told(world):
    """The owners that the API told of, in answers about the address."""
    entries = [answers.leaf(document, "reserved_ip") for document in world.told]
    about = [one for one in entries if isinstance(one, dict) and one.get("ip") in (None, ADDRESS)]
    return [answers.leaf(one, "droplet", "id") for one in about]


def test_floatip_in_disorder(agents, tmp_path):
    outcomes = {}
    for number, world in rounds(tmp_path):
        action = world.pick("start", "stop", "monitor", "monitor", "monitor", "validate-all", "reload-agent")
        parameters, intact = in_disorder(world, {**PARAMETERS, "token_file": ""})
        state = world.prepare_state()
        parameters["token_file"] = parameters["token_file"] or token_file(tmp_path)
        interval = world.pick("0", "10000")
        timeout, level = ("20000", "10") if not world.chance(0.2) else (world.pick("", "x", "²"), world.pick(*ODD))
        environ = {"OCF_RESKEY_CRM_meta_timeout": timeout, "OCF_RESKEY_CRM_meta_interval": interval, "HA_RSCTMP": state,
                   "OCF_RESOURCE_INSTANCE": "FloatIP", "OCF_CHECK_LEVEL": level,
                   **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()}}  # fmt: skip
        claim = Path(state) / "haproxy_ha-floatip-FloatIP"
        held = claim.is_file() and claim.read_bytes().startswith(f"address {ADDRESS}\n".encode())
        begin = world.time.now
        floatip = agents.floatip
        arguments = floatip.DESCRIPTION, floatip.HANDLERS, ["floatip", action], environ
        code, text = agents.run(world, lambda: agents.agent.main(*arguments))  # noqa: B023 - called at once
        assert "Traceback" not in text, number
        assert TOKEN not in text, number
        outcomes[action, code] = outcomes.get((action, code), 0) + 1
        assert code in KNOWN_CODES, number
        assert world.time.now - begin <= (20 if timeout == "20000" else 60), number
        assert "unexpected" not in text, (number, text)
        assert (action, code != 0) != ("stop", True), (number, text)
        if action == "monitor" and interval != "0" and intact:
            assert code in (0, 7, 190), (number, code, text)
            # What nobody can tell is not "not running": only the API's word stops a resource that is claimed here.
            told = world.misled or any(owner != ME for owner in owners_told(world))
            assert code != 7 or not held or told, (number, text)
        assert code != 190 or action == "monitor", number
    assert agents.shed == []
    assert {0, 7, 190} <= {code for action, code in outcomes if action == "monitor"}
    assert ("start", 0) in outcomes


def test_the_fence_agent_in_disorder(agents, tmp_path):
    outcomes = {}
    for number, world in rounds(tmp_path):
        action = world.pick("off", "off", "on", "reboot", "status", "list", "list-status", "monitor", "validate-all")
        options = {"action": action, "plug": world.pick("primary", "secondary", str(ME), "nobody"), "ca_file": "",
                   "api_url": "https://api.example.com", "power_timeout": "10", "shell_timeout": "5",
                   "droplets": world.pick("", "primary:1001;secondary:secondary")}  # fmt: skip
        options, _ = in_disorder(world, options)
        lines = [f"{name}={value}\n" for name, value in {**options, "token_file": token_file(tmp_path)}.items()]
        fence = agents.fence.DESCRIPTION, agents.fence.actions, []
        code, text = agents.run(world, lambda: agents.fencing.main(*fence, lines))  # noqa: B023 - called at once
        assert "Traceback" not in text, number
        assert TOKEN not in text, number
        outcomes[options["action"], code] = outcomes.get((options["action"], code), 0) + 1
        assert code in (0, 1, 2), (number, text)
        assert not re.search(r"(Type|Attribute|Key|Index|Value|Recursion|Name|code)Error:", text), (number, text)
        assert code != 1 or text.count("\n") >= 1, number
        if options["action"] == "off" and code == 0:
            shown = [answers.leaf(document, "droplet", "status") for document in world.told]
            assert "off" in [*shown, *listed(world)], (number, text)
    assert agents.shed == []
    assert {("off", 0), ("off", 1), ("monitor", 0), ("monitor", 1), ("status", 2)} <= outcomes.keys()


def listed(world):
    """The statuses in the lists that the API gave."""
    lists = [answers.leaf(document, "droplets") for document in world.told]
    return [answers.leaf(one, "status") for entries in lists if isinstance(entries, list) for one in entries]
