"""The SLS files, compiled and applied by Salt."""

import json
import re
from pathlib import Path

import pytest
from salt.exceptions import CommandExecutionError

from haproxy_ha_host import files
from support.pillars import EXAMPLE, FORMULA, REMOVED, changed, valid

FILES = sorted(
    ".".join(("haproxy_ha", *path.relative_to(FORMULA).with_suffix("").parts)).removesuffix(".init")
    for path in FORMULA.rglob("*.sls")
    if "orchestrate" not in path.parts
)
# Those that say something on a minion without a role, because what is there counts and not pillar.
CLEAN = ["haproxy_ha.clean", "haproxy_ha.purge"]
OF_ALL = [f"haproxy_ha-{name}" for name in ("settings", "tidied", "preflight")]


@pytest.fixture
def primary(minions):
    return minions("primary")


@pytest.fixture
def app_1(minions):
    return minions("app-1")


MAP = '{% from "haproxy_ha/map.jinja" import settings with context %}'


def test_every_file_with_states_begins_with_the_map_and_names_it_once():
    """The others are lists of files."""
    for path in FORMULA.rglob("*.sls"):
        if "orchestrate" not in path.parts:
            lines = path.read_text(encoding="utf-8").splitlines()
            code = [line for line in lines if line and not line.startswith("#")]
            if code[0] == "include:":
                assert all(line.startswith("  - haproxy_ha.") for line in code[1:]), path
            else:
                assert code[0] == MAP, path
                assert not any("map.jinja" in line or "haproxy_ha.rendered" in line for line in code[1:]), path


@pytest.mark.parametrize("sls", [
    "haproxy_ha.guard", "haproxy_ha.clean", "haproxy_ha.purge", "haproxy_ha.load_balancer.passive",
])
def test_what_comes_before_preflight_does_not_ask_it(primary, api, sls):
    """These files may mend what it finds: they are rendered whatever the API says, which is not asked."""
    refused = changed({"floating_ip:api_token": "dop_v1_" + "0" * 64})
    usual, before = primary.low(sls, EXAMPLE), api.counts()["calls"]
    assert [chunk["__id__"] for chunk in primary.low(sls, refused)] == [chunk["__id__"] for chunk in usual]
    assert api.counts()["calls"] == before
    assert primary.low("haproxy_ha.preflight", refused)[-1]["rendered"]
    assert api.counts()["calls"] > before


def test_the_map_looks_for_the_formula_where_it_has_its_files():
    paths = valid().paths
    text = (FORMULA / "map_elsewhere.jinja").read_text(encoding="utf-8")
    assert {paths["haproxy_cfg"], paths["qnetd_options"]} == set(re.findall(r'"(/etc/[^"|/]+/[^"|/]+)"', text))
    [pattern] = re.findall(r'select\("match", "([^"]+)"', text)
    names = ("agents_dir", "nginx_site", "nginx_site_enabled", "nginx_http")
    assert all(re.match(pattern, path) for path in (f"{files.STATE}/x", *(paths[name] for name in names)))


def functions(chunks):
    return {f"{chunk['__id__']}: {chunk['state']}.{chunk['fun']}" for chunk in chunks}


def test_a_load_balancer_gets_the_cluster_and_no_app_tier(primary):
    assert [chunk["__id__"].removeprefix("haproxy_ha-") for chunk in primary.low("haproxy_ha", EXAMPLE)] == [
        "settings", "tidied", "preflight", "load-balancer-package", "cluster-agents-package",
        "cluster-agents", "load-balancer-config", "load-balancer-service", "upgrades", "cluster-package",
        "cluster-time", "cluster-authkey", "cluster-quorum-device", "cluster-config", "cluster-events",
        "cluster-monitoring", "cluster-token", "cluster-restart", "cluster-watch-unit", "cluster-watch",
        "cluster-watcher-unit", "cluster-maintenance", "cluster-watcher",
        "cluster-corosync", "cluster-pacemaker", "cluster-membership", "cluster-ready", "cluster-resources",
        "cluster-former-token", "verified",
    ]  # fmt: skip


def test_what_tells_events_is_there_before_the_cluster_starts(primary):
    order = [chunk["__id__"] for chunk in primary.low("haproxy_ha", changed({"cluster:events": True}))]
    told = [name for name in order if "cluster-events" in name]
    assert told == [f"haproxy_ha-cluster-events{name}" for name in ("-spool", "-service", "-path", "")]
    assert order.index(told[-1]) < order.index("haproxy_ha-cluster-corosync")


def test_an_app_server_gets_nginx_and_no_cluster(app_1):
    assert [chunk["__id__"].removeprefix("haproxy_ha-") for chunk in app_1.low("haproxy_ha", EXAMPLE)] == [
        "settings", "tidied", "preflight", "app-package", "app-page", "app-config", "app-service", "upgrades",
        "verified",
    ]  # fmt: skip


QUORUM_PEM = "".join(f"-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----\n"
                     for kind in ("CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"))
HELPED = {"quorum_helper": {"app-1": None},
          "cluster:quorum_device": {"helper_pem": QUORUM_PEM, "balancer_pem": QUORUM_PEM}}
IN_THE_CLEAR = {**HELPED, "cluster:quorum_device": {"tls": False}}
OPTIONS = {
    "a quorum helper's clients": (
        "primary", HELPED, {"cluster-quorum-restart", "cluster-quorum-certificates"}, set(),
    ),
    "a quorum helper's clients in the clear": ("primary", IN_THE_CLEAR, {"cluster-quorum-restart"}, set()),
    "a quorum helper": (
        "app-1",
        HELPED,
        {f"quorum-helper-{part}" for part in ("package", "options", "certificates", "service")},
        set(),
    ),
    "a quorum helper in the clear": (
        "app-1", IN_THE_CLEAR, {f"quorum-helper-{part}" for part in ("package", "options", "service")}, set(),
    ),
    "no page": ("app-1", {"nginx": {"page": {"enabled": False}}}, set(), {"app-page"}),
    "no verification": ("app-1", {"verify": False}, set(), {"verified"}),
    "firewall": ("app-1", {"firewall": {"enabled": True}}, {"firewall-package", "firewall"}, set()),
    "metrics": (
        "primary", {"monitoring": {"sources": ["10.132.0.2"]}},
        {"cluster-monitoring-package", "cluster-monitoring-unit"}, set(),
    ),
    "metrics, of which an app server has none": ("app-1", {"monitoring": {"sources": ["10.132.0.2"]}}, set(), set()),
    "nginx goes": ("primary", {"haproxy": {"remove_nginx": True}}, {"load-balancer-nginx-removed"}, set()),
    "a repository": (
        "primary",
        {"haproxy": {"repository": {"uri": "file:/srv/debian", "suite": "bookworm", "trusted": True}}},
        {"load-balancer-repository"},
        set(),
    ),
    "a virtual IP": (
        "primary",
        {"floating_ip:provider": "ipaddr2", "floating_ip:address": "10.132.20.99", "floating_ip:api_token": REMOVED},
        set(),
        {"cluster-token"},
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_an_option_adds_or_takes_away_its_states_only(minions, case):
    name, changes, more, less = OPTIONS[case]
    usual = {chunk["__id__"] for chunk in minions(name).low("haproxy_ha", EXAMPLE)}
    chosen = {chunk["__id__"] for chunk in minions(name).low("haproxy_ha", changed(changes))}
    assert chosen - usual == {f"haproxy_ha-{state}" for state in more}
    assert usual - chosen == {f"haproxy_ha-{state}" for state in less}


@pytest.mark.parametrize("sls", FILES)
@pytest.mark.parametrize("minion", ["primary", "app-1"])
def test_every_file_compiles_alone_and_with_all_its_requisites(minions, minion, sls):
    """Runs nothing (mock), and Salt resolves every requisite: an unknown one is a failed state."""
    states = minions(minion).apply(sls, EXAMPLE, mock=True)
    assert {state["result"] for state in states.values()} == {True}
    assert all(name.startswith("haproxy_ha-") for name in states)


@pytest.mark.parametrize("sls", ["haproxy_ha", "haproxy_ha.quorum_helper", "haproxy_ha.cluster", "haproxy_ha.verify"])
@pytest.mark.parametrize("minion", ["primary", "app-1"])
def test_files_compile_with_a_quorum_helper(minions, minion, sls):
    states = minions(minion).apply(sls, changed(HELPED), mock=True)
    assert {state["result"] for state in states.values()} == {True}


def test_the_quorum_device_goes_before_the_cluster_counts_without_it_and_comes_after_corosync(primary):
    def order(pillar):
        chunks = [(chunk["__id__"], chunk["fun"]) for chunk in primary.low("haproxy_ha", pillar)]
        names = [name for name, _ in chunks]
        device = names.index("haproxy_ha-cluster-quorum-device")
        return chunks[device][1], [name for name in names[device + 1 :] if name.startswith("haproxy_ha-cluster-c")]

    assert order(EXAMPLE) == ("dead", ["haproxy_ha-cluster-config", "haproxy_ha-cluster-corosync"])
    assert order(changed(HELPED)) == ("running", [])


@pytest.mark.parametrize("sls", [name for name in FILES if name not in CLEAN])
def test_every_file_says_one_thing_on_a_minion_without_a_role(minions, sls):
    states = minions("nobody").apply(sls, EXAMPLE)
    assert [(state["result"], state["changes"]) for state in states.values()] == [(True, {})]
    assert "nobody" in states["haproxy_ha-settings"]["comment"]


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("sls", ["haproxy_ha", "haproxy_ha.load_balancer.config", "haproxy_ha.cluster.resources"])
def test_a_wrong_pillar_is_one_failure_with_all_errors(primary, sls, test):
    wrong = changed({"app_servers:app-1:port": "eighty", "cluster:authkey": REMOVED, "load_balancer": {}})
    states = primary.apply(sls, wrong, test=test)
    assert list(states) == ["haproxy_ha-settings"]
    assert states["haproxy_ha-settings"]["result"] is False
    assert states["haproxy_ha-settings"]["changes"] == {}
    for path in ("haproxy_ha:app_servers:app-1:port", "haproxy_ha:cluster:authkey", "haproxy_ha:load_balancer"):
        assert path in states["haproxy_ha-settings"]["comment"]


@pytest.mark.parametrize("sls", [name for name in FILES if name not in CLEAN])
def test_no_file_does_anything_with_a_wrong_pillar(primary, sls):
    assert [chunk["__id__"] for chunk in primary.low(sls, changed({"verify": "maybe"}))] == ["haproxy_ha-settings"]


def test_a_file_of_another_tier_does_nothing(app_1, primary):
    for minion, sls in ((app_1, "haproxy_ha.cluster"), (primary, "haproxy_ha.app")):
        assert list(minion.apply(sls, EXAMPLE, mock=True)) == OF_ALL


def test_nothing_local_comes_after_the_cluster_has_started(primary):
    order = [chunk["__id__"] for chunk in primary.low("haproxy_ha", EXAMPLE)]
    assert order[order.index("haproxy_ha-cluster-corosync") :] == [
        f"haproxy_ha-{name}"
        for name in (
            "cluster-corosync", "cluster-pacemaker", "cluster-membership", "cluster-ready", "cluster-resources",
            "cluster-former-token", "verified",
        )
    ]


def test_no_state_carries_a_secret(primary):
    text = str(primary.low("haproxy_ha", changed(HELPED)))
    assert "c2VjcmV0" not in text
    assert EXAMPLE["floating_ip"]["api_token"] not in text
    assert EXAMPLE["cluster"]["authkey"] not in text


def test_settings_are_made_once_in_a_run_and_never_stale(primary, tmp_path):
    """All files of the tree ask for them; another pillar at once gives another answer."""
    settings = primary.modules.haproxy_ha.settings
    assert settings("base") is settings("base")
    first = primary.low("haproxy_ha", EXAMPLE)
    second = primary.low("haproxy_ha", changed({"verify": False}))
    assert len(first) == len(second) + 1


def test_what_people_call_goes_by_the_pillar_as_it_is_now(minions, tmp_path, monkeypatch):
    """The minion holds that of its last refresh, which a run with it has to keep to."""
    modules = minions("primary", (Path(FORMULA).parent, tmp_path)).modules
    (tmp_path / "top.sls").write_text("base: {'*': [own]}", encoding="utf-8")
    monkeypatch.setitem(modules.opts, "pillar_roots", {"base": [str(tmp_path)]})
    monkeypatch.setitem(modules.pack, "__pillar__", {"haproxy_ha": EXAMPLE})
    for change, roles in (({}, ["load_balancer"]), ({"load_balancers:primary": REMOVED}, [])):
        (tmp_path / "own.sls").write_text(json.dumps({"haproxy_ha": changed(change)}), encoding="utf-8")
        modules.pack["__context__"].clear()
        assert modules.haproxy_ha.roles() == roles
        assert modules.haproxy_ha.settings("base")["roles"] == ["load_balancer"]
    (tmp_path / "own.sls").write_text("{{ broken", encoding="utf-8")
    modules.pack["__context__"].clear()
    with pytest.raises(CommandExecutionError, match="salt-run pillar.show_pillar primary"):
        modules.haproxy_ha.roles()


def test_settings_without_the_formula_on_the_file_server(minions, tmp_path):
    (tmp_path / "_modules").symlink_to(Path(FORMULA).parent / "_modules")
    (tmp_path / "_utils").symlink_to(Path(FORMULA).parent / "_utils")
    errors = minions("primary", (tmp_path,)).modules.haproxy_ha.settings()["errors"]
    assert errors == ["salt://haproxy_ha/defaults.yaml is not on Salt's file server in the environment base"]


def test_modules_that_are_not_synced(minions, tmp_path):
    """The tree without its modules, as on a minion that has never synced: one state, and it names the remedy."""
    (tmp_path / "haproxy_ha").symlink_to(FORMULA)
    bare = minions("primary", (tmp_path,))
    for sls, test in (("haproxy_ha", False), ("haproxy_ha", True), ("haproxy_ha.cluster.resources", True),
                      ("haproxy_ha.clean", False)):
        [state] = bare.apply(sls, EXAMPLE, test=test).values()
        assert state["result"] is False
        assert "salt 'primary' saltutil.sync_all" in state["name"]
