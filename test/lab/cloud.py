"""What the fabric serves to the hosts: DigitalOcean's API and metadata (the simulator), and the package archive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from support import REPOSITORY

from . import network
from .image import Image
from .machine import STATE
from .shell import LabError, run, wait_for
from .simulator import control
from .topology import (
    API_ADDRESS,
    API_NAME,
    ARCHIVE_ADDRESS,
    FABRIC,
    FLOATING_IP,
    FLOATING_IPV6,
    HETZNER_NAME,
    HOSTS,
    METADATA_ADDRESS,
    SECOND_FLOATING_IP,
)

HERE = Path(__file__).resolve().parent
CLOUD = STATE / "cloud"
CONTROL = CLOUD / "control.sock"
FLIP = str(HERE / "flip")
CLOUDS = {
    "digitalocean": {"cloud": "digitalocean", "assign_command": [FLIP, "rewritten"]},
    "hetzner": {"cloud": "hetzner", "assign_command": [FLIP, "routed"]},
}
FLOATING = (FLOATING_IP, SECOND_FLOATING_IP, FLOATING_IPV6)


def up(image: Image) -> None:
    """Start the simulator and the archive in the fabric."""
    CLOUD.mkdir(parents=True, exist_ok=True)
    _make_certificates()
    _simulate("digitalocean")
    _start(
        "archive",
        [sys.executable, "-m", "http.server", "--bind", ARCHIVE_ADDRESS, "--directory", str(image.archive), "80"],
    )


def become(name: str) -> None:
    """Another cloud in the place of the one that is there: ``hetzner``, or ``digitalocean`` again.

    Nobody has a floating IP then.
    """
    for address in FLOATING:
        control.assign(str(CONTROL), address, None)
    _end("simulator")
    _simulate(name)


def _simulate(name: str) -> None:
    config = CLOUD / "simulator.json"
    namespaces = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("mnt", "net")]
    config.write_text(json.dumps({**_simulator_config(*namespaces), **CLOUDS[name]}, indent=2), encoding="utf-8")
    config.chmod(0o600)
    _start("simulator", [sys.executable, "-m", "lab.simulator", "--config", str(config)], pass_fds=namespaces)
    for namespace in namespaces:
        os.close(namespace)
    wait_for(f"the simulator (see {CLOUD}/simulator.log)", lambda: "ready" in _log("simulator"), 20)


def down() -> None:
    """End what ``up`` started."""
    for pid_file in CLOUD.glob("*.pid"):
        _end(pid_file.stem)


def _end(name: str) -> None:
    pid_file = CLOUD / f"{name}.pid"
    pid = int(pid_file.read_text(encoding="ascii"))
    if _is_ours(pid):
        os.kill(pid, signal.SIGKILL)
        wait_for(f"process {pid} to end", lambda: not _is_ours(pid), 10)
    pid_file.unlink()


def api_token() -> str:
    """The token of pillar.example, which is what the simulator accepts."""
    pillar = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    return pillar["haproxy_ha"]["floating_ip"]["api_token"]


def certificate_authority() -> str:
    """The certificate, in PEM, that signs the API's."""
    return (CLOUD / "ca.crt").read_text(encoding="ascii")


def _simulator_config(mounts: int, net: int) -> dict:
    """The simulator's configuration; it inherits the machine's own namespaces as these file descriptors."""
    droplets = [
        {
            "id": host.droplet_id,
            "name": host.name,
            "public_ip": host.public,
            "private_ip": host.private,
            "anchor_ip": host.anchor,
            "public_ipv6": host.public_ipv6,
            "tags": [],
        }
        for host in HOSTS.values()
        if host.droplet_id
    ]
    return {
        "metadata": {"listen": METADATA_ADDRESS, "port": 80},
        "api": {
            "listen": API_ADDRESS,
            "port": 443,
            "certificate": str(CLOUD / "api.crt"),
            "key": str(CLOUD / "api.key"),
        },
        "control": str(CONTROL),
        "tokens": [api_token()],
        "region": "nyc3",
        "droplets": droplets,
        "reserved_ips": [{"ip": ip, "droplet_id": None} for ip in FLOATING],
        # The fabric has mounts and a network of its own; hosts are powered from outside.
        "power_command": [
            "nsenter", f"--mount=/proc/self/fd/{mounts}", f"--net=/proc/self/fd/{net}",
            # nsenter leaves the directory, in which Python would look.
            "env", f"PYTHONPATH={HERE.parent}:{REPOSITORY}", sys.executable, "-m", "lab",
        ],
        # A container is back within half a second, before the cluster has moved what it had; no droplet is.
        "boot_seconds": 5.0,
    }


def _make_certificates() -> None:
    """A certificate authority, as strictly as Python 3.13 wants it, and the API's certificate by it."""
    _make_certificate("ca", "The lab", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _make_certificate(
        "api", API_NAME, "-addext", f"subjectAltName=DNS:{API_NAME},DNS:{HETZNER_NAME}",
        "-addext", "basicConstraints=CA:FALSE", "-CA", str(CLOUD / "ca.crt"), "-CAkey", str(CLOUD / "ca.key"),
    )  # fmt: skip


def _make_certificate(name: str, subject: str, *options: str) -> None:
    run([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "30", "-keyout", str(CLOUD / f"{name}.key"), "-out", str(CLOUD / f"{name}.crt"),
        "-subj", f"/CN={subject}", *options,
    ])  # fmt: skip


def _start(name: str, argv: list[str], **options) -> None:
    with open(CLOUD / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            network.fabric_command(*argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **options,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        )
    (CLOUD / f"{name}.pid").write_text(str(process.pid), encoding="ascii")
    if process.poll() is not None:
        raise LabError(f"{name} ended at once: {_log(name)}")


def _log(name: str) -> str:
    return (CLOUD / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def _is_ours(pid: int) -> bool:
    """Whether the process runs in the lab's fabric: a number from an old pid file may be anybody's by now."""
    try:
        return os.path.samefile(f"/proc/{pid}/ns/net", f"/run/netns/{FABRIC}")
    except OSError:
        return False
