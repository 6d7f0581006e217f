"""How the formula comes to Salt's file server: as a package of SPM, and from git, by tag and branch, in a monorepo."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support import REPOSITORY, module_list
from support.masterless import Masterless
from support.pillars import REMOVED, changed
from support.place import requires_tools

pytestmark = pytest.mark.slow  # each call begins a Salt of its own

PARTS = ("_modules", "_states", "_utils", "haproxy_ha")
PILLAR = changed({
    "floating_ip:provider": "ipaddr2", "floating_ip:address": "10.132.20.99", "floating_ip:api_token": REMOVED,
})  # fmt: skip
SPM_PLACES = """
spm_build_dir formula_path pillar_path reactor_path spm_cache_dir spm_share_dir spm_db spm_logfile
""".split()
SPM = Path(sys.executable).with_name("spm")


def copied(folder):
    """The formula, with a list of its modules as they are."""
    for name in (*PARTS, "FORMULA", "pillar.example"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    module_list.write(folder, folder)
    return folder


def is_the_formula(minion):
    """The minion has the modules by a sync alone, and its states."""
    assert "modules.haproxy_ha" in minion.call("saltutil.sync_all")["modules"]
    assert minion.call("haproxy_ha.stale") == []
    assert minion.call("haproxy_ha.roles") == ["load_balancer"]
    assert "haproxy_ha-settings" in minion.call("state.show_sls", "haproxy_ha")


def test_a_package_of_spm_is_built_and_installed(tmp_path):
    formula = tmp_path / "formula"
    formula.mkdir()
    copied(formula)
    configuration = {"root_dir": str(tmp_path), **{key: str(tmp_path / key) for key in SPM_PLACES}}
    (tmp_path / "spm").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    version = yaml.safe_load((formula / "FORMULA").read_text(encoding="utf-8"))["version"]

    def spm(*arguments):
        subprocess.run([SPM, "-c", tmp_path, "-y", *arguments], check=True, capture_output=True)

    spm("build", formula)
    spm("local", "install", tmp_path / "spm_build_dir" / f"haproxy_ha-{version}-1.spm")
    assert (tmp_path / "pillar_path" / "haproxy_ha.sls.orig").exists()
    is_the_formula(Masterless(tmp_path / "minion", PILLAR, {"file_roots": {"base": [str(tmp_path / "formula_path")]}}))


ROOT = "formulas/haproxy_ha-formula"


@pytest.fixture
def repository(tmp_path):
    """A monorepo: the tag v1 has the formula, and the branch staging one with another default."""
    folder = tmp_path / "estate"
    (folder / ROOT).mkdir(parents=True)

    def git(*arguments):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *who, "-C", folder, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    copied(folder / ROOT)
    git("add", "-A")
    git("commit", "-qm", "The formula")
    git("tag", "v1")
    git("checkout", "-qb", "staging")
    defaults = folder / ROOT / "haproxy_ha" / "defaults.yaml"
    text = defaults.read_text(encoding="utf-8")
    assert "drain_timeout: 10\n" in text
    defaults.write_text(text.replace("drain_timeout: 10\n", "drain_timeout: 31\n"), encoding="utf-8")
    git("commit", "-qam", "Another default")
    return folder


@requires_tools("git")
def test_git_by_tag_and_branch_in_a_monorepo(repository, tmp_path):
    minion = Masterless(tmp_path / "minion", PILLAR, {
        "fileserver_backend": ["gitfs"], "gitfs_provider": "gitpython", "gitfs_base": "v1",
        "gitfs_remotes": [{f"file://{repository}": [{"root": ROOT}]}],
    })  # fmt: skip
    is_the_formula(minion)
    assert minion.call("haproxy_ha.settings")["haproxy"]["drain_timeout"] == 10
    assert minion.call("haproxy_ha.settings", "saltenv=staging")["haproxy"]["drain_timeout"] == 31
    assert "haproxy_ha-settings" in minion.call("state.show_sls", "haproxy_ha", "saltenv=staging")
