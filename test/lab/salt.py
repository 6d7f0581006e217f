"""Salt in the lab: a real master, real minions, the formula mounted from this checkout."""

from __future__ import annotations

import json
from pathlib import Path

from support import REPOSITORY, file_roots, module_list

from .machine import Machine, machine
from .shell import LabError, wait_for
from .topology import HOSTS, MINIONS

FORMULA_ROOT = "/srv/formula"

MASTER_CONFIG = f"""\
auto_accept: True
file_roots: {{base: [/srv/salt, {FORMULA_ROOT}]}}
pillar_roots: {{base: [/srv/pillar]}}
timeout: 60
gather_job_timeout: 30
worker_threads: 3
"""

# The log says which state a run has come to.
MINION_CONFIG = """\
id: {}
master: {}
log_level_logfile: info
"""

UNIT = """\
[Unit]
Description=Salt {role}
After=network.target

[Service]
Type=simple
ExecStart=/opt/salt/bin/salt-{role} --log-level=warning
KillMode=process
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def prepare(target: Machine) -> list[str]:
    """Write Salt's configuration to a host's disk; returns the directories to mount into it."""
    host = target.host
    if not host.salt:
        return []
    unit = f"salt-{host.salt}.service"
    target.write(f"/etc/systemd/system/{unit}", UNIT.format(role=host.salt))
    wants = target.root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / unit).symlink_to(f"/etc/systemd/system/{unit}")
    target.write("/etc/profile.d/salt.sh", "PATH=$PATH:/opt/salt/bin\n")
    if host.salt == "minion":
        target.write("/etc/salt/minion.d/lab.conf", MINION_CONFIG.format(host.name, HOSTS["master"].private))
        return []
    target.write("/etc/salt/master.d/lab.conf", MASTER_CONFIG)
    module_list.write(target.root / "srv/salt")
    set_pillar((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    return [f"{REPOSITORY / part}:{FORMULA_ROOT}/{part}" for part in file_roots.PARTS]


def set_pillar(text: str) -> None:
    """Replace the pillar that every minion gets."""
    master = machine("master")
    master.write("/srv/pillar/top.sls", "base:\n  '*':\n    - haproxy_ha\n")
    master.write("/srv/pillar/haproxy_ha.sls", text, 0o600)


def wait_minions(timeout: float = 120) -> None:
    """Wait until every minion answers its master."""
    keys = Path(machine("master").root, "etc/salt/pki/master/minions")
    wait_for(
        "the minions' keys at the master",
        lambda: keys.is_dir() and set(MINIONS) <= {key.name for key in keys.iterdir()},
        timeout,
    )
    # Asked before, one that does not answer costs the ping's whole patience.
    wait_for("all minions to listen to their master", lambda: all(map(_listens, MINIONS)), timeout)
    wait_for("all minions to answer", lambda: set(call("test.ping", timeout=30)) == set(MINIONS), timeout, 1)


def _listens(host: str) -> bool:
    """Whether a minion has its connection to what the master publishes."""
    return bool(machine(host).run("ss", "-Htn", "state", "established", "dport", "=", ":4505", check=False).stdout)


def call(function: str, *arguments: str, target: str = "*", timeout: float = 600) -> dict:
    """``salt TARGET FUNCTION ...`` on the master (a target with commas is a list): minion id -> what it returned."""
    matcher = ["-L"] if "," in target else []
    done = machine("master").run(
        "salt",
        "--out=json",
        "--static",
        "--hide-timeout",
        f"--timeout={int(timeout)}",
        *matcher,
        target,
        function,
        *arguments,
        check=False,
        timeout=timeout + 60,
    )
    try:
        return json.loads(done.stdout or "{}")
    except ValueError as error:
        raise LabError(f"salt {target} {function}: {done.stdout[-1500:]} {done.stderr[-1500:]}") from error


def start(function: str, *arguments: str) -> None:
    """``salt '*' FUNCTION ...`` for all minions, whose returns nobody waits for."""
    machine("master").run("salt", "--async", "*", function, *arguments)


def sync() -> None:
    """Hand the formula's modules to the minions."""
    module_list.write(machine("master").root / "srv/salt")
    call("saltutil.sync_all")
