"""Programs that the formula runs: nobody is asked for anything, and what takes too long ends with all it started."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import commands, waiting
from support import REPOSITORY
from support.certificates import self_signed
from support.place import requires_tools

UTILS = REPOSITORY / "_utils"


def in_a_terminal(code, *arguments, seconds=30):
    """What a Python program says that has a terminal, on which nobody types anything."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code, *arguments], {**os.environ, "PYTHONPATH": str(UTILS)})
    said, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.waitpid(pid, 0)
            return said.decode()
        said += part
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    pytest.fail(f"asks somebody: {said.decode()}")


def test_no_program_has_a_terminal():
    code = ("from haproxy_ha_host import commands; print(commands.run(['sh', '-c', 'if (: </dev/tty) 2>/dev/null; then "
            "echo a terminal; else echo none; fi; cat'], timeout=10))")
    assert in_a_terminal(code).strip() == "(0, 'none\\n')"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace")
@requires_tools("haproxy", "unshare", "openssl")
@pytest.mark.parametrize("form", ["ec", "pkey"])
def test_a_check_of_an_encrypted_key_ends_by_itself(tmp_path, form):
    """One that no look of ours has found, named by a raw line: HAProxy asks for its passphrase on the terminal."""
    certificate, key = self_signed(tmp_path, "www")
    encrypt = ["openssl", form, "-in", str(key), "-aes256", "-passout", "pass:word"]
    encrypted = subprocess.run(encrypt, check=True, capture_output=True, text=True).stdout
    (tmp_path / "www.pem").write_text(certificate.read_text() + encrypted, encoding="ascii")
    cfg = tmp_path / "haproxy.cfg"
    content = f"defaults\n    mode http\nfrontend f\n    bind 127.0.0.1:1 ssl crt {tmp_path}/www.pem\n"
    cfg.write_text(content, encoding="ascii")
    code = ("import sys; from haproxy_ha_host import daemons; from haproxy_ha_lib.files.entry import FileEntry; "
            "root, cfg = sys.argv[1:]; "
            "print(daemons.refusal(daemons.Daemon('haproxy', 'haproxy', root, ('-c', '-f', cfg)), "
            "{cfg: FileEntry(open(cfg).read())}))")
    said = in_a_terminal(code, str(tmp_path), str(cfg))
    assert "haproxy refuses the new configuration" in said and "www.pem" in said


def test_a_program_that_takes_too_long_ends_with_all_that_it_started(tmp_path):
    pidfile = tmp_path / "pid"
    begin = time.monotonic()
    with pytest.raises(CommandExecutionError, match="did not end within 0.5 s"):
        commands.run(["sh", "-c", f"sleep 60 & echo $! >{pidfile}; wait"], timeout=0.5)
    assert time.monotonic() - begin < 10
    pid = int(pidfile.read_text())
    assert waiting.wait_for(lambda: not Path(f"/proc/{pid}").exists() or "Z" in state_of(pid), 5)


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_a_program_that_leaves_a_daemon_behind_is_not_waited_for_longer(tmp_path):
    """A service's start script: the daemon lives on, when it holds none of the pipes."""
    pidfile = tmp_path / "pid"
    assert commands.run(["sh", "-c", f"sleep 30 >/dev/null 2>&1 & echo $! >{pidfile}"])[0] == 0
    pid = int(pidfile.read_text())
    assert state_of(pid) in "SR"
    os.kill(pid, 9)
