"""The execution module digitalocean against the simulator."""

import importlib.util
import os
import re
import time
from types import SimpleNamespace

import pytest
from salt.exceptions import CommandExecutionError, SaltInvocationError

from haproxy_ha_host import cloud as host_cloud
from support import REPOSITORY
from support.simulated_cloud import ADDRESS, IPV6, PRIMARY, SECONDARY, TOKEN, simulator

SOURCE = REPOSITORY / "_modules" / "digitalocean.py"


@pytest.fixture
def module(cloud):
    """The module as Salt's loader would hand it out, on the droplet `primary`."""
    spec = importlib.util.spec_from_file_location("module_under_test", SOURCE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.__context__, loaded.__opts__ = {}, {"id": "primary"}
    floating_ip = {"address": ADDRESS, "api_token": TOKEN, "api_url": cloud.api_url, "ca_file": cloud.ca_file}
    loaded.__pillar__ = {"haproxy_ha": {"floating_ip": {**floating_ip, "metadata_url": cloud.metadata_url}}}
    return loaded


def settings(module):
    return module.__pillar__["haproxy_ha"]["floating_ip"]


def test_metadata_is_asked_once_in_a_run(module, cloud):
    assert module.metadata() == module.metadata()
    assert module.metadata()["anchor_ip"] == "10.17.1.18"
    assert cloud.counts()["metadata"] == 1


def test_no_metadata_is_clear_and_asked_once_too(module, cloud):
    cloud.fault("status", service="metadata", status=404)
    for _ in range(2):
        with pytest.raises(CommandExecutionError, match=f"no metadata service at {cloud.metadata_url}: HTTP 404"):
            module.metadata()
    assert cloud.counts()["metadata"] == 1


@pytest.mark.parametrize("kind", ["hang", "drip", "truncated", "invalid_json", "reset"])
def test_bad_metadata_is_bounded(module, cloud, kind):
    cloud.fault(kind, service="metadata")
    start = time.monotonic()
    with pytest.raises(CommandExecutionError, match="no metadata service at"):
        module.metadata(timeout=0.5)
    assert time.monotonic() - start < 1


def test_metadata_of_a_droplet_without_an_anchor_ip(module, cloud):
    cloud.fault("no_anchor")
    assert module.metadata()["anchor_ip"] is None


def test_reserved_ip(module):
    assert module.reserved_ip() == {
        "address": ADDRESS, "droplet_id": PRIMARY, "visible": True, "locked": False, "region": "nyc3",
    }  # fmt: skip
    assert module.reserved_ip(spelling="floating_ips")["droplet_id"] == PRIMARY


def test_assign_by_name_by_id_and_to_this_droplet(module, cloud):
    assert module.assign("secondary")["new"]["droplet_id"] == SECONDARY
    assert module.assign(1003)["old"]["droplet_id"] == SECONDARY
    assert module.assign()["new"]["droplet_id"] == PRIMARY
    unchanged = module.assign(PRIMARY)
    assert unchanged["old"] == unchanged["new"]
    assert cloud.counts()["writes"] == 3


def test_assign_waits_for_the_owner(module, cloud):
    cloud.delay(assign_seconds=0.5)
    module.assign(SECONDARY)
    assert cloud.owner() == SECONDARY


def test_assign_with_a_token_that_sees_no_droplets(module, cloud):
    cloud.tokens({"token": TOKEN, "scopes": ["reserved_ip:read", "reserved_ip:update"]})
    cloud.assign(SECONDARY)
    assert module.assign()["new"]["visible"] is False
    assert cloud.owner() == PRIMARY


def test_droplets(module):
    assert [entry["name"] for entry in module.droplets(tag="lb")] == ["primary", "secondary"]
    assert module.droplets("secondary")[0]["private_ip"] == "10.132.20.11"
    with pytest.raises(CommandExecutionError, match="0 droplets have the name 'nobody'"):
        module.assign("nobody")


@pytest.mark.parametrize("kind", ["reset", "truncated", "html", "invalid_json"])
def test_what_passes_is_repeated(module, cloud, kind):
    cloud.fault(kind, times=2)
    assert module.reserved_ip()["droplet_id"] == PRIMARY


@pytest.mark.parametrize(
    ("fault", "options", "text"),
    [
        ({"kind": "status", "status": 401, "id": "unauthorized"}, {}, "refuses the token: HTTP 401, unauthorized"),
        ({"kind": "status", "status": 403, "id": "forbidden"}, {}, "refuses the token: HTTP 403, forbidden"),
        ({"kind": "hang"}, {"timeout": 1}, "no answer within|timed out"),
        ({"kind": "drip"}, {"timeout": 1}, "no answer within"),
        ({"kind": "status", "status": 500}, {"timeout": 1}, "HTTP 500"),
        ({"kind": "status", "status": 429, "headers": {"retry-after": "60"}}, {"timeout": 1}, "HTTP 429"),
        (None, {"address": "203.0.113.99"}, "HTTP 404"),
        (None, {"api_url": "https://127.0.0.1:1", "timeout": 1}, "Connection refused"),
        (None, {"api_url": "https://simulator.invalid", "timeout": 1}, "name resolution|not known"),
        (None, {"ca_file": "/nonexistent"}, "ca_file: /nonexistent is missing"),
        (None, {"ca_file": "/etc/ssl/certs/ca-certificates.crt", "timeout": 2}, "CERTIFICATE_VERIFY_FAILED"),
        (None, {"token_file": "/nonexistent"}, "no API token"),
    ],
)
def test_failures_have_one_clear_line_without_the_token(module, cloud, fault, options, text):
    if fault:
        cloud.fault(**fault)
    start = time.monotonic()
    with pytest.raises(CommandExecutionError) as error:
        module.reserved_ip(**options)
    assert re.search(text, str(error.value))
    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 3


def test_the_token_is_read_from_the_file_for_want_of_one_in_pillar(module, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    settings(module).update(api_token=None, token_file=str(path))
    assert module.reserved_ip()["droplet_id"] == PRIMARY


def test_a_token_that_is_none_never_reaches_the_wire(module, cloud):
    settings(module)["api_token"] = "dop_v1 \r\nx: y"
    with pytest.raises(CommandExecutionError, match="white space") as error:
        module.reserved_ip()
    assert "dop_v1" not in str(error.value)
    assert cloud.counts()["calls"] == 0


def test_nothing_of_the_environment_redirects_the_token(module, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert module.reserved_ip()["droplet_id"] == PRIMARY


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda module: module.reserved_ip(api_url="http://127.0.0.1"), "https://"),
        (lambda module: module.reserved_ip(spelling="ips"), "spelling"),
        (lambda module: module.droplets("a", "b"), "one of them"),
    ],
)
def test_wrong_arguments_are_named(module, call, text):
    with pytest.raises(SaltInvocationError, match=text):
        call(module)


@pytest.mark.parametrize("pillar", [{}, {"haproxy_ha": None}, {"haproxy_ha": {"floating_ip": "x"}}])
def test_without_pillar_the_address_is_asked_for(module, pillar):
    module.__pillar__ = pillar
    module.__context__.clear()
    with pytest.raises(SaltInvocationError, match="haproxy_ha:floating_ip:address"):
        module.reserved_ip()


def test_no_binary_is_needed_to_load(module, monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    assert module.__virtual__() == "digitalocean"


# Answers of any shape and size, over real HTTP

BIG = '{"x": "' + "y" * 20_000_000 + '"}'
DISORDER = {
    "deep": ({"kind": "body", "body": "[" * 200_000}, "no JSON|nested too deeply"),
    "big": ({"kind": "body", "body": BIG}, "longer than 8388608 bytes"),
    "true for an id": (
        {"kind": "body", "body": '{"droplet_id": true, "reserved_ip": {"droplet": {"id": true}}}'}, " id|_id",
    ),
    "a list": ({"kind": "body", "body": "[1]"}, "no JSON|no droplet_id"),
    "5,000 digits": ({"kind": "body", "body": '{"droplet_id": ' + "9" * 5000 + "}"}, "no JSON|digits|no droplet_id"),
    "a lone surrogate": ({"kind": "body", "body": '"\ud800'}, "no JSON|Unterminated"),
    "headers without end": ({"kind": "headers"}, "headers|Connection aborted|reset|line"),
    "no status line": ({"kind": "bare"}, "BadStatusLine|status|HTTP|Connection aborted"),
    "a redirect": ({"kind": "status", "status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, "HTTP 302"),
}  # fmt: skip


@pytest.mark.parametrize("service", ["api", "metadata"])
@pytest.mark.parametrize("case", DISORDER)
def test_disorder_is_one_clear_line(module, cloud, case, service):
    fault, said = DISORDER[case]
    module.metadata()
    module.__context__.clear()
    cloud.fault(service=service, **fault)
    begin = time.monotonic()
    with pytest.raises(CommandExecutionError) as error:
        module.reserved_ip(timeout=2) if service == "api" else module.metadata()
    assert re.search(said, str(error.value)), str(error.value)[:300]
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)
    assert time.monotonic() - begin < 4


def test_a_metadata_service_that_did_not_answer_is_asked_again_later(module, cloud, monkeypatch):
    cloud.fault("status", service="metadata", status=500, times=1)
    with pytest.raises(CommandExecutionError):
        module.metadata()
    with pytest.raises(CommandExecutionError):
        module.metadata()  # at once: what was said a moment ago
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 11, sleep=time.sleep)
    monkeypatch.setattr(host_cloud, "time", later)
    assert module.metadata()["droplet_id"] == PRIMARY


# What is in the way of the address, and of fencing


def test_a_token_with_a_line_break_is_taken(module):
    settings(module)["api_token"] = TOKEN + "\r\n"
    assert module.reserved_ip()["droplet_id"] == PRIMARY


def test_reserved_ips_and_one_droplet(module):
    assert [entry["address"] for entry in module.reserved_ips()] == [ADDRESS]
    assert module.droplet("secondary")["id"] == module.droplet(SECONDARY)["id"] == SECONDARY
    with pytest.raises(CommandExecutionError, match="0 droplets have the name 'nobody'"):
        module.droplet("nobody")


def test_what_is_in_the_way_of_an_address(module, tmp_path):
    addresses = [
        {"ip": ADDRESS, "droplet_id": PRIMARY}, {"ip": "203.0.113.11"}, {"ip": "203.0.113.12", "region": "ams3"},
    ]  # fmt: skip
    with simulator(tmp_path, reserved_ips=addresses) as cloud:
        settings(module).update(api_url=cloud.api_url, metadata_url=cloud.metadata_url)
        assert module.obstacles() == []
        (said,) = module.obstacles("203.0.113.11")
        assert f"droplet {PRIMARY} holds {ADDRESS}" in said
        assert f"floating_ip:replaces to {ADDRESS}" in said
        assert [ADDRESS in said for said in module.obstacles("203.0.113.12")] == [False, True]
        settings(module)["replaces"] = ADDRESS
        assert module.obstacles("203.0.113.11") == []
        (said,) = module.obstacles("203.0.113.12")
        assert "203.0.113.12 belongs to the region ams3, and droplet 1001 is in nyc3" in said
        assert cloud.counts()["writes"] == 0


PREFIX = {"uuid": "f47ac10b", "prefix": "198.51.100.0/24", "status": "active", "region": "nyc3", "advertised": True}
OWN = "198.51.100.7"


@pytest.mark.parametrize(
    ("address", "changes", "said"),
    [
        (OWN, {}, []),
        (OWN, {"region": "ams3"}, [r"is in ams3, and this droplet is in nyc3.* Have the load balancers in ams3, or"]),
        (OWN, {"status": "pending"}, ["which is pending: DigitalOcean has to make it active first"]),
        (OWN, {"advertised": False}, ["is not advertised, so that nobody reaches it: set advertise for the prefix"]),
        ("198.51.100.1", {}, ["whose first two addresses are DigitalOcean's: take another one"]),
    ],
)
def test_what_is_in_the_way_of_an_address_of_one_s_own(module, tmp_path, address, changes, said):
    """BYOIP: once it was assigned, the API knows it as any other."""
    prefixes = [{**PREFIX, "prefix": "192.0.2.0/24"}, {**PREFIX, **changes}]
    with simulator(tmp_path, reserved_ips=[{"ip": address}], prefixes=prefixes) as cloud:
        settings(module).update(api_url=cloud.api_url, metadata_url=cloud.metadata_url)
        found = module.obstacles(address)
        assert len(found) == len(said)
        assert all(re.search(text, one) for text, one in zip(said, found, strict=True)), found
    with simulator(tmp_path, reserved_ips=[], prefixes=prefixes) as cloud:
        settings(module).update(api_url=cloud.api_url, metadata_url=cloud.metadata_url)
        *found, last = module.obstacles(address)
        assert len(found) == len(said)
        assert "was never assigned, so that the API does not know it: assign it to a load balancer once" in last
        with pytest.raises(CommandExecutionError, match="HTTP 404"):
            module.obstacles("203.0.113.99")
        cloud.tokens({"token": TOKEN, "scopes": ["reserved_ip:read", "droplet:read"]})
        with pytest.raises(CommandExecutionError, match="HTTP 404"):
            module.obstacles(address)


@pytest.mark.parametrize(
    ("anchor_ip", "metadata", "said"),
    [
        (None, None, ""), ("10.17.1.18", None, ""), (None, "no_anchor", ""), ("127.0.0.1", "no_anchor", ""),
        ("10.17.1.19", None, "anchor_ip is 10.17.1.19 in pillar, and this droplet's is 10.17.1.18: the reserved IP"),
        ("10.17.1.18", "no_anchor", "has none, as one from a custom image: the reserved IP arrives at its public "
         "address 127.0.0.1. Take anchor_ip out of pillar"),
        ("10.17.1.18", "status", ""),
    ],
)  # fmt: skip
def test_an_anchor_ip_that_is_none_of_this_droplet_s(module, cloud, anchor_ip, metadata, said):
    module.__pillar__["haproxy_ha"]["load_balancers"] = {"primary": {"anchor_ip": anchor_ip}, "secondary": None}
    if metadata:
        cloud.fault(metadata, service="metadata")
    found = module.obstacles()
    assert [said in one for one in found] == [True] * bool(said)
    assert module.obstacles(IPV6) == []


def test_what_fencing_would_meet_switches_nothing(module, cloud):
    found = module.fencing(["primary", "secondary"])
    assert (found["problems"], found["unknown"], found["droplets"]["secondary"]["id"]) == ([], "", SECONDARY)
    found = module.fencing({"lb1.example.com": "primary", "lb2.example.com": "lb2.example.com"})
    assert len(found["problems"]) == 1
    cloud.tokens({"token": TOKEN, "scopes": ["droplet:read"]})
    assert "droplet:update" in module.fencing(["primary"])["problems"][0]
    counts = cloud.counts()
    assert "power_on" not in counts
    assert "power_off" not in counts
