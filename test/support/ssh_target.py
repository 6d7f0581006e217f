"""salt-ssh to this machine itself, by a daemon that is there for one test; for the container that has sshd."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from support.edge import await_port

SALT_SSH = Path(sys.executable).with_name("salt-ssh")
PORT = 2222
CONFIGURATION = f"""\
Port {PORT}
ListenAddress 127.0.0.1
HostKey {{0}}/host
AuthorizedKeysFile {{0}}/own.pub
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[Path]:
    """An sshd that lets the owner of a key in; the value is the key's path."""
    for name in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host = (folder / "host.pub").read_text(encoding="ascii")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{PORT} {host}", encoding="ascii")
    (folder / "sshd_config").write_text(CONFIGURATION.format(folder), encoding="ascii")
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", folder / "sshd_config"]) as process:
        try:
            await_port(PORT, process)
            yield folder / "own"
        finally:
            process.terminate()


class SaltSsh:
    """
    What salt-ssh finds on the machine where it runs.

    folder
        Where it keeps everything, what it sends to the target too.
    key
        The key that opens the target, which is called ``primary``.
    root
        The directory in its ``file_roots``.
    pillar
        The tree haproxy_ha.
    environment
        Further variables.
    """

    def __init__(self, folder: Path, key: Path, root: Path, pillar: dict, environment: Mapping[str, str]):
        self._folder, self._environment = folder, {**os.environ, "PYTHONSAFEPATH": "1", **environment}
        pillars = {"top": {"base": {"*": ["site"]}}, "site": {"haproxy_ha": pillar}}
        target = {"host": "127.0.0.1", "port": PORT, "user": "root", "priv": str(key), "thin_dir": str(folder / "thin")}
        self._write({
            "master": {"root_dir": str(folder), "file_roots": {"base": [str(root)]},
                       "pillar_roots": {"base": [str(folder / "pillar")]},
                       "known_hosts_file": str(key.with_name("known_hosts"))},
            "roster": {"primary": target},
            **{f"pillar/{name}.sls": content for name, content in pillars.items()},
        })  # fmt: skip

    def _write(self, files: dict[str, Any]) -> None:
        for name, content in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(yaml.safe_dump(content), encoding="utf-8")

    def call(self, *arguments: str) -> tuple[int, Any]:
        """The exit code, and what came from the target."""
        argv = [SALT_SSH, "-c", self._folder, "--out=json", "--static", "primary", *arguments]
        done = subprocess.run(argv, env=self._environment, check=False, capture_output=True, text=True)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)["primary"]
