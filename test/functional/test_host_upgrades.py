"""Upgrades in turn, and the agents, on a host: only in the container that has the daemons, which is thrown away."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import units
from support import REPOSITORY
from support.pillars import EXAMPLE, FORMULA, changed
from support.place import in_container, requires_tools

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
]
LINK, VERSIONS = "/usr/lib/ocf/resource.d/haproxy_ha", "/usr/lib/haproxy_ha"
FENCE = "/usr/sbin/fence_haproxy_ha_digitalocean"
UPGRADES = {
    "primary": {
        "/etc/systemd/system/apt-daily-upgrade.service.d/haproxy_ha.conf", "/etc/apt/apt.conf.d/60haproxy_ha",
        "/etc/needrestart/conf.d/haproxy_ha.conf", "/etc/needrestart/restart.d/haproxy.service",
    },
    "app-1": {
        "/etc/systemd/system/apt-daily-upgrade.service.d/haproxy_ha.conf", "/etc/needrestart/restart.d/nginx.service",
    },
}  # fmt: skip


@contextlib.contextmanager
def there(path):
    """Something is at a path; what was not there before is taken away."""
    made = not os.path.lexists(path)
    if made:
        os.makedirs(path)
    try:
        yield
    finally:
        if made:
            os.rmdir(path)


@pytest.mark.parametrize("minion", UPGRADES)
def test_upgrades_in_turn_dry_live_again_and_as_they_come(single, minion):
    def run(test=False, **changes):
        return single("haproxy_ha.upgrades", "x", changed(changes), minion, test=test)

    dry = run(test=True)
    assert (dry["result"], set(dry["changes"])) == (None, UPGRADES[minion])
    assert not any(map(os.path.exists, UPGRADES[minion]))
    assert run()["changes"] == dry["changes"]
    for test in (True, False):
        assert (run(test)["result"], run(test)["changes"]) == (True, {})
    part = {"primary": "cluster", "app-1": "app_server"}[minion]
    beside = LINK if minion == "primary" else "/etc/nginx/conf.d/haproxy_ha.conf"
    with there(beside):  # what a part is known by
        assert UPGRADES[minion] <= set(single("haproxy_ha.removed", part, test=True)["changes"])
    off = run(test=True, upgrades="as_they_come")
    assert (off["result"], set(off["changes"])) == (None, UPGRADES[minion])
    assert set(run(upgrades="as_they_come")["changes"]) == UPGRADES[minion]
    assert not any(map(os.path.exists, UPGRADES[minion]))


def test_a_procedure_of_ones_own_for_needrestart_is_left_alone(single):
    theirs = Path("/etc/needrestart/restart.d/haproxy.service")
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text("#!/bin/sh\n", encoding="ascii")
    try:
        for upgrades in ("in_turn", "as_they_come"):
            live = single("haproxy_ha.upgrades", "x", changed({"upgrades": upgrades}))
            assert set(live["changes"]) == UPGRADES["primary"] - {str(theirs)}
        assert theirs.read_text(encoding="ascii") == "#!/bin/sh\n"
    finally:
        theirs.unlink()


def test_a_service_that_was_held_while_it_was_installed_is_not_enabled_by_an_upgrade():
    """Debian's scripts enable what they have not seen; the link is recorded, and not made."""
    known = Path("/var/lib/systemd/deb-systemd-helper-enabled/haproxy.service.dsh-also")
    known.unlink(missing_ok=True)
    link = Path("/etc/systemd/system/multi-user.target.wants/haproxy.service")
    link.unlink(missing_ok=True)
    asked = ["deb-systemd-helper", "--quiet", "was-enabled", "haproxy.service"]
    asked = ["env", "DPKG_MAINTSCRIPT_PACKAGE=haproxy", *asked]
    assert units.upgrade_enables("haproxy")
    assert subprocess.run(asked, check=False).returncode == 0
    units.keep_off("haproxy")
    assert not units.upgrade_enables("haproxy")
    assert subprocess.run(asked, check=False).returncode == 1
    assert not link.is_symlink()


def test_the_agents_dry_live_and_again_and_what_clean_takes_away(single):
    dry = single("haproxy_ha.agents", "x", test=True)
    assert dry["result"] is None
    assert not os.path.lexists(LINK) and not os.path.exists(VERSIONS)
    live = single("haproxy_ha.agents", "x")
    assert (live["result"], live["changes"]) == (True, dry["changes"])
    assert os.path.realpath(LINK) == os.path.realpath(f"{VERSIONS}/agents/{os.path.basename(os.readlink(LINK))}")
    for name in (f"{LINK}/haproxy", f"{LINK}/floatip", FENCE):
        arguments = ["-o", "metadata"] if name == FENCE else ["meta-data"]
        assert subprocess.run([name, *arguments], capture_output=True, check=True).stdout.startswith(b"<?xml")
    for test in (True, False):
        again = single("haproxy_ha.agents", "x", test=test)
        assert (again["result"], again["changes"]) == (True, {})
    removed = single("haproxy_ha.removed", "cluster", test=True)["changes"]
    assert {LINK, VERSIONS, FENCE} <= set(removed)
    assert Path(LINK).is_dir()


@pytest.mark.parametrize("listed,said", [("agent.py", "has a part of another version"), ("new.py", "is not on Salt's")])
def test_a_file_server_that_has_a_part_of_another_version(minions, tmp_path, monkeypatch, listed, said):
    """While its files are exchanged; a mixture is not installed."""
    for name in ("_modules", "_states", "_utils"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copytree(FORMULA, tmp_path / "haproxy_ha")
    with open(tmp_path / "haproxy_ha/agents.sha256", "a", encoding="ascii") as listing:
        listing.write(f"{'0' * 64}  {listed}\n")
    modules = minions("primary", (tmp_path,)).modules
    monkeypatch.setitem(modules.pack, "__pillar__", {"haproxy_ha": EXAMPLE})
    for function in (modules.haproxy_ha.plan, modules.haproxy_ha.apply):
        with pytest.raises(CommandExecutionError, match=f"salt://haproxy_ha/files/agents/{listed} .*{said}"):
            function("agents", "base")


def test_agents_that_are_the_same_are_not_asked_for_again(single, minions, tmp_path, monkeypatch):
    """A question to the master takes 5 ms, and a run of a pair that is well would ask 36."""
    assert single("haproxy_ha.agents", "x")["result"]
    for name in ("_modules", "_states", "_utils"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copytree(FORMULA, tmp_path / "haproxy_ha", ignore=shutil.ignore_patterns("agents"))
    modules = minions("primary", (tmp_path,)).modules
    monkeypatch.setitem(modules.pack, "__pillar__", {"haproxy_ha": EXAMPLE})
    assert modules.haproxy_ha.plan("agents", "base")["changes"] == {}
    Path(f"{LINK}/agent.py").write_text("import os\n", encoding="ascii")
    with pytest.raises(CommandExecutionError, match=r"files/agents/agent\.py is not on Salt's file server"):
        modules.haproxy_ha.plan("agents", "base")
