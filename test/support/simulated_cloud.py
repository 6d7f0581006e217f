"""The DigitalOcean simulator on the loopback, for tests: real HTTP and TLS, free ports."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lab.simulator import control
from lab.simulator.__main__ import servers

ADDRESS = "203.0.113.10"
IPV6 = "2001:db8:10::10"
TOKEN = "dop_v1_test"
PRIMARY, SECONDARY = 1001, 1002


class Simulated(NamedTuple):
    """Where the simulator is, and its control socket's client."""

    metadata_url: str
    api_url: str
    ca_file: str
    socket: str
    address: str = ADDRESS

    def state(self) -> dict:
        return control.state(self.socket)

    def counts(self) -> dict:
        return self.state()["counts"]

    def power(self, name="secondary") -> str:
        """A droplet's status."""
        return self.state()["droplets"][name]

    def owner(self) -> int | None:
        return self.state()["owners"][self.address]

    def fault(self, kind: str, **options) -> None:
        control.fault(self.socket, kind, **options)

    def clear(self) -> None:
        control.clear(self.socket)

    def delay(self, **seconds) -> None:
        control.delay(self.socket, **seconds)

    def assign(self, droplet_id: int | None) -> None:
        control.assign(self.socket, self.address, droplet_id)

    def droplet(self, droplet_id: int, **changes) -> None:
        control.droplet(self.socket, droplet_id, **changes)

    def tokens(self, *tokens) -> None:
        control.tokens(self.socket, list(tokens))

    def reset(self) -> None:
        control.reset(self.socket, owners=True)


@functools.cache
def certificate() -> tuple[str, str]:
    """A certificate for 127.0.0.1, its own authority, and its key; made once."""
    directory = Path(tempfile.mkdtemp(prefix="simulated-"))
    paths = str(directory / "certificate.pem"), str(directory / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=simulator", "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths


def configuration(directory: Path, **settings) -> dict:
    """The simulator's configuration: this machine is the droplet `primary`, which owns the address at first."""
    certificate_file, key_file = certificate()
    return {
        "metadata": {"listen": "127.0.0.1", "port": 0},
        "api": {"listen": "127.0.0.1", "port": 0, "certificate": certificate_file, "key": key_file,
                "rate_limit": {"minute": 5000}},
        "control": str(directory / "control.sock"),
        "tokens": [TOKEN],
        "droplets": [
            {"id": PRIMARY, "name": "primary", "public_ip": "127.0.0.1", "private_ip": "10.132.20.10",
             "anchor_ip": "10.17.1.18", "public_ipv6": "2001:db8:21::21", "tags": ["lb"]},
            {"id": SECONDARY, "name": "secondary", "public_ip": "203.0.113.22", "private_ip": "10.132.20.11",
             "anchor_ip": None, "public_ipv6": "2001:db8:21::22", "tags": ["lb"]},
            {"id": 1003, "name": "third", "public_ip": "203.0.113.23", "private_ip": "10.132.20.12"},
        ],
        "reserved_ips": [{"ip": ADDRESS, "droplet_id": PRIMARY}, {"ip": IPV6, "droplet_id": PRIMARY}],
        **settings,
    }  # fmt: skip


@contextlib.contextmanager
def simulator(directory: Path, **settings) -> Iterator[Simulated]:
    """Runs a simulator in threads of this process."""
    config = configuration(directory, **settings)
    _, running = servers(config)
    for server in running:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    ports = [server.server_address[1] for server in running[:2]]
    try:
        yield Simulated(
            f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}", config["api"]["certificate"],
            config["control"],
        )  # fmt: skip
    finally:
        control.clear(config["control"])
        for server in running:
            server.shutdown()
            server.server_close()
