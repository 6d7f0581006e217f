"""The execution module hetzner against the simulator."""

import importlib.util

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import hetzner as host
from support import REPOSITORY
from support.simulated_cloud import ADDRESS, PRIMARY, SECONDARY, TOKEN

ID = 4711


@pytest.fixture
def provider():
    return "hetzner"


@pytest.fixture
def module(cloud):
    """The module as Salt's loader would hand it out, on the server `primary`."""
    spec = importlib.util.spec_from_file_location("module_under_test", REPOSITORY / "_modules" / "hetzner.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.__context__ = {}
    floating_ip = {"address": ADDRESS, "api_token": TOKEN, "api_url": cloud.api_url, "ca_file": cloud.ca_file}
    loaded.__pillar__ = {"haproxy_ha": {"floating_ip": {**floating_ip, "metadata_url": cloud.metadata_url}}}
    return loaded


def test_metadata_is_asked_once_in_a_run(module, cloud):
    assert module.metadata() == module.metadata() == {
        "server_id": PRIMARY, "hostname": "primary", "location": "fsn1", "region": "eu-central",
        "public_ip": "127.0.0.1", "private_ip": "10.132.20.10", "anchor_ip": None,
    }  # fmt: skip
    assert cloud.counts()["metadata"] == 2  # private networks are a leaf of their own


@pytest.mark.parametrize(("fault", "said"), [
    ({"kind": "status", "status": 404}, "HTTP 404"), ({"kind": "reset"}, "no metadata service at"),
    ({"kind": "truncated"}, "ends"), ({"kind": "body", "body": "- a\n- b\n"}, "no instance-id in the metadata"),
    ({"kind": "body", "body": "{: ["}, "no YAML"), ({"kind": "body", "body": "7"}, "no facts"),
    ({"kind": "body", "body": "instance-id: true"}, "no instance-id"), ({"kind": "hang"}, "no answer within|timed out"),
    ({"kind": "body", "body": "[" * 50_000}, "no YAML"),
])  # fmt: skip
def test_a_metadata_service_that_says_nothing(module, cloud, fault, said):
    cloud.fault(service="metadata", **fault)
    with pytest.raises(CommandExecutionError, match=said):
        module.metadata(timeout=0.5)


def test_a_server_without_private_networks(cloud):
    cloud.fault("status", service="metadata", path="private-networks", status=404)
    assert host.metadata(cloud.metadata_url, 2.0)["private_ip"] is None


def test_a_floating_ip(module):
    found = {"address": ADDRESS, "id": ID, "server_id": PRIMARY, "location": "fsn1", "blocked": False}
    assert module.floating_ip() == module.floating_ips()[0] == found
    with pytest.raises(CommandExecutionError, match="the token's project has no floating IP"):
        module.floating_ip("203.0.113.99")
    module.__pillar__ = {}
    with pytest.raises(SaltInvocationError, match="address: is not given"):
        module.floating_ip()


def test_assign_by_name_by_id_and_to_this_server(module, cloud):
    assert module.assign("secondary")["new"]["server_id"] == SECONDARY
    assert module.assign(SECONDARY)["old"] == module.assign(SECONDARY)["new"]
    assert module.assign()["new"]["server_id"] == PRIMARY
    assert (cloud.owner(), cloud.counts()["writes"]) == (PRIMARY, 2)


def test_servers(module):
    assert [one["name"] for one in module.servers()] == ["primary", "secondary", "third"]
    assert [one["id"] for one in module.servers("secondary")] == [SECONDARY]
    assert [one["id"] for one in module.servers(label="lb=")] == [PRIMARY, SECONDARY]
    assert module.server("secondary") == module.server(SECONDARY)


def test_what_is_in_the_way(module, cloud):
    assert module.obstacles() == []
    cloud.fault("blocked", times=1)
    assert module.obstacles() == [f"{ADDRESS} is blocked by Hetzner: its support says why"]
    module.__context__.clear()
    cloud.fault("status", service="metadata")
    assert module.obstacles() == []  # who this is nobody knows


def test_a_server_of_another_project(module, cloud):
    cloud.fault("status", path=f"/servers/{PRIMARY}", status=404, id="not_found")
    [said] = module.obstacles()
    assert said == f"server {PRIMARY} is not of the project of the token, whose floating IPs it cannot have"


def test_what_fencing_would_meet(module, cloud):
    found = module.fencing(["primary", "secondary"])
    assert (found["problems"], found["unknown"]) == ([], "")
    assert {node: one["id"] for node, one in found["servers"].items()} == {"primary": PRIMARY, "secondary": SECONDARY}
    assert module.fencing({"primary": "nobody"})["problems"] == [
        "node primary cannot be fenced: the token's project has no server 'nobody'"
    ]
    cloud.tokens({"token": TOKEN, "scopes": ["read"]})
    [said] = module.fencing(["primary"])["problems"]
    assert "the token may not switch servers: HTTP 403, token_readonly" in said


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_token_that_will_not_do(module, token):
    module.__pillar__["haproxy_ha"]["floating_ip"].update(api_token=token, token_file="/nonexistent")
    with pytest.raises(CommandExecutionError, match="HTTP 401|no API token"):
        module.floating_ip()
