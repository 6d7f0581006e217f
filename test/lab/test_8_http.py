"""The HTTP tiers under load: nothing is lost while the configuration changes."""

from __future__ import annotations

import contextlib
import copy
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lab import audit, outcome, salt
from lab.cloud import REPOSITORY
from lab.machine import machine
from lab.topology import BALANCERS
from lab.traffic import ask, load, probe

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
APPLY_MANY = Path(__file__).with_name("apply_many.py").read_text(encoding="utf-8")
RELOADS = 20


def certificate(directory: Path, number: int) -> str:
    """A certificate with its key, in PEM."""
    key, crt = directory / f"{number}.key", directory / f"{number}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9",
         "-subj", f"/CN=number-{number}", "-out", crt, "-keyout", key],
        check=True, capture_output=True,
    )  # fmt: skip
    return crt.read_text(encoding="ascii") + key.read_text(encoding="ascii")


def site(pem: str, servers: list[str] = ("app-1", "app-2"), renamed: bool = False, header: int = 0) -> dict:
    """pillar.example with HTTPS, and with these app servers in this order."""
    tree = yaml.safe_load(EXAMPLE)["haproxy_ha"]
    apps = copy.deepcopy(tree["app_servers"])
    tree["app_servers"] = {f"web-{name}" if renamed else name: apps[name] for name in servers}
    tree["haproxy"] = {
        "certificates": {"site": {"pem": pem}},
        "frontends": {"http": {
            "bind": ["anchor:80", "anchor:443 ssl"],
            "options": [f"http-response set-header X-Version {header}"],
        }},
    }
    return tree


def changes(directory: Path, count: int) -> list[dict]:
    """Pillar after pillar: another certificate; a server leaves, and comes back; all are renamed; all are reordered."""
    pillars = []
    for turn in range(-(-count // 5)):
        pem = certificate(directory, turn)
        pillars += [
            site(pem, header=turn),  # another certificate
            site(pem, ["app-1"], header=turn),
            site(pem, ["app-2", "app-1"], header=turn),
            site(pem, ["app-2", "app-1"], renamed=True, header=turn),
            site(pem, ["app-1", "app-2"], renamed=True, header=turn),
        ]
    return pillars[:count]


SLS = "haproxy_ha.load_balancer.config"


@contextlib.contextmanager
def applying(host: str, sls: str) -> Iterator[Callable[[], list[dict]]]:
    """A function that applies an SLS on a host, and returns its states; Salt is started there once for all calls."""
    argv = machine(host).command("/opt/salt/bin/python3", "-c", APPLY_MANY, sls)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"

        def apply() -> list[dict]:
            process.stdin.write("apply\n")
            process.stdin.flush()
            run = {host: json.loads(process.stdout.readline())}
            assert outcome.failed(run) == []
            return outcome.states(run, host)

        yield apply
        process.stdin.close()


def apply_many(balancer: str, pillars: list[dict]) -> list[dict]:
    """The configuration of a balancer with each pillar in turn: the state's return each time."""
    found = []
    with applying(balancer, SLS) as apply:
        for pillar in pillars:
            salt.set_pillar(yaml.safe_dump({"haproxy_ha": pillar}, sort_keys=False))
            found += [state for state in apply() if state["__id__"] == "haproxy_ha-load-balancer-config"]
    return found


@pytest.fixture
def under_change(active):
    """The active balancer; the example's configuration is back after the test."""
    yield active
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", SLS)) == []


def test_no_request_is_lost_while_servers_and_certificates_change(under_change, tmp_path):
    apply_many(under_change, [site(certificate(tmp_path, 99))])
    with load(once=500, kept=450, tls=50) as report:
        states = apply_many(under_change, changes(tmp_path, RELOADS))
    print(json.dumps(report))
    assert [state["comment"] for state in states if "haproxy was reloaded" not in state["comment"]] == []
    assert [state["comment"] for state in states if "drained: app_pool/app-2" in state["comment"]]
    for way in ("once", "kept", "tls"):
        assert (report[way]["failed"], report[way]["failures"]) == (0, []), way
    assert sum(report[way]["requests"] for way in ("once", "kept", "tls")) / report["seconds"] > 900
    assert "BEGIN" not in json.dumps(states)


def test_the_log_of_haproxy_is_where_people_look_for_it(active):
    ask(path="/find-me-in-the-log")
    lines = machine(active).run("journalctl", "--unit", "haproxy", "--since", "-30s", "--output", "cat").stdout
    assert any("/find-me-in-the-log" in line and "app_pool/" in line for line in lines.splitlines())


ROLLING = "haproxy_ha.orchestrate.rolling"


def roll(**pillar) -> dict:
    """The rolling change, as its operator starts it: the states of the orchestration, by id."""
    argv = ["salt-run", "--out=json", "state.orchestrate", ROLLING, f"pillar={json.dumps(pillar)}"]
    done = machine("master").run(*argv, check=False)
    run = json.loads(done.stdout[done.stdout.index("{") :])
    run = next(iter(run["data"].values())) if "data" in run else next(iter(run.values()))
    return {state["__id__"].removeprefix("haproxy_ha-rolling-"): state for state in run.values()}


def haproxy_cfg(balancer: str) -> str:
    return machine(balancer).read("/etc/haproxy/haproxy.cfg")


def with_lines(lines: list[str], **haproxy) -> str:
    """pillar.example with lines of one's own in the frontend."""
    tree = yaml.safe_load(EXAMPLE)["haproxy_ha"]
    tree["haproxy"] = {"frontends": {"http": {"options": lines}}, **haproxy}
    return yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False)


def test_a_rolling_change_goes_one_by_one_and_loses_nothing(under_change):
    """The passive one first, then the active one, which has handed over; with an upgrade of the package."""
    passive = next(name for name in BALANCERS if name != under_change)
    repository = {"uri": "http://archive.lab/newer", "suite": "./", "components": [], "trusted": True}
    salt.set_pillar(with_lines(["http-response set-header X-New 1"], repository=repository))
    with probe(20) as record:
        states = roll(upgrade=True)
    assert [state["comment"] for state in states.values() if state["result"] is not True] == []
    steps = ("passive", "upgrade", "change", "verified")
    assert list(states) == ["settings", *(f"{name}-{step}" for name in (passive, under_change) for step in steps)]
    assert audit.settle() == passive
    for balancer in BALANCERS:
        assert "X-New" in haproxy_cfg(balancer)
        version = machine(balancer).run("dpkg-query", "-W", "-f", "${Version}", "haproxy").stdout
        assert version.endswith("+99.lab")
    assert record.failed == []


def test_a_rolling_change_that_does_not_serve_stops_at_the_first(under_change):
    """HAProxy accepts it, and every request gets a 503: the active balancer is not touched, and goes on."""
    before = haproxy_cfg(under_change)
    salt.set_pillar(with_lines(["http-request return status 503"]))
    with probe(20) as record:
        states = roll()
    failed = [name for name, state in states.items() if state["result"] is not True]
    assert failed[0] == f"{next(name for name in BALANCERS if name != under_change)}-verified"
    assert haproxy_cfg(under_change) == before
    assert audit.active() == under_change
    assert record.failed == []


def plain(count: int, package: str, service: str) -> str:
    """An SLS of that many plain pkg, file and service states, which a machine fulfils already once it has run."""
    kinds = [
        lambda number: {"pkg.installed": [{"name": package}]},
        lambda number: {"file.managed": [{"name": f"/root/plain-{number}"}, {"contents": "plain\n"}]},
        lambda number: {"service.running": [{"name": service}]},
    ]
    return json.dumps({f"plain-{number}": kinds[number % 3](number) for number in range(count)})


@pytest.mark.bench
@pytest.mark.parametrize("host, package, service", [("app-1", "nginx", "nginx"), ("primary", "haproxy", "pacemaker")])
def test_a_converged_run_costs_little_more_than_plain_states(active, capsys, host, package, service):
    def duration(apply):
        began = time.monotonic()
        states = apply()
        assert [state["changes"] for state in states if state["changes"]] == []
        return time.monotonic() - began

    with applying(host, "haproxy_ha") as ours:
        machine("master").write("/srv/salt/plain.sls", plain(len(ours()), package, service))
        with applying(host, "plain") as theirs:
            theirs()
            taken = [(duration(ours), duration(theirs)) for _ in range(9)]
    ours_s, plain_s = (statistics.median(column) for column in zip(*taken, strict=True))
    with capsys.disabled():
        print(f"\n  {host}: haproxy_ha {ours_s:.2f} s, plain states {plain_s:.2f} s: {ours_s / plain_s:.2f}")
    assert ours_s <= 1.25 * plain_s
