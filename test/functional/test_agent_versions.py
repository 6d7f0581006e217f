"""
The agents change as a whole, under Pacemaker's eyes: upgrades from every set of this repository's past, and between
sets that do not mix, killed at every step, while monitors and stops run.
"""

import itertools
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import agents, commands, files, leftovers, waiting
from haproxy_ha_lib import agents as rules
from support import agent_history, agent_set
from support.place import in_container

pytestmark = pytest.mark.skipif(not in_container(), reason="has a stand-in of systemctl: in the lab's container")

PRESENT = agent_set.sources()
FENCE = "fence_haproxy_ha_digitalocean"


def is_flat(texts):
    """Whether a set can have been a directory of former days; since there are versions, it may have packages."""
    return not any("/" in name for name in texts)


def of_set(mark, texts=PRESENT):
    """Agents, each of which goes on only with modules of the same mark: two such sets do not mix."""
    modules = [name.removesuffix(".py").removesuffix("/__init__") for name in texts if name.endswith(".py")]
    names = "|".join(sorted((name.replace("/", "[.]") for name in modules), reverse=True))
    imports = re.compile(rf"^( *)(?=(?:import|from) ({names})\b)", re.MULTILINE)
    check = rf"\1import \2 as other; assert other.MARK == '{mark}', (other.MARK, '{mark}')\n\1"
    ends = {".py": f"\nMARK = '{mark}'\n"}
    changed = {name: text if name.endswith(".sh") else imports.sub(check, text) for name, text in texts.items()}
    return {name: text + ends.get(name[-3:], "") for name, text in changed.items()}


ONE, OTHER = of_set("one"), of_set("other")
PAST = agent_history.sets()
needs_history = pytest.mark.skipif(not PAST, reason="a checkout without its history")


@pytest.fixture(autouse=True, scope="module")
def _systemctl():
    """A stand-in that knows no unit, where the agents look first."""
    path = Path("/usr/local/sbin/systemctl")
    path.write_text("#!/bin/sh\necho LoadState=not-found\necho ActiveState=inactive\n", encoding="ascii")
    path.chmod(0o755)
    yield
    path.unlink()


class Pacemaker:
    """Runs monitors and stops of both agents and monitors of the fence agent, every 50 ms."""

    def __init__(self, place, directory):
        (directory / "token").write_text("dop_v1_" + "0" * 64, encoding="ascii")
        (directory / "token").chmod(0o600)
        self.place, self.directory = place, directory
        self.actions, self.seen, self.failures, self._stop = 0, set(), [], threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        token = ["-o", "validate-all"]
        commands = [[f"{self.place.link}/{name}", action] for name in ("haproxy", "floatip")
                    for action in ("monitor", "stop")] + [[f"{self.place.fence}/{FENCE}", *token]]
        for command in itertools.cycle(commands):
            if self._stop.wait(0.05):
                return
            if Path(command[0]).exists():
                self.seen.add(command[0])
            if command[0] in self.seen:
                self._act(command)

    def _act(self, command):
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HA_RSCTMP": str(self.directory / "state"),
            "OCF_RESKEY_address": "203.0.113.10", "OCF_RESKEY_token_file": f"{self.directory}/token",
            "OCF_RESKEY_CRM_meta_interval": "0", "OCF_RESKEY_unit": "no-such.service",
        }  # fmt: skip
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
            good = {"monitor": (7,), "stop": (0,)}.get(command[1], (0, 1))
            ill = done.returncode not in good or "Traceback" in done.stderr
            said = f"{done.returncode} {done.stderr}"
        except OSError as error:
            ill, said = True, str(error)
        self.actions += 1
        if ill:
            self.failures.append((command, said))


STEPS = ("rename", "symlink", "unlink", "mkdir", "utime", "rmdir")


def killed_at(number, act):
    """Do something in a process that is killed at its n-th step in the file system; whether it came so far."""
    pid = os.fork()
    if pid == 0:
        try:
            count = itertools.count(1)

            def counted(function):
                def step(*arguments, **options):
                    if next(count) == number:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return function(*arguments, **options)
                return step

            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            for name in ("exchange", "_write"):
                setattr(files, name, counted(getattr(files, name)))
            commands.run = counted(commands.run)
            act()
        except BaseException as error:  # noqa: BLE001 - told by the exit code, in a process that must end here
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == signal.SIGKILL


def current(place):
    """The set that counts, as it was given."""
    paths = [path for path in Path(place.link).rglob("*") if path.suffix in (".py", ".sh")]
    names = [str(path.relative_to(place.link)).removeprefix("alert/") for path in paths]
    return {name.removeprefix("programs/")[:-3] if name.startswith("programs/") else name: path.read_text("utf-8")
            for name, path in zip(names, paths, strict=True)}


def upgrade(place, old, new, directory, steps):
    """Upgrade, killed at each of some steps and begun again; nothing fails, and the set is always a whole one."""
    version = rules.version(new)
    with Pacemaker(place, directory) as pacemaker:
        for number in steps:
            if not killed_at(number, lambda: agents.install(place, version)):
                break
            found = current(place) if os.path.islink(place.link) else old
            assert found in (old, new), number
        agents.install(place, version)
        done = pacemaker.actions
        waiting.wait_for(lambda: pacemaker.actions > done + 5, 10, 0.02)
    assert pacemaker.failures == []
    assert pacemaker.actions > 5
    assert current(place) == new
    assert agents.plan(place, version) == {}


def at_home(root, texts):
    """The same set for another root: the fence agent of former days names the provider's directory."""
    link = agent_set.place(root).link
    return {name: text.replace("/usr/lib/ocf/resource.d/haproxy_ha", link) for name, text in texts.items()}


def begin(former, root, old):
    return agent_set.install_of_former_days(root, old) if former else agent_set.install(root, old)


@pytest.mark.parametrize("former", [
    pytest.param(False, id="from a version"),
    pytest.param(True, id="from the directory of former days", marks=[needs_history, pytest.mark.slow]),
])
def test_an_upgrade_between_sets_that_do_not_mix_is_killed_at_every_step(tmp_path, former):
    one = at_home(tmp_path, of_set("one", [*filter(is_flat, PAST)][-1]) if former else ONE)
    place = begin(former, tmp_path, one)
    upgrade(place, one, OTHER, tmp_path, itertools.count(1))
    assert leftovers.find({place.versions, os.path.dirname(place.link)})
    leftovers.remove({place.versions, os.path.dirname(place.link)})
    assert not [name for folder in (place.versions, os.path.dirname(place.link))
                for name in os.listdir(folder) if name.startswith(".")]


def test_the_sets_that_do_not_mix_do_not(tmp_path):
    """Else the tests beside this one prove nothing."""
    for mixed in ({**ONE, "agent.py": OTHER["agent.py"]}, {**OTHER, "haproxy": ONE["haproxy"]}):
        with pytest.raises(CommandExecutionError, match=r"does not run: (.*\n)+.*'one'"):
            agent_set.install(tmp_path, mixed)
        assert os.listdir(tmp_path / "versions") == []
        assert not os.path.lexists(tmp_path / "resource.d" / "haproxy_ha")


CHANGES = [number for number in range(len(PAST)) if number + 1 == len(PAST) or PAST[number] != PAST[number + 1]]
SOME = CHANGES[:: max(1, len(CHANGES) // 4)]


@pytest.mark.parametrize("number", [
    number if number in SOME else pytest.param(number, marks=pytest.mark.slow) for number in CHANGES
])
def test_each_change_of_the_past_is_an_upgrade_from_the_directory_that_was_there(tmp_path, number):
    old, new = (at_home(tmp_path, one) for one in (PAST[number], (PAST[number + 1 :] or [PRESENT])[0]))
    place = begin(is_flat(old), tmp_path, old)
    upgrade(place, old, new, tmp_path, (1, 9, 17, 25, 33, 41))


@needs_history
def test_the_past_has_many_sets():
    assert len(PAST) > 40


# What a version is


def test_a_fresh_machine(tmp_path):
    place, version = agent_set.place(tmp_path), rules.version(PRESENT)
    planned = agents.plan(place, version)
    assert agents.install(place, version) == planned
    assert planned[place.link] == {"old": None, "new": f"link to {place.of(version)}"}
    assert planned[f"{place.link}/haproxy"]["old"] is None
    assert agents.plan(place, version) == agents.install(place, version) == {}
    assert os.listdir(place.versions) == [rules.digest(version)]


def test_what_pacemaker_would_list_is_the_resource_agents_alone(tmp_path):
    """Every executable file in the provider's directory (Pacemaker's services library)."""
    place = agent_set.install(tmp_path)
    listed = [entry.name for entry in os.scandir(place.link) if entry.is_file() and os.access(entry.path, os.X_OK)]
    assert sorted(listed) == ["floatip", "haproxy", "hetznerip", "lanip"]
    assert os.listdir(tmp_path / "resource.d") == ["haproxy_ha"]
    assert os.access(f"{place.fence}/{FENCE}", os.X_OK)
    assert os.readlink(f"{place.fence}/{FENCE}") == f"{place.link}/fence/{FENCE}"


@pytest.mark.parametrize("path, argument", [("link/haproxy", "meta-data"), ("link/floatip", "meta-data"),
                                            (f"fence/{FENCE}", "-ometadata")])
def test_a_program_is_that_of_its_source(tmp_path, path, argument):
    place = agent_set.install(tmp_path)
    folder, name = path.split("/")
    arguments = ["-o", "metadata"] if folder == "fence" else [argument]
    said = subprocess.run([f"{getattr(place, folder)}/{name}", *arguments], capture_output=True, text=True, check=True)
    for source, text in PRESENT.items():
        path = tmp_path / "plain" / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    plain = subprocess.run(["/usr/bin/python3", "-BIS", tmp_path / "plain" / name, *arguments],
                           capture_output=True, text=True, check=True)
    assert said.stdout == plain.stdout != ""


def test_what_an_action_began_with_it_ends_with(tmp_path):
    """An action that imports late, over an upgrade: from its own version, whatever the link names by then."""
    late = {**PRESENT, "late.py": "WHO = 'old'\n", "haproxy": (
        "import os, sys, time\nsys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))\n"
        "if sys.argv[1] == 'meta-data':\n    sys.exit()\nprint(flush=True)\nsys.stdin.read()\nimport late\n"
        "print(late.WHO)\n")}
    place = agent_set.install(tmp_path, late)
    with subprocess.Popen([f"{place.link}/haproxy", "start"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as action:
        action.stdout.readline()
        agent_set.install(tmp_path, {**late, "late.py": "WHO = 'new'\n"})
        assert action.communicate("")[0] == "old\n"


def test_the_version_of_before_stays_for_an_hour_and_goes_with_a_later_change(tmp_path, monkeypatch):
    versions = [{**PRESENT, "more.py": f"N = {number}\n"} for number in range(4)]
    digests = [rules.digest(rules.version(one)) for one in versions]
    for one in versions[:3]:
        place = agent_set.install(tmp_path, one)
    assert set(os.listdir(place.versions)) == set(digests[:3])
    hour_ago = time.time() - agents.KEPT_SECONDS - 1
    os.utime(f"{place.versions}/{digests[0]}", (hour_ago, hour_ago))
    os.utime(f"{place.versions}/{digests[2]}", (hour_ago, hour_ago))  # that it was made long ago says nothing
    assert agents.plan(place, rules.version(versions[2])) == {}
    planned = agents.plan(place, rules.version(versions[3]))
    assert planned[f"{place.versions}/{digests[0]}"] == {"old": "a version of before", "new": None}
    agent_set.install(tmp_path, versions[3])
    assert set(os.listdir(place.versions)) == set(digests[1:])


@pytest.mark.parametrize("harm", ["chmod 0644 haproxy", "echo >> agent.py", "rm reach.py", "rm -r __pycache__"])
def test_what_somebody_changed_in_a_version_is_put_right(tmp_path, harm):
    place, version = agent_set.install(tmp_path), rules.version(PRESENT)
    subprocess.run(["sh", "-c", f"cd {place.link} && {harm}"], check=True)
    planned = agents.plan(place, version)
    assert len(planned) == 1
    assert agents.install(place, version) == planned
    assert agents.plan(place, version) == {}
    assert os.listdir(place.versions) == [rules.digest(version)]


def test_what_was_compiled_is_used_and_a_file_that_is_newer_counts_itself(tmp_path):
    place = agent_set.install(tmp_path)
    source = Path(place.link, "agent.py")
    with open(source, "a", encoding="utf-8") as handle:
        handle.write("raise SystemExit(42)\n")
    assert subprocess.run([f"{place.link}/haproxy", "meta-data"], capture_output=True, check=False).returncode == 42


def test_a_program_that_does_not_run_is_not_installed(tmp_path):
    place = agent_set.install(tmp_path)
    for ill in ({"floatip": "import nothing_at_all\n"}, {"agent.py": "syntax error\n"}):
        before = os.readlink(place.link)
        with pytest.raises(CommandExecutionError, match="the agent .* does not run: "):
            agent_set.install(tmp_path, {**PRESENT, **ill})
        assert os.readlink(place.link) == before
        assert len(os.listdir(place.versions)) == 1
