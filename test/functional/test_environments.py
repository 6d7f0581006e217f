"""Where defaults and templates come from: the environment of a run, and a site's own file root before ours."""

import pytest
import yaml

from support import REPOSITORY
from support.pillars import EXAMPLE, FORMULA


@pytest.fixture(scope="module")
def minion(minions, tmp_path_factory):
    """A minion whose site has defaults and a page of its own, and an environment `staging` with other defaults."""
    own, staging = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("staging")
    for root in (own, staging):
        (root / "haproxy_ha" / "files").mkdir(parents=True)
        defaults = yaml.safe_load((FORMULA / "defaults.yaml").read_text(encoding="utf-8"))
        defaults["nginx"]["page"]["document_root"] = f"/srv/{root.name}"
        (root / "haproxy_ha" / "defaults.yaml").write_text(yaml.safe_dump(defaults), encoding="utf-8")
    template = (FORMULA / "files" / "index.html.jinja").read_text(encoding="utf-8")
    (own / "haproxy_ha" / "files" / "index.html.jinja").write_text(f"Our own page\n{template}", encoding="utf-8")
    return minions("app-1", (own, REPOSITORY), (staging, REPOSITORY))


def page_in(minion, saltenv):
    """The page of a dry run in an environment: (its path, its first line)."""
    states = minion.apply("haproxy_ha.app.page", EXAMPLE, test=True, saltenv=saltenv)
    assert [state["comment"] for state in states.values() if state["result"] is False] == []
    [(path, change)] = states["haproxy_ha-app-page"]["changes"].items()
    return path.rpartition("/")[0].rstrip("0123456789"), change["new"].splitlines()[0]


def test_each_environment_has_its_own_defaults_and_an_earlier_root_precedes_ours(minion):
    for _ in range(2):
        assert page_in(minion, "base") == ("/srv/own", "Our own page")
        assert page_in(minion, "staging") == ("/srv/staging", "Droplet: app-1, IP Address: 203.0.113.31")
