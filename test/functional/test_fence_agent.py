"""The fence agents as Pacemaker's fencer calls them, against the simulator: of droplets, and of Hetzner's servers."""

import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from support import agent_set, cmap
from support.place import in_container, requires_tools
from support.simulated_cloud import SECONDARY, TOKEN

pytestmark = pytest.mark.parametrize("provider", ["digitalocean", "hetzner"])


class Fence:
    """The agent of a provider, with its options on standard input."""

    def __init__(self, provider, cloud, directory):
        self.name = f"fence_haproxy_ha_{provider}"
        words = {"digitalocean": ("droplets", "active"), "hetzner": ("servers", "running")}
        self.machines, self.running = words[provider]
        texts = agent_set.sources_with(directory / "sbin")
        self.agent = Path(agent_set.install(directory, texts).fence, self.name)
        self.token_file = directory / "token"
        self.token_file.write_text(TOKEN)
        self.token_file.chmod(0o600)
        self.options = {"api_url": cloud.api_url, "ca_file": cloud.ca_file, "token_file": self.token_file}

    def __call__(self, action, plug="secondary", **options):
        """Returns (code, standard output, standard error)."""
        lines = {"action": action, "plug": plug, **self.options, **options}
        done = subprocess.run(
            [self.agent], input="".join(f"{name}={value}\n" for name, value in lines.items()), capture_output=True,
            text=True, env={}, timeout=60,
        )  # fmt: skip
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def fence(provider, cloud, tmp_path):
    return Fence(provider, cloud, tmp_path)


def test_off_and_on_are_what_the_api_shows(fence, cloud):
    cloud.delay(power_seconds=0.5)
    assert fence("status")[:2] == (0, f"secondary is {fence.running}\n")
    begin = time.monotonic()
    assert fence("off")[0] == 0
    assert time.monotonic() - begin >= 0.5
    assert cloud.power() == "off"
    assert fence("status")[:2] == (2, "secondary is off\n")
    assert fence("off")[0] == 0
    assert cloud.counts()["power_off"] == 1
    assert (fence("on", plug=str(SECONDARY))[0], cloud.power()) == (0, "active")


def test_reboot(fence, cloud):
    assert fence("reboot")[0] == 0
    assert cloud.power() == "active"
    assert (cloud.counts()["power_off"], cloud.counts()["power_on"]) == (1, 1)


def test_a_machine_that_does_not_come_on_again_is_fenced_all_the_same(fence, cloud):
    assert fence("off")[0] == 0
    cloud.fault("power_pending")
    code, _, said = fence("reboot", power_timeout="2")
    assert (code, cloud.power()) == (0, "off")
    assert "secondary is off, and does not start" in said


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "power_pending", "times": 2}, 0), ({"kind": "html", "times": 2}, 0),
        ({"kind": "reset", "method": "POST", "times": 1}, 0),
        ({"kind": "status", "status": 429, "headers": {"retry-after": "1"}, "times": 1}, 0),
        ({"kind": "power_stuck"}, 1), ({"kind": "power_pending"}, 1), ({"kind": "hang"}, 1),
        ({"kind": "status", "status": 401}, 1), ({"kind": "status", "status": 403, "method": "POST"}, 1),
    ],
)  # fmt: skip
def test_off_succeeds_only_when_it_is_off(fence, cloud, fault, code):
    cloud.fault(**fault)
    found, _, said = fence("off", power_timeout="4", shell_timeout="4")
    assert (found, cloud.power()) == (code, "off" if code == 0 else "active")
    assert len(said.splitlines()) == (code != 0)


def test_a_token_that_may_only_read_fences_nobody(fence, cloud):
    cloud.tokens({"token": TOKEN, "scopes": ["droplet:read", "read"]})
    code, _, said = fence("off")
    assert (code, "refuses the token: HTTP 403" in said) == (1, True)
    code, _, said = fence("monitor")
    assert (code, f"the token may not switch {fence.machines}" in said, ": HTTP 403" in said) == (1, True, True)


def test_lists(fence):
    assert fence("list")[1].splitlines() == ["primary,1001", "secondary,1002", "third,1003"]
    assert fence("list-status")[1].splitlines()[1] == "secondary,1002,on"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"plug": ""}, "plug: is required"),
        ({"plug": "nobody"}, "'nobody'"),
        ({"plug": "77"}, "HTTP 404"),
        ({"token_file": "/nonexistent"}, "token file /nonexistent: is missing"),
        ({"api_url": "http://127.0.0.1"}, "https://"),
        ({"power_timeout": "soon"}, "power_timeout: found 'soon'"),
        ({"action": "explode"}, "action: found 'explode'"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_powered(fence, cloud, options, text):
    code, _, said = fence(**{"action": "off", **options})
    assert (code, text in said) == (1, True), said
    assert cloud.power() == "active"


def test_metadata_and_the_command_line(fence):
    done = subprocess.run([fence.agent, "-o", "metadata"], capture_output=True, text=True, check=True)
    root = ET.fromstring(done.stdout)
    assert root.get("name") == fence.name
    assert {one.get("name") for one in root.iter("action")} >= {"on", "off", "reboot", "status", "list", "monitor"}
    words = [f"--{name}={value}" for name, value in fence.options.items()]
    done = subprocess.run([fence.agent, "-o", "status", "-n", "secondary", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"secondary is {fence.running}\n")


def members(fence, text):
    """A corosync-cmapctl that says what the cluster's would."""
    program = fence.agent.parent / "corosync-cmapctl"
    program.write_text(text)
    program.chmod(0o755)


@pytest.fixture
def link():
    """The cluster's link of the first node, and a function that gives it a carrier."""
    far = ["ip", "link", "set", "fence1"]
    subprocess.run(["ip", "link", "add", "fence0", "type", "veth", "peer", "name", "fence1"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", "fence0"], check=True)
    subprocess.run(["ip", "link", "set", "fence0", "up"], check=True)
    yield lambda: subprocess.run([*far, "up"], check=True)
    subprocess.run(["ip", "link", "delete", "fence0"], check=True)


@requires_tools("ip")
@pytest.mark.skipif(not in_container(), reason="needs the tools")
def test_who_hears_nobody_on_the_clusters_link_lets_the_other_one_fence_first(fence, cloud, link):
    members(fence, PAIR)
    begin = time.monotonic()
    code, _, said = fence("off", alone_delay="1.5")
    assert (code, cloud.power()) == (0, "off")
    assert "nobody answers on the cluster's link" in said and time.monotonic() - begin >= 1.5
    assert fence("on")[0] == 0
    link()
    code, _, said = fence("reboot", alone_delay="600")
    assert (code, said, cloud.counts()["power_off"]) == (0, "", 2)


def test_who_is_being_powered_off_itself_powers_nobody_off_meanwhile(fence, cloud):
    """Of two that shoot at each other one is left, however long a cloud takes for it."""
    members(fence, PAIR)
    cloud.delay(power_seconds=2.0)
    shot = subprocess.Popen([fence.agent], stdin=subprocess.PIPE, text=True, env={})
    shot.stdin.write("".join(f"{name}={value}\n" for name, value in {
        "action": "off", "plug": "primary", "alone_delay": "0", **fence.options,
    }.items()))  # fmt: skip
    shot.stdin.close()
    while not cloud.counts()["writes"]:
        assert shot.poll() is None
    code, _, said = fence("off", alone_delay="600")
    assert (code, shot.wait(10), cloud.power()) == (0, 0, "off")
    assert "primary is being switched itself: the other one may fence first" in said


PAIR = cmap.stand_in({"primary": "member", "secondary": "lost"})
NAMED = cmap.stand_in({"primary": "member", "lb2.example.com": "member"})


@pytest.mark.parametrize(
    ("text", "named", "said"),
    [
        (PAIR, "", ""),
        (NAMED, "", "node lb2.example.com cannot be fenced: "),
        (NAMED, "lb2.example.com:secondary", ""),
        (NAMED, "lb2.example.com:1002; primary : primary", ""),
        (NAMED, "lb2.example.com:77", "cannot be fenced: the API does not"),
        (cmap.stand_in({"primary": "member"}, unnamed=1), "", ""),
        (PAIR, "lb2.example.com", "s: found 'lb2.example.com', allowed: node:"),
        ("#!/bin/sh\nprintf 'primary is \\000 nonsense here'\n", "", ""),
    ],
)
def test_the_monitor_finds_the_machine_of_each_node(fence, cloud, text, named, said):
    members(fence, text)
    code, _, errors = fence("monitor", plug="", **{fence.machines: named})
    assert (code, said in errors) == (int(bool(said)), True), errors
    assert cloud.counts()["writes"] in (0, 1)
    assert cloud.power() == "active"


def test_a_node_whose_machine_has_another_name_is_fenced_by_its_own(fence, cloud):
    named = {fence.machines: "lb2.example.com:secondary"}
    assert "lb2.example.com,1002" in fence("list", **named)[1].splitlines()
    assert "lb2.example.com,1002,on" in fence("list-status", **named)[1].splitlines()
    assert fence("off", plug="lb2.example.com", **named)[0] == 0
    assert cloud.power() == "off"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_power_that_is_unknown_is_told_and_is_no_failure(fence, cloud, status):
    cloud.fault("status", status=status, method="POST")
    code, _, said = fence("monitor")
    assert (code, f" is unknown: HTTP {status}" in said) == (0, True)


DISORDER = {
    "deep": {"kind": "body", "body": "[" * 200_000}, "big": {"kind": "body", "body": "x" * 20_000_000},
    "headers": {"kind": "headers"}, "bare": {"kind": "bare"},
}  # fmt: skip


@pytest.mark.parametrize("fault", DISORDER.values(), ids=DISORDER)
@pytest.mark.parametrize("action", ["monitor", "off", "list"])
def test_disorder_is_one_line_and_nothing_is_off(fence, cloud, fault, action):
    cloud.fault(**fault)
    code, _, said = fence(action, shell_timeout="2", power_timeout="2")
    assert (code, len(said.splitlines()), len(said) < 400) == (1, 1, True)
    assert cloud.power() == "active"
