"""Packages by a real apt with lists of its own: only in the container, which is thrown away."""

import subprocess
from pathlib import Path

import pytest

from haproxy_ha_host import apt
from support import REPOSITORY
from support.pillars import changed
from support.place import in_container, requires_tools

pytestmark = [requires_tools("apt-cache"), pytest.mark.skipif(not in_container(), reason="changes apt's sources")]

RECORD = "Package: {}\nVersion: 1\nArchitecture: all\nFilename: ./{}.deb\nSize: 1\nSHA256: {}\n\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """apt knows agents-base and agents-extra, of which none can be fetched."""
    folder, sources = tmp_path_factory.mktemp("archive"), Path("/etc/apt/sources.list.d/test.list")
    text = "".join(RECORD.format(name, name, "0" * 64) for name in ("agents-base", "agents-extra"))
    (folder / "Packages").write_text(text, encoding="ascii")
    sources.write_text(f"deb [trusted=yes] file:{folder} ./\n", encoding="ascii")
    folder.chmod(0o755)
    subprocess.run(["apt-get", "-qq", "update", "-o", "APT::Sandbox::User=root"], check=True, capture_output=True)
    yield
    sources.unlink()
    for path in Path(apt.LISTS).glob(f"*{folder.name}*"):
        path.unlink()


@pytest.mark.usefixtures("archive")
def test_apt_says_what_it_could_install():
    assert apt.candidates(["agents-base", "agents-extra", "agents"]) == {"agents-base", "agents-extra"}


@pytest.mark.usefixtures("archive", "machine")
def test_a_package_that_apt_does_not_know_fails_the_dry_run_too(single):
    for entry in ("agents", "agents | agents-one"):
        dry = single("haproxy_ha.packages_installed", "x", pkgs=[entry], test=True)
        assert (dry["result"], dry["changes"]) == (False, {})
        assert entry in dry["comment"]


@pytest.mark.usefixtures("archive", "machine")
def test_of_two_names_the_one_that_apt_knows_would_be_installed(single):
    entries = ["agents | agents-base", "agents | agents-extra"]
    dry = single("haproxy_ha.packages_installed", "x", pkgs=entries, test=True)
    assert (dry["result"], list(dry["changes"])) == (None, ["agents-base", "agents-extra"])


def test_without_lists_nobody_knows_yet(single, machine, monkeypatch, tmp_path):
    monkeypatch.setattr(apt, "LISTS", str(tmp_path))
    dry = single("haproxy_ha.packages_installed", "x", pkgs=["agents | agents-base"], test=True)
    assert (dry["result"], list(dry["changes"])) == (None, ["agents"])


@pytest.mark.usefixtures("archive", "machine")
def test_what_a_new_repository_brings_is_not_known_yet(single):
    repository = {"uri": "http://192.0.2.1/debian", "suite": "bookworm", "trusted": True}
    pillar = changed({"haproxy": {"repository": repository}})
    dry = single("haproxy_ha.packages_installed", "x", pillar, pkgs=["haproxy-newest"], test=True)
    assert (dry["result"], list(dry["changes"])) == (None, ["haproxy-newest"])


UBUNTU = {"os": "Ubuntu", "osfinger": "Ubuntu-24.04", "osrelease": "24.04", "oscodename": "noble"}


def test_a_release_that_nobody_has_tested_is_one_failure(minions, monkeypatch, tmp_path):
    minion = minions("primary", (REPOSITORY, tmp_path))  # of its own: one that has run keeps its grains
    monkeypatch.setitem(minion.modules.opts, "grains", {**minion.modules.opts["grains"], **UBUNTU})
    for test in (True, False):
        [state] = minion.apply("haproxy_ha", changed({}), test=test).values()
        assert (state["result"], state["changes"]) == (False, {})
        assert "grain osfinger: found 'Ubuntu-24.04', tested: Debian-12, Debian-13" in state["comment"]
