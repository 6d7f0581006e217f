"""README, as a new user reads it."""

from __future__ import annotations

import base64
import contextlib
import shutil
from collections.abc import Iterator

import yaml

from lab import audit, salt
from lab.machine import machine
from lab.scenes.stage import changed, runs, scene, tells, told
from lab.topology import BALANCERS, HOSTS, MINIONS
from lab.traffic import ask
from lab.typed import Page
from support import REPOSITORY, module_list


@scene("README.md, Use it")
def first_hour(typed: Page) -> None:
    """On bare hosts."""
    tells(typed("salt '*' saltutil.sync_all"), "haproxy_ha")
    for line in ("salt-call --local haproxy_ha.generate_authkey", "openssl rand -base64 256"):
        key = "".join(word for word in typed(line).split() if word != "local:")
        assert len(base64.b64decode(key)) == 256
    tells(typed("salt-run pillar.show_pillar primary"), "203.0.113.10")
    dry = typed("salt '*' state.apply haproxy_ha test=True --state-output=mixed")
    assert (runs(dry), changed(dry) > 20, ask()[0]) == (4, True, 0)
    live = typed("salt '*' state.apply haproxy_ha --state-output=mixed")
    assert (runs(live), changed(live) > 20) == (4, True)
    audit.settle()
    assert {"primary", "secondary"} <= set(typed("salt primary haproxy_ha.status").split())
    tells(typed("salt-call pacemaker.export"), "ocf:haproxy_ha:floatip")
    with without_a_master("primary"):
        assert changed(typed("salt-call --local state.apply haproxy_ha")) == 0


@contextlib.contextmanager
def without_a_master(name: str) -> Iterator[None]:
    """A host that has the formula and the pillar itself."""
    root = machine(name).root
    shutil.copytree(REPOSITORY, root / "srv/salt", ignore=shutil.ignore_patterns(".git", "test", "docs", "build"))
    module_list.write(root / "srv/salt")
    shutil.copytree(machine("master").root / "srv/pillar", root / "srv/pillar")
    try:
        yield
    finally:
        shutil.rmtree(root / "srv")


@scene("README.md, haproxy_ha")
def again(typed: Page) -> None:
    said = typed("salt '*' state.apply haproxy_ha")
    assert (runs(said), changed(said)) == (4, 0)


@scene("README.md, See it, test it")
def a_shell(typed: Page) -> None:
    """Nothing is typed in it, and so it ends."""
    typed("make lab-enter HOST=primary")


@scene("README.md, Addresses")
def the_mine(typed: Page) -> None:
    """Each minion prints True, and then the others' addresses come from there."""
    bare = {name: {"anchor_ip": HOSTS[name].anchor} for name in BALANCERS}
    with told(mine=True, app_servers=dict.fromkeys(("app-1", "app-2"), {})):
        own = yaml.safe_load(machine("master").read("/srv/pillar/haproxy_ha.sls"))
        own["haproxy_ha"]["load_balancers"] = bare
        salt.set_pillar(yaml.safe_dump({**own, "mine_functions": {"haproxy_ha.addresses": []}}))
        typed("salt '*' saltutil.sync_all")
        for line in ("salt '*' saltutil.refresh_pillar wait=True", "salt '*' mine.update"):
            assert typed(line).split().count("True") == len(MINIONS)
        tells(str(salt.call("haproxy_ha.settings", target="primary")), HOSTS["app-1"].private)
