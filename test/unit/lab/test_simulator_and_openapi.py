"""The simulator's answers are those of DigitalOcean's OpenAPI description; and so asks the script for the real API."""

import copy
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from support import REPOSITORY
from support.simulated_cloud import ADDRESS, IPV6, PRIMARY, SECONDARY, TOKEN
from tools import digitalocean_facts as facts

SCRIPT = REPOSITORY / "tools/ask_digitalocean.py"
ACTIONS = f"/v2/reserved_ips/{ADDRESS}/actions"
ASSIGN = {"type": "assign", "droplet_id": SECONDARY}
QUESTIONS = {
    "addresses": ("GET", "/v2/reserved_ips", None, 200),
    "an address": ("GET", f"/v2/reserved_ips/{ADDRESS}", None, 200),
    "an unknown address": ("GET", "/v2/reserved_ips/203.0.113.99", None, 404),
    "assign": ("POST", ACTIONS, ASSIGN, 201),
    "assign to the owner": ("POST", ACTIONS, {"type": "assign", "droplet_id": PRIMARY}, 422),
    "unassign": ("POST", ACTIONS, {"type": "unassign"}, 201),
    "no action": ("POST", ACTIONS, {"type": "x"}, 422),
    "an unknown action": ("GET", f"{ACTIONS}/1", None, 404),
    "actions": ("GET", ACTIONS, None, 200),
    "IPv6 addresses": ("GET", "/v2/reserved_ipv6", None, 200),
    "an IPv6 address": ("GET", f"/v2/reserved_ipv6/{IPV6}", None, 200),
    "an unknown IPv6 address": ("GET", "/v2/reserved_ipv6/2001:db8::1", None, 404),
    "assign an IPv6 address": ("POST", f"/v2/reserved_ipv6/{IPV6}/actions", ASSIGN, 201),
    "unassign an IPv6 address": ("POST", f"/v2/reserved_ipv6/{IPV6}/actions", {"type": "unassign"}, 201),
    "no action on an IPv6 address": ("POST", f"/v2/reserved_ipv6/{IPV6}/actions", {"type": "x"}, 422),
    "prefixes of one's own": ("GET", "/v2/byoip_prefixes", None, 200),
    "droplets": ("GET", "/v2/droplets", None, 200),
    "droplets of a name": ("GET", "/v2/droplets?name=PRIMARY", None, 200),
    "a droplet": ("GET", f"/v2/droplets/{PRIMARY}", None, 200),
    "an unknown droplet": ("GET", "/v2/droplets/9007199254740991", None, 404),
    "power on": ("POST", f"/v2/droplets/{PRIMARY}/actions", {"type": "power_on"}, 201),
    "power on what is not there": ("POST", "/v2/droplets/9007199254740991/actions", {"type": "power_on"}, 404),
    "an unknown power": ("POST", f"/v2/droplets/{PRIMARY}/actions", {"type": "x"}, 422),
    "droplet actions": ("GET", f"/v2/droplets/{PRIMARY}/actions", None, 200),
}


def ask(cloud, method, path, body=None, token=TOKEN):
    request = urllib.request.Request(
        cloud.api_url + path, method=method, data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    context = ssl.create_default_context(cafile=cloud.ca_file)
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_as_described(cloud, question):
    method, path, body, status = QUESTIONS[question]
    found, document = ask(cloud, method, path, body)
    assert (found, facts.differences(method, path, found, document)) == (status, [])


@pytest.mark.parametrize(("kind", "status"), [("", 401), ("status", 429), ("status", 500), ("status", 503)])
def test_an_error_is_as_described(cloud, kind, status):
    if kind:
        cloud.fault(kind, status=status)
    found, document = ask(cloud, "GET", "/v2/droplets", token=TOKEN if kind else "another")
    assert (found, facts.differences("GET", "/v2/droplets", found, document)) == (status, [])


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_request_needs_its_scope_and_no_other(cloud, question):
    method, path, body, status = QUESTIONS[question]
    scope = facts.operation(method, path)[0]
    cloud.tokens({"token": TOKEN, "scopes": [scope]})
    assert ask(cloud, method, path, body)[0] == status
    cloud.tokens({"token": TOKEN, "scopes": sorted({one for one, _, _ in facts.OPERATIONS.values()} - {scope})})
    found, document = ask(cloud, method, path, body)
    assert (found, facts.differences(method, path, found, document)) == (403, [])


def test_the_rules_of_addresses_hold(cloud, tmp_path):
    """One for a droplet, within its region."""
    cloud.droplet(SECONDARY, region="ams3")
    status, document = ask(cloud, "POST", ACTIONS, ASSIGN)
    assert (status, "region" in document["message"]) == (422, True)
    cloud.droplet(SECONDARY, region="nyc3")
    assert ask(cloud, "POST", ACTIONS, ASSIGN)[0] == 201


CHANGES = [
    (lambda one: one.pop("status"), "droplet.status: is missing"),
    (lambda one: one.update(id="7"), "droplet.id: str"),
    (lambda one: one.update(id=True), "droplet.id: bool"),
    (lambda one: one.update(status="on"), "droplet.status: 'on'"),
    (lambda one: one["region"].pop("slug"), "droplet.region.slug: is missing"),
    (lambda one: one["networks"]["v4"][0].update(type="x"), "droplet.networks.v4[0].type: 'x'"),
    (lambda one: one.update(tags="x"), "droplet.tags: str, described: a list"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=range(len(CHANGES)))
def test_what_is_other_than_described_is_found(cloud, change, said):
    path = f"/v2/droplets/{PRIMARY}"
    document = copy.deepcopy(ask(cloud, "GET", path)[1])
    change(document["droplet"])
    (found,) = facts.differences("GET", path, 200, document)
    assert found.startswith(said)
    assert facts.differences("GET", path, 201, document) == ["status 201, described: 200"]


def test_the_script_asks_the_same_and_changes_nothing(cloud):
    def run(*options):
        where = ["--url", cloud.api_url, "--ca-file", cloud.ca_file]
        command = [sys.executable, SCRIPT, *where, *options, ADDRESS, "primary"]
        environment = {**os.environ, "DIGITALOCEAN_TOKEN": TOKEN}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    done = run()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all answers are as described"), done.stdout
    assert cloud.counts()["writes"] == 0
    assert "the token may switch droplets" in run("--power").stdout
    assert TOKEN not in done.stdout + done.stderr
    counts = cloud.counts()
    assert [counts.get(name, 0) for name in ("assigns", "power_on", "power_off")] == [0, 0, 0]
    cloud.fault("body", body='{"droplets": {}}', path="/v2/droplets")
    assert run().returncode == 1
