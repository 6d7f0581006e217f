"""Alert rules and the dashboard, as people find them in Prometheus and Grafana."""

import itertools
import json
import re

import pytest
import yaml

from support import metrics

[GROUP] = yaml.safe_load(metrics.RULES.read_text(encoding="utf-8"))["groups"]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}
PANELS = json.loads((metrics.FILES / "dashboard.json").read_text(encoding="utf-8"))["panels"]


@pytest.mark.parametrize("name", RULES)
def test_an_alert_says_how_bad_it_is_and_what_to_do_by_labels_that_it_has(name):
    rule = RULES[name]
    assert name.startswith("HaproxyHa")
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "action"}
    kept = re.match(r"\w+ by \(([^)]*)\)", rule["expr"])
    has = set(kept[1].split(", ")) if kept else {"pair", "instance"}
    assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= has


def test_every_query_of_the_dashboard_is_about_the_chosen_pair():
    selectors = re.compile(r"\{([^}]*)\}")
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            found = selectors.findall(target["expr"])
            assert found and all(one.startswith('pair="$pair"') for one in found), target["expr"]


def test_panels_lie_beside_each_other():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [set(cells_of(panel["gridPos"])) for panel in PANELS]
    assert all(x < 24 for one in cells for x, _ in one)
    assert [pair for pair in itertools.combinations(cells, 2) if pair[0] & pair[1]] == []


def cells_of(place):
    return itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
