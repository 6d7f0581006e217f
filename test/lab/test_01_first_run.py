"""From bare hosts to the tutorial's system, the way a user runs it."""

from __future__ import annotations

import base64
import os

import yaml

from lab import cloud, outcome
from lab.machine import MACHINES, machine
from lab.salt import call
from lab.shell import run
from lab.topology import BALANCERS, HOSTS, MINIONS
from lab.traffic import ask
from support import REPOSITORY


def test_without_the_modules_one_state_names_the_remedy_and_nothing_is_written(first_run):
    for minion in MINIONS:
        (state,) = outcome.states(first_run.unsynced, minion)
        assert state["result"] is False
        assert f"salt '{minion}' saltutil.sync_all" in state["name"] + state["comment"]
    assert first_run.unsynced_writes == []


def test_preview_writes_nothing(first_run):
    assert first_run.preview_writes == []


def test_preview_fails_nowhere_and_predicts_what_the_live_run_changes(first_run):
    assert outcome.failed(first_run.preview) == []
    for minion in MINIONS:
        would = {state["__id__"] for state in outcome.states(first_run.preview, minion) if state["result"] is None}
        did = {state["__id__"] for state in outcome.states(first_run.live, minion) if state["changes"]}
        # The balancer that comes first commits to the cluster: on the other one nothing is left to change.
        assert did <= would
        assert would - did <= {"haproxy_ha-cluster-resources", "haproxy_ha-cluster-membership", "haproxy_ha-verified"}


def test_first_run_succeeds_at_the_first_attempt(first_run):
    assert set(first_run.live) == set(MINIONS)
    assert outcome.failed(first_run.live) == []


def test_second_run_changes_nothing(first_run):
    assert outcome.failed(first_run.second) == []
    assert outcome.changed(first_run.second) == []


def test_preview_of_a_converged_system_is_empty_and_writes_nothing(first_run):
    assert outcome.failed(first_run.after) == []
    assert outcome.changed(first_run.after) == []
    assert first_run.after_writes == []


def test_answers_alternate_through_the_floating_ip(active):
    bodies = [ask()[1] for _ in range(6)]
    assert bodies[:2] * 3 == bodies
    assert sorted(bodies[:2]) == [
        "Droplet: app-1, IP Address: 203.0.113.31",
        "Droplet: app-2, IP Address: 203.0.113.32",
    ]


def test_nginx_logs_the_balancer_and_the_client(active):
    ask()
    ask()
    for app in ("app-1", "app-2"):
        line = machine(app).read("/var/log/nginx/access.log").splitlines()[-1]
        assert line.startswith(f"ProxyIP: {HOSTS[active].private} - ClientIP: {HOSTS['client'].internet} - ")


def test_verify_passes_on_every_minion(active):
    for minion, answer in call("haproxy_ha.verify").items():
        assert answer["result"] is True, f"{minion}: {answer}"


def test_the_app_tier_answers_balancers_only(active):
    for app in ("app-1", "app-2"):
        assert ask(HOSTS[app].private, source="primary")[0] == 200
        assert ask(HOSTS[app].private, source="master")[0] == 403
        assert ask("127.0.0.1", source=app)[0] == 0
        assert ask(HOSTS[app].public, source="primary")[0] == 0
        assert ask(HOSTS[app].public)[0] == 0


def test_a_balancer_answers_on_its_anchor_ip_only(active):
    for balancer in BALANCERS:
        assert ask(HOSTS[balancer].anchor, source=balancer)[0] == 200
        for address in ("127.0.0.1", HOSTS[balancer].public, HOSTS[balancer].private):
            assert ask(address, source=balancer)[0] == 0


def files_with(*pattern: str) -> set[str]:
    """The files on every disk in which grep finds something: configuration and histories, logs, caches, jobs."""
    roots = [str(MACHINES[name].upper) for name in HOSTS]
    argv = ["grep", "-rla", "--devices=skip", *pattern, *roots]
    return set(run(argv, check=False, env={**os.environ, "LC_ALL": "C"}).stdout.split())


def on(hosts, path: str) -> set[str]:
    return {str(MACHINES[name].upper / path) for name in hosts}


def pillar_of_the_master() -> set[str]:
    caches = {f"var/cache/salt/master/pillar/{name}.p" for name in MINIONS}
    return {path for name in ("srv/pillar/haproxy_ha.sls", *caches) for path in on(["master"], name)}


def test_the_api_token_is_nowhere_but_in_its_file_and_the_pillar(active):
    assert files_with("-F", cloud.api_token()) == on(BALANCERS, "etc/haproxy_ha/token") | pillar_of_the_master()


def test_the_authkey_is_nowhere_but_in_its_file_and_the_pillar(active):
    pillar = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]
    written = pillar["cluster"]["authkey"].split()[0]
    key = "".join(f"\\x{byte:02x}" for byte in base64.b64decode("".join(pillar["cluster"]["authkey"].split()))[:32])
    assert files_with("-P", key) == on(BALANCERS, "etc/corosync/authkey")
    assert files_with("-F", written) == pillar_of_the_master()


def test_haproxy_is_left_to_the_cluster_at_boot(active):
    for balancer in BALANCERS:
        assert machine(balancer).run("systemctl", "is-enabled", "haproxy", check=False).stdout.strip() == "disabled"
        assert machine(balancer).run("systemctl", "is-enabled", "pacemaker").stdout.strip() == "enabled"
