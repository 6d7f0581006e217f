"""The formula in the lab: the example's pillar with changes, applied, and what has failed."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml

from support import REPOSITORY

from . import outcome, salt
from .machine import machine
from .shell import LabError
from .topology import APP_SERVERS, ARCHIVE_NAME, BALANCERS, HOSTS, MINIONS

CONFIGURATION = "haproxy_ha.load_balancer.config"
APPLY_MANY = Path(__file__).with_name("apply_many.py").read_text(encoding="utf-8")
NAME_THE_BALANCER = "http-response set-header X-Balancer %[hostname]"


def set_pillar(
    cluster: dict | None = None,
    options: Sequence[str] = (),
    nginx: dict | None = None,
    balancers: Sequence[str] = BALANCERS,
    apps: Sequence[str] = APP_SERVERS,
    own: dict[str, dict] | None = None,
    monitoring: dict | None = None,
    firewall: dict | None = None,
    beside: dict | None = None,
    frontends: dict | None = None,
    floating_ips: dict | None = None,
) -> None:
    """The example's pillar for these hosts, with a response header that names the balancer, further lines of the
    frontend, other ``frontends``, ``cluster``, ``nginx``, ``monitoring`` and ``firewall`` laid over its sections of
    those names, ``own`` keys of each balancer, further ``floating_ips``, and what is ``beside`` the formula's tree."""
    document = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))
    tree = document["haproxy_ha"]
    tree["load_balancers"] = {
        name: {**_addresses(name), "anchor_ip": HOSTS[name].anchor, **(own or {}).get(name, {})} for name in balancers
    }
    tree["app_servers"] = {name: _addresses(name) for name in apps}
    tree["haproxy"] = {"frontends": {"http": {"options": [NAME_THE_BALANCER, *options]}, **(frontends or {})}}
    tree["cluster"].update(cluster or {})
    given = {"nginx": nginx, "monitoring": monitoring, "firewall": firewall, "floating_ips": floating_ips}
    tree |= {key: value for key, value in given.items() if value}  # an old formula does not know them all
    salt.set_pillar(yaml.safe_dump({**document, **(beside or {})}, sort_keys=False))


def _addresses(name: str) -> dict:
    return {"private_ip": HOSTS[name].private, "public_ip": HOSTS[name].public}


@contextlib.contextmanager
def another_tree(balancers: dict[str, dict] | None = None, **keys: object) -> Iterator[None]:
    """The example's pillar with other ``keys`` of its tree, applied to both load balancers; afterwards as it was.

    Args:
        balancers (dict): What is laid over a load balancer's own keys; None takes a key out.
    """
    example = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
    document = yaml.safe_load(example)
    tree = document["haproxy_ha"]
    tree |= keys
    for name, own in (balancers or {}).items():
        laid = {**tree["load_balancers"][name], **own}
        tree["load_balancers"][name] = {key: value for key, value in laid.items() if value is not None}
    both = ",".join(BALANCERS)
    salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
    apply(target=both)
    yield
    salt.set_pillar(example)
    apply(target=both)


def newer_haproxy(host: str = ARCHIVE_NAME) -> dict:
    """haproxy:repository with the lab's own, which is signed and has an HAProxy newer than the distribution's."""
    key = (machine("master").image.archive / "newer/key.asc").read_text(encoding="ascii")
    return {"uri": f"http://{host}/newer", "suite": "./", "components": [], "key": key}


def apply(what: str = "haproxy_ha", target: str = "*") -> dict:
    """What ``salt TARGET state.apply WHAT`` returned; a LabError names what failed."""
    returned = salt.call("state.apply", what, target=target)
    wanted = MINIONS if target == "*" else target.split(",")
    silent = [name for name in wanted if not isinstance(returned.get(name), dict)]
    if silent:
        raise LabError(f"no run on {', '.join(silent)}: {returned}")
    failed = outcome.failed(returned)
    if failed:
        raise LabError("; ".join(failed))
    return returned


@contextlib.contextmanager
def applying(host: str, sls: str) -> Iterator[Callable[[], list[dict]]]:
    """A function that applies an SLS on a host, and returns its states; Salt is started there once for all calls."""
    argv = machine(host).command("/opt/salt/bin/python3", "-c", APPLY_MANY, sls)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"

        def apply() -> list[dict]:
            process.stdin.write("apply\n")
            process.stdin.flush()
            run = {host: json.loads(process.stdout.readline())}
            assert outcome.failed(run) == []
            return outcome.states(run, host)

        yield apply
        process.stdin.close()
