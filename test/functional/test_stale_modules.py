"""Modules and states of different versions: one failure that names the sync."""

import shutil

import pytest

import saltext.pacemaker
from support import REPOSITORY, module_list
from support.pillars import EXAMPLE

PARTS = ("_modules", "_states", "_utils", "haproxy_ha")


def copied(folder):
    """A copy of the formula, for a minion of its own."""
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    module_list.write(folder, folder)
    return folder


@pytest.fixture
def formula(tmp_path):
    return copied(tmp_path)


@pytest.fixture(scope="module")
def synced(minions, tmp_path_factory):
    """A copy of the formula, and a minion that has its modules; who changes the one puts it back."""
    folder = copied(tmp_path_factory.mktemp("formula"))
    return folder, minions("primary", (folder,))


def only_failure(states, cure="Run: salt 'primary' saltutil.sync_all"):
    [state] = states.values()
    assert (state["result"], state["changes"]) == (False, {})
    assert cure in state["name"] + state["comment"]
    return state["name"] + state["comment"]


SLS = ["haproxy_ha", "haproxy_ha.cluster.resources", "haproxy_ha.load_balancer.passive", "haproxy_ha.clean",
       "haproxy_ha.purge"]


def applied(minion, *names):
    """The states' returns of these SLS files, or of all, dry and live."""
    return [minion.apply(sls, EXAMPLE, test=test) for sls in names or SLS for test in (True, False)]


@pytest.mark.parametrize("path", [
    "_modules/haproxy_ha.py", "_states/pacemaker.py", "_utils/haproxy_ha_lib/values.py",
    "_utils/haproxy_ha_host/net.py", "_utils/saltext/pacemaker/cib/plan.py",
])  # fmt: skip
def test_a_module_that_is_not_the_states_is_one_failure_that_names_the_sync(synced, path):
    """Newer on the file server than on the minion: the states and their list have come without a sync."""
    formula, minion = synced
    assert minion.apply("haproxy_ha.guard", EXAMPLE)["haproxy_ha-settings"]["result"] is True
    before = (formula / path).read_text(encoding="utf-8")
    (formula / path).write_text(f"{before}# another version\n", encoding="utf-8")
    module_list.write(formula, formula)
    for states in applied(minion):
        assert "of another version" in only_failure(states)
    (formula / path).write_text(before, encoding="utf-8")
    module_list.write(formula, formula)


def test_modules_that_know_nothing_of_the_list_are_one_failure(minions, formula):
    """As before an upgrade: what an old module lacks is what its states ask for first."""
    module = formula / "_modules" / "haproxy_ha.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace("def rendered(", "def _rendered("), encoding="utf-8")
    minion = minions("primary", (formula,))
    minion.modules.saltutil.sync_all()
    for states in applied(minion):
        assert "of another version" in only_failure(states)


def test_states_that_are_older_than_the_modules_are_a_failure(minions, formula):
    minion = minions("primary", (formula,))
    (formula / module_list.LISTED).unlink()
    guard = "haproxy_ha-settings:\n  haproxy_ha.settings_valid\n"
    (formula / "haproxy_ha" / "guard.sls").write_text(guard, encoding="utf-8")
    for states in applied(minion, "haproxy_ha", "haproxy_ha.cluster.resources"):
        [state] = states.values()
        assert state["result"] is False
        assert "salt://haproxy_ha/modules.sha256 is not on Salt's file server" in state["comment"]


def test_an_engine_of_another_version_in_an_extension_is_named_with_its_place(minions, formula, tmp_path, monkeypatch):
    """It precedes what is synced, so that a sync does not help."""
    installed = tmp_path / "site-packages" / "saltext" / "pacemaker"
    shutil.copytree(REPOSITORY / "_utils" / "saltext" / "pacemaker", installed)
    monkeypatch.setattr(saltext.pacemaker, "__file__", str(installed / "__init__.py"))
    assert minions("primary", (formula,)).modules.haproxy_ha.stale("base") == []
    with open(installed / "words.py", "a", encoding="utf-8") as handle:
        handle.write("# another version\n")
    states = minions("secondary", (formula,)).apply("haproxy_ha.guard", EXAMPLE)
    said = only_failure(states, "Install the extensions of the states' version")
    assert f"_utils/saltext/pacemaker/words.py (of an extension, {installed / 'words.py'})" in said


def test_functions_say_it_too(minions, formula):
    minion = minions("primary", (formula,))
    assert minion.modules.haproxy_ha.stale("base") == []
