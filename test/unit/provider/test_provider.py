"""Whoever moves the address: that nothing else depends on who it is, and that what two sides must both know agrees."""

import ast
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from haproxy_ha_lib import agents, provider
from haproxy_ha_lib.cluster import standing
from haproxy_ha_lib.provider import FloatingIP, cloud, digitalocean, hetzner
from saltext.pacemaker.live import process
from support import REPOSITORY, agent_set
from support.pillars import DEFAULTS, valid

HOME = REPOSITORY / "_utils" / "haproxy_ha_lib" / "provider"
ENGINE = REPOSITORY / "_utils" / "saltext"
PYTHON = [
    path for part in ("_modules", "_states", "_utils") for path in sorted((REPOSITORY / part).rglob("*.py"))
    if HOME not in path.parents and ENGINE not in path.parents
]  # fmt: skip
TEMPLATES = sorted(path for end in ("sls", "jinja") for path in (REPOSITORY / "haproxy_ha").rglob(f"*.{end}"))
# What is pure, and needs nothing else of the formula.
IMPORTED = {"__future__", "abc", "collections", "dataclasses", "haproxy_ha_lib", "ipaddress", "typing"}


def ids(path):
    return str(path.relative_to(REPOSITORY))


# Nobody else decides by provider


def words(node):
    """What a side of a comparison names: variables, attributes, keys and texts; not the package that is asked."""
    packages = [part.value for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part not in packages:
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def compared(text):
    """The lines on which a program compares a provider's name, or matches it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            found = [word for side in (node.left, *node.comparators) for word in words(side)]
        else:
            found = words(node.pattern) if isinstance(node, ast.match_case) else []
        if {"provider", *provider.NAMED}.intersection(found):
            yield getattr(node, "lineno", 0)


def test_a_comparison_is_recognised():
    for text in ('x["provider"] == "a"', "x.provider != y", '"ipaddr2" in x', "if not provider == 1: pass"):
        assert list(compared(text)), text
    assert not list(compared("provider.of(x).module and x in provider.FENCES"))


@pytest.mark.parametrize("path", PYTHON, ids=ids)
def test_no_other_module_decides_by_provider(path):
    assert not list(compared(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", TEMPLATES, ids=ids)
def test_no_sls_file_decides_by_provider(path):
    assert not re.findall(r"\bprovider\b|digitalocean|hetzner|ipaddr2", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(HOME.glob("*.py")), ids=ids)
def test_providers_are_facts_that_need_nothing_else(path):
    imports = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
               if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = [name.name for node in imports if isinstance(node, ast.Import) for name in node.names]
    modules += [node.module for node in imports if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in modules} <= IMPORTED
    assert all(name.startswith("haproxy_ha_lib.provider") for name in modules if name.startswith("haproxy_ha_lib"))


def test_pillar_names_one_or_an_agent_which_counts_more():
    given = FloatingIP.of(DEFAULTS["floating_ip"])
    assert [provider.of(replace(given, provider=name)).name for name in provider.NAMED] == list(provider.NAMED)
    assert provider.of(replace(given, agent="ocf:example:elastic")).name is None


def test_each_has_what_the_rest_asks_for():
    for one in provider.ALL:
        floating_ip = FloatingIP.of(
            {**DEFAULTS["floating_ip"], "address": "203.0.113.10", "agent": "ocf:example:elastic"}
        )
        agent, params = one.agent(floating_ip)
        assert agent.startswith("ocf:") and isinstance(params, dict)
        assert one.binds_address("10.17.0.5", "203.0.113.10") in (True, False)
        assert one.allowed("203.0.113.10") == ""
        assert not (one.needs_anchor and one.binds_address(None, "203.0.113.10"))


# What DigitalOcean's API is asked

BALANCERS = {"primary": "10.132.20.10", "secondary": "10.132.20.11"}


def api(**answers):
    """The API whose execution module gives these answers."""
    asked = {"metadata": {"droplet_id": 1001, "hostname": "lb1"}, **answers}
    kind = provider.NAMED["digitalocean"].api
    floating_ip = FloatingIP.of({**DEFAULTS["floating_ip"], "address": "203.0.113.10"})
    return kind(lambda function, *args, **options: asked[function], floating_ip)


@pytest.mark.parametrize("droplet, found", [
    (1001, (True, "droplet 1001, this machine")),
    (1002, (False, "droplet 1002, another machine")),
    (None, (False, "droplet None, another machine")),
])
def test_the_owner_of_the_address(droplet, found):
    assert api(reserved_ip={"droplet_id": droplet}).owner() == found


@pytest.mark.parametrize("held, holder, notes", [
    ({"droplet_id": None, "locked": False}, None, []),
    ({"droplet_id": 1001, "locked": True}, None, ["203.0.113.10 has a pending action"]),
    ({"droplet_id": 7, "locked": False}, {"id": 7, "name": "secondary", "private_ip": None}, []),
    ({"droplet_id": 7, "locked": False}, {"id": 7, "name": "other", "private_ip": "10.132.20.11"}, []),
    ({"droplet_id": 7, "locked": False}, {"id": 7, "name": "other", "private_ip": "10.132.20.9"},
     ["203.0.113.10 is taken from droplet 7 (other), which is none of the load balancers"]),
])  # fmt: skip
def test_what_people_should_know_before_the_first_run(held, holder, notes):
    asked = api(reserved_ip={"address": "203.0.113.10", **held}, droplet=holder)
    assert asked.notes(BALANCERS, asked.machine()) == notes


def test_fencing_that_would_power_off_another_droplet_for_this_node():
    found = {"problems": ["x"], "unknown": "y", "droplets": {"primary": {"id": 1002}}}
    assert api(fencing=found).fencing({"primary": "primary"}, "primary", 1001) == ([
        "x; see docs/digitalocean.md",
        "primary is droplet 1001, and fencing would power off droplet 1002 for it; see docs/digitalocean.md",
    ], "y")
    assert api(fencing=found).fencing({"primary": "primary"}, "primary", None)[0] == ["x; see docs/digitalocean.md"]
    assert found["problems"] == ["x"]


# What Hetzner's API is asked


def of_hetzner(**answers):
    """The same of Hetzner Cloud."""
    asked = {"metadata": {"server_id": 1001, "hostname": "lb1", "location": "fsn1"}, **answers}
    floating_ip = FloatingIP.of({**DEFAULTS["floating_ip"], "address": "203.0.113.10"})
    return provider.NAMED["hetzner"].api(lambda function, *args, **options: asked[function], floating_ip)


def test_the_owner_of_a_floating_ip():
    assert of_hetzner(floating_ip={"server_id": 1001}).owner() == (True, "server 1001, this machine")
    assert of_hetzner(floating_ip={"server_id": 7}).owner() == (False, "server 7, another machine")
    assert (of_hetzner().hostname(), of_hetzner(obstacles=("x",)).obstacles(1)) == ("lb1", ["x"])


@pytest.mark.parametrize(("held", "holder", "notes"), [
    ({"server_id": None, "location": None}, None, []),
    ({"server_id": 7, "location": "fsn1"}, {"id": 7, "name": "secondary", "private_ips": []}, []),
    ({"server_id": 7, "location": "fsn1"}, {"id": 7, "name": "x", "private_ips": ["10.132.20.11"]}, []),
    ({"server_id": 7, "location": "fsn1"}, {"id": 7, "name": "x", "private_ips": ["10.132.20.9"]},
     ["203.0.113.10 is taken from server 7 (x), which is none of the load balancers"]),
    ({"server_id": 1001, "location": "nbg1"}, None,
     ["203.0.113.10 is of nbg1, and this server is in fsn1: its traffic goes by way of nbg1"]),
])  # fmt: skip
def test_what_people_should_know_of_a_floating_ip(held, holder, notes):
    asked = of_hetzner(floating_ip=held, server=holder)
    assert asked.notes(BALANCERS, asked.machine()) == notes


def test_fencing_that_would_power_off_another_server_for_this_node():
    found = {"problems": ["x"], "unknown": "y", "servers": {"primary": {"id": 1002}}}
    assert of_hetzner(fencing=found).fencing({"primary": "primary"}, "primary", 1001) == ([
        "x; see docs/hetzner.md",
        "primary is server 1001, and fencing would power off server 1002 for it; see docs/hetzner.md",
    ], "y")


@pytest.mark.parametrize(("given", "module"), [
    (None, "digitalocean"), ({}, "digitalocean"), ({"floating_ip": {"provider": "hetzner"}}, "hetzner"),
    ({"floating_ip": {"provider": ["x"]}, "floating_ips": {"a": {"provider": "hetzner"}}}, "hetzner"),
    ({"floating_ip": {"provider": "ipaddr2"}, "floating_ips": 7}, "digitalocean"),
    ({"floating_ip": {"provider": "digitalocean"}, "floating_ips": {"a": {"provider": "hetzner"}}}, "digitalocean"),
])  # fmt: skip
def test_whose_metadata_service_is_asked(given, module):
    assert provider.metadata_module(given) == module


# What two sides must both know


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Path(agent_set.install(tmp_path_factory.mktemp("agents")).link).resolve()


@pytest.fixture
def floatip(installed, monkeypatch):
    """The agent as a module, which asks no cluster."""
    module = agent_set.load(installed, "floatip")
    monkeypatch.setattr(module.cluster, "change_attribute", lambda *asked: True)
    return module


def environment(floatip, directory=None):
    """What Pacemaker hands to the agent of the address."""
    given = {"OCF_RESOURCE_INSTANCE": provider.RESOURCE, **({"HA_RSCTMP": str(directory)} if directory else {})}
    return floatip.agent.Environment(floatip.DESCRIPTION, given, "monitor")


def test_the_quorum_helper_s_command_knows_the_claim_of_the_agent(floatip, tmp_path):
    """The agent's own code writes the claim, and the command of corosync.conf looks for it."""
    told = provider.NAMED["digitalocean"].holds_address(FloatingIP.of(DEFAULTS["floating_ip"]))
    env = environment(floatip, tmp_path)
    told = told.replace(f"{environment(floatip).state_directory}/", f"{tmp_path}/")
    claim = floatip.claims.Claim(env)

    def is_held():
        return subprocess.run(told, shell=True, check=False, timeout=10).returncode == 0

    assert str(tmp_path) in told and not is_held()
    claim.write("203.0.113.10", 4711.5)
    assert is_held()
    claim.stand_by("203.0.113.10")
    assert not is_held()
    claim.write("203.0.113.10", 4712.5)
    claim.release()
    assert not is_held() and list(tmp_path.iterdir()) == []


def test_the_claim_is_where_the_agent_s_own_directory_is(floatip):
    assert cloud.CLAIM.startswith(f"{environment(floatip).state_directory}/")


def test_the_resource_has_one_name_and_the_provider_s_agent():
    primitive = valid().cluster.configuration["primitives"][provider.RESOURCE]
    assert primitive["agent"] == provider.NAMED["digitalocean"].agent(valid().floating_ip)[0]
    assert standing.ADDRESS == provider.RESOURCE


def test_the_agents_defaults_are_those_that_are_left_out(floatip, installed):
    """A certificate authority apart: the agents' default is the system's, which the product's names."""
    own = {one.name: one.default for one in floatip.DESCRIPTION.parameters if one.name in digitalocean.DEFAULTS}
    assert own == {**digitalocean.DEFAULTS, "ca_file": ""}
    fence = agent_set.load(installed, "fence_haproxy_ha_digitalocean")
    options = {one.name: one.default for one in fence.DESCRIPTION.options if one.name in own}
    assert options == {name: own[name] for name in options} and set(own) - set(options) == {"metadata_url"}


def test_hetzners_agents_have_the_same(installed):
    """An agent of a resource knows all of them, a fence agent what it needs."""
    agent, fence = (agent_set.load(installed, name) for name in ("hetznerip", "fence_haproxy_ha_hetzner"))
    wanted = {**hetzner.DEFAULTS, "ca_file": ""}
    assert {one.name: one.default for one in agent.DESCRIPTION.parameters if one.name in wanted} == wanted
    options = {one.name: one.default for one in fence.DESCRIPTION.options if one.name in wanted}
    assert options == {name: value for name, value in wanted.items() if name != "metadata_url"}
    fenced = provider.FENCES["stonith:fence_haproxy_ha_hetzner"]
    assert fenced.plugs(fenced.params(valid({"floating_ip:provider": "hetzner"}).floating_ip, {"a": 7})) == {"a": "7"}
    assert fenced.told({"pcmk_host_map": "a:7;b:8"}) == {"servers": "a:7;b:8"}


def test_the_agents_find_programs_where_the_modules_do(floatip):
    assert floatip.agent.PATH == process.PATH


@pytest.mark.parametrize(("name", "own"), [("digitalocean", digitalocean.DEFAULTS), ("hetzner", hetzner.DEFAULTS)])
def test_pillar_s_defaults_are_the_agents(name, own):
    settled = valid({"floating_ip:provider": name}).floating_ip
    assert {key: getattr(settled, key) for key in own} == own


@pytest.mark.parametrize("key", sorted(digitalocean.DEFAULTS))
def test_each_default_stands_once_on_each_side(key):
    """Beside defaults.yaml, which is for people."""
    value = digitalocean.DEFAULTS[key]
    product = [path for path in (*PYTHON, *sorted(HOME.glob("*.py"))) if f'"{value}"' in path.read_text("utf-8")]
    assert product == [HOME / ("digitalocean.py" if key == "api_url" else "cloud.py")]
    folder = REPOSITORY / agents.FOLDER
    files = sorted(path for path in folder.iterdir() if path.is_file())
    theirs = [path.name for path in files if f'"{value}"' in path.read_text("utf-8")]
    assert theirs == ([] if key == "ca_file" else ["usual.py"])
