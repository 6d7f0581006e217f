"""The recipes of docs/clouds.md, compared with what the agents that Debian ships say of themselves."""

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from haproxy_ha_lib.settings import build
from support import documents
from support.pillars import DEFAULTS, EXAMPLE
from support.place import in_container

AGENTS = Path("/usr/lib/ocf/resource.d/heartbeat")
RECIPES = {one.place: one.text for one in documents.examples() if one.place.startswith("docs/clouds.md, ")}
SECRET = ("password", "token", "secret")

pytestmark = [
    pytest.mark.skipif(not in_container(), reason="needs Debian's resource-agents"),
    pytest.mark.parametrize("place", sorted(RECIPES)),
]


def configuration(place):
    """The settings of a load balancer by a recipe, with what that does not speak of."""
    tree = yaml.safe_load(RECIPES[place])["haproxy_ha"]
    usual = {key: EXAMPLE[key] for key in ("load_balancers", "app_servers")}
    cluster = {"authkey": EXAMPLE["cluster"]["authkey"], **tree["cluster"]}
    settings = build.settings({**usual, **tree, "cluster": cluster}, "primary", DEFAULTS)
    assert settings.errors == []
    return settings


def described(agent):
    """An agent's own meta-data."""
    name = agent.removeprefix("ocf:heartbeat:")
    done = subprocess.run(
        [AGENTS / name, "meta-data"], env={**os.environ, "OCF_ROOT": "/usr/lib/ocf"}, capture_output=True, check=True
    )
    return ElementTree.fromstring(done.stdout)


def theirs(settings):
    """The primitives whose agents are Debian's."""
    found = settings.cluster.configuration["primitives"]
    return {name: one for name, one in found.items() if one["agent"].startswith("ocf:heartbeat:")}


def test_its_parameters_are_the_agents(place):
    for name, primitive in theirs(configuration(place)).items():
        parameters = described(primitive["agent"]).iter("parameter")
        parameters = {one.get("name"): one.get("required") == "1" for one in parameters}
        assert set(primitive["params"]) <= set(parameters), name
        assert {one for one, required in parameters.items() if required} <= set(primitive["params"]), name


def test_its_operations_have_the_time_that_the_agent_asks_for(place):
    for name, primitive in theirs(configuration(place)).items():
        given = {one["name"]: one for one in primitive["operations"]}
        assert set(given) == {"start", "stop", "monitor"}, name
        for advised in described(primitive["agent"]).iter("action"):
            one = given.get(advised.get("name"))
            if one:
                assert seconds(one["timeout"]) >= seconds(advised.get("timeout")), (name, one)
                assert seconds(one["interval"]) >= seconds(advised.get("interval", "0")), (name, one)


def seconds(text):
    return int(str(text).removesuffix("s"))


def test_no_secret_of_it_is_in_the_cluster(place):
    for name, primitive in theirs(configuration(place)).items():
        assert not [one for one in primitive["params"] if any(word in one for word in SECRET)], name
