"""The floating IP while a client asks it: planned stops lose no request, cuts move it to where clients are served."""

from __future__ import annotations

import bz2
import contextlib
import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml

from lab import audit, network, outcome, salt
from lab.cloud import CONTROL, api_token
from lab.machine import HAPROXY, MACHINES, machine
from lab.shell import run, wait_for
from lab.simulator import control
from lab.topology import BALANCERS, FLOATING_IP, HOSTS, MINIONS, SECOND_FLOATING_IP
from lab.traffic import ask, probe
from lab.watch import watch
from support import REPOSITORY, cluster_changes

EXAMPLE = (REPOSITORY / "pillar.example").read_text(encoding="utf-8")
AGENT = "/usr/lib/ocf/resource.d/haproxy_ha/floatip"
INTERVAL_MS = 10


def moved_to(host: str) -> bool:
    return audit.cloud_owner() == host and audit.active() == host


# Planned stops: the address moves first


def failover(active: str) -> None:
    answer = salt.call("haproxy_ha.failover", target=active)[active]
    assert answer == {"old": active, "new": audit.passive_of(active)}


def standby(active: str) -> None:
    """As a person does it, with no tool of ours."""
    machine(active).run("crm", "node", "standby", active)


def stop(active: str) -> None:
    machine(active).run("systemctl", "stop", "pacemaker")


def reboot(active: str) -> None:
    before = machine(active).reboot()
    machine(active).wait_rebooted(before)


PLANNED = {
    failover: "`haproxy_ha.failover`",
    standby: "`crm node standby` of the active",
    stop: "`systemctl stop pacemaker` on the active",
    reboot: "reboot of the active",
}
BACK = {
    # crmsh would write back the status that it read while HAProxy stops.
    standby: lambda host: machine(host).run("crm_standby", "--node", host, "--delete"),
    stop: lambda host: machine(host).run("systemctl", "start", "pacemaker"),
}


@pytest.mark.parametrize("how", PLANNED)
def test_a_planned_stop_loses_no_request(active, how):
    other = audit.passive_of(active)
    with watch(PLANNED[how]) as seen:
        how(active)
        wait_for(f"the address at {other}", lambda: moved_to(other), 30)
    BACK.get(how, lambda host: None)(active)
    assert audit.settle(120) == other  # and it stays
    assert seen.lost == []
    assert seen.longest_gap <= 0.3
    assert len(seen.moves) == 1


# Cuts, each alone: clients are served from where they can be, and the address moves once at most


def cut(kind: str, host: str, state: str = "down") -> None:
    """Cut or mend what ``kind`` names at a host."""
    if kind == "peers":
        network.set_path(*BALANCERS, state)
    for link in {"public": ["public"], "private": ["private"], "all": ["private", "public"]}.get(kind, []):
        network.set_link(host, link, state)


@contextlib.contextmanager
def cut_off(kind: str, host: str):
    cut(kind, host)
    try:
        yield
    finally:
        cut(kind, host, "up")


CUTS = {  # (what is cut, of which balancer): whether the address moves, the longest gap
    ("public", "active"): (True, 25),
    ("peers", "active"): (False, 0.3),
    ("private", "active"): (True, 10),
    ("all", "active"): (True, 10),
    ("public", "passive"): (False, 0.3),
    ("private", "passive"): (False, 0.3),
    ("all", "passive"): (False, 0.3),
}
CUT_NAMES = {
    "public": "public interface",
    "private": "private interface",
    "peers": "path between the peers",
    "all": "all interfaces",
}
BRIEF = [("public", "active"), ("peers", "active")]
CUT_SECONDS = 25


@pytest.mark.parametrize(
    ("kind", "role"), [pytest.param(*case, marks=[] if case in BRIEF else [pytest.mark.slow]) for case in CUTS]
)
def test_a_cut_moves_the_address_to_where_clients_are_served(active, kind, role):
    moves, gap = CUTS[kind, role]
    other = audit.passive_of(active)
    victim = active if role == "active" else other
    with watch(f"{CUT_NAMES[kind]} of the {role} cut for {CUT_SECONDS} s, then mended") as seen:
        with cut_off(kind, victim):
            begin = time.monotonic()
            if moves:
                wait_for(f"the address at {other}", lambda: audit.cloud_owner() == other, gap)
            elif kind != "public":
                wait_for("the partition", lambda: len(audit.members(active)) == 1, 20)
            wait_for("the rest of the cut", lambda: time.monotonic() - begin > CUT_SECONDS, CUT_SECONDS + 1)
        holder = audit.settle(120)
    assert holder == (other if moves else active)
    assert len(seen.moves) == moves
    assert seen.longest_gap <= gap
    if not moves:
        assert seen.lost == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["peers", "private"])
def test_ten_minutes_of_partition_see_one_move_at_most(active, kind):
    with watch(f"{CUT_NAMES[kind]} of the active cut for ten minutes") as seen:
        with cut_off(kind, active):
            wait_for("the partition", lambda: len(audit.members(active)) == 1, 20)
            begin = time.monotonic()
            wait_for("ten minutes", lambda: time.monotonic() - begin > 600, 610, 5)
        audit.settle(180)
    salt.wait_minions(180)  # TCP's own patience: their connections to the master were cut too
    assert len(seen.moves) <= 1
    assert seen.longest_gap <= 10


@pytest.mark.slow
def test_what_both_balancers_lose_moves_nothing(active):
    """Both app servers away: the address stays, and comes to no other node."""
    before = len(control.state(str(CONTROL))["moves"])
    apps = ("app-1", "app-2")
    for app in apps:
        network.set_link(app, "private", "down")
    try:
        expected = dict.fromkeys(BALANCERS, "1000")
        wait_for("both balancers to say so", lambda: audit.attribute("haproxy_ha-reach") == expected, 60, 0.5)
    finally:
        for app in apps:
            network.set_link(app, "private", "up")
    assert audit.settle(60) == active
    assert len(control.state(str(CONTROL))["moves"]) == before


# Daemons that die or hang


def kill_haproxy(active: str) -> None:
    machine(active).run("pkill", "-KILL", *HAPROXY)


def hang_haproxy(active: str) -> None:
    machine(active).run("pkill", "-STOP", *HAPROXY)


def power_loss(active: str) -> None:
    machine(active).power_off()
    wait_for("the other one to serve", lambda: ask()[0] == 200, 30)
    machine(active).power_on()
    machine(active).wait_booted()


FAULTS = {  # what it is, whether the address moves, the longest gap
    kill_haproxy: ("HAProxy of the active killed", False, 3),
    hang_haproxy: ("HAProxy of the active hangs (SIGSTOP)", False, 12),
    power_loss: ("power loss of the active", True, 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", FAULTS)
def test_a_fault_is_mended(active, how):
    what, moves, gap = FAULTS[how]
    with watch(what) as seen:
        how(active)
        wait_for("clients to be served", lambda: ask()[0] == 200, 60)
        holder = audit.settle(120)
    assert holder == (audit.passive_of(active) if moves else active)
    assert len(seen.moves) == moves
    assert seen.longest_gap <= gap


# The API, as the cluster sees it


API_FAULTS = {  # what the simulator is told to do, or which file is away; the reason
    "401": ({"kind": "status", "status": 401, "id": "unauthorized"}, "refuses the token: HTTP 401"),
    "403": ({"kind": "status", "status": 403, "id": "forbidden"}, "refuses the token: HTTP 403"),
    "404": ({"kind": "status", "status": 404, "id": "not_found"}, "HTTP 404"),
    "422 address pending": ({"kind": "pending_ip"}, "pending event"),
    "422 droplet pending": ({"kind": "pending_droplet"}, "Droplet already has a pending event"),
    "422 droplet has one": (
        {"kind": "status", "method": "POST", "status": 422, "message": "droplet already has an IP"}, "already has an IP"
    ),
    "429": ({"kind": "status", "status": 429}, "HTTP 429"),
    "429 with retry-after": ({"kind": "status", "status": 429, "headers": {"retry-after": "300"}}, "HTTP 429"),
    "502 with HTML": ({"kind": "html"}, "HTTP 502"),
    "hang": ({"kind": "hang"}, "no answer within"),
    "reset": ({"kind": "reset"}, "reset|closed|Connection"),
    "truncated JSON": ({"kind": "truncated"}, "bytes early|no JSON"),
    "stuck action": ({"kind": "stuck"}, "is being assigned"),
    "errored action": ({"kind": "errored"}, "had no effect"),
    "owner unchanged": ({"kind": "unchanged"}, "is being assigned|had no effect"),
    "TLS": ("/etc/ssl/certs/ca-certificates.crt", "CERTIFICATE_VERIFY_FAILED"),
    "DNS": ("/etc/hosts", "name|Name"),
}
BRIEF_FAULTS = ["401"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in BRIEF_FAULTS else [pytest.mark.slow]) for name in API_FAULTS]
)
def test_an_api_that_fails_moves_and_stops_nothing_and_is_shown(active, name):
    """A failover while the API fails: the address cannot move, so its owner serves on, and crm_mon says why."""
    fault, reason = API_FAULTS[name]
    other = audit.passive_of(active)
    with watch(f"API: {name}, and a failover") as seen:
        try:
            with api_fails(fault, other), handed_over(active):
                wait_for("the reason in crm_mon", lambda: shown(reason, other), 80, 0.5)
        finally:
            machine(active).run("crm_resource", "--wait", "--timeout=60s")  # what a cleanup interrupts may move
            machine(active).run("crm_resource", "--cleanup")
        audit.settle(150)
    assert seen.failed == [] or len(seen.moves) > 0
    assert seen.lost == []
    assert len(seen.moves) <= 1


@contextlib.contextmanager
def handed_over(host: str):
    """A node is to give the address away, whether it can or not."""
    attribute = "--name=haproxy_ha-handover", f"--node={host}"
    machine(host).run("attrd_updater", *attribute, "--update=1")
    try:
        yield
    finally:
        machine(host).run("attrd_updater", *attribute, "--delete")


API_SAYS_LITTLE = ["done", "action_404", "owner_null", "owner_absent"]  # kinds of the simulator's faults
BRIEF_LITTLE = ["owner_null"]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in BRIEF_LITTLE else [pytest.mark.slow]) for kind in API_SAYS_LITTLE]
)
def test_what_the_api_does_not_tell_is_no_failure(active, kind):
    """A status that nobody knows, an action that is not found, an owner that the token may not see: it moves."""
    other = audit.passive_of(active)
    before = control.state(str(CONTROL))["counts"]["faults"]
    with watch(f"API: {kind}, and a failover") as seen:
        control.fault(str(CONTROL), kind)
        try:
            failover(active)
        finally:
            control.clear(str(CONTROL))
        assert audit.settle() == other
    assert control.state(str(CONTROL))["counts"]["faults"] > before
    assert audit.reasons(other) == []
    assert seen.lost == []
    assert len(seen.moves) == 1
    assert seen.longest_gap <= 0.3


@contextlib.contextmanager
def api_fails(fault: dict | str, host: str):
    if isinstance(fault, dict):
        control.fault(str(CONTROL), **fault)
    else:
        machine(host).run("mv", fault, f"{fault}.away")
    try:
        yield
    finally:
        control.clear(str(CONTROL))
        if isinstance(fault, str):
            machine(host).run("mv", f"{fault}.away", fault)


def shown(reason: str, host: str) -> bool:
    return any(re.search(reason, one) for one in audit.reasons(host))


@pytest.mark.slow
def test_an_outage_of_the_api_never_stops_a_serving_address(active):
    with watch("API away for two minutes") as seen:
        control.fault(str(CONTROL), "hang")
        begin = time.monotonic()
        wait_for("two minutes", lambda: time.monotonic() - begin > 120, 130, 1)
        control.clear(str(CONTROL))
        assert audit.settle(60) == active
    assert (seen.failed, seen.moves) == ([], [])


# Fencing


@pytest.mark.slow
def test_a_lost_balancer_is_powered_off_for_real_before_the_other_one_takes_over(pillar, active):
    pillar(lambda tree: tree["cluster"].update(fencing={"enabled": True, "delay": 2}))
    audit.settle()
    other, leader = audit.passive_of(active), machine(active).leader()
    with watch("corosync of the active hangs, with fencing (delay 2 s)") as seen:
        machine(active).run("pkill", "-STOP", "-x", "corosync")
        wait_for(f"{active} to be powered off", lambda: machine(active).leader() != leader, 60)
        wait_for(f"the address at {other}", lambda: moved_to(other), 60)
        counts = control.state(str(CONTROL))["counts"]
        assert (counts["power_off"], counts["power_on"]) == (1, 1)
        wait_for(f"{active} to start", machine(active).leader, 60)
        machine(active).wait_booted()
        assert audit.settle(120) == other
    assert len(seen.moves) == 1


# Pillar: another address, another provider, another token


def both_owners() -> list[int | None]:
    """The droplets that have the first address, and the second."""
    owners = control.state(str(CONTROL))["owners"]
    return [owners[FLOATING_IP], owners[SECOND_FLOATING_IP]]


def test_another_floating_ip_is_one_run(pillar, active):
    """Refused at once where the old one is in the way, before anything is touched; then it goes for the new one."""
    owner = HOSTS[active].droplet_id
    with watch("the address is changed, and changed back"):
        document = yaml.safe_load(EXAMPLE)
        document["haproxy_ha"]["floating_ip"]["address"] = SECOND_FLOATING_IP
        salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
        begin = time.monotonic()
        returned = salt.call("state.apply", "haproxy_ha", target=active)
        print(f"refused after {time.monotonic() - begin:.1f} s")
        assert f"floating_ip:replaces to {FLOATING_IP}" in str(returned)
        assert outcome.changed(returned) == []
        pillar(lambda tree: tree["floating_ip"].update(address=SECOND_FLOATING_IP, replaces=FLOATING_IP))
        assert (both_owners(), ask(SECOND_FLOATING_IP)[0]) == ([None, owner], 200)
        pillar(lambda tree: tree["floating_ip"].update(replaces=SECOND_FLOATING_IP))
        assert (both_owners(), ask()[0]) == ([owner, None], 200)


@pytest.fixture
def pillar(active):
    """Applies a change of the example's pillar on the load balancers, and the example itself after the test."""

    def apply(change) -> dict:
        document = yaml.safe_load(EXAMPLE)
        change(document["haproxy_ha"])
        salt.set_pillar(yaml.safe_dump(document, sort_keys=False))
        return converge()

    yield apply
    control.tokens(str(CONTROL), [api_token()])
    if control.state(str(CONTROL))["owners"][SECOND_FLOATING_IP]:  # a test that failed has left it there
        apply(lambda tree: tree["floating_ip"].update(replaces=SECOND_FLOATING_IP))
    salt.set_pillar(EXAMPLE)
    converge()
    audit.settle()


def converge() -> dict:
    returned = salt.call("state.apply", "haproxy_ha", target=",".join(BALANCERS))
    assert outcome.failed(returned) == []
    return returned


def agent_of(resource: str) -> str:
    return machine(BALANCERS[0]).run("crm_resource", "--resource", resource, "--query-xml").stdout


def test_a_virtual_ip_of_a_lan(pillar, active):
    """provider: ipaddr2. The standby binds the address too, so a move is a stop and a start of the address."""
    address = "10.132.20.100"
    pillar(lambda tree: tree["floating_ip"].update(provider="ipaddr2", address=address))
    assert 'type="IPaddr2"' in agent_of("FloatIP")
    again = converge()
    assert outcome.changed(again) == []
    holder = audit.active()
    for host in BALANCERS:
        assert f"{address}:80" in machine(host).run("ss", "-Hltn").stdout
    with probe(INTERVAL_MS, address, source="master") as record:
        salt.call("haproxy_ha.failover", target=holder)
        assert audit.active() == audit.passive_of(holder)
        machine(audit.active()).run("crm", "node", "standby", audit.active())
        wait_for(f"the address at {holder}", lambda: audit.active() == holder, 30)
    machine(holder).run("crm_standby", "--node", audit.passive_of(holder), "--delete")
    print(f"{len(record.samples)} requests, {len(record.failed)} failed; longest gap {record.longest_gap:.3f} s")
    assert record.longest_gap <= 0.3


@pytest.fixture
def no_anchors(pillar):
    """A function that takes the anchor IPs away from the balancers."""
    hosts = [HOSTS[name] for name in BALANCERS]

    def change(verb: str, anchor: bool) -> None:
        for host in hosts:
            control.anchor(str(CONTROL), host.droplet_id, host.anchor if anchor else None)
            machine(host.name).run("ip", "address", verb, f"{host.anchor}/16", "dev", host.links["public"])

    yield lambda: change("del", False)
    change("replace", True)


@pytest.mark.slow
def test_a_droplet_without_an_anchor_ip_binds_its_public_one(pillar, no_anchors, active):
    no_anchors()
    pillar(lambda tree: [member.pop("anchor_ip") for member in tree["load_balancers"].values()])
    for host in BALANCERS:
        assert f"{HOSTS[host].public}:80" in machine(host).run("ss", "-Hltn").stdout
    assert outcome.changed(converge()) == []
    for _ in BALANCERS:
        holder = audit.settle()
        assert ask()[0] == 200
        salt.call("haproxy_ha.failover", target=holder)
        assert (audit.active(), ask()[0]) == (audit.passive_of(holder), 200)
    verified = salt.call("haproxy_ha.verify", target=",".join(BALANCERS))
    assert [check for one in verified.values() for check in one["failed"]] == []


@pytest.mark.slow
def test_with_a_second_link_a_cut_of_the_private_one_splits_nothing(pillar, active):
    pillar(lambda tree: tree["cluster"].update(second_link=True))
    for host in BALANCERS:
        wait_for(f"both links of {host}", lambda host=host: links_up(host) == 2, 30)
    with watch("private interface of the passive cut, with a second link") as seen:
        with cut_off("private", audit.passive_of(active)):
            wait_for("the link to be seen down", lambda: links_up(active) == 1, 20)
            assert sorted(audit.members(active)) == sorted(BALANCERS)
        assert audit.settle() == active
    assert (seen.failed, seen.moves) == ([], [])


def links_up(host: str) -> int:
    """The knet links over which a host reaches its peer."""
    text = machine(host).run("corosync-cfgtool", "-s", check=False).stdout
    return len(re.findall(r"nodeid:\s*\d+:\s*connected", text))


@pytest.mark.slow
def test_any_other_agent(pillar, active):
    """agent: ocf:..., as for another cloud; a dummy stands for it, and moves on demand like any address."""
    pillar(lambda tree: tree["floating_ip"].update(agent="ocf:heartbeat:Dummy", params={"fake": "vip-1"}))
    assert 'name="fake" value="vip-1"' in agent_of("FloatIP")
    holder = audit.active()
    assert salt.call("haproxy_ha.failover", target=holder)[holder]["new"] == audit.passive_of(holder)
    assert outcome.changed(converge()) == []


@pytest.mark.slow
def test_systemd_s_unit_in_place_of_the_agent(pillar, active):
    pillar(lambda tree: tree["cluster"].update(primitives={"haproxy": {"agent": "systemd:haproxy"}}))
    assert 'class="systemd"' in agent_of("haproxy")
    assert outcome.changed(converge()) == []
    holder = audit.settle()
    machine(holder).run("systemctl", "stop", "haproxy")
    wait_for("HAProxy to run again", lambda: ask()[0] == 200 and audit.problems() == [], 30)
    assert audit.settle() == holder


def test_a_token_is_rotated_and_nothing_restarts_or_moves(pillar, active):
    new = "dop_v1_" + "5" * 64
    control.tokens(str(CONTROL), [api_token(), new])
    before = footprint()
    returned = pillar(lambda tree: tree["floating_ip"].update(api_token=new))
    changed = {state["__id__"] for host in BALANCERS for state in outcome.states(returned, host) if state["changes"]}
    assert changed == {"haproxy_ha-cluster-token"}
    assert footprint() == before
    control.tokens(str(CONTROL), [new])  # the old one is revoked
    parameters = {"address": FLOATING_IP, "api_check_interval": "0", "CRM_meta_interval": "10000"}
    words = [f"OCF_RESKEY_{name}={value}" for name, value in parameters.items()]
    done = machine(active).run("env", "OCF_RESOURCE_INSTANCE=FloatIP", *words, AGENT, "monitor", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert new not in json.dumps(returned)
    found = found_on_disks(new)
    assert {str(MACHINES[name].upper / "etc/haproxy_ha/token") for name in BALANCERS} <= found <= allowed_places()


def test_a_reloadable_parameter_is_reloaded_and_nothing_restarts_or_moves(pillar, active):
    parameters = {"FloatIP": {"api_check_interval": "30s"}, "haproxy": {"answer_timeout": "2s"}}
    primitives = {name: {"params": params} for name, params in parameters.items()}
    before, logs = footprint(), audit.pacemaker_logs()
    with watch("a reloadable parameter of both agents changed") as seen:
        pillar(lambda tree: tree["cluster"].update(primitives=primitives))
    done = cluster_changes.initiated(logs, audit.pacemaker_logs())
    assert done == {("FloatIP", "reload-agent", active), *(("haproxy", "reload-agent", host) for host in BALANCERS)}
    assert {**footprint(), "CIB": before["CIB"]} == before
    assert (seen.failed, seen.moves) == ([], [])
    assert 'name="api_check_interval" value="30s"' in agent_of("FloatIP")
    assert outcome.changed(converge()) == []


SEARCH = """
import glob, select, sys
secret, found, looks = sys.stdin.buffer.readline().strip(), set(), 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    looks += 1
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                if secret in file.read():
                    found.add(path)
        except OSError:
            pass
print(looks, *found)
"""


@contextlib.contextmanager
def searched_processes(hosts: Iterable[str], secret: str) -> Iterator[list[str]]:
    """Looks for a text in the arguments and environments of all processes while the block runs; then where it was."""
    argv = ("python3", "-c", SEARCH)
    searches = [
        subprocess.Popen(machine(host).command(*argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for host in hosts
    ]
    for search in searches:
        search.stdin.write(f"{secret}\n")
        search.stdin.flush()
    found: list[str] = []
    try:
        yield found
    finally:
        for host, search in zip(hosts, searches, strict=True):
            looks, *paths = search.communicate(timeout=30)[0].split()
            assert int(looks) > 10
            found += [f"{host}:{path}" for path in paths]


def test_the_token_is_in_no_process_s_arguments_or_environment(pillar, active):
    """While it is written, and used by both agents, by Salt and by the verification."""
    hosts = ("master", *BALANCERS)
    with searched_processes(hosts, api_token()) as found:
        pillar(lambda tree: None)
        salt.call("haproxy_ha.failover", target=active)
        salt.call("haproxy_ha.verify", target=active)
    assert found == []


def footprint() -> dict:
    """What a restart, a move or a change of the cluster's configuration would alter."""
    daemons = ("-f", r"^/usr/sbin/(haproxy|pacemakerd|corosync)\b")
    pids = {host: machine(host).run("pgrep", *daemons).stdout for host in BALANCERS}
    versions = machine(BALANCERS[0]).run("cibadmin", "--query", "--no-children").stdout.split()
    epochs = [word for word in versions if word.startswith(("admin_epoch=", "epoch="))]
    return {**pids, "owner": audit.cloud_owner(), "active": audit.active(), "CIB": epochs}


def found_on_disks(secret: str) -> set[str]:
    """Every file of every host that holds a text: CIBs and their histories, pe-inputs, logs, caches, job returns."""
    roots = [str(MACHINES[name].upper) for name in HOSTS]
    found = run(["grep", "-rlFa", "--devices=skip", secret, *roots], check=False).stdout.split()
    packed = [path for root in roots for path in Path(root).rglob("pe-*.bz2")]
    return set(found) | {str(path) for path in packed if secret.encode() in bz2.decompress(path.read_bytes())}


def allowed_places() -> set[str]:
    places = {str(MACHINES[name].upper / "etc/haproxy_ha/token") for name in BALANCERS}
    places.add(str(MACHINES["master"].upper / "srv/pillar/haproxy_ha.sls"))
    return places | {
        str(MACHINES["master"].upper / f"var/cache/salt/master/pillar/{name}.p")
        for name in MINIONS
    }  # fmt: skip
