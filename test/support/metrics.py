"""The metrics of a pair that is well, as promtool's unit tests have them, and a real Prometheus that is asked."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterable

import yaml

from support import REPOSITORY

FILES = REPOSITORY / "haproxy_ha" / "files" / "monitoring"
RULES, DASHBOARD = FILES / "rules.yml", FILES / "dashboard.json"
PAGE = (REPOSITORY / "docs" / "monitoring.md").read_text(encoding="utf-8")
_EXAMPLE, _SCHEDULE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PILLAR = yaml.safe_load(_EXAMPLE)["haproxy_ha"]["monitoring"]
SCHEDULE = yaml.safe_load(_SCHEDULE)["schedule"]
CONFIGURATION, STATE = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
NODES = {"a": "192.0.2.1", "b": "192.0.2.2"}

Series = dict[tuple[str, frozenset], float]


def alerts() -> list[str]:
    """The names of the rules' alerts."""
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["alert"].removeprefix("HaproxyHa") for rule in group["rules"]]


def series(name: str, value: float = 1, /, **labels: str) -> Series:
    """One series."""
    return {(name, frozenset({"pair": "www", **labels}.items())): value}


def well() -> Series:
    """What is told of a pair that is well."""
    found: Series = {}
    for address in NODES.values():
        found |= _of_the_cluster(f"{address}:9664") | _of_haproxy(f"{address}:8405") | _of_the_node(f"{address}:9100")
    return found


def _of_the_cluster(instance: str) -> Series:
    found = {
        **series("up", instance=instance),
        **series("ha_cluster_pacemaker_stonith_enabled", instance=instance),
        **series("ha_cluster_corosync_quorate", instance=instance),
        **series("ha_cluster_scrape_success", instance=instance, collector="pacemaker"),
        **series("ha_cluster_scrape_success", instance=instance, collector="corosync"),
    }
    for resource, node in (("FloatIP", "a"), ("fencing", "a"), ("haproxy", "a"), ("haproxy", "b")):
        found |= runs(resource, node, instance)
    for node in NODES:
        for status in ("online", "standby", "maintenance", "unclean"):
            found |= series("ha_cluster_pacemaker_nodes", status == "online", status=status, **here(node, instance))
        found |= series("ha_cluster_pacemaker_fail_count", 0, resource="haproxy", **here(node, instance))
        reach = {"name": "haproxy_ha-reach", "value": "2000"}
        found |= series("ha_cluster_pacemaker_node_attributes", **reach, **here(node, instance))
    return found


def here(node: str, instance: str) -> dict[str, str]:
    """The labels of what an instance tells of a node."""
    return {"node": node, "instance": instance}


def runs(resource: str, node: str, instance: str, managed: str = "true") -> Series:
    """That a resource runs on a node."""
    agent = "stonith:fence_haproxy_ha_digitalocean" if resource == "fencing" else f"ocf:haproxy_ha:{resource.lower()}"
    common = {"instance": instance, "node": node, "resource": resource, "agent": agent, "role": "started",
              "managed": managed}
    found: Series = {}
    for status in ("active", "failed", "blocked"):
        found |= series("ha_cluster_pacemaker_resources", status == "active", status=status, **common)
    return found


def _of_haproxy(instance: str) -> Series:
    found = {
        **series("up", instance=instance),
        **series("haproxy_process_current_connections", 5, instance=instance),
        **series("haproxy_process_max_connections", 100, instance=instance),
    }
    for state in ("UP", "DOWN"):
        found |= series("haproxy_backend_status", state == "UP", instance=instance, proxy="app_pool", state=state)
        found |= series("haproxy_server_status", state == "UP", instance=instance, proxy="app_pool", server="app-1",
                        state=state)
    return found


def _of_the_node(instance: str) -> Series:
    return {
        **series("up", instance=instance),
        **series("haproxy_ha_asked_timestamp_seconds", LATE, instance=instance),
        **series("haproxy_ha_notes", 0, instance=instance),
        **series("haproxy_ha_certificate_end_timestamp_seconds", LATE, instance=instance, certificate="/etc/www.pem"),
    }


LATE = 1e9
"""A time that no test comes to: promtool's begin at 0."""


def changed(found: Series, name: str, value: float | None, /, **labels: str) -> Series:
    """The series with a value of those that have these labels; None takes them away."""
    chosen = [one for one in found if one[0] == name and labels.items() <= dict(one[1]).items()]
    assert chosen, f"no series {name} {labels}"
    kept = {one: old for one, old in found.items() if one not in chosen}
    return kept if value is None else {**kept, **dict.fromkeys(chosen, value)}


Moments = dict[str, dict[str, int]]
"""Of a time, such as ``90s``: how many alerts of which name fire then."""


def promtool_file(cases: Iterable[tuple[Series, Moments]], step: int) -> str:
    """A file of promtool's tests, of metrics that stay as they are, asked for every so many seconds."""
    tests = [{"interval": f"{step}s", "input_series": [*_input(found, max(map(_seconds, moments)) // step)],
              "promql_expr_test": [_expected(moment, names) for moment, names in moments.items()]}
             for found, moments in cases]  # fmt: skip
    return yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": f"{step}s", "tests": tests})


def _seconds(moment: str) -> int:
    return int(moment[:-1]) * {"s": 1, "m": 60, "h": 3600}[moment[-1]]


def _input(found: Series, count: int) -> Iterable[dict[str, str]]:
    return ({"series": _shown(one), "values": f"{value:g}+0x{count + 1}"} for one, value in found.items())


def _expected(moment: str, names: dict[str, int]) -> dict:
    samples = [{"labels": f'{{alertname="HaproxyHa{name}"}}', "value": count} for name, count in names.items()]
    firing = 'count by (alertname) (ALERTS{alertstate="firing"} > 0)'
    return {"expr": firing, "eval_time": moment, "exp_samples": samples}


def _shown(one: tuple[str, frozenset]) -> str:
    labels = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(one[1]))
    return f"{one[0]}{{{labels}}}"


def configuration(targets: Iterable[str], rules: str, interval: str) -> str:
    """The document's configuration of Prometheus for other targets, rules and times."""
    tree = yaml.safe_load(CONFIGURATION)
    tree["global"] = dict.fromkeys(tree["global"], interval)
    tree["rule_files"] = [rules]
    tree["scrape_configs"][0]["static_configs"][0]["targets"] = [*targets]
    return yaml.safe_dump(tree)


def hasty_rules() -> str:
    """The rules, without the time for which each waits."""
    return re.sub(r"(?m)^( +for:) .*", r"\1 0s", RULES.read_text(encoding="utf-8"))


def dashboard_queries() -> dict[str, list[str]]:
    """{panel: its queries}, with the variables that a dashboard has filled in."""
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return {panel["title"]: [_filled(target["expr"]) for target in panel["targets"]] for panel in found["panels"]}


def _filled(expression: str) -> str:
    return expression.replace("$pair", "www").replace("$__rate_interval", "1m")


def query(expression: str) -> str:
    """The URL at which Prometheus answers a query."""
    return "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression})
