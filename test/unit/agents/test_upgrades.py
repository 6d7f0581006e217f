"""Who may upgrade its packages now, by what the cluster says: pure, and with programs that answer from a table."""

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from haproxy_ha_lib.files import layout
from support.pillars import FORMULA, valid

AGENTS = FORMULA / "files" / "agents"
NAMES = ("primary", "secondary")
DAYS = {name: day for day, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def upgrades():
    sys.path.insert(0, str(AGENTS))
    try:
        import upgrades

        yield upgrades
    finally:
        for name in ("upgrades", "cluster", "agent"):
            sys.modules.pop(name, None)
        sys.path[:] = [entry for entry in sys.path if entry != str(AGENTS)]


def status(nodes=None, haproxy=None, names=NAMES, maintenance="false", reach=None):
    """crm_mon's XML of a healthy cluster, with attributes of nodes and of HAProxy's instances laid over it."""
    usual = {"online": "true", "standby": "false", "maintenance": "false", "pending": "false", "unclean": "false",
             "shutdown": "false", "type": "member"}  # fmt: skip
    runs = {"resource_agent": "ocf:haproxy_ha:haproxy", "role": "Started", "managed": "true", "failed": "false",
            "orphaned": "false", "blocked": "false"}  # fmt: skip
    root = ElementTree.Element("pacemaker-result")
    summary = ElementTree.SubElement(root, "summary")
    ElementTree.SubElement(summary, "cluster_options", {"maintenance-mode": maintenance})
    listed, resources = ElementTree.SubElement(root, "nodes"), ElementTree.SubElement(root, "resources")
    attributes = ElementTree.SubElement(root, "node_attributes")
    for name in names:
        ElementTree.SubElement(listed, "node", {"name": name, **usual, **(nodes or {}).get(name, {})})
        if haproxy is None or haproxy.get(name) is not None:
            instance = ElementTree.SubElement(resources, "resource", {**runs, **(haproxy or {}).get(name, {})})
            ElementTree.SubElement(instance, "node", {"name": name})
        if name in (reach or {}):
            of = ElementTree.SubElement(attributes, "node", {"name": name})
            ElementTree.SubElement(of, "attribute", {"name": "haproxy_ha-reach", "value": reach[name]})
    return root


OTHER = {
    "well": ({}, ""),
    "off": ({"nodes": {"secondary": {"online": "false"}}}, "secondary is not online"),
    "lost": ({"nodes": {"secondary": {"unclean": "true"}}}, "secondary is lost"),
    "joining": ({"nodes": {"secondary": {"pending": "true"}}}, "secondary is joining the cluster"),
    "leaving": ({"nodes": {"secondary": {"shutdown": "true"}}}, "secondary is leaving the cluster"),
    "in standby": ({"nodes": {"secondary": {"standby": "true"}}}, "secondary is in standby"),
    "in maintenance": ({"nodes": {"secondary": {"maintenance": "true"}}}, "secondary is in maintenance"),
    "without HAProxy": ({"haproxy": {"primary": {}}}, "secondary does not run HAProxy"),
    "with a failed HAProxy": (
        {"haproxy": {"primary": {}, "secondary": {"failed": "true"}}}, "secondary does not run HAProxy",
    ),
    "with one that starts": (
        {"haproxy": {"primary": {}, "secondary": {"role": "Starting"}}}, "secondary does not run HAProxy",
    ),
    "reaching less": (
        {"reach": {"primary": "2000", "secondary": "1000"}}, "secondary reaches less than this one",
    ),
    "reaching more": ({"reach": {"primary": "1000", "secondary": "2000"}}, ""),
    "not saying what it reaches": ({"reach": {"primary": "2000"}}, ""),
    "well, this one in standby": ({"nodes": {"primary": {"standby": "true"}}}, ""),
    "off, this one in standby": (
        {"nodes": {"primary": {"standby": "true"}, "secondary": {"online": "false"}}}, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHER)
def test_one_may_go_where_the_other_one_serves(upgrades, case):
    given, why = OTHER[case]
    assert "; ".join(upgrades.obstacles("primary", status(**given))) == why
    assert upgrades.refusal("primary", status(**given), DAYS["primary"], False) == why


def test_a_cluster_without_our_agent_is_judged_by_its_nodes(upgrades):
    assert upgrades.obstacles("primary", status(haproxy={})) == []


def test_a_remote_node_is_no_member_and_has_no_day(upgrades):
    root = status({"third": {"type": "remote", "online": "false"}}, names=(*NAMES, "third"))
    assert upgrades.obstacles("primary", root) == []
    assert sorted(upgrades.members(root)) == list(NAMES)


@pytest.mark.parametrize("names", [NAMES, ("a", "b", "c"), ("only",)])
def test_each_day_is_one_members_and_each_member_has_one(upgrades, names):
    for day in range(739000, 739000 + 3 * len(names)):
        may = [name for name in names if not upgrades.refusal(name, status(names=names), day, False)]
        assert len(may) == 1
        assert may[0] == names[day % len(names)]


def test_of_three_none_goes_while_one_is_away(upgrades):
    root = status({"c": {"online": "false"}}, names=("a", "b", "c"))
    assert upgrades.obstacles("a", root) == ["c is not online"]


def test_maintenance_is_for_an_operator(upgrades):
    for root in (status(maintenance="true"), status({"primary": {"maintenance": "true"}})):
        assert upgrades.refusal("primary", root, DAYS["primary"], False) == "the cluster is in maintenance"
        assert upgrades.is_left_alone(root, "primary")


def test_after_a_week_the_others_count_no_more_but_the_day_does(upgrades):
    alone = status({"secondary": {"online": "false"}})
    assert upgrades.refusal("primary", alone, DAYS["primary"], True) == ""
    assert upgrades.refusal("primary", alone, DAYS["secondary"], True) == "today is the day of secondary"


@pytest.mark.parametrize("names, stops", [
    (["/var/cache/apt/archives/pacemaker_2.1.5-1_amd64.deb"], True),
    (["/x/haproxy_2.6_amd64.deb", "/x/corosync_3.1.7-1_amd64.deb\n"], True),
    (["/x/haproxy_2.6_amd64.deb", "/x/libc6_2.36_amd64.deb"], False),
    (["/x/pacemaker-cli-utils_2.1.5_amd64.deb", "/x/corosync-qdevice_3_amd64.deb"], False),
    ([], False),
])  # fmt: skip
def test_apt_waits_for_packages_that_stop_the_cluster_only(upgrades, names, stops):
    assert upgrades.stops_cluster(names) is stops


class World:
    """Programs that answer from a table: what the cluster says, and whose attributes it holds."""

    def __init__(self, root, claims=(), units="active\nactive"):
        self.root, self.claims, self.units, self.log = root, dict(claims), units, []
        self.after_claim = lambda: None

    def run(self, command, timeout, check=True):
        done = SimpleNamespace(stdout="", stderr="", returncode=0)
        if command[0] == "systemctl":
            done.stdout = self.units
        elif command[0] == "crm_node":
            done.stdout = "primary\n"
        elif "--update" in command:
            self.claims["primary"] = command[-1]
            self.after_claim()
        elif "--delete" in command:
            self.claims.pop("primary", None)
        elif "--query" in command:
            shown = 'name="haproxy_ha-upgrading" host="{}" value="{}"'
            done.stdout = "\n".join(shown.format(*claim) for claim in self.claims.items())
        return done


@pytest.fixture
def world(upgrades, monkeypatch, tmp_path):
    def make(root, **more):
        made = World(root, **more)

        def ask(limit):
            if made.root is None:
                raise upgrades.Failure(1, "crm_mon: no cluster")
            return "primary", made.root

        monkeypatch.setattr(upgrades.cluster, "ask", ask)
        monkeypatch.setattr(upgrades.agent, "run", made.run)
        monkeypatch.setattr(upgrades.agent, "log", made.log.append)
        return made

    for name in ("CLAIMED", "STAMP", "DROP_IN"):
        monkeypatch.setattr(upgrades, name, str(tmp_path / name.lower()))
    monkeypatch.setattr(upgrades, "SETTLED", 0.0)
    monkeypatch.setattr(upgrades, "ANSWER", 0.2)
    return make


STOPS = ["/x/pacemaker_1_all.deb"]
OFF = {"secondary": {"online": "false"}}


def test_what_may_stop_has_a_claim_and_done_ends_it(upgrades, world, tmp_path):
    made = world(status())
    assert upgrades.wait(STOPS, {}, 0) == 0
    assert set(made.claims) == {"primary"} and (tmp_path / "claimed").exists()
    assert upgrades.main(["x", "done"]) == 0
    assert not made.claims and not (tmp_path / "claimed").exists()


WAITS = {
    "the other is away": ({"root": status(OFF)}, "secondary is not online"),
    "the other upgrades": (
        {"root": status(), "claims": {"secondary": str(int(time.time()))}}, "secondary upgrades",
    ),
    "the cluster does not answer": ({"root": None}, "crm_mon: no cluster"),
}  # fmt: skip


@pytest.mark.parametrize("case", WAITS)
def test_what_may_not_stop_is_told_why_and_how_and_claims_nothing(upgrades, world, case):
    given, why = WAITS[case]
    made = world(**given)
    assert upgrades.wait(STOPS, {}, 0) == 1
    assert "primary" not in made.claims
    assert why in made.log[-1] and "standby" in made.log[-1] and "HAPROXY_HA_UPGRADE=now" in made.log[-1]


GOES = {
    "packages that stop nothing": ({"root": status(OFF)}, ["/x/bash_5_amd64.deb"], {}),
    "an operator who says so": ({"root": status(OFF)}, STOPS, {"HAPROXY_HA_UPGRADE": "now"}),
    "maintenance": ({"root": status(OFF, maintenance="true")}, STOPS, {}),
    "the only member": ({"root": status(names=("primary",))}, STOPS, {}),
    "no Pacemaker here": ({"root": None, "units": "inactive"}, STOPS, {}),
    "this one in standby": ({"root": status({**OFF, "primary": {"standby": "true"}})}, STOPS, {}),
    "a claim of hours ago": (
        {"root": status(), "claims": {"secondary": str(int(time.time()) - 7200)}}, STOPS, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GOES)
def test_what_harms_nobody_goes_at_once(upgrades, world, case):
    given, names, environ = GOES[case]
    world(**given)
    assert upgrades.wait(names, environ, 0) == 0


def test_an_other_one_that_goes_between_claim_and_look_is_seen(upgrades, world):
    made = world(status())
    made.after_claim = lambda: setattr(made, "root", status(OFF))
    assert upgrades.wait(STOPS, {}, 0) == 1
    assert "primary" not in made.claims


def test_it_waits_until_the_other_one_is_back(upgrades, world, monkeypatch):
    made = world(status(OFF))
    monkeypatch.setattr(upgrades.time, "sleep", lambda _: setattr(made, "root", status()))
    assert upgrades.wait(STOPS, {}, 60) == 0
    assert made.log == [
        "haproxy_ha: waiting, at most 60 s, before Pacemaker is stopped here: secondary is not online"
    ]


def test_unattended_upgrades_where_nothing_is_served(upgrades, world, tmp_path):
    """Before the first run has ended, or where an operator has stopped all of it: security goes on."""
    (tmp_path / "drop_in").touch()
    for units, code in (("inactive\ninactive", 0), ("failed\ninactive", 0), ("inactive\nactive", 1),
                        ("activating\ninactive", 1)):  # fmt: skip
        world(None, units=units)
        assert upgrades.main(["x", "may-begin"]) == code


def test_a_stamp_of_a_week_ago_is_overdue(upgrades, world, tmp_path, monkeypatch):
    monkeypatch.setattr(upgrades, "today", lambda: DAYS["primary"])
    world(status(OFF))
    (tmp_path / "drop_in").touch()
    assert upgrades.main(["x", "may-begin"]) == 1  # it never ran, and was put in turn just now
    monkeypatch.setattr(upgrades, "OVERDUE", -1)
    assert upgrades.main(["x", "may-begin"]) == 0
    monkeypatch.setattr(upgrades, "OVERDUE", 60)
    (tmp_path / "stamp").touch()
    assert upgrades.main(["x", "may-begin"]) == 1


def test_a_slip_of_ours_stops_nobodys_apt(upgrades, monkeypatch, capsys):
    monkeypatch.setattr(upgrades, "wait", lambda *_: 1 / 0)
    monkeypatch.setattr(upgrades, "may_begin", lambda: 1 / 0)
    monkeypatch.setattr(upgrades.sys, "stdin", SimpleNamespace(read=str))
    assert upgrades.main(["x", "wait"]) == 0
    assert upgrades.main(["x", "may-begin"]) == 1
    assert "unexpected ZeroDivisionError" in capsys.readouterr().err


def test_it_runs_as_the_drop_in_and_apt_run_it():
    done = subprocess.run(
        ["/usr/bin/python3", "-BIS", str(AGENTS / "upgrades.py")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "usage: upgrades.py may-begin|wait|done\n")


# The files


def paths(minion_id, changes=None):
    return layout.upgrades(valid(changes, minion_id))


def test_what_each_role_gets():
    assert [path.split("/")[-2:] for path in paths("primary")] == [
        ["apt-daily-upgrade.service.d", "haproxy_ha.conf"], ["apt.conf.d", "60haproxy_ha"],
        ["conf.d", "haproxy_ha.conf"], ["restart.d", "haproxy.service"],
    ]  # fmt: skip
    assert [path.split("/")[-2:] for path in paths("app-1")] == [
        ["apt-daily-upgrade.service.d", "haproxy_ha.conf"], ["restart.d", "nginx.service"],
    ]  # fmt: skip


@pytest.mark.parametrize("minion_id", ["primary", "app-1"])
def test_as_they_come_takes_all_of_it_away(minion_id):
    off = paths(minion_id, {"upgrades": "as_they_come"})
    assert set(off) == set(paths(minion_id))
    assert {*off.values()} == {None}


def test_each_app_server_has_another_day():
    models = [
        entry.model for minion_id in ("app-1", "app-2")
        for path, entry in paths(minion_id).items() if path.endswith("haproxy_ha.conf")
    ]  # fmt: skip
    assert [(model["turn"], model["count"]) for model in models] == [(0, 2), (1, 2)]


def test_many_app_servers_have_a_day_of_the_week():
    many = {f"app-{number}": {"private_ip": f"10.132.21.{number}"} for number in range(10, 30)}
    files = paths("app-19", {"app_servers": many})
    model = next(entry.model for path, entry in files.items() if path.endswith("haproxy_ha.conf"))
    assert (model["turn"], model["count"]) == (2, 7)
