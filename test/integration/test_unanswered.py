"""A run and an orchestration with minions that do not answer, are wrong, or become right in the middle of it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from haproxy_ha_host.waiting import wait_for
from support.pillars import EXAMPLE, REMOVED, changed


def states(returned):
    assert isinstance(returned, dict), returned
    return {state["__id__"]: state for state in returned.values()}


@pytest.fixture(scope="module", autouse=True)
def _modules(master, minion):
    assert master.salt_cli(timeout=180).run("saltutil.sync_all", minion_tgt=minion.id).data


@pytest.fixture(scope="module")
def silent(master):
    """A minion whose key the master has, and which is off."""
    daemon = master.salt_minion_daemon("silent")
    with daemon.started():
        pass
    return daemon.id


@pytest.fixture(scope="module")
def primary(master):
    """A load balancer."""
    daemon = master.salt_minion_daemon("primary")
    with daemon.started():
        yield daemon


@pytest.fixture
def orchestrate(master):
    """``salt-run state.orchestrate``: the states' returns, by id."""

    def run(name, **pillar):
        cli = master.salt_run_cli(timeout=300)
        done = cli.run("state.orchestrate", f"haproxy_ha.orchestrate.{name}", pillar=pillar)
        data = done.data.get("data", done.data)
        assert "Traceback" not in str(done), done
        return states(next(iter(data.values())))

    return run


@pytest.mark.parametrize("name", ["rolling", "deploy"])
def test_a_target_that_nobody_is_called_by_is_one_failure(orchestrate, name):
    [state] = orchestrate(name, target="nobody*").values()
    assert (state["result"], state["changes"]) == (False, {})
    assert state["name"] == "Nothing was done:\nno minion is called nobody*"


@pytest.mark.parametrize("name", ["rolling", "deploy"])
def test_a_minion_that_is_off_is_named_and_nothing_is_done(orchestrate, pillar, silent, name):
    pillar(EXAMPLE)
    [state] = orchestrate(name, target="*").values()
    assert (state["result"], state["changes"]) == (False, {})
    assert f"{silent} does not answer" in state["name"]


def test_a_minion_with_errors_in_pillar_is_named_with_all_of_them(orchestrate, pillar):
    pillar(changed({"app_servers:app-1:port": 0, "verify": "maybe"}))
    [state] = orchestrate("rolling", target="app-*").values()
    assert state["result"] is False
    for text in ("app-1: ", "haproxy_ha:app_servers:app-1:port", "haproxy_ha:verify"):
        assert text in state["name"]


def test_a_target_without_a_load_balancer_is_one_failure(orchestrate, pillar):
    pillar(EXAMPLE)
    [state] = orchestrate("rolling", target="app-*").values()
    assert state["name"] == "Nothing was done:\nno load balancer is among app-*"


def test_a_load_balancer_without_a_cluster_is_named(orchestrate, pillar):
    tree = changed({"app_servers": {"app-2": {"private_ip": "10.132.20.237"}}})
    tree["load_balancers"]["app-1"] = {"private_ip": "10.132.20.236", "anchor_ip": "10.17.1.30"}
    pillar(tree)
    [state] = orchestrate("rolling", target="app-*").values()
    assert state["result"] is False
    assert "app-1: ERROR: " in state["name"]


def test_the_runner_tells_of_who_answers_and_who_does_not(master, primary, pillar):
    """``secondary`` is in pillar, and the master has never heard of it."""
    pillar(EXAMPLE)
    assert master.salt_cli(timeout=120).run("saltutil.sync_all", minion_tgt=primary.id).data
    runner = master.salt_run_cli(timeout=120)
    assert "runners.haproxy_ha" in runner.run("saltutil.sync_all").data["runners"]
    told = runner.run("haproxy_ha.overview", data=True).data
    assert sorted(told) == ["primary", "secondary"] and told["secondary"] == "does not answer"
    assert told["primary"]["nodes"] == ["primary", "secondary"], told


def test_roles_says_what_is_wrong_in_place_of_an_empty_list(pillar, salt):
    pillar(changed({"verify": "maybe"}))
    assert "haproxy_ha:verify" in salt("haproxy_ha.roles")
    pillar(EXAMPLE)
    assert salt("haproxy_ha.roles") == ["app_server"]
    assert "salt://haproxy_ha/defaults.yaml is not on" in salt("haproxy_ha.roles", saltenv="staging")


def test_the_mine_that_fills_while_another_formula_runs_is_no_green_run(master, primary, pillar, salt, tmp_path):
    """Rendered while a load balancer's address was unknown, the run has left everything out."""
    pillar(changed({"mine": True, "load_balancers:primary:private_ip": REMOVED}))
    begun, arrived = tmp_path / "begun", tmp_path / "arrived"
    # The settings of a run are kept for 10 s.
    script = f"touch {begun}; until [ -e {arrived} ]; do sleep 0.1; done; sleep 11"
    slow = Path(master.config["file_roots"]["base"][-1], "slow.sls")
    slow.write_text(json.dumps({"another formula's": {"cmd.run": [{"name": script}, {"order": "first"}]}}), "utf-8")
    cli = master.salt_cli(timeout=120)
    with ThreadPoolExecutor() as pool:
        job = pool.submit(salt, "state.apply", "slow,haproxy_ha", test=False)
        assert wait_for(begun.exists, 60)
        told = ("haproxy_ha.addresses", "private_ip=10.132.20.10")
        assert cli.run("mine.send", *told, mine_function="test.kwarg", minion_tgt=primary.id).data is True
        arrived.touch()
        done = states(job.result())
    assert salt("haproxy_ha.settings")["errors"] == []
    assert set(done) == {"another formula's", "haproxy_ha-settings"}
    guard = done["haproxy_ha-settings"]
    assert guard["result"] is False
    assert "the mine has none of primary" in guard["comment"]
    assert guard["comment"].endswith("It is right now: run it again.")


@pytest.mark.parametrize("sent", ["nonsense", "private_ip=192.0.2.7"])
def test_nonsense_in_the_mine_costs_the_app_server_that_sent_it(master, minion, primary, pillar, salt, sent):
    pillar(changed({"mine": True, f"app_servers:{minion.id}:private_ip": REMOVED,
                    "app_servers:app-2": {"private_ip": "10.132.20.237"}}))  # fmt: skip
    function = "test.kwarg" if "=" in sent else "test.echo"
    assert salt("mine.send", "haproxy_ha.addresses", sent, mine_function=function) is True
    cli = master.salt_cli(timeout=120)
    assert cli.run("saltutil.sync_all", minion_tgt=primary.id).data
    settings = cli.run("haproxy_ha.settings", minion_tgt=primary.id).data
    assert settings["errors"] == [] and list(settings["app_servers"]) == ["app-2"]
    (warning,) = settings["warnings"]
    assert warning.startswith(f"haproxy_ha:app_servers:{minion.id}:private_ip: the mine ")
