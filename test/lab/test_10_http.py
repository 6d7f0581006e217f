"""The HTTP tiers under load: nothing is lost while the configuration changes."""

from __future__ import annotations

import copy
import json
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import audit, outcome, salt
from lab.formula import CONFIGURATION, applying, newer_haproxy
from lab.machine import machine
from lab.topology import APP_SERVERS, ARCHIVE_ADDRESS, BALANCERS, FLOATING_IP
from lab.traffic import ask, load, probe
from support import REPOSITORY
from support.certificates import self_signed

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
RELOADS = 20


def certificate(directory: Path, number: int) -> str:
    """A certificate with its key, in PEM."""
    return "".join(path.read_text(encoding="ascii") for path in self_signed(directory, f"number-{number}"))


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


def apply_many(balancer: str, pillars: list[dict]) -> list[dict]:
    """The configuration of a balancer with each pillar in turn: the state's return each time."""
    found = []
    with applying(balancer, CONFIGURATION) as apply:
        for pillar in pillars:
            salt.set_pillar(yaml.safe_dump({"haproxy_ha": pillar}, sort_keys=False))
            found += [state for state in apply() if state["__id__"] == "haproxy_ha-load-balancer-config"]
    return found


@pytest.fixture
def under_change(active):
    """The active balancer; the example's configuration is back after the test."""
    yield active
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", CONFIGURATION)) == []


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


@pytest.fixture
def both_tiers(active):
    """The example is back on all hosts after the test."""
    yield
    salt.set_pillar(EXAMPLE)
    assert outcome.failed(salt.call("state.apply", "haproxy_ha")) == []


LINEAGE = "/etc/letsencrypt/live/www.example.com"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/haproxy_ha"
FETCH = "import ssl, sys; print(ssl.get_server_certificate((sys.argv[1], 443)), end='')"


def renew(host: str, directory: Path, number: int) -> str:
    """What certbot does on a host: new files in the archive, links of the lineage to them one after the other, and the
    hook of docs/http.md. Returns the certificate."""
    certificate(directory, number)
    parts = {"privkey": f"number-{number}.key", "fullchain": f"number-{number}.crt"}
    target = machine(host)
    for name, file in parts.items():
        text = (directory / file).read_text(encoding="ascii")
        target.write(f"/etc/letsencrypt/archive/www.example.com/{name}{number}.pem", text, 0o600)
        link = target.root / f"{LINEAGE}/{name}.pem".lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../archive/www.example.com/{name}{number}.pem")
    target.run("env", f"RENEWED_LINEAGE={LINEAGE}", "RENEWED_DOMAINS=www.example.com", HOOK)
    return (directory / parts["fullchain"]).read_text(encoding="ascii")


def documented_hook() -> str:
    """The hook as docs/http.md has it."""
    text = (REPOSITORY / "docs/http.md").read_text(encoding="utf-8")
    lines = re.search(rf"^    # {HOOK}\n((?:    .*\n)+)", text, re.MULTILINE)[1]
    return re.sub(r"^    ", "", lines, flags=re.MULTILINE)


def test_certificates_that_certbot_renews_are_taken_and_nothing_is_lost(under_change, tmp_path):
    tree = site("")
    tree["haproxy"]["certificates"] = {
        "www.example.com": {"certificate": f"{LINEAGE}/fullchain.pem", "key": f"{LINEAGE}/privkey.pem"}
    }
    salt.set_pillar(yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False))
    machine(under_change).write(HOOK, documented_hook(), 0o755)
    renew(under_change, tmp_path, 0)
    with load(once=100, kept=100, tls=50) as report:
        for number in range(1, 6):
            renewed = renew(under_change, tmp_path, number)
            assert machine("client").run("python3", "-c", FETCH, FLOATING_IP).stdout == renewed
    print(json.dumps(report))
    for way in ("once", "kept", "tls"):
        assert (report[way]["failed"], report[way]["failures"]) == (0, []), way


def pool(addresses: str, **differing: dict) -> str:
    """pillar.example with this way of telling the client's address, and app servers that differ; None: out of it."""
    tree = yaml.safe_load(EXAMPLE)["haproxy_ha"]
    tree["nginx"] = {"client_address": addresses}
    for name, changed in differing.items():
        server = tree["app_servers"].pop(name)
        if changed is not None:
            tree["app_servers"][name] = {**server, **changed}
    return yaml.safe_dump({"haproxy_ha": tree}, sort_keys=False)


def in_order(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The order of docs/http.md from one way of telling the client's address to another: pillar, and whom to apply to.

    One app server after the other leaves the pool, is changed, and comes back; while one is in the new way, the other
    is told to the load balancers as one that is not ours.
    """
    balancers = ",".join(BALANCERS)
    as_before = {"managed": False, "options": ["send-proxy-v2"] if before == "proxy_protocol" else []}
    mixed = pool(after, **{"app-2": as_before})
    yield pool(before, **{"app-1": None}), balancers
    yield mixed, "app-1"
    yield mixed, balancers
    yield pool(after, **{"app-2": None}), balancers
    yield pool(after), "app-2"
    yield pool(after), balancers


@pytest.mark.slow
def test_the_way_of_telling_the_clients_address_is_changed_and_nothing_is_lost(both_tiers):
    def sites_have(word: str) -> list[bool]:
        return [word in machine(app).read("/etc/nginx/sites-available/haproxy_ha") for app in APP_SERVERS]

    def apply(pillar: str, target: str = "*") -> None:
        salt.set_pillar(pillar)
        assert outcome.failed(salt.call("state.apply", "haproxy_ha", target=target)) == []

    with load(once=100, kept=100) as report:
        apply(pool("real_ip"))
        assert sites_have("real_ip_header X-Forwarded-For") == [True, True]
        for step in in_order("real_ip", "proxy_protocol"):
            apply(*step)
        assert sites_have("real_ip_header proxy_protocol") == [True, True]
        for step in in_order("proxy_protocol", "log"):
            apply(*step)
        assert sites_have("real_ip_header") == [False, False]
    print(json.dumps(report))
    for way in ("once", "kept"):
        assert (report[way]["failed"], report[way]["failures"]) == (0, []), way


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
    salt.set_pillar(with_lines(["http-response set-header X-New 1"], repository=newer_haproxy(ARCHIVE_ADDRESS)))
    with probe(20) as record:
        states = roll(upgrade=True)
    assert [state["comment"] for state in states.values() if state["result"] is not True] == []
    steps = ("passive", "upgrade", "change", "verified")
    assert list(states) == ["settings", *(f"{name}-{step}" for name in (passive, under_change) for step in steps)]
    assert audit.settle() == passive
    for balancer in BALANCERS:
        assert "X-New" in haproxy_cfg(balancer)
        assert "Pin-Priority: -1" in machine(balancer).read("/etc/apt/preferences.d/haproxy_ha")
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


def test_haproxy_serves_in_its_sandbox_and_is_checked_in_it(under_change):
    """What it cannot read there is refused before it counts; the passive one starts in it, reloads, and takes over."""
    passive = next(name for name in BALANCERS if name != under_change)

    def configure(*lines: str) -> list[str]:
        salt.set_pillar(with_lines(list(lines), sandbox=True))
        return outcome.failed(salt.call("state.apply", CONFIGURATION, target=passive))

    machine(passive).write("/home/503.http", "HTTP/1.0 503 Away\r\n\r\n")
    [refused] = configure("errorfile 503 /home/503.http")
    assert "haproxy refuses the new configuration" in refused and "/home/503.http" in refused
    assert configure() == []
    machine(passive).run("systemctl", "restart", "haproxy")
    assert configure("http-response set-header X-New 1") == []
    report = machine(passive).run("systemd-analyze", "security", "--no-pager", "haproxy.service").stdout
    assert float(re.search(r"Overall exposure level for haproxy.service: ([0-9.]+)", report)[1]) < 5
    salt.call("haproxy_ha.failover", target=under_change)
    assert audit.settle() == passive
    assert ask()[0] == 200


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
