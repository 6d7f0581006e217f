"""python3 -m lab.simulator --config FILE"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import ssl
import sys
import threading

from lab.simulator import hetzner
from lab.simulator.api import API
from lab.simulator.control import Control
from lab.simulator.metadata import Metadata
from lab.simulator.model import Estate, RateLimit, run_command
from lab.simulator.wire import Server

CLOUDS = {
    "digitalocean": (Estate, API, Metadata),
    "hetzner": (hetzner.Project, hetzner.HetznerAPI, hetzner.Metadata),
}


def servers(config: dict) -> tuple[Estate, list[Server]]:
    """The servers of a configuration, bound and listening; the keys are those of the lab's simulator.json.

    Args:
        config (dict): `metadata` {listen, port}, `api` {listen, port, certificate, key, rate_limit: {hour, minute}},
            `control` (path), `tokens`, `region`, `droplets`, `reserved_ips`, `assign_command`, `power_command`,
            `boot_seconds`, `cloud` (`digitalocean`, which is the default, or `hetzner`). The services are optional.
    """
    made, asked, told = CLOUDS[config.get("cloud", "digitalocean")]
    command, power_command = config.get("assign_command"), config.get("power_command")
    estate = made(
        config.get("droplets", []),
        config.get("reserved_ips", []),
        config.get("region", "nyc3"),
        run_command(command) if command else None,
        run_command(power_command) if power_command else None,
    )
    estate.boot_seconds = config.get("boot_seconds", 0.0)
    estate.prefixes = config.get("prefixes", [])
    estate.route()
    settings = config.get("api", {})
    api = asked(estate, config.get("tokens", []), RateLimit(**settings.get("rate_limit", {})))
    found = []
    if "metadata" in config:
        found.append(Server((config["metadata"]["listen"], config["metadata"].get("port", 80)), told(estate)))
    if settings:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
        found.append(Server((settings["listen"], settings.get("port", 443)), api, context))
    if "control" in config:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config["control"])
        found.append(Server(config["control"], Control(estate, api)))
        os.chmod(config["control"], 0o600)
    return estate, found


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.simulator", description="Simulates a cloud for the lab.")
    parser.add_argument("--config", required=True, metavar="FILE", help="JSON; see servers() in lab.simulator.__main__")
    options = parser.parse_args()
    with open(options.config, encoding="utf-8") as file:
        config = json.load(file)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _, found = servers(config)
    for server in found:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    stop.wait()
    for server in found:
        server.shutdown()
        server.server_close()
    if "control" in config:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config["control"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
