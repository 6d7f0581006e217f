"""A drill as its operator starts it, from the master."""

from __future__ import annotations

import json

from . import salt
from .machine import machine
from .topology import FLOATING_IP

SETTINGS = {"source": "app-1", "url": f"http://{FLOATING_IP}/"}


def prepare() -> None:
    """Master and minions get the modules that it needs."""
    machine("master").run("salt-run", "saltutil.sync_all")
    salt.call("saltutil.sync_all")


def run(**settings) -> dict:
    """The return of the state of ``salt-run state.orchestrate haproxy_ha.orchestrate.drill``."""
    argv = ["salt-run", "--out=json", "state.orchestrate", "haproxy_ha.orchestrate.drill"]
    done = machine("master").run(*argv, f"pillar={json.dumps({**SETTINGS, **settings})}", check=False)
    told = json.loads(done.stdout[done.stdout.index("{") :])["data"]
    [state] = next(iter(told.values())).values()
    return state


def said(state: dict) -> str:
    """Its report, and what it says of itself."""
    return str(state["changes"].get("return", "")) + state["comment"]
