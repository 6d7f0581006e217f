"""The formula from a real master to a real minion."""

import copy

import pytest
import yaml

from haproxy_ha_host import waiting
from support import metrics
from support.pillars import EXAMPLE, changed


def states(returned):
    assert isinstance(returned, dict), returned
    return {state["__id__"]: state for state in returned.values()}


@pytest.fixture(scope="package")
def synced(master, minion):
    """The one order that counts: first what an unsynced minion says, without pillar and with it; then the modules."""
    cli = master.salt_cli(timeout=180)

    def applied(pillar):
        master.pillar_file.write_text(yaml.safe_dump(pillar), encoding="utf-8")
        return [
            cli.run("state.apply", "haproxy_ha", test=test, minion_tgt=minion.id).data for test in (True, False)
        ]

    without, before = applied({}), applied({"haproxy_ha": EXAMPLE})
    return without, before, cli.run("saltutil.sync_all", minion_tgt=minion.id).data


@pytest.fixture(autouse=True)
def _after_sync(synced):
    pass


def test_a_minion_without_a_part_in_it_is_green_without_the_modules_too(synced):
    for returned in synced[0]:
        [state] = states(returned).values()
        assert (state["result"], state["changes"]) == (True, {})
        assert state["name"] == "Nothing to do: the pillar of app-1 has no haproxy_ha."


def test_a_minion_without_the_modules_says_how_to_get_them(synced):
    for returned in synced[1]:
        [state] = states(returned).values()
        assert state["result"] is False
        assert state["name"] == "Modules of haproxy_ha are not on this minion. Run: salt 'app-1' saltutil.sync_all"


def test_the_modules_and_their_packages_are_synced_and_load(synced, salt):
    done = synced[2]
    assert {"modules.haproxy_ha", "modules.pacemaker", "modules.digitalocean"} <= set(done["modules"])
    assert {"states.haproxy_ha", "states.pacemaker"} <= set(done["states"])
    packages = {f"utils.{name}" for name in ("haproxy_ha_lib.settings.build", "haproxy_ha_host.daemons",
                                             "saltext.pacemaker.cib.plan")}
    assert packages <= set(done["utils"])
    assert "salt-call --local haproxy_ha.generate_authkey" in salt("haproxy_ha.generate_authkey")
    assert salt("sys.list_state_functions", "pacemaker")


def test_settings_come_from_the_masters_pillar(pillar, salt):
    pillar(EXAMPLE)
    settings = salt("haproxy_ha.settings")
    assert (settings["errors"], settings["roles"]) == ([], ["app_server"])
    assert EXAMPLE["floating_ip"]["api_token"] not in str(settings)
    assert EXAMPLE["cluster"]["authkey"] not in str(settings)


def test_changed_pillar_counts_at_once(pillar, salt):
    pillar(EXAMPLE)
    assert salt("haproxy_ha.settings")["nginx"]["page"]["enabled"] is True
    pillar(changed({"nginx": {"page": {"enabled": False}}}))
    assert salt("haproxy_ha.settings")["nginx"]["page"]["enabled"] is False


def test_a_dry_run_predicts_and_fails_nowhere(pillar, salt):
    pillar(EXAMPLE)
    done = states(salt("state.apply", "haproxy_ha", test=True))
    assert {state["result"] for state in done.values()} <= {True, None}, done
    assert "haproxy_ha-app-config" in done
    assert EXAMPLE["floating_ip"]["api_token"] not in str(done)


@pytest.mark.parametrize("test", [True, False])
def test_a_minion_without_a_role_has_one_state(pillar, salt, test):
    tree = copy.deepcopy(EXAMPLE)
    tree["app_servers"]["app-9"] = tree["app_servers"].pop("app-1")
    pillar(tree)
    [state] = states(salt("state.apply", "haproxy_ha", test=test)).values()
    assert (state["result"], state["changes"]) == (True, {})
    assert "Nothing to do: the minion id app-1 is in none of" in state["comment"]


@pytest.mark.parametrize("test", [True, False])
def test_a_wrong_pillar_has_one_failing_state_with_all_errors(pillar, salt, test):
    pillar(changed({"app_servers:app-1:port": 0, "haproxy": {"remove_ngnix": True}, "floating_ip:address": "nowhere"}))
    [state] = states(salt("state.apply", "haproxy_ha", test=test)).values()
    assert (state["result"], state["changes"]) == (False, {})
    for path in ("app_servers:app-1:port", "haproxy:remove_ngnix", "floating_ip:address"):
        assert f"haproxy_ha:{path}: " in state["comment"]
    assert "did you mean remove_nginx?" in state["comment"]


def test_no_pillar_at_all(pillar, salt):
    pillar(None)
    [state] = states(salt("state.apply", "haproxy_ha")).values()
    assert state["result"] is False
    assert "pillar.example" in state["comment"]


def test_the_orchestrated_deployment_goes_tier_by_tier(pillar, master, minion):
    pillar(EXAMPLE)
    done = master.salt_run_cli(timeout=300).run("state.orchestrate", "haproxy_ha.orchestrate.deploy", test=True)
    steps = states(next(iter(done.data["data"].values())) if "data" in done.data else done.data)
    assert [step["result"] for step in steps.values()] == [None, None, None], steps
    order = sorted(steps, key=lambda name: steps[name]["__run_num__"])
    assert order == [f"haproxy_ha-deploy-{name}" for name in ("modules", "app-servers", "all")]


def test_the_schedule_of_the_page_on_monitoring_writes_metrics(master, pillar, salt, tmp_path):
    path, [(name, job)] = tmp_path / "haproxy_ha.prom", metrics.SCHEDULE.items()
    hasty = {name: {**job, "kwargs": {"path": str(path)}, "seconds": 1}}
    master.pillar_file.write_text(yaml.safe_dump({"haproxy_ha": EXAMPLE, "schedule": hasty}), encoding="utf-8")
    assert salt("saltutil.refresh_pillar", wait=True)
    assert waiting.wait_for(lambda: "haproxy_ha_notes " in text(path), 60)
    pillar(EXAMPLE)


def text(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""
