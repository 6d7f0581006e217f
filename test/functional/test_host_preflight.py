"""What is looked for on a host before anything is touched: only in the container that has the daemons."""

from pathlib import Path

import pytest

from support.pillars import EXAMPLE, changed
from support.place import in_container, requires_tools
from support.simulated_cloud import ADDRESS, PRIMARY, simulator

pytestmark = [
    requires_tools("haproxy", "nginx", "corosync", "ip"),
    pytest.mark.skipif(not in_container(), reason="changes /etc: runs in the container that has the daemons"),
    pytest.mark.usefixtures("own_addresses"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


def by_the_api(cloud, changes=(), **options):
    """pillar.example with the simulator for DigitalOcean."""
    return changed({
        "floating_ip": {
            "address": ADDRESS, "api_token": EXAMPLE["floating_ip"]["api_token"], "api_url": cloud.api_url,
            "ca_file": cloud.ca_file, "metadata_url": cloud.metadata_url, **options,
        },
        **dict(changes),
    })  # fmt: skip


WRONG_CLOUD = {
    "a refused token": ({"api_token": "dop_v1_" + "0" * 64}, "the API refuses the token: HTTP 401"),
    "an address of somebody else": ({"address": "203.0.113.77"}, "the API does not know it: HTTP 404"),
    "an API that is not there": ({"api_url": "https://127.0.0.1:9"}, "Connection refused"),
    "an authority that is not there": ({"ca_file": "/etc/ssl/nothing.pem"}, "/etc/ssl/nothing.pem is missing"),
}


@pytest.mark.parametrize("test", [True, False])
@pytest.mark.parametrize("case", WRONG_CLOUD)
def test_a_floating_ip_that_cannot_be_moved_stops_the_run_before_it_begins(single, cloud, case, test):
    options, said = WRONG_CLOUD[case]
    cloud.reset()
    cloud.tokens(EXAMPLE["floating_ip"]["api_token"])
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True  # what worked before
    state = single("haproxy_ha.preflight", "x", by_the_api(cloud, **options), test=test)
    assert (state["result"], state["changes"]) == (False, {})
    assert said in state["comment"]


def test_an_outage_of_the_api_stops_nothing_that_worked_before(single, cloud):
    cloud.reset()
    cloud.tokens(EXAMPLE["floating_ip"]["api_token"])
    mark = Path("/var/lib/haproxy_ha/floating_ip_checked")
    mark.unlink(missing_ok=True)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud), test=True)["result"] is True
    assert not mark.exists()
    cloud.fault("status", status=503)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is False
    cloud.clear()
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True
    assert mark.stat().st_mode & 0o077 == 0
    cloud.fault("status", status=503)
    assert single("haproxy_ha.preflight", "x", by_the_api(cloud))["result"] is True


ELSEWHERE = [{"ip": ADDRESS, "region": "ams3"}]
ANOTHER = [{"ip": "203.0.113.11", "droplet_id": PRIMARY}, {"ip": ADDRESS}]
NAMES = ("lb1", "lb2")
PREFIX = {"uuid": "f47ac10b", "prefix": "203.0.113.0/24", "status": "active", "region": "nyc3", "advertised": True}


def droplets(names):
    return [
        {"id": PRIMARY + number, "name": name, "public_ip": ("127.0.0.1", "203.0.113.22")[number],
         "private_ip": f"10.132.20.1{number}", "anchor_ip": f"10.17.1.1{8 + number}"}
        for number, name in enumerate(names)
    ]  # fmt: skip


FENCING = {"cluster:fencing": {"enabled": True}}
WRONG_ESTATE = {
    "an address of another region": ({"reserved_ips": ELSEWHERE}, {}, "belongs to the region ams3, and droplet 1001"),
    "a droplet that holds another address": (
        {"reserved_ips": ANOTHER}, {}, "holds 203.0.113.11, and a droplet can hold one reserved IP",
    ),
    "a droplet without an anchor IP": (
        {"droplets": [{**one, "anchor_ip": None} for one in droplets(("primary", "secondary"))]}, {},
        "this droplet has none, as one from a custom image: the reserved IP arrives at its public address 127.0.0.1",
    ),
    "an address of a prefix that nobody hears of": (
        {"reserved_ips": [{"ip": ADDRESS}], "prefixes": [{**PREFIX, "advertised": False}]}, {},
        "which is not advertised, so that nobody reaches it",
    ),
    "an address of a prefix that was never assigned": (
        {"reserved_ips": [], "prefixes": [PREFIX]}, {}, "was never assigned, so that the API does not know it",
    ),
    "droplets of other names": ({"droplets": droplets(NAMES)}, FENCING, "node secondary cannot be fenced: 0 droplets"),
    "one name for two droplets": (
        {"droplets": [*droplets(("primary", "secondary")), {"id": 77, "name": "secondary"}]}, FENCING,
        "node secondary cannot be fenced: 2 droplets have the name",
    ),
    "another machine of this one's name": (
        {"droplets": droplets(("secondary", "primary"))}, FENCING,
        "primary is droplet 1001, and fencing would power off droplet 1002 for it",
    ),
    "a token that may not switch droplets": (
        {"tokens": [{"token": EXAMPLE["floating_ip"]["api_token"],
                     "scopes": ["reserved_ip:read", "reserved_ip:update", "droplet:read"]}]},
        FENCING, "no node can be fenced: the token may not switch droplets (droplet:update): HTTP 403",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_ESTATE)
def test_what_the_first_failover_would_meet_is_told_before(single, tmp_path, case):
    estate, pillar, said = WRONG_ESTATE[case]
    with simulator(tmp_path, **{"tokens": [EXAMPLE["floating_ip"]["api_token"]], **estate}) as cloud:
        state = single("haproxy_ha.preflight", "x", by_the_api(cloud, pillar))
        assert (state["result"], state["changes"]) == (False, {})
        assert said in state["comment"]
        assert set(cloud.state()["droplets"].values()) == {"active"}
        counts = cloud.counts()
        assert [counts.get(name, 0) for name in ("power_on", "power_off", "assigns", "unassigns")] == [0] * 4


def test_droplets_of_other_names_are_right_where_pillar_says_so(single, tmp_path):
    named = {"cluster:fencing": {"enabled": True, "droplets": {"primary": "lb1", "secondary": PRIMARY + 1}}}
    with simulator(tmp_path, tokens=[EXAMPLE["floating_ip"]["api_token"]], droplets=droplets(NAMES)) as cloud:
        assert single("haproxy_ha.preflight", "x", by_the_api(cloud, named))["result"] is True


def test_a_first_run_says_from_whom_the_address_is_taken(single, tmp_path):
    Path("/var/lib/haproxy_ha/floating_ip_checked").unlink(missing_ok=True)
    estate = {"tokens": [EXAMPLE["floating_ip"]["api_token"]], "reserved_ips": [{"ip": ADDRESS, "droplet_id": 1003}]}
    with simulator(tmp_path, **estate) as cloud:
        comments = [single("haproxy_ha.preflight", "x", by_the_api(cloud))["comment"] for _ in range(2)]
    taken = f"{ADDRESS} is taken from droplet 1003 (third), which is none of the load balancers"
    assert [taken in comment for comment in comments] == [True, False]


@pytest.fixture(scope="module")
def hetzner(tmp_path_factory):
    with simulator(tmp_path_factory.mktemp("simulator"), cloud="hetzner") as running:
        yield running


WRONG_AT_HETZNER = {
    "a refused token": ({"api_token": "dop_v1_" + "0" * 64}, {}, None, "HTTP 401, unauthorized"),
    "an address of another project": ({"address": "203.0.113.77"}, {}, None, "project has no floating IP 203.0.113.77"),
    "an address that is blocked": ({}, {}, {"kind": "blocked"}, f"{ADDRESS} is blocked by Hetzner"),
    "a token that only reads": ({}, FENCING, None, "the token may not switch servers: HTTP 403, token_readonly"),
}


@pytest.mark.parametrize("case", WRONG_AT_HETZNER)
def test_at_hetzner_the_same_is_looked_at(single, hetzner, case):
    options, changes, fault, said = WRONG_AT_HETZNER[case]
    token = EXAMPLE["floating_ip"]["api_token"]
    hetzner.reset()
    hetzner.tokens(token)
    right = by_the_api(hetzner, changes, provider="hetzner")
    assert single("haproxy_ha.preflight", "x", right)["result"] is True
    hetzner.tokens({"token": token, "scopes": ["read"]})
    if fault:
        hetzner.fault(**fault)
    state = single("haproxy_ha.preflight", "x", by_the_api(hetzner, changes, provider="hetzner", **options))
    assert (state["result"], said in state["comment"]) == (False, True), state["comment"]
