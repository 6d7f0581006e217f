"""Announced maintenance: whom the watcher asks, what it tells the cluster, and when the address is to go."""

import json
from types import SimpleNamespace

import pytest

from support.agent_modules import imported

LOOK = 15.0


@pytest.fixture(scope="module")
def agents():
    yield from imported()


@pytest.fixture
def node(agents, monkeypatch):
    """A node of a pair: what is announced to it and to the other one, and what its cluster was told."""
    module = agents("announced")
    here = SimpleNamespace(
        word="", others=[], there=["a", "b"], told=[], takes=True, answers=True, now=100.0,
        log=[], announced=None,
    )  # fmt: skip

    def change(name, change, seconds):
        assert (name, seconds) == ("haproxy_ha-maintenance", 3.0)
        if here.takes:
            here.told.append(change)
        return here.takes

    def members(seconds):
        if not here.answers:
            raise module.agent.Failure(1, "corosync-cmapctl: did not end in time")
        return [*((name, "member") for name in here.there), ("gone", "lost")]

    def nodes_with(name, seconds):
        own = ["a"] if here.told and here.told[-1] != "--delete" else []
        return [*own, *here.others] if here.answers else None

    monkeypatch.setattr(module, "cluster", SimpleNamespace(
        change_attribute=change, members=members, nodes_with=nodes_with))  # fmt: skip
    monkeypatch.setattr(module.agent, "log", here.log.append)
    here.announced = module.Announced(SimpleNamespace(word=lambda: here.word))

    def look(times=1):
        for _ in range(times):
            here.announced.look(here.now)
            here.now += LOOK
        return here.announced.counts

    here.look = look
    return here


def test_what_is_announced_is_told_and_counts_a_moment_later(node):
    assert not node.look(2)
    assert node.told == ["--delete"]  # whatever a watcher that was killed has left
    node.word = "live_migrate"
    assert [node.look() for _ in range(4)] == [False, False, True, True]
    assert node.told == ["--delete", *["--update=live_migrate"] * 4]
    assert node.log == ["maintenance is announced: live_migrate"]


def test_what_is_over_counts_no_more(node):
    node.word = "live_migrate"
    assert node.look(3)
    node.word = ""
    assert not node.look(3)
    assert node.told[3:] == ["--delete"]
    node.word = "live_migrate"
    assert [node.look() for _ in range(3)] == [False, False, True]  # the next one, from its own beginning


def test_where_all_are_announced_nothing_counts(node):
    node.word, node.others = "live_migrate", ["b"]
    assert not node.look(20)
    node.others = []
    assert node.look()
    node.others = ["b"]  # it has the address by now, and keeps it
    assert not node.look()


def test_of_three_the_one_that_is_left_is_enough(node):
    node.word, node.others, node.there = "live_migrate", ["b"], ["a", "b", "c"]
    assert node.look(3)


def test_one_that_is_lost_is_none_to_go_to(node):
    node.word, node.there = "live_migrate", ["a"]
    assert not node.look(20)


def test_what_was_known_counts_while_nobody_says_anything(node):
    node.word = None
    assert not node.look(3)
    node.word = "live_migrate"
    assert node.look(3)
    node.word = None
    assert node.look(int(1800 / LOOK) - 1)
    assert not node.look(2)
    assert node.told[-1] == "--delete"


def test_a_cluster_that_does_not_answer_changes_nothing(node):
    node.word, node.answers = "live_migrate", False
    assert not node.look(3)
    node.answers = True
    assert node.look()
    node.answers = False
    assert node.look()
    node.word, node.takes = "", False
    assert node.look()
    node.takes = node.answers = True
    assert not node.look()
    assert node.told[-1] == "--delete"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", ""), ("\n", ""), ("live_migrate", "live_migrate"), ("NONE\n", ""), ("[]", ""),
        ("MIGRATE_ON_HOST_MAINTENANCE\n", "MIGRATE_ON_HOST_MAINTENANCE"), ("Reboot at noon", "Reboot"),
        ('{"Events": 1}', "announced"), ("\ufffd", "announced"), ("a" * 100, "a" * 64), ('x" y="z', "x"),
    ],
)  # fmt: skip
def test_the_word_for_it(agents, text, word):
    assert agents("announced").shown(text) == word


@pytest.fixture
def sources(agents, tmp_path):
    def given(**asked):
        path = tmp_path / "maintenance.json"
        path.write_text(json.dumps(asked))
        return agents("announced").Sources(str(path))

    return given


def test_a_file_that_is_there_announces(sources, tmp_path):
    path = tmp_path / "announced"
    asked = sources(url=None, file=str(path), command=[])
    assert asked.word() == ""
    path.touch()
    assert asked.word() == "announced"
    path.write_text("reboot 2026-12-01\n")
    assert asked.word() == "reboot"


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["echo", "NONE"], ""), (["echo", "TERMINATE; $(x)"], "TERMINATE"), (["false"], None), (["/nonexistent"], None),
        (["printf", "%s", ""], ""),
    ],
)  # fmt: skip
def test_a_command_announces_by_what_it_prints(sources, command, word):
    assert sources(command=command).word() == word


def test_a_command_that_does_not_end_is_ended(agents, sources, monkeypatch):
    monkeypatch.setattr(agents("announced"), "COMMAND", 0.1)
    assert sources(command=["sleep", "60"]).word() is None


def test_who_says_nothing_hides_nobody(sources, tmp_path):
    asked = sources(command=["false"], file=str(tmp_path / "announced"))
    assert asked.word() == ""
    (tmp_path / "announced").write_text("reboot")
    assert asked.word() == "reboot"


def test_without_anybody_to_ask_there_is_nothing_to_do(agents, sources, tmp_path):
    assert not sources(url=None, file=None, command=[])
    assert not agents("announced").Sources(str(tmp_path / "none"))
    (tmp_path / "broken").write_text("{")
    assert not agents("announced").Sources(str(tmp_path / "broken"))


def test_digitalocean_announces(sources, cloud):
    asked = sources(url=f"{cloud.metadata_url}/v1/maintenance_event")
    assert asked.word() == ""
    cloud.fault("maintenance")
    assert asked.word() == "live_migrate"
    cloud.clear()
    cloud.fault("status", service="metadata", path="maintenance_event")
    assert asked.word() is None
    cloud.clear()
    cloud.fault("hang", service="metadata", path="maintenance_event")
    assert asked.word() is None


def test_the_address_is_to_go_by_less_than_a_node_reaches(agents):
    """More than stickiness, less than one backend of three; a lost way counts for more."""
    watch, told = agents("watch"), []
    env = Environment(gateway="192.0.2.1", answer_timeout="1s")
    echoes = SimpleNamespace(hear=lambda now: None, ask=lambda addresses: None, answered={"192.0.2.1": 100.0})
    announced = SimpleNamespace(counts=False)
    look = watch.Look(SimpleNamespace(environment=lambda: env, directory="/nowhere"), (), echoes, announced)
    look.told = SimpleNamespace(tell=lambda now, value, delay: told.append((value, delay)))
    look.at(100.0, 0.2)
    announced.counts = True
    look.at(100.2, 0.2)
    look.at(110.0, 0.2)  # the gateway is silent
    assert told == [("0", "5s"), ("-300", "0"), ("-1000", "700ms")]
    assert -1000 // 3 < int(watch.ANNOUNCED) < -100


class Environment(dict):
    """What a monitor has handed over; nothing is known of HAProxy."""

    instance, state_directory = "haproxy", "/nowhere"
