"""The simulator of DigitalOcean over real HTTP: shapes, rules, delays, faults."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from lab.simulator import control
from lab.simulator.faults import KINDS
from lab.simulator.model import RateLimit
from support import REPOSITORY
from support.simulated_cloud import ADDRESS, IPV6, PRIMARY, SECONDARY, TOKEN, configuration, simulator

UNPROCESSABLE = "unprocessable_entity"


def get(url, timeout=5):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def api(cloud, method, path, body=None, token=TOKEN, timeout=5):
    """(status, headers, document) of a call."""
    request = urllib.request.Request(
        cloud.api_url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    context = ssl.create_default_context(cafile=cloud.ca_file)
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def assign(cloud, droplet_id, spelling="reserved_ips"):
    return api(cloud, "POST", f"/v2/{spelling}/{ADDRESS}/actions", {"type": "assign", "droplet_id": droplet_id})


def action_status(cloud, number):
    return api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}/actions/{number}")[2]["action"]["status"]


def wait_for(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Metadata


def test_maintenance_is_announced_to_one_droplet(cloud):
    event = f"{cloud.metadata_url}/v1/maintenance_event"
    assert get(event) == ""
    cloud.fault("maintenance", droplet_id=SECONDARY)
    assert get(event) == ""
    cloud.fault("maintenance", droplet_id=PRIMARY)
    assert get(event) == "live_migrate"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("id", str(PRIMARY)),
        ("hostname", "primary"),
        ("region", "nyc3"),
        ("interfaces/public/0/ipv4/address", "127.0.0.1"),
        ("interfaces/private/0/ipv4/address", "10.132.20.10"),
        ("interfaces/public/0/anchor_ipv4/address", "10.17.1.18"),
        ("interfaces/public/0/anchor_ipv4/gateway", "10.17.0.1"),
        ("interfaces/", "public/\nprivate/"),
        ("reserved_ip/ipv4/active", "true"),
        ("floating_ip/ipv4/ip_address", ADDRESS),
        ("reserved_ip/ipv6/active", "true"),
        ("reserved_ip/ipv6/ip_address", IPV6),
        ("interfaces/public/0/ipv6/address", "2001:db8:21::21"),
        ("tags", "lb"),
    ],
)
def test_metadata_tree(cloud, path, text):
    assert get(f"{cloud.metadata_url}/metadata/v1/{path}") == text


def test_metadata_index_without_a_slash_redirects(cloud):
    connection = http.client.HTTPConnection(cloud.metadata_url.removeprefix("http://"))
    connection.request("GET", "/metadata/v1/interfaces")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["location"]) == (301, "/metadata/v1/interfaces/")


@pytest.mark.parametrize("path", ["/metadata/v1/nothing", "/metadata/v1/id/more", "/latest/meta-data/"])
def test_metadata_unknown_path(cloud, path):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(cloud.metadata_url + path)
    assert error.value.code == 404


def test_metadata_json_names_the_leaf_otherwise_and_follows_the_owner(cloud):
    document = json.loads(get(f"{cloud.metadata_url}/metadata/v1.json"))
    assert document["droplet_id"] == PRIMARY
    assert document["interfaces"]["public"][0]["anchor_ipv4"]["ip_address"] == "10.17.1.18"
    assert document["reserved_ip"]["ipv4"] == {"active": True, "ip_address": ADDRESS}
    cloud.assign(SECONDARY)
    document = json.loads(get(f"{cloud.metadata_url}/metadata/v1.json"))
    assert document["reserved_ip"]["ipv4"] == {"active": False}


def test_metadata_faults(cloud):
    cloud.fault("stale", active=False)
    assert get(f"{cloud.metadata_url}/metadata/v1/reserved_ip/ipv4/active") == "false"
    cloud.clear()
    cloud.fault("no_anchor")
    assert "anchor" not in get(f"{cloud.metadata_url}/metadata/v1.json")
    cloud.clear()
    cloud.fault("hang", service="metadata")
    with pytest.raises(TimeoutError):
        get(f"{cloud.metadata_url}/metadata/v1/id", timeout=0.2)


# API


def test_reserved_ip(cloud):
    status, headers, document = api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}")
    entry = document["reserved_ip"]
    assert (status, entry["ip"], entry["droplet"]["id"], entry["locked"]) == (200, ADDRESS, PRIMARY, False)
    assert int(headers["ratelimit-remaining"]) < int(headers["ratelimit-limit"]) == 5000
    assert api(cloud, "GET", f"/v2/floating_ips/{ADDRESS}")[2]["floating_ip"]["droplet"]["id"] == PRIMARY


@pytest.mark.parametrize("spelling", ["reserved_ips", "floating_ips"])
def test_assign_is_in_progress_locked_and_then_completed(cloud, spelling):
    cloud.delay(assign_seconds=0.3)
    status, _, document = assign(cloud, SECONDARY, spelling)
    action = document["action"]
    assert (status, action["status"], action["completed_at"]) == (201, "in-progress", None)
    assert (action["type"], action["resource_type"]) == ("assign_ip", spelling.removesuffix("s"))
    assert cloud.state()["locked"] == [ADDRESS]
    assert cloud.owner() == PRIMARY
    wait_for(lambda: action_status(cloud, action["id"]) == "completed")
    assert cloud.owner() == SECONDARY
    counts = cloud.counts()
    assert (counts["assigns"], counts["moves"], counts["writes"], counts["POST"]) == (1, 1, 1, 1)


def test_unassign(cloud):
    api(cloud, "POST", f"/v2/reserved_ips/{ADDRESS}/actions", {"type": "unassign"})
    wait_for(lambda: cloud.owner() is None)
    assert api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}")[2]["reserved_ip"]["droplet"] is None


def test_a_second_assign_meets_a_pending_event_and_the_owner_has_one_already(cloud):
    assert (assign(cloud, PRIMARY)[0], assign(cloud, PRIMARY)[2]["id"]) == (422, UNPROCESSABLE)
    cloud.delay(assign_seconds=5)
    assert assign(cloud, SECONDARY)[0] == 201
    status, _, document = assign(cloud, 1003)
    assert (status, document["message"]) == (422, "The floating IP already has a pending event.")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "id"),
    [
        ("GET", "/v2/reserved_ips/203.0.113.99", None, 404, "not_found"),
        ("GET", f"/v2/reserved_ips/{ADDRESS}/actions/1", None, 404, "not_found"),
        ("GET", "/v2/droplets/1", None, 404, "not_found"),
        ("GET", "/v2/nothing", None, 404, "not_found"),
        ("POST", f"/v2/reserved_ips/{ADDRESS}/actions", {"type": "assign", "droplet_id": 1}, 404, "not_found"),
        ("POST", f"/v2/reserved_ips/{ADDRESS}/actions", {"type": "move"}, 422, UNPROCESSABLE),
        ("POST", f"/v2/reserved_ips/{ADDRESS}/actions", {"type": "assign"}, 422, UNPROCESSABLE),
        ("POST", f"/v2/reserved_ips/{ADDRESS}/actions", [], 422, UNPROCESSABLE),
    ],
)
def test_refusals(cloud, method, path, body, status, id):
    found, _, document = api(cloud, method, path, body)
    assert (found, document["id"]) == (status, id)
    assert cloud.counts()["moves"] == 0


def test_tokens_and_scopes(cloud):
    path = f"/v2/reserved_ips/{ADDRESS}"
    assert api(cloud, "GET", path, token="dop_v1_other")[0] == 401
    cloud.tokens({"token": "dop_v1_narrow", "scopes": ["reserved_ip:read"]})
    assert api(cloud, "GET", path)[0] == 401
    assert api(cloud, "GET", path, token="dop_v1_narrow")[2]["reserved_ip"]["droplet"] is None
    assert api(cloud, "GET", "/v2/droplets", token="dop_v1_narrow")[0] == 403
    assert api(cloud, "POST", f"{path}/actions", {"type": "unassign"}, token="dop_v1_narrow")[2]["id"] == "forbidden"


def test_droplets_by_name_by_tag_and_by_page(cloud):
    def names(query):
        return [entry["name"] for entry in api(cloud, "GET", f"/v2/droplets{query}")[2]["droplets"]]

    assert names("?name=secondary") == ["secondary"]
    assert names("?tag_name=lb") == ["primary", "secondary"]
    document = api(cloud, "GET", "/v2/droplets?per_page=2")[2]
    assert "page=2&per_page=2" in document["links"]["pages"]["next"]
    assert names("?per_page=2&page=2") == ["third"]


def test_rate_limit_slides():
    now = [1000.0]
    limit = RateLimit(hour=3, minute=2, clock=lambda: now[0])
    assert [limit.take("a")[1] for _ in range(3)] == [True, True, False]
    assert limit.take("a")[0]["retry-after"] == "60"
    assert limit.take("b")[1]
    now[0] += 61
    assert limit.take("a")[1]
    headers, allowed = limit.take("a")
    assert (allowed, headers["ratelimit-remaining"], headers["ratelimit-reset"]) == (False, "0", "4600")
    assert "retry-after" not in headers


def test_rate_limit_over_http(tmp_path):
    settings = configuration(tmp_path)["api"] | {"rate_limit": {"minute": 2}}
    with simulator(tmp_path, api=settings) as cloud:
        statuses = [api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}") for _ in range(3)]
        assert [status for status, *_ in statuses] == [200, 200, 429]
        assert int(statuses[2][1]["retry-after"]) > 0


# Faults


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("reset", {}, (ConnectionResetError, urllib.error.URLError)),
        ("truncated", {}, http.client.IncompleteRead),
        ("invalid_json", {}, json.JSONDecodeError),
        ("html", {}, json.JSONDecodeError),
        ("hang", {}, (TimeoutError, urllib.error.URLError)),
    ],
)
def test_faults_below_an_answer_happen_as_often_as_asked(cloud, kind, options, error):
    cloud.fault(kind, times=1, **options)
    with pytest.raises(error):
        api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}", timeout=0.3)
    assert api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}")[0] == 200


def test_status_fault_with_headers_for_a_method(cloud):
    cloud.fault("status", status=429, id="too_many_requests", message="m", headers={"retry-after": "7"}, method="POST")
    assert api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}")[0] == 200
    status, headers, document = assign(cloud, SECONDARY)
    assert (status, headers["retry-after"], document["id"]) == (429, "7", "too_many_requests")


def test_delay_of_every_call(cloud):
    cloud.delay(api_seconds=0.3)
    start = time.monotonic()
    api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}")
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("kind", "status", "owner"),
    [("errored", "errored", PRIMARY), ("done", "done", SECONDARY), ("unchanged", "completed", PRIMARY)],
)
def test_fate_of_an_assign(cloud, kind, status, owner):
    cloud.fault(kind)
    number = assign(cloud, SECONDARY)[2]["action"]["id"]
    wait_for(lambda: action_status(cloud, number) != "in-progress")
    assert (action_status(cloud, number), cloud.owner()) == (status, owner)


@pytest.mark.parametrize("end", ["clear", "reset"])
def test_stuck_assign_stays_in_progress_until_the_fault_is_cleared(cloud, end):
    cloud.fault("stuck")
    number = assign(cloud, SECONDARY)[2]["action"]["id"]
    time.sleep(0.1)
    assert action_status(cloud, number) == "in-progress"
    getattr(cloud, end)()
    assert cloud.state()["locked"] == []


def test_hidden_action_moves_the_address_and_answers_404(cloud):
    cloud.fault("action_404")
    number = assign(cloud, SECONDARY)[2]["action"]["id"]
    wait_for(lambda: cloud.owner() == SECONDARY)
    assert api(cloud, "GET", f"/v2/reserved_ips/{ADDRESS}/actions/{number}")[0] == 404


@pytest.mark.parametrize(("kind", "word"), [("pending_ip", "floating IP"), ("pending_droplet", "Droplet")])
def test_pending_events_end(cloud, kind, word):
    cloud.fault(kind, times=1)
    status, _, document = assign(cloud, SECONDARY)
    assert (status, word in document["message"]) == (422, True)
    assert assign(cloud, SECONDARY)[0] == 201


def test_unknown_fault_names_the_kinds(cloud):
    with pytest.raises(RuntimeError, match=min(KINDS)):
        cloud.fault("nonsense")


# The program


def test_program_moves_the_traffic_before_the_action_is_completed(tmp_path):
    """As the lab starts it: `ready`, the first owner routed, the command called with both targets."""
    log = tmp_path / "moves"
    script = tmp_path / "move"
    script.write_text(f'#!/bin/sh\nsleep 0.1\necho "$@" >> {log}\n')
    script.chmod(0o755)
    config = configuration(tmp_path, assign_command=[str(script), "x"])
    del config["metadata"], config["api"]
    (tmp_path / "simulator.json").write_text(json.dumps(config))
    program = subprocess.Popen(
        [sys.executable, "-m", "lab.simulator", "--config", str(tmp_path / "simulator.json")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "test")},
    )  # fmt: skip
    try:
        assert program.stdout.readline() == "ready\n"
        assert os.stat(config["control"]).st_mode & 0o777 == 0o600
        control.assign(config["control"], ADDRESS, SECONDARY)
        control.assign(config["control"], ADDRESS, None)
        control.assign(config["control"], IPV6, SECONDARY)
        assert log.read_text().splitlines() == [
            f"x {ADDRESS} 10.17.1.18 none",
            f"x {IPV6} 2001:db8:21::21 none",
            f"x {ADDRESS} 203.0.113.22 10.17.1.18",
            f"x {ADDRESS} none 203.0.113.22",
            f"x {IPV6} 2001:db8:21::22 2001:db8:21::21",
        ]
    finally:
        program.terminate()
        assert program.wait(10) == 0
    assert not os.path.exists(config["control"])


def test_failing_command_makes_the_action_errored(tmp_path):
    script = tmp_path / "move"
    script.write_text('#!/bin/sh\n[ "$3" = none ]\n')
    script.chmod(0o755)
    with simulator(tmp_path, assign_command=[str(script)]) as cloud:
        number = assign(cloud, SECONDARY)[2]["action"]["id"]
        wait_for(lambda: action_status(cloud, number) == "errored")
        assert cloud.owner() == PRIMARY
