"""Files are replaced whole, by however many processes at once, and whoever else owns their directory."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files, lock, waiting
from haproxy_ha_lib.files.entry import FileEntry
from support import REPOSITORY

UTILS = REPOSITORY / "_utils"
requires_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it changes owners")

WRITER = """
import sys
from haproxy_ha_host import files
from haproxy_ha_lib.files.entry import FileEntry
path, letter, user, rounds = sys.argv[1:]
for _ in range(int(rounds)):
    files.put(path, FileEntry(letter * 20000 + "\\n", mode="0640", user=user, group=user))
"""


def process(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stderr=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": str(UTILS)})


def test_two_writers_of_one_file_leave_readers_whole_files(tmp_path):
    path, user = tmp_path / "file", str(os.geteuid())
    files.put(str(path), FileEntry("a" * 20000 + "\n", mode="0640", user=user, group=user))
    writers = [process(WRITER, path, letter, user, 400) for letter in "ab"]
    seen, looks = set(), 0
    while any(writer.poll() is None for writer in writers):
        with open(path, "rb") as handle:
            status, content = os.fstat(handle.fileno()), handle.read()
        seen.add((len(content), content[:1] * 20000 + b"\n" == content, oct(status.st_mode & 0o7777)))
        looks += 1
    assert [(writer.wait(), writer.communicate()[1]) for writer in writers] == [(0, b""), (0, b"")]
    assert looks > 100
    assert seen == {(20001, True, "0o640")}
    assert os.listdir(tmp_path) == ["file"]


@requires_root
def test_a_link_in_the_place_of_a_name_gets_nobody_a_file_of_another(tmp_path):
    """Whoever owns a document root puts links there as fast as he can, under every name that he sees."""
    root, victim = tmp_path / "html", tmp_path / "victim"
    root.mkdir()
    os.chmod(tmp_path, 0o755)
    victim.write_text("mine", encoding="ascii")
    for path in (root, victim):
        os.chown(path, 65534, 65534)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for name in [name for name in os.listdir(root) if name.startswith(".")]:
                try:
                    os.unlink(root / name)
                    os.symlink(victim, root / name)
                except OSError:
                    continue

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        for number in range(300):
            try:
                files.put(str(root / "index.html"), FileEntry(f"{number}", mode="0644"))
            except OSError:  # the name was gone at the rename
                continue
    finally:
        stop.set()
        attacker.join()
    status = victim.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (65534, 65534, 0o644)
    assert victim.read_text(encoding="ascii") == "mine"


@requires_root
@pytest.mark.parametrize("owner, mode", [(65534, 0o755), (0, 0o775)], ids=["another's directory", "one for a group"])
def test_a_link_that_others_can_put_leads_root_nowhere(tmp_path, owner, mode):
    """A deploy user's "current" that leads to /etc would have root write and delete there."""
    app, victim = tmp_path / "app", tmp_path / "victim"
    victim.mkdir()
    app.mkdir()
    (victim / "x").write_text("mine", encoding="ascii")
    (app / "current").symlink_to("../victim")
    os.chown(app, owner, 0)
    app.chmod(mode)
    path = str(app / "current" / "x")
    said = "current is a link, and (nobody|others than root) can put another one there"
    for act in (files.read, files.delete, lambda path: files.put(path, FileEntry("ours")),
                lambda path: files.put(path, None)):
        with pytest.raises(CommandExecutionError, match=said):
            act(path)
    assert (victim / "x").read_text(encoding="ascii") == "mine"
    assert os.listdir(victim) == ["x"]


def test_roots_own_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "relative").symlink_to("real/../real")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    path = str(tmp_path / "absolute" / "new" / "x")
    files.put(path, FileEntry("ours\n", mode="0600"))
    assert (tmp_path / "real" / "new" / "x").read_text(encoding="ascii") == "ours\n"
    assert files.read(path).content == "ours\n"
    files.delete(path)
    assert files.read(path) is None


def test_links_in_a_circle_are_no_directory(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(CommandExecutionError, match="too many links"):
        files.read(str(tmp_path / "a" / "x"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o140600)],
                         ids=["a pipe", "a directory", "a socket"])
def test_what_is_no_file_is_said_at_once(tmp_path, make):
    make(tmp_path / "x")
    begin = time.monotonic()
    with pytest.raises(CommandExecutionError, match="x: (is no file|Is a directory|No such device or address)"):
        files.read(str(tmp_path / "x"))
    assert time.monotonic() - begin < 1


def test_a_link_is_a_link_wherever_it_leads(tmp_path):
    for name, target in (("dangling", "/nowhere"), ("loop", "loop"), ("file", "/etc/passwd")):
        os.symlink(target, tmp_path / name)
        assert files.read(str(tmp_path / name)) == FileEntry(link=target)


@requires_root
def test_a_user_or_group_that_is_not_there_is_named_and_nothing_is_left(tmp_path):
    with pytest.raises(CommandExecutionError, match="there is no group nosuchgroup on this machine"):
        files.put(str(tmp_path / "x"), FileEntry("", group="nosuchgroup"))
    assert os.listdir(tmp_path) == []


@requires_root
def test_the_formulas_memory_is_for_root_alone_from_the_first_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    state = tmp_path / "state"
    monkeypatch.setattr(files, "STATE", str(state))
    files.keep_copies("x", [str(tmp_path / "etc")])
    assert state.stat().st_mode & 0o777 == 0o700
    state.chmod(0o755)  # an older version made it so
    files.put_private(f"{state}/x", "y")
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("able", [True, False], ids=["in one step", "where the file system cannot"])
def test_a_directory_and_a_link_change_places(tmp_path, able, monkeypatch):
    if not able:
        class Unable:
            @staticmethod
            def renameat2(*_):
                ctypes.set_errno(22)
                return -1
        monkeypatch.setattr(files.ctypes, "CDLL", lambda *_, **__: Unable)
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "file").touch()
    os.symlink("elsewhere", tmp_path / "link")
    files.exchange(str(tmp_path / "link"), str(tmp_path / "directory"))
    assert os.readlink(tmp_path / "directory") == "elsewhere"
    assert os.listdir(tmp_path / "link") == ["file"]
    assert sorted(os.listdir(tmp_path)) == ["directory", "link"]


# The lock

HOLDER = """
import sys, time
from haproxy_ha_host import lock
lock.PATH = sys.argv[1]
with lock.alone("haproxy_ha.apply_files haproxy"):
    open(sys.argv[2], "w").close()
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Another process has the lock for so many seconds."""
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock"))
    started = []

    def hold(seconds):
        ready = tmp_path / "ready"
        started.append(process(HOLDER, lock.PATH, ready, seconds))
        assert waiting.wait_for(ready.exists, 10, 0.01)
        return started[-1]

    yield hold
    for one in started:
        one.kill()
        one.communicate()


def test_a_second_run_waits_for_the_first(held):
    first = held(0.5)
    with lock.alone("the second"):
        assert first.wait(5) == 0


def test_a_wait_that_is_over_names_who_is_at_work(held):
    first = held(60)
    said = rf"the second: another run has not ended within 0.3 s: process {first.pid} \(python.*\), since 2\d\d\d-"
    with pytest.raises(CommandExecutionError, match=said) as caught, lock.alone("the second", 0.3):
        pass
    assert "haproxy_ha.apply_files haproxy" in str(caught.value)


def test_a_killed_run_holds_nothing(held):
    first = held(60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    with lock.alone("the second", 5):
        assert str(os.getpid()) in lock.holder()


def test_what_a_command_was_given_is_not_told(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "lock"))
    code = "import sys, time; sys.stdout.close(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, "state.apply", "pillar={x: s3cret}", "--pw=s3cret"]) as other:
        (tmp_path / "lock").write_text(f"{other.pid}\nnow\nx\n", encoding="ascii")
        assert waiting.wait_for(lambda: "state.apply" in lock.holder(), 5, 0.01)
        shown = lock.holder()
        other.kill()
    assert "s3cret" not in shown
