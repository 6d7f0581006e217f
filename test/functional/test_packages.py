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


def update(sources):
    """Have apt read a file of sources, and keep what it knows of others."""
    only = {"APT::Sandbox::User": "root", "APT::Get::List-Cleanup": "0", "Dir::Etc::sourceparts": "-",
            "Dir::Etc::sourcelist": sources}  # fmt: skip
    options = [word for name, value in only.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", "-qq", "update", *options], check=True, capture_output=True)


@pytest.fixture
def archive(tmp_path_factory):
    """apt knows agents-base and agents-extra, of which none can be fetched."""
    folder, sources = tmp_path_factory.mktemp("archive"), Path("/etc/apt/sources.list.d/test.list")
    text = "".join(RECORD.format(name, name, "0" * 64) for name in ("agents-base", "agents-extra"))
    (folder / "Packages").write_text(text, encoding="ascii")
    sources.write_text(f"deb [trusted=yes] file:{folder} ./\n", encoding="ascii")
    folder.chmod(0o755)
    update(sources)
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
    repository = {"uri": "file:/srv/debian", "suite": "bookworm", "trusted": True}
    pillar = changed({"haproxy": {"repository": repository}})
    dry = single("haproxy_ha.packages_installed", "x", pillar, pkgs=["haproxy-newest"], test=True)
    assert (dry["result"], list(dry["changes"])) == (None, ["haproxy-newest"])


@pytest.fixture
def mirror(tmp_path):
    """A repository that also has a newer C library and what nobody else has."""
    text = "".join(RECORD.format(name, name, "0" * 64) for name in ("haproxy", "libc6", "stray"))
    (tmp_path / "Packages").write_text(text.replace("Version: 1", "Version: 99"), encoding="ascii")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    yield tmp_path
    for path in (*OWN_FILES, *Path(apt.LISTS).glob(f"*{tmp_path.name}*")):
        path.unlink(missing_ok=True)


OWN_FILES = [Path("/etc/apt/sources.list.d/haproxy_ha.list"), Path("/etc/apt/preferences.d/haproxy_ha")]


def take(single, mirror, **options):
    """Apply the repository; what apt would then install of each package."""
    repository = {"uri": f"file:{mirror}", "suite": "./", "components": [], "trusted": True, **options}
    pillar = changed({"haproxy": {"repository": repository}})
    dry, live, again = (single("haproxy_ha.repository", "x", pillar, test=test) for test in (True, False, False))
    assert (live["result"], live["changes"], again["changes"]) == (True, dry["changes"], {}), live["comment"]
    update(OWN_FILES[0])
    return live["comment"], {name: "99" in candidate(name) for name in ("haproxy", "libc6", "stray")}


def candidate(name):
    text = subprocess.run(["apt-cache", "policy", name], check=True, capture_output=True, text=True).stdout
    return next((line for line in text.splitlines() if "Candidate:" in line), "")


@pytest.mark.usefixtures("machine")
def test_a_repository_brings_what_it_is_for_and_nothing_else(single, mirror):
    comment, candidates = take(single, mirror)
    assert comment == "The repository is in place"
    assert candidates == {"haproxy": True, "libc6": False, "stray": False}


@pytest.mark.usefixtures("machine")
def test_a_repository_may_bring_more_on_request(single, mirror):
    assert take(single, mirror, packages=["haproxy", "str*"])[1] == {"haproxy": True, "libc6": False, "stray": True}
    assert take(single, mirror, packages=["*"])[1] == {"haproxy": True, "libc6": True, "stray": True}


@pytest.mark.usefixtures("machine", "archive")
def test_other_sources_of_the_same_host_are_not_pinned_away(single, mirror):
    """apt tells them by their host alone, and a whole distribution may come from there."""
    comment, candidates = take(single, mirror)
    assert comment.endswith("from it too: /etc/apt/sources.list.d/test.list:1 is of the same host")
    assert candidates == {"haproxy": True, "libc6": True, "stray": True}


@pytest.mark.usefixtures("machine")
def test_sources_that_apt_cannot_read_leave_the_pin_as_it_is(single, mirror):
    take(single, mirror)
    broken = Path("/etc/apt/sources.list.d/broken.list")
    broken.write_text("deb nonsense\n", encoding="ascii")
    try:
        pillar = {"uri": f"file:{mirror}", "suite": "./", "components": [], "trusted": True, "packages": ["stray"]}
        state = single("haproxy_ha.repository", "x", changed({"haproxy": {"repository": pillar}}))
    finally:
        broken.unlink()
    assert (state["result"], state["changes"]) == (True, {})
    assert "whether it has to be pinned is not known: apt-get indextargets" in state["comment"]


UBUNTU = {"os": "Ubuntu", "osfinger": "Ubuntu-24.04", "osrelease": "24.04", "oscodename": "noble"}


def test_a_release_that_nobody_has_tested_is_one_failure(minions, monkeypatch, tmp_path):
    minion = minions("primary", (REPOSITORY, tmp_path))  # of its own: one that has run keeps its grains
    monkeypatch.setitem(minion.modules.opts, "grains", {**minion.modules.opts["grains"], **UBUNTU})
    for test in (True, False):
        [state] = minion.apply("haproxy_ha", changed({}), test=test).values()
        assert (state["result"], state["changes"]) == (False, {})
        assert "grain osfinger: found 'Ubuntu-24.04', tested: Debian-12, Debian-13" in state["comment"]
    tried = minion.apply("haproxy_ha", changed({"untested_platform": True}), test=True)
    assert "haproxy_ha-app-package" not in tried and tried["haproxy_ha-settings"]["result"] is True
